"""The three actions on DIDs, as they stand in a transaction."""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.did import DETAIL_MEMBERS, OPTIONAL_DETAIL_MEMBERS, DidDetails
from registry.core.encoding import JsonObject
from registry.core.fields import integer, members


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDid:
    """Create a DID. Its identifier is derived from the payload; every key in it signs."""

    NAME: ClassVar[str] = "create-did"

    details: DidDetails

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return self.details.to_members()

    @classmethod
    def parse(cls, body: object) -> "CreateDid":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body,
            "body of create-did",
            required=DETAIL_MEMBERS,
            optional=OPTIONAL_DETAIL_MEMBERS,
        )
        return cls(details=DidDetails.parse(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDid:
    """Replace all that a DID says. `version` is the one that is replaced."""

    NAME: ClassVar[str] = "update-did"

    version: int
    details: DidDetails

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {"version": self.version, **self.details.to_members()}

    @classmethod
    def parse(cls, body: object) -> "UpdateDid":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body,
            "body of update-did",
            required=("version", *DETAIL_MEMBERS),
            optional=OPTIONAL_DETAIL_MEMBERS,
        )
        return cls(
            version=integer(found["version"], "version", low=1),
            details=DidDetails.parse(found),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivateDid:
    """Deactivate a DID, for ever. `version` is the one that is replaced."""

    NAME: ClassVar[str] = "deactivate-did"

    version: int

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {"version": self.version}

    @classmethod
    def parse(cls, body: object) -> "DeactivateDid":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "body of deactivate-did", required=("version",))
        return cls(version=integer(found["version"], "version", low=1))

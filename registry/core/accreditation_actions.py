"""The four actions on accreditations, as they stand in a transaction."""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.accreditation import ROLES, read_types
from registry.core.encoding import JsonObject
from registry.core.fields import choice, integer_or_null, members, token
from registry.core.identifiers import CODE, read_did, read_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Accredit:
    """Give `subject` a role for these credential types, up to and including `until_height`."""

    NAME: ClassVar[str] = "accredit"

    accreditation: str
    subject: str
    role: str
    types: tuple[str, ...]
    until_height: int | None

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "accreditation": self.accreditation,
            "subject": self.subject,
            "role": self.role,
            "types": list(self.types),
            "until_height": self.until_height,
        }

    @classmethod
    def parse(cls, body: object) -> "Accredit":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body,
            "body of accredit",
            required=("accreditation", "subject", "role", "types", "until_height"),
        )
        return cls(
            accreditation=read_id(found["accreditation"], "accreditation"),
            subject=read_did(found["subject"], "subject"),
            role=choice(found["role"], "role", ROLES),
            types=read_types(found["types"], "types"),
            until_height=integer_or_null(found["until_height"], "until_height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What the three later actions on an accreditation have in common."""

    NAME: ClassVar[str] = ""

    accreditation: str
    reason: str

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {"accreditation": self.accreditation, "reason": self.reason}

    @classmethod
    def _read(cls, body: object) -> dict[str, str]:
        found = members(body, f"body of {cls.NAME}", required=("accreditation", "reason"))
        return {
            "accreditation": read_id(found["accreditation"], "accreditation"),
            "reason": token(found["reason"], "reason", CODE),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendAccreditation(_Change):
    """From this height on the accreditation does not count, until it is reinstated."""

    NAME: ClassVar[str] = "suspend-accreditation"

    @classmethod
    def parse(cls, body: object) -> "SuspendAccreditation":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        return cls(**cls._read(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateAccreditation(_Change):
    """From this height on the suspended accreditation counts again."""

    NAME: ClassVar[str] = "reinstate-accreditation"

    @classmethod
    def parse(cls, body: object) -> "ReinstateAccreditation":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        return cls(**cls._read(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAccreditation(_Change):
    """From this height on the accreditation does not count, for ever."""

    NAME: ClassVar[str] = "end-accreditation"

    @classmethod
    def parse(cls, body: object) -> "EndAccreditation":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        return cls(**cls._read(body))

"""Relying parties: who may ask citizens for what, and for which purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from registry.core.context import Context
from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import integer, items, members, text, token
from registry.core.identifiers import CODE, read_did, read_type
from registry.core.records import (
    read_record,
    record_members,
    record_object,
    relying_party_key,
)
from registry.core.refusals import Conflict, Malformed, NotPermitted

LANGUAGES = ("en", "zh")  # every citizen reads the purpose in one of these
MAX_NAME_CHARS = 100
MAX_DESCRIPTION_CHARS = 300  # one sentence on the consent screen
MAX_PURPOSES = 16
MAX_CREDENTIALS = 8
MAX_CLAIMS = 64
MAX_PATH = 8
MAX_CLAIM_CHARS = 100
MAX_CLAIM_INDEX = 1024

ClaimPath = tuple[str | int | None, ...]


class MayNotRegister(NotPermitted):
    """The author is no registrar for every credential type that is asked for."""


class RelyingPartyVersionConflict(Conflict):
    """The version is not the one after the version that is registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedClaims:
    """What may be asked of one credential type: paths of claims, as in DCQL."""

    type: str
    claims: tuple[ClaimPath, ...]

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {"type": self.type, "claims": [list(path) for path in self.claims]}

    @classmethod
    def parse(cls, value: object) -> "AskedClaims":
        """Read the JSON form.

        Raises:
            Malformed: another shape, or a path of something else than names, indices and null.
        """
        found = members(value, "asked credential", required=("type", "claims"))
        return cls(
            type=read_type(found["type"], "type"),
            claims=items(
                found["claims"],
                "claims",
                low=1,
                high=MAX_CLAIMS,
                read=lambda path: items(
                    path, "claim path", low=1, high=MAX_PATH, read=_read_path_item
                ),
                unique=lambda path: path,
            ),
        )


def _read_path_item(item: Any) -> str | int | None:
    if item is None:
        return None
    if isinstance(item, str):
        return text(item, "claim name", high=MAX_CLAIM_CHARS)
    return integer(item, "claim index", high=MAX_CLAIM_INDEX)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPurpose:
    """A reason to ask, in the languages that citizens read, and what may be asked for it.

    `pseudonym`: whether the party may also ask to know the same wallet again. It is written only
    where it is true, so that what was registered before keeps its one form.
    """

    purpose: str
    description: Mapping[str, str]
    credentials: tuple[AskedClaims, ...]
    pseudonym: bool = False

    def to_object(self) -> JsonObject:
        """The JSON form."""
        return {
            "purpose": self.purpose,
            "description": dict(self.description),
            "credentials": [item.to_object() for item in self.credentials],
            **({"pseudonym": True} if self.pseudonym else {}),
        }

    @classmethod
    def parse(cls, value: object) -> "RegisteredPurpose":
        """Read the JSON form.

        Raises:
            Malformed: another shape, a language missing, one credential type twice, or a
                `pseudonym` that is there and not true.
        """
        found = members(
            value,
            "purpose",
            required=("purpose", "description", "credentials"),
            optional=("pseudonym",),
        )
        if found.get("pseudonym", True) is not True:
            raise Malformed("pseudonym is true, or left out")
        described = members(found["description"], "description", required=LANGUAGES)
        return cls(
            purpose=token(found["purpose"], "purpose", CODE),
            description={
                language: text(described[language], "description", high=MAX_DESCRIPTION_CHARS)
                for language in LANGUAGES
            },
            credentials=items(
                found["credentials"],
                "credentials",
                low=1,
                high=MAX_CREDENTIALS,
                read=AskedClaims.parse,
                unique=lambda item: item.type,
            ),
            pseudonym="pseudonym" in found,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRelyingParty:
    """Register version `version` of a relying party; no purposes at all take its rights away."""

    NAME: ClassVar[str] = "register-relying-party"

    party: str
    name: str
    purposes: tuple[RegisteredPurpose, ...]
    version: int = 1

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "party": self.party,
            "version": self.version,
            "name": self.name,
            "purposes": [item.to_object() for item in self.purposes],
        }

    @classmethod
    def parse(cls, body: object) -> "RegisterRelyingParty":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds, or a first version
                without purposes.
        """
        found = members(
            body,
            "body of register-relying-party",
            required=("party", "version", "name", "purposes"),
        )
        version = integer(found["version"], "version", low=1)
        return cls(
            party=read_did(found["party"], "party"),
            version=version,
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            purposes=_read_purposes(found["purposes"], low=1 if version == 1 else 0),
        )


def _read_purposes(value: object, *, low: int) -> tuple[RegisteredPurpose, ...]:
    return items(
        value,
        "purposes",
        low=low,
        high=MAX_PURPOSES,
        read=RegisteredPurpose.parse,
        unique=lambda item: item.purpose,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """The record of a relying party. One without purposes may ask for nothing."""

    party: str
    version: int
    name: str
    purposes: tuple[RegisteredPurpose, ...]
    registered_by: str
    height: int
    time: int

    def purpose(self, code: str) -> RegisteredPurpose | None:
        """The registered purpose with this code."""
        return next((item for item in self.purposes if item.purpose == code), None)

    def may_ask(self, *, purpose: str, type: str, claim: ClaimPath) -> bool:
        """Whether this claim of this type is registered for this purpose, path for path."""
        found = self.purpose(purpose)
        return found is not None and any(
            item.type == type and claim in item.claims for item in found.credentials
        )

    def may_recognise(self, purpose: str) -> bool:
        """Whether it may ask for a pseudonym, for this purpose."""
        found = self.purpose(purpose)
        return found is not None and found.pseudonym

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "relying-party",
            party=self.party,
            version=self.version,
            name=self.name,
            purposes=[item.to_object() for item in self.purposes],
            registered_by=self.registered_by,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "RelyingParty":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "relying-party",
            value,
            names=("party", "version", "name", "purposes", "registered_by", "height", "time"),
        )
        return cls(
            party=read_did(found["party"], "party"),
            version=integer(found["version"], "version", low=1),
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            purposes=_read_purposes(found["purposes"], low=0),
            registered_by=read_did(found["registered_by"], "registered_by"),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def register_relying_party(action: RegisterRelyingParty, context: Context) -> dict[str, bytes]:
    """Register, by a registrar for every type that is, or was, asked for.

    A root that is the only member needs no accreditation.

    Raises:
        MayNotRegister, RelyingPartyVersionConflict, SubjectUnknown, SubjectDeactivated: as they
            say.
    """
    key = relying_party_key(action.party)
    before = read_record(context.state, key, RelyingParty.parse)
    # The types of the version before count too: who could not grant them may not take them away.
    purposes = (*action.purposes, *(before.purposes if before else ()))
    types = sorted({item.type for purpose in purposes for item in purpose.credentials})
    if not context.is_decided and not context.author_holds(("registrar",), types):
        raise MayNotRegister("the author is no registrar for every type that is asked for")
    if action.version != (before.version + 1 if before else 1):
        raise RelyingPartyVersionConflict("the version is not the next one")
    if action.purposes:  # a deactivated party can still be struck off
        context.require_active(action.party)
    record = RelyingParty(
        party=action.party,
        version=action.version,
        name=action.name,
        purposes=action.purposes,
        registered_by=context.author,
        height=context.block.height,
        time=context.block.time,
    )
    return {key: record.encode()}

"""The institutions that govern the network: who they are, since when, and who was one before."""

from dataclasses import dataclass

from registry.core.did import read_key
from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import boolean, integer, integer_or_null, items, text, token
from registry.core.identifiers import TRANSACTION, read_did
from registry.core.keys import KeyType, PublicKey
from registry.core.network_record import MAX_MEMBERS, MAX_NAME_CHARS
from registry.core.records import member_key, record_members, record_object
from registry.core.refusals import Malformed

MAX_EVER = 256  # members there ever were: the list of them is read whole at every vote

_MEMBER = (
    "member",
    "name",
    "validator_key",
    "active",
    "since_height",
    "until_height",
    "proposal",
    "height",
    "time",
)


def read_validator_key(value: object) -> PublicKey | None:
    """A multikey of an Ed25519 key, which consensus engines sign with, or null.

    Raises:
        Malformed: another type of key, or none.
    """
    if value is None:
        return None
    key = read_key(value)
    if key.type is not KeyType.ED25519:
        raise Malformed("validator key is not an Ed25519 key")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The record of a member. Its governance keys are the ledger keys of its DID.

    `proposal` is the one that admitted it last, None for a member of the genesis; `until_height`
    is the height at which it was removed.
    """

    did: str
    name: str
    validator_key: PublicKey | None
    active: bool
    since_height: int
    until_height: int | None
    proposal: str | None
    height: int
    time: int

    @property
    def key(self) -> str:
        """State key of this record."""
        return member_key(self.did)

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "member",
            member=self.did,
            name=self.name,
            validator_key=None if self.validator_key is None else self.validator_key.multikey,
            active=self.active,
            since_height=self.since_height,
            until_height=self.until_height,
            proposal=self.proposal,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "Member":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, a member out of its bounds, or an active one that was
                removed.
        """
        found = record_members("member", value, names=_MEMBER)
        active = boolean(found["active"], "active")
        until = integer_or_null(found["until_height"], "until_height")
        if active != (until is None):
            raise Malformed("a member is either active or has an end")
        proposal = found["proposal"]
        return cls(
            did=read_did(found["member"], "member"),
            name=text(found["name"], "name", high=MAX_NAME_CHARS),
            validator_key=read_validator_key(found["validator_key"]),
            active=active,
            since_height=integer(found["since_height"], "since_height"),
            until_height=until,
            proposal=None if proposal is None else token(proposal, "proposal", TRANSACTION),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberList:
    """The DIDs of all members: the active ones, who vote, and those of the past."""

    active: tuple[str, ...]
    former: tuple[str, ...]
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "members",
            active=list(self.active),
            former=list(self.former),
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "MemberList":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or nobody is active, or somebody stands there twice.
        """
        found = record_members("members", value, names=("active", "former", "height", "time"))
        active = _read_dids(found["active"], "active", low=1, high=MAX_MEMBERS)
        former = _read_dids(found["former"], "former", low=0, high=MAX_EVER)
        if set(active) & set(former):
            raise Malformed("a member is active and of the past")
        return cls(
            active=active,
            former=former,
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def _read_dids(value: object, where: str, *, low: int, high: int) -> tuple[str, ...]:
    return items(
        value,
        where,
        low=low,
        high=high,
        read=lambda item: read_did(item, where),
        unique=lambda item: item,
    )

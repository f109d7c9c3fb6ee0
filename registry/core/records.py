"""The frame of every record in the state: its key, its bytes, and how a rule reads it.

The state is a map from key (a string) to value (canonical JSON of an object whose member `record`
names its kind). Each kind is declared beside its rules; this file knows only what they share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import integer, members
from registry.core.hashing import sha256
from registry.core.refusals import Malformed, Unavailable

R = TypeVar("R")

MAX_RECORD_BYTES = 512 << 10  # twice a transaction, from which every record comes

Changes = Mapping[str, bytes]  # what one transaction puts into the state; nothing is ever removed

NETWORK_KEY = "network"
MEMBERS_KEY = "members"
RULES_KEY = "rules"
PROPOSALS_KEY = "proposals"
UPGRADE_KEY = "upgrade"
DISCLOSURES_KEY = "disclosures"


class StateDamaged(Unavailable):
    """A record in the state cannot be read. Nothing is decided on such a state."""


class StateReader(Protocol):
    """The state before a transaction. `get` gives the value of a key, or None; it never raises."""

    def get(self, key: str) -> bytes | None:
        """The bytes of the record under `key`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where and when a transaction is applied, as the engine decided.

    `height` counts blocks from 0 (the genesis); `time` is in Unix seconds; `index` is the position
    of the transaction's entry in the log. Rules know no other clock.
    """

    height: int
    time: int
    index: int


def did_key(did: str) -> str:
    """State key of the newest version of a DID."""
    return f"did/{did}"


def did_version_key(did: str, version: int) -> str:
    """State key of one version of a DID."""
    return f"did/{did}/v/{version}"


def did_fragment_key(did: str, fragment: str) -> str:
    """State key that binds a fragment to one key for ever."""
    return f"did-fragment/{did}/{fragment}"


def accreditation_key(accreditation: str) -> str:
    """State key of one accreditation."""
    return f"accreditation/{accreditation}"


def accreditations_key(subject: str) -> str:
    """State key of the list of a subject's accreditations."""
    return f"accreditations/{subject}"


def schema_key(name: str, version: str) -> str:
    """State key of a schema."""
    return f"schema/{name}/{version}"


def batch_key(issuer: str, batch: str) -> str:
    """State key of an anchored batch."""
    return f"batch/{issuer}/{batch}"


def status_key(issuer: str, group: str) -> str:
    """State key of an issuer's group of status lists."""
    return f"status/{issuer}/{group}"


def status_list_key(uri: str) -> str:
    """State key of one status list; hashed, so that a URI of any length makes a short key."""
    return f"status-list/{sha256(uri.encode('utf-8', 'surrogatepass')).hex()}"


def relying_party_key(party: str) -> str:
    """State key of a relying party."""
    return f"relying-party/{party}"


def member_key(did: str) -> str:
    """State key of a member of the consortium."""
    return f"member/{did}"


def proposal_key(proposal: str) -> str:
    """State key of a proposal, by the id of the transaction that made it."""
    return f"proposal/{proposal}"


def proposal_number_key(number: int) -> str:
    """State key that leads from a proposal's number to its id."""
    return f"proposal-number/{number}"


def disclosure_order_key(number: int) -> str:
    """State key of a disclosure order, by its place in the public count."""
    return f"disclosure-order/{number}"


def compromise_key(did: str) -> str:
    """State key of the compromised keys of a DID."""
    return f"compromise/{did}"


def transaction_key(transaction: str) -> str:
    """State key of an applied transaction, by its id in hexadecimal."""
    return f"tx/{transaction}"


def record_object(kind: str, **values: object) -> JsonObject:
    """The JSON object of a record."""
    return {"record": kind, **values}


def record_members(
    kind: str, value: object, *, names: Sequence[str], optional: Sequence[str] = ()
) -> JsonObject:
    """Read a record of this kind with exactly these members.

    Args:
        value: the record's bytes, or its JSON object.
        optional: further members that it may have.

    Raises:
        Malformed: bytes that are not canonical JSON, another kind, a missing or unknown member.
    """
    if isinstance(value, bytes):
        data, value = value, parse_json_object(value, max_bytes=MAX_RECORD_BYTES)
        if canonical_json(value) != data:
            raise Malformed("record is not canonical JSON")
    result = members(value, f"record {kind}", required=("record", *names), optional=optional)
    if result["record"] != kind:
        raise Malformed(f"record is not of the kind {kind}")
    return result


def read_record(state: StateReader, key: str, parse: Callable[[object], R]) -> R | None:
    """The parsed record under `key`, or None when there is none.

    Raises:
        StateDamaged: there is one, and it cannot be read.
    """
    data = state.get(key)
    if data is None:
        return None
    try:
        return parse(data)
    except Malformed as error:
        raise StateDamaged(f"the record under {key} cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """That a transaction was applied, and where."""

    height: int
    index: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object("transaction", height=self.height, index=self.index)

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "TransactionRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member of the wrong type.
        """
        found = record_members("transaction", value, names=("height", "index"))
        return cls(
            height=integer(found["height"], "height"), index=integer(found["index"], "index")
        )

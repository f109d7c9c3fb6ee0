"""A person's own record: what was issued in her name, and every look into her data. Pure.

Entries are chained, so that the head stands for all of them in their order. An agency puts the
heads of all its people into one map and the map's root on the ledger: under one version of the root
there is one head for each person, and she remembers the head that she saw last. Entries hold codes,
never values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.hashing import labelled_hash

START = bytes(32)  # the head of a record with no entry
MAX_ENTRIES = 5_000  # handed out at once; a person's record of decades


class RecordKind(StrEnum):
    """What an entry tells."""

    REGISTERED = "registered"
    ISSUED = "issued"
    STATUS = "status"
    LOOK = "look"
    OPENING = "opening"
    RECOVERY = "recovery"  # by guardians: begun to wait, stopped, or completed
    GUARDIANS = "guardians"  # set, changed or withdrawn: by which of her keys
    MERGER = "merger"  # another registration was taken for hers, or taken apart from it again


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """One line. `time` in unix seconds; `detail` holds codes, counts and digests alone."""

    kind: RecordKind
    time: int
    detail: JsonObject = field(default_factory=dict)

    def to_object(self) -> JsonObject:
        """The entry as it is chained and shown."""
        return {"kind": str(self.kind), "time": self.time, **self.detail}


def chained(head: bytes, entry: JsonObject) -> bytes:
    """The head after one more entry, 32 bytes."""
    return labelled_hash("cairn/record-entry/v1", head, canonical_json(entry))


def head_of(entries: Iterable[JsonObject]) -> bytes:
    """The head of a whole record."""
    head = START
    for entry in entries:
        head = chained(head, entry)
    return head


def record_key(subject: str) -> str:
    """Key of a person's head in the map of her agency."""
    return f"record/{subject}"


def record_value(*, count: int, head: bytes) -> JsonObject:
    """What stands there."""
    return {"count": count, "head": base64url_encode(head)}


def heads_uri(issuer_url: str) -> str:
    """Name of an agency's map of heads, under which the ledger keeps its root."""
    return f"{issuer_url}/record/heads"

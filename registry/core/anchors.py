"""Anchored batches: the Merkle root over salted credential digests, and nothing of any of them."""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.accreditation import read_types
from registry.core.context import Context
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, members, octets
from registry.core.identifiers import read_did, read_id
from registry.core.records import batch_key, record_members, record_object
from registry.core.refusals import Conflict, NotPermitted

MAX_BATCH = 1 << 20  # credentials in one batch; a path of 20 hashes


class MayNotAnchor(NotPermitted):
    """The author is not accredited, at this height, to issue every type in the batch."""


class AlreadyAnchored(Conflict):
    """The author anchored a batch with this id before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorBatch:
    """Anchor a batch: `root` of the RFC 9162 tree over `count` credential digests."""

    NAME: ClassVar[str] = "anchor-batch"

    batch: str
    root: bytes
    count: int
    types: tuple[str, ...]

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "batch": self.batch,
            "root": base64url_encode(self.root),
            "count": self.count,
            "types": list(self.types),
        }

    @classmethod
    def parse(cls, body: object) -> "AnchorBatch":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "body of anchor-batch", required=("batch", "root", "count", "types"))
        return cls(
            batch=read_id(found["batch"], "batch"),
            root=octets(found["root"], "root", size=32),
            count=integer(found["count"], "count", low=1, high=MAX_BATCH),
            types=read_types(found["types"], "types"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """That `issuer` anchored this batch at this height, when it was accredited for each type."""

    issuer: str
    batch: str
    root: bytes
    count: int
    types: tuple[str, ...]
    height: int
    time: int

    @property
    def key(self) -> str:
        """State key of this record."""
        return batch_key(self.issuer, self.batch)

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "batch",
            issuer=self.issuer,
            batch=self.batch,
            root=base64url_encode(self.root),
            count=self.count,
            types=list(self.types),
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "BatchRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "batch",
            value,
            names=("issuer", "batch", "root", "count", "types", "height", "time"),
        )
        return cls(
            issuer=read_did(found["issuer"], "issuer"),
            batch=read_id(found["batch"], "batch"),
            root=octets(found["root"], "root", size=32),
            count=integer(found["count"], "count", low=1, high=MAX_BATCH),
            types=read_types(found["types"], "types"),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def anchor_batch(action: AnchorBatch, context: Context) -> dict[str, bytes]:
    """Anchor, by an issuer accredited for every type in the batch.

    Raises:
        MayNotAnchor, AlreadyAnchored: as they say.
    """
    if not context.author_holds(("issuer",), action.types):
        raise MayNotAnchor("the author is not accredited for every type in the batch")
    record = BatchRecord(
        issuer=context.author,
        batch=action.batch,
        root=action.root,
        count=action.count,
        types=action.types,
        height=context.block.height,
        time=context.block.time,
    )
    if context.state.get(record.key) is not None:
        raise AlreadyAnchored("a batch with this id is anchored")
    return {record.key: record.encode()}

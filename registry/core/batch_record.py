"""The ledger's record of an anchored batch: one root over many salted credential digests."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, items, octets
from registry.core.identifiers import read_did, read_id, read_type
from registry.core.proofs import HASH_BYTES
from registry.core.records import batch_key, record_members, record_object

MAX_BATCH_COUNT = 1 << 20  # digests; a path through a full batch has 20 hashes
MAX_BATCH_TYPES = 32  # credential types of one issuer

_NAMES = ("issuer", "batch", "root", "count", "types", "height", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """Which issuer anchored what, and when the ledger took note of it."""

    issuer: str  # DID
    batch: str  # id, base64url of 16 bytes, chosen by the issuer
    root: bytes  # 32 bytes, of the RFC 9162 tree over the digests
    count: int  # of digests, 1 to MAX_BATCH_COUNT
    types: tuple[str, ...]  # credential types, each once
    height: int
    time: int  # Unix seconds, of the block

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
            Malformed: as `record_members`, or a member not of its form.
        """
        found = record_members("batch", value, names=_NAMES)
        return cls(
            issuer=read_did(found["issuer"], "issuer"),
            batch=read_id(found["batch"], "batch"),
            root=octets(found["root"], "root", size=HASH_BYTES),
            count=integer(found["count"], "count", low=1, high=MAX_BATCH_COUNT),
            types=items(
                found["types"],
                "types",
                low=1,
                high=MAX_BATCH_TYPES,
                read=lambda item: read_type(item, "type"),
                unique=lambda item: item,
            ),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )

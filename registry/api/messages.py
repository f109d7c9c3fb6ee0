"""What the registry's API says in JSON. Requests are signed transactions and have no model here."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from registry.core.encoding import parse_json
from registry.core.proofs import path_json
from registry.core.sparse_map import map_proof_json
from registry.ledger.port import (
    ConsistencyProof,
    InclusionProof,
    ProvenRecord,
    TransactionReceipt,
)


class Message(BaseModel):
    """Our own messages have no members beyond the documented ones."""

    model_config = ConfigDict(extra="forbid")


class RecordAnswer(Message):
    """What the state of one head holds under a key."""

    key: str
    record: dict[str, Any] | None = Field(
        description="The record; its canonical JSON (RFC 8785) is what the proof is about. "
        "Null, when a proof was asked for: the key is proven to be absent."
    )
    proof: dict[str, Any] | None = Field(description="Map proof; null when not asked for")
    head: str = Field(description="Signed checkpoint; the proof leads to its state root")

    @classmethod
    def of(cls, proven: ProvenRecord) -> "RecordAnswer":
        """The message of a proven record."""
        return cls(
            key=proven.key,
            record=None if proven.value is None else parse_json(proven.value),
            proof=None if proven.proof is None else map_proof_json(proven.proof),
            head=proven.head,
        )


class AccreditationsAnswer(Message):
    """The list of a subject's accreditations and each of them, all under one head."""

    listed: RecordAnswer
    accreditations: list[RecordAnswer]


class MembersAnswer(Message):
    """The list of members and every active one, all under one head."""

    listed: RecordAnswer
    members: list[RecordAnswer]


class ProposalsAnswer(Message):
    """The list of proposals and some of them, newest first, all under one head."""

    listed: RecordAnswer = Field(description="How many there ever were, and which are open")
    numbers: list[RecordAnswer] = Field(
        description="With a proof: which proposal has which number, for all that were looked at"
    )
    proposals: list[RecordAnswer]
    before: int | None = Field(description="Ask on with this; null when there are no older ones")


class DisclosuresAnswer(Message):
    """The public count of disclosure orders and some of them, newest first, under one head."""

    count: int
    counted: RecordAnswer = Field(description="The record of the count; absent before the first")
    orders: list[RecordAnswer]


class TransactionAnswer(Message):
    """A transaction is final and on disk."""

    transaction: str = Field(description="Identifier, hex, from the payload alone")
    height: int
    index: int = Field(description="Entry in the log")
    head: str = Field(description="Signed checkpoint that covers it")

    @classmethod
    def of(cls, receipt: TransactionReceipt) -> "TransactionAnswer":
        """The message of a receipt."""
        return cls(
            transaction=receipt.tx_id,
            height=receipt.height,
            index=receipt.index,
            head=receipt.head,
        )


class EntriesAnswer(Message):
    """A run of log entries; the canonical JSON of each is what its leaf hash is about."""

    start: int
    entries: list[dict[str, Any]]
    size: int = Field(description="Entries in the whole log")


class HeadsAnswer(Message):
    """A run of signed heads."""

    start: int = Field(description="Height of the first one")
    heads: list[str] = Field(description="Signed checkpoints, one for each height")


class InclusionAnswer(Message):
    """Entry `index` is in the log of `size` entries (RFC 9162 §2.1.3)."""

    index: int
    size: int
    leaf: str = Field(description="Leaf hash, base64url")
    path: list[str] = Field(description="Sibling hashes, base64url, lowest level first")
    head: str = Field(description="Signed checkpoint of exactly that size")

    @classmethod
    def of(cls, proof: InclusionProof) -> "InclusionAnswer":
        """The message of a proof."""
        (leaf,) = path_json([proof.leaf])
        return cls(
            index=proof.index,
            size=proof.size,
            leaf=leaf,
            path=path_json(proof.path),
            head=proof.head,
        )


class ConsistencyAnswer(Message):
    """The log of `first` entries is a prefix of that of `second` entries (RFC 9162 §2.1.4)."""

    first: int
    second: int
    path: list[str] = Field(description="Hashes, base64url")

    @classmethod
    def of(cls, proof: ConsistencyProof) -> "ConsistencyAnswer":
        """The message of a proof."""
        return cls(first=proof.first, second=proof.second, path=path_json(proof.path))


class HealthAnswer(Message):
    """Whether the ledger takes transactions, and where it stands."""

    writable: bool
    height: int
    size: int

"""The port of the ledger: what every engine promises to whoever submits and reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.core.refusals import NotFound, Unavailable
from registry.core.sparse_map import MapProof
from registry.core.transaction_receipt import TransactionReceipt

__all__ = [
    "MAX_ENTRIES",
    "ConsistencyProof",
    "Health",
    "InclusionProof",
    "Ledger",
    "LedgerDamaged",
    "LedgerStopped",
    "NoSuchHead",
    "ProvenRecord",
    "TransactionReceipt",
]

MAX_ENTRIES = 256  # entries in one answer; of at most 256 KiB each, mostly below 1 KiB


class LedgerDamaged(Unavailable):
    """What is stored is not what was signed; the detail names the record. Nothing was served."""


class LedgerStopped(Unavailable):
    """The engine stopped writing, for good, until it is started again."""


class NoSuchHead(NotFound):
    """The ledger never signed a head of this height or size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenRecord:
    """What stands under a key in the state of one head, with the proof when it was asked for."""

    key: str
    value: bytes | None  # JCS of the record; None: the state holds nothing under this key
    proof: MapProof | None
    head: str  # checkpoint text; the proof leads to its state root


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """Entry `index` is in the log of `size` entries."""

    index: int
    size: int
    leaf: bytes  # leaf hash, 32 bytes
    path: tuple[bytes, ...]
    head: str  # the head of exactly that size


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """The log of `first` entries is a prefix of the log of `second` entries."""

    first: int
    second: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the engine takes transactions, and where it stands."""

    writable: bool
    reason: str | None  # why not, in words for the operator
    height: int
    size: int


class Ledger(Protocol):
    """Every engine keeps these promises; tests/contract/test_ledger.py holds each one to them.

    - `submit` returns only when the transaction is final and on disk.
    - Submitting the same transaction again gives the same identifier, height and index, and
      changes nothing. Signatures do not belong to a transaction's identity.
    - A refused transaction changes nothing.
    - After `submit` returns, every read on the same engine shows its effect.
    - Heads never shrink, and there is one head for each height and for each size.
    - What is served was checked against a signed head; otherwise `LedgerDamaged` is raised.
    - Every method may be called from any thread.
    """

    def submit(self, raw: bytes) -> TransactionReceipt:
        """Make a signed transaction part of the ledger.

        Raises:
            Refusal: the rules refuse it; nothing changed.
            Unavailable: it may or may not have become part of the ledger. Submit it again.
        """
        ...

    def receipt(self, tx_id: str) -> TransactionReceipt | None:
        """The receipt of a transaction, None when it is not part of the ledger."""
        ...

    def head(self, height: int | None = None) -> str:
        """The signed head as checkpoint text, by default the newest.

        Raises:
            NoSuchHead: that height is not reached.
        """
        ...

    def read(self, key: str, *, prove: bool, height: int | None = None) -> ProvenRecord:
        """What stands under `key`, at the newest height by default.

        Raises:
            NoSuchHead: that height is not reached.
        """
        ...

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """Up to `count` log entries from `start` on, at most `MAX_ENTRIES`; fewer at the end.

        Raises:
            Malformed: `start` or `count` is out of range.
        """
        ...

    def inclusion(self, index: int, size: int) -> InclusionProof:
        """Proof that entry `index` is in the log of `size` entries.

        Raises:
            NoSuchHead: there is no head of that size.
            NotFound: the log of that size has no such entry.
        """
        ...

    def consistency(self, first: int, second: int) -> ConsistencyProof:
        """Proof that the log of `second` entries extends that of `first`.

        Raises:
            NoSuchHead: there is no head of one of the sizes, or they are in the wrong order.
        """
        ...

    def health(self) -> Health:
        """Where the engine stands; reads no disk."""
        ...

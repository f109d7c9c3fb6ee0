"""The reading half of the port, the same for every engine: what the newest published head shows."""

from collections.abc import Sequence
from typing import Protocol

from registry.core.records import TransactionRecord, transaction_key
from registry.core.refusals import Malformed, Refusal, Unavailable
from registry.ledger.port import (
    MAX_ENTRIES,
    ConsistencyProof,
    InclusionProof,
    LedgerDamaged,
    NoSuchHead,
    ProvenRecord,
    TransactionReceipt,
)
from registry.ledger.store.database import Database
from registry.ledger.store.reading import (
    SealedHead,
    checked_entries,
    proven_consistency,
    proven_inclusion,
    proven_value,
)
from registry.ledger.store.rows import NodeCache, Rows


class HeadCheck(Protocol):
    """Checks a stored head as its engine signs them."""

    def __call__(self, note: str, *, where: str) -> SealedHead:
        """The head of a checkpoint text; `where` it stands goes into the refusal.

        Raises:
            LedgerDamaged: it does not parse, or is not signed as it must be.
        """
        ...


class StoredLedger:
    """Answers of the `Ledger` port from a ledger file; any number of threads."""

    def __init__(
        self,
        *,
        database: Database,
        cache: NodeCache,
        newest: SealedHead | None,
        check_head: HeadCheck,
    ) -> None:
        """
        Args:
            database: the open file.
            cache: map nodes that were read already.
            newest: the newest published head, checked; None while there is none.
            check_head: checks a stored head; raises `LedgerDamaged`.
        """
        self._database = database
        self._cache = cache
        self._newest = newest  # replaced as a whole, so readers need no lock
        self._check_head = check_head

    @property
    def _published(self) -> SealedHead:
        """The newest published head.

        Raises:
            Unavailable: there is none yet.
        """
        if self._newest is None:
            raise Unavailable("the ledger has no signed head yet")
        return self._newest

    def receipt(self, tx_id: str) -> TransactionReceipt | None:
        """As `Ledger.receipt`."""
        value = self.read(transaction_key(tx_id), prove=False).value
        return None if value is None else self._receipt(tx_id, TransactionRecord.parse(value))

    def head(self, height: int | None = None) -> str:
        """As `Ledger.head`."""
        return self._sealed(height).note

    def read(self, key: str, *, prove: bool, height: int | None = None) -> ProvenRecord:
        """As `Ledger.read`. The proof is checked here too, whether it is asked for or not."""
        sealed = self._sealed(height)
        with self._database.reading() as db:
            value, proof = proven_value(Rows(db, self._cache), key, sealed.head)
        return ProvenRecord(key=key, value=value, proof=proof if prove else None, head=sealed.note)

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """As `Ledger.entries`."""
        if start < 0 or not 1 <= count <= MAX_ENTRIES:
            raise Malformed(f"entries are asked for from 0 on, 1 to {MAX_ENTRIES} at once")
        count = min(count, self._published.head.tree_size - start)
        if count <= 0:
            return []
        with self._database.reading() as db:
            return checked_entries(Rows(db, self._cache), start, count)

    def inclusion(self, index: int, size: int) -> InclusionProof:
        """As `Ledger.inclusion`."""
        sealed = self._of_size(size)
        with self._database.reading() as db:
            leaf, path = proven_inclusion(Rows(db, self._cache), index, sealed.head)
        return InclusionProof(index=index, size=size, leaf=leaf, path=path, head=sealed.note)

    def consistency(self, first: int, second: int) -> ConsistencyProof:
        """As `Ledger.consistency`."""
        if first > second:
            raise NoSuchHead("the first size is greater than the second")
        older, newer = self._of_size(first), self._of_size(second)
        with self._database.reading() as db:
            path = proven_consistency(Rows(db, self._cache), older.head, newer.head)
        return ConsistencyProof(first=first, second=second, path=path)

    # --- reading heads

    def _sealed(self, height: int | None) -> SealedHead:
        newest = self._published
        if height is None or height == newest.head.height:
            return newest
        if not 0 <= height < newest.head.height:
            raise NoSuchHead(f"the ledger stands at height {newest.head.height}")
        with self._database.reading() as db:
            note = Rows(db, self._cache).head(height)
        where = f"the head of height {height}"
        if note is None:
            raise LedgerDamaged(f"{where} is missing")
        sealed = self._check_head(note, where=where)
        if sealed.head.height != height:
            raise LedgerDamaged(f"{where} is that of another height")
        return sealed

    def _of_size(self, size: int) -> SealedHead:
        newest = self._published
        if size == newest.head.tree_size:
            return newest
        if not 0 < size < newest.head.tree_size:
            raise NoSuchHead(f"the log has {newest.head.tree_size} entries")
        with self._database.reading() as db:
            height = Rows(db, self._cache).height_of_size(size)
        if height is None:
            raise self._no_head_of(size)
        sealed = self._sealed(height)
        if sealed.head.tree_size != size:
            raise LedgerDamaged(f"the head of height {height} is that of another size")
        return sealed

    def _no_head_of(self, size: int) -> Refusal:
        """What to raise when the index lacks a size: it may be damaged, and heads tell the truth.

        Every block adds entries, so two heads that follow each other prove what is not between.
        """
        low, high = 0, self._published.head.height
        while low < high:
            middle = (low + high) // 2
            if self._sealed(middle).head.tree_size < size:
                low = middle + 1
            else:
                high = middle
        if self._sealed(low).head.tree_size == size:
            return LedgerDamaged(f"the index of heads lacks the size {size}")
        return NoSuchHead(f"no block ended at {size} entries")

    def _receipt(self, tx_id: str, at: TransactionRecord) -> TransactionReceipt:
        note = self._sealed(at.height).note
        return TransactionReceipt(tx_id=tx_id, height=at.height, index=at.index, head=note)

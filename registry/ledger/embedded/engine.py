"""The embedded engine: one process orders, one SQLite file stores, one key signs the heads.

A block is one SQLite transaction, and it holds whatever had queued up while the block before was
being written. The order of its end is fixed: head prepared in the head store, ledger committed,
head published, and only then answered. Reads serve the newest *published* head.

After an error that leaves the disk's state in doubt the engine writes no more: a failed sync can
drop pages which the kernel then calls clean, so trying again would acknowledge what is lost.
"""

import errno
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apsw

from registry.core.checkpoint import HeadSigner
from registry.core.genesis import Genesis
from registry.core.records import Block, TransactionRecord
from registry.core.refusals import Refusal, Unavailable
from registry.core.signed_note import VerifierKey, verifier_key
from registry.core.transactions import SignedTransaction, parse_transaction
from registry.core.transitions import AlreadyApplied, apply
from registry.ledger.embedded.head_store import HeadNotSynced, HeadStore, HeadStoreChanged
from registry.ledger.embedded.opening import LAYOUT, recover, seal
from registry.ledger.entries import LogEntry
from registry.ledger.port import Health, LedgerDamaged, LedgerStopped, TransactionReceipt
from registry.ledger.store.answers import StoredLedger
from registry.ledger.store.database import Database, open_database
from registry.ledger.store.reading import CheckedState, SealedHead, check_head
from registry.ledger.store.rows import NodeCache, Rows
from registry.ledger.store.writing import OpenBlock, finish

MAX_BLOCK_TRANSACTIONS = 256  # more wait for the next block, so that none waits for long
WAIT_SECONDS = 0.1  # then a submitter looks for himself, should nobody have told him
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class LedgerFull(Unavailable):
    """No room on the disk. Nothing was written; reads go on, and so do writes once there is."""


@dataclass(slots=True)
class _Pending:
    """A submitted transaction and, once its block is decided, what became of it."""

    raw: bytes
    transaction: SignedTransaction
    done: bool = False
    at: TransactionRecord | None = None
    error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Answer with `error`, whatever had been found so far."""
        self.error, self.done = error, True


class EmbeddedLedger(StoredLedger):
    """The `Ledger` port on one SQLite file, for one process; any number of threads."""

    def __init__(
        self,
        *,
        database: Database,
        heads: HeadStore,
        newest: SealedHead,
        cache: NodeCache,
        signer: HeadSigner,
        keys: tuple[VerifierKey, ...],
        now: Callable[[], int],
    ) -> None:
        """Use `open`."""
        super().__init__(
            database=database,
            cache=cache,
            newest=newest,
            check_head=partial(check_head, network=newest.head.network, keys=keys),
        )
        self._heads = heads
        self._signer = signer
        self._now = now
        self._turn = threading.Lock()  # whoever holds it writes the next block for all who wait
        self._answered = threading.Condition()  # told after each block
        self._queue: deque[_Pending] = deque()
        self._stopped: str | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        genesis: Genesis,
        signer: HeadSigner,
        now: Callable[[], int],
        head_store: Path | None = None,
        former_keys: Sequence[VerifierKey] = (),
    ) -> "EmbeddedLedger":
        """Open the ledger at `path`; a new one begins with `genesis`.

        Args:
            path: the SQLite file; `.lock` and SQLite's own files stand beside it.
            genesis: must be the one the ledger began with.
            signer: signs the heads.
            now: Unix seconds; block times never go back, whatever it says.
            head_store: file of the newest head, by default beside the ledger. Keep it out of the
                ledger's backups: it is what tells a restored one.
            former_keys: head keys that `signer` has replaced.

        Raises:
            LedgerInUse: another process has it open.
            LedgerNotOpened: the file is not usable, of another genesis, or behind its head store.
            LedgerDamaged: what is stored does not fit the newest head.
        """
        keys = (verifier_key(signer.name, signer.key), *former_keys)
        heads = HeadStore(head_store or path.with_name(path.name + ".head"))
        cache = NodeCache()
        database = open_database(path, LAYOUT)
        try:
            newest = recover(database, heads, cache, genesis=genesis, signer=signer, keys=keys)
        except BaseException:
            database.close()
            raise
        return cls(
            database=database,
            heads=heads,
            newest=newest,
            cache=cache,
            signer=signer,
            keys=keys,
            now=now,
        )

    def close(self) -> None:
        """Finish the block that is being written, refuse further ones, and let the file go."""
        with self._turn:
            self._stopped = self._stopped or "the ledger is closed"
            self._fail_queued(LedgerStopped(self._stopped))
            self._database.close()

    def submit(self, raw: bytes) -> TransactionReceipt:
        """As `Ledger.submit`. Submitters who meet here share a block."""
        pending = _Pending(raw, parse_transaction(raw))
        self._queue.append(pending)
        while not pending.done:
            if self._turn.acquire(blocking=False):
                try:
                    if not pending.done:
                        self._write_block()
                finally:
                    self._turn.release()
                    with self._answered:
                        self._answered.notify_all()
            else:
                self._wait(pending)
        if pending.error is not None:
            raise pending.error
        assert pending.at is not None
        return self._receipt(pending.transaction.id, pending.at)

    def health(self) -> Health:
        """As `Ledger.health`."""
        head = self._published.head
        return Health(
            writable=self._stopped is None,
            reason=self._stopped,
            height=head.height,
            size=head.tree_size,
        )

    def _wait(self, pending: _Pending) -> None:
        """Wait while somebody else writes a block, which may be that of `pending`.

        Waiting for the turn itself would let each through one by one, only to see that he has been
        answered; meanwhile the last writer comes again, and writes a block for himself alone.
        """
        with self._answered:
            if not pending.done and self._turn.locked():
                self._answered.wait(WAIT_SECONDS)

    # --- writing; whoever is here holds `_turn`

    def _write_block(self) -> None:
        """Decide the next transactions of the queue: commit them together, answer each."""
        batch = [
            self._queue.popleft() for _ in range(min(len(self._queue), MAX_BLOCK_TRANSACTIONS))
        ]
        try:
            if self._stopped is not None:
                raise LedgerStopped(self._stopped)
            sealed = self._commit(batch)
            if sealed is not None:
                self._publish(sealed)
            for pending in batch:
                pending.done = True
        except BaseException as error:
            for pending in batch:
                pending.fail(error)
            if not isinstance(error, Refusal):
                raise

    def _commit(self, batch: Sequence[_Pending]) -> SealedHead | None:
        """Apply and store; the new head, or None when nothing was applied.

        Raises:
            LedgerFull: no room; rolled back.
            LedgerStopped: the state on disk is in doubt.
            Unavailable: the signer cannot reach its key; rolled back.
        """
        head = self._published.head
        try:
            with self._database.writing() as db:
                rows = Rows(db, self._cache)
                block = OpenBlock(
                    before=CheckedState(rows, head),
                    height=head.height + 1,
                    time=max(head.time, self._now()),
                    size_before=head.tree_size,
                )
                for pending in batch:
                    self._apply(pending, block)
                if not block.entries:
                    return None
                finished = finish(rows, block, network=head.network, newest=head)
                sealed = seal(rows, finished, self._signer)
                self._heads.prepare(expected=self._published.note, head=sealed.note)
            return sealed
        except apsw.FullError as error:
            raise LedgerFull("no room for the ledger on its disk") from error
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise LedgerFull("no room for the newest head on its disk") from error
            raise self._stop("writing the newest head failed") from error
        except (LedgerDamaged, HeadStoreChanged, HeadNotSynced) as error:
            raise self._stop(error.detail) from error
        except Refusal:
            raise  # the signer's; the transaction is rolled back
        except apsw.Error as error:
            raise self._stop(f"writing the ledger failed ({type(error).__name__})") from error
        except BaseException as error:
            self._stop(f"the writer was interrupted ({type(error).__name__})")
            raise

    def _apply(self, pending: _Pending, block: OpenBlock) -> None:
        """Let the rules decide one transaction; whatever they raise is its answer alone."""
        transaction = pending.transaction
        try:
            at = Block(height=block.height, time=block.time, index=block.next_index)
            changes = apply(transaction, state=block, block=at)
            entry = LogEntry.encode_applied(height=at.height, time=at.time, raw=pending.raw)
            block.add(entry, changes)
            pending.at = TransactionRecord(height=at.height, index=at.index)
        except AlreadyApplied as applied:
            pending.at = TransactionRecord(height=applied.height, index=applied.index)
        except LedgerDamaged:
            raise
        except Exception as error:  # noqa: BLE001 - a rule that breaks must not stop the others
            pending.error = error

    def _publish(self, sealed: SealedHead) -> None:
        """The block is on disk: put its head in place, and show it.

        Raises:
            LedgerStopped: the head may be in place or not.
        """
        try:
            self._heads.publish()
            self._newest = sealed
            self._database.move_pages()
        except (OSError, apsw.Error) as error:
            raise self._stop(f"syncing the ledger failed ({type(error).__name__})") from error
        except BaseException as error:
            self._stop(f"the writer was interrupted ({type(error).__name__})")
            raise

    def _stop(self, reason: str) -> LedgerStopped:
        """Write no more; the caller raises what this returns."""
        self._stopped = self._stopped or reason
        return LedgerStopped(self._stopped)

    def _fail_queued(self, error: Refusal) -> None:
        while self._queue:
            self._queue.popleft().fail(error)

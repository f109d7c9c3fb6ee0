"""The consortium engine for one member: submits through its own node, reads its own ledger.

`submit` returns when the transaction is in a block *and* the header of the next block, signed by
more than two thirds of the validators, carries the state that it led to. Until then nobody could
prove anything about it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from registry.core.checkpoint import Head
from registry.core.genesis import Genesis
from registry.core.keys import PublicKey
from registry.core.light_client.commit import settled
from registry.core.light_client.encodings import light_block_bytes
from registry.core.records import TransactionRecord
from registry.core.refusals import Malformed, NotFound, Refusal, Unavailable
from registry.core.transactions import parse_transaction
from registry.core.upgrade import UpgradeNeeded
from registry.core.validators import validator_keys
from registry.ledger.comet.application import ALREADY_APPLIED, OK, Application, Outcome, raw_digest
from registry.ledger.comet.dispatch import Dispatcher
from registry.ledger.comet.file import MemberFile, unsealed
from registry.ledger.comet.rpc import NodeAway, NodeRpc
from registry.ledger.comet.sealing import Sealer, check_sealed_head
from registry.ledger.comet.server import SocketServer
from registry.ledger.comet.snapshots import INTERVAL, SnapshotSource
from registry.ledger.port import Health, LedgerStopped, TransactionReceipt
from registry.ledger.store.answers import StoredLedger
from registry.ledger.store.reading import CheckedState, SealedHead

PATIENCE_SECONDS = 20.0  # with one transaction: longer than a dead proposer or two hold things up
LOOK_SECONDS = 0.25  # then a submitter looks for himself, should nobody have told him
LAG_SECONDS = 0.3  # how much later than others this node may see a block
MAX_LIGHT_BLOCKS = 512  # kept in memory; readers ask for the same ones
MAX_WAITING = 10_000  # transactions that are being submitted at a time


class NoSuchLightBlock(NotFound):
    """The engine has no block of this height."""


class TooManySubmissions(Unavailable):
    """More transactions are waiting for a block than this node keeps in mind."""


class _Waiting:
    """Somebody who submitted, and what he was told."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.checked: Outcome | None = None
        self.decided: Outcome | None = None
        self.followers = 0


class CometLedger(StoredLedger):
    """The `Ledger` port of one member of a consortium; any number of threads."""

    def __init__(
        self,
        *,
        file: MemberFile,
        genesis: Genesis,
        rpc: NodeRpc,
        version: str,
        newest: SealedHead | None,
        patience_seconds: float,
        on_stop: Callable[[str], None],
    ) -> None:
        """Use `open`."""
        super().__init__(
            database=file.database, cache=file.cache, newest=newest, check_head=check_sealed_head
        )
        self._file = file
        self._rpc = rpc
        self._patience = patience_seconds
        self._on_stop = on_stop
        self._stopped: str | None = None
        self._light_blocks: dict[int, bytes] = {}  # by engine height; anybody may ask for them
        self._waiting: dict[bytes, _Waiting] = {}
        self._lock = threading.Lock()
        self._progress = threading.Condition()  # told after each Commit and each seal
        self._application = Application(
            file,
            genesis=genesis,
            version=version,
            on_decided=self._decided,
            on_committed=self._committed,
        )
        self._sealer = Sealer(file, rpc, on_sealed=self._sealed_head, on_failure=self._fail)
        self._server: SocketServer | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        genesis: Genesis,
        socket: Path,
        rpc_url: str,
        version: str,
        patience_seconds: float = PATIENCE_SECONDS,
        snapshot_interval: int = INTERVAL,
        retain_blocks: int = 0,
        on_stop: Callable[[str], None] = lambda _: None,
    ) -> "CometLedger":
        """Open the member's ledger at `path` and wait for its node at `socket`.

        Args:
            path: the SQLite file; `.lock` and SQLite's own files stand beside it.
            genesis: that the members agreed to.
            socket: where the application listens for its node.
            rpc_url: where the node listens for us, on loopback.
            version: of this software, three numbers with dots.
            patience_seconds: how long `submit` waits for a block.
            snapshot_interval: heights between snapshots for those who join.
            retain_blocks: how many of its blocks the node keeps; 0 for all.
            on_stop: told in one sentence why the application stopped for good.

        Raises:
            LedgerInUse: another process has the file open.
            LedgerNotOpened: the file is not usable, or of another genesis.
            LedgerDamaged: what is stored does not fit the newest head.
        """
        file = MemberFile.open(path)
        rpc = NodeRpc(rpc_url)
        try:
            newest = _newest_sealed(file)
            ledger = cls(
                file=file,
                genesis=genesis,
                rpc=rpc,
                version=version,
                newest=newest,
                patience_seconds=patience_seconds,
                on_stop=on_stop,
            )
        except BaseException:
            rpc.close()
            file.close()
            raise
        dispatcher = Dispatcher(
            ledger._application,
            file=file,
            genesis=genesis,
            version=version,
            snapshots=SnapshotSource(file, snapshot_interval),
            on_checked=ledger._checked,
            on_restored=ledger._restored,
            retain_blocks=retain_blocks,
        )
        try:
            ledger._server = SocketServer(socket, dispatcher, on_failure=ledger._fail)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Refuse further transactions, let the node go, and close the file."""
        self._stop("the ledger is closed")
        if self._server is not None:
            self._server.close()
        self._sealer.close()
        self._rpc.close()
        self._file.close()

    def submit(self, raw: bytes) -> TransactionReceipt:
        """As `Ledger.submit`. A refusal that a node which lags behind could give is asked twice."""
        transaction = parse_transaction(raw)
        deadline = time.monotonic() + self._patience
        if (receipt := self.receipt(transaction.id)) is not None:
            return receipt
        outcome = self._ask(raw, transaction.id, deadline)
        if outcome.error is not None and not isinstance(outcome.error, Malformed):
            if not self._another_block_within(LAG_SECONDS):
                raise outcome.error
            outcome = self._ask(raw, transaction.id, deadline)
        if outcome.error is not None:
            raise outcome.error
        assert outcome.at is not None
        self._wait_sealed(outcome.at.height, deadline)
        return self._receipt(transaction.id, outcome.at)

    def health(self) -> Health:
        """As `Ledger.health`."""
        newest, reason = self._newest, self._stopped
        if reason is None and (self._server is None or not self._server.is_connected):
            reason = "the node is not connected"
        if reason is None and newest is None:
            reason = "the ledger has no signed head yet"
        return Health(
            writable=reason is None,
            reason=reason,
            height=newest.head.height if newest else 0,
            size=newest.head.tree_size if newest else 0,
        )

    def waiting_head(self) -> Head | None:
        """The oldest head that this member made and nobody has signed yet; None when all are."""
        with self._file.reading() as rows:
            waiting = unsealed(rows, most=1)
        return waiting[0].head if waiting else None

    def light_block(self, height: int | None) -> bytes:
        """The settled light block of an engine height, None for the newest that is committed.

        Raises:
            NoSuchLightBlock: that height is not reached, or no more kept.
            Unavailable: the node does not answer.
        """
        if height is not None and (known := self._light_blocks.get(height)) is not None:
            return known
        newest = self._rpc.height()
        wanted = newest if height is None else height
        if not 1 <= wanted <= newest:
            raise NoSuchLightBlock(f"the engine has not reached height {wanted}")
        block = light_block_bytes(settled(self._rpc.light_block(wanted)))
        if wanted < newest:  # the newest may still gain votes
            if len(self._light_blocks) >= MAX_LIGHT_BLOCKS:
                self._light_blocks.clear()
            self._light_blocks[wanted] = block
        return block

    def validator_keys(self) -> frozenset[PublicKey]:
        """The keys that vote on blocks, as the newest committed state has them; none at first."""
        committed = self._application.committed
        if committed is None:
            return frozenset()
        with self._file.reading() as rows:
            return validator_keys(CheckedState(rows, committed.head))

    @property
    def engine_height(self) -> int:
        """Of the newest block that is committed here; 0 before the first."""
        return self._application.info()[0]

    @property
    def rpc(self) -> NodeRpc:
        """The member's own node."""
        return self._rpc

    # --- submitting

    def _ask(self, raw: bytes, tx_id: str, deadline: float) -> Outcome:
        """Give the transaction to the node and wait until it is decided.

        Raises:
            Unavailable: patience ran out; it may still come into a block.
        """
        digest = raw_digest(raw)
        waiting = self._join(digest)
        try:
            while True:
                if self._stopped is not None:
                    raise LedgerStopped(self._stopped)
                with suppress(NodeAway):  # it may have it already: then it is decided in its turn
                    self._rpc.broadcast(raw)
                checked = waiting.checked
                if checked is not None and checked.code not in (OK, ALREADY_APPLIED):
                    return checked
                until = min(deadline, time.monotonic() + 8 * LOOK_SECONDS)
                found = self._decision(waiting, tx_id, until)
                if found is not None:
                    return found
                if time.monotonic() >= deadline:
                    raise Unavailable("no block took the transaction in time; submit it again")
        finally:
            self._leave(digest, waiting)

    def _decision(self, waiting: _Waiting, tx_id: str, until: float) -> Outcome | None:
        """What was decided, however we learn of it; None when time runs out."""
        while (left := until - time.monotonic()) > 0:
            waiting.told.wait(min(left, LOOK_SECONDS))
            if waiting.decided is not None:
                return waiting.decided
            # Another node's block, or other signature bytes: it stands in the ledger all the same.
            if (receipt := self.receipt(tx_id)) is not None:
                at = TransactionRecord(height=receipt.height, index=receipt.index)
                return Outcome(ALREADY_APPLIED, at=at)
            if self._stopped is not None:
                raise LedgerStopped(self._stopped)
        return None

    def _join(self, digest: bytes) -> _Waiting:
        with self._lock:
            if digest not in self._waiting and len(self._waiting) >= MAX_WAITING:
                raise TooManySubmissions("too many transactions are waiting; submit it again")
            waiting = self._waiting.setdefault(digest, _Waiting())
            waiting.followers += 1
            return waiting

    def _leave(self, digest: bytes, waiting: _Waiting) -> None:
        with self._lock:
            waiting.followers -= 1
            if not waiting.followers and self._waiting.get(digest) is waiting:
                del self._waiting[digest]

    def _wait_sealed(self, height: int, deadline: float) -> None:
        """Wait until more than two thirds have signed the head of this height.

        Raises:
            Unavailable: patience ran out.
        """
        with self._progress:
            while self._newest is None or self._newest.head.height < height:
                left = deadline - time.monotonic()
                if self._stopped is not None:
                    raise LedgerStopped(self._stopped)
                if left <= 0:
                    raise Unavailable("the transaction is in a block that is not signed yet")
                self._progress.wait(left)

    def _another_block_within(self, seconds: float) -> bool:
        """Whether this node commits another block soon: it may be behind the others."""
        before = self.engine_height
        deadline = time.monotonic() + seconds
        with self._progress:
            while self.engine_height == before:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._progress.wait(left)
        return True

    # --- told by the application and the sealer

    def _checked(self, digest: bytes, outcome: Outcome) -> None:
        with self._lock:
            waiting = self._waiting.get(digest)
        if waiting is not None:
            waiting.checked = outcome

    def _decided(self, engine_height: int) -> None:
        self._sealer.decided(engine_height)

    def _committed(self, outcomes: Mapping[bytes, Outcome]) -> None:
        with self._lock:
            told = [
                (waiting, outcome)
                for digest, outcome in outcomes.items()
                if (waiting := self._waiting.get(digest)) is not None
            ]
        for waiting, outcome in told:
            waiting.decided = outcome
            waiting.told.set()
        with self._progress:
            self._progress.notify_all()

    def _sealed_head(self, sealed: SealedHead) -> None:
        with self._progress:
            self._newest = sealed
            self._progress.notify_all()

    def _restored(self) -> None:
        newest = _newest_sealed(self._file)
        with self._progress:
            self._newest = newest
            self._progress.notify_all()

    def _fail(self, error: BaseException) -> None:
        """Something that must stop the node has happened; say it in one sentence."""
        if isinstance(error, UpgradeNeeded):
            self._stop(error.detail)
        elif isinstance(error, Refusal):
            self._stop(f"the application stopped: {error.detail}")
        else:
            self._stop(f"the application stopped ({type(error).__name__})")

    def _stop(self, reason: str) -> None:
        first = self._stopped is None
        self._stopped = self._stopped or reason
        with self._lock:
            waiting = list(self._waiting.values())
        for item in waiting:
            item.told.set()
        with self._progress:
            self._progress.notify_all()
        if first:
            self._on_stop(reason)


def _newest_sealed(file: MemberFile) -> SealedHead | None:
    with file.reading() as rows:
        height = rows.newest_height()
        note = None if height is None else rows.head(height)
    return None if note is None else check_sealed_head(note, where="the newest head")

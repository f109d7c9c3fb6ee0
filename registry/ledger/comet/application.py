"""The replicated application: CometBFT decides which transactions come when, the rules decide all
else.

Whatever happens here must happen alike on every node: no clock but the block's, no randomness, no
order but that of the block. The roots of a block are computed in FinalizeBlock and kept in memory;
Commit writes block, engine height and app hash in one transaction. So a crash between the two
leaves the state before the block, and the engine hands it in again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from registry.core.checkpoint import Head
from registry.core.consortium_head import app_hash
from registry.core.encoding import MAX_JSON_BYTES, parse_json_object
from registry.core.genesis import Genesis, parse_genesis
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.records import Block, TransactionRecord
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted, Refusal, Unavailable
from registry.core.transactions import (
    MAX_TRANSACTION_BYTES,
    SignedTransaction,
    parse_transaction,
)
from registry.core.transitions import AlreadyApplied, apply
from registry.core.upgrade import verify_version
from registry.core.validators import (
    POWER,
    ValidatorUpdate,
    concern_validators,
    validator_keys,
    validator_updates,
)
from registry.ledger.comet.file import (
    Committed,
    MemberFile,
    RestorationBroken,
    advance,
    begin,
    forget,
)
from registry.ledger.entries import LogEntry
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.reading import CheckedState
from registry.ledger.store.writing import FinishedBlock, OpenBlock, finish, genesis_block

MAX_BLOCK_TRANSACTIONS = 1_000  # half a second of signatures; the rest waits for the next block
MAX_PARSED_BYTES = 8 << 20  # of transactions whose parsed form is remembered

# Codes are hashed into the next header: each refusal has its number, and texts have no part in it.
OK, MALFORMED, NOT_PERMITTED, NOT_FOUND, CONFLICT, UNAVAILABLE, ALREADY_APPLIED, BROKEN_RULE = (
    range(8)
)
_CODES: Mapping[type[Refusal], int] = {
    Malformed: MALFORMED,
    NotPermitted: NOT_PERMITTED,
    NotFound: NOT_FOUND,
    Conflict: CONFLICT,
    Unavailable: UNAVAILABLE,
}


class WrongGenesis(NotPermitted):
    """The engine was started with another genesis, or with validators that it does not name."""


class OutOfOrder(Unavailable):
    """The engine asks for a step that does not follow the last one; the node stops."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction: where it stands in the log, or why it does not."""

    code: int
    at: TransactionRecord | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Finalized:
    """The answer to FinalizeBlock."""

    outcomes: tuple[Outcome, ...]
    updates: tuple[ValidatorUpdate, ...]
    app_hash: bytes


@dataclass(frozen=True, slots=True)
class _Working:
    engine_height: int
    app_hash: bytes
    head: Head
    finished: FinishedBlock | None
    outcomes: Mapping[bytes, Outcome]  # by the digest of the transaction's bytes


def raw_digest(raw: bytes) -> bytes:
    """What a submitted transaction is called until it is decided: SHA-256, as the engine does."""
    return sha256(raw).digest()


class Application:
    """One member's copy of the ledger, advanced by its engine."""

    def __init__(
        self,
        file: MemberFile,
        *,
        genesis: Genesis,
        version: str,
        on_decided: Callable[[int], None],
        on_committed: Callable[[Mapping[bytes, Outcome]], None],
    ) -> None:
        """
        Args:
            file: the member's ledger.
            genesis: must be the one the engine starts with.
            version: of this software, three numbers with dots.
            on_decided: told of the engine's height, once the members have decided it.
            on_committed: told what became of each transaction of a block that is on disk.
        """
        self._file = file
        self._genesis = genesis
        self._version = version
        self._on_decided = on_decided
        self._on_committed = on_committed
        self._committed = _recover(file, genesis)  # replaced as a whole, so readers need no lock
        self._working: _Working | None = None
        self._parsed = _ParsedTransactions()

    @property
    def committed(self) -> Committed | None:
        """Where the ledger stands; None before the genesis."""
        return self._committed

    def info(self) -> tuple[int, bytes]:
        """Engine height and app hash of the last Commit; the engine goes on from there."""
        committed = self._committed
        return (committed.engine_height, committed.app_hash) if committed else (0, b"")

    def init_chain(
        self, *, chain_id: str, app_state: bytes, validators: Mapping[bytes, int], height: int
    ) -> bytes:
        """Begin the ledger; the app hash of its genesis. May be asked again until block 1 is there.

        Args:
            chain_id: name of the network.
            app_state: canonical JSON of the genesis.
            validators: voting power by Ed25519 key, as the engine will count.
            height: of the engine's first block.

        Raises:
            WrongGenesis: something differs from the genesis that this member agreed to.
        """
        genesis = self._genesis
        state = parse_json_object(app_state, max_bytes=MAX_JSON_BYTES)
        if parse_genesis(state) != genesis or chain_id != genesis.network or height != 1:
            raise WrongGenesis("the engine was started with another genesis than the agreed one")
        expected = {
            member.validator_key.data: POWER
            for member in genesis.members
            if member.validator_key is not None
        }
        if not expected or validators != expected:
            raise WrongGenesis("the engine's validators are not the members of the genesis")
        if self._committed is None:
            with self._file.writing() as rows:
                block = finish(rows, genesis_block(genesis), network=chain_id, newest=None)
                begin(rows, block, app_hash(block.head))
            self._committed = Committed(0, app_hash(block.head), block.head)
        if self._committed.engine_height:
            raise OutOfOrder("the ledger has begun already")
        return self._committed.app_hash

    def check(self, raw: bytes) -> Outcome:
        """Whether a transaction may wait for a block: the rules, on the last committed state."""
        committed = self._committed
        if committed is None:
            return Outcome(UNAVAILABLE, error=Unavailable("the ledger has not begun"))
        with self._file.reading() as rows:
            block = _next_block(CheckedState(rows, committed.head), committed.head)
            return self._apply(raw, block)

    def prepare(self, transactions: Sequence[bytes], *, max_bytes: int) -> list[bytes]:
        """What goes into a block that this member proposes: what `accepts` takes, in order."""
        chosen: list[bytes] = []
        room = max_bytes
        for raw in transactions:
            # A transaction in a block has a tag and a length around it: at most 5 bytes.
            if len(chosen) == MAX_BLOCK_TRANSACTIONS or len(raw) + 5 > room:
                break
            if self._parsed.is_transaction(raw):
                chosen.append(raw)
                room -= len(raw) + 5
        return chosen

    def accepts(self, transactions: Sequence[bytes]) -> bool:
        """Whether a proposed block may be voted for; depends on its bytes and on nothing else."""
        return len(transactions) <= MAX_BLOCK_TRANSACTIONS and all(
            self._parsed.is_transaction(raw) for raw in transactions
        )

    def finalize(self, *, height: int, time: int, transactions: Sequence[bytes]) -> Finalized:
        """Apply a block that the members have decided; nothing is on disk before `commit`.

        Args:
            height: of the engine.
            time: of the block, in Unix seconds.
            transactions: in their order.

        Raises:
            OutOfOrder: another height comes next.
            UpgradeNeeded: a later version of this software was scheduled for this block.
            LedgerDamaged: what is stored is not what it was.
        """
        committed = self._committed
        if committed is None or height != committed.engine_height + 1:
            raise OutOfOrder(f"the engine hands in height {height}, which does not come next")
        self._on_decided(height)
        outcomes: list[Outcome] = []
        finished: FinishedBlock | None = None
        updates: tuple[ValidatorUpdate, ...] = ()
        if transactions:
            with self._file.reading() as rows:
                before = CheckedState(rows, committed.head)
                block = _next_block(before, committed.head, time=time)
                verify_version(before, height=block.height, version=self._version)
                outcomes = [self._apply(raw, block) for raw in transactions]
                if block.entries:
                    finished = finish(
                        rows, block, network=committed.head.network, newest=committed.head
                    )
                    if concern_validators(block.changes):
                        updates = validator_updates(validator_keys(before), validator_keys(block))
        head = finished.head if finished else committed.head
        self._working = _Working(
            engine_height=height,
            app_hash=app_hash(head),
            head=head,
            finished=finished,
            outcomes={
                raw_digest(raw): outcome
                for raw, outcome in zip(transactions, outcomes, strict=True)
            },
        )
        return Finalized(tuple(outcomes), updates, self._working.app_hash)

    def commit(self) -> None:
        """Put the finalized block on disk, with its height and app hash, in one transaction.

        Raises:
            OutOfOrder: no block is finalized.
        """
        working = self._working
        if working is None:
            raise OutOfOrder("the engine commits a block that was not finalized")
        with self._file.writing() as rows:
            advance(
                rows,
                working.finished,
                engine_height=working.engine_height,
                app_hash=working.app_hash,
            )
        self._working = None
        self._committed = Committed(working.engine_height, working.app_hash, working.head)
        self._on_committed(working.outcomes)

    def restored(self) -> None:
        """The file was filled from a snapshot: go on from what it holds."""
        self._committed = self._file.recover(self._genesis)

    def _apply(self, raw: bytes, block: OpenBlock) -> Outcome:
        """Let the rules decide one transaction, and take what it changes into the block.

        A rule that breaks does so on every node alike, and the app hash shows where it did not.
        So that is the answer to this transaction alone: one strange transaction must not halt
        the network.
        """
        try:
            transaction = self._parsed.parse(raw)
            at = Block(height=block.height, time=block.time, index=block.next_index)
            changes = apply(transaction, state=block, block=at)
            entry = LogEntry.encode_applied(height=at.height, time=at.time, raw=raw)
            block.add(entry, changes)
        except AlreadyApplied as applied:
            where = TransactionRecord(height=applied.height, index=applied.index)
            return Outcome(ALREADY_APPLIED, at=where)
        except (LedgerDamaged, MemoryError, OSError):
            raise  # of this machine, not of the transaction
        except Refusal as refusal:
            return Outcome(code_of(refusal), error=refusal)
        except Exception as error:  # noqa: BLE001
            return Outcome(BROKEN_RULE, error=error)
        return Outcome(OK, at=TransactionRecord(height=at.height, index=at.index))


def _recover(file: MemberFile, genesis: Genesis) -> Committed | None:
    """Where the file stands; a snapshot that was only half restored is let go of."""
    try:
        return file.recover(genesis)
    except RestorationBroken:
        with file.writing() as rows:
            forget(rows)
        return None


def code_of(refusal: Refusal) -> int:
    """The code of a refusal's kind."""
    return next(code for kind, code in _CODES.items() if isinstance(refusal, kind))


def validator_key(data: bytes) -> PublicKey:
    """A validator's key from its bytes.

    Raises:
        KeyNotAdmitted: no Ed25519 key that we let in.
    """
    return public_key(KeyType.ED25519, data)


def _next_block(before: CheckedState, head: Head, *, time: int | None = None) -> OpenBlock:
    return OpenBlock(
        before=before,
        height=head.height + 1,
        time=head.time if time is None else max(head.time, time),
        size_before=head.tree_size,
    )


class _ParsedTransactions:
    """Parsed transactions by their digest: a node meets each one four times within a second."""

    def __init__(self) -> None:
        self._known: dict[bytes, SignedTransaction] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def parse(self, raw: bytes) -> SignedTransaction:
        """As `parse_transaction`.

        Raises:
            Malformed: no transaction.
        """
        if len(raw) > MAX_TRANSACTION_BYTES:
            raise Malformed("transaction is too long")
        digest = raw_digest(raw)
        with self._lock:
            found = self._known.get(digest)
        if found is None:
            found = parse_transaction(raw)
            with self._lock:
                if self._bytes + len(raw) > MAX_PARSED_BYTES:
                    self._known.clear()
                    self._bytes = 0
                self._known[digest] = found
                self._bytes += len(raw)
        return found

    def is_transaction(self, raw: bytes) -> bool:
        """Whether these bytes have the form of one."""
        try:
            self.parse(raw)
        except Malformed:
            return False
        return True

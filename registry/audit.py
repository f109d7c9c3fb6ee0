"""Replays a ledger from its genesis and recomputes every root, trusting nothing but the anchor.

The same rules that wrote the ledger read it again: `registry.core.transitions`. The first thing
that does not fit is named, and the audit ends there, since everything after it stands on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from registry.audit_source import AuditSource, FileSource, PortSource
from registry.core.checkpoint import Head, verify_head_follows, verify_unwitnessed_head
from registry.core.encoding import canonical_json
from registry.core.genesis import genesis_changes, parse_genesis
from registry.core.log_tree import NodeId
from registry.core.merkle_log import EMPTY_ROOT, leaf_hash, node_hash
from registry.core.records import Block, Changes
from registry.core.refusals import Malformed, Refusal
from registry.core.sparse_map import EMPTY, map_changes, update
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.core.trust_anchor import TrustAnchor
from registry.ledger.entries import LogEntry
from registry.ledger.port import Ledger


class _Fault(Exception):
    """Something in the ledger is not what it must be; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit saw. `fault` names the first wrong record; None means that all of it fits."""

    fault: str | None
    entries: int  # replayed without fault
    height: int | None  # of the last block without fault
    records: int  # in the state, each compared with what is stored; 0 when there is a fault
    head: Head | None  # the newest, when there is no fault

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.fault is None


def audit(ledger: Path | Ledger | AuditSource, *, trust: TrustAnchor) -> AuditReport:
    """Replay a ledger and compare all of it.

    Steps, for each block in order:

    1. Its entries are canonical; they name its height and its time.
    2. Entry 0 is a genesis, whose members are the anchor's roots. Every other entry is a
       transaction that the rules accept in the state before it.
    3. Log root and state root are those of its head, which the anchor's keys signed, and which
       follows the head before.
    4. What it changed is stored, also where a later block changed it again: history is proven too.

    And at the end:

    5. The newest head ends the log.
    6. Every record of the state is stored as the replay made it, and nothing damaged its proof.

    Args:
        ledger: a ledger file, also one that is in use; an engine; or another source.
        trust: whose heads are believed.
    """
    if isinstance(ledger, Path):
        try:
            with FileSource.open(ledger) as file:
                return audit(file, trust=trust)
        except Refusal as refusal:
            return AuditReport(fault=refusal.detail, entries=0, height=None, records=0, head=None)
    source = ledger if isinstance(ledger, AuditSource) else PortSource(ledger)
    replay = _Replay(source=source, trust=trust)
    try:
        head = replay.run()
    except _Fault as fault:
        return replay.report(str(fault))
    except Refusal as refusal:
        return replay.report(refusal.detail)
    return AuditReport(
        fault=None,
        entries=replay.log.size,
        height=head.height,
        records=len(replay.state),
        head=head,
    )


@dataclass(slots=True)
class _LogHashes:
    """Roots of a growing log from the perfect subtrees on its right edge."""

    size: int = 0
    edge: list[tuple[int, bytes]] = field(default_factory=list)  # (level, hash), larger first

    def append(self, leaf: bytes) -> Iterator[tuple[NodeId, bytes]]:
        """Add a leaf; every perfect subtree that it completes, itself included."""
        level, index, here = 0, self.size, leaf
        self.size += 1
        yield (level, index), here
        while self.edge and self.edge[-1][0] == level:
            _, left = self.edge.pop()
            level, index, here = level + 1, index >> 1, node_hash(left, here)
            yield (level, index), here
        self.edge.append((level, here))

    @property
    def root(self) -> bytes:
        """RFC 9162 §2.1.1 over all leaves so far."""
        if not self.edge:
            return EMPTY_ROOT
        hashes = [item for _, item in reversed(self.edge)]
        root = hashes[0]
        for left in hashes[1:]:
            root = node_hash(left, root)
        return root


@dataclass(slots=True)
class _Replay:
    source: AuditSource
    trust: TrustAnchor
    log: _LogHashes = field(default_factory=_LogHashes)
    state: dict[str, bytes] = field(default_factory=dict)
    nodes: dict[bytes, bytes] = field(default_factory=dict)
    state_root: bytes = EMPTY
    changes: dict[str, bytes] = field(default_factory=dict)  # of the block that is open
    block: tuple[int, int] | None = None  # height and time of the block that is open
    last: Head | None = None

    def get(self, key: str) -> bytes | None:
        """As `registry.core.records.StateReader.get`."""
        return self.state.get(key)

    def report(self, fault: str) -> AuditReport:
        """The report of a replay that ended early."""
        return AuditReport(
            fault=fault,
            entries=self.last.tree_size if self.last else 0,
            height=self.last.height if self.last else None,
            records=0,
            head=None,
        )

    def run(self) -> Head:
        newest = verify_unwitnessed_head(self.source.head(None), self.trust)
        while self.log.size < newest.tree_size:
            batch = self.source.entries(self.log.size, newest.tree_size - self.log.size)
            if not batch:
                raise _Fault(f"log entry {self.log.size} is missing")
            for data in batch:
                self._entry(data)
        self._close_block()
        if self.last != newest:  # 5
            raise _Fault(f"the newest head, of height {newest.height}, is not the end of the log")
        for key, value in self.state.items():  # 6
            if self.source.value(key, newest) != value:
                raise _Fault(f"record {key} is not stored as the replay made it")
        return newest

    def _entry(self, data: bytes) -> None:
        index = self.log.size
        try:
            entry = LogEntry.parse(data)  # 1
        except Malformed as error:
            raise _Fault(f"log entry {index}: {error.detail}") from error
        at = (entry.height, entry.time)
        if at != self.block:
            self._close_block()
            expected = 0 if self.last is None else self.last.height + 1
            if entry.height != expected:
                raise _Fault(f"log entry {index} is of height {entry.height}, not {expected}")
            self.block = at
        try:
            changes = self._changes(entry, index)
        except Refusal as refusal:
            raise _Fault(
                f"log entry {index} is refused by the rules: {refusal.detail}"
            ) from refusal
        self.state.update(changes)
        self.changes.update(changes)
        for (level, number), node in self.log.append(leaf_hash(data)):
            if not self.source.has_log_node(level, number, node):
                raise _Fault(f"log node {number} of level {level} is missing or damaged")

    def _changes(self, entry: LogEntry, index: int) -> Changes:
        """Step 2."""
        if (entry.genesis is None) == (index == 0):
            raise _Fault(f"log entry {index}: entry 0 is the genesis, and no other one is")
        if entry.genesis is not None:
            genesis = parse_genesis(entry.genesis)
            if genesis.network != self.trust.network or genesis.created != entry.time:
                raise _Fault("log entry 0 is the genesis of another network or time")
            if {member.did for member in genesis.members} != set(self.trust.roots):
                raise _Fault("log entry 0: members are not the roots of the trust anchor")
            return genesis_changes(genesis)
        transaction = parse_transaction(canonical_json(entry.transaction))
        return apply(
            transaction,
            state=self,
            block=Block(height=entry.height, time=entry.time, index=index),
        )

    def _close_block(self) -> None:
        """Steps 3 and 4."""
        if self.block is None:
            return
        height, time = self.block
        self.state_root, fresh = update(self.state_root, map_changes(self.changes), self.nodes)
        self.nodes.update(fresh)
        written, self.changes = self.changes, {}
        head = verify_unwitnessed_head(self.source.head(height), self.trust)
        if (head.height, head.time, head.tree_size) != (height, time, self.log.size):
            raise _Fault(f"the head of height {height} is not that of its block")
        if head.log_root != self.log.root:
            raise _Fault(f"the head of height {height} has another log root than the entries give")
        if head.state_root != self.state_root:
            raise _Fault(f"the head of height {height} has another state root than the rules give")
        if self.last is not None:
            verify_head_follows(self.last, head)
        for key, value in written.items():  # 4
            if not self.source.has_value(key, height, value):
                raise _Fault(f"record {key} of height {height} is not stored as the replay made it")
        for key_hash, node in fresh.items():
            if not self.source.has_map_node(key_hash, node):
                raise _Fault(f"a node of the state of height {height} is missing or damaged")
        self.last = head
        self.block = None

"""Replays a history from its genesis by the pure rules and recomputes every root.

Where the entries and heads come from is not known here: a ledger file, an export, or a node that
may lie. The first thing that does not fit is named, and the replay ends there, since everything
after it stands on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, verify_head_follows, verify_past_head
from registry.core.encoding import canonical_json
from registry.core.genesis import genesis_changes, parse_genesis
from registry.core.log_tree import NodeId
from registry.core.merkle_log import EMPTY_ROOT, leaf_hash, node_hash
from registry.core.proofs import are_hashes
from registry.core.records import Block, Changes
from registry.core.refusals import Malformed, NotPermitted, Refusal
from registry.core.sparse_map import EMPTY, map_changes, update
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.ledger.entries import LogEntry


class HistoryFault(NotPermitted):
    """Something in the history is not what it must be; the detail names it."""


class WrongLogRoot(HistoryFault):
    """A signed head has another log root than the entries under it give."""


class WrongStateRoot(HistoryFault):
    """A signed head has another state root than the rules give."""


@dataclass(slots=True)
class LogEdge:
    """Roots of a growing log from the perfect subtrees on its right edge."""

    size: int = 0
    edge: list[tuple[int, bytes]] = field(default_factory=list)  # (level, hash), larger first

    @classmethod
    def of(cls, size: int, hashes: Sequence[bytes]) -> "LogEdge":
        """The edge of a log of `size` entries, from its hashes alone: one for each bit of `size`.

        Raises:
            Malformed: another number of hashes, or one that is none.
        """
        levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
        if len(levels) != len(hashes) or not are_hashes(*hashes):
            raise Malformed("the edge of the log has another form than its size gives")
        return cls(size, list(zip(levels, hashes, strict=True)))

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


class LiveNodes:
    """Nodes of one state map, without those that a later block has replaced.

    An update in which every value is new reads exactly the nodes on its way down and writes their
    successors. No node stands in two places, because every leaf holds its own key; so what was
    read is dead, unless the update wrote it again.
    """

    def __init__(self) -> None:
        self._nodes: dict[bytes, bytes] = {}
        self._read: set[bytes] = set()

    def get(self, node: bytes) -> bytes | None:
        """As `NodeStore.get`."""
        self._read.add(node)
        return self._nodes.get(node)

    def replace(self, fresh: dict[bytes, bytes]) -> None:
        """Take in what an update wrote, and let go of what it read."""
        for node in self._read:
            self._nodes.pop(node, None)
        self._read.clear()
        self._nodes.update(fresh)


@dataclass(slots=True)
class Replay:
    """A history under replay. `trust` says whose heads are believed; witnesses do not matter here.

    What is replayed stands when a head that is trusted *now* ends it: see `verify_past_head`. The
    caller verifies the newest one.

    Call `opens_block` before each `add_entry`; when it says so, `close_block` with the head of the
    block that is open.
    """

    trust: AnyTrustAnchor
    log: LogEdge = field(default_factory=LogEdge)
    state: dict[str, bytes] = field(default_factory=dict)
    nodes: LiveNodes = field(default_factory=LiveNodes)
    state_root: bytes = EMPTY
    block: tuple[int, int] | None = None  # height and time of the block that is open
    before: dict[str, bytes | None] = field(default_factory=dict)  # what it changes, as it was
    fresh: dict[bytes, bytes] = field(default_factory=dict)  # map nodes of the last closed block
    last: Head | None = None  # of the last block without fault

    @classmethod
    def resume(
        cls, trust: AnyTrustAnchor, *, note: str, edge: Sequence[bytes], state: Mapping[str, bytes]
    ) -> "Replay":
        """Go on behind the head `note`, from what a replay knew there. All of it is checked.

        Args:
            trust: whose heads are believed.
            note: the head as checkpoint text.
            edge: hashes of the log's right edge, larger subtrees first.
            state: every record by its key.

        Raises:
            Malformed, NotProven: `note` is no signed head of this network.
            HistoryFault: the edge or the state is not that of the head.
        """
        head = verify_past_head(note, trust)
        log = LogEdge.of(head.tree_size, edge)
        nodes = LiveNodes()
        state_root, fresh = update(EMPTY, map_changes(state), nodes)
        nodes.replace(fresh)
        if log.root != head.log_root:
            raise WrongLogRoot("the remembered log is not that of its head")
        if state_root != head.state_root:
            raise WrongStateRoot("the remembered state is not that of its head")
        return cls(trust, log=log, state=dict(state), nodes=nodes, state_root=state_root, last=head)

    def get(self, key: str) -> bytes | None:
        """As `registry.core.records.StateReader.get`."""
        return self.state.get(key)

    def opens_block(self, entry: LogEntry) -> bool:
        """Whether `entry` begins a block while another is open, which must be closed first."""
        return self.block is not None and self.block != (entry.height, entry.time)

    def parse(self, data: bytes) -> LogEntry:
        """Read the next entry.

        Raises:
            HistoryFault: it is not canonical, or of another form.
        """
        try:
            return LogEntry.parse(data)
        except Malformed as error:
            raise HistoryFault(f"log entry {self.log.size}: {error.detail}") from error

    def add_entry(self, entry: LogEntry, data: bytes) -> Sequence[tuple[NodeId, bytes]]:
        """Apply the next entry.

        Args:
            entry: what `parse` made of `data`; of the open block, or the first of the next one.

        Returns:
            The nodes of the log that it completes.

        Raises:
            HistoryFault: it is of another height than comes next; it is a genesis and not entry 0,
                or the other way round; or the rules refuse it.
        """
        index = self.log.size
        if self.block is None:
            expected = 0 if self.last is None else self.last.height + 1
            if entry.height != expected:
                raise HistoryFault(f"log entry {index} is of height {entry.height}, not {expected}")
            self.block = (entry.height, entry.time)
        try:
            changes = self._changes(entry, index)
        except HistoryFault:
            raise
        except Refusal as refusal:
            raise HistoryFault(
                f"log entry {index} is refused by the rules: {refusal.detail}"
            ) from refusal
        for key in changes:
            self.before.setdefault(key, self.state.get(key))
        self.state.update(changes)
        return list(self.log.append(leaf_hash(data)))

    def close_block(self, note: str) -> Head:
        """Compare the open block with its head.

        Raises:
            Malformed, NotProven: `note` is no signed head of this network.
            HistoryFault: it is that of another block, or has another root than the replay.
            Conflict: it does not follow the head before.
        """
        assert self.block is not None
        height, time = self.block
        self.state_root, self.fresh = update(
            self.state_root, map_changes(self.block_changes()), self.nodes
        )
        self.nodes.replace(self.fresh)
        self.before = {}
        head = verify_past_head(note, self.trust)
        if (head.height, head.time, head.tree_size) != (height, time, self.log.size):
            raise HistoryFault(f"the head of height {height} is not that of its block")
        if head.log_root != self.log.root:
            raise WrongLogRoot(
                f"the head of height {height} has another log root than the entries give"
            )
        if head.state_root != self.state_root:
            raise WrongStateRoot(
                f"the head of height {height} has another state root than the rules give"
            )
        if self.last is not None:
            verify_head_follows(self.last, head)
        self.last = head
        self.block = None
        return head

    def block_writes(self) -> dict[str, bytes]:
        """What the open block has written so far, also where it was so before."""
        return {key: self.state[key] for key in self.before}

    def block_changes(self) -> dict[str, bytes]:
        """What the open block has changed so far. A value written again as it was is no change."""
        return {key: self.state[key] for key, was in self.before.items() if self.state[key] != was}

    def _changes(self, entry: LogEntry, index: int) -> Changes:
        if (entry.genesis is None) == (index == 0):
            raise HistoryFault(f"log entry {index}: entry 0 is the genesis, and no other one is")
        if entry.genesis is not None:
            genesis = parse_genesis(entry.genesis)
            if genesis.network != self.trust.network or genesis.created != entry.time:
                raise HistoryFault("log entry 0 is the genesis of another network or time")
            if {member.did for member in genesis.members} != set(self.trust.roots):
                raise HistoryFault("log entry 0: members are not the roots of the trust anchor")
            return genesis_changes(genesis)
        return apply(
            parse_transaction(canonical_json(entry.transaction)),
            state=self,
            block=Block(height=entry.height, time=entry.time, index=index),
        )

"""How a block is made: the rules say what changes, and all of it goes into one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from registry.core.checkpoint import Head
from registry.core.genesis import Genesis, genesis_changes
from registry.core.log_tree import LogTree, NodeId, appended_nodes
from registry.core.merkle_log import leaf_hash
from registry.core.records import StateReader
from registry.core.sparse_map import EMPTY, map_changes, update
from registry.ledger.entries import LogEntry
from registry.ledger.store.reading import check_log_root
from registry.ledger.store.rows import Rows


@dataclass(slots=True)
class OpenBlock:
    """A block under construction: the state before it, and what its transactions put on top."""

    before: StateReader
    height: int
    time: int
    size_before: int
    changes: dict[str, bytes] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    @property
    def next_index(self) -> int:
        """The index that the next entry gets."""
        return self.size_before + len(self.entries)

    def get(self, key: str) -> bytes | None:
        """As `StateReader.get`, with what earlier transactions of this block did."""
        found = self.changes.get(key)
        return self.before.get(key) if found is None else found

    def add(self, entry: bytes, changes: Mapping[str, bytes]) -> None:
        """Take in one applied transaction, or the genesis."""
        self.entries.append(entry)
        self.changes.update(changes)


class _Nothing:
    """The state before the genesis."""

    def get(self, _key: str) -> None:
        return None


def genesis_entry(genesis: Genesis) -> LogEntry:
    """Entry 0 of the log."""
    return LogEntry(height=0, time=genesis.created, transaction=None, genesis=genesis.to_object())


def genesis_block(genesis: Genesis) -> OpenBlock:
    """Block 0."""
    block = OpenBlock(before=_Nothing(), height=0, time=genesis.created, size_before=0)
    block.add(genesis_entry(genesis).encode(), genesis_changes(genesis))
    return block


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedBlock:
    """What a block adds to the ledger, and the head that it leads to; nothing is written yet."""

    head: Head
    first_index: int  # of its entries
    entries: Sequence[bytes]
    log_nodes: Mapping[NodeId, bytes]
    map_nodes: Mapping[bytes, bytes]
    values: Mapping[str, bytes]


def finish(rows: Rows, block: OpenBlock, *, network: str, newest: Head | None) -> FinishedBlock:
    """Compute the roots of a block and every row that they need.

    Raises:
        LedgerDamaged: the stored nodes do not fit the newest head; nothing is built on them.
    """
    if newest is not None:
        check_log_root(rows, newest)
    leaves = [leaf_hash(entry) for entry in block.entries]
    log_nodes = appended_nodes(size=block.size_before, leaves=leaves, nodes=rows)
    state_root, map_nodes = update(
        EMPTY if newest is None else newest.state_root, map_changes(block.changes), rows
    )
    size = block.next_index
    head = Head(
        network=network,
        tree_size=size,
        log_root=LogTree(_WithFresh(rows, log_nodes), size).root(),
        height=block.height,
        time=block.time,
        state_root=state_root,
    )
    return FinishedBlock(
        head=head,
        first_index=block.size_before,
        entries=tuple(block.entries),
        log_nodes=log_nodes,
        map_nodes=map_nodes,
        values=dict(block.changes),
    )


def write(rows: Rows, block: FinishedBlock) -> None:
    """Write all of a block but its head; the caller adds that, and commits."""
    rows.add_log_nodes(block.log_nodes)
    rows.add_entries(block.first_index, block.entries)
    rows.add_map_nodes(block.map_nodes)
    rows.add_values(block.head.height, block.values)
    rows.cache.put(block.map_nodes)


@dataclass(frozen=True, slots=True)
class _WithFresh:
    """Stored nodes of the log and, before them, those that are about to be."""

    rows: Rows
    fresh: Mapping[NodeId, bytes]

    def node(self, level: int, index: int) -> bytes | None:
        found = self.fresh.get((level, index))
        return self.rows.node(level, index) if found is None else found

"""How a block is made: the rules say what changes, and all of it goes into one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from registry.core.checkpoint import Head, HeadSigner, sign_head
from registry.core.log_tree import LogTree, appended_nodes
from registry.core.merkle_log import leaf_hash
from registry.core.records import StateReader
from registry.core.sparse_map import EMPTY, map_changes, update
from registry.ledger.embedded.reading import SealedHead, check_log_root
from registry.ledger.embedded.rows import Rows


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


def seal(
    rows: Rows,
    block: OpenBlock,
    *,
    network: str,
    newest: Head | None,
    signers: Sequence[HeadSigner],
) -> SealedHead:
    """Write entries, nodes, values and the signed head of a block; the caller commits.

    Raises:
        LedgerDamaged: the stored nodes do not fit the newest head; nothing is built on them.
        Unavailable: the signer cannot reach its key.
    """
    if newest is not None:
        check_log_root(rows, newest)
    leaves = [leaf_hash(entry) for entry in block.entries]
    rows.add_log_nodes(appended_nodes(size=block.size_before, leaves=leaves, nodes=rows))
    rows.add_entries(block.size_before, block.entries)
    state_root, nodes = update(
        EMPTY if newest is None else newest.state_root, map_changes(block.changes), rows
    )
    rows.add_map_nodes(nodes)
    rows.add_values(block.height, block.changes)
    rows.cache.put(nodes)
    size = block.next_index
    head = Head(
        network=network,
        tree_size=size,
        log_root=LogTree(rows, size).root(),
        height=block.height,
        time=block.time,
        state_root=state_root,
    )
    note = sign_head(head, signers)
    rows.add_head(height=block.height, size=size, note=note)
    return SealedHead(head, note)

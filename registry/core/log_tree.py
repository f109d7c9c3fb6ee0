"""Roots and proofs of a large log from its stored nodes, with O(log n) reads each.

An engine stores the hash of every *perfect* subtree under `(level, index)`: level 0 holds the leaf
hashes, and node `(level, index)` covers leaves `index * 2^level` up to `(index + 1) * 2^level`.
Such a node never changes once its last leaf is there, so the store only ever gains rows, and roots
and proofs of all earlier sizes stay available. At most 2n rows for n leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.core.merkle_log import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
)
from registry.core.proofs import are_hashes
from registry.core.refusals import NotFound, Unavailable

NodeId = tuple[int, int]  # (level, index)


class NotInLog(NotFound):
    """The log has no such entry, or was never of that size."""


class LogNodeMissing(Unavailable):
    """The store lacks a node it must have: it is damaged, and nothing can be proved from it."""


class NodeReader(Protocol):
    """Where stored nodes come from. `DictNodes` is one; an engine reads its table."""

    def node(self, level: int, index: int) -> bytes | None:
        """Hash of the perfect subtree `(level, index)`, 32 bytes; None when it is not stored."""
        ...


@dataclass(frozen=True, slots=True)
class DictNodes:
    """Nodes of a tree that fits in memory."""

    nodes: Mapping[NodeId, bytes]

    def node(self, level: int, index: int) -> bytes | None:
        """As `NodeReader.node`."""
        return self.nodes.get((level, index))


class WholeTree:
    """Nodes of a tree that is made at once and kept in memory, level by level."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Hash all nodes over `leaves`, leaf hashes of 32 bytes each."""
        self._levels = [list(leaves)]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def node(self, level: int, index: int) -> bytes | None:
        """As `NodeReader.node`."""
        if level < len(self._levels) and index < len(self._levels[level]):
            return self._levels[level][index]
        return None


def appended_nodes(*, size: int, leaves: Sequence[bytes], nodes: NodeReader) -> dict[NodeId, bytes]:
    """All nodes that appending `leaves` to a tree of `size` leaves makes, the leaves included.

    Reads at most one stored node per level.

    Args:
        size: number of leaves already stored.
        leaves: leaf hashes to append, 32 bytes each.
        nodes: the store as it is before.

    Raises:
        LogNodeMissing: the store lacks a node it must have.
    """
    fresh: dict[NodeId, bytes] = {(0, size + i): leaf for i, leaf in enumerate(leaves)}
    level, old, new = 0, size, size + len(leaves)
    while new > old:
        # Parents that become complete now; only the first can have an older left child.
        for index in range(old >> 1, new >> 1):
            left = fresh.get((level, 2 * index)) or _stored(nodes, level, 2 * index)
            fresh[level + 1, index] = node_hash(left, fresh[level, 2 * index + 1])
        level, old, new = level + 1, old >> 1, new >> 1
    return fresh


@dataclass(frozen=True, slots=True)
class LogTree:
    """A tree of `size` leaves in a store, and every earlier tree inside it."""

    nodes: NodeReader
    size: int

    def leaf(self, index: int) -> bytes:
        """Leaf hash number `index`.

        Raises:
            NotInLog: the log is not that long.
            LogNodeMissing: the store is damaged.
        """
        if not 0 <= index < self.size:
            raise NotInLog(f"the log has {self.size} entries; there is no number {index}")
        return _stored(self.nodes, 0, index)

    def root(self, tree_size: int | None = None) -> bytes:
        """Root over the first `tree_size` leaves, by default over all (RFC 9162 §2.1.1).

        Raises:
            NotInLog: the log is not that long.
            LogNodeMissing: the store is damaged.
        """
        size = self.size if tree_size is None else tree_size
        if not 0 <= size <= self.size:
            raise NotInLog(f"the log has {self.size} entries, not {size}")
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_path(self, index: int, tree_size: int | None = None) -> list[bytes]:
        """Path for `verify_inclusion` of leaf `index` in the tree of `tree_size` (default: all).

        Raises:
            NotInLog: the log is not that long, or the tree of that size lacks the leaf.
            LogNodeMissing: the store is damaged.
        """
        size = self.size if tree_size is None else tree_size
        if not 0 <= index < size <= self.size:
            raise NotInLog(f"no entry {index} in a tree of {size}; the log has {self.size} entries")
        return [self._subtree(low, high) for low, high in inclusion_ranges(index, size)]

    def consistency_path(self, first: int, second: int | None = None) -> list[bytes]:
        """Path for `verify_consistency` from size `first` to size `second` (default: all).

        Raises:
            NotInLog: `first` is 0, greater than `second`, or the log is not that long.
            LogNodeMissing: the store is damaged.
        """
        size = self.size if second is None else second
        if not 0 < first <= size <= self.size:
            raise NotInLog(f"no proof from size {first} to {size}; the log has {self.size} entries")
        return [self._subtree(low, high) for low, high in consistency_ranges(first, size)]

    def _subtree(self, low: int, high: int) -> bytes:
        """Root over leaves `low` to `high`, of which RFC 9162 asks only at aligned places.

        The range falls into perfect subtrees, larger ones first; they are joined from the right.
        """
        parts: list[bytes] = []
        while low < high:
            level = (high - low).bit_length() - 1
            parts.append(_stored(self.nodes, level, low >> level))
            low += 1 << level
        result = parts.pop()
        while parts:
            result = node_hash(parts.pop(), result)
        return result


def _stored(nodes: NodeReader, level: int, index: int) -> bytes:
    found = nodes.node(level, index)
    if found is None or not are_hashes(found):
        raise LogNodeMissing(f"the log store lacks node {index} of level {level}")
    return found

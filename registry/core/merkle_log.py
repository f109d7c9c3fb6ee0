"""The append-only Merkle tree of RFC 9162 §2.1: hashes, proofs and their verification.

Everything here works on *leaf hashes*; `leaf_hash` makes one from an entry. The functions that make
proofs hold the whole tree in memory; `registry.core.log_tree` makes the same proofs from stored
nodes. Nodes are named `(level, index)`: the root of the perfect subtree over leaves
`index * 2^level` up to `(index + 1) * 2^level`.
"""

from collections.abc import Sequence

from registry.core.fields import MAX_INTEGER
from registry.core.hashing import sha256
from registry.core.proofs import NotProven, are_hashes

# Distinct prefixes keep a leaf from being passed off as an inner node (RFC 9162 §2.1.1).
_LEAF = b"\x00"
_NODE = b"\x01"

EMPTY_ROOT = sha256(b"")

MAX_PATH = 64  # hashes; one per level of a tree of MAX_INTEGER leaves is 53, and some to spare


class InclusionNotProven(NotProven):
    """The path does not lead from this leaf, at this index, to this root."""


class ConsistencyNotProven(NotProven):
    """The path does not show that the second tree continues the first."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry as a leaf, 32 bytes (RFC 9162 §2.1.1)."""
    return sha256(_LEAF + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node over two hashes of 32 bytes each (RFC 9162 §2.1.1)."""
    return sha256(_NODE + left + right)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes (RFC 9162 §2.1.1); `EMPTY_ROOT` when there are none.

    Works level by level: pairs are joined, and a last one without partner moves up unchanged, which
    gives the RFC's split at the largest power of two.
    """
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        above = [
            node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Path that proves leaf number `index` among `leaves`, lowest level first.

    Reads every leaf; use `LogTree` for a large tree or for many proofs from one tree.

    Raises:
        InclusionNotProven: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise InclusionNotProven(f"entry {index} is not in a tree of {len(leaves)}")
    return [root_of(leaves[low:high]) for low, high in inclusion_ranges(index, len(leaves))]


def consistency_path(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Path that proves that the tree over `leaves` continues the one over its first `first`.

    Reads every leaf; use `LogTree` for a large tree.

    Raises:
        ConsistencyNotProven: `first` is 0 or beyond the tree.
    """
    if not 0 < first <= len(leaves):
        raise ConsistencyNotProven(f"no proof from size {first} to size {len(leaves)}")
    return [root_of(leaves[low:high]) for low, high in consistency_ranges(first, len(leaves))]


def inclusion_ranges(index: int, tree_size: int) -> list[tuple[int, int]]:
    """The subtrees whose roots make an inclusion path (RFC 9162 §2.1.3.1), as leaf ranges.

    Args:
        index: position of the leaf, less than `tree_size`.
        tree_size: number of leaves.
    """
    ranges: list[tuple[int, int]] = []
    low, high = 0, tree_size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    ranges.reverse()
    return ranges


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """The subtrees whose roots make a consistency path (RFC 9162 §2.1.4.1), as leaf ranges.

    Args:
        first: size of the older tree, at least 1.
        second: size of the newer tree, at least `first`.
    """
    ranges: list[tuple[int, int]] = []
    low, high = 0, second
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low != 0:  # otherwise this subtree is the whole first tree, which the reader knows
        ranges.append((low, high))
    ranges.reverse()
    return ranges


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, for `size` at least 2 (RFC 9162 §2.1.1)."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(
    *, leaf: bytes, index: int, tree_size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` is entry number `index` of the tree whose root is `root`.

    Implements RFC 9162 §2.1.3.2; step numbers below are the RFC's. Returns nothing on success, so a
    forgotten `if` cannot turn a failed proof into a passed one.

    Args:
        leaf: leaf hash, 32 bytes; see `leaf_hash`.
        index: position of the leaf, counted from 0.
        tree_size: number of leaves under `root`, from 1 to `MAX_INTEGER`.
        path: sibling hashes of 32 bytes each, lowest level first.
        root: the root hash the caller already trusts, 32 bytes.

    Raises:
        InclusionNotProven: anything is out of range, of the wrong length, or unequal.
    """
    if not 0 <= index < tree_size <= MAX_INTEGER:  # step 1
        raise InclusionNotProven(f"entry {index} is not in a tree of {tree_size}")
    if len(path) > MAX_PATH or not are_hashes(leaf, root, *path):
        raise InclusionNotProven("proof has a hash of the wrong length, or too many")
    fn, sn = index, tree_size - 1  # step 2
    r = leaf  # step 3
    for p in path:  # step 4
        if sn == 0:  # 4.a
            raise InclusionNotProven("path is longer than the tree is high")
        if fn & 1 or fn == sn:  # 4.b
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1  # 4.c
        sn >>= 1
    if sn != 0:  # step 5
        raise InclusionNotProven("path is shorter than the tree is high")
    if r != root:
        raise InclusionNotProven("path leads to another root")


def verify_consistency(
    *, first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of size `second` continues the tree of size `first`, entry by entry.

    Implements RFC 9162 §2.1.4.2; step numbers below are the RFC's. Equal sizes need equal roots and
    an empty path. An empty first tree is refused: it would prove nothing.

    Args:
        first: size of the older tree, at least 1.
        second: size of the newer tree, at least `first`, at most `MAX_INTEGER`.
        first_root: root the caller trusts for the older tree, 32 bytes.
        second_root: root of the newer tree, 32 bytes.
        path: hashes of 32 bytes each, as `consistency_path` and `LogTree` write them.

    Raises:
        ConsistencyNotProven: anything is out of range, of the wrong length, or unequal.
    """
    if not 0 < first <= second <= MAX_INTEGER:
        raise ConsistencyNotProven(f"no proof leads from size {first} to size {second}")
    if first == second:
        if path or first_root != second_root:
            raise ConsistencyNotProven("trees of one size have one root and an empty path")
        return  # the caller trusts that root already; its form is no question here
    if len(path) > MAX_PATH or not are_hashes(first_root, second_root, *path):
        raise ConsistencyNotProven("proof has a hash of the wrong length, or too many")
    if not path:  # step 1
        raise ConsistencyNotProven("path is empty")
    # Step 2: a first tree of 2^n leaves is itself a node of the second, so its hash is left out.
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    fn, sn = first - 1, second - 1  # step 3
    while fn & 1:  # step 4
        fn >>= 1
        sn >>= 1
    fr = sr = nodes[0]  # step 5
    for c in nodes[1:]:  # step 6
        if sn == 0:  # 6.a
            raise ConsistencyNotProven("path is longer than the tree is high")
        if fn & 1 or fn == sn:  # 6.b
            fr = node_hash(c, fr)
            sr = node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1  # 6.c
        sn >>= 1
    if sn != 0:  # step 7
        raise ConsistencyNotProven("path is shorter than the tree is high")
    if fr != first_root or sr != second_root:
        raise ConsistencyNotProven("path leads to other roots")

"""Stored trees: the same roots and proofs as in memory, with few reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.log_tree import (
    DictNodes,
    LogNodeMissing,
    LogTree,
    NodeId,
    NotInLog,
    WholeTree,
    appended_nodes,
)
from registry.core.merkle_log import (
    EMPTY_ROOT,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


def stored(size: int) -> dict[NodeId, bytes]:
    return appended_nodes(size=0, leaves=leaves_of(size), nodes=DictNodes({}))


class CountingNodes:
    """Counts what is read."""

    def __init__(self, nodes: dict[NodeId, bytes]) -> None:
        self.nodes = nodes
        self.reads = 0

    def node(self, level: int, index: int) -> bytes | None:
        self.reads += 1
        return self.nodes.get((level, index))


@given(st.lists(st.integers(0, 9), max_size=12))
def test_appending_in_any_portions_gives_one_tree(portions: list[int]):
    leaves = leaves_of(sum(portions))
    nodes: dict[NodeId, bytes] = {}
    size = 0
    for portion in portions:
        fresh = appended_nodes(
            size=size, leaves=leaves[size : size + portion], nodes=DictNodes(nodes)
        )
        assert not fresh.keys() & nodes.keys()  # a stored node never changes
        nodes |= fresh
        size += portion

    assert nodes == stored(size)
    whole = WholeTree(leaves)
    assert all(whole.node(*place) == node for place, node in nodes.items())
    assert LogTree(DictNodes(nodes), size).root() == root_of(leaves)


@given(st.data())
def test_proofs_of_every_earlier_size_are_those_of_the_whole_tree(data: st.DataObject):
    size = data.draw(st.integers(1, 80))
    then = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, then - 1))
    first = data.draw(st.integers(1, then))
    leaves, tree = leaves_of(size), LogTree(DictNodes(stored(size)), size)

    assert tree.leaf(index) == leaves[index]
    assert tree.root(then) == root_of(leaves[:then])
    assert tree.inclusion_path(index, then) == inclusion_path(leaves[:then], index)
    assert tree.consistency_path(first, then) == consistency_path(leaves[:then], first)


def test_a_large_tree_is_proved_with_few_reads():
    size = 100_003
    nodes = CountingNodes(stored(size))
    tree = LogTree(nodes, size)
    root, leaf = tree.root(), tree.leaf(77_777)
    older = tree.root(50_001)

    nodes.reads = 0
    path = tree.inclusion_path(77_777)
    verify_inclusion(leaf=leaf, index=77_777, tree_size=size, path=path, root=root)
    inclusion_reads = nodes.reads

    nodes.reads = 0
    path = tree.consistency_path(50_001)
    verify_consistency(first=50_001, second=size, first_root=older, second_root=root, path=path)
    consistency_reads = nodes.reads

    nodes.reads = 0
    appended_nodes(size=size, leaves=leaves_of(1), nodes=nodes)
    append_reads = nodes.reads

    assert inclusion_reads <= 2 * 17
    assert consistency_reads <= 2 * 17
    assert append_reads <= 17


def test_a_whole_tree_has_the_perfect_subtrees_only():
    whole = WholeTree(leaves_of(6))

    assert [whole.node(level, 0) is not None for level in range(4)] == [True, True, True, False]
    assert whole.node(0, 6) is whole.node(1, 3) is whole.node(2, 1) is None
    assert WholeTree([]).node(0, 0) is None


def test_an_empty_log_has_the_empty_root_and_no_proofs():
    tree = LogTree(DictNodes({}), 0)

    assert tree.root() == EMPTY_ROOT
    for ask in (
        lambda: tree.leaf(0),
        lambda: tree.inclusion_path(0),
        lambda: tree.consistency_path(0),
        lambda: tree.consistency_path(1),
    ):
        with pytest.raises(NotInLog):
            ask()


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, 6), (0, -1), (3, 3)])
def test_what_the_log_does_not_have_is_not_found(index: int, size: int):
    tree = LogTree(DictNodes(stored(5)), 5)

    with pytest.raises(NotInLog):
        tree.inclusion_path(index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 5), (-1, 5), (4, 3), (1, 6), (6, 6)])
def test_sizes_the_log_never_had_are_not_found(first: int, second: int):
    tree = LogTree(DictNodes(stored(5)), 5)

    with pytest.raises(NotInLog):
        tree.consistency_path(first, second)
    with pytest.raises(NotInLog):
        tree.root(6)


def test_a_damaged_store_proves_nothing():
    nodes = stored(8)
    del nodes[2, 1]
    tree = LogTree(DictNodes(nodes), 8)

    with pytest.raises(LogNodeMissing):
        tree.inclusion_path(0)
    nodes[2, 1] = b"short"
    with pytest.raises(LogNodeMissing):
        tree.inclusion_path(0)
    with pytest.raises(LogNodeMissing):
        appended_nodes(size=1, leaves=leaves_of(1), nodes=DictNodes({}))

"""The replay keeps the nodes it needs and no others, and goes on only from what fits its head."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.merkle_log import leaf_hash, root_of
from registry.core.refusals import Malformed
from registry.core.sparse_map import EMPTY, map_changes, map_root, update
from registry.replay import LiveNodes, LogEdge, Replay, WrongLogRoot, WrongStateRoot
from tests.registry.authors import new_did, trust_anchor
from tests.registry.histories import History, begun, honest

BLOCKS = st.lists(
    st.dictionaries(st.sampled_from([f"k{n}" for n in range(40)]), st.binary(max_size=1)),
    max_size=12,
)


@given(blocks=BLOCKS)
def test_only_nodes_of_the_newest_map_are_kept(blocks: list[dict[str, bytes]]) -> None:
    nodes, state, root = LiveNodes(), dict[str, bytes](), EMPTY
    for block in blocks:
        changes = {key: value for key, value in block.items() if state.get(key) != value}
        state.update(changes)
        root, fresh = update(root, map_changes(changes), nodes)
        nodes.replace(fresh)

        assert root == map_root(map_changes(state))
    _, whole = update(EMPTY, map_changes(state), LiveNodes())
    assert nodes._nodes == whole


@given(size=st.integers(min_value=0, max_value=70), more=st.integers(min_value=0, max_value=9))
def test_the_edge_alone_goes_on_with_the_log(size: int, more: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size + more)]
    edge = LogEdge()
    for leaf in leaves[:size]:
        list(edge.append(leaf))

    again = LogEdge.of(size, [item for _, item in edge.edge])
    for leaf in leaves[size:]:
        list(again.append(leaf))

    assert again.root == root_of(leaves)
    with pytest.raises(Malformed):
        LogEdge.of(size, [bytes(32), *(item for _, item in edge.edge)])


def replayed(history: History) -> Replay:
    replay = Replay(trust_anchor())
    for data in history.raw_entries:
        entry = replay.parse(data)
        if replay.opens_block(entry):
            assert replay.block is not None
            replay.close_block(history.heads[replay.block[0]])
        replay.add_entry(entry, data)
    replay.close_block(history.heads[-1])
    return replay


def test_a_resumed_replay_goes_on_as_the_first_one() -> None:
    history = honest(5)
    first = replayed(history)
    edge = [item for _, item in first.log.edge]

    again = Replay.resume(
        trust_anchor(), note=history.heads[-1], edge=edge, state=dict(first.state)
    )
    history.block(new_did("carol")[0])
    entry = again.parse(history.raw_entries[-1])
    again.add_entry(entry, history.raw_entries[-1])

    assert again.close_block(history.heads[-1]) == history.newest
    assert again.nodes._nodes == replayed(history).nodes._nodes


def test_what_does_not_fit_its_head_is_not_gone_on_from() -> None:
    history = begun()
    replay = replayed(history)
    good: dict[str, Any] = {
        "note": history.heads[0],
        "edge": [replay.log.root],
        "state": replay.state,
    }

    with pytest.raises(WrongLogRoot):
        Replay.resume(trust_anchor(), **good | {"edge": [bytes(32)]})
    with pytest.raises(WrongStateRoot):
        Replay.resume(trust_anchor(), **good | {"state": {**replay.state, "more": b"{}"}})
    assert Replay.resume(trust_anchor(), **good).last == history.newest

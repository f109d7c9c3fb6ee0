"""A node joins from a snapshot: verified against the app hash, and then like every other."""

from pathlib import Path

from registry.core.genesis import Genesis
from registry.ledger.comet.node_files import StateSync
from tests.comet_network import Node, cometbft, make_node, members, network, verify_by_members
from tests.registry.authors import CREATED, NETWORK, new_did

INTERVAL = 5


def sync_from(nodes: list[Node]) -> StateSync:
    """Trust the newest header of the first node, as a pinned anchor would give it."""
    block = nodes[0].ledger.rpc.light_block(nodes[0].ledger.rpc.height())
    return StateSync(
        rpc_servers=tuple(f"http://127.0.0.1:{node.rpc_port}" for node in nodes[:2]),
        trust_height=block.header.height,
        trust_hash=block.commit.block.hash.hex().upper(),
    )


def test_an_observer_joins_from_a_snapshot_and_follows(tmp_path: Path) -> None:
    genesis = Genesis(network=NETWORK, members=members(3), created=CREATED)
    program = cometbft()
    with network(tmp_path, 3, genesis=genesis, snapshot_interval=INTERVAL) as nodes:
        for number in range(13):
            nodes[0].ledger.submit(new_did(f"author {number}")[0])
        observer = make_node(tmp_path, 9, genesis=genesis, program=program)
        observer.configure(nodes, state_sync=sync_from(nodes))

        observer.start()
        try:
            observer.ready(13)
            late = nodes[1].ledger.submit(new_did("late")[0])
            observer.ready(late.height)

            log = (observer.home / "node.log").read_text("utf-8")
            assert "CONSENSUS FAILURE" not in log
            for height in range(late.height + 1):
                own = verify_by_members(observer.ledger.head(height), genesis=genesis)
                assert own == verify_by_members(nodes[0].ledger.head(height), genesis=genesis)
            size = observer.ledger.health().size
            assert observer.ledger.entries(0, size) == nodes[0].ledger.entries(0, size)
            # Blocks before the snapshot never came here: it was not replayed.
            assert observer.ledger.rpc.ask("block", {"height": "3"}).find(b"error") >= 0
            raw, author = new_did("through the observer")
            assert observer.ledger.submit(raw).height == late.height + 1
            assert author.did
        finally:
            observer.stop()

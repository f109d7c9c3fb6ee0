"""Promises of the engine that need real nodes: restarts, upgrades, rivals of one key, no quorum."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from registry.consortium.guard import KeySignedElsewhere, verify_key_may_sign
from registry.core.checkpoint import parse_head
from registry.core.consortium_head import read_evidence
from registry.core.governance_changes import ScheduleUpgrade
from registry.core.keys import PublicKey
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.light_block import Validator
from registry.core.proposals import Propose
from registry.core.refusals import Unavailable
from registry.core.transaction_receipt import TransactionReceipt
from registry.ledger.comet.node_files import (
    DOUBLE_SIGN_HEIGHTS,
    NodeSettings,
    make_key,
    read_signed_height,
    read_validator_key,
    write_config,
)
from registry.ledger.port import LedgerStopped
from tests.comet_network import network, wait_until
from tests.registry.authors import UnsafeKey, new_did, root_author


def test_a_restarted_member_goes_on_where_it_was(tmp_path: Path) -> None:
    with network(tmp_path, 1) as (node,):
        raw, _ = new_did("alice")
        before = node.ledger.submit(raw)
        node.stop()

        node.start()
        node.ready(1)

        assert node.ledger.submit(raw) == before
        assert node.ledger.submit(new_did("bob")[0]).height == 2
        assert node.stopped[-1:] != ["the node is not connected"]


def test_a_node_that_was_killed_catches_up_with_the_application(tmp_path: Path) -> None:
    with network(tmp_path, 1) as (node,):
        for number in range(5):
            node.ledger.submit(new_did(f"author {number}")[0])
        node.kill()
        assert node.ledger.health().size == 6  # reads go on
        node.ledger._patience = 0.5
        wait_until(lambda: not node.ledger.health().writable, what="the loss to be seen")
        with pytest.raises(Unavailable):
            node.ledger.submit(new_did("nobody listens")[0])
        node.stop()

        node.start()
        node.ready(5)

        assert node.ledger.submit(new_did("again")[0]).height >= 6


def test_older_software_stops_with_a_sentence_and_newer_goes_on(tmp_path: Path) -> None:
    with network(tmp_path, 1) as (node,):
        scheduled = Propose(change=ScheduleUpgrade(at_height=3, version="0.2.0"), reason="upgrade")
        node.ledger.submit(root_author().transaction(scheduled))
        node.ledger.submit(new_did("before")[0])
        after, _ = new_did("after")

        with pytest.raises(LedgerStopped, match=r"0\.2\.0 from height 3 on; this is 0\.1\.0"):
            node.ledger.submit(after)

        assert node.process.wait_ended(20) is not None
        assert len(node.stopped) == 1
        assert node.ledger.health().height == 2
        node.stop()
        node.version = "0.2.0"
        node.start()
        node.ready(3)  # the block that was decided is in the node's store, and is applied now
        assert node.ledger.submit(after).height == 3


def test_two_members_give_the_same_transaction_the_same_place(tmp_path: Path) -> None:
    with network(tmp_path, 4) as nodes:
        raw, _ = new_did("alice")
        receipts: list[TransactionReceipt] = []
        threads = [
            threading.Thread(target=lambda node=node: receipts.append(node.ledger.submit(raw)))
            for node in nodes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len({(item.tx_id, item.height, item.index) for item in receipts}) == 1
        assert len(receipts) == 4
        assert {node.ready(1).ledger.health().size for node in nodes} == {2}


def test_without_more_than_two_thirds_nothing_is_final_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with network(tmp_path, 4) as nodes:
        nodes[0].ledger.submit(new_did("before")[0])
        for node in nodes[2:]:
            node.stop()
        raw, _ = new_did("alice")

        nodes[0].ledger._patience = 1.5
        with pytest.raises(Unavailable):
            nodes[0].ledger.submit(raw)
        assert nodes[0].ledger.health().height == 1

        for node in nodes[2:]:
            node.start()
        nodes[0].ledger._patience = 40.0
        receipt = nodes[0].ledger.submit(raw)
        assert receipt.height == 2
        for node in nodes:
            assert node.ready(2).ledger.receipt(receipt.tx_id) is not None


def test_a_rebuilt_node_with_an_old_key_does_not_sign(tmp_path: Path) -> None:
    with network(tmp_path, 4) as nodes:
        lost = nodes[3]
        key = read_validator_key(lost.home)
        # Three votes of four suffice for a head, so not every head carries the fourth member's.
        for number in range(3, 60):
            raw, _ = new_did(f"author {number}")
            last = nodes[0].ledger.submit(raw).height
            if last >= 3 and _signs(key, nodes[0].ledger.head(last)):
                break
        lost.ready(last).stop()
        assert read_signed_height(lost.home) > 3
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (lost.home / name).unlink(missing_ok=True)
        shutil.rmtree(lost.home / "data")
        (lost.home / "config" / "priv_validator_key.json").unlink()
        make_key(lost.home, UnsafeKey("validator 3")._private.private_bytes_raw())
        assert read_signed_height(lost.home) == 0

        # Our guard asks the others' heads, which carry the key's own votes.
        with pytest.raises(KeySignedElsewhere, match="knows only 0"):
            verify_key_may_sign(key, remembered=0, heads=["x", nodes[0].ledger.head(last)])
        # Blocks without entries are in no head; the newest light block carries their votes.
        signed = [b"x", *(nodes[0].ledger.light_block(at) for at in range(2, last + 1))]
        with pytest.raises(KeySignedElsewhere):
            verify_key_may_sign(key, remembered=1, heads=[], light_blocks=signed)
        # The engine's own check fires too, where a node begins without a ledger.
        lost.configure(nodes, double_sign_heights=DOUBLE_SIGN_HEIGHTS)
        lost.start()
        assert lost.process.wait_ended(30) not in (None, 0)
        log = (lost.home / "node.log").read_text("utf-8")
        assert "double sign" in log.lower() or "signature from the same key" in log.lower()
        assert nodes[0].ledger.submit(new_did("three go on")[0]).height == last + 1


def _signs(key: PublicKey, head: str) -> bool:
    """Whether a sealed head carries a vote of the validator with this key."""
    committed = verify_commit(read_evidence(parse_head(head)))
    return Validator(key, 1).address in committed.signers


def test_a_key_may_sign_what_it_remembers(tmp_path: Path) -> None:
    with network(tmp_path, 1) as (node,):
        node.ledger.submit(new_did("alice")[0])
        heads = [node.ledger.head(height) for height in (0, 1)]
        key = read_validator_key(node.home)
        newest = max(node.ledger.rpc.height(), 1)

        verify_key_may_sign(key, remembered=newest, heads=heads)
        verify_key_may_sign(UnsafeKey("other").key, remembered=0, heads=heads)
        with pytest.raises(KeySignedElsewhere):
            verify_key_may_sign(key, remembered=1, heads=heads)


def test_the_nodes_rpc_is_bound_to_loopback_whatever_else_is_set(tmp_path: Path) -> None:
    settings = NodeSettings(name="x", rpc_port=1, p2p_listen="0.0.0.0:2")
    for changed in (settings, replace(settings, local=True)):
        write_config(tmp_path, changed)
        text = (tmp_path / "config" / "config.toml").read_text("utf-8")

        assert 'laddr = "tcp://127.0.0.1:1"' in text
        assert "create_empty_blocks = false" in text
        assert text.count("laddr = ") == 3  # the RPC's, pprof's (empty), and the peers'
        assert 'pprof_laddr = ""' in text

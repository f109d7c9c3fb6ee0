"""Each kind of request is answered in the form that the engine expects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.core.encoding import canonical_json, parse_json_object
from registry.core.records import NETWORK_KEY
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from registry.ledger.comet.application import Outcome, OutOfOrder
from registry.ledger.comet.dispatch import APP_VERSION, Dispatcher
from registry.ledger.comet.snapshots import SnapshotSource
from registry.ledger.comet.wire import new_message
from tests.registry.authors import CREATED, NETWORK, new_did
from tests.registry.ledger.comet.test_application import GENESIS, VALIDATORS, Driver


class Asking:
    """The dispatcher, and what it told the engine's client."""

    def __init__(self, driver: Driver, *, retain_blocks: int = 0) -> None:
        self.driver = driver
        self.checked: dict[bytes, Outcome] = {}
        self.restored = 0
        self.dispatcher = Dispatcher(
            driver.app,
            file=driver.file,
            genesis=GENESIS,
            version="0.1.0",
            snapshots=SnapshotSource(driver.file),
            on_checked=self.checked.__setitem__,
            on_restored=self._restored,
            retain_blocks=retain_blocks,
        )

    def _restored(self) -> None:
        self.restored += 1

    def __call__(self, kind: str, name: str, **fields: Any) -> Any:
        return self.dispatcher(kind, new_message(name, **fields))

    def begin(self) -> Any:
        return self(
            "init_chain",
            "RequestInitChain",
            chain_id=NETWORK,
            app_state_bytes=canonical_json(GENESIS.to_object()),
            validators=[
                new_message(
                    "ValidatorUpdate", pub_key=new_message("PublicKey", ed25519=key), power=power
                )
                for key, power in VALIDATORS.items()
            ],
            initial_height=1,
        )

    def block(self, *transactions: bytes) -> Any:
        height = self.driver.height + 1
        answer = self(
            "finalize_block",
            "RequestFinalizeBlock",
            height=height,
            time={"seconds": CREATED + height, "nanos": 999_999_999},
            txs=transactions,
        )
        self.retained = self("commit", "RequestCommit").retain_height
        return answer


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asking]:
    driver = Driver(tmp_path / "ledger.db")
    yield Asking(driver)
    driver.file.close()


def test_info_answers_the_pair_that_commit_wrote(ask: Asking) -> None:
    empty = ask("info", "RequestInfo", version="0.39.4")
    assert (empty.last_block_height, empty.last_block_app_hash) == (0, b"")
    began = ask.begin()
    answer = ask.block(new_did("alice")[0])

    info = ask("info", "RequestInfo")

    assert info.app_version == APP_VERSION
    assert (info.last_block_height, info.last_block_app_hash) == (1, answer.app_hash)
    assert began.app_hash != answer.app_hash
    assert ask.restored == 1  # readers were told that the ledger has begun
    assert not began.validators  # the engine keeps those of its genesis


def test_results_name_codes_and_no_texts_that_are_hashed(ask: Asking) -> None:
    ask.begin()
    raw, _ = new_did("alice")

    answer = ask.block(raw, b"junk")

    assert [result.code for result in answer.tx_results] == [0, 1]
    assert [result.codespace for result in answer.tx_results] == ["", "cairn"]
    assert [result.log for result in answer.tx_results] == ["", "Malformed"]


def test_time_is_counted_in_whole_seconds(ask: Asking) -> None:
    ask.begin()
    ask.block(new_did("alice")[0])

    committed = ask.driver.app.committed
    assert committed is not None
    assert committed.head.time == CREATED + 1


def test_checks_are_told_to_whoever_submitted(ask: Asking) -> None:
    ask.begin()

    answer = ask("check_tx", "RequestCheckTx", tx=b"junk")

    assert (answer.code, answer.log) == (1, "Malformed")
    assert [outcome.code for outcome in ask.checked.values()] == [1]


def test_proposals_are_accepted_or_rejected(ask: Asking) -> None:
    ask.begin()
    raw, _ = new_did("alice")

    prepared = ask(
        "prepare_proposal", "RequestPrepareProposal", txs=[b"junk", raw], max_tx_bytes=1 << 20
    )
    accepted = ask("process_proposal", "RequestProcessProposal", txs=[raw])
    rejected = ask("process_proposal", "RequestProcessProposal", txs=[b"junk"])

    assert list(prepared.txs) == [raw]
    assert (accepted.status, rejected.status) == (1, 2)


def test_votes_carry_no_extensions(ask: Asking) -> None:
    assert ask("extend_vote", "RequestExtendVote").vote_extension == b""
    name = "RequestVerifyVoteExtension"
    assert ask("verify_vote_extension", name).status == 1
    assert ask("verify_vote_extension", name, vote_extension=b"x").status == 2


def test_a_query_gives_a_record_with_its_proof(ask: Asking) -> None:
    ask.begin()
    ask.block(new_did("alice")[0])

    answer = ask("query", "RequestQuery", path="/record", data=NETWORK_KEY.encode())

    found = parse_json_object(answer.value)
    committed = ask.driver.app.committed
    assert committed is not None
    assert (answer.code, answer.height) == (0, 1)
    assert found["head"] == committed.head.text
    verify_map_proof(
        parse_map_proof(found["proof"]),
        key=NETWORK_KEY,
        value=canonical_json(found["record"]),
        root=committed.head.state_root,
    )


@pytest.mark.parametrize(
    ("path", "data"), [("/store", b"x"), ("", b""), ("/record", b"\xff"), ("/record", b"")]
)
def test_other_queries_are_answered_and_stop_nothing(ask: Asking, path: str, data: bytes) -> None:
    ask.begin()

    assert ask("query", "RequestQuery", path=path, data=data).code != 0


def test_old_blocks_are_let_go_of_when_the_member_wants_that(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "ledger.db")
    ask = Asking(driver, retain_blocks=3)
    ask.begin()

    retained = []
    for _ in range(5):
        ask.block()
        retained.append(ask.retained)

    assert retained == [0, 0, 0, 1, 2]
    driver.file.close()


def test_snapshots_are_offered_to_an_empty_ledger_only(ask: Asking) -> None:
    assert list(ask("list_snapshots", "RequestListSnapshots").snapshots) == []
    offer = new_message("Snapshot", height=5, format=1, chunks=1, hash=b"x", metadata=bytes(32))
    refused = ask("offer_snapshot", "RequestOfferSnapshot", snapshot=offer, app_hash=bytes(32))
    assert refused.result == 3
    with pytest.raises(OutOfOrder):
        ask("apply_snapshot_chunk", "RequestApplySnapshotChunk", index=0, chunk=b"x")
    ask.begin()
    ask.block()

    with pytest.raises(OutOfOrder):
        ask("offer_snapshot", "RequestOfferSnapshot", snapshot=offer, app_hash=bytes(32))
    name = "RequestLoadSnapshotChunk"
    assert ask("load_snapshot_chunk", name, height=1, format=9).chunk == b""
    assert ask("load_snapshot_chunk", name, height=77, format=1).chunk == b""

"""A witness co-signs what continues what it co-signed before, and nothing else, whoever asks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from registry.core import witnessing
from registry.core.checkpoint import parse_head, sign_head
from registry.core.cosignature import Witnesses, verify_cosignatures, witness_key
from registry.core.encoding import parse_json_object
from registry.core.refusals import Conflict, Malformed
from registry.core.signed_note import parse_note
from registry.core.witnessing import (
    MAX_PROOF_LINES,
    MAX_REQUEST_BYTES,
    AddCheckpoint,
    OldSizeStale,
    encode_add_checkpoint,
    parse_add_checkpoint,
)
from registry.witness.routes import SIZE_MEDIA_TYPE, create_app
from registry.witness.service import Witness
from registry.witness.store import StoreMoved, WitnessStore, WitnessStoreFailed
from tests.registry.authors import CREATED, UnsafeHeadSigner, new_did, trust_anchor
from tests.registry.histories import SIGNER, History, honest

NOW = CREATED + 1000
NAME = "witness.example/w1"


@dataclass
class World:
    """A witness over HTTP, its store, and an honest log of heights 0 to 4, sizes 1, 3, 4, 5, 6."""

    http: TestClient
    witness: Witness
    store: WitnessStore
    log: History

    def ask(self, old: int, height: int, **changes: Any) -> httpx2.Response:
        size = parse_head(self.log.heads[height]).claimed.tree_size
        path = self.log.consistency(old, size) if 0 < old < size else ()
        request = {"old_size": old, "path": tuple(path), "head": self.log.heads[height], **changes}
        return self.send(encode_add_checkpoint(AddCheckpoint(**request)))

    def send(self, body: bytes) -> httpx2.Response:
        return self.http.post("/add-checkpoint", content=body)

    def cosigned(self, height: int, answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        note = parse_note(self.log.heads[height] + answer.text)
        (found,) = verify_cosignatures(note, Witnesses((self.witness.key,), 1))
        assert found.time == NOW

    def last_size(self) -> int:
        note = self.store.last("testnet")
        return 0 if note is None else parse_head(note).claimed.tree_size


def make(path: Path, log: History) -> tuple[Witness, WitnessStore]:
    store = WitnessStore(path)
    signer = UnsafeHeadSigner(NAME)
    return Witness(logs=[trust_anchor()], signer=signer, store=store, now=lambda: NOW), store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    log = honest(4)
    witness, store = make(tmp_path / "witness.db", log)
    with TestClient(create_app(witness)) as http:
        yield World(http, witness, store, log)
    store.close()


def test_heads_that_continue_are_cosigned_one_after_the_other(world: World) -> None:
    world.cosigned(0, world.ask(0, 0))
    world.cosigned(1, world.ask(1, 1))
    world.cosigned(4, world.ask(3, 4))

    assert world.last_size() == 6
    assert world.http.get("/heads/testnet").text == world.store.last("testnet")
    assert world.http.get("/key").text == world.witness.key.text + "\n"


def test_the_same_head_is_cosigned_again(world: World) -> None:
    world.cosigned(2, world.ask(0, 2))
    world.cosigned(2, world.ask(4, 2))


def test_a_stale_size_is_answered_with_the_right_one(world: World) -> None:
    world.ask(0, 2)

    for old, height in [(0, 4), (3, 4), (5, 4), (0, 2), (1, 1), (0, 0)]:
        answer = world.ask(old, height)
        assert (answer.status_code, answer.text) == (409, "4\n")
        assert answer.headers["content-type"] == SIZE_MEDIA_TYPE
    assert world.last_size() == 4


def test_a_log_that_shrank_is_refused(world: World) -> None:
    world.ask(0, 4)

    answer = world.ask(6, 2, path=())

    assert (answer.status_code, world.last_size()) == (400, 6)  # old size beyond the head's
    assert world.ask(4, 2).status_code == 409


def test_a_fork_of_equal_size_is_refused_and_kept(world: World) -> None:
    fork = honest(3)
    fork.block(new_did("mallory")[0])
    world.cosigned(4, world.ask(0, 4))

    answer = world.ask(6, 4, head=fork.heads[4])

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert parse_json_object(answer.content)["type"] == "/problems/head-forked"
    assert world.store.conflicts("testnet") == [(world.log.heads[4], fork.heads[4])]
    assert world.store.last("testnet") == world.log.heads[4]
    world.cosigned(4, world.ask(6, 4))


def test_a_longer_fork_is_refused(world: World) -> None:
    fork = honest(2)
    for name in ("mallory", "eve"):
        fork.block(new_did(name)[0])
    world.cosigned(3, world.ask(0, 3))
    assert parse_head(fork.heads[4]).claimed.tree_size == 6

    for path in (tuple(fork.consistency(5, 6)), tuple(world.log.consistency(5, 6)), ()):
        answer = world.ask(5, 4, head=fork.heads[4], path=path)
        assert answer.status_code == 422
    assert world.last_size() == 5


@pytest.mark.parametrize(
    "lie", [{"height": 2}, {"height": 1}, {"time": CREATED}, {"state_root": bytes(32)}]
)
def test_the_lines_of_our_own_go_on_too(world: World, lie: dict[str, Any]) -> None:
    world.cosigned(2, world.ask(0, 2))
    forged = world.log.copy()
    if "state_root" in lie:
        forged.sign(
            2,
            CREATED + 2,
            **lie,
            tree_size=4,
            log_root=parse_head(forged.heads[2]).claimed.log_root,
        )
        answer = world.ask(4, 2, head=forged.heads[-1])
        assert answer.status_code == 409
    else:
        forged.sign(4, CREATED + 4, **lie)
        answer = world.ask(4, 4, head=forged.heads[-1])
        assert answer.status_code == 422
    assert world.last_size() == 4


def test_unknown_logs_and_foreign_signatures_are_refused(world: World) -> None:
    claimed = parse_head(world.log.heads[0]).claimed
    mallory = UnsafeHeadSigner("mallory")
    same_name = UnsafeHeadSigner("mallory")
    same_name.name = SIGNER.name

    unknown = world.log.heads[0].replace("cairn/testnet\n", "cairn/other\n")
    assert world.ask(0, 0, head=unknown).status_code == 404
    assert world.ask(0, 0, head=sign_head(claimed, [mallory])).status_code == 403
    assert world.ask(0, 0, head=sign_head(claimed, [same_name])).status_code == 403
    forged = world.log.heads[0].replace("height 0", "height 1")
    assert world.ask(0, 0, head=forged).status_code == 403
    assert world.store.last("testnet") is None
    assert world.http.get("/heads/testnet").status_code == 404
    assert world.http.get("/heads/other").status_code == 404


def test_lines_of_others_are_not_stored(world: World) -> None:
    claimed = parse_head(world.log.heads[0]).claimed
    crowd = [UnsafeHeadSigner(f"stranger-{number}") for number in range(20)]

    answer = world.ask(0, 0, head=sign_head(claimed, [*crowd, SIGNER]))

    assert answer.status_code == 200
    assert world.store.last("testnet") == world.log.heads[0]


GOOD = encode_add_checkpoint(AddCheckpoint(0, (), honest(1).heads[0]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old\n\n" + GOOD[7:],
        GOOD.replace(b"old 0", b"old 00"),
        GOOD.replace(b"old 0", b"old -1"),
        GOOD.replace(b"old 0", b"old 1"),  # it has co-signed nothing yet
        GOOD.replace(b"old 0", b"old 99"),
        GOOD.replace(b"old 0", "old ٣".encode()),
        GOOD.replace(b"old 0", b"OLD 0"),
        GOOD.replace(b"old 0\n", b"old 0\n\n", 1),
        GOOD.replace(b"old 0\n", b"old 0\nAAAA\n", 1),
        GOOD.replace(b"old 0\n", b"old 0\n!\n", 1),
        GOOD.replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n", 1),
        GOOD.replace(b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * (MAX_PROOF_LINES + 1), 1),
        GOOD[:-1],
        GOOD + b"x",
        b"\xff" + GOOD,
        GOOD.replace(b"height", b"Height"),
        b"old 0\n\n" + b"x" * (MAX_REQUEST_BYTES + 1),
    ],
)
def test_malformed_requests_are_refused(world: World, body: bytes) -> None:
    answer = world.send(body)

    assert answer.status_code in (400, 403, 409, 413, 422)
    assert world.store.last("testnet") is None
    assert world.send(GOOD).status_code == 200  # the untouched twin


def test_every_request_there_and_back() -> None:
    request = AddCheckpoint(7, (bytes(32), b"x" * 32), "head\n\nlines\n")

    assert parse_add_checkpoint(encode_add_checkpoint(request)) == request
    with pytest.raises(Malformed):
        parse_add_checkpoint(b"old 1" + b"0" * 16 + b"\n\nx")


# --- the store


def test_what_was_cosigned_is_remembered_across_restarts(tmp_path: Path) -> None:
    log = honest(4)
    witness, store = make(tmp_path / "w.db", log)
    witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(0, (), log.heads[3])))
    store.close()

    witness, store = make(tmp_path / "w.db", log)

    with pytest.raises(OldSizeStale) as refusal:
        witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(0, (), log.heads[2])))
    assert refusal.value.size == 5
    store.close()


def test_the_head_is_stored_before_it_is_signed(tmp_path: Path) -> None:
    log = honest(1)
    store = WitnessStore(tmp_path / "w.db")
    seen: list[str | None] = []

    class Watching(UnsafeHeadSigner):
        def sign(self, message: bytes) -> bytes:
            other = WitnessStore(tmp_path / "w.db")
            seen.append(other.last("testnet"))
            other.close()
            return super().sign(message)

    witness = Witness(logs=[trust_anchor()], signer=Watching(NAME), store=store, now=lambda: NOW)
    witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(0, (), log.heads[0])))

    assert seen == [log.heads[0]]
    store.close()


def test_a_swap_on_another_head_changes_nothing(tmp_path: Path) -> None:
    one, two = WitnessStore(tmp_path / "w.db"), WitnessStore(tmp_path / "w.db")
    one.swap("testnet", expected=None, note="a")

    with pytest.raises(StoreMoved):
        two.swap("testnet", expected=None, note="b")

    two.swap("testnet", expected="a", note="c")
    assert one.last("testnet") == "c"
    assert one.last("other") is None
    one.close()
    two.close()


def _race(witness: Witness, fork: History, base: History, start: threading.Barrier) -> bool:
    size = base.newest.tree_size
    path = tuple(fork.consistency(size, size + 1))
    body = encode_add_checkpoint(AddCheckpoint(size, path, fork.heads[-1]))
    start.wait()
    try:
        witness.add_checkpoint(body)
    except Conflict:
        return False
    return True


def test_of_two_forks_at_once_one_is_cosigned(tmp_path: Path) -> None:
    """Two witness processes on one store; both requests were right when they were read."""
    base = honest(1)
    forks = [base.copy(), base.copy()]
    for fork, name in zip(forks, ("mallory", "eve"), strict=True):
        fork.block(new_did(name)[0])
    for attempt in range(10):
        path = tmp_path / f"{attempt}.db"
        parts = [make(path, base) for _ in forks]
        first = encode_add_checkpoint(AddCheckpoint(0, (), base.heads[-1]))
        parts[0][0].add_checkpoint(first)
        start = threading.Barrier(2)

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(_race, [part[0] for part in parts], forks, [base] * 2, [start] * 2))
        assert sorted(won) == [False, True]
        for _, store in parts:
            store.close()


def test_a_damaged_store_cosigns_nothing(tmp_path: Path) -> None:
    log = honest(2)
    witness, store = make(tmp_path / "w.db", log)
    witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(0, (), log.heads[0])))
    stored = store.last("testnet")
    assert stored is not None
    store.swap("testnet", expected=stored, note=stored.replace("height 0", "height 1"))

    with pytest.raises(WitnessStoreFailed):
        witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(1, (), log.heads[0])))
    store.close()


def test_another_programs_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 40)

    with pytest.raises(WitnessStoreFailed):
        WitnessStore(path)


def test_conflicts_are_bounded_and_the_first_stay(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "w.db")
    for number in range(40):
        store.keep_conflict("testnet", known="a", offered=str(number), seen_at=number)

    assert [offered for _, offered in store.conflicts("testnet")] == [str(n) for n in range(16)]
    store.close()


def test_the_key_has_its_own_type() -> None:
    signer = UnsafeHeadSigner(NAME)

    assert witness_key(signer.name, signer.key).id != signer.verifier_key.id


# --- a check that is switched off is missed


def test_the_consistency_proof_is_what_refuses_a_fork(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = honest(2)
    for name in ("mallory", "eve"):
        fork.block(new_did(name)[0])
    world.ask(0, 3)

    monkeypatch.setattr(witnessing, "verify_consistency", lambda **_: None)

    assert world.ask(5, 4, head=fork.heads[4], path=()).status_code == 200

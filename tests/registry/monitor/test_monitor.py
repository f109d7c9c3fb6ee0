"""The monitor is content with an honest registry and finds each lie of others, with evidence."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import apsw
import pytest

from registry.api.app import create_app
from registry.client import Answer, AsgiTransport
from registry.client.transport import NodeUnreachable
from registry.core.checkpoint import parse_head, sign_head, verify_unwitnessed_head
from registry.core.cosignature import Witnesses, add_cosignatures, cosign, witness_key
from registry.core.encoding import parse_json
from registry.core.merkle_log import inclusion_path, leaf_hash
from registry.core.proofs import path_json
from registry.core.trust_anchor import TrustAnchor
from registry.ledger.embedded import EmbeddedLedger
from registry.monitor import follow
from registry.monitor.alarm import Alarm, Kind
from registry.monitor.follow import Monitor, Sighting
from registry.monitor.memory import Memory, MemoryFailed
from registry.monitor.node import Node
from tests.registry.authors import (
    CREATED,
    UnsafeHeadSigner,
    genesis,
    new_did,
    trust_anchor,
)
from tests.registry.core.heads import NOW
from tests.registry.histories import SIGNER, History, begun, honest

WITNESS = UnsafeHeadSigner("witness.example/w1")


@dataclass
class FakeRegistry:
    """Serves a history over the registry's HTTP, true or not."""

    log: History
    is_away: bool = False
    cosigned: str | None = None
    answers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)  # by path
    asked: list[str] = field(default_factory=list)

    def post(self, path: str, body: bytes, content_type: str = "") -> Answer:
        raise AssertionError("a monitor changes nothing")

    def get(self, path: str) -> Answer:
        self.asked.append(path)
        if self.is_away:
            raise NodeUnreachable("away")
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if query.pop("cosigned", None):
            if self.cosigned is None:
                return Answer(503, {}, b"{}")
            return Answer(200, {}, self.cosigned.encode())
        value = self._answer(parts.path, **{name: int(text) for name, text in query.items()})
        if change := self.answers.get(parts.path):
            value = change(value)
        return Answer(
            200, {}, value.encode() if isinstance(value, str) else json.dumps(value).encode()
        )

    def _answer(self, path: str, **query: int) -> Any:
        log = self.log
        match path.removeprefix("/registry"):
            case "/head":
                return log.head(query.get("height"))
            case "/log/heads":
                start, count = query["start"], query["count"]
                return {"start": start, "heads": log.heads[start : start + min(count, 2)]}
            case "/log/entries":
                entries = log.entries(query["start"], query["count"])
                return {
                    "start": query["start"],
                    "entries": [json.loads(entry) for entry in entries],
                    "size": len(log.raw_entries),
                }
            case "/log/consistency":
                return {**query, "path": path_json(log.consistency(**query))}
            case "/log/inclusion":
                leaves = [leaf_hash(entry) for entry in log.raw_entries[: query["size"]]]
                return {**query, "path": path_json(inclusion_path(leaves, query["index"]))}
        raise AssertionError(path)


@dataclass
class World:
    path: Path
    registry: FakeRegistry
    clock: list[int]
    trust: TrustAnchor = field(default_factory=trust_anchor)
    stalled_after: int | None = None
    draws: list[int] = field(default_factory=list)  # what the random source gives, then zero

    def look(self) -> Sighting:
        """One run of the command: everything is read from the file again."""
        memory = Memory(self.path)
        try:
            return self.monitor(memory).look()
        finally:
            memory.close()

    def monitor(self, memory: Memory) -> Monitor:
        return Monitor(
            trust=self.trust,
            node=Node(self.registry),
            memory=memory,
            now=lambda: self.clock[0],
            random=lambda size: (self.draws.pop(0) if self.draws else 0).to_bytes(size, "big"),
            stalled_after_seconds=self.stalled_after,
        )

    def alarm(self) -> Alarm:
        with pytest.raises(Alarm) as raised:
            self.look()
        return raised.value

    def cries(self, kind: Kind) -> Alarm:
        alarm = self.alarm()
        assert alarm.kind is kind, alarm
        assert self.alarm().kind is kind  # and again at the next run
        return alarm


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "monitor.db", FakeRegistry(honest(3)), [CREATED + 100])


def test_an_honest_registry_is_followed_across_runs(world: World) -> None:
    first = world.look()
    assert (first.head.height, first.new_entries, first.new_heads) == (3, 5, 4)
    again = world.look()
    assert (again.head, again.new_entries, again.new_heads) == (first.head, 0, 0)
    world.registry.asked.clear()
    world.registry.log.block(new_did("carol")[0], new_did("dave")[0])

    third = world.look()

    assert (third.head.height, third.new_entries, third.new_heads) == (4, 2, 1)
    starts = [path for path in world.registry.asked if path.startswith("/registry/log/entries")]
    assert starts[0].startswith("/registry/log/entries?start=5&")  # nothing was asked for twice


def test_one_monitor_looks_many_times(world: World) -> None:
    memory = Memory(world.path)
    monitor = world.monitor(memory)
    for number in range(4):
        world.registry.log.block(new_did(f"author {number}")[0])
        assert monitor.look().head.height == 4 + number
    memory.close()
    assert world.look().new_entries == 0


def test_a_real_registry_is_followed(tmp_path: Path) -> None:
    ledger = EmbeddedLedger.open(
        tmp_path / "ledger.db", genesis=genesis(), signer=SIGNER, now=lambda: CREATED
    )
    node = AsgiTransport(create_app(ledger, trust_anchor()))
    memory = Memory(tmp_path / "monitor.db")
    monitor = Monitor(
        trust=trust_anchor(),
        node=Node(node),
        memory=memory,
        now=lambda: CREATED,
        random=lambda size: b"\x07" * size,
    )
    try:
        for number in range(600):  # more than one answer's worth
            if number in (3, 300):
                assert monitor.look().head.height == number
            ledger.submit(new_did(f"author {number}")[0])
        sighting = monitor.look()
    finally:
        node.close()
        ledger.close()
        memory.close()

    assert (sighting.head.height, sighting.new_heads) == (600, 300)


# --- liars


def test_a_fork_is_cried_out_with_both_heads(world: World) -> None:
    world.look()
    seen = world.registry.log.heads[3]
    fork = honest(2)
    fork.block(new_did("mallory")[0])
    world.registry.log = fork

    alarm = world.cries(Kind.FORK)

    assert alarm.evidence.heads == (seen, fork.heads[3])
    both = [verify_unwitnessed_head(note, trust_anchor(), now=NOW) for note in alarm.evidence.heads]
    assert both[0].height == both[1].height
    assert both[0] != both[1]


def test_a_longer_rewrite_is_cried_out(world: World) -> None:
    world.look()
    seen = world.registry.log.heads[3]
    fork = honest(2)
    for name in ("mallory", "eve"):
        fork.block(new_did(name)[0])
    world.registry.log = fork

    alarm = world.cries(Kind.REWRITE)

    assert alarm.evidence.heads == (seen, fork.heads[4])
    assert alarm.evidence.path


def test_a_rewrite_behind_a_forged_consistency_proof_is_cried_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the proof switched off, the replay finds it; so neither check stands alone."""
    world.look()
    fork = honest(2)
    for name in ("mallory", "eve"):
        fork.block(new_did(name)[0])
    world.registry.log = fork
    monkeypatch.setattr(follow, "verify_consistency", lambda **_: None)

    assert world.cries(Kind.REWRITE).detail.startswith("the head of height 4 has another log root")


@pytest.mark.parametrize("height", [0, 1, 2])
def test_a_shrinking_head_is_cried_out(world: World, height: int) -> None:
    world.look()
    seen = world.registry.log.heads[3]
    world.registry.log.heads = world.registry.log.heads[: height + 1]

    alarm = world.cries(Kind.SHRINKING)

    assert alarm.evidence.heads == (seen, world.registry.log.heads[height])


def test_a_higher_head_over_a_shorter_log_is_cried_out(world: World) -> None:
    world.look()
    world.registry.log.sign(4, CREATED + 4, tree_size=2)

    assert world.cries(Kind.SHRINKING).detail.startswith("log or time went back")


def test_time_that_goes_back_is_cried_out(world: World) -> None:
    world.look()
    world.registry.log.block(new_did("carol")[0], at=CREATED)

    world.cries(Kind.FORK)


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_wrong_state_root_is_cried_out(world: World, seen_before: bool) -> None:
    if seen_before:
        world.look()
    world.registry.log.block(new_did("carol")[0], state_root=bytes(32))

    alarm = world.cries(Kind.WRONG_STATE_ROOT)

    assert alarm.evidence.heads == tuple(world.registry.log.heads[3:5])
    assert alarm.evidence.entries == (world.registry.log.raw_entries[5],)


def test_a_record_that_no_transaction_made_is_cried_out(world: World) -> None:
    world.look()
    world.registry.log.state["did/did:cairn:testnet:smuggled"] = b"{}"
    world.registry.log.block(new_did("carol")[0])

    world.cries(Kind.WRONG_STATE_ROOT)


def test_a_wrong_log_root_is_cried_out(world: World) -> None:
    world.registry.log.block(new_did("carol")[0], log_root=bytes(32))

    world.cries(Kind.REWRITE)


def test_a_transaction_that_the_rules_refuse_is_cried_out(world: World) -> None:
    world.look()
    raw = new_did("carol")[0].replace(b'"value":"', b'"value":"AAAA', 1)
    world.registry.log.put(raw[:-1] + b"}", height=4, time=CREATED + 4)
    world.registry.log.sign(4, CREATED + 4)

    alarm = world.cries(Kind.BAD_ENTRY)

    assert alarm.detail.startswith("log entry 5 is refused by the rules")
    assert alarm.evidence.heads == tuple(world.registry.log.heads[3:5])
    assert len(alarm.evidence.entries) == 1


def test_entries_that_are_not_served_are_cried_out(world: World) -> None:
    world.registry.answers["/registry/log/entries"] = lambda value: {**value, "entries": []}

    world.cries(Kind.WITHHELD)


def test_other_entries_than_those_under_the_head_are_cried_out(world: World) -> None:
    other = honest(3)
    other.raw_entries[2] = begun().raw_entries[0].replace(b"Tests", b"Pests")
    world.registry.answers["/registry/log/entries"] = lambda value: {
        **value,
        "entries": [
            json.loads(other.raw_entries[value["start"] + at])
            for at in range(len(value["entries"]))
        ],
    }

    world.cries(Kind.BAD_ENTRY)


def test_heads_that_are_not_served_are_cried_out(world: World) -> None:
    world.registry.answers["/registry/log/heads"] = lambda value: {**value, "heads": []}

    world.cries(Kind.WITHHELD)


def test_a_second_head_of_the_newest_height_is_cried_out(world: World) -> None:
    fork = honest(2)
    fork.block(new_did("mallory")[0])
    world.registry.answers["/registry/head"] = lambda _: fork.heads[3]

    assert world.cries(Kind.FORK).evidence.heads == (world.registry.log.heads[3], fork.heads[3])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "nonsense",
        sign_head(honest(1).newest, [UnsafeHeadSigner("mallory")]),
        honest(1).heads[0].replace("height 0", "height 9"),
        "\x00" * 300,
    ],
)
def test_an_unsigned_head_is_cried_out(world: World, note: str) -> None:
    world.look()
    world.registry.answers["/registry/head"] = lambda _: note

    world.cries(Kind.UNSIGNED_HEAD)


def test_an_unsigned_head_among_the_old_ones_is_cried_out(world: World) -> None:
    world.registry.log.heads[1] = world.registry.log.heads[1].replace("time 179", "time 178")

    world.cries(Kind.UNSIGNED_HEAD)


def test_an_old_head_that_changed_is_cried_out(world: World) -> None:
    world.look()
    known = world.registry.log.heads[1]
    claimed = parse_head(known).claimed
    world.registry.log.heads[1] = sign_head(replace(claimed, time=CREATED), [SIGNER])
    world.draws = [1]

    alarm = world.alarm()

    assert alarm.kind is Kind.FORK
    assert alarm.evidence.heads == (known, world.registry.log.heads[1])


def test_an_old_entry_that_changed_is_cried_out(world: World) -> None:
    world.look()
    world.registry.answers["/registry/log/entries"] = lambda value: {
        **value,
        "entries": [{**entry, "time": 1} for entry in value["entries"]],
    }

    assert world.cries(Kind.REWRITE).detail.startswith("log entry 0")


def test_a_stalled_registry_is_cried_out(world: World) -> None:
    world.stalled_after = 60
    world.clock[0] = CREATED + 10
    world.look()
    world.clock[0] = CREATED + 60
    world.look()
    world.clock[0] = CREATED + 64  # the newest head is of +3, the first look believed its time

    world.cries(Kind.STALLED)

    world.registry.log.block(new_did("carol")[0])
    assert world.look().head.height == 4
    world.stalled_after = None
    world.clock[0] += 10**6
    world.look()


def test_a_registry_that_is_away_is_stalled_after_a_while(world: World) -> None:
    world.stalled_after = 60
    world.clock[0] = CREATED + 10
    world.look()
    world.registry.is_away = True

    with pytest.raises(NodeUnreachable):
        world.look()
    world.clock[0] = CREATED + 100

    assert world.cries(Kind.STALLED).evidence.heads == (world.registry.log.heads[3],)


@pytest.mark.parametrize("value", [[], {"path": 7}, {"path": ["AA"]}, "x", {"entries": 3}])
@pytest.mark.parametrize(
    "path", ["/registry/log/consistency", "/registry/log/inclusion", "/registry/log/entries"]
)
def test_garbage_is_no_answer(world: World, path: str, value: Any) -> None:
    world.look()
    world.registry.log.block(new_did("carol")[0])
    world.registry.answers[path] = lambda _: value

    with pytest.raises(NodeUnreachable):
        world.look()
    world.registry.answers.clear()
    assert world.look().head.height == 4


# --- witnesses


@pytest.fixture
def witnessed(world: World) -> World:
    key = witness_key(WITNESS.name, WITNESS.key)
    world.trust = replace(trust_anchor(), witnesses=Witnesses((key,), 1))
    return world


def cosigned(note: str) -> str:
    return add_cosignatures(note, [cosign(parse_head(note).note.text, WITNESS, time=CREATED)])


def test_the_quorum_is_followed_too(witnessed: World) -> None:
    assert witnessed.look().witnessed_height is None
    witnessed.registry.cosigned = cosigned(witnessed.registry.log.heads[2])
    assert witnessed.look().witnessed_height == 2


def test_a_missing_quorum_is_cried_out_after_a_while(witnessed: World) -> None:
    witnessed.stalled_after = 60
    witnessed.clock[0] = CREATED + 10
    witnessed.look()
    witnessed.clock[0] = CREATED + 100

    witnessed.cries(Kind.UNWITNESSED)


def test_a_cosigned_fork_is_cried_out(witnessed: World) -> None:
    fork = honest(2)
    fork.block(new_did("mallory")[0])
    witnessed.registry.cosigned = cosigned(fork.heads[3])

    assert witnessed.cries(Kind.FORK).evidence.heads == (
        witnessed.registry.log.heads[3],
        witnessed.registry.cosigned,
    )


def test_a_cosigned_head_beyond_the_newest_is_cried_out(witnessed: World) -> None:
    witnessed.registry.cosigned = cosigned(honest(4).heads[4])

    witnessed.cries(Kind.SHRINKING)


def test_a_false_quorum_is_cried_out(witnessed: World) -> None:
    witnessed.registry.cosigned = witnessed.registry.log.heads[2]

    witnessed.cries(Kind.UNWITNESSED)


# --- memory and evidence


def test_a_memory_that_was_changed_is_not_believed(world: World) -> None:
    world.look()
    for statement in (
        "UPDATE records SET value = x'7b7d' WHERE key = 'network'",
        "DELETE FROM records WHERE key = 'network'",
        "UPDATE last SET edge = zeroblob(64)",
        "UPDATE last SET edge = x'00'",
        "UPDATE last SET note = replace(note, 'height 3', 'height 2')",
    ):
        copy = world.path.with_name("copy.db")
        copy.write_bytes(world.path.read_bytes())
        db = apsw.Connection(str(copy))
        db.execute(statement)
        db.close()
        with pytest.raises(MemoryFailed):
            replace(world, path=copy).look()
    assert world.look().new_entries == 0


def test_a_memory_of_another_network_is_not_used(world: World) -> None:
    world.look()
    world.trust = trust_anchor(UnsafeHeadSigner("other"))

    with pytest.raises(MemoryFailed):
        world.look()


def test_the_evidence_file_can_be_judged_by_anybody(world: World) -> None:
    world.look()
    world.registry.log.block(new_did("carol")[0], state_root=bytes(32))

    value = parse_json(world.alarm().encode(network="testnet", seen_at=CREATED))

    assert value["type"] == "cairn-evidence/1"
    assert (value["kind"], value["network"], value["seen_at"]) == (
        "wrong-state-root",
        "testnet",
        CREATED,
    )
    for note in value["heads"]:
        verify_unwitnessed_head(note, trust_anchor(), now=NOW)
    assert value["entries"][0]["height"] == 4


# --- a check that is switched off is missed


def test_without_the_comparison_a_fork_would_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.look()
    world.registry.log.heads[3] = sign_head(
        replace(world.registry.log.newest, time=CREATED + 50), [SIGNER]
    )
    world.cries(Kind.FORK)
    monkeypatch.setattr(follow, "verify_head_follows", lambda *_: None)

    assert world.alarm().kind is Kind.FORK  # CatchUp holds the newest head to the replay as well

"""The operator's side: pending until distinct witnesses make the quorum, whatever some say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from registry.api.app import create_app
from registry.client import (
    Answer,
    AsgiTransport,
    NodeNotTrusted,
    RegistryClient,
    Transport,
)
from registry.client.transport import NodeUnreachable
from registry.core.checkpoint import parse_head, verify_head
from registry.core.cosignature import HeadNotWitnessed, Witnesses, cosign, witness_key
from registry.core.trust_anchor import TrustAnchor
from registry.ledger.embedded import EmbeddedLedger
from registry.witness.collector import Collector, WitnessEndpoint
from registry.witness.cosigned import CosignedHeadStore, HeadNotCosigned, NotWitnessed
from registry.witness.routes import create_app as create_witness_app
from registry.witness.service import Witness
from registry.witness.store import WitnessStore
from tests.registry.authors import (
    CREATED,
    UnsafeHeadSigner,
    fresh_nonce,
    genesis,
    new_did,
    trust_anchor,
)

NOW = CREATED + 1000
NAMES = ("w1.example/witness", "w2.example/witness", "w3.example/witness")
Change = Callable[[Answer], Answer]


@dataclass
class Line(Transport):
    """The way to one witness; a test may cut it or put words into its mouth."""

    inner: AsgiTransport
    change: Change = lambda answer: answer
    asked: list[bytes] = field(default_factory=list)

    def get(self, path: str) -> Answer:
        return self.change(self.inner.get(path))

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        self.asked.append(body)
        return self.change(self.inner.post(path, body, content_type))


@dataclass
class World:
    ledger: EmbeddedLedger
    trust: TrustAnchor
    lines: list[Line]
    collector: Collector
    store: CosignedHeadStore
    http: TestClient
    node: AsgiTransport

    def cosigned(self) -> tuple[int, str]:
        answer = self.http.get("/registry/head", params={"cosigned": "true"})
        return answer.status_code, answer.text

    def client(self) -> RegistryClient:
        return RegistryClient(
            self.node, self.trust, lambda: 0.0, random=lambda _: fresh_nonce(), cache_seconds=0
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    signers = [UnsafeHeadSigner(name) for name in NAMES]
    keys = tuple(witness_key(signer.name, signer.key) for signer in signers)
    trust = replace(trust_anchor(), witnesses=Witnesses(keys, 2))
    ledger = EmbeddedLedger.open(
        tmp_path / "ledger.db", genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED
    )
    stores = [WitnessStore(tmp_path / f"{number}.db") for number in range(3)]
    lines = [
        Line(
            AsgiTransport(
                create_witness_app(
                    Witness(logs=[trust], signer=signer, store=store, now=lambda: NOW)
                )
            )
        )
        for signer, store in zip(signers, stores, strict=True)
    ]
    store = CosignedHeadStore(tmp_path / "cosigned.db", trust)
    collector = Collector(
        ledger=ledger,
        trust=trust,
        witnesses=[WitnessEndpoint(*pair) for pair in zip(keys, lines, strict=True)],
        store=store,
    )
    app = create_app(ledger, trust, cosigned=store)
    node = AsgiTransport(app)
    with TestClient(app) as http:
        yield World(ledger, trust, lines, collector, store, http, node)
    collector.close()
    node.close()
    for line in lines:
        line.inner.close()
    for witness_store in stores:
        witness_store.close()
    store.close()
    ledger.close()


def away(_answer: Answer) -> Answer:
    raise NodeUnreachable("the witness is away")


def test_pending_until_the_quorum_is_there(world: World) -> None:
    assert world.cosigned()[0] == 503
    for line in world.lines[1:]:
        line.change = away

    assert world.collector.run_once() is None

    assert world.cosigned()[0] == 503
    assert "pending" in world.cosigned()[1]
    assert world.collector.states[NAMES[0]] == "co-signed"
    assert "NodeUnreachable" in world.collector.states[NAMES[1]]

    world.lines[2].change = lambda answer: answer
    head = world.collector.run_once()

    assert head is not None
    status, note = world.cosigned()
    assert status == 200
    assert verify_head(note, world.trust, now=NOW) == head
    assert parse_head(note).claimed == parse_head(world.ledger.head()).claimed


def test_a_growing_ledger_is_cosigned_head_by_head(world: World) -> None:
    for number in range(5):
        world.ledger.submit(new_did(f"author {number}")[0])
        head = world.collector.run_once()
        assert head is not None
        assert head.height == number + 1

    asked = sum(len(line.asked) for line in world.lines)
    assert world.collector.run_once() == head
    assert sum(len(line.asked) for line in world.lines) == asked  # nothing was left to ask
    old = world.http.get("/registry/head", params={"cosigned": "true", "height": 3})
    assert verify_head(old.text, world.trust, now=NOW).height == 3
    assert world.http.get("/registry/head").text == world.ledger.head()


def test_while_a_newer_head_is_pending_the_older_one_is_served(world: World) -> None:
    world.collector.run_once()
    world.ledger.submit(new_did("alice")[0])
    for line in world.lines:
        line.change = away

    assert world.collector.run_once() is None

    assert verify_head(world.cosigned()[1], world.trust, now=NOW).height == 0
    newest = world.http.get("/registry/head", params={"cosigned": "true", "height": 1})
    assert newest.status_code == 503


def test_a_restarted_collector_learns_from_the_witnesses_where_they_are(
    world: World, tmp_path: Path
) -> None:
    world.collector.run_once()
    for number in range(3):
        world.ledger.submit(new_did(f"author {number}")[0])
    assert world.trust.witnesses is not None
    restarted = Collector(
        ledger=world.ledger,
        trust=world.trust,
        witnesses=[
            WitnessEndpoint(*pair)
            for pair in zip(world.trust.witnesses.keys, world.lines, strict=True)
        ],
        store=world.store,
    )

    head = restarted.run_once()

    assert head is not None
    assert head.height == 3
    restarted.close()


def _line_of(name: str, text: str) -> bytes:
    return cosign(text, UnsafeHeadSigner(name), time=NOW).encode()


LIES: dict[str, Change] = {
    "another head": lambda answer: answer._replace(
        status=200, body=_line_of(NAMES[0], "cairn/testnet\n1\n")
    ),
    "a flipped bit": lambda answer: answer._replace(
        body=answer.body[:-4] + (b"AAA\n" if answer.body[-4:] != b"AAA\n" else b"BBB\n")
    ),
    "another key": lambda answer: answer._replace(body=_line_of("mallory", "x\n")),
    "the name alone": lambda answer: answer._replace(body=b"\xe2\x80\x94 " + NAMES[0].encode()),
    "nothing": lambda answer: answer._replace(body=b""),
    "garbage": lambda answer: answer._replace(body=b"\xff\x00" * 50),
    "too much": lambda answer: answer._replace(body=answer.body * 400),
    "a size without digits": lambda answer: answer._replace(
        status=409, headers={"content-type": "text/x.tlog.size"}, body=b"many\n"
    ),
    "a size beyond ours": lambda answer: answer._replace(
        status=409, headers={"content-type": "text/x.tlog.size"}, body=b"99\n"
    ),
    "a refusal": lambda answer: answer._replace(status=403, body=b"no"),
    "trouble": lambda answer: answer._replace(status=500, body=b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_witness_counts_nothing_and_spoils_nothing(world: World, lie: str) -> None:
    world.lines[0].change = LIES[lie]
    world.lines[1].change = away

    assert world.collector.run_once() is None
    assert world.cosigned()[0] == 503
    assert world.collector.states[NAMES[0]] != "co-signed"

    world.lines[1].change = lambda answer: answer
    assert world.collector.run_once() is not None
    assert verify_head(world.cosigned()[1], world.trust, now=NOW).height == 0


def test_only_the_line_itself_is_taken_from_an_answer(world: World) -> None:
    world.lines[0].change = lambda answer: answer._replace(body=b"\n" + answer.body)
    world.lines[1].change = lambda answer: answer._replace(
        body=b"\xe2\x80\x94 stranger AAAAAAAA\n" + answer.body
    )
    world.lines[2].change = away

    assert world.collector.run_once() is not None
    assert "stranger" not in world.cosigned()[1]
    assert len(parse_head(world.cosigned()[1]).note.signatures) == 3


def test_one_witness_at_two_addresses_counts_once(world: World) -> None:
    world.lines[1].inner, world.lines[2].change = world.lines[0].inner, away

    assert world.collector.run_once() is None
    assert world.cosigned()[0] == 503


def test_a_witness_that_saw_more_than_the_ledger_has_is_told_apart(world: World) -> None:
    world.lines[0].change, world.lines[1].change = LIES["a size beyond ours"], away

    # Without the quorum all three are waited for.
    assert world.collector.run_once() is None
    assert world.collector.states[NAMES[0]].startswith("WitnessAhead")


def test_the_store_keeps_nothing_without_its_quorum(world: World, tmp_path: Path) -> None:
    with pytest.raises(HeadNotWitnessed):
        world.store.keep(world.ledger.head())

    with pytest.raises(HeadNotCosigned):
        world.store.cosigned(None)
    with pytest.raises(NotWitnessed):
        CosignedHeadStore(tmp_path / "none.db", trust_anchor())


def test_without_witnesses_there_is_no_cosigned_head(world: World) -> None:
    with TestClient(create_app(world.ledger, trust_anchor())) as http:
        assert http.get("/registry/head", params={"cosigned": "true"}).status_code == 404


# --- readers


def test_a_reader_who_names_witnesses_believes_nothing_before_the_quorum(world: World) -> None:
    raw, author = new_did("alice")
    client = world.client()
    with pytest.raises(NodeUnreachable):
        client.head()
    world.collector.run_once()
    client.submit(raw)  # final, and not yet anchored under a witnessed head

    assert client.did_record(author.did) is None
    assert client.head().height == 0

    world.collector.run_once()
    record = client.did_record(author.did)
    assert record is not None
    assert client.head().height == 1


def test_a_reader_is_not_fooled_by_an_unwitnessed_head(world: World) -> None:
    world.collector.run_once()
    raw, author = new_did("alice")
    world.ledger.submit(raw)
    honest_get = world.node.get

    def lying(path: str) -> Answer:
        if path.startswith("/registry/head"):
            path = "/registry/head"
        return honest_get(path)

    world.node.get = lying  # type: ignore[method-assign]
    with pytest.raises(NodeNotTrusted):
        world.client().did_record(author.did)

    del world.node.get
    assert world.client().did_record(author.did) is None

"""The client believes what is proven and nothing else: a lie of a node becomes `Unavailable`."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from registry.api.app import create_app
from registry.client import Answer, AsgiTransport, NodeNotTrusted, RegistryClient, Transport
from registry.client.transport import NodeUnreachable
from registry.core.checkpoint import HeadForked, HeadWentBack
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.records import did_key
from registry.core.refusals import Conflict, Malformed, NotPermitted, Unavailable
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import (
    CREATED,
    Author,
    UnsafeHeadSigner,
    UnsafeKey,
    details_of,
    fresh_nonce,
    genesis,
    new_did,
    root_author,
    trust_anchor,
)

Change = Callable[[str, Answer], Answer]


@dataclass
class Node(Transport):
    """Passes on to an application, counts, and lies where a test says."""

    inner: Transport
    change: Change = lambda _path, answer: answer
    paths: list[str] = field(default_factory=list)

    def get(self, path: str) -> Answer:
        self.paths.append(path)
        return self.change(path, self.inner.get(path))

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        self.paths.append(path)
        return self.change(path, self.inner.post(path, body, content_type))


@dataclass
class World:
    """A running node and a client that reads it."""

    ledger: EmbeddedLedger
    node: Node
    seconds: list[float]

    def client(self, **changes: Any) -> RegistryClient:
        arguments = {
            "transport": self.node,
            "trust": trust_anchor(),
            "now": lambda: self.seconds[0],
            "random": lambda _size: fresh_nonce(),
            **changes,
        }
        return RegistryClient(**arguments)


def running(path: Path) -> tuple[EmbeddedLedger, AsgiTransport]:
    ledger = EmbeddedLedger.open(
        path, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
    )
    return ledger, AsgiTransport(create_app(ledger, trust_anchor()))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ledger, transport = running(tmp_path / "ledger.db")
    yield World(ledger, Node(transport), [1000.0])
    transport.close()
    ledger.close()


def changed(answer: Answer, change: Callable[[dict[str, Any]], None]) -> Answer:
    body = json.loads(answer.body)
    change(body)
    return answer._replace(body=json.dumps(body).encode())


def test_write_and_read(world: World) -> None:
    client = world.client()
    raw, author = new_did("alice")

    receipt = client.submit(raw)

    assert client.submit(raw) == receipt
    record = client.did_record(author.did)
    assert record is not None
    assert record.version == 1
    document = client.resolve(author.did)
    assert document is not None
    assert document["id"] == author.did
    assert client.head().height == client.height() == 1
    network = client.network_record()
    assert network is not None
    assert network.network == client.network == "testnet"


def test_absence_is_none_for_every_kind(world: World) -> None:
    client = world.client()
    nobody = new_did("nobody")[1].did

    assert client.did_record(nobody) is None
    assert client.resolve(nobody) is None
    assert client.accreditations(nobody) == ()
    assert client.accreditation("A" * 22) is None
    assert client.schema("resident-identity", "1") is None
    assert client.batch(nobody, "A" * 22) is None
    assert client.batch_proof(nobody, "A" * 22) is None
    assert client.status_list("https://issuer.example/status/1") is None
    assert client.relying_party(nobody) is None
    assert not client.is_accredited(nobody, "resident-identity", 5)


def test_the_document_of_an_earlier_height(world: World) -> None:
    client = world.client()
    raw, author = new_did("alice")
    client.submit(raw)
    update = UpdateDid(version=1, details=details_of(author.private))
    client.submit_transaction(author.did, author, update)
    client.submit_transaction(author.did, author, DeactivateDid(version=2))

    versions = [client.did_record_at(author.did, height) for height in range(5)]

    assert [item and item.version for item in versions] == [None, 1, 2, 3, 3]
    before, after = client.resolve(author.did, 2), client.resolve(author.did, 3)
    assert before is not None
    assert after is not None
    assert "verificationMethod" in before
    assert "verificationMethod" not in after
    assert client.resolve(author.did, 0) is None


def test_did_key_needs_no_node(world: World) -> None:
    document = world.client().resolve(UnsafeKey("x").key.did_key)

    assert document is not None
    assert world.node.paths == []


def test_a_refusal_comes_back_as_its_kind(world: World) -> None:
    client = world.client()
    raw, author = new_did("alice")
    client.submit(raw)
    stranger = Author(author.did, author.fragment, UnsafeKey("mallory"))

    with pytest.raises(NotPermitted):
        client.submit_transaction(author.did, stranger, DeactivateDid(version=1))
    with pytest.raises(Conflict):
        client.submit_transaction(author.did, author, DeactivateDid(version=9))
    with pytest.raises(Malformed):
        client.submit(raw[:-1])


def test_reads_are_cached_for_seconds_and_writes_are_seen_at_once(world: World) -> None:
    client = world.client(cache_seconds=2.0)
    raw, author = new_did("alice")
    assert client.did_record(author.did) is None
    asked = len(world.node.paths)

    assert client.did_record(author.did) is None
    assert len(world.node.paths) == asked
    client.submit(raw)
    assert client.did_record(author.did) is not None

    other = world.client()
    world.ledger.submit(author.transaction(DeactivateDid(version=1)))
    record = client.did_record(author.did)
    assert record is not None
    assert record.version == 1
    world.seconds[0] += 2.0
    record = client.did_record(author.did)
    assert record is not None
    assert record.version == 2
    world.seconds[0] -= 100  # a clock that goes back empties the cache
    asked = len(world.node.paths)
    client.did_record(author.did)
    assert len(world.node.paths) > asked
    assert other.did_record(author.did) == record


def test_fresh_reads_past_the_cache(world: World) -> None:
    client = world.client()
    client.status_list("https://issuer.example/1")
    asked = len(world.node.paths)

    client.status_list("https://issuer.example/1", fresh=True)

    assert len(world.node.paths) == asked + 1


def lie(change: Callable[[dict[str, Any]], None]) -> Change:
    def at_records(path: str, answer: Answer) -> Answer:
        return changed(answer, change) if path.startswith("/registry/records") else answer

    return at_records


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "no proof": lambda body: body.update(proof=None),
    "proof left out": lambda body: body.pop("proof"),
    "record hidden": lambda body: body.update(record=None),
    "record changed": lambda body: body["record"].update(version=2),
    "record of another shape": lambda body: body.update(record=[]),
    "number too long for JSON": lambda body: body["record"].update(version=2**60),
    "another key": lambda body: body["proof"].update(key="network"),
    "path cut": lambda body: body["proof"].update(path=[], bits=0),
    "path with another hash": lambda body: body["proof"]["path"].__setitem__(0, "A" * 43),
    "no head": lambda body: body.update(head=""),
    "unsigned head": lambda body: body.update(head=body["head"].split("\n\n")[0] + "\n"),
    "head changed": lambda body: body.update(head=body["head"].replace("height 2", "height 3")),
    "unknown member": lambda body: body.update(note="trust me"),
}


@pytest.mark.parametrize("name", LIES)
def test_an_answer_that_proves_nothing_is_no_answer(world: World, name: str) -> None:
    raw, author = new_did("alice")
    world.ledger.submit(raw)
    world.ledger.submit(new_did("bob")[0])
    client = world.client(cache_seconds=0)
    assert client.did_record(author.did) is not None

    world.node.change = lie(LIES[name])
    with pytest.raises(Unavailable):
        client.did_record(author.did)
    with pytest.raises(Unavailable):
        world.client().did_record(author.did)

    world.node.change = lambda _path, answer: answer
    assert client.did_record(author.did) is not None


def test_absence_is_not_believed_without_proof(world: World) -> None:
    raw, author = new_did("alice")
    world.ledger.submit(raw)
    missing = Answer(404, {"content-type": "application/problem+json"}, b'{"detail":"none"}')
    world.node.change = lambda _path, _answer: missing

    with pytest.raises(Unavailable):
        world.client().did_record(author.did)


@pytest.mark.parametrize("status", [200, 301, 403, 500, 503])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"<html>"])
def test_rubbish_is_no_answer(world: World, status: int, body: bytes) -> None:
    world.node.change = lambda _path, _answer: Answer(status, {}, body)

    for ask in (
        lambda: world.client().did_record(root_author().did),
        lambda: world.client().head(),
        lambda: world.client().accreditations(root_author().did),
    ):
        with pytest.raises(Unavailable):
            ask()


def test_heads_of_another_key_or_network_are_not_believed(world: World) -> None:
    mallory = trust_anchor(UnsafeHeadSigner("mallory"))

    with pytest.raises(NodeNotTrusted):
        world.client(trust=mallory).head()


def test_a_head_older_than_seen_is_refused(world: World) -> None:
    client = world.client(cache_seconds=0)
    old = world.node.get("/registry/head")
    old_record = world.node.get(f"/registry/records?key={did_key(root_author().did)}&proof=true")
    world.ledger.submit(new_did("alice")[0])
    assert client.head().height == 1

    world.node.change = lambda path, _answer: old if path == "/registry/head" else old_record
    for ask in (client.head, lambda: client.did_record(root_author().did)):
        with pytest.raises(NodeNotTrusted) as caught:
            ask()
        assert isinstance(caught.value.__cause__, HeadWentBack)

    assert client.height() == 1


def test_a_fork_is_refused(world: World, tmp_path: Path) -> None:
    """The same operator's key signs two histories; who has seen one refuses the other."""
    client = world.client(cache_seconds=0)
    world.ledger.submit(new_did("alice")[0])
    client.head()
    (tmp_path / "fork").mkdir()
    ledger, transport = running(tmp_path / "fork" / "ledger.db")
    try:
        ledger.submit(new_did("bob")[0])
        honest, world.node.inner = world.node.inner, transport

        with pytest.raises(NodeNotTrusted) as caught:
            client.head()
        assert isinstance(caught.value.__cause__, HeadForked)

        for name in ("carol", "dave"):  # a longer fork has no consistency proof to offer
            ledger.submit(new_did(name)[0])
            with pytest.raises(NodeNotTrusted):
                client.head()
            with pytest.raises(NodeNotTrusted):
                client.did_record(root_author().did)

        world.node.inner = honest
        assert client.head().height == 1
    finally:
        transport.close()
        ledger.close()


def test_a_head_that_advances_is_asked_for_its_history(world: World) -> None:
    client = world.client(cache_seconds=0)
    client.head()
    world.ledger.submit(new_did("alice")[0])

    client.head()

    assert "/registry/log/consistency?first=1&second=2" in world.node.paths
    world.ledger.submit(new_did("bob")[0])
    world.node.change = lambda path, answer: (
        changed(answer, lambda body: body.update(path=[])) if "consistency" in path else answer
    )
    with pytest.raises(NodeNotTrusted):
        client.head()
    assert client.height() == 1


def test_a_receipt_is_checked(world: World) -> None:
    def other_transaction(body: dict[str, Any]) -> None:
        body["transaction"] = "0" * 64

    def beyond(body: dict[str, Any]) -> None:
        body["index"] = 99

    for number, change in enumerate((other_transaction, beyond, LIES["no head"])):
        raw, _ = new_did(f"author {number}")
        world.node.change = lambda path, answer, change=change: (  # type: ignore[misc]
            changed(answer, change) if path == "/registry/transactions" else answer
        )
        with pytest.raises(NodeNotTrusted):
            world.client().submit(raw)
        world.node.change = lambda _path, answer: answer
        assert world.client().submit(raw).index == number + 1


def test_an_answer_that_never_comes_is_unavailable(world: World) -> None:
    release = threading.Event()

    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        import asyncio

        while not release.is_set():
            await asyncio.sleep(0.01)

    transport = AsgiTransport(stuck, timeout_seconds=0.1)
    try:
        with pytest.raises(NodeUnreachable):
            world.client(transport=transport).head()
    finally:
        release.set()
        transport.close()
    with pytest.raises(NodeUnreachable):
        transport.get("/registry/head")


def test_many_threads_read_while_the_ledger_grows(world: World) -> None:
    client = world.client(cache_seconds=0)
    authors = [new_did(f"author {number}") for number in range(30)]

    def write() -> None:
        for raw, _ in authors:
            world.ledger.submit(raw)

    def read(worker: int) -> int:
        heights = [client.head().height]
        for _, author in authors[worker::3]:
            client.did_record(author.did)
            heights.append(client.height())
        assert heights == sorted(heights)
        return heights[-1]

    with ThreadPoolExecutor(7) as pool:
        writer = pool.submit(write)
        readers = [pool.submit(read, worker % 3) for worker in range(6)]
        writer.result()
        for reader in readers:
            assert reader.result() <= 30

    assert client.head().height == world.ledger.health().height

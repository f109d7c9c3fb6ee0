"""A client of a consortium asks any member and believes none of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.client import AsgiTransport, NodeNotTrusted, RegistryClient
from registry.client.forks import ForkSeen, ForkWatch
from registry.client.members import MembersTransport
from registry.client.transport import NodeUnreachable
from registry.client.trust_store import AnotherRegistry, FileTrustStore, TrustStoreFailed
from registry.consortium.anchor import served_anchor
from registry.core.checkpoint import parse_head
from registry.core.consortium_anchor import ConsortiumAnchor, parse_consortium_anchor
from registry.core.encoding import base64url_decode
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import NANOSECONDS
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.verification import (
    ChainForked,
    HeaderFromTheFuture,
    HeaderNotTrusted,
    TrustExpired,
)
from registry.core.refusals import Refusal
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import CREATED, fresh_nonce, new_did
from tests.registry.client.consortium import Consortium, Member
from tests.registry.client.test_client import running


@dataclass
class World:
    ledger: EmbeddedLedger
    inner: AsgiTransport
    consortium: Consortium
    members: list[Member]
    clock: list[float]
    anchor: ConsortiumAnchor

    def client(self, **changes: Any) -> RegistryClient:
        arguments = {
            "transport": MembersTransport(self.members),
            "trust": self.anchor,
            "now": lambda: self.clock[0],
            "random": lambda _size: fresh_nonce(),
            "clock": lambda: self.clock[0],
            "cache_seconds": 0.0,
            **changes,
        }
        return RegistryClient(**arguments)

    def grow(self, count: int) -> None:
        for _ in range(count):
            self.ledger.submit(new_did(f"author {fresh_nonce().hex()}")[0])


@pytest.fixture(params=[10**9], ids=["still"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    ledger, inner = running(tmp_path / "ledger.db")
    consortium = Consortium(every=request.param)
    members = [Member(inner, consortium) for _ in range(3)]
    yield World(ledger, inner, consortium, members, [CREATED + 5_000.0], consortium.anchor())
    inner.close()
    ledger.close()


changing = pytest.mark.parametrize("world", [7], indirect=True, ids=["changing"])


def test_any_member_will_do_and_its_death_is_survived(world: World) -> None:
    client = world.client()
    raw, author = new_did("alice")
    client.submit(raw)
    world.members[0].alive = False

    assert client.did_record(author.did) is not None
    other, bob = new_did("bob")
    receipt = client.submit(other)
    assert client.submit(other) == receipt  # safe to repeat
    assert client.did_record(bob.did) is not None
    for member in world.members:
        member.alive = False
    with pytest.raises(NodeUnreachable):
        client.head()


def test_a_member_that_shows_the_past_is_passed_over(world: World) -> None:
    client = world.client()
    client.head()
    world.members[0].frozen = {}
    client.head()
    raw, author = new_did("alice")
    world.members[1].post("/registry/transactions", raw)

    world.clock[0] += 10
    client._reader.heads.accept(world.members[1].get("/registry/head").body.decode(), floor=None)

    assert client.head().height == 1
    assert client.did_record(author.did) is not None
    assert world.members[1].asked[-1].startswith("/registry/records")


def test_a_members_refusal_is_not_believed_either(world: World) -> None:
    raw, author = new_did("alice")
    path = "/registry/transactions"
    refusal = world.members[0].post(path, b"{}")
    assert refusal.status == 400
    world.members[0].frozen = {path: refusal}

    client = world.client()

    assert client.submit(raw).height == 1
    assert client.did_record(author.did) is not None
    with pytest.raises(Refusal):
        client.submit(raw.replace(b'"nonce":"', b'"nonce":"A'))  # two members agree that it is none


@changing
def test_the_oldest_anchor_follows_validators_who_were_all_replaced(world: World) -> None:
    world.grow(12)
    client = world.client()

    assert client.head().height == 12
    moved = client.trust
    assert isinstance(moved, ConsortiumAnchor)
    assert moved.newest.height == 130
    assert not set(world.anchor.newest.validators.validators) & set(
        moved.newest.validators.validators
    )
    fetched = [path for member in world.members for path in member.asked if "light-blocks" in path]
    assert 1 < len(fetched) < 120  # it skips what it can


@changing
def test_a_member_that_withholds_a_light_block_is_passed_over(world: World) -> None:
    world.grow(12)
    world.members[0].withheld = set(range(2, 130))

    assert world.client().head().height == 12

    for member in world.members:
        member.withheld = set(range(2, 130))
    with pytest.raises((NodeNotTrusted, NodeUnreachable)):
        world.client().head()


@changing
def test_what_was_followed_outlives_the_process(world: World, tmp_path: Path) -> None:
    world.grow(12)
    store = FileTrustStore(tmp_path / "followed.db")
    world.client(store=store).head()
    store.close()
    for member in world.members:  # what lay between is gone
        member.withheld = set(range(2, 130))

    again = FileTrustStore(tmp_path / "followed.db")
    client = world.client(store=again)

    assert client.head().height == 12
    with pytest.raises((NodeNotTrusted, NodeUnreachable)):
        world.client().head()
    again.close()


@changing
def test_two_processes_share_what_was_followed_and_none_goes_back(
    world: World, tmp_path: Path
) -> None:
    one, other = (FileTrustStore(tmp_path / "followed.db") for _ in range(2))
    slow = world.client(store=one)
    world.grow(6)
    slow.head()
    world.grow(6)
    world.client(store=other).head()
    newest = one.load(world.anchor)
    assert newest.newest.height == 130

    assert one.swap(world.anchor, world.anchor) == newest

    assert other.load(world.anchor) == newest
    assert slow.head().height == 12
    one.close()
    other.close()


def test_a_file_of_another_registry_or_of_other_use_is_refused(
    world: World, tmp_path: Path
) -> None:
    store = FileTrustStore(tmp_path / "followed.db")
    client = world.client(store=store)
    client.head()
    other = Consortium(lie=b"x").anchor()
    chain = other.rules.__class__(chain_id="other", trusting_seconds=9, drift_seconds=1)
    stranger = ConsortiumAnchor(
        network=other.network, rules=chain, trusted=other.trusted, roots=other.roots
    )
    moved = client.trust
    assert isinstance(moved, ConsortiumAnchor)
    store.swap(world.anchor, moved)

    with pytest.raises(AnotherRegistry):
        store.load(stranger)
    store.close()
    (tmp_path / "noise.db").write_bytes(b"no database" * 99)
    with pytest.raises(TrustStoreFailed):
        FileTrustStore(tmp_path / "noise.db")


def test_trust_ends_with_the_clock_and_a_clock_that_is_behind_sees_the_future(world: World) -> None:
    world.grow(1)
    rules = world.anchor.rules
    world.clock[0] = CREATED + rules.trusting_seconds + 2
    with pytest.raises(NodeNotTrusted) as caught:
        world.client().head()
    assert isinstance(caught.value.__cause__, TrustExpired)

    world.clock[0] = CREATED - rules.drift_seconds
    with pytest.raises(NodeNotTrusted) as caught:
        world.client().head()
    assert isinstance(caught.value.__cause__, HeaderFromTheFuture)


def watch_of(client: RegistryClient, world: World, folder: Path) -> ForkWatch:
    return ForkWatch(
        client.head_trust, world.members, evidence=folder, clock=lambda: world.clock[0]
    )


def test_members_who_agree_are_no_fork(world: World, tmp_path: Path) -> None:
    client = world.client()
    watch = watch_of(client, world, tmp_path / "evidence")
    assert watch.look().height is None
    client.head()
    world.members[2].alive = False

    seen = watch.look()

    assert (seen.height, seen.agreed, seen.silent, seen.unbelieved) == (10, 2, 1, 0)
    assert not (tmp_path / "evidence").exists()


def test_a_fork_is_seen_kept_as_evidence_and_nothing_is_believed_any_more(
    world: World, tmp_path: Path
) -> None:
    client = world.client()
    client.head()
    world.members[1].consortium = Consortium(lie=b"other", heads=world.consortium.heads)

    with pytest.raises(ForkSeen) as caught:
        watch_of(client, world, tmp_path / "evidence").look()

    evidence = json.loads(caught.value.evidence.read_text())
    anchor = parse_consortium_anchor(evidence["anchor"])
    blocks = [parse_light_block(base64url_decode(text)) for text in evidence["light_blocks"]]
    hashes = {anchor.verify(block, now=int(world.clock[0]) * NANOSECONDS).hash for block in blocks}
    assert len(hashes) == 2
    assert len({block.header.height for block in blocks}) == 1
    with pytest.raises(NodeNotTrusted) as refused:
        client.head()
    assert isinstance(refused.value.__cause__, ChainForked)


def test_a_header_that_a_member_made_up_is_no_fork(world: World, tmp_path: Path) -> None:
    client = world.client()
    client.head()
    invented = Consortium(lie=b"other", heads=world.consortium.heads)
    invented.seeds = lambda _height: (21, 22, 23, 24)  # type: ignore[method-assign]
    world.members[1].consortium = invented
    verify_commit(invented.block(10))

    seen = watch_of(client, world, tmp_path / "evidence").look()

    assert (seen.agreed, seen.unbelieved) == (2, 1)
    assert client.head().height == 0


def test_a_head_of_strangers_is_not_believed(world: World) -> None:
    client = world.client()
    client.head()
    world.grow(2)
    invented = Consortium()
    invented.seeds = lambda _height: (21, 22, 23, 24)  # type: ignore[method-assign]
    for member in world.members:
        member.consortium = invented

    with pytest.raises(NodeNotTrusted) as caught:
        client.head()

    assert isinstance(caught.value.__cause__, HeaderNotTrusted)
    assert parse_head(world.ledger.head()).claimed.height == 2


@changing
def test_on_a_quiet_ledger_trust_goes_on_by_the_newest_light_block(world: World) -> None:
    world.grow(1)
    client = world.client()
    client.head()
    for member in world.members:
        member.newest = 300

    client.follow()

    moved = client.trust
    assert isinstance(moved, ConsortiumAnchor)
    assert moved.newest.height == 300
    world.members[0].newest = 200  # one that lags takes nobody back
    client.follow()
    assert client.trust == moved


def test_a_member_hands_out_an_anchor_that_has_not_expired(world: World) -> None:
    newest = [50]

    def light_block(height: int | None) -> bytes:
        return light_block_bytes(world.consortium.block(height or newest[0]))

    served = served_anchor(world.anchor, light_block, clock=lambda: world.clock[0])

    first = served()
    newest[0] = world.anchor.rules.trusting_seconds * 2
    world.clock[0] = CREATED + newest[0] + 1
    second = served()

    for anchor, height in ((first, 50), (second, newest[0])):
        assert isinstance(anchor, ConsortiumAnchor)
        assert anchor.newest.height == height
        assert anchor.roots == world.anchor.roots

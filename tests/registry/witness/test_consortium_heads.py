"""Witnesses and monitors of a consortium: they follow its validators as long as they look."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.client import AsgiTransport
from registry.client.trust_store import FileTrustStore
from registry.core.checkpoint import parse_head
from registry.core.cosignature import Witnesses, verify_cosignatures
from registry.core.light_client.verification import NotEnoughTrust, TrustExpired
from registry.core.log_tree import LogTree, WholeTree
from registry.core.merkle_log import leaf_hash
from registry.core.signed_note import parse_note
from registry.core.witnessing import AddCheckpoint, encode_add_checkpoint
from registry.ledger.embedded import EmbeddedLedger
from registry.monitor.alarm import Alarm, Kind
from registry.monitor.follow import Monitor
from registry.monitor.memory import Memory
from registry.monitor.node import Node
from registry.witness.service import Witness
from registry.witness.store import WitnessStore
from tests.registry.authors import CREATED, new_did
from tests.registry.client.consortium import Consortium, Member
from tests.registry.client.test_client import running
from tests.registry.core.heads import TestSigner

SIGNER = TestSigner("auditor.example", 9)


@dataclass
class World:
    ledger: EmbeddedLedger
    member: Member
    clock: list[int]
    folder: Path

    def grow(self, count: int) -> None:
        for _ in range(count):
            self.ledger.submit(new_did(f"author {self.ledger.health().height}")[0])

    def head(self) -> str:
        return self.member.get("/registry/head").body.decode()

    def witness(self) -> Witness:
        return Witness(
            logs=[self.member.consortium.anchor()],
            signer=SIGNER,
            store=WitnessStore(self.folder / "witness.db"),
            now=lambda: self.clock[0],
        )

    def request(self, old: int) -> bytes:
        size = self.ledger.health().size
        leaves = [leaf_hash(item) for item in self.ledger.entries(0, size)]
        path = LogTree(WholeTree(leaves), size).consistency_path(old) if old else ()
        return encode_add_checkpoint(AddCheckpoint(old, tuple(path), self.head()))

    def monitor(self) -> Monitor:
        return Monitor(
            trust=self.member.consortium.anchor(),
            node=Node(self.member),
            memory=Memory(self.folder / "monitor.db"),
            now=lambda: self.clock[0],
            random=bytes,
            followed=FileTrustStore(self.folder / "followed.db"),
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ledger, inner = running(tmp_path / "ledger.db")
    yield World(ledger, Member(inner, Consortium(every=7)), [CREATED + 5_000], tmp_path)
    assert isinstance(inner, AsgiTransport)
    inner.close()
    ledger.close()


def test_a_witness_cosigns_heads_of_validators_who_change_one_by_one(world: World) -> None:
    witness, old = world.witness(), 0

    for _ in range(12):
        line = witness.add_checkpoint(world.request(old))
        note = parse_note(world.head() + line)
        verify_cosignatures(note, Witnesses((witness.key,), 1))
        old = parse_head(world.head()).claimed.tree_size
        world.grow(1)

    assert parse_head(witness.last("testnet") or "").claimed.height == 11


def test_a_witness_that_slept_while_all_changed_says_so(world: World) -> None:
    witness = world.witness()
    witness.add_checkpoint(world.request(0))
    world.grow(12)

    with pytest.raises(NotEnoughTrust):
        witness.add_checkpoint(world.request(1))

    assert parse_head(witness.last("testnet") or "").claimed.height == 0


def test_a_monitor_follows_validators_who_were_all_replaced(world: World) -> None:
    first = world.monitor()
    assert first.look().head.height == 0
    world.grow(12)

    assert first.look().head.height == 12
    world.grow(1)
    assert world.monitor().look().head.height == 13  # another run goes on where this one stood


def test_a_monitor_whose_trust_has_expired_accuses_nobody(world: World) -> None:
    world.clock[0] += 365 * 86_400

    with pytest.raises(TrustExpired):
        world.monitor().look()


def test_a_monitor_cries_out_at_heads_of_strangers(world: World) -> None:
    monitor = world.monitor()
    monitor.look()
    world.grow(2)
    stranger = Consortium()
    stranger.seeds = lambda _height: (31, 32, 33, 34)  # type: ignore[method-assign]
    world.member.consortium = stranger

    with pytest.raises(Alarm) as raised:
        monitor.look()

    assert raised.value.kind is Kind.UNSIGNED_HEAD

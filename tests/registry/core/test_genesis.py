"""The genesis: roots whose DIDs their keys give them, and a state made out of nothing."""

from typing import Any

import pytest

from registry.core.did_actions import DeactivateDid
from registry.core.did_record import DidRecord
from registry.core.encoding import parse_json_object
from registry.core.genesis import Genesis, genesis_changes, genesis_member, parse_genesis
from registry.core.identifiers import did_of
from registry.core.network_record import NetworkRecord
from registry.core.records import Block, StateDamaged, did_key
from registry.core.refusals import Malformed
from registry.core.transactions import Payload, parse_transaction
from registry.core.transitions import apply
from tests.registry.core.actors import NETWORK, TestLedger, nonce, pair, sign

GENESIS = Genesis(
    network=NETWORK,
    members=(
        genesis_member(network=NETWORK, name="Ministry of the Interior", keys=[pair("a").key]),
        genesis_member(network=NETWORK, name="最高法院", keys=[pair("b").key, pair("c").key]),
    ),
    created=1_700_000_000,
)


def test_a_genesis_goes_there_and_back() -> None:
    assert parse_genesis(GENESIS.to_object()) == GENESIS


def test_the_genesis_makes_the_network_and_its_roots() -> None:
    changes = genesis_changes(GENESIS)

    network = NetworkRecord.parse(changes["network"])
    assert network.encode() == changes["network"]
    assert (network.network, network.height, network.time) == (NETWORK, 0, 1_700_000_000)
    assert network.roots == {member.did for member in GENESIS.members}
    assert network.genesis == GENESIS.digest
    for member in GENESIS.members:
        record = DidRecord.parse(changes[did_key(member.did)])
        assert record.details.invocation_keys == member.keys
        assert record.height == 0


def test_every_record_names_its_kind() -> None:
    for value in genesis_changes(GENESIS).values():
        assert "record" in parse_json_object(value)


def test_the_did_of_a_root_depends_on_network_and_keys() -> None:
    one = genesis_member(network=NETWORK, name="A", keys=[pair("a").key])

    assert one.did == genesis_member(network=NETWORK, name="B", keys=[pair("a").key]).did
    assert one.did != genesis_member(network="other", name="A", keys=[pair("a").key]).did
    assert one.did != genesis_member(network=NETWORK, name="A", keys=[pair("b").key]).did


def test_every_governance_key_speaks_for_its_root() -> None:
    for fragment, name in (("governance-1", "b"), ("governance-2", "c")):
        did = GENESIS.members[1].did
        payload = Payload(
            network=NETWORK, author=did, nonce=nonce("x"), action=DeactivateDid(version=1)
        )
        data = sign(payload, {f"{did}#{fragment}": pair(name)})

        apply(
            parse_transaction(data),
            state=dict(genesis_changes(GENESIS)),
            block=Block(height=1, time=2, index=1),
        )


def test_nothing_is_applied_before_the_genesis() -> None:
    ledger = TestLedger()
    ledger.state.clear()

    with pytest.raises(StateDamaged):
        ledger.create("agency")


BAD: dict[str, Any] = {
    "no members": lambda g: g.update(members=[]),
    "no network": lambda g: g.update(network=""),
    "a network in capitals": lambda g: g.update(network="Cairn"),
    "another network": lambda g: g.update(network="other"),
    "created as a string": lambda g: g.update(created="today"),
    "created before 1970": lambda g: g.update(created=-1),
    "an unknown member": lambda g: g.update(note=1),
    "a member without keys": lambda g: g["members"][0].update(keys=[]),
    "a member with another's DID": lambda g: g["members"][0].update(did=g["members"][1]["did"]),
    "a member with a chosen DID": lambda g: g["members"][0].update(did=did_of(NETWORK, bytes(20))),
    "one name twice": lambda g: g["members"][1].update(name=g["members"][0]["name"]),
    "one member twice": lambda g: g["members"].append(dict(g["members"][0], name="x")),
    "one key twice": lambda g: g["members"][0].update(keys=g["members"][0]["keys"] * 2),
    "a key that is none": lambda g: g["members"][0].update(keys=["z6Mk"]),
    "a name with a line end": lambda g: g["members"][0].update(name="Ministry\n"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_genesis_is_refused(name: str) -> None:
    genesis = GENESIS.to_object()

    BAD[name](genesis)

    with pytest.raises(Malformed):
        parse_genesis(genesis)


def test_two_members_do_not_share_a_key() -> None:
    shared = Genesis(
        network=NETWORK,
        members=(
            genesis_member(network=NETWORK, name="A", keys=[pair("a").key]),
            genesis_member(network=NETWORK, name="B", keys=[pair("b").key, pair("a").key]),
        ),
        created=0,
    )

    with pytest.raises(Malformed):
        genesis_changes(shared)


@pytest.mark.parametrize("count", [0, 11])
def test_a_member_has_one_to_ten_keys(count: int) -> None:
    with pytest.raises(Malformed):
        genesis_member(network=NETWORK, name="A", keys=[pair(str(n)).key for n in range(count)])

"""The founding: who brings which key, and that everybody makes the same genesis of it."""

import json
from dataclasses import replace
from itertools import permutations

import pytest

from registry.consortium.bundle import BundleDisagrees, parse_bundle
from registry.consortium.contribution import (
    Contribution,
    ContributionNotSigned,
    ContributionsDisagree,
    assemble,
    parse_contribution,
    sign_contribution,
)
from registry.consortium.peer import Peer
from registry.core.encoding import canonical_json
from registry.core.genesis import parse_genesis
from registry.core.refusals import Malformed, Refusal
from registry.ledger.comet.node_files import engine_genesis
from tests.registry.authors import UnsafeKey

NOW = 1_790_000_000


def contribution(name: str, *, number: int = 0, **changes: object) -> Contribution:
    governance, validator = UnsafeKey(f"governance {name}"), UnsafeKey(f"validator {name}")
    unsigned = Contribution(
        network="testnet",
        name=name,
        governance_keys=(governance.key,),
        validator_key=validator.key,
        peer=Peer(
            name=name,
            node_id=f"{number:040x}",
            address=f"{name.lower()}.example:26656",
            api=f"https://{name.lower()}.example",
        ),
        made=NOW + number,
    )
    unsigned = replace(unsigned, **changes)  # type: ignore[arg-type]
    return sign_contribution(
        unsigned, {governance.key: governance.sign, validator.key: validator.sign}
    )


def four() -> list[Contribution]:
    return [
        contribution(name, number=number)
        for number, name in enumerate(["Court", "Ministry", "Auditor", "University"], start=1)
    ]


def test_a_contribution_goes_there_and_back() -> None:
    made = contribution("Court")

    assert parse_contribution(made.encode()) == made


@pytest.mark.parametrize("number", range(2))
def test_each_key_must_have_signed(number: int) -> None:
    made = contribution("Court")
    key = made.keys[number].multikey
    document = json.loads(made.encode())
    without = {**document, "signatures": {**document["signatures"]}}
    del without["signatures"][key]
    swapped = {
        **document,
        "signatures": dict(
            zip(
                document["signatures"], reversed(list(document["signatures"].values())), strict=True
            )
        ),
    }

    for changed in (without, swapped):
        with pytest.raises(ContributionNotSigned):
            parse_contribution(canonical_json(changed))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "Supreme Court"),
        ("network", "othernet"),
        ("made", NOW + 5),
        ("validator_key", None),
        ("governance_keys", [UnsafeKey("mallory").key.multikey]),
    ],
)
def test_nothing_of_it_can_be_changed(member: str, value: object) -> None:
    document = json.loads(contribution("Court").encode())
    document["contribution"][member] = value

    if member == "validator_key":  # what is left is signed by other words
        with pytest.raises(ContributionNotSigned):
            parse_contribution(canonical_json(document))
    else:
        with pytest.raises(Refusal):
            parse_contribution(canonical_json(document))


@pytest.mark.parametrize(
    "peer",
    [
        {"node_id": "XYZ"},
        {"address": "no port"},
        {"address": "a:1,b"},
        {"api": "ftp://court.example"},
        {"api": "https://court.example/?x"},
        {"extra": 1},
    ],
)
def test_peers_of_another_form_are_refused(peer: dict[str, object]) -> None:
    document = json.loads(contribution("Court").encode())
    document["contribution"]["peer"].update(peer)

    with pytest.raises(Malformed):
        parse_contribution(canonical_json(document))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"contribution":{},"signatures":{}}']
)
def test_what_is_no_contribution_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_contribution(data)


def test_everybody_makes_the_same_genesis_in_whatever_order() -> None:
    digests = {
        (assemble(list(order))[0].digest, assemble(list(order))[1])
        for order in permutations(four())
    }

    assert len(digests) == 1
    genesis, peers = assemble(four())
    assert parse_genesis(genesis.to_object()) == genesis
    assert genesis.created == NOW + 4
    assert [member.name for member in genesis.members] == [peer.name for peer in peers]
    validators = engine_genesis(genesis)["validators"]
    assert {item["power"] for item in validators} == {"10"}
    assert len(validators) == 4


def test_contributions_that_claim_the_same_do_not_go_together() -> None:
    court, other = contribution("Court", number=1), contribution("Ministry", number=2)
    same_key = sign_contribution(
        replace(other, governance_keys=court.governance_keys, signatures={}),
        {court.governance_keys[0]: bytes, other.validator_key: bytes},  # type: ignore[dict-item]
    )
    cases = [
        [],
        [court, contribution("Ministry", network="othernet", number=2)],
        [court, contribution("Ministry", number=1)],  # one node
        [court, replace(contribution("Ministry", number=2), name="Court")],
        [court, same_key],
        [contribution("Court", validator_key=None)],
    ]

    for case in cases:
        with pytest.raises(ContributionsDisagree):
            assemble(case)


def test_a_member_may_leave_consensus_to_others() -> None:
    quiet = contribution("Court", number=1, validator_key=None)

    genesis, _ = assemble([parse_contribution(quiet.encode()), contribution("Ministry", number=2)])

    assert [member.validator_key is None for member in genesis.members] == [True, False]


@pytest.mark.parametrize("data", [b"{}", b"[]", b"", b'{"type":"cairn-network/1"}'])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_bundle(data)


def test_refusals_of_bundles_have_a_kind() -> None:
    assert issubclass(BundleDisagrees, Refusal)

"""Three institutions found a network and govern it over HTTP; every step is replayed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.audit import audit
from registry.core.governance_changes import AdmitMember, ChangeRule, RemoveMember
from registry.core.refusals import Conflict, NotPermitted
from tests.registry.governed import Governed, governed

FORTNIGHT = 14 * 86_400


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Governed]:
    with governed(tmp_path, "ministry", "court", "university") as running:
        running.join("auditor")
        yield running


def assert_replays(network: Governed) -> None:
    report = audit(network.ledger, trust=network.trust)
    assert report.fault is None


def admission(network: Governed) -> AdmitMember:
    return AdmitMember(member=network.did("auditor"), name="auditor", validator_key=None)


def test_the_life_of_a_consortium(network: Governed) -> None:
    # Nobody alone: the ministry was first in the genesis, and that gives it nothing.
    with pytest.raises(NotPermitted):
        network.act("ministry", network.grant("auditor", "degree", role="authority"))
    alone = network.propose("ministry", admission(network))
    assert network.vote("court", alone).state == "open"
    assert network.members == ["ministry", "court", "university"]
    assert_replays(network)

    # More than two thirds of three are three.
    assert network.vote("university", alone).state == "accepted"
    assert network.members == ["ministry", "court", "university", "auditor"]
    assert_replays(network)

    # Of four, three. The newcomer votes like the others; who is to go has a vote as well.
    removal = RemoveMember(member=network.did("ministry"))
    pending = network.propose("auditor", removal)
    network.vote("ministry", pending, "no")
    network.vote("court", pending)
    assert network.vote("university", pending).state == "accepted"
    assert network.members == ["court", "university", "auditor"]
    with pytest.raises(NotPermitted):
        network.propose("ministry", admission(network))
    former = network.client.governance.member(network.did("ministry"))
    assert former is not None
    assert not former.active
    assert_replays(network)

    # What nobody decides runs out by the time of the blocks.
    rule = ChangeRule(rule="disclosure-signers", value=3)
    forgotten = network.propose("court", rule)
    network.vote("university", forgotten)
    network.clock[0] += FORTNIGHT + 1
    with pytest.raises(Conflict):
        network.vote("auditor", forgotten)
    assert network.client.governance.rules().disclosure_signers == 2
    again = network.decide(rule, "court", "university", "auditor")
    assert again.state == "accepted"
    assert network.proposal(forgotten).state == "expired"
    assert network.client.governance.rules().disclosure_signers == 3
    assert_replays(network)

    assert [item.state for item in network.client.governance.proposals()] == [
        "accepted",
        "expired",
        "accepted",
        "accepted",
    ]


def test_a_removed_members_grants_stay(network: Governed) -> None:
    network.decide(network.grant("auditor", "degree"), "ministry", "court", "university")
    removal = RemoveMember(member=network.did("ministry"))
    network.decide(removal, "ministry", "court", "university")

    height = network.client.head().height
    assert network.client.is_accredited(network.did("auditor"), "degree", height)
    assert_replays(network)


def test_every_vote_can_be_read_from_the_file_alone(network: Governed) -> None:
    pending = network.propose("ministry", admission(network))
    network.vote("court", pending, "no")
    decided = network.proposal(pending)
    assert decided.state == "rejected"
    network.ledger.close()

    report = audit(network.path, trust=network.trust)

    assert report.fault is None
    assert report.entries == 4

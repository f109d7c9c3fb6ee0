"""Members, rules, proposals and orders over HTTP: every part of an answer proves itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.client import Answer, NodeNotTrusted
from registry.core.checkpoint import verify_head
from registry.core.disclosure import RecordDisclosure
from registry.core.encoding import canonical_json
from registry.core.governance_changes import ChangeRule, ScheduleUpgrade
from registry.core.hashing import sha256
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from registry.core.transactions import Payload
from tests.registry.authors import NETWORK, fresh_nonce, new_did, signed
from tests.registry.core.heads import NOW
from tests.registry.governed import Governed, governed, identifier

RULE = ChangeRule(rule="voting-seconds", value=3600)
NOBODY = new_did("nobody")[1].did


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Governed]:
    with governed(tmp_path, "ann", "bob", "cat") as running:
        yield running


def get(network: Governed, path: str) -> Any:
    answer: Answer = network.http.get(path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def proven(network: Governed, body: Any) -> Any:
    head = verify_head(body["head"], network.trust, now=NOW)
    value = None if body["record"] is None else canonical_json(body["record"])
    verify_map_proof(
        parse_map_proof(body["proof"]), key=body["key"], value=value, root=head.state_root
    )
    return body["record"]


def order(network: Governed, number: int) -> None:
    named = (network.people["ann"], network.people["bob"])
    action = RecordDisclosure(
        number=number,
        reference=identifier(f"order {number}"),
        legal_basis="court-order",
        institutions=tuple(author.did for author in named),
        commitment=sha256(b"whose"),
        notice_days=0,
    )
    payload = Payload(network=NETWORK, author=named[0].did, nonce=fresh_nonce(), action=action)
    network.client.submit(signed(payload, *named))


def test_members(network: Governed) -> None:
    body = get(network, "/registry/members?proof=true")

    assert [proven(network, item)["name"] for item in body["members"]] == ["ann", "bob", "cat"]
    listed = proven(network, body["listed"])
    assert listed["active"] == [item["record"]["member"] for item in body["members"]]
    one = get(network, f"/registry/members/{network.did('bob')}?proof=true")
    assert proven(network, one)["name"] == "bob"
    assert proven(network, get(network, f"/registry/members/{NOBODY}?proof=true")) is None
    assert network.http.get(f"/registry/members/{NOBODY}").status == 404
    assert proven(network, get(network, "/registry/rules?proof=true"))["voting_seconds"] == 1209600


def test_proposals_by_state(network: Governed) -> None:
    accepted = network.decide(RULE, "ann", "bob", "cat").id
    upgrade = ScheduleUpgrade(at_height=1000, version="2.0.0")
    rejected = network.propose("ann", upgrade)
    network.vote("bob", rejected, "no")
    pending = network.propose("ann", upgrade)

    def ids(query: str) -> list[str]:
        body = get(network, f"/registry/proposals?proof=true{query}")
        assert proven(network, body["listed"])["count"] == 3
        assert all(proven(network, item) for item in body["numbers"])
        return [proven(network, item)["proposal"] for item in body["proposals"]]

    assert ids("") == [pending, rejected, accepted]
    assert ids("&state=open") == [pending]
    assert ids("&state=rejected") == [rejected]
    assert ids("&state=accepted") == [accepted]
    assert ids("&state=expired") == ids("&state=failed") == []
    network.clock[0] += 3601
    network.join("dan")  # a head of that time
    assert ids("&state=open") == []
    assert ids("&state=expired") == [pending]
    one = get(network, f"/registry/proposals/{pending}?proof=true")
    assert proven(network, one)["votes"][0]["vote"] == "yes"
    assert network.http.get("/registry/proposals?state=lost").status == 422
    assert network.http.get("/registry/proposals/" + "0" * 64).status == 404


def test_proposals_in_pages_leave_none_out(network: Governed) -> None:
    for number in range(3):
        network.propose("ann", ScheduleUpgrade(at_height=1000 + number, version="2.0.0"))

    first = get(network, "/registry/proposals?limit=2&proof=true")
    second = get(network, f"/registry/proposals?limit=2&proof=true&before={first['before']}")

    numbers = [item["record"]["number"] for item in first["numbers"] + second["numbers"]]
    assert numbers == [3, 2, 1]
    assert (first["before"], second["before"]) == (2, None)
    bare = get(network, "/registry/proposals?limit=2")
    assert bare["numbers"] == []
    assert len(bare["proposals"]) == 2


def test_no_proposals_and_no_orders_are_proven_too(network: Governed) -> None:
    nothing = get(network, "/registry/proposals?proof=true")
    none = get(network, "/registry/disclosures?proof=true")

    assert proven(network, nothing["listed"]) is None
    assert nothing["proposals"] == []
    assert proven(network, none["counted"]) is None
    assert (none["count"], none["orders"]) == (0, [])
    assert list(network.client.governance.proposals()) == []
    assert network.client.governance.disclosure_count() == 0


def test_the_public_count_of_disclosures(network: Governed) -> None:
    for number in (1, 2, 3):
        order(network, number)

    body = get(network, "/registry/disclosures?proof=true&limit=2")
    older = get(network, "/registry/disclosures?proof=true&before=2")

    assert proven(network, body["counted"])["count"] == body["count"] == 3
    assert [proven(network, item)["number"] for item in body["orders"]] == [3, 2]
    assert [proven(network, item)["number"] for item in older["orders"]] == [1]
    told = list(network.client.governance.disclosure_orders())
    assert [item.number for item in told] == [3, 2, 1]
    assert set(told[0].institutions) == {network.did("ann"), network.did("bob")}
    assert sorted(body["orders"][0]["record"]) == [
        "commitment", "height", "institutions", "legal_basis", "notice_days", "number", "record",
        "reference", "time",
    ]  # and nothing of a person  # fmt: skip


def test_the_client_reads_open_proposals_and_the_upgrade(network: Governed) -> None:
    governance = network.client.governance
    assert governance.upgrade() is None
    network.decide(ScheduleUpgrade(at_height=1000, version="2.0.0"), "ann", "bob", "cat")
    pending = network.propose("ann", RULE)
    time = network.client.head().time

    upgrade = governance.upgrade()
    assert upgrade is not None
    assert upgrade.version == "2.0.0"
    (found,) = governance.open_proposals(time=time)
    assert found.id == pending
    assert governance.open_proposals(time=found.expires + 1) == ()
    assert governance.proposal("0" * 64) is None
    assert governance.member(NOBODY) is None


def test_the_client_believes_no_missing_record(network: Governed) -> None:
    network.propose("ann", RULE)
    record = network.client.record
    governance = type(network.client.governance)(
        lambda key: None if key.startswith("proposal-number/") else record(key)
    )

    with pytest.raises(NodeNotTrusted):
        list(governance.proposals())

"""Status lists on the ledger: versions in order, URIs that stay with their issuer."""

from typing import Any

import pytest

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    SuspendAccreditation,
)
from registry.core.records import status_key, status_list_key
from registry.core.refusals import Malformed
from registry.core.status import (
    MayNotPublishStatus,
    PublishStatus,
    StatusGroupRecord,
    StatusListDropped,
    StatusListTaken,
    StatusRecord,
    StatusVersionConflict,
)
from tests.registry.core.actors import TestLedger, identifier

TOKEN = "https://a.example/issuers/a/status/1/token"
BITS = "https://a.example/issuers/a/status/1/revocation"
OWN = {"accreditation": identifier("issuer"), "reason": "audit"}


def publish(
    version: int, *, group: str = "1", fill: bytes = b"x", bits: bytes | None = None
) -> PublishStatus:
    more = {} if bits is None else {BITS: bits}
    return PublishStatus(group=group, version=version, lists={TOKEN: fill * 32, **more})


@pytest.fixture
def ledger() -> TestLedger:
    ledger = TestLedger()
    for name in ("issuer", "other"):
        ledger.as_root(
            Accredit(
                accreditation=identifier(name),
                subject=ledger.create(name),
                role="issuer",
                types=("degree",),
                until_height=None,
            )
        )
    return ledger


def did(ledger: TestLedger, name: str) -> str:
    # Creation is a pure function of the name; ask a second ledger for it.
    return TestLedger().create(name)


def test_versions_follow_each_other(ledger: TestLedger) -> None:
    issuer = did(ledger, "issuer")

    ledger.ask("issuer", issuer, publish(1))
    ledger.ask("issuer", issuer, publish(2, fill=b"y", bits=b"z" * 32))

    group = StatusGroupRecord.parse(ledger.state[status_key(issuer, "1")])
    assert (group.version, group.lists) == (2, {TOKEN: b"y" * 32, BITS: b"z" * 32})
    assert (
        ledger.state[status_list_key(TOKEN)]
        == StatusRecord(
            issuer=issuer,
            group="1",
            uri=TOKEN,
            digest=b"y" * 32,
            version=2,
            height=ledger.height,
            time=1_700_000_000 + ledger.height,
        ).encode()
    )


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_than_the_next_is_refused(ledger: TestLedger, version: int) -> None:
    issuer = did(ledger, "issuer")
    with pytest.raises(StatusVersionConflict):
        ledger.ask("issuer", issuer, publish(2))
    ledger.ask("issuer", issuer, publish(1))

    with pytest.raises(StatusVersionConflict):
        ledger.ask("issuer", issuer, publish(version))


def test_a_list_is_never_given_up(ledger: TestLedger) -> None:
    issuer = did(ledger, "issuer")
    ledger.ask("issuer", issuer, publish(1, bits=b"z" * 32))

    with pytest.raises(StatusListDropped):
        ledger.ask("issuer", issuer, publish(2))


def test_a_uri_stays_with_its_issuer_and_group(ledger: TestLedger) -> None:
    issuer, other = did(ledger, "issuer"), did(ledger, "other")
    ledger.ask("issuer", issuer, publish(1))

    with pytest.raises(StatusListTaken):
        ledger.ask("other", other, publish(1))
    with pytest.raises(StatusListTaken):
        ledger.ask("issuer", issuer, publish(1, group="2"))


def test_who_is_no_issuer_publishes_nothing(ledger: TestLedger) -> None:
    stranger = ledger.create("stranger")
    with pytest.raises(MayNotPublishStatus):
        ledger.ask("stranger", stranger, publish(1))
    with pytest.raises(MayNotPublishStatus):
        ledger.as_root(publish(1))
    ledger.as_root(
        Accredit(
            accreditation=identifier("x"),
            subject=stranger,
            role="authority",
            types=("degree",),
            until_height=None,
        )
    )
    with pytest.raises(MayNotPublishStatus):
        ledger.ask("stranger", stranger, publish(1))


def test_the_lists_of_a_suspended_issuer_stand_still(ledger: TestLedger) -> None:
    issuer = did(ledger, "issuer")
    ledger.ask("issuer", issuer, publish(1))
    ledger.as_root(SuspendAccreditation(**OWN))

    with pytest.raises(MayNotPublishStatus):
        ledger.ask("issuer", issuer, publish(2))


def test_an_ended_issuer_revokes_but_opens_no_group(ledger: TestLedger) -> None:
    issuer = did(ledger, "issuer")
    ledger.ask("issuer", issuer, publish(1))
    ledger.as_root(EndAccreditation(**OWN))

    ledger.ask("issuer", issuer, publish(2))
    fresh = PublishStatus(group="2", version=1, lists={BITS: bytes(32)})
    with pytest.raises(MayNotPublishStatus):
        ledger.ask("issuer", issuer, fresh)


BAD: dict[str, Any] = {
    "an empty group": {"group": ""},
    "a group with a slash": {"group": "a/b"},
    "version 0": {"version": 0},
    "no lists": {"lists": {}},
    "nine lists": {"lists": {f"https://a.example/{n}": "A" * 43 for n in range(9)}},
    "a list over http": {"lists": {"http://a.example/1": "A" * 43}},
    "a list that is no URL": {"lists": {"list": "A" * 43}},
    "a short digest": {"lists": {TOKEN: "AAAA"}},
    "a digest that is null": {"lists": {TOKEN: None}},
    "lists as an array": {"lists": [TOKEN]},
    "an unknown member": {"ttl": 60},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_publication_is_refused(name: str) -> None:
    body = publish(1).to_body()
    assert PublishStatus.parse(body) == publish(1)

    with pytest.raises(Malformed):
        PublishStatus.parse(body | BAD[name])


def test_records_go_there_and_back(ledger: TestLedger) -> None:
    issuer = did(ledger, "issuer")
    ledger.ask("issuer", issuer, publish(1))

    group = ledger.state[status_key(issuer, "1")]
    entry = ledger.state[status_list_key(TOKEN)]

    assert StatusGroupRecord.parse(group).encode() == group
    assert StatusRecord.parse(entry).encode() == entry
    with pytest.raises(Malformed):
        StatusRecord.parse(group)
    with pytest.raises(Malformed):
        StatusGroupRecord.parse(entry)

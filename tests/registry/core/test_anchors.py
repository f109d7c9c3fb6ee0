"""Anchored batches: by accredited issuers, once each, under their own names."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.anchors import AlreadyAnchored, AnchorBatch, BatchRecord, MayNotAnchor
from registry.core.encoding import base64url_encode
from registry.core.records import batch_key
from registry.core.refusals import Malformed
from tests.registry.core.actors import TestLedger, identifier

BATCH = AnchorBatch(
    batch=identifier("batch"), root=b"r" * 32, count=3, types=("degree", "residence")
)
OWN = {"accreditation": identifier("a"), "reason": "audit"}


@pytest.fixture
def ledger() -> TestLedger:
    return TestLedger()


def accredit(
    ledger: TestLedger, name: str, subject: str, *types: str, role: str = "issuer"
) -> None:
    ledger.as_root(
        Accredit(
            accreditation=identifier(name),
            subject=subject,
            role=role,
            types=types,
            until_height=None,
        )
    )


def test_an_issuer_anchors(ledger: TestLedger) -> None:
    issuer = ledger.create("issuer")
    accredit(ledger, "a", issuer, "degree")
    accredit(ledger, "b", issuer, "residence")  # two grants may cover one batch together

    changes = ledger.ask("issuer", issuer, BATCH)

    assert (
        changes[batch_key(issuer, BATCH.batch)]
        == BatchRecord(
            issuer=issuer,
            batch=BATCH.batch,
            root=BATCH.root,
            count=3,
            types=BATCH.types,
            height=ledger.height,
            time=1_700_000_000 + ledger.height,
        ).encode()
    )


def test_a_stranger_anchors_nothing(ledger: TestLedger) -> None:
    stranger = ledger.create("stranger")

    with pytest.raises(MayNotAnchor):
        ledger.ask("stranger", stranger, BATCH)


def test_not_even_a_root_anchors_without_accreditation(ledger: TestLedger) -> None:
    with pytest.raises(MayNotAnchor):
        ledger.as_root(BATCH)


@pytest.mark.parametrize("role", ["authority", "registrar"])
def test_another_role_anchors_nothing(ledger: TestLedger, role: str) -> None:
    holder = ledger.create("holder")
    accredit(ledger, "a", holder, "degree", "residence", role=role)

    with pytest.raises(MayNotAnchor):
        ledger.ask("holder", holder, BATCH)


def test_every_type_in_the_batch_must_be_covered(ledger: TestLedger) -> None:
    issuer = ledger.create("issuer")
    accredit(ledger, "a", issuer, "degree")

    with pytest.raises(MayNotAnchor):
        ledger.ask("issuer", issuer, BATCH)
    ledger.ask("issuer", issuer, replace(BATCH, types=("degree",)))


def test_a_suspended_or_ended_issuer_anchors_nothing(ledger: TestLedger) -> None:
    issuer = ledger.create("issuer")
    accredit(ledger, "a", issuer, "degree", "residence")

    ledger.as_root(SuspendAccreditation(**OWN))
    with pytest.raises(MayNotAnchor):
        ledger.ask("issuer", issuer, BATCH)
    ledger.as_root(ReinstateAccreditation(**OWN))
    ledger.ask("issuer", issuer, BATCH)
    ledger.as_root(EndAccreditation(**OWN))
    with pytest.raises(MayNotAnchor):
        ledger.ask("issuer", issuer, replace(BATCH, batch=identifier("next")))


def test_a_batch_is_anchored_once(ledger: TestLedger) -> None:
    issuer, other = ledger.create("issuer"), ledger.create("other")
    accredit(ledger, "a", issuer, "degree", "residence")
    accredit(ledger, "b", other, "degree", "residence")
    ledger.ask("issuer", issuer, BATCH)

    with pytest.raises(AlreadyAnchored):
        ledger.ask("issuer", issuer, replace(BATCH, root=b"x" * 32))
    ledger.ask("other", other, BATCH)  # ids of others are others


BAD: dict[str, Any] = {
    "a short batch id": {"batch": "AAAA"},
    "a short root": {"root": base64url_encode(bytes(31))},
    "a root with trailing bits": {"root": "A" * 42 + "B"},
    "an empty batch": {"count": 0},
    "a batch that is too large": {"count": 2**20 + 1},
    "a count that is true": {"count": True},
    "no types": {"types": []},
    "an unknown member": {"issuer": "did:web:a"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_batch_is_refused(name: str) -> None:
    AnchorBatch.parse(BATCH.to_body())

    with pytest.raises(Malformed):
        AnchorBatch.parse(BATCH.to_body() | BAD[name])


def test_the_record_goes_there_and_back(ledger: TestLedger) -> None:
    record = BatchRecord(
        issuer=ledger.root,
        batch=BATCH.batch,
        root=BATCH.root,
        count=1,
        types=("degree",),
        height=1,
        time=2,
    )

    assert BatchRecord.parse(record.encode()) == record
    assert BatchRecord.parse(record.to_object()) == record
    for name in record.to_object():
        with pytest.raises(Malformed):
            BatchRecord.parse({k: v for k, v in record.to_object().items() if k != name})

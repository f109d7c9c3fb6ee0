"""A receipt that outlived its validators is read under a new head; a false one is not helped."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from identity.core.verification.case import World
from identity.verifier.evidence import EvidenceReader
from identity.verifier.ports import ProvenBatch
from identity.verifier.records import RecordJudge
from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import base64url_decode
from registry.core.receipt import AnchorReceipt, parse_receipt, verify_receipt
from registry.core.refusals import Unavailable
from tests.registry.core.light_client.make_browser_vectors import FILE

VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
NOW = datetime.fromtimestamp(VECTORS["now"], UTC)
RECEIPT = parse_receipt(VECTORS["receipt"]["receipt"])
DIGEST = base64url_decode(VECTORS["receipt"]["digest"])


def anchor(name: str) -> ConsortiumAnchor:
    found = parse_trust_anchor(VECTORS[name])
    assert isinstance(found, ConsortiumAnchor)
    return found


class Ledger:
    """The registry, which is asked for one batch."""

    def __init__(self, answer: ProvenBatch | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def batch(self, issuer: str, batch: str) -> ProvenBatch | None:
        self.asked.append((issuer, batch))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def judged(ledger: Ledger, trust: ConsortiumAnchor, receipt: AnchorReceipt) -> AnchorReceipt:
    others: dict[str, Any] = dict.fromkeys(
        ("status_lists", "batches", "seen_versions", "catalogue", "web_names")
    )
    judge = RecordJudge(
        evidence=EvidenceReader(registry=ledger, **others),  # type: ignore[arg-type]
        world=World(contexts=None, catalogue=None, trust=trust),  # type: ignore[arg-type]
        trust=lambda: trust,
    )
    renewed = judge._renewed(receipt, NOW)
    assert isinstance(renewed, AnchorReceipt)
    return renewed


def fresh(**changes: Any) -> ProvenBatch:
    """The same batch under the head of the validators of today."""
    record = replace(RECEIPT.batch, **changes)
    return ProvenBatch(record=record, proof=RECEIPT.proof, head=VECTORS["head_of_others"])


def todays() -> ConsortiumAnchor:
    """A reader who knows the validators of today and none of those before."""
    followed = anchor("followed_anchor")
    return replace(followed, trusted=followed.trusted[-1:])


def test_a_receipt_whose_validators_have_left_is_read_under_a_new_head() -> None:
    ledger = Ledger(fresh())

    renewed = judged(ledger, todays(), RECEIPT)

    assert verify_receipt(renewed, digest=DIGEST, anchor=todays(), now=VECTORS["now"]).height == 6
    assert ledger.asked == [(RECEIPT.batch.issuer, RECEIPT.batch.batch)]


def test_a_receipt_that_is_believed_asks_nobody() -> None:
    ledger = Ledger(fresh())

    assert judged(ledger, anchor("followed_anchor"), RECEIPT) is RECEIPT
    assert ledger.asked == []


@pytest.mark.parametrize(
    "answer", [None, Unavailable("no member answers"), fresh(height=5), fresh(count=4)]
)
def test_without_the_same_batch_the_receipt_is_what_it_was(answer: Any) -> None:
    assert judged(Ledger(answer), todays(), RECEIPT) is RECEIPT


def test_a_false_head_is_not_helped() -> None:
    false = replace(RECEIPT, head=RECEIPT.head.replace("\nheight 12", "\nheight 13"))
    ledger = Ledger(fresh())

    assert judged(ledger, todays(), false) is false
    assert ledger.asked == []

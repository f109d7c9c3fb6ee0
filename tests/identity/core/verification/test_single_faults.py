"""Each fault alone gives "no" for its own reason, between two healthy twins (R1, Z11)."""

import pytest

from identity.core.verification import pipeline
from identity.core.verification.verdict import Check
from tests.identity.core.verification.faults import FAULTS, LDP, SD_JWT, Fault, Trial, run_fault
from tests.identity.verifier.stage import Stage


def test_the_faults_are_here():
    assert len(FAULTS) >= 54
    assert {fault.check for fault in FAULTS} == set(Check)
    assert len({(str(fault), fault.format) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault}-{fault.format}")
def test_a_fault_alone_gives_no_for_its_reason(fault: Fault):
    run_fault(fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault}-{fault.format}")
def test_switching_a_check_off_makes_its_cases_red(fault: Fault, monkeypatch: pytest.MonkeyPatch):
    """Mutation of the product: the suite above must notice that a check is gone (F 3.5)."""
    monkeypatch.setitem(pipeline.CHECKS, fault.check, lambda _case: "switched off")

    with pytest.raises(AssertionError):
        run_fault(fault)


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("credential_format", [SD_JWT, LDP])
def test_a_check_that_is_missing_says_no(check, credential_format, monkeypatch):
    monkeypatch.delitem(pipeline.CHECKS, check)

    verdict = Trial(Stage(), format=credential_format).verdict()

    assert not verdict.is_verified
    assert [(r.check, r.reason) for r in verdict.failures] == [(check, "check_absent")]
    assert verdict.credentials == ()


def test_what_a_stolen_key_signed_before_the_theft_stays_good():
    trial = Trial(Stage())
    height = trial.issued().receipt.batch.height  # type: ignore[union-attr]
    agency = trial.stage.agency
    for fragment, since in (("jose-1", height + 1), ("di-1", 0)):  # that other key signed nothing
        trial.stage.ledger.declare_stolen(agency.did, fragment, from_height=since)
        assert trial.verdict().is_verified

    trial.stage.ledger.declare_stolen(agency.did, "jose-1", from_height=height)

    assert [r.reason for r in trial.verdict().failures] == ["key_compromised"]


@pytest.mark.parametrize("check", list(Check))
def test_a_check_that_raises_says_no(check, monkeypatch):
    def broken(_case):
        raise KeyError("a bug, with a name in it: Kestrel")

    monkeypatch.setitem(pipeline.CHECKS, check, broken)

    verdict = Trial(Stage()).verdict()

    assert [(r.check, r.reason) for r in verdict.failures] == [(check, "check_raised")]
    assert "Kestrel" not in str(verdict.to_json())


@pytest.mark.parametrize("answer", [None, True, "", 1])
def test_a_check_that_forgets_its_sentence_says_no(answer, monkeypatch):
    monkeypatch.setitem(pipeline.CHECKS, Check.STATUS, lambda _case: answer)

    verdict = Trial(Stage()).verdict()

    assert [(r.check, r.reason) for r in verdict.failures] == [(Check.STATUS, "check_raised")]


def test_no_reason_or_detail_repeats_a_claim():
    for fault in FAULTS:
        trial = Trial(Stage(), format=fault.format)
        fault.make(trial)
        told = str([result.to_json() for result in trial.verdict().results])
        for secret in ("Kestrel", "Alice", "2004-02-29", "sometimes"):
            assert secret not in told


def test_a_receipt_is_built_from_the_whole_batch_when_none_is_stapled():
    trial = Trial(Stage())
    trial.stapled = False

    assert trial.verdict().is_verified


def test_a_key_that_rotated_after_issuing_still_verifies():
    stage = Stage()
    trial = Trial(stage)
    trial.issued()
    stage.ledger.now += 3600
    stage.agency.rotate()
    stage.ledger.now += 3600
    stage.agency.publish_status()  # with the new key

    assert trial.verdict().is_verified


def test_a_key_that_rotated_between_issuing_and_anchoring_still_verifies():
    stage = Stage()
    trial = Trial(stage)
    anchor = stage._anchor

    def rotate_first(*arguments):
        stage.ledger.now += 2
        stage.agency.rotate()
        return anchor(*arguments)

    stage._anchor = rotate_first  # type: ignore[method-assign]
    trial.issued()
    stage.agency.publish_status()

    assert trial.verdict().is_verified

"""Offline: a status list that was read before a revocation is good until it expires, no longer."""

from dataclasses import replace
from datetime import timedelta

import pytest

from identity.core.verification import pipeline
from identity.issuer.status import LIFETIME
from tests.identity.core.verification.faults import LDP, SD_JWT, Trial
from tests.identity.verifier.stage import Stage

SKEW = 60
EXPIRED = {SD_JWT: "status_list_expired", LDP: "status_expired"}


@pytest.mark.parametrize("form", [SD_JWT, LDP])
def test_a_stapled_list_dies_with_its_lifetime(form):
    """What an offline verifier goes by after a recovery: the evidence it gathered before."""
    trial = Trial(Stage(), format=form)
    stage = trial.stage
    stage.agency.publish_status(lifetime=int(LIFETIME.total_seconds()))
    before = trial.case()
    stage.agency.set_status(7, 1)  # the phone is lost, everything is revoked
    stage.agency.publish_status()

    online = trial.verdict()

    assert [r.reason for r in online.failures] == ["revoked"]

    def offline(later: timedelta) -> list[str]:
        stage.ledger.now += int(later.total_seconds())
        trial.shown = trial.present()  # the thief signs freshly, with the key of the old phone
        now = stage.now
        case = replace(trial.case(), evidence=before.evidence, now=now)
        stage.ledger.now -= int(later.total_seconds())
        return [r.reason for r in pipeline.judge([case], now=now).failures]

    assert offline(LIFETIME - timedelta(minutes=5)) == []
    assert EXPIRED[form] in offline(LIFETIME + timedelta(seconds=SKEW + 1))

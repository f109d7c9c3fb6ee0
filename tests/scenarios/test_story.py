"""The story that must always run, against a real process; the ledger is whole after each step."""

import pytest

from identity.demo.story import Story
from tests.scenarios.installation import Installation, person

TITLES = 8


@pytest.mark.parametrize("number", [0, 5])
def test_the_story_runs_and_the_ledger_is_whole_after_each_step(
    shared: Installation, number: int
) -> None:
    entries = shared.audit().entries
    told = 0
    for step in Story(shared.stage(person(number))).tell():
        report = shared.audit()
        assert report.is_clean, f"after {step.title!r}: {report.fault}"
        assert report.entries >= entries
        entries = report.entries
        told += 1
    assert told == TITLES

    log = (shared.folder / "cairn.log").read_text("utf-8")
    assert '"event": "request"' in log
    for sign in ('"status": 500', "worker failed", "issuer_work_refused", "batch_not_sealed"):
        assert sign not in log

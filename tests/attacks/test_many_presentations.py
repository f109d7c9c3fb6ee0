"""Anybody with a request link could have sixteen presentations judged where one was asked for."""

from pathlib import Path

import pytest

from identity.verifier.evidence import EvidenceReader
from tests.identity.verifier.workbench import Workbench


def test_presentations_that_are_too_many_are_refused_without_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench(tmp_path)
    asked = bench.ask(format="ldp_vc")
    wanted = bench.object(asked)
    monkeypatch.setattr(EvidenceReader, "gather", None)  # would raise: nothing is to be gathered
    (query,) = wanted["dcql_query"]["credentials"]
    form = bench.form(wanted, bench.stage.issue_ldp())
    form["vp_token"] = form["vp_token"].replace("[", "[{},", 1)
    form.pop("anchor_receipts", None)

    answer = bench.answer(wanted, form)

    assert answer.status_code == 400
    assert "policy: too_many_presentations" in answer.json()["error_description"]
    assert query.get("multiple", False) is False

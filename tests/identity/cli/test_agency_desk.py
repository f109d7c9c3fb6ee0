"""`cairn decide`: what it sends to the agency's desk."""

from typing import Any

import pytest
from typer.testing import CliRunner

from identity.cli import agency_desk
from identity.cli.main import app


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ([], {"decision": "issue"}),
        (["--principal", "prs_bob"], {"decision": "issue", "principal": "prs_bob"}),
        (
            ["--principal", "prs_bob", "--durable"],
            {"decision": "issue", "principal": "prs_bob", "durable": True},
        ),
    ],
)
def test_a_decision_names_for_whom_the_holder_acts(
    options: list[str], sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(agency_desk, "_call", lambda *call: calls.append(call) or {})

    done = CliRunner().invoke(app, ["decide", "offer-1", "issue", *options])

    assert done.exit_code == 0, done.output
    assert [(call[0], *call[4:]) for call in calls] == [("POST", "/deferred/offer-1", sent)]

"""`cairn member`, `cairn vote` and `cairn proposals`, against a network of three over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from identity.cli import governance
from identity.cli.governance import AmbiguousProposal, NoSuchProposal, read_rule_value
from identity.cli.main import app
from registry.core.refusals import Malformed, NotPermitted
from tests.registry.governed import Governed, governed

RUN = CliRunner()


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Governed]:
    with governed(tmp_path, "ministry", "court", "university") as running:
        running.join("auditor")

        @contextmanager
        def registry(*_where: Any) -> Iterator[Any]:
            yield running.client

        monkeypatch.setattr(governance, "remote_registry", registry)
        sit(running, monkeypatch, "ministry")
        yield running


def sit(network: Governed, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on this member is at the keyboard."""
    monkeypatch.setattr(governance, "signer_of_root", lambda *_: network.people[name])


def cairn(*arguments: str) -> str:
    result = RUN.invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_an_institution_is_admitted(network: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = cairn("member", "propose-admit", network.did("auditor"), "Audit Office")
    identifier = asked.split()[1]
    assert "open" in asked
    assert identifier in cairn("proposals")
    for name in ("court", "university"):
        sit(network, monkeypatch, name)
        told = cairn("vote", identifier[:8], "yes")

    assert "accepted" in told
    assert "3 yes, 0 no of 3" in told
    assert "Audit Office" in cairn("member", "list")
    assert identifier not in cairn("proposals")
    assert identifier in cairn("proposals", "--all")


def test_a_rule_and_a_removal_are_proposed(network: Governed) -> None:
    assert '"denominator":4,"numerator":3' in cairn("member", "propose-rule", "quorum", "3/4")
    assert '"value":86400' in cairn("member", "propose-rule", "voting-seconds", "86400")
    assert "remove-member" in cairn("member", "propose-remove", network.did("court"))
    assert len([line for line in cairn("proposals").splitlines() if " open" in line]) == 3


def test_a_proposal_must_be_clear(network: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    cairn("member", "propose-rule", "quorum", "3/4")
    cairn("member", "propose-rule", "voting-seconds", "86400")

    with pytest.raises(NoSuchProposal):
        cairn("vote", "zzzzzz", "yes")
    with pytest.raises(Malformed):
        cairn("vote", "abc", "yes")
    with pytest.raises(Malformed):
        cairn("vote", "z" * 64, "yes")
    with pytest.raises(Malformed):
        cairn("vote", "abcdef", "perhaps")
    monkeypatch.setattr(governance, "MIN_SHORT_ID", 0)
    with pytest.raises(AmbiguousProposal):
        cairn("vote", "", "yes")


def test_who_signs_is_said_whole_or_not_at_all(network: Governed) -> None:
    with pytest.raises(NotPermitted):
        cairn("vote", "abcdef", "yes", "--author", network.did("court"))


@pytest.mark.parametrize("text", ["", "-1", "1.5", "2/3/4", "two", "1/", "²"])
def test_a_value_that_is_none(text: str) -> None:
    with pytest.raises(Malformed):
        read_rule_value(text)

"""Identifiers in base64url: one in 64 begins with a dash, and none of them is an option."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from identity.cli.main import app

ROOT = typer.main.get_command(app)
VALUES = (
    "-AkAxujRM-PHqf0kptaQexqJT9l4bZY0SQFPg0muun8",
    "--xujRM-PHqf0kptaQexqJT9l4bZY0SQFPg0muun8A",
)
#: Command, its positional argument, and what stands behind it.
COMMANDS = (
    (("opening", "case"), "digest", ["--out", "case.json"]),
    (
        ("guardian", "approve"),
        "recovery",
        ["--keys", "k", "--agency", "a", "--arrangement", "b", "--new-key", "-c"],
    ),
    (("decide",), "offer", ["issue"]),
    (("vote",), "proposal", ["yes"]),
    (("resume",), "stop", ["--keys", "mine.keys"]),
)
#: Positional text that is no identifier of ours: addresses, names, DIDs, files, closed lists.
OTHERS = {
    "url", "did", "name", "value", "version", "choice", "decision", "credential_type",
    "purpose", "agency", "validator_key", "scope", "rule",
}  # fmt: skip


def leaf(path: tuple[str, ...]) -> Any:
    """The command behind the words of `path`."""
    found = ROOT
    for word in path:
        found = found.commands[word]
    return found


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("path", "name", "rest"), COMMANDS, ids=lambda item: str(item)[:20])
def test_an_identifier_may_begin_with_a_dash(
    path: tuple[str, ...], name: str, rest: list[str], value: str
) -> None:
    context = leaf(path).make_context(path[-1], [value, *rest])

    assert context.params[name] == value


@pytest.mark.parametrize(("path", "rest"), [(path, rest) for path, _, rest in COMMANDS], ids=str)
def test_an_option_that_is_none_is_still_refused(path: tuple[str, ...], rest: list[str]) -> None:
    refused = CliRunner().invoke(app, [*path, "A", *rest, "--no-such-option"])

    assert refused.exit_code == 2
    assert "--no-such-option" in refused.output


def test_every_positional_text_is_an_identifier_of_the_list_or_known_to_be_none() -> None:
    listed = {(path, name) for path, name, _ in COMMANDS}
    unknown = [
        (path, item.name)
        for path, command in leaves(ROOT, ())
        for item in command.params
        if item.param_type_name == "argument"
        and item.bare_type() is str
        and (path, item.name) not in listed
        and item.name not in OTHERS
    ]

    assert unknown == []


def leaves(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Every command below `command` with the words that lead to it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(path, command)]
    return [found for name, item in inner.items() for found in leaves(item, (*path, name))]

"""`cairn request` for scripts: the link on the first line, the verdict on the second."""

import json
import subprocess
import sys

import pytest

from identity.core.jose import parse_compact
from tests.identity.verifier.workbench import link_parameters
from tests.scenarios.installation import ROOT, Held, Installation, person

pytestmark = pytest.mark.slow


def _command(installation: Installation, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "identity.cli", "request"),
            *("--base", installation.base, "--data", str(installation.data.root), *options),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_a_link_is_printed_and_after_the_answer_the_verdict(shared: Installation):
    held = shared.issue(person(21))
    options = ("age-check", "--prefix", "decentralized_identifier", "--wait")
    with _command(shared, *options) as command:
        assert command.stdout is not None
        link = command.stdout.readline().strip()

        asked = held.wallet.read_request(link)
        answer = held.wallet.answer_request(asked, copy=held.copies[0])

        assert answer.status_code == 200
        result = json.loads(command.stdout.readline())
        assert command.wait(30) == 0
    assert result["state"] == "answered"
    assert result["verdict"]["verified"] is True
    assert result["verdict"]["credentials"][0]["claims"] == {"age_over_18": True}


def test_a_wallet_that_declines_ends_the_waiting_with_exit_code_1(shared: Installation):
    with _command(shared, "--wait", "--encrypted") as command:
        assert command.stdout is not None
        given = link_parameters(command.stdout.readline().strip())
        wanted = parse_compact(shared.http.get(given["request_uri"]).text).claims

        shared.http.post(
            wanted["response_uri"], data={"error": "access_denied", "state": wanted["state"]}
        )

        assert given["client_id"].startswith("x509_hash:")
        assert wanted["response_mode"] == "direct_post.jwt"
        assert json.loads(command.stdout.readline())["state"] == "declined"
        assert command.wait(30) == 1


def test_a_party_knows_a_wallet_again_by_its_pseudonym_whichever_copy_it_shows(
    shared: Installation,
):
    held, other = shared.issue(person(22)), shared.issue(person(23))
    options = ("regular-guest", "--prefix", "decentralized_identifier", "--wait", "--pseudonym")

    def seen(shown: Held, copy: int, wish: str) -> str:
        with _command(shared, *options, wish) as command:
            assert command.stdout is not None
            asked = shown.wallet.read_request(command.stdout.readline().strip())
            assert shown.wallet.answer_request(asked, copy=shown.copies[copy]).status_code == 200
            result = json.loads(command.stdout.readline())
            assert command.wait(30) == 0
        return str(result["verdict"]["pseudonym"])

    first = seen(held, 0, "required")

    assert seen(held, 1, "wanted") == first
    assert seen(other, 0, "required") != first

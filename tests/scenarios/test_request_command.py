"""`cairn request` for scripts: the link on the first line, the verdict on the second."""

import json
import subprocess
import sys

import pytest

from identity.core.jose import parse_compact
from tests.identity.verifier.workbench import link_parameters
from tests.scenarios.installation import ROOT, Installation, person

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

"""`cairn offer`, `identify`, `waiting` and `decide`: the code flow and deferral from a script."""

import json
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.identity.issuer.code_flow import VERIFIER, challenge
from tests.scenarios.installation import ROOT, Installation

REDIRECT, CLIENT = "org.example.wallet://cb", "script"


def cairn(here: Installation, *arguments: str, desk: bool = True) -> str:
    """What a command prints."""
    where = ["--base", here.base, "--data", str(here.data.root)] if desk else []
    done = subprocess.run(
        [sys.executable, "-m", "identity.cli", *arguments, *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def push(here: Installation, offer: Any) -> str:
    """Push a request for an offer; the address of the page."""
    issuer = offer["credential_offer"]["credential_issuer"]
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    pushed = here.http.post(
        f"{issuer}/par",
        data={
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
            "issuer_state": state,
        },
    )
    assert pushed.status_code == 201, pushed.text
    return f"{issuer}/authorize?client_id={CLIENT}&request_uri={pushed.json()['request_uri']}"


def test_a_script_walks_the_code_flow_and_decides_what_waits(shared: Installation) -> None:
    printed = cairn(
        shared,
        "offer",
        "resident-identity",
        "--person",
        "14",
        "--grant",
        "code",
        "--deferred",
        "--format",
        "dc+sd-jwt",
        "--json",
    )
    offer = json.loads(printed)
    assert set(offer["credential_offer"]["grants"]) == {"authorization_code"}
    assert offer["credential_offer"]["credential_configuration_ids"] == ["resident-identity-sd-jwt"]

    location = cairn(
        shared,
        "identify",
        push(shared, offer),
        "--code",
        offer["identification_code"],
        "--birth-date",
        offer["birth_date"],
        desk=False,
    )
    back = parse_qs(urlsplit(location).query)
    issuer = offer["credential_offer"]["credential_issuer"]
    assert back["iss"] == [issuer]
    token = shared.http.post(
        f"{issuer}/token",
        data={
            "grant_type": "authorization_code",
            "code": back["code"][0],
            "code_verifier": VERIFIER,
            "redirect_uri": REDIRECT,
            "client_id": CLIENT,
        },
    )
    assert token.status_code == 200, token.text

    waiting = [json.loads(line) for line in cairn(shared, "waiting").splitlines()]
    assert offer["offer"] in [item["offer"] for item in waiting]
    assert cairn(shared, "decide", offer["offer"], "issue") == f"{offer['offer']}: issue"
    left = [json.loads(line)["offer"] for line in cairn(shared, "waiting").splitlines()]
    assert offer["offer"] not in left


def test_an_offer_may_have_both_grants_and_no_transaction_code(shared: Installation) -> None:
    offer = json.loads(
        cairn(
            shared,
            "offer",
            "resident-identity",
            "--person",
            "15",
            "--grant",
            "both",
            "--no-tx-code",
            "--json",
        )
    )

    grants = offer["credential_offer"]["grants"]
    assert len(grants) == 2
    assert all("tx_code" not in grant for grant in grants.values())
    assert offer["tx_code"] is None

"""Exchanging an authorization code: once, by its client, with its verifier and its key."""

from typing import Any

import pytest

from tests.identity.issuer.code_flow import (
    CLIENT,
    REDIRECT,
    SCOPE,
    CodeFlow,
    challenge,
    dpop_proof,
    error_of,
)
from tests.identity.issuer.workbench import (
    ALICE,
    ALICE_FACTS,
    BEARER,
    Workbench,
)

BIRTH = ALICE_FACTS["birth_date"]


@pytest.fixture
def flow(bench: Workbench) -> CodeFlow:
    return CodeFlow(bench)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": ""}, "invalid_request"),
        ({"code": "short"}, "invalid_grant"),
        ({"code": "A" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"redirect_uri": "org.example.other://cb"}, "invalid_grant"),
        ({"client_id": ""}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_grant"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
    ],
)
def test_a_bad_exchange_is_refused_and_the_code_survives(
    flow: CodeFlow, changes: dict[str, str], error: str
) -> None:
    code = flow.code()

    answer = flow.token(
        changes.get("code", code), **{k: v for k, v in changes.items() if k != "code"}
    )
    if changes.get("code") == "":
        answer = flow.token("")

    assert answer.status_code == 400
    assert error_of(answer)["error"] == error
    assert flow.token(code).status_code == 200


def test_a_code_that_comes_again_is_refused_and_ends_its_tokens(
    flow: CodeFlow, bench: Workbench
) -> None:
    code = flow.code()
    token = flow.token(code).json()["access_token"]

    again = flow.token(code)

    assert (again.status_code, error_of(again)["error"]) == (400, "invalid_grant")
    assert bench.request(token, {}).status_code == 401


def test_a_code_lives_for_a_minute(flow: CodeFlow, bench: Workbench) -> None:
    code = flow.code()
    bench.clock.forward(seconds=61)

    assert error_of(flow.token(code))["error"] == "invalid_grant"


def test_a_code_is_for_the_agency_that_made_it(flow: CodeFlow, bench: Workbench) -> None:
    code = flow.code()
    answer = bench.http.post(
        f"{bench.other.issuer_url}/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": "v" * 43,
            "redirect_uri": REDIRECT,
            "client_id": CLIENT,
        },
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert flow.token(code).status_code == 200


@pytest.mark.parametrize("way", ["header", "parameter", "both"])
def test_a_code_is_bound_to_the_dpop_key_of_the_push(
    flow: CodeFlow, bench: Workbench, way: str
) -> None:
    key, thief = bench.key(), bench.key()
    headers = {} if way == "parameter" else {"DPoP": dpop_proof(bench, key, "/par")}
    jkt = "" if way == "header" else key.key.jwk_thumbprint
    code = flow.code(headers, dpop_jkt=jkt)

    without = flow.token(code)
    stolen = flow.token(code, {"DPoP": dpop_proof(bench, thief, "/token")})
    mine = flow.token(code, {"DPoP": dpop_proof(bench, key, "/token")})

    assert error_of(without)["error"] == error_of(stolen)["error"] == "invalid_dpop_proof"
    assert mine.json()["token_type"] == "DPoP"


def test_a_push_whose_dpop_key_is_not_the_named_one_is_refused(
    flow: CodeFlow, bench: Workbench
) -> None:
    headers = {"DPoP": dpop_proof(bench, bench.key(), "/par")}

    answer = flow.push(headers, dpop_jkt=bench.key().key.jwk_thumbprint)

    assert error_of(answer)["error"] == "invalid_request"


def test_authorization_details_are_answered_with_identifiers(
    flow: CodeFlow, bench: Workbench
) -> None:
    details = f'[{{"type":"openid_credential","credential_configuration_id":"{SCOPE}"}}]'
    code = flow.code(scope="", authorization_details=details)

    answer = flow.token(code).json()

    (detail,) = answer["authorization_details"]
    assert detail["credential_identifiers"] == [SCOPE]
    got = bench.request(
        answer["access_token"],
        {"credential_identifier": SCOPE, "proofs": {"jwt": [bench.proof(bench.key())]}},
    )
    assert got.status_code == 200


LDP = "resident-identity-ldp-vc"
DETAILS = '[{{"type":"openid_credential","credential_configuration_id":"{}"}}]'


@pytest.mark.parametrize("named", ["scope", "authorization_details"])
def test_a_token_covers_what_was_authorized_and_not_the_whole_offer(
    flow: CodeFlow, bench: Workbench, named: str
) -> None:
    offer = bench.offer(grants=["authorization_code"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    asked = {"scope": "", named: SCOPE if named == "scope" else DETAILS.format(SCOPE)}

    token = flow.token(flow.code(issuer_state=state, **asked)).json()["access_token"]

    def ask(configuration: str, member: str) -> Any:
        proofs = {"jwt": [bench.proof(bench.key())]}
        return bench.request(token, {member: configuration, "proofs": proofs})

    refused = ask(LDP, "credential_configuration_id")
    assert error_of(refused)["error"] == "unknown_credential_configuration"
    assert error_of(ask(LDP, "credential_identifier"))["error"] == "unknown_credential_identifier"
    assert ask(SCOPE, "credential_configuration_id").status_code == 200


def test_details_of_a_token_request_narrow_and_never_widen(
    flow: CodeFlow, bench: Workbench
) -> None:
    offer = bench.offer(grants=["authorization_code"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    code = flow.code(issuer_state=state)  # by its scope for the SD-JWT alone

    wider = flow.token(code, authorization_details=DETAILS.format(LDP))
    narrow = bench.token(bench.offer(), authorization_details=DETAILS.format(LDP))

    assert error_of(wider)["error"] == "invalid_authorization_details"
    body = {"credential_configuration_id": SCOPE, "proofs": {"jwt": [bench.proof(bench.key())]}}
    refused = bench.request(narrow, body)
    assert error_of(refused)["error"] == "unknown_credential_configuration"


def test_details_for_another_issuer_are_refused(flow: CodeFlow, bench: Workbench) -> None:
    def push(place: str) -> Any:
        details = DETAILS.format(SCOPE).replace("}]", f',"locations":["{place}"]}}]')
        return flow.push(scope="", authorization_details=details)

    assert push(bench.issuer).status_code == 201
    refused = push("https://other.example")
    assert error_of(refused)["error"] == "invalid_authorization_details"


def test_a_token_for_another_resource_is_refused_and_the_code_survives(
    flow: CodeFlow, bench: Workbench
) -> None:
    code, offer = flow.code(), bench.offer()
    elsewhere = {"resource": "https://other.example"}

    by_code = flow.token(code, **elsewhere)
    form = bench.token_form(offer, **elsewhere)
    pre_authorized = bench.http.post(f"{bench.issuer}/token", data=form)

    for answer in (by_code, pre_authorized):
        assert (answer.status_code, error_of(answer)["error"]) == (400, "invalid_target")
    assert flow.token(code).status_code == 200
    assert bench.token(offer)


def test_a_space_in_state_comes_back_as_percent_20(flow: CodeFlow) -> None:
    flow.code(state="s p+")

    location = flow.answer.headers["location"]
    assert "state=s%20p%2B" in location  # iOS reads a plus as a plus


def test_a_key_proof_may_name_the_client_and_no_other(flow: CodeFlow, bench: Workbench) -> None:
    token = flow.token(flow.code()).json()["access_token"]

    def ask(issuer: str) -> Any:
        proofs = {"jwt": [bench.proof(bench.key(), iss=issuer)]}
        return bench.request(token, {"credential_configuration_id": SCOPE, "proofs": proofs})

    assert error_of(ask("https://other.example"))["error"] == "invalid_proof"
    assert ask(CLIENT).status_code == 200


def test_unknown_scopes_and_parameters_are_ignored(flow: CodeFlow) -> None:
    answer = flow.push(scope=f"openid {SCOPE} offline_access", ui_hint="x")

    assert answer.status_code == 201


def test_an_identification_code_is_for_those_whom_the_agency_knows(bench: Workbench) -> None:
    def make(body: dict[str, Any], headers: dict[str, str]) -> int:
        url = f"{bench.issuer}/identification-codes"
        status: int = bench.http.post(url, json=body, headers=headers).status_code
        return status

    assert make({"subject": ALICE}, {}) in (401, 403)
    assert make({"subject": "prs_nobody"}, BEARER) == 404
    assert make({"subject": ALICE, "expires_in": 5}, BEARER) == 422


def test_nothing_of_the_flow_is_kept_when_it_is_over(flow: CodeFlow, bench: Workbench) -> None:
    from sqlalchemy import func, select

    from identity.adapters.database import transaction
    from identity.adapters.issuer_tables import AuthorizationRow, IdentificationRow, OfferRow

    flow.token(flow.code())
    flow.push()
    flow.identification_code()
    bench.clock.forward(days=15)
    bench.worker.clear_expired(bench.clock())

    with transaction(bench.engine) as db:
        left = [
            db.scalar(select(func.count()).select_from(row))
            for row in (AuthorizationRow, IdentificationRow, OfferRow)
        ]
    assert left == [0, 0, 0]
    assert challenge()


def test_every_step_of_a_flow_may_meet_another_instance(bench: Workbench) -> None:
    shared = {
        "registry": bench.registry,
        "clock": bench.clock,
        "persons": bench.persons,
        "vault": bench.vault,
    }
    other = Workbench(bench.folder, seed=b"other", **shared)
    key, here, there = bench.key(), CodeFlow(bench), CodeFlow(other)

    pushed = there.push({"DPoP": dpop_proof(bench, key, "/par")})
    here.open(pushed.json()["request_uri"])
    other.http.cookies = bench.http.cookies  # one browser before a load balancer
    there.form = here.form
    there.send(answer="identify", code=here.identification_code(), birth_date=BIRTH)
    code = there.back()["code"]
    token = here.token(code, {"DPoP": dpop_proof(bench, key, "/token")}).json()["access_token"]
    nonce = bench.nonce()
    body = {
        "credential_configuration_id": SCOPE,
        "proofs": {"jwt": [bench.proof(bench.key(), nonce=nonce)]},
    }

    def ask(bench: Workbench) -> Any:
        proof = dpop_proof(bench, key, "/credential", token=token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        return bench.http.post(f"{bench.issuer}/credential", headers=headers, json=body)

    assert ask(other).status_code == 200
    assert error_of(ask(bench))["error"] == "invalid_nonce"  # used there
    assert error_of(there.token(code))["error"] == "invalid_grant"
    assert ask(bench).status_code == 401  # revoked by that

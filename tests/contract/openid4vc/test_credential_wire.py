"""What wallets in the field need from the credential endpoint, and browsers: section 1."""

from typing import Any

import pytest

from registry.core.encoding import JsonObject
from tests.contract.openid4vc.whole import ISSUER, JWT_VC, LDP, SD_JWT, Whole
from tests.identity.issuer.code_flow import error_of
from tests.identity.issuer.workbench import (
    BASE,
    payload_of,
)


def test_a_client_of_draft_15_sends_one_proof(whole: Whole) -> None:
    token = whole.token(whole.offer())
    proof = {"proof_type": "jwt", "jwt": whole.proof(whole.key())}

    answer = whole.request(token, {"credential_configuration_id": SD_JWT, "proof": proof})

    assert len(answer.json()["credentials"]) == 1


def test_more_members_in_the_jwk_are_taken_and_not_copied(whole: Whole) -> None:
    holder = whole.key()
    header = {
        "typ": "openid4vci-proof+jwt",
        "jwk": {**holder.key.jwk, "kid": "mine", "use": "sig", "alg": "ES256"},
    }
    proofs = {"jwt": [whole.proof(holder, header=header)]}

    answer = whole.request(
        whole.token(whole.offer()), {"credential_configuration_id": SD_JWT, "proofs": proofs}
    )

    bound = payload_of(answer.json()["credentials"][0]["credential"])["cnf"]["jwk"]
    assert bound == holder.key.jwk


@pytest.mark.parametrize("both", [True, False])
def test_a_proof_names_its_key_by_one_of_jwk_and_did_url(whole: Whole, both: bool) -> None:
    holder = whole.key()
    did = holder.key.did_key
    header: dict[str, Any] = {
        "typ": "openid4vci-proof+jwt",
        "kid": f"{did}#{did.removeprefix('did:key:')}",
    }
    if both:
        header["jwk"] = holder.key.jwk
    proofs = {"jwt": [whole.proof(holder, header=header)]}

    answer = whole.request(
        whole.token(whole.offer()), {"credential_configuration_id": SD_JWT, "proofs": proofs}
    )

    assert answer.status_code == (400 if both else 200)
    assert answer.json().get("error") == ("invalid_proof" if both else None)


@pytest.mark.parametrize(("name", "kind"), [(SD_JWT, str), (JWT_VC, str), (LDP, dict)])
def test_credentials_come_as_texts_or_objects_one_for_each_proven_key(
    whole: Whole, name: str, kind: type
) -> None:
    formats = ["dc+sd-jwt", "ldp_vc", "jwt_vc_json"]
    answer = whole.receive(whole.token(whole.offer(formats=formats)), 3, configuration=name)

    assert len(answer["credentials"]) == 3
    assert all(set(item) == {"credential"} for item in answer["credentials"])
    assert all(isinstance(item["credential"], kind) for item in answer["credentials"])
    assert isinstance(answer["notification_id"], str)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "invalid_credential_request"),
        ({"credential_configuration_id": "x"}, "unknown_credential_configuration"),
        ({"credential_identifier": "x"}, "unknown_credential_identifier"),
        ({"credential_configuration_id": SD_JWT}, "invalid_proof"),
        ({"credential_configuration_id": SD_JWT, "proofs": {"jwt": []}}, "invalid_proof"),
        ({"credential_configuration_id": SD_JWT, "proofs": {"jwt": ["x"]}}, "invalid_proof"),
        ({"credential_configuration_id": SD_JWT, "proofs": {"di_vp": [{}]}}, "invalid_proof"),
    ],
)
def test_what_is_wrong_with_a_credential_request_has_its_own_error(
    whole: Whole, body: JsonObject, error: str
) -> None:
    answer = whole.request(whole.token(whole.offer()), body)

    assert answer.status_code == 400
    assert error_of(answer)["error"] == error


def test_a_nonce_that_is_not_ours_has_its_own_error(whole: Whole) -> None:
    proofs = {"jwt": [whole.proof(whole.key(), nonce="A" * 43)]}

    answer = whole.request(
        whole.token(whole.offer()), {"credential_configuration_id": SD_JWT, "proofs": proofs}
    )

    assert (answer.status_code, error_of(answer)["error"]) == (400, "invalid_nonce")


@pytest.mark.parametrize("scheme", ["DPoP", "Bearer"])
def test_a_bad_token_is_401_with_a_challenge_of_its_scheme(whole: Whole, scheme: str) -> None:
    answer = whole.http.post(
        f"{ISSUER}/credential", headers={"Authorization": f"{scheme} {'A' * 43}"}, json={}
    )

    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith(f'{scheme} error="invalid_token"')
    assert 'DPoP error="invalid_token"' in challenge  # RFC 9449 §7.1: both schemes are taken
    assert 'algs="ES256 EdDSA"' in challenge


def test_a_notification_is_204_and_an_unknown_one_has_its_own_error(whole: Whole) -> None:
    token = whole.token(whole.offer())
    received = whole.receive(token)

    assert whole.accept(token, received).status_code == 204
    unknown = whole.accept(token, {"notification_id": "x"})
    assert (unknown.status_code, error_of(unknown)["error"]) == (400, "invalid_notification_id")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/.well-known/openid-credential-issuer/issuers/registrar"),
        ("POST", "/issuers/registrar/par"),
        ("POST", "/issuers/registrar/token"),
        ("POST", "/issuers/registrar/nonce"),
        ("POST", "/issuers/registrar/credential"),
        ("POST", "/issuers/registrar/deferred-credential"),
        ("POST", "/issuers/registrar/notification"),
        ("GET", "/issuers/registrar/offers/by-reference/x"),
        ("GET", "/issuers/registrar/did.json"),
        ("GET", "/schemas/degree/1/context.jsonld"),
        ("GET", "/schemas/degree/1"),
    ],
)
def test_a_browser_wallet_of_any_origin_may_call_and_read_the_headers(
    whole: Whole, method: str, path: str
) -> None:
    origin = {"Origin": "https://wallet.example"}
    asked = whole.http.options(
        f"{BASE}{path}",
        headers={
            **origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,dpop,content-type",
        },
    )
    answer = whole.http.request(method, f"{BASE}{path}", headers=origin)

    assert asked.status_code == 200
    allowed = asked.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "dpop", "content-type"))
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert "DPoP-Nonce" in exposed
    assert "WWW-Authenticate" in exposed

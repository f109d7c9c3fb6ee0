"""Token endpoint: the pre-authorized code grant, its transaction code, and DPoP."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from identity.core.jose import sign_compact
from identity.core.offers import PRE_AUTHORIZED
from identity.core.signing import NamedSigner
from registry.core.encoding import base64url_encode
from tests.identity.issuer.workbench import BEARER, Workbench


def _post(bench: Workbench, form: Any, **headers: str) -> Any:
    return bench.http.post(f"{bench.issuer}/token", data=form, headers=headers)


def _error(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error_description"].isascii()
    code: str = answer.json()["error"]
    return code


def test_a_code_becomes_a_token_once(bench: Workbench) -> None:
    offer = bench.offer()

    first = _post(bench, bench.token_form(offer, resource=bench.issuer, client_id="wallet"))
    second = _post(bench, bench.token_form(offer))

    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-store"
    assert first.json()["token_type"] == "Bearer"
    assert type(first.json()["expires_in"]) is int
    assert _error(second) == "invalid_grant"


def test_an_offer_is_fetched_twice_but_not_after_its_code_was_used(bench: Workbench) -> None:
    offer = bench.offer()
    address = offer["credential_offer_uri"]
    assert [bench.http.get(address).status_code for _ in range(2)] == [200, 200]

    bench.token(offer)

    assert bench.http.get(address).status_code == 404
    assert bench.http.get(address[:-1] + "A").status_code == 404


@pytest.mark.parametrize("name", ["tx_code", "user_pin"])
def test_the_transaction_code_is_taken_under_both_names(bench: Workbench, name: str) -> None:
    offer = bench.offer(tx_code=True)
    assert offer["credential_offer"]["grants"][PRE_AUTHORIZED]["tx_code"]["length"] == 6
    form = bench.token_form(offer)
    code = form.pop("tx_code")

    assert _post(bench, {**form, name: code}).status_code == 200


def test_five_wrong_transaction_codes_kill_the_offer(bench: Workbench) -> None:
    offer = bench.offer(tx_code=True)
    wrong = "000000" if offer["tx_code"] != "000000" else "000001"
    assert _error(_post(bench, bench.token_form(offer, tx_code=""))) == "invalid_request"

    for _ in range(5):
        assert _error(_post(bench, bench.token_form(offer, tx_code=wrong))) == "invalid_grant"

    assert _error(_post(bench, bench.token_form(offer))) == "invalid_grant"
    state = bench.http.get(f"{bench.issuer}/offers/{offer['offer']}", headers=BEARER)
    assert state.json()["state"] == "dead"


def test_four_wrong_transaction_codes_leave_a_fifth_try(bench: Workbench) -> None:
    offer = bench.offer(tx_code=True)
    wrong = "000000" if offer["tx_code"] != "000000" else "000001"
    for _ in range(4):
        assert _error(_post(bench, bench.token_form(offer, tx_code=wrong))) == "invalid_grant"

    assert _post(bench, bench.token_form(offer)).status_code == 200


def test_guesses_in_parallel_get_no_more_than_five_tries(bench: Workbench, tmp_path: Path) -> None:
    offer = bench.offer(tx_code=True)
    guesses = [f"{number:06d}" for number in range(24) if f"{number:06d}" != offer["tx_code"]]
    other = Workbench(tmp_path, registry=bench.registry, clock=bench.clock, seed=b"other")

    def guess(number: int) -> str:
        process = (bench, other)[number % 2]
        form = bench.token_form(offer, tx_code=guesses[number])
        return _error(process.http.post(f"{bench.issuer}/token", data=form))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(len(guesses))))

    assert set(answers) == {"invalid_grant"}
    assert _error(_post(bench, bench.token_form(offer))) == "invalid_grant"


def test_of_many_that_redeem_one_code_exactly_one_wins(bench: Workbench, tmp_path: Path) -> None:
    offer = bench.offer()
    other = Workbench(tmp_path, registry=bench.registry, clock=bench.clock, seed=b"other")

    def redeem(number: int) -> int:
        process = (bench, other)[number % 2]
        status: int = process.http.post(
            f"{bench.issuer}/token", data=bench.token_form(offer)
        ).status_code
        return status

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(redeem, range(16)))

    assert sorted(answers) == [200] + [400] * 15


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"pre-authorized_code": ""}, "invalid_request"),
        ({"pre-authorized_code": "short"}, "invalid_grant"),
        ({"pre-authorized_code": "A" * 43}, "invalid_grant"),
        ({"tx_code": "123456"}, "invalid_request"),
        ({"tx_code": "123456", "user_pin": "654321"}, "invalid_request"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        (
            {
                "authorization_details": '[{"type":"openid_credential",'
                '"credential_configuration_id":"degree-sd-jwt"}]'
            },
            "invalid_authorization_details",
        ),
    ],
)
def test_a_bad_token_request_is_refused_and_the_code_survives(
    bench: Workbench, change: dict[str, str], error: str
) -> None:
    offer = bench.offer()

    assert _error(_post(bench, bench.token_form(offer, **change))) == error

    assert _post(bench, bench.token_form(offer)).status_code == 200


def test_a_parameter_that_comes_twice_is_refused(bench: Workbench) -> None:
    form = "&".join(f"{name}={value}" for name, value in bench.token_form(bench.offer()).items())

    answer = bench.http.post(
        f"{bench.issuer}/token",
        content=form + "&grant_type=other",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert _error(answer) == "invalid_request"


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_only_forms_are_read(bench: Workbench, content_type: str) -> None:
    answer = bench.http.post(
        f"{bench.issuer}/token", content=b"grant_type=x", headers={"Content-Type": content_type}
    )

    assert _error(answer) == "invalid_request"


def test_an_offer_expires(bench: Workbench) -> None:
    offer = bench.offer(expires_in=60)
    bench.clock.forward(seconds=61)

    assert _error(_post(bench, bench.token_form(offer))) == "invalid_grant"


def test_a_withdrawn_offer_gives_no_token_and_its_token_dies(bench: Workbench) -> None:
    offer, other = bench.offer(), bench.offer()
    token = bench.token(other)

    for item in (offer, other):
        answer = bench.http.delete(f"{bench.issuer}/offers/{item['offer']}", headers=BEARER)
        assert answer.status_code == 204

    assert _error(_post(bench, bench.token_form(offer))) == "invalid_grant"
    assert bench.request(token, {}).status_code == 401


def test_authorization_details_are_answered_with_identifiers(bench: Workbench) -> None:
    details = '[{"type":"openid_credential","credential_configuration_id":"%s"}]'
    form = bench.token_form(
        bench.offer(), authorization_details=details % "resident-identity-sd-jwt"
    )

    answer = _post(bench, form).json()

    assert answer["authorization_details"] == [
        {
            "type": "openid_credential",
            "credential_configuration_id": "resident-identity-sd-jwt",
            "credential_identifiers": ["resident-identity-sd-jwt"],
        }
    ]
    issued = bench.request(
        answer["access_token"],
        {
            "credential_identifier": "resident-identity-sd-jwt",
            "proofs": {"jwt": [bench.proof(bench.key())]},
        },
    )
    assert issued.status_code == 200


def _dpop(bench: Workbench, key: Any, url: str, *, token: str | None = None, **claims: Any) -> str:
    payload = {
        "htm": "POST",
        "htu": url,
        "iat": int(bench.clock().timestamp()),
        "jti": base64url_encode(bench.random(12)),
        **claims,
    }
    if token is not None:
        payload.setdefault("ath", base64url_encode(hashlib.sha256(token.encode("ascii")).digest()))
    return sign_compact(
        header={"typ": "dpop+jwt", "jwk": key.key.jwk},
        payload=payload,
        signer=NamedSigner(key, "wallet"),
    )


def test_a_token_asked_for_with_dpop_works_with_that_key_only(bench: Workbench) -> None:
    key, thief = bench.key(), bench.key()
    endpoint = f"{bench.issuer}/credential"
    answer = _post(
        bench,
        bench.token_form(bench.offer()),
        DPoP=_dpop(bench, key, f"{bench.issuer}/token"),
    ).json()
    assert answer["token_type"] == "DPoP"
    token = answer["access_token"]
    body = {
        "credential_configuration_id": "resident-identity-sd-jwt",
        "proofs": {"jwt": [bench.proof(bench.key())]},
    }

    def ask(scheme: str, **headers: str) -> Any:
        return bench.http.post(
            endpoint, headers={"Authorization": f"{scheme} {token}", **headers}, json=body
        )

    assert ask("Bearer").status_code == 401
    assert ask("DPoP").status_code == 401
    stolen = ask("DPoP", DPoP=_dpop(bench, thief, endpoint, token=token))
    assert stolen.status_code == 401
    assert 'DPoP error="invalid_token"' in stolen.headers["www-authenticate"]
    good = _dpop(bench, key, endpoint, token=token)
    assert ask("DPoP", DPoP=good).status_code == 200
    replayed = ask("DPoP", DPoP=good)
    assert replayed.status_code == 401
    assert replayed.json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize(
    "claims",
    [
        {"htm": "GET"},
        {"htu": "https://id.example/issuers/registrar/credential"},
        {"htu": "https://elsewhere.example/issuers/registrar/token"},
        {"htu": "https://id.example:8443/issuers/registrar/token"},
        {"htu": "https://id.example@elsewhere.example/issuers/registrar/token"},
        {"htu": "http://id.example/issuers/registrar/token"},
        {"htu": "https://id.example/issuers/registrar%2Ftoken"},
        {"iat": 0},
        {"iat": True},
        {"iat": None},
        {"jti": ""},
        {"jti": "x" * 300},
        {"jti": None},
    ],
)
def test_a_bad_dpop_proof_gives_no_token(bench: Workbench, claims: dict[str, Any]) -> None:
    offer = bench.offer()
    proof = _dpop(bench, bench.key(), f"{bench.issuer}/token", **claims)

    assert _error(_post(bench, bench.token_form(offer), DPoP=proof)) == "invalid_dpop_proof"

    good = _dpop(
        bench, bench.key(), f"{bench.issuer.upper()[:10].lower()}{bench.issuer[10:]}/token?x=1#y"
    )
    assert _post(bench, bench.token_form(offer), DPoP=good).status_code == 200


def test_a_bearer_token_is_refused_under_the_dpop_scheme(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    proof = _dpop(bench, bench.key(), f"{bench.issuer}/credential", token=token)

    answer = bench.http.post(
        f"{bench.issuer}/credential",
        headers={"Authorization": f"DPoP {token}", "DPoP": proof},
        json={},
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://ID.example/issuers/registrar/token",
        "https://id.example:443/issuers/registrar/token",
        "https://id.example/issuers/registr%61r/token",
        "https://id.example/issuers/registrar/token?a=b#c",
    ],
)
def test_the_address_of_a_dpop_proof_is_compared_normalised(bench: Workbench, htu: str) -> None:
    proof = _dpop(bench, bench.key(), htu)

    answer = bench.http.post(
        f"{bench.issuer}/token", data=bench.token_form(bench.offer()), headers={"DPoP": proof}
    )

    assert (answer.status_code, answer.json().get("token_type")) == (200, "DPoP")

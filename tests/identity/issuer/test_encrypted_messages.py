"""Encrypted credential requests and responses (OpenID4VCI 1.0 §10). Oracle: jwcrypto."""

import json
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from identity.issuer.parts import AgencyOptions
from registry.core.encoding import base64url_encode
from tests.identity.issuer.code_flow import error_of
from tests.identity.issuer.workbench import Workbench, payload_of

CONFIGURATION = "resident-identity-sd-jwt"


def _metadata(bench: Workbench) -> Any:
    return bench.http.get("/.well-known/openid-credential-issuer/issuers/registrar").json()


def _sealed(bench: Workbench, body: Any, **header: Any) -> str:
    (jwk,) = _metadata(bench)["credential_request_encryption"]["jwks"]["keys"]
    protected = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": jwk["kid"], **header}
    message = JWE(json.dumps(body).encode(), json.dumps(protected))
    message.add_recipient(JWK(**jwk))
    text: str = message.serialize(compact=True)
    return text


def _post(bench: Workbench, token: str, text: str, path: str = "/credential") -> Any:
    return bench.http.post(
        f"{bench.issuer}{path}",
        content=text,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/jwt"},
    )


def _opened(answer: Any, key: JWK) -> tuple[Any, Any]:
    message = JWE()
    message.deserialize(answer.text, key)
    return json.loads(message.objects["protected"]), json.loads(message.payload)


def _wanted(key: JWK, **more: Any) -> dict[str, Any]:
    public = {**key.export_public(as_dict=True), "alg": "ECDH-ES", "kid": "mine"}
    return {"jwk": public, "enc": "A256GCM", **more}


def _ask(bench: Workbench, **more: Any) -> dict[str, Any]:
    proofs = {"jwt": [bench.proof(bench.key())]}
    return {"credential_configuration_id": CONFIGURATION, "proofs": proofs, **more}


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.parametrize("zipped", [{}, {"zip": "DEF"}])
def test_request_and_response_are_encrypted_as_the_metadata_offers(
    bench: Workbench, enc: str, zipped: dict[str, str]
) -> None:
    key = JWK.generate(kty="EC", crv="P-256")
    token = bench.token(bench.offer())
    body = _ask(bench, credential_response_encryption=_wanted(key, **zipped))

    answer = _post(bench, token, _sealed(bench, body, enc=enc, **zipped))

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jwt"
    header, content = _opened(answer, key)
    assert (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES", "A256GCM", "mine")
    assert header.get("zip") == zipped.get("zip")
    assert payload_of(content["credentials"][0]["credential"])["iss"] == bench.issuer
    assert content["notification_id"]


def test_an_encrypted_request_without_wish_is_answered_in_json(bench: Workbench) -> None:
    answer = _post(bench, bench.token(bench.offer()), _sealed(bench, _ask(bench)))

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["credentials"]


def test_a_deferred_answer_is_encrypted_to_the_key_of_its_own_request(bench: Workbench) -> None:
    from tests.identity.issuer.test_deferred import _decide

    first, second = (JWK.generate(kty="EC", crv="P-256") for _ in range(2))
    offer = bench.offer(deferred=True)
    token = bench.token(offer)
    asked = _post(
        bench, token, _sealed(bench, _ask(bench, credential_response_encryption=_wanted(first)))
    )
    assert asked.status_code == 202
    transaction = _opened(asked, first)[1]["transaction_id"]
    _decide(bench, offer["offer"])

    body = {"transaction_id": transaction, "credential_response_encryption": _wanted(second)}
    answer = _post(bench, token, _sealed(bench, body), "/deferred-credential")

    assert _opened(answer, second)[1]["credentials"]


def test_errors_are_never_encrypted(bench: Workbench) -> None:
    key = JWK.generate(kty="EC", crv="P-256")
    body = {"credential_configuration_id": "x", "credential_response_encryption": _wanted(key)}

    answer = _post(bench, bench.token(bench.offer()), _sealed(bench, body))

    assert error_of(answer)["error"] == "unknown_credential_configuration"


@pytest.mark.parametrize(
    "change",
    [
        {"enc": "A128CBC-HS256"},
        {"enc": None},
        {"zip": "GZ"},
        {"jwk": None},
        {"jwk": {"kty": "EC"}},
        {"jwk": {"kty": "oct", "k": "AAAA", "alg": "ECDH-ES"}},
        {"jwk": "text"},
    ],
)
def test_a_wish_that_was_not_offered_is_refused_before_anything_is_used(
    bench: Workbench, change: dict[str, Any]
) -> None:
    key = JWK.generate(kty="EC", crv="P-256")
    token = bench.token(bench.offer())
    body = _ask(bench, credential_response_encryption={**_wanted(key), **change})

    answer = bench.request(token, body)

    assert (answer.status_code, error_of(answer)["error"]) == (
        400,
        "invalid_encryption_parameters",
    )
    del body["credential_response_encryption"]
    assert bench.request(token, body).status_code == 200  # the nonce was not used up


def _broken(bench: Workbench, kind: str) -> str:
    good = _sealed(bench, _ask(bench))
    parts = good.split(".")
    if kind == "changed":
        parts[3] = base64url_encode(b"x" * 20)
        return ".".join(parts)
    if kind == "another key":
        key = JWK.generate(kty="EC", crv="P-256")
        message = JWE(b"{}", json.dumps({"alg": "ECDH-ES", "enc": "A128GCM"}))
        message.add_recipient(key)
        text: str = message.serialize(compact=True)
        return text
    if kind == "wrapped":
        parts[1] = "AAAA"
        return ".".join(parts)
    return {"empty": "", "json": "{}", "dots": "....", "binary": "\x80\x81"}[kind]


@pytest.mark.parametrize(
    "kind", ["changed", "another key", "wrapped", "empty", "json", "dots", "binary"]
)
def test_a_message_that_does_not_decrypt_is_refused(bench: Workbench, kind: str) -> None:
    answer = _post(bench, bench.token(bench.offer()), _broken(bench, kind))

    assert (answer.status_code, error_of(answer)["error"]) == (
        400,
        "invalid_encryption_parameters",
    )


def test_a_message_that_inflates_beyond_all_measure_is_refused(bench: Workbench) -> None:
    bomb = _sealed(bench, {"x": "a" * (4 << 20)}, zip="DEF")

    assert len(bomb) < 20_000
    answer = _post(bench, bench.token(bench.offer()), bomb)

    assert error_of(answer)["error"] == "invalid_encryption_parameters"


def test_an_issuer_without_the_key_offers_nothing_and_takes_nothing(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, options=AgencyOptions())

    answer = _post(bench, bench.token(bench.offer()), "a.b.c.d.e")

    assert "credential_request_encryption" not in _metadata(bench)
    assert "credential_response_encryption" not in _metadata(bench)
    assert error_of(answer)["error"] == "invalid_encryption_parameters"

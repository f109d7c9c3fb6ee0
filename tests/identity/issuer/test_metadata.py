"""What wallets read first: metadata in both well-known forms, exact to the character."""

from dataclasses import replace
from typing import Any

import pytest

from identity.core.issuance import Format
from identity.core.offers import PRE_AUTHORIZED
from identity.core.signing import NamedSigner
from identity.issuer.metadata import jwt_vc_issuer
from tests.identity.core.test_certificates import key
from tests.identity.issuer.workbench import Workbench


def _read(bench: Workbench, document: str) -> Any:
    inserted = bench.http.get(f"/.well-known/{document}/issuers/registrar")
    appended = bench.http.get(f"/issuers/registrar/.well-known/{document}")
    assert inserted.status_code == 200
    assert inserted.headers["content-type"] == "application/json"
    assert inserted.json() == appended.json()
    return inserted.json()


def test_issuer_metadata_is_what_wallets_of_the_field_need(bench: Workbench) -> None:
    metadata = _read(bench, "openid-credential-issuer")

    assert metadata["credential_issuer"] == bench.issuer
    for endpoint in ("credential_endpoint", "nonce_endpoint", "notification_endpoint"):
        assert metadata[endpoint].startswith(f"{bench.issuer}/")
    assert metadata["batch_credential_issuance"] == {"batch_size": 10}
    assert "authorization_servers" not in metadata  # the issuer is its own
    configurations = metadata["credential_configurations_supported"]
    assert len(configurations) == len(Format) * len(bench.agency.credential_types)
    for name, configuration in configurations.items():
        assert configuration["scope"] == name
        assert configuration["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"]
        assert configuration["credential_metadata"]["display"]
        locales = [item["locale"] for item in configuration["credential_metadata"]["display"]]
        assert len(set(locales)) == len(locales)
        paths = [tuple(item["path"]) for item in configuration["credential_metadata"]["claims"]]
        assert len(set(paths)) == len(paths)


def test_each_format_is_described_as_its_profile_wants(bench: Workbench) -> None:
    configurations = _read(bench, "openid-credential-issuer")["credential_configurations_supported"]

    sd_jwt = configurations["resident-identity-sd-jwt"]
    assert sd_jwt["format"] == Format.SD_JWT_VC
    assert sd_jwt["vct"] == "https://id.example/schemas/resident-identity/1"
    assert sd_jwt["cryptographic_binding_methods_supported"] == ["jwk", "did:key", "did:jwk"]
    ldp = configurations["resident-identity-ldp-vc"]
    assert ldp["format"] == Format.LDP_VC
    assert ldp["credential_definition"]["type"][0] == "VerifiableCredential"
    assert ldp["credential_definition"]["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert "jwk" not in ldp["cryptographic_binding_methods_supported"]


def test_the_authorization_server_says_only_what_works(bench: Workbench) -> None:
    metadata = _read(bench, "oauth-authorization-server")

    assert metadata["issuer"] == bench.issuer
    assert metadata["token_endpoint"] == f"{bench.issuer}/token"
    assert metadata["grant_types_supported"] == ["authorization_code", PRE_AUTHORIZED]
    assert metadata["pre-authorized_grant_anonymous_access_supported"] is True
    assert "ES256" in metadata["dpop_signing_alg_values_supported"]
    assert metadata["authorization_endpoint"] == f"{bench.issuer}/authorize"
    assert metadata["pushed_authorization_request_endpoint"] == f"{bench.issuer}/par"
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["token_endpoint_auth_methods_supported"] == ["none"]


def test_the_keys_of_the_issuer_are_published_under_the_kid_it_signs_with(
    bench: Workbench,
) -> None:
    document = _read(bench, "jwt-vc-issuer")

    assert document["issuer"] == bench.issuer
    (jwk,) = document["jwks"]["keys"]
    assert jwk["kid"] == bench.agency.jose.verification_method
    assert "d" not in jwk
    assert {name: jwk[name] for name in ("kty", "crv", "x", "y")} == bench.agency.jose.key.jwk


def test_a_key_that_was_withdrawn_is_told_to_nobody(bench: Workbench) -> None:
    agency = replace(
        bench.agency,
        jose=NamedSigner(key("jose 2"), f"{bench.agency.did}#jose-2"),
        earlier_jose=(bench.agency.jose,),
    )
    stolen = bench.agency.jose.verification_method

    assert [item["kid"] for item in jwt_vc_issuer(agency)["jwks"]["keys"]] == [
        agency.jose.verification_method,
        stolen,
    ]
    (left,) = jwt_vc_issuer(replace(agency, withdrawn=frozenset({stolen})))["jwks"]["keys"]
    assert left["kid"] == agency.jose.verification_method
    everything = frozenset({stolen, agency.jose.verification_method})
    assert jwt_vc_issuer(replace(agency, withdrawn=everything))["jwks"]["keys"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/openid-credential-issuer/issuers/nobody",
        "/.well-known/openid-configuration/issuers/registrar",
        "/issuers/nobody/.well-known/openid-credential-issuer",
        "/.well-known/openid-credential-issuer",
    ],
)
def test_other_well_known_addresses_are_a_json_error(bench: Workbench, path: str) -> None:
    answer = bench.http.get(path)

    assert answer.status_code == 404
    assert "json" in answer.headers["content-type"]


def test_a_nonce_is_asked_for_without_body_and_never_cached(bench: Workbench) -> None:
    answers = [bench.http.post(f"{bench.issuer}/nonce") for _ in range(2)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[0].json()["c_nonce"] != answers[1].json()["c_nonce"]


def test_addresses_are_built_from_the_configured_base_not_from_the_host_header(
    bench: Workbench,
) -> None:
    answer = bench.http.get(
        "/.well-known/openid-credential-issuer/issuers/registrar", headers={"Host": "evil.example"}
    )

    assert "evil.example" not in answer.text

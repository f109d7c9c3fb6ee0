"""What wallets in the field need from documents, offers and tokens: section 1."""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from identity.adapters.key_files import key_from_seed
from identity.config import AgencySettings
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.jose import parse_compact, verify_compact
from identity.core.mdoc import parse_issuer_signed, verify_issuer_signed
from identity.core.offers import PRE_AUTHORIZED
from registry.core.encoding import base64url_decode
from registry.core.keys import KeyType
from tests.contract.openid4vc.whole import (
    ISSUER,
    JWT_VC,
    LDP,
    LEAF,
    MDOC,
    SD_JWT,
    Whole,
    document_of,
)
from tests.identity.issuer.code_flow import error_of
from tests.identity.issuer.workbench import (
    BASE,
)


@pytest.mark.parametrize(
    "name", ["openid-credential-issuer", "oauth-authorization-server", "jwt-vc-issuer"]
)
def test_documents_are_json_at_the_inserted_and_at_the_appended_address(
    whole: Whole, name: str
) -> None:
    inserted = document_of(whole, name)
    appended = whole.http.get(f"{ISSUER}/.well-known/{name}")

    assert appended.headers["content-type"] == "application/json"
    assert appended.json() == inserted
    assert inserted.get("credential_issuer", inserted.get("issuer")) == ISSUER


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/openid-credential-issuer/issuers/registrar",
        "/issuers/registrar/.well-known/oauth-authorization-server",
        "/issuers/registrar/did.json",
        "/schemas/resident-identity/1/context.jsonld",
        "/.well-known/whatever",
    ],
)
def test_whatever_answers_get_answers_head_without_content(whole: Whole, path: str) -> None:
    """RFC 9110 section 9.1: every server has both."""
    read, asked = whole.http.get(f"{BASE}{path}"), whole.http.head(f"{BASE}{path}")

    assert asked.status_code == read.status_code
    assert asked.content == b""
    same = ("content-type", "content-length", "cache-control", "vary")
    assert [asked.headers.get(name) for name in same] == [read.headers.get(name) for name in same]
    assert whole.http.head(f"{ISSUER}/token").status_code == 405  # that only takes POST


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/openid-configuration/issuers/registrar",
        "/issuers/registrar/.well-known/openid-configuration",
        "/.well-known/whatever",
        "/.well-known/",
        "/.well-known/openid-credential-issuer",
    ],
)
def test_nothing_under_well_known_answers_with_a_page(whole: Whole, path: str) -> None:
    answer = whole.http.get(f"{BASE}{path}", follow_redirects=False)

    assert answer.status_code == 404
    assert "json" in answer.headers["content-type"]


def test_the_authorization_server_names_every_endpoint_and_what_turns_pkce_and_dpop_on(
    whole: Whole,
) -> None:
    server = document_of(whole, "oauth-authorization-server")

    for name in (
        "token_endpoint",
        "authorization_endpoint",
        "pushed_authorization_request_endpoint",
    ):
        assert server[name].startswith(f"{ISSUER}/")
    assert server["require_pushed_authorization_requests"] is True
    assert server["code_challenge_methods_supported"] == ["S256"]
    assert server["dpop_signing_alg_values_supported"][0] == "ES256"
    assert server["authorization_response_iss_parameter_supported"] is True
    assert server["pre-authorized_grant_anonymous_access_supported"] is True
    assert server["token_endpoint_auth_methods_supported"] == ["none"]
    assert set(server["grant_types_supported"]) == {"authorization_code", PRE_AUTHORIZED}


def test_the_issuer_is_its_own_server_and_no_grant_names_another(whole: Whole) -> None:
    offer = whole.offer(grants=["authorization_code", "pre-authorized_code"])

    assert "authorization_servers" not in document_of(whole, "openid-credential-issuer")
    for grant in offer["credential_offer"]["grants"].values():
        assert "authorization_server" not in grant


def test_the_issuer_names_its_endpoints_a_batch_size_and_how_it_is_called(whole: Whole) -> None:
    issuer = document_of(whole, "openid-credential-issuer")

    for name in (
        "credential_endpoint",
        "nonce_endpoint",
        "deferred_credential_endpoint",
        "notification_endpoint",
    ):
        assert issuer[name].startswith(f"{ISSUER}/")
    assert issuer["batch_credential_issuance"]["batch_size"] >= 2
    assert {item["locale"] for item in issuer["display"]} == {"en-US", "zh-CN"}


def test_display_and_claims_stand_inside_credential_metadata_of_every_configuration(
    whole: Whole,
) -> None:
    issuer = document_of(whole, "openid-credential-issuer")

    for name, configuration in issuer["credential_configurations_supported"].items():
        assert set(configuration["credential_metadata"]) == {"display", "claims"}
        assert not {"display", "claims"} & set(configuration)
        assert configuration["scope"] == name
        for proof in configuration["proof_types_supported"].values():
            assert proof["proof_signing_alg_values_supported"]
        algorithms = configuration["credential_signing_alg_values_supported"]
        wanted = int if configuration["format"] == "mso_mdoc" else str
        assert all(isinstance(item, wanted) for item in algorithms)


def test_logos_are_https_or_data_addresses() -> None:
    def logo(uri: str) -> AgencySettings:
        return AgencySettings(slug="a", name={"en": "A"}, types=("degree",), logo=uri)

    assert logo("https://a.example/l.svg").logo
    assert logo("data:image/svg+xml;base64,PHN2Zy8+").logo
    for uri in ("http://a.example/l.png", "javascript:x", "data:text/html,x", "/l.png"):
        with pytest.raises(ValueError, match="logo"):
            logo(uri)


def test_each_format_has_what_its_readers_need(whole: Whole) -> None:
    found = document_of(whole, "openid-credential-issuer")["credential_configurations_supported"]

    assert found[SD_JWT]["vct"]
    assert found[SD_JWT]["cryptographic_binding_methods_supported"] == ["jwk", "did:key", "did:jwk"]
    for name in (LDP, JWT_VC):
        definition = found[name]["credential_definition"]
        assert definition["type"][0] == "VerifiableCredential"
        assert definition["@context"]
        assert all(
            method.startswith("did:")
            for method in found[name]["cryptographic_binding_methods_supported"]
        )


def test_an_mdoc_has_its_document_type_cose_keys_and_paths_of_two_names(whole: Whole) -> None:
    found = document_of(whole, "openid-credential-issuer")["credential_configurations_supported"]
    mdoc = found[MDOC]

    assert mdoc["format"] == "mso_mdoc"
    assert mdoc["doctype"] == "cairn.resident-identity.1"
    assert mdoc["cryptographic_binding_methods_supported"] == ["cose_key"]
    assert mdoc["credential_signing_alg_values_supported"] == [-7]
    assert mdoc["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"] == ["ES256"]
    for claim in mdoc["credential_metadata"]["claims"]:
        assert claim["path"][0] == mdoc["doctype"]
        assert len(claim["path"]) == 2


def test_an_mdoc_is_signed_with_its_certificate_and_bound_to_the_proven_key(
    whole: Whole,
) -> None:
    holder = whole.key()
    token = whole.token(whole.offer(formats=["mso_mdoc"]))

    answer = whole.request(
        token,
        {"credential_configuration_id": MDOC, "proofs": {"jwt": [whole.proof(holder)]}},
    )

    assert answer.status_code == 200, answer.text
    issued = parse_issuer_signed(base64url_decode(answer.json()["credentials"][0]["credential"]))
    assert verify_issuer_signed(issued, key=whole.agency.jose.key) is None
    assert issued.chain == (LEAF,)
    assert issued.security_object.device_key == holder.key
    assert issued.security_object.doctype == "cairn.resident-identity.1"
    shown = {element.name: element.value for element in issued.elements}
    assert shown["family_name"] == "Kestrel"
    # It is anchored by what it says, and its status entry is in a list of its agency.
    content = issued.security_object.content
    digest = credential_digest(content, anchor_claim(content).salt)
    assert whole.parts.issuances.batch_of("registrar", digest)
    assert content["status"]["status_list"]["uri"].startswith(ISSUER)


def test_an_mdoc_for_another_kind_of_key_is_refused(whole: Whole) -> None:
    edwards = key_from_seed(KeyType.ED25519, b"e" * 32)
    token = whole.token(whole.offer(formats=["mso_mdoc"]))

    answer = whole.request(
        token,
        {"credential_configuration_id": MDOC, "proofs": {"jwt": [whole.proof(edwards)]}},
    )

    assert (answer.status_code, error_of(answer)["error"]) == (400, "invalid_proof")


def test_signed_metadata_says_the_same_to_whoever_asks_for_it(whole: Whole) -> None:
    url = f"{BASE}/.well-known/openid-credential-issuer/issuers/registrar"
    plain = document_of(whole, "openid-credential-issuer")

    signed = whole.http.get(url, headers={"Accept": "application/jwt, application/json;q=0.9"})
    either = whole.http.get(url, headers={"Accept": "application/json, application/jwt;q=0.5"})

    assert signed.headers["content-type"] == "application/jwt"
    claims = verify_compact(
        signed.text, key=whole.agency.jose.key, typ="openidvci-issuer-metadata+jwt"
    ).claims
    assert claims["sub"] == ISSUER
    assert claims["iat"] < claims["exp"]
    assert {name: claims[name] for name in plain} == plain
    assert parse_compact(signed.text).header["x5c"]
    assert either.headers["content-type"] == "application/json"


def test_an_offer_comes_by_value_without_percent_and_by_reference_as_often_as_wanted(
    whole: Whole,
) -> None:
    offer = whole.offer(tx_code=True)
    by_value = parse_qs(urlsplit(offer["offer_uri_by_value"]).query)["credential_offer"][0]

    assert "%" not in by_value
    assert json.loads(unquote(by_value)) == offer["credential_offer"]
    assert offer["offer_uri"].startswith("openid-credential-offer://?credential_offer_uri=")
    for _ in range(2):
        answer = whole.http.get(offer["credential_offer_uri"])
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == offer["credential_offer"]


def test_an_offer_describes_the_transaction_code_and_never_holds_it(whole: Whole) -> None:
    offer = whole.offer(tx_code=True)
    described = offer["credential_offer"]["grants"][PRE_AUTHORIZED]["tx_code"]

    assert described["input_mode"] == "numeric"
    assert described["length"] == len(offer["tx_code"])
    assert len(described["description"]) <= 300
    assert offer["tx_code"] not in json.dumps(described)


def test_both_names_of_the_code_resource_client_and_unknown_parameters_are_taken(
    whole: Whole,
) -> None:
    offer = whole.offer(tx_code=True)
    form = whole.token_form(
        offer, user_pin=offer["tx_code"], resource=ISSUER, client_id="x", something="else"
    )

    answer = whole.http.post(f"{ISSUER}/token", data=form)

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert type(answer.json()["expires_in"]) is int


def test_a_missing_transaction_code_is_an_invalid_request_and_a_wrong_one_an_invalid_grant(
    whole: Whole,
) -> None:
    offer = whole.offer(tx_code=True)
    wrong = "1" * len(offer["tx_code"])
    wrong = wrong if wrong != offer["tx_code"] else "2" * len(wrong)

    answers = [
        whole.http.post(f"{ISSUER}/token", data=whole.token_form(offer, tx_code=code))
        for code in ("", wrong, offer["tx_code"], offer["tx_code"])
    ]

    assert [item.status_code for item in answers] == [400, 400, 200, 400]
    errors = [error_of(item)["error"] for item in answers if item.status_code == 400]
    assert errors == ["invalid_request", "invalid_grant", "invalid_grant"]

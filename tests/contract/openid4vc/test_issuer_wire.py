"""What wallets in the field need from the issuer, over the whole application: sections 1 and 2."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.adapters.key_files import key_from_seed
from identity.app import create_app
from identity.config import AgencySettings, Settings
from identity.core.certificates import FixedChain, Subject, make_leaf, make_root, read_certificate
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.jose import parse_compact, verify_compact
from identity.core.mdoc import parse_issuer_signed, verify_issuer_signed
from identity.core.offers import PRE_AUTHORIZED
from identity.core.signing import NamedSigner
from identity.core.status_list import decode_token_list
from identity.issuer.routes import build_router
from identity.publishing.did_routes import build_router as build_did_router
from registry.core.did_web import web_did
from registry.core.encoding import JsonObject, base64url_decode
from registry.core.keys import KeyType, parse_jwk
from tests.identity.core.test_certificates import key
from tests.identity.issuer.code_flow import CodeFlow, error_of
from tests.identity.issuer.ledger_in_memory import MemoryRegistry
from tests.identity.issuer.workbench import (
    ACCESS_KEY,
    BASE,
    CATALOGUE,
    START,
    Randomness,
    Workbench,
    make_agency,
    payload_of,
)

ISSUER = f"{BASE}/issuers/registrar"
SD_JWT, LDP, JWT_VC = (f"resident-identity-{suffix}" for suffix in ("sd-jwt", "ldp-vc", "jwt-vc"))
MDOC = "resident-identity-mdoc"
ROOT = make_root(key("wire root"), name="Root", country="CN", now=START, random=Randomness())


def _leaf() -> bytes:
    agency = make_agency(MemoryRegistry(int(START.timestamp())), "registrar", ("degree",))
    subject = Subject(name="Registrar", country="CN", url=ISSUER, key=agency.jose.key)
    return make_leaf(subject, root=ROOT, private=key("wire root"), now=START, random=Randomness())


LEAF = _leaf()


class Whole(Workbench):
    """The issuer inside the application that a process serves."""

    def application(self) -> FastAPI:
        router = build_router(
            parts=self.parts,
            publisher=self.publisher,
            access=DigestAccessKeys({"issuer:registrar": access_key_digest(ACCESS_KEY)}),
            clock=self.clock,
        )
        name = web_did(ISSUER)
        assert name is not None
        did = build_did_router(
            dids={"registrar": (self.agency.did, name)}, resolve=self.registry.resolve
        )
        settings = Settings(server={"public_base_url": BASE})
        return create_app(settings, catalogue=CATALOGUE, routers=[router, did])


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    bench = Whole(tmp_path, certificates=FixedChain((LEAF,)))
    bench.__dict__["http"] = TestClient(
        bench.application(), base_url=BASE, raise_server_exceptions=True
    )
    return bench


def _document(whole: Whole, name: str) -> JsonObject:
    answer = whole.http.get(f"{BASE}/.well-known/{name}/issuers/registrar")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document: JsonObject = answer.json()
    return document


# -- section 1: documents -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["openid-credential-issuer", "oauth-authorization-server", "jwt-vc-issuer"]
)
def test_documents_are_json_at_the_inserted_and_at_the_appended_address(
    whole: Whole, name: str
) -> None:
    inserted = _document(whole, name)
    appended = whole.http.get(f"{ISSUER}/.well-known/{name}")

    assert appended.headers["content-type"] == "application/json"
    assert appended.json() == inserted
    assert inserted.get("credential_issuer", inserted.get("issuer")) == ISSUER


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
    server = _document(whole, "oauth-authorization-server")

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

    assert "authorization_servers" not in _document(whole, "openid-credential-issuer")
    for grant in offer["credential_offer"]["grants"].values():
        assert "authorization_server" not in grant


def test_the_issuer_names_its_endpoints_a_batch_size_and_how_it_is_called(whole: Whole) -> None:
    issuer = _document(whole, "openid-credential-issuer")

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
    issuer = _document(whole, "openid-credential-issuer")

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
    found = _document(whole, "openid-credential-issuer")["credential_configurations_supported"]

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
    found = _document(whole, "openid-credential-issuer")["credential_configurations_supported"]
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
    plain = _document(whole, "openid-credential-issuer")

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


# -- section 1: offers ---------------------------------------------------------------------------


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


# -- section 1: tokens ---------------------------------------------------------------------------


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


# -- section 1: credentials -----------------------------------------------------------------------


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
    assert answer.headers["www-authenticate"].startswith(f'{scheme} error="invalid_token"')


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


# -- section 2: what others need to verify us ------------------------------------------------------


def _sd_jwt(whole: Whole) -> str:
    received = whole.receive(whole.token(whole.offer()))
    text: str = received["credentials"][0]["credential"]
    return text


def test_an_sd_jwt_vc_has_typ_es256_x5c_and_kid_and_the_claims_that_peers_read(
    whole: Whole,
) -> None:
    jws = parse_compact(_sd_jwt(whole).split("~", 1)[0])
    claims = jws.claims

    assert (jws.header["typ"], jws.header["alg"]) == ("dc+sd-jwt", "ES256")
    assert jws.header["kid"] == whole.agency.jose.verification_method
    assert [b64decode(item) for item in jws.header["x5c"]] == [LEAF]  # the root is left out
    assert claims["iss"] == ISSUER
    assert claims["iss"].startswith("https://")
    assert claims["vct"]
    assert claims["cnf"]["jwk"]
    assert START.timestamp() - 600 <= claims["iat"] < START.timestamp()
    assert claims["exp"] > START.timestamp()
    assert set(claims["status"]["status_list"]) == {"idx", "uri"}


def test_the_leaf_names_host_url_and_country_and_leads_to_the_root() -> None:
    leaf = read_certificate(LEAF)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert urlsplit(ISSUER).hostname in names.get_values_for_type(x509.DNSName)
    assert ISSUER in names.get_values_for_type(x509.UniformResourceIdentifier)
    assert leaf.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    assert leaf.verify_directly_issued_by(read_certificate(ROOT)) is None


def test_jwt_vc_issuer_has_the_same_key_under_the_same_kid_as_the_certificate(
    whole: Whole,
) -> None:
    jws = parse_compact(_sd_jwt(whole).split("~", 1)[0])
    (found,) = [
        item
        for item in _document(whole, "jwt-vc-issuer")["jwks"]["keys"]
        if item["kid"] == jws.header["kid"]
    ]
    numbers = read_certificate(b64decode(jws.header["x5c"][0])).public_key().public_numbers()

    point = parse_jwk({name: found[name] for name in ("kty", "crv", "x", "y")})
    assert point.jwk == whole.agency.jose.key.jwk
    assert int.from_bytes(point.data[1:], "big") == numbers.x


def _status_token(whole: Whole, credential: str) -> tuple[str, Any]:
    uri = payload_of(credential)["status"]["status_list"]["uri"]
    answer = whole.http.get(uri, headers={"Accept": "application/statuslist+jwt"})
    assert answer.status_code == 200
    return uri, answer


def test_the_status_token_is_of_its_kind_and_names_its_address(whole: Whole) -> None:
    uri, answer = _status_token(whole, _sd_jwt(whole))
    jws = parse_compact(answer.text)
    claims = jws.claims

    assert answer.headers["content-type"] == "application/statuslist+jwt"
    assert jws.header["typ"] == "statuslist+jwt"
    assert claims["sub"] == uri
    assert claims["iat"] <= START.timestamp()
    assert claims["exp"] > START.timestamp() + 6 * 3600
    assert set(claims["status_list"]) == {"bits", "lst"}
    assert decode_token_list(claims["status_list"]["lst"])


def test_the_key_of_the_credential_signs_its_status_token_also_after_rotation(
    whole: Whole, tmp_path: Path
) -> None:
    from dataclasses import replace

    old = _sd_jwt(whole)
    fresh = NamedSigner(key("jose 2"), f"{whole.agency.did}#jose-2")
    rotated = replace(whole.agency, jose=fresh, earlier_jose=(whole.agency.jose,))
    whole.parts.agencies["registrar"] = rotated  # type: ignore[index]
    new = _sd_jwt(whole)
    whole.clock.forward(days=2)  # the lists are signed again

    for credential in (old, new):
        kid = parse_compact(credential.split("~", 1)[0]).header["kid"]
        _, answer = _status_token(whole, credential)
        assert parse_compact(answer.text).header["kid"] == kid
        verify_compact(answer.text, key=rotated.signer_of(kid).key, typ="statuslist+jwt")
    uris = {payload_of(item)["status"]["status_list"]["uri"] for item in (old, new)}
    assert len(uris) == 2
    published = [item["kid"] for item in _document(whole, "jwt-vc-issuer")["jwks"]["keys"]]
    assert published == [fresh.verification_method, whole.agency.jose.verification_method]


def test_a_linked_data_credential_has_the_form_of_version_2(whole: Whole) -> None:
    received = whole.receive(whole.token(whole.offer()), configuration=LDP)
    credential = received["credentials"][0]["credential"]

    assert credential["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert credential["validFrom"]
    proof = credential["proof"]
    assert proof["type"] == "DataIntegrityProof"
    assert proof["cryptosuite"] == "eddsa-rdfc-2022"
    assert proof["proofPurpose"] == "assertionMethod"
    assert proof["proofValue"].startswith("z")
    for context in credential["@context"][1:]:
        answer = whole.http.get(context, headers={"Origin": "https://wallet.example"})
        assert answer.headers["content-type"] == "application/ld+json"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "/1/" in context  # a version in the address


def test_a_bitstring_list_has_what_its_readers_compare(whole: Whole) -> None:
    received = whole.receive(whole.token(whole.offer()), configuration=LDP)
    credential = received["credentials"][0]["credential"]

    for entry in credential["credentialStatus"]:
        listed = whole.http.get(entry["statusListCredential"]).json()
        assert listed["@context"][0] == "https://www.w3.org/ns/credentials/v2"
        assert listed["issuer"] == credential["issuer"]
        assert listed["credentialSubject"]["statusPurpose"] == entry["statusPurpose"]
        assert isinstance(listed["credentialSubject"]["statusPurpose"], str)
        assert listed["credentialSubject"]["encodedList"].startswith("u")
        assert listed["proof"]["cryptosuite"] == credential["proof"]["cryptosuite"]
        assert listed["proof"]["verificationMethod"] == credential["proof"]["verificationMethod"]


def test_the_did_document_has_full_ids_types_that_peers_know_and_their_contexts(
    whole: Whole,
) -> None:
    answer = whole.http.get(f"{ISSUER}/did.json")
    document = answer.json()

    assert document["id"] == "did:web:id.example:issuers:registrar"
    assert document["@context"][0] == "https://www.w3.org/ns/did/v1"
    ids = {method["id"] for method in document["verificationMethod"]}
    assert all(item.startswith(f"{document['id']}#") for item in ids)
    assert all(method["controller"] == document["id"] for method in document["verificationMethod"])
    kinds = {method["type"] for method in document["verificationMethod"]}
    assert kinds <= {"Multikey", "JsonWebKey2020"}
    assert set(document["assertionMethod"]) <= ids


def test_a_jwt_vc_is_of_version_1_1_under_the_did_web_of_the_agency(whole: Whole) -> None:
    offer = whole.offer(formats=["jwt_vc_json"])
    received = whole.receive(whole.token(offer), configuration=JWT_VC)
    jws = parse_compact(received["credentials"][0]["credential"])
    claims = jws.claims
    document = whole.http.get(f"{ISSUER}/did.json").json()

    assert claims["vc"]["@context"][0] == "https://www.w3.org/2018/credentials/v1"
    assert claims["iss"] == claims["vc"]["issuer"] == document["id"]
    assert claims["sub"] == claims["vc"]["credentialSubject"]["id"]
    assert claims["sub"].startswith("did:")
    assert claims["jti"] == claims["vc"]["id"]
    assert claims["nbf"] < START.timestamp()
    (method,) = [m for m in document["verificationMethod"] if m["id"] == jws.header["kid"]]
    assert parse_jwk(method["publicKeyJwk"]).jwk == whole.agency.jose.key.jwk
    verify_compact(jws, key=whole.agency.jose.key, typ="JWT")


def test_the_vct_is_an_address_with_type_metadata(whole: Whole) -> None:
    vct = payload_of(_sd_jwt(whole))["vct"]
    answer = whole.http.get(vct, headers={"Origin": "https://wallet.example"})

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["vct"] == vct


def test_the_code_flow_returns_iss_and_state_over_the_whole_application(whole: Whole) -> None:
    flow = CodeFlow(whole)

    token = flow.token(flow.code(state="x"))

    assert (flow.back()["iss"], flow.back()["state"]) == (ISSUER, "x")
    assert token.status_code == 200

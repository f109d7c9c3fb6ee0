"""What others need to verify us: section 2."""

from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from identity.core.certificates import read_certificate
from identity.core.jose import parse_compact, verify_compact
from identity.core.signing import NamedSigner
from identity.core.status_list import decode_token_list
from registry.core.keys import parse_jwk
from tests.contract.openid4vc.whole import ISSUER, JWT_VC, LDP, LEAF, ROOT, Whole, document_of
from tests.identity.core.test_certificates import key
from tests.identity.issuer.code_flow import CodeFlow
from tests.identity.issuer.workbench import (
    START,
    payload_of,
)


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
        for item in document_of(whole, "jwt-vc-issuer")["jwks"]["keys"]
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
    published = [item["kid"] for item in document_of(whole, "jwt-vc-issuer")["jwks"]["keys"]]
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

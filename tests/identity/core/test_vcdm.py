"""The form of credentials: VC Data Model 2.0 sections 4 and 5, one rule broken at a time."""

import base64
import copy
import hashlib
from datetime import UTC, datetime

import pytest

from identity.core.date_time import NotValidNow
from identity.core.vcdm import (
    CREDENTIALS_V1,
    CREDENTIALS_V2,
    check_credential,
    check_presentation,
    check_validity,
    issuer_of,
    types_of,
)
from registry.core.encoding import base64url_encode
from registry.core.refusals import Malformed
from tests.identity.core.contexts import bundled

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
CREDENTIAL = {
    "@context": [CREDENTIALS_V2, EXAMPLES],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "issuer": {"id": "did:example:issuer", "name": "Example University"},
    "validFrom": "2023-01-01T00:00:00Z",
    "validUntil": "2033-01-01T00:00:00+08:00",
    "credentialSubject": {"id": "did:example:subject", "alumniOf": "The School of Examples"},
    "credentialStatus": {
        "id": "https://issuer.example/status/1#7",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": "https://issuer.example/status/1",
    },
    "credentialSchema": {"id": "https://issuer.example/schema", "type": "JsonSchema"},
}
V1 = {
    "@context": [CREDENTIALS_V1],
    "type": ["VerifiableCredential"],
    "issuer": "did:example:issuer",
    "issuanceDate": "2023-01-01T00:00:00Z",
    "expirationDate": "2033-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:subject"},
}
PRESENTATION = {
    "@context": [CREDENTIALS_V2, EXAMPLES],
    "type": ["VerifiablePresentation"],
    "holder": "did:example:subject",
    "verifiableCredential": [CREDENTIAL],
}


def changed(base=CREDENTIAL, **changes) -> dict:
    document = {**copy.deepcopy(base), **changes}
    return {name: value for name, value in document.items() if value is not ...}


def check(document) -> None:
    check_credential(document, contexts=bundled())


def digest_sri(url: str, name: str = "sha384") -> str:
    data = bundled().published(url)
    return f"{name}-" + base64.b64encode(hashlib.new(name, data).digest()).decode()


def multihash(url: str) -> str:
    return "u" + base64url_encode(b"\x12\x20" + hashlib.sha256(bundled().published(url)).digest())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": ...},
        {"validFrom": ..., "validUntil": ...},
        {"validFrom": "2099-01-01T00:00:00Z", "validUntil": ...},
        {"validFrom": "2023-01-01T00:00:00.123Z"},
        {"validFrom": "2023-01-01T00:00:00-05:30"},
        {"validFrom": "2033-01-01T00:00:00+08:00"},
        {"issuer": "https://issuer.example/1"},
        {"issuer": {"id": "did:example:issuer", "description": "x"}},
        {"credentialSubject": [{"alumniOf": "a"}, {"alumniOf": "b"}]},
        {"credentialSubject": {"alumniOf": "a"}},
        {"name": {"@value": "x", "@language": "en", "@direction": "ltr"}},
        {"name": [{"@value": "x", "@language": "en"}, {"@value": "y", "@language": "zh-Hans"}]},
        {"type": ["VerifiableCredential"]},
        {"type": "VerifiableCredential"},
        {"type": ["VerifiableCredential", "https://example.com/Type"]},
        {"credentialStatus": ...},
        {"credentialStatus": {"type": "https://example.com/Status"}},
        {"credentialStatus": [{"type": "UnknownStatus"}, CREDENTIAL["credentialStatus"]]},
        {"credentialSchema": [{"id": "https://a.example", "type": "UnknownSchema"}]},
        {"termsOfUse": {"type": "Terms"}, "evidence": [{"type": ["A", "B"]}]},
        {"refreshService": {"id": "https://a.example", "type": "Refresh"}},
        {"relatedResource": {"id": EXAMPLES, "digestSRI": digest_sri(EXAMPLES)}},
        {"relatedResource": [{"id": CREDENTIALS_V2, "digestMultibase": multihash(CREDENTIALS_V2)}]},
        {
            "relatedResource": {
                "id": "https://elsewhere.example/unknown",
                "digestSRI": digest_sri(EXAMPLES, "sha256"),
            }
        },
    ],
)
def test_credentials_of_data_model_2_that_are_accepted(changes):
    check(changed(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"@context": ...},
        {"@context": CREDENTIALS_V2},
        {"@context": []},
        {"@context": [EXAMPLES, CREDENTIALS_V2]},
        {"@context": [EXAMPLES]},
        {"@context": [{"@vocab": "urn:x:"}]},
        {"@context": [CREDENTIALS_V2, 5]},
        {"@context": [CREDENTIALS_V2, None]},
        {"@context": [CREDENTIALS_V2, "relative"]},
        {"@context": [CREDENTIALS_V2, [EXAMPLES]]},
        {"@context": [CREDENTIALS_V2, "https://example.com/unknown"]},
        {"@context": [CREDENTIALS_V2, EXAMPLES, {"name": "urn:x:redefined"}]},
        {"@context": [CREDENTIALS_V2]},
        {"type": ...},
        {"type": []},
        {"type": ["AlumniCredential"]},
        {"type": ["VerifiableCredential", 5]},
        {"type": ["VerifiableCredential", ""]},
        {"type": ["VerifiableCredential", None]},
        {"type": ["VerifiableCredential", {"@id": "x"}]},
        {"type": ["VerifiablePresentation"]},
        {"id": None},
        {"id": "not a url"},
        {"id": "relative"},
        {"id": ["urn:a:b"]},
        {"id": {"@id": "urn:a:b"}},
        {"id": 5},
        {"issuer": ...},
        {"issuer": None},
        {"issuer": "not-a-url"},
        {"issuer": {}},
        {"issuer": {"name": "x"}},
        {"issuer": {"id": None}},
        {"issuer": {"id": "relative"}},
        {"issuer": ["did:example:issuer"]},
        {"issuer": {"id": "did:example:issuer", "name": 5}},
        {"issuer": {"id": "did:example:issuer", "description": {"@value": 5}}},
        {"credentialSubject": ...},
        {"credentialSubject": None},
        {"credentialSubject": {}},
        {"credentialSubject": []},
        {"credentialSubject": [{"alumniOf": "a"}, {}]},
        {"credentialSubject": "did:example:subject"},
        {"credentialSubject": ["did:example:subject"]},
        {"credentialSubject": {"id": "relative", "alumniOf": "a"}},
        {"credentialSubject": {"id": ["did:a:b"], "alumniOf": "a"}},
        {"validFrom": "2023-01-01"},
        {"validFrom": "2023-01-01T00:00:00"},
        {"validFrom": "2023-02-30T00:00:00Z"},
        {"validFrom": "2023-01-01T25:00:00Z"},
        {"validFrom": "2023-01-01T00:00:00+15:00"},
        {"validFrom": "2023-01-01 00:00:00Z"},
        {"validFrom": 5},
        {"validFrom": None},
        {"validFrom": ["2023-01-01T00:00:00Z"]},
        {"validUntil": "x"},
        {"validUntil": "2022-12-31T23:59:59Z"},
        {"validUntil": "2023-01-01T07:59:59+08:00"},
        {"credentialStatus": "https://issuer.example/status"},
        {"credentialStatus": {"id": "https://issuer.example/status"}},
        {"credentialStatus": {**CREDENTIAL["credentialStatus"], "id": "relative"}},
        {"credentialStatus": {**CREDENTIAL["credentialStatus"], "id": ["urn:a:b"]}},
        {"credentialStatus": {**CREDENTIAL["credentialStatus"], "statusListIndex": 7}},
        {"credentialStatus": {**CREDENTIAL["credentialStatus"], "statusPurpose": ...}},
        {"credentialSchema": {"type": "JsonSchema"}},
        {"credentialSchema": {"id": "https://a.example"}},
        {"credentialSchema": {"id": "relative", "type": "JsonSchema"}},
        {"credentialSchema": []},
        {"termsOfUse": {"id": "https://a.example"}},
        {"evidence": [{"type": "A"}, {"id": "https://a.example"}]},
        {"refreshService": {"type": []}},
        {"refreshService": {"type": 5}},
        {"name": 5},
        {"name": {"value": "x"}},
        {"name": {"@value": "x", "@language": "no tag"}},
        {"name": {"@value": "x", "@direction": "up"}},
        {"name": {"@value": "x", "@type": "urn:a:b"}},
        {"name": [5]},
        {"description": True},
        {"relatedResource": "https://a.example"},
        {"relatedResource": [{"digestSRI": digest_sri(EXAMPLES)}]},
        {"relatedResource": {"id": EXAMPLES}},
        {"relatedResource": {"id": "relative", "digestSRI": digest_sri(EXAMPLES)}},
        {"relatedResource": [{"id": EXAMPLES, "digestSRI": digest_sri(EXAMPLES)}] * 2},
        {"relatedResource": {"id": EXAMPLES, "digestSRI": digest_sri(CREDENTIALS_V2)}},
        {"relatedResource": {"id": EXAMPLES, "digestMultibase": multihash(CREDENTIALS_V2)}},
        {"relatedResource": {"id": EXAMPLES, "digestSRI": "md5-AAAA"}},
        {"relatedResource": {"id": EXAMPLES, "digestSRI": "sha384-AAAA"}},
        {"relatedResource": {"id": EXAMPLES, "digestSRI": 5}},
        {"relatedResource": {"id": EXAMPLES, "digestMultibase": "uAAAA"}},
        {"relatedResource": {"id": EXAMPLES, "digestMultibase": "zz0"}},
        {"issuanceDate": "2023-01-01T00:00:00Z", "@context": [CREDENTIALS_V2]},
    ],
)
def test_credentials_of_data_model_2_that_are_refused(changes):
    document = changed(**changes)
    status = document.get("credentialStatus")
    if isinstance(status, dict):
        document["credentialStatus"] = {k: v for k, v in status.items() if v is not ...}

    with pytest.raises(Malformed):
        check(document)


@pytest.mark.parametrize("document", [None, [], "x", 5, {}])
def test_what_is_no_object_is_refused(document):
    with pytest.raises(Malformed):
        check(document)
    with pytest.raises(Malformed):
        check_presentation(document, contexts=bundled())


@pytest.mark.parametrize(
    "changes", [{}, {"issuanceDate": ...}, {"expirationDate": ...}, {"issuer": "https://a.example"}]
)
def test_credentials_of_data_model_1_1_that_are_accepted(changes):
    check(changed(V1, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"issuanceDate": "yesterday"},
        {"expirationDate": "2022-01-01T00:00:00Z"},
        {"credentialSubject": {"id": "did:example:subject", "undefined": 1}},
        {"type": ["VerifiableCredential", "Undefined"]},
    ],
)
def test_credentials_of_data_model_1_1_that_are_refused(changes):
    with pytest.raises(Malformed):
        check(changed(V1, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "urn:uuid:1"},
        {"holder": ...},
        {"holder": {"id": "did:example:subject"}},
        {"verifiableCredential": ...},
        {"verifiableCredential": CREDENTIAL},
        {"verifiableCredential": []},
        {"verifiableCredential": [V1, CREDENTIAL]},
        {
            "verifiableCredential": {
                "@context": CREDENTIALS_V2,
                "type": "EnvelopedVerifiableCredential",
                "id": "data:application/vc+jwt,eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
            }
        },
    ],
)
def test_presentations_that_are_accepted(changes):
    check_presentation(changed(PRESENTATION, **changes), contexts=bundled())


@pytest.mark.parametrize(
    "changes",
    [
        {"@context": ...},
        {"@context": CREDENTIALS_V2},
        {"type": ...},
        {"type": ["VerifiableCredential"]},
        {"type": ["VerifiablePresentation", 5]},
        {"id": "relative"},
        {"id": 5},
        {"holder": None},
        {"holder": "relative"},
        {"holder": {"name": "x"}},
        {"holder": ["did:example:subject"]},
        {"verifiableCredential": None},
        {"verifiableCredential": "eyJ"},
        {"verifiableCredential": [CREDENTIAL, "eyJ"]},
        {"verifiableCredential": [{}]},
        {"verifiableCredential": [changed(undefined=..., **{"@context": [CREDENTIALS_V2]})]},
        {"termsOfUse": {"id": "urn:a:b"}},
        {"@context": [CREDENTIALS_V2], "undefinedTerm": "x"},
    ],
)
def test_presentations_that_are_refused(changes):
    with pytest.raises(Malformed):
        check_presentation(changed(PRESENTATION, **changes), contexts=bundled())


@pytest.mark.parametrize("base", [CREDENTIAL, V1])
@pytest.mark.parametrize(
    ("moment", "valid"),
    [
        (datetime(2022, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2023, 1, 1, tzinfo=UTC), True),
        (datetime(2032, 12, 31, 15, 59, 59, tzinfo=UTC), True),
        (datetime(2033, 1, 1, tzinfo=UTC), False),
    ],
)
def test_the_clock(base, moment, valid):
    if valid:
        check_validity(base, now=moment, leeway_seconds=0)
    else:
        with pytest.raises(NotValidNow):
            check_validity(base, now=moment, leeway_seconds=0)


def test_the_leeway_goes_both_ways():
    check_validity(V1, now=datetime(2022, 12, 31, 23, 59, tzinfo=UTC), leeway_seconds=60)
    check_validity(V1, now=datetime(2033, 1, 1, 0, 0, 59, tzinfo=UTC), leeway_seconds=60)


def test_issuer_and_types_whatever_their_form():
    assert issuer_of(CREDENTIAL) == issuer_of(V1) == "did:example:issuer"
    assert types_of(changed(type="VerifiableCredential")) == ("VerifiableCredential",)
    assert types_of(CREDENTIAL) == ("VerifiableCredential", "AlumniCredential")
    with pytest.raises(Malformed):
        issuer_of({})

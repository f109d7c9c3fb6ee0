"""Section 3 of the contract: `credentials/issue`, line by line."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from identity.core.data_integrity.bbs_values import parse_bbs_base_proof
from identity.core.data_integrity.ecdsa_sd_values import parse_base_proof
from registry.core.encoding import base64url_encode, multibase_decode
from tests.contract.vc_api.suite import ABSENT, DATA_INTEGRITY, EXAMPLES, V1, V2, Answer, Suite

FRESH = "urn:uuid:7f1dd2d6-9b1c-4d0b-8d1d-2f9d7c0a0001"


def check_issued(suite: Suite, sent: Any, answer: Answer) -> None:
    """201, every member unchanged, and only a proof added."""
    document = answer.credential
    assert {name: value for name, value in document.items() if name != "proof"} == sent
    assert suite.verify(document, "proof-only").status == 200


def test_members_come_back_unchanged(suite: Suite):
    sent = suite.credential(id=FRESH, name="Degree", evidence=[{"type": "Seen", "x": ["y", 1]}])

    check_issued(suite, sent, suite.issue(sent))


def test_a_document_with_only_the_v1_context_gets_the_data_integrity_context(suite: Suite):
    document = suite.issue(suite.older()).credential

    assert document["@context"] == [V1, DATA_INTEGRITY]
    assert suite.verify(document).is_verified


@pytest.mark.parametrize(
    "changes",
    [
        {"issuanceDate": ABSENT},
        {"expirationDate": "2099-01-01T00:00:00Z"},
        {"issuanceDate": "2024-01-01T00:00:00.123Z"},
    ],
)
def test_v1_dates_are_kept_and_issuance_date_is_not_demanded(suite: Suite, changes: Any):
    sent = suite.older(**changes)

    document = suite.issue(sent).credential

    for name in ("issuanceDate", "expirationDate"):
        assert document.get(name) == sent.get(name)
    assert suite.verify(document).is_verified


def issuer_object(suite: Suite, **members: Any) -> dict[str, Any]:
    return {"id": suite.did("eddsa-rdfc-2022"), **members}


ENGLISH = {"@value": "Example", "@language": "en"}
# SHA-384 of the base context, as the Recommendation has it (§B.1).
V2_SRI = "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"
ARABIC = {"@value": "مثال", "@language": "ar", "@direction": "rtl"}
STATUS_ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "message",
    "statusListIndex": "94567",
    "statusListCredential": "https://status.example/3",
    "statusSize": 1,
    "statusMessage": [
        {"status": "0x0", "message": "pending"},
        {"status": "0x1", "message": "done"},
    ],
}

ACCEPTED = {
    "id absent": {"id": ABSENT},
    "id a URN": {"id": FRESH},
    "id another kind of URL": {"id": "did:example:1234"},
    "id a URL with port": {"id": "http://localhost:8080/1?a=b#c"},
    "id a URL with an address": {"id": "https://[::1]/1"},
    "validFrom absent": {"validFrom": ABSENT},
    "validFrom in the future": {"validFrom": "2999-01-01T00:00:00Z"},
    "validFrom with milliseconds": {"validFrom": "2024-01-01T00:00:00.123Z"},
    "validFrom with an offset": {"validFrom": "2024-01-01T00:00:00-05:00"},
    "validUntil": {"validUntil": "2099-01-01T00:00:00.5+02:00"},
    "validFrom equal to validUntil": {"validUntil": "2024-01-01T00:00:00Z"},
    "validUntil in the past": {"validFrom": ABSENT, "validUntil": "2001-01-01T00:00:00Z"},
    "a type that is a URL": {"type": ["VerifiableCredential", "https://e.example/#T"]},
    "a type mapped to a URL": {
        "@context": [V2, {"T": "https://e.example/#T"}],
        "type": ["VerifiableCredential", "T"],
        "credentialSubject": {"id": "urn:a:b"},
    },
    "types in another order": {"type": ["ExampleDegreeCredential", "VerifiableCredential"]},
    "several contexts": {"@context": [V2, EXAMPLES, {"ex": "https://e.example/#"}]},
    "several subjects": {"credentialSubject": [{"id": "urn:a:b"}, {"x": 1}]},
    "a subject without id": {"credentialSubject": {"x": 1}},
    "name and description as texts": {"name": "Example", "description": "An example"},
    "name as a language value object": {"name": ENGLISH},
    "name with a direction": {"name": ARABIC},
    "names in several languages": {"name": [ENGLISH, ARABIC], "description": [ENGLISH, ARABIC]},
    "an unknown credentialStatus": {"credentialStatus": {"type": "UnknownStatus"}},
    "credentialStatus with id": {"credentialStatus": {"id": "urn:s:1", "type": "UnknownStatus"}},
    "several credentialStatus": {"credentialStatus": [{"type": "A"}, {"type": "B"}]},
    "a BitstringStatusListEntry of others": {"credentialStatus": STATUS_ENTRY},
    "an unknown credentialSchema": {"credentialSchema": {"id": "urn:s:1", "type": "Unknown"}},
    "several credentialSchema": {
        "credentialSchema": [
            {"id": "https://e.example/s.json", "type": "JsonSchema"},
            {"id": "urn:s:1", "type": "Unknown"},
        ]
    },
    "refreshService": {"refreshService": {"id": "urn:r:1", "type": "Refresh"}},
    "several refreshService": {"refreshService": [{"type": "A"}, {"type": "B"}]},
    "termsOfUse": {"termsOfUse": {"type": "Policy"}},
    "several termsOfUse": {"termsOfUse": [{"type": "A", "id": "urn:t:1"}, {"type": "B"}]},
    "evidence": {"evidence": {"type": "Seen"}},
    "several evidence": {"evidence": [{"type": "Seen"}, {"type": ["Seen", "Heard"]}]},
    "relatedResource that nobody here has": {
        "relatedResource": [
            {
                "id": "https://e.example/picture.png",
                "digestSRI": "sha384-" + base64.b64encode(bytes(48)).decode(),
                "mediaType": "image/png",
            }
        ]
    },
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(suite: Suite, name: str):
    sent = suite.credential(**ACCEPTED[name])
    answer = suite.issue(sent)

    document = answer.credential

    assert {key: value for key, value in document.items() if key != "proof"} == sent


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"name": "Issuer", "description": "Says things"},
        {"name": ENGLISH, "description": ARABIC},
        {"name": [ENGLISH, ARABIC]},
        {"type": "Organization"},
    ],
)
def test_issuer_as_an_object_with_name_and_description(suite: Suite, members: Any):
    sent = suite.credential(issuer=issuer_object(suite, **members))

    check_issued(suite, sent, suite.issue(sent))


REFUSED = {
    "@context missing": {"@context": ABSENT},
    "@context null": {"@context": None},
    "@context not an array": {"@context": V2},
    "@context empty": {"@context": []},
    "@context first item not a base context": {"@context": [EXAMPLES, V2]},
    "@context base context missing": {"@context": [EXAMPLES]},
    "@context item neither URL nor object": {"@context": [V2, EXAMPLES, 7]},
    "@context item no URL": {"@context": [V2, EXAMPLES, "https ://not-a-url/x"]},
    "@context item null": {"@context": [V2, EXAMPLES, None]},
    "a protected term redefined": {
        "@context": [V2, EXAMPLES, {"VerifiableCredential": "https://e.example/#VC"}]
    },
    "a protected property redefined": {
        "@context": [V2, EXAMPLES, {"name": "https://e.example/#name"}]
    },
    "type missing": {"type": ABSENT},
    "type null": {"type": None},
    "type without VerifiableCredential": {"type": ["ExampleDegreeCredential"]},
    "type empty": {"type": []},
    "type a number": {"type": ["VerifiableCredential", 4]},
    "type unmapped": {
        "@context": [V2],
        "type": ["VerifiableCredential", "Unmapped"],
        "credentialSubject": {"id": "urn:a:b"},
    },
    "type mapped to no absolute URL": {
        "@context": [V2, {"T": "relative/T"}],
        "type": ["VerifiableCredential", "T"],
        "credentialSubject": {"id": "urn:a:b"},
    },
    "an undefined term": {"@context": [V2], "type": ["VerifiableCredential"], "undefinedTerm": 1},
    "an undefined term in the subject": {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "urn:a:b", "undefinedTerm": 1},
    },
    "an undefined type in the subject": {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "urn:a:b", "type": "Undefined"},
    },
    "id of the credential no URL": {"id": "not a url"},
    "id of the credential without host": {"id": "https://"},
    "id of the credential with a port that is none": {"id": "https://e.example:port/"},
    "id of the credential with half an address": {"id": "http://["},
    "id of the subject without host": {"credentialSubject": {"id": "http:///x", "x": 1}},
    "id of the credential several": {"id": ["urn:a:1", "urn:a:2"]},
    "id of the credential null": {"id": None},
    "id of the credential a number": {"id": 12},
    "id of the subject no URL": {"credentialSubject": {"id": "alice", "x": 1}},
    "id of the subject several": {"credentialSubject": {"id": ["urn:a:1", "urn:a:2"], "x": 1}},
    "id of the status no URL": {"credentialStatus": {"id": "s", "type": "A"}},
    "id of the status several": {"credentialStatus": {"id": ["urn:a:1", "urn:a:2"], "type": "A"}},
    "id of the schema no URL": {"credentialSchema": {"id": "s", "type": "A"}},
    "id of the schema a number": {"credentialSchema": {"id": 4, "type": "A"}},
    "issuer missing": {"issuer": ABSENT},
    "issuer null": {"issuer": None},
    "issuer no URL": {"issuer": "issuer"},
    "issuer a number": {"issuer": 12},
    "issuer an object without id": {"issuer": {"name": "x"}},
    "issuer an object whose id is null": {"issuer": {"id": None}},
    "issuer an object whose id is no URL": {"issuer": {"id": "x"}},
    "issuer somebody else": {"issuer": "did:example:somebody-else"},
    "credentialSubject missing": {"credentialSubject": ABSENT},
    "credentialSubject null": {"credentialSubject": None},
    "credentialSubject a text": {"credentialSubject": "did:example:alice"},
    "credentialSubject empty": {"credentialSubject": {}},
    "credentialSubject an empty array": {"credentialSubject": []},
    "credentialSubject with an empty object": {"credentialSubject": [{"x": 1}, {}]},
    "validFrom no dateTimeStamp": {"validFrom": "yesterday"},
    "validFrom a number": {"validFrom": 1700000000},
    "validFrom without offset": {"validFrom": "2024-01-01T00:00:00"},
    "validFrom a day only": {"validFrom": "2024-01-01"},
    "validUntil no dateTimeStamp": {"validUntil": "2024-13-01T00:00:00Z"},
    "validUntil without offset": {"validUntil": "2099-01-01T00:00:00"},
    "dates in the wrong order": {"validUntil": "2023-12-31T23:59:59Z"},
    "credentialStatus without type": {"credentialStatus": {"id": "urn:s:1"}},
    "credentialStatus a text": {"credentialStatus": "urn:s:1"},
    "credentialStatus of an undefined type": {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "urn:a:b"},
        "credentialStatus": {"type": "Undefined"},
    },
    "credentialSchema without type": {"credentialSchema": {"id": "urn:s:1"}},
    "credentialSchema without id": {"credentialSchema": {"type": "JsonSchema"}},
    "one of several credentialSchema without id": {
        "credentialSchema": [{"id": "urn:s:1", "type": "A"}, {"type": "B"}]
    },
    "termsOfUse without type": {"termsOfUse": {"id": "urn:t:1"}},
    "one of several termsOfUse without type": {"termsOfUse": [{"type": "A"}, {"id": "urn:t:1"}]},
    "evidence without type": {"evidence": {"id": "urn:e:1"}},
    "evidence a text": {"evidence": "seen"},
    "refreshService without type": {"refreshService": {"id": "urn:r:1"}},
    "name a number": {"name": 4},
    "name with an extra member": {"name": {**ENGLISH, "url": "https://e.example/"}},
    "name without @value": {"name": {"@language": "en"}},
    "name with a wrong direction": {"name": {**ENGLISH, "@direction": "up"}},
    "description a number": {"description": 4},
    "description with an extra member": {"description": {**ENGLISH, "x": "y"}},
    "relatedResource entries no objects": {"relatedResource": ["https://e.example/"]},
    "relatedResource lacks id": {"relatedResource": [{"digestSRI": "sha256-" + "A" * 43 + "="}]},
    "relatedResource repeats one": {
        "relatedResource": [
            {"id": "https://e.example/", "digestSRI": "sha256-" + "A" * 43 + "="},
            {"id": "https://e.example/", "digestSRI": "sha256-" + "A" * 43 + "="},
        ]
    },
    "relatedResource lacks a digest": {"relatedResource": [{"id": "https://e.example/"}]},
    "relatedResource has no digest in its array": {
        "relatedResource": [{"id": "https://e.example/", "digestSRI": []}]
    },
    "relatedResource has a blank digest": {
        "relatedResource": [{"id": "https://e.example/", "digestSRI": " "}]
    },
    "relatedResource has a second digest, of something else": {
        "relatedResource": [{"id": V2, "digestSRI": [V2_SRI, "sha256-" + "A" * 43 + "="]}]
    },
    "relatedResource has a second digest in its text, of something else": {
        "relatedResource": [{"id": V2, "digestSRI": f"{V2_SRI} sha256-{'A' * 43}="}]
    },
    "relatedResource has another digestSRI, in the example's spelling": {
        "relatedResource": [{"id": V2, "digestSRI": "sha256-M" + "A" * 43 + "="}]
    },
    "relatedResource has another digestSRI than the resource": {
        "relatedResource": [{"id": V2, "digestSRI": "sha256-" + "A" * 43 + "="}]
    },
    "relatedResource has another digestMultibase than the resource": {
        "relatedResource": [{"id": V2, "digestMultibase": "uEiA" + "A" * 43}]
    },
    **{
        f"a malformed BitstringStatusListEntry: {name}": {
            "credentialStatus": {k: v for k, v in entry.items() if v is not ABSENT}
        }
        for name, entry in {
            "index a boolean": {**STATUS_ENTRY, "statusListIndex": True},
            "index a number": {**STATUS_ENTRY, "statusListIndex": 94567},
            "index negative": {**STATUS_ENTRY, "statusListIndex": "-1"},
            "index missing": {**STATUS_ENTRY, "statusListIndex": ABSENT},
            "no purpose": {**STATUS_ENTRY, "statusPurpose": ABSENT},
            "purpose a number": {**STATUS_ENTRY, "statusPurpose": 4},
            "no list": {**STATUS_ENTRY, "statusListCredential": ABSENT},
            "list no URL": {**STATUS_ENTRY, "statusListCredential": "list"},
            "size zero": {**STATUS_ENTRY, "statusSize": 0},
            "size a text": {**STATUS_ENTRY, "statusSize": "1"},
            "too few messages": {**STATUS_ENTRY, "statusMessage": []},
            "size 2 without messages": {**STATUS_ENTRY, "statusSize": 2, "statusMessage": ABSENT},
        }.items()
    },
    "a proof already there": {"proof": {"type": "DataIntegrityProof"}},
    "a relative URL": {"evidence": {"id": "relative", "type": "Seen"}},
    "a null that JSON-LD would drop": {"name": None},
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("instance", ["eddsa-rdfc-2022", "eddsa-jcs-2022", "enveloped"])
def test_refused(suite: Suite, name: str, instance: str):
    suite.issue(suite.credential(instance, **REFUSED[name]), instance).must_refuse()


@pytest.mark.parametrize("bad", [4, {**ENGLISH, "x": "y"}, [4], {"@value": 4}])
@pytest.mark.parametrize("member", ["name", "description"])
def test_refused_name_or_description_of_the_issuer(suite: Suite, member: str, bad: Any):
    suite.issue(suite.credential(issuer=issuer_object(suite, **{member: bad}))).must_refuse()


@pytest.mark.parametrize("credential", [None, "x", [], 7, {}])
def test_refused_what_is_no_credential(suite: Suite, credential: Any):
    suite.issue(credential).must_refuse()


def test_related_resource_with_the_digest_of_the_copy_that_we_have(suite: Suite):
    copy = suite.contexts.published(V2)
    assert copy is not None
    sha256, sha384 = hashlib.sha256(copy).digest(), hashlib.sha384(copy).digest()
    sri384 = "sha384-" + base64.b64encode(sha384).decode()
    sri256 = "sha256-" + base64.b64encode(sha256).decode()
    for digest in (
        {"digestSRI": sri384},
        {"digestSRI": f"{sri256} {sri384}"},
        {"digestSRI": [sri256, sri384]},
        {"digestSRI": sri384.replace("-", "-M", 1)},  # as in example 25 of the Recommendation
        {"digestMultibase": ["u" + base64url_encode(b"\x12\x20" + sha256)]},
        {"digestMultibase": "u" + base64url_encode(b"\x12\x20" + sha256)},
        {"digestMultibase": "u" + base64url_encode(sha256)},  # as test suites write it
    ):
        resource = {"id": V2, "mediaType": "application/ld+json", **digest}
        check_issued(
            suite,
            sent := suite.credential(relatedResource=resource),
            suite.issue(sent),
        )


RDFC_AND_JCS = (
    "eddsa-rdfc-2022",
    "eddsa-jcs-2022",
    "ecdsa-rdfc-2019-p256",
    "ecdsa-jcs-2019-p256",
    "ecdsa-rdfc-2019-p384",
    "ecdsa-jcs-2019-p384",
)


SD = ("ecdsa-sd-2023", "bbs-2023")


@pytest.mark.parametrize("instance", [*RDFC_AND_JCS, *SD])
def test_proofs(suite: Suite, instance: str):
    document = suite.issued(instance)

    proof = document["proof"]
    assert proof["type"] == "DataIntegrityProof"
    assert proof["proofPurpose"] == "assertionMethod"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", proof["created"])
    assert proof["proofValue"][0] == ("u" if instance in SD else "z")
    if instance not in SD:
        size = 96 if instance.endswith("p384") else 64
        assert len(multibase_decode(proof["proofValue"])) == size
    if "jcs" in instance:
        assert proof["@context"] == document["@context"]


@pytest.mark.parametrize("instance", SD)
@pytest.mark.parametrize(
    ("asked", "present"),
    [
        (ABSENT, ("/issuer",)),
        ([], ("/issuer",)),
        (["/issuer", "/credentialSubject/id"], ("/issuer", "/credentialSubject/id")),
    ],
)
def test_sd_base_proofs_cbor_hmac_key_and_mandatory_pointers(
    suite: Suite, instance: str, asked: Any, present: tuple[str, ...]
):
    options = {} if asked is ABSENT else {"mandatoryPointers": asked}
    document = suite.issue(suite.credential(instance), instance, options=options).credential

    value = multibase_decode(document["proof"]["proofValue"])
    assert value[:3] == (b"\xd9\x5d\x00" if instance == "ecdsa-sd-2023" else b"\xd9\x5d\x02")
    parse = parse_base_proof if instance == "ecdsa-sd-2023" else parse_bbs_base_proof
    base = parse(document["proof"]["proofValue"])
    assert len(base.hmac_key) == 32
    assert base.mandatory_pointers == present


def test_a_bbs_proof_tells_the_day_and_no_second(suite: Suite):
    """Every derived proof shows `created`; a second would tell credentials apart."""
    assert suite.issued("bbs-2023")["proof"]["created"].endswith("T00:00:00Z")


@pytest.mark.parametrize(
    "pointers",
    [
        ["/nothing/there"],
        ["/credentialSubject/nothing"],
        ["issuer"],
        ["/issuer", 4],
        "/issuer",
        {"a": 1},
        ["/issuer"] * 1000,
    ],
)
@pytest.mark.parametrize("instance", SD)
def test_a_mandatory_pointer_that_points_to_nothing(suite: Suite, instance: str, pointers: Any):
    suite.issue(
        suite.credential(instance), instance, options={"mandatoryPointers": pointers}
    ).must_refuse()


def test_mandatory_pointers_mean_nothing_to_other_instances(suite: Suite):
    sent = suite.credential()

    check_issued(suite, sent, suite.issue(sent, options={"mandatoryPointers": ["/nothing"]}))


def test_enveloped(suite: Suite):
    sent = suite.credential("enveloped")

    envelope = suite.issue(sent, "enveloped").credential

    assert set(envelope) == {"@context", "type", "id"}
    assert envelope["@context"] == V2
    assert envelope["type"] == "EnvelopedVerifiableCredential"
    media_type, _, text = envelope["id"].partition(",")
    assert media_type == "data:application/vc+jwt"
    header, payload = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in text.split(".")[:2]
    )
    assert (header["typ"], header["alg"]) == ("vc+jwt", "ES256")
    assert header["kid"].startswith(suite.did("enveloped") + "#")
    assert payload == sent
    for party in ("conformance", "proof-only"):
        assert suite.verify(envelope, party).is_verified


def test_an_envelope_is_for_version_2(suite: Suite):
    suite.issue(suite.older("enveloped"), "enveloped").must_refuse()

"""Section 6 of the contract: the `status` instance and its lists."""

import gzip
import re
from typing import Any

import pytest

from registry.core.encoding import base64url_decode
from tests.contract.vc_api.suite import ABSENT, BASE, VERIFIERS, Suite, changed

ACCEPT = "application/ld+json, application/json"
FRESH = iter(f"urn:uuid:00000000-0000-4000-8000-{number:012d}" for number in range(1000))


def issued(suite: Suite, **changes: Any) -> Any:
    return suite.issued("status", **{"id": next(FRESH), **changes})


def test_credential_status_from_the_status_instance_and_the_rest_as_sent(suite: Suite):
    sent = suite.credential("status", id=next(FRESH))

    document = suite.issue(sent, "status").credential

    assert {k: v for k, v in document.items() if k not in ("proof", "credentialStatus")} == sent
    entries = document["credentialStatus"]
    assert [entry["statusPurpose"] for entry in entries] == ["revocation", "suspension"]
    for entry in entries:
        assert entry["type"] == "BitstringStatusListEntry"
        assert str(int(entry["statusListIndex"])) == entry["statusListIndex"]
        assert entry["statusListCredential"].startswith(BASE + "/")  # https, behind the proxy
        assert entry.get("id") != entry["statusListCredential"]


def test_a_credential_without_id_gets_an_entry_too(suite: Suite):
    document = issued(suite, id=ABSENT)

    assert "id" not in document
    assert suite.verify(document).is_verified


def test_entries_that_it_came_with_are_kept(suite: Suite):
    own = {"type": "SomethingElse", "id": "urn:s:1"}

    document = issued(suite, credentialStatus=own)

    assert document["credentialStatus"][0] == own
    assert len(document["credentialStatus"]) == 3


@pytest.mark.parametrize("accept", [ACCEPT, "*/*", "application/json", "application/vc+ld+json"])
def test_get_of_the_list(suite: Suite, accept: str):
    document = issued(suite)
    for entry in document["credentialStatus"]:
        answer = suite.get(entry["statusListCredential"], Accept=accept)

        assert answer.status == 200
        assert "json" in answer.content_type
        listed = answer.body
        assert listed["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
        assert listed["issuer"] == suite.did("status")
        assert listed["id"] == entry["statusListCredential"]
        assert listed["proof"]["verificationMethod"].startswith(suite.did("status") + "#")
        subject = listed["credentialSubject"]
        assert subject["type"] == "BitstringStatusList"
        assert subject["statusPurpose"] == entry["statusPurpose"]
        assert re.fullmatch(r"u[A-Za-z0-9_-]+", subject["encodedList"])
        bits = gzip.decompress(base64url_decode(subject["encodedList"][1:]))
        assert len(bits) * 8 >= 131_072
        for party in VERIFIERS:
            assert suite.verify(listed, party).is_verified


@pytest.mark.parametrize("purpose", ["revocation", "suspension"])
def test_revoked_in_its_status_list_is_400(suite: Suite, purpose: str):
    document, other = issued(suite), issued(suite)
    assert suite.verify(document).is_verified

    answer = suite.post(
        "/issuers/status/credentials/status",
        {
            "credentialId": document["id"],
            "credentialStatus": {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "status": "1",
            },
        },
    )

    assert answer.status == 200, answer.body
    entry = next(e for e in document["credentialStatus"] if e["statusPurpose"] == purpose)
    listed = suite.get(entry["statusListCredential"]).body
    bits = gzip.decompress(base64url_decode(listed["credentialSubject"]["encodedList"][1:]))
    index = int(entry["statusListIndex"])
    assert bits[index // 8] >> (7 - index % 8) & 1
    for party in VERIFIERS:
        assert not suite.verify(document, party).is_verified
        assert suite.verify(other, party).is_verified


def test_the_new_status_may_stand_beside_the_entry(suite: Suite):
    document = issued(suite)
    entry = {"type": "BitstringStatusListEntry", "statusPurpose": "suspension"}
    request = {"credentialId": document["id"], "credentialStatus": entry}
    for status, is_valid in ((True, False), (False, True), (None, False), (False, True)):
        told = request if status is None else {**request, "status": status}

        assert suite.post("/issuers/status/credentials/status", told).status == 200

        assert suite.verify(document).is_verified is is_valid


def test_a_credential_without_id_is_named_by_the_option(suite: Suite):
    sent, name = suite.credential("status", id=ABSENT), next(FRESH)
    document = suite.issue(sent, "status", options={"credentialId": name}).credential
    assert "id" not in document
    entry = {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"}

    told = {"credentialId": name, "credentialStatus": entry, "status": True}
    assert suite.post("/issuers/status/credentials/status", told).status == 200

    assert not suite.verify(document).is_verified
    for bad in (7, "", "x" * 5000):
        suite.issue(sent, "status", options={"credentialId": bad}).must_refuse()


def test_a_list_that_nobody_can_read_or_that_is_another_is_400(suite: Suite):
    sent = suite.credential()
    good = issued(suite)["credentialStatus"][0]
    for changes in (
        {"statusListCredential": "https://elsewhere.example/list"},
        {"statusListCredential": f"{BASE}/issuers/status/status/{'A' * 22}/revocation"},
        {"statusPurpose": "suspension"},
        {"statusListIndex": "99999999"},
    ):
        status = changed(good, **changes)
        document = suite.issue({**sent, "credentialStatus": status}).credential
        assert not suite.verify(document).is_verified


def test_no_list_of_that_name_is_json_too(suite: Suite):
    answer = suite.get(f"{BASE}/issuers/status/status/{'A' * 22}/revocation", Accept=ACCEPT)

    assert answer.status == 404
    assert "json" in answer.content_type


def test_head_says_what_get_would(suite: Suite):
    (entry, *_) = suite.issued("status")["credentialStatus"]
    for url in (entry["statusListCredential"], f"{BASE}/1.0/identifiers/{suite.did('status')}"):
        status, headers = suite.head(url)

        assert status == 200
        assert "json" in headers["content-type"] or "did-resolution" in headers["content-type"]

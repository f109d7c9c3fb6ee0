"""did:web: text to address and back, the document of an institution, documents of others."""

import json
from typing import Any

import pytest

from registry.core.did_url import DidNotValid
from registry.core.did_web import (
    MAX_DOCUMENT_BYTES,
    WebDocumentNotValid,
    parse_web_document,
    web_did,
    web_document,
    web_url,
)
from tests.registry.core.actors import P256Pair, pair

KNOWN = [
    ("did:web:a.example", "https://a.example/.well-known/did.json", "https://a.example"),
    ("did:web:a.example%3A8443", "https://a.example:8443/.well-known/did.json", None),
    (
        "did:web:a.example:issuers:university",
        "https://a.example/issuers/university/did.json",
        "https://a.example/issuers/university",
    ),
    (
        "did:web:127.0.0.1%3A8000:issuers:x",
        "https://127.0.0.1:8000/issuers/x/did.json",
        "http://127.0.0.1:8000/issuers/x",
    ),
]


@pytest.mark.parametrize(("did", "url", "base"), KNOWN)
def test_where_a_document_lies(did: str, url: str, base: str | None) -> None:
    assert web_url(did) == url
    if base is not None:
        assert web_did(base) == did


@pytest.mark.parametrize(
    "did",
    [
        "did:key:x",
        "did:web:",
        "did:web:a.example:",
        "did:web:a.example::b",
        "did:web:a.example:..:b",
        "did:web:a.example:.",
        "did:web:a.example%2Fb",
        "did:web:a.example%3A0",
        "did:web:a.example%3A8443%3A1",
        "did:web:a.example:b%2F..",
        "did:web:user@a.example",
        "did:web:A.example",
        "did:web:a.example\n",
        "did:web:a.example:" + "b" * 500,
    ],
)
def test_what_stands_for_no_one_address_is_refused(did: str) -> None:
    with pytest.raises(DidNotValid):
        web_url(did)


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "https://a.example/", "https://a.example/a?b", "https://a/../b", ""]
)
def test_urls_without_a_did(url: str) -> None:
    assert web_did(url) is None


DID = "did:cairn:example:2DYqCczHvkTZ8miYE7nF7DcaHVJV"


def ledger_document() -> dict[str, Any]:
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": DID,
        "alsoKnownAs": ["https://a.example/issuers/u", "did:web:a.example:issuers:u"],
        "verificationMethod": [
            {
                "id": f"{DID}#{fragment}",
                "type": "Multikey",
                "controller": DID,
                "publicKeyMultibase": held.key.multikey,
            }
            for fragment, held in (("di-1", pair("di")), ("jose-1", P256Pair(5)))
        ],
        "assertionMethod": [f"{DID}#di-1", f"{DID}#jose-1"],
        "service": [{"id": f"{DID}#site", "type": "Site", "serviceEndpoint": "https://a.example"}],
    }


def test_the_document_at_the_address_holds_the_same_keys() -> None:
    did = "did:web:a.example:issuers:u"

    document = web_document(ledger_document(), did)

    assert document["id"] == did
    assert document["alsoKnownAs"] == [DID, "https://a.example/issuers/u"]
    edwards, nist = document["verificationMethod"]
    assert edwards == {
        "id": f"{did}#di-1",
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": pair("di").key.multikey,
    }
    assert nist == {
        "id": f"{did}#jose-1",
        "type": "JsonWebKey2020",
        "controller": did,
        "publicKeyJwk": P256Pair(5).key.jwk,
    }
    assert document["assertionMethod"] == [f"{did}#di-1", f"{did}#jose-1"]
    assert document["service"][0]["id"] == f"{did}#site"
    assert DID not in json.dumps({**document, "alsoKnownAs": []})


OTHERS = "did:web:other.example"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        json.dumps({"id": "did:web:b.example"}).encode(),
        json.dumps({"id": OTHERS, "verificationMethod": {}}).encode(),
        json.dumps({"id": OTHERS, "verificationMethod": "key"}).encode(),
        json.dumps({"id": OTHERS, "verificationMethod": ["did:web:other.example#key"]}).encode(),
        json.dumps({"id": OTHERS, "service": [{"type": "x"}]}).encode(),
        json.dumps({"id": OTHERS, "service": [{"id": "x"}] * 65}).encode(),
        json.dumps({"id": OTHERS, "@context": 7}).encode(),
        json.dumps({"id": OTHERS, "x": "y" * MAX_DOCUMENT_BYTES}).encode(),
    ],
)
def test_what_is_no_document_of_that_did_is_refused(data: bytes) -> None:
    with pytest.raises(WebDocumentNotValid):
        parse_web_document(data, OTHERS)


def test_a_document_of_others_is_taken_as_it_is() -> None:
    document = {"id": OTHERS, "service": [{"id": OTHERS + "#s"}], "more": {"of": "theirs"}}

    assert parse_web_document(json.dumps(document).encode(), OTHERS) == document

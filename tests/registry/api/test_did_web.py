"""did:web through the resolver: what the port gives is answered, and nothing else is asked."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from registry.api.resolution_routes import build_resolution_router
from registry.core.did_web import WebPlaceNotListed
from registry.core.refusals import NotFound, Unavailable
from tests.registry.api.conftest import Registry, running_registry

DID = "did:web:other.example%3A8443:issuers:u"
ENCODED = quote(DID, safe="")
URL = "https://other.example:8443/issuers/u/did.json"
KEY = {"id": f"{DID}#key-1", "type": "JsonWebKey", "controller": DID, "publicKeyJwk": {}}
DOCUMENT = {
    "@context": ["https://www.w3.org/ns/did/v1"],
    "id": DID,
    "verificationMethod": [KEY],
    "assertionMethod": [KEY["id"]],
    "service": [{"id": "#site", "type": "Site", "serviceEndpoint": "https://other.example/"}],
}


class ListedDocuments:
    """Answers for what it was given, and keeps the addresses it was asked for."""

    def __init__(self, documents: dict[str, bytes | Exception]) -> None:
        self.documents = documents
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        found = self.documents.get(url, WebPlaceNotListed("not listed"))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def ask(registry: Registry, web: ListedDocuments, did: str, accept: str = "*/*") -> Any:
    app = FastAPI()
    app.include_router(build_resolution_router(registry.ledger, web))
    with TestClient(app, follow_redirects=False) as http:
        return http.get(f"/1.0/identifiers/{did}", headers={"Accept": accept})


def code(answer: Any) -> str:
    metadata = answer.json().get("didResolutionMetadata") or answer.json()["dereferencingMetadata"]
    return str(metadata["error"]["type"]).rpartition("#")[2]


def test_a_document_of_a_listed_place(registry: Registry) -> None:
    web = ListedDocuments({URL: json.dumps(DOCUMENT).encode()})

    frame = ask(registry, web, ENCODED)
    key = ask(registry, web, ENCODED + "%23key-1", "application/did-url-dereferencing")

    assert frame.status_code == 200
    assert frame.json()["didDocument"] == DOCUMENT
    assert frame.json()["didDocumentMetadata"] == {}
    assert key.json()["contentStream"] == KEY
    assert set(web.asked) == {URL}


@pytest.mark.parametrize("sent", [DID, ENCODED, DID.replace("%", "%25"), quote(ENCODED, safe="")])
def test_plain_or_encoded_the_port_stays_a_port(registry: Registry, sent: str) -> None:
    web = ListedDocuments({URL: json.dumps(DOCUMENT).encode()})

    assert ask(registry, web, sent).json()["didDocument"]["id"] == DID


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (WebPlaceNotListed("not listed"), 501, "METHOD_NOT_SUPPORTED"),
        (Unavailable("no answer"), 503, "INTERNAL_ERROR"),
        (NotFound("nothing there"), 404, "NOT_FOUND"),
        (b"<html>", 500, "INVALID_DID_DOCUMENT"),
        (b'{"id":"did:web:evil.example"}', 500, "INVALID_DID_DOCUMENT"),
    ],
)
def test_what_can_go_wrong_has_its_code(
    registry: Registry, answer: bytes | Exception, status: int, error: str
) -> None:
    found = ask(registry, ListedDocuments({URL: answer}), ENCODED)

    assert (found.status_code, code(found)) == (status, error)
    assert found.json()["didDocument"] is None


@pytest.mark.parametrize(
    "did",
    [
        "did:web:OTHER.example",
        "did:web:other.example:..:etc",
        "did:web:user%2540other.example",
        "did:web:other.example%252Fpath",
        "did:web:[::1]",
    ],
)
def test_an_odd_did_web_is_refused_before_anything_is_asked(registry: Registry, did: str) -> None:
    web = ListedDocuments({})

    answer = ask(registry, web, did)

    assert (answer.status_code, code(answer)) == (400, "INVALID_DID")
    assert web.asked == []


@pytest.mark.parametrize("query", ["versionId=1", "versionTime=2026-01-01T00:00:00Z", "height=1"])
def test_a_did_web_has_no_past(registry: Registry, query: str) -> None:
    web = ListedDocuments({URL: json.dumps(DOCUMENT).encode()})

    answer = ask(registry, web, f"{ENCODED}?{query}")

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert web.asked == []


def test_their_service_is_a_redirect_too(registry: Registry) -> None:
    web = ListedDocuments({URL: json.dumps(DOCUMENT).encode()})

    answer = ask(registry, web, f"{ENCODED}?service=site&relativeRef=a")

    assert answer.status_code == 303
    assert answer.headers["location"] == "https://other.example/a"


@pytest.mark.parametrize(
    "endpoint", [7, None, {}, ["https://a.example"], "javascript:alert(1)", "https://a\r\nX: 1"]
)
def test_their_odd_endpoints_lead_nowhere(registry: Registry, endpoint: object) -> None:
    evil = {**DOCUMENT, "service": [{"id": f"{DID}#s", "type": "S", "serviceEndpoint": endpoint}]}

    answer = ask(
        registry, ListedDocuments({URL: json.dumps(evil).encode()}), f"{ENCODED}?service=s"
    )

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")

"""DID resolution over HTTP as contracts demand it: media types, frames, errors, versions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from registry.core.encoding import base64url_encode, canonical_json
from registry.core.keys import parse_multikey
from registry.core.refusals import Unavailable
from tests.registry.api.conftest import ENDPOINT, Registry, running_registry
from tests.registry.authors import CREATED, new_did

RESOLUTION = "application/did-resolution"
DEREFERENCING = "application/did-url-dereferencing"
ED25519 = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
P256 = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
BLS12_381_G2 = (  # did:key method, example of this kind
    "did:key:zUC7K4ndUaGZgV7Cp2yJy6JtMoUHY6u7tkcSYUvPrEidqBmLCTLmi6d5WvwnUqejscAkERJ3bfjEiSYtdPkRSE"
    "8kSa11hFBr4sTgnbZ95SJj19PN2jdvJjyzpSZgxkyyxNnBNnY"
)
P384 = "did:key:z82LkvCwHNreneWpsgPEbV3gu1C6NFJEBg4srfJ5gdxEsMGRJUz2sG9FE42shbn2xkZJh54"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One for all: nothing here writes."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def get(registry: Registry, did: str, accept: str | None = None, query: str = "") -> Any:
    headers = {} if accept is None else {"Accept": accept}
    return registry.http.get(f"/1.0/identifiers/{did}{query}", headers=headers)


def code(answer: Any) -> str:
    body = answer.json()
    metadata = body.get("didResolutionMetadata") or body["dereferencingMetadata"]
    kind = metadata["error"]["type"]
    assert kind.startswith("https://www.w3.org/ns/did#")
    assert metadata["error"]["title"]
    return str(kind.removeprefix("https://www.w3.org/ns/did#"))


@pytest.mark.parametrize("accept", [None, "*/*", RESOLUTION, "text/html, */*;q=0.8"])
@pytest.mark.parametrize("encoded", [False, True])
def test_the_result_frame(registry: Registry, accept: str | None, encoded: bool) -> None:
    did = registry.issuer.did

    answer = get(registry, quote(did, safe="") if encoded else did, accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == RESOLUTION
    body = answer.json()
    assert set(body) == {"didDocument", "didDocumentMetadata", "didResolutionMetadata"}
    assert body["didResolutionMetadata"] == {"contentType": RESOLUTION}
    document = body["didDocument"]
    assert document["id"] == did
    assert document["@context"][0] == "https://www.w3.org/ns/did/v1"
    for method in document["verificationMethod"]:
        assert method["id"].startswith(f"{did}#")
        assert method["controller"] == did
        parse_multikey(method["publicKeyMultibase"])
    metadata = body["didDocumentMetadata"]
    assert metadata["versionId"] == "3"
    for name in ("created", "updated"):
        assert datetime.strptime(metadata[name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "accept", ["application/did", "application/did+ld+json", "application/did+json"]
)
def test_the_bare_document(registry: Registry, accept: str) -> None:
    answer = get(registry, registry.issuer.did, accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == accept
    assert answer.json()["id"] == registry.issuer.did


@pytest.mark.parametrize(
    "accept", ["application/unheard-of", "text/html", "application/did;q=0", "image/*", ","]
)
def test_other_media_types_are_not_to_be_had(registry: Registry, accept: str) -> None:
    answer = get(registry, ED25519, accept)

    assert answer.status_code == 406
    assert code(answer) == "REPRESENTATION_NOT_SUPPORTED"
    assert answer.json()["didDocument"] is None
    assert answer.json()["didDocumentMetadata"] == {}


def test_the_preferred_media_type_wins(registry: Registry) -> None:
    both = f"{RESOLUTION};q=0.5, application/did;q=0.9"

    assert get(registry, ED25519, both).headers["content-type"] == "application/did"
    assert get(registry, ED25519, f"application/did, {RESOLUTION}").json()["id"] == ED25519
    older = 'application/ld+json;profile="https://w3id.org/did-resolution"'
    assert get(registry, ED25519, older).json()["didDocument"]["id"] == ED25519


@pytest.mark.parametrize(
    ("did", "status", "error"),
    [
        ("nonsense", 400, "INVALID_DID"),
        ("did:", 400, "INVALID_DID"),
        ("did:key", 400, "INVALID_DID"),
        ("did:key:", 400, "INVALID_DID"),
        ("did:KEY:abc", 400, "INVALID_DID"),
        ("did:key:z6Mk", 400, "INVALID_DID"),
        (ED25519[:-4], 400, "INVALID_DID"),
        (P256 + "1", 400, "INVALID_DID"),
        ("did:key:u7QEu", 400, "INVALID_DID"),
        (BLS12_381_G2[:-1] + "z", 400, "INVALID_DID"),
        (BLS12_381_G2[:-4], 400, "INVALID_DID"),
        ("did:key:zUC7", 400, "INVALID_DID"),
        ("did:jwk:e30", 400, "INVALID_DID"),
        ("did:jwk:%20", 400, "INVALID_DID"),
        ("did:cairn:testnet:0OIl", 400, "INVALID_DID"),
        ("did:cairn:testnet", 400, "INVALID_DID"),
        (new_did("nobody")[1].did, 404, "NOT_FOUND"),
        (new_did("nobody")[1].did.replace("testnet", "othernet"), 404, "NOT_FOUND"),
        ("did:web:example.com", 501, "METHOD_NOT_SUPPORTED"),
        ("did:example:123", 501, "METHOD_NOT_SUPPORTED"),
        ("", 400, "INVALID_DID"),
        ("did:key:" + "z" * 5000, 400, "INVALID_DID"),
    ],
)
def test_errors_have_the_frame(registry: Registry, did: str, status: int, error: str) -> None:
    answer = get(registry, did)

    assert (answer.status_code, code(answer)) == (status, error)
    assert answer.headers["content-type"] == RESOLUTION
    assert answer.json()["didDocument"] is None


@pytest.mark.parametrize("did", [ED25519, P256, P384, BLS12_381_G2])
def test_did_key_of_every_admitted_type(registry: Registry, did: str) -> None:
    document = get(registry, did, "application/did").json()

    (method,) = document["verificationMethod"]
    multikey = did.removeprefix("did:key:")
    assert method == {
        "id": f"{did}#{multikey}",
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": multikey,
    }
    for relationship in (
        "authentication",
        "assertionMethod",
        "capabilityDelegation",
        "capabilityInvocation",
    ):
        assert document[relationship] == [method["id"]]


def test_a_key_of_bls12_381_has_one_form(registry: Registry) -> None:
    multikey = BLS12_381_G2.removeprefix("did:key:")
    part = get(registry, f"{BLS12_381_G2}%23{multikey}", DEREFERENCING).json()["contentStream"]
    as_jwk = get(registry, f"{BLS12_381_G2}?publicKeyFormat=JsonWebKey")

    assert part["publicKeyMultibase"] == multikey
    assert (as_jwk.status_code, code(as_jwk)) == (400, "INVALID_OPTIONS")


@pytest.mark.parametrize("did", [ED25519, P256, P384])
@pytest.mark.parametrize("use", [None, "sig", "enc"])
def test_did_jwk_keeps_its_jwk_and_its_use(registry: Registry, did: str, use: str | None) -> None:
    key = parse_multikey(did.removeprefix("did:key:"))
    jwk = {**key.jwk, "kid": "mine"} | ({} if use is None else {"use": use})
    did = f"did:jwk:{base64url_encode(canonical_json(jwk))}"

    answer = get(registry, did, "application/did")

    if did.startswith("did:jwk") and key.type == "Ed25519" and use == "enc":
        assert answer.status_code == 400  # an Ed25519 key agrees on nothing
        return
    document = answer.json()
    (method,) = document["verificationMethod"]
    assert (method["id"], method["publicKeyJwk"]) == (f"{did}#0", jwk)
    assert ("assertionMethod" in document) == (use != "enc")
    assert ("keyAgreement" in document) == (use != "sig" and key.type != "Ed25519")


def test_a_did_jwk_with_a_private_key_is_refused(registry: Registry) -> None:
    key = parse_multikey(P256.removeprefix("did:key:"))
    secret = base64url_encode(canonical_json({**key.jwk, "d": "c2VjcmV0"}))

    answer = get(registry, f"did:jwk:{secret}")

    assert (answer.status_code, code(answer)) == (400, "INVALID_DID")
    assert "c2VjcmV0" not in answer.text


def test_versions(registry: Registry) -> None:
    did = registry.issuer.did

    first = get(registry, did, query="?versionId=1").json()
    second = get(registry, quote(did + "?versionId=2", safe="")).json()

    assert "service" in first["didDocument"]
    assert first["didDocumentMetadata"]["nextVersionId"] == "2"
    assert "updated" not in first["didDocumentMetadata"]
    assert "service" not in second["didDocument"]
    assert code(get(registry, did, query="?versionId=4")) == "NOT_FOUND"
    assert code(get(registry, ED25519, query="?versionId=1")) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("offset", "version"), [(9, None), (10, "1"), (19, "1"), (20, "2"), (30, "3"), (10_000, "3")]
)
def test_the_version_of_a_time(registry: Registry, offset: int, version: str | None) -> None:
    time = datetime.fromtimestamp(CREATED + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    answer = get(registry, registry.issuer.did, query=f"?versionTime={time}")

    if version is None:
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    else:
        assert answer.json()["didDocumentMetadata"]["versionId"] == version


@pytest.mark.parametrize(
    ("height", "version"), [(0, None), (1, "1"), (2, "2"), (3, "3"), (5, "3"), (6, None)]
)
def test_the_version_of_a_height(registry: Registry, height: int, version: str | None) -> None:
    did = registry.issuer.did

    plain = get(registry, did, query=f"?height={height}")
    inside = get(registry, quote(f"{did}?height={height}", safe=""))

    for answer in (plain, inside):
        if version is None:  # before its creation, or not reached: that answer could change
            assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
        else:
            assert answer.json()["didDocumentMetadata"]["versionId"] == version
    assert get(registry, ED25519, query=f"?height={height}").status_code == 200


def test_a_part_of_an_earlier_version(registry: Registry) -> None:
    did = registry.issuer.did

    then = get(registry, quote(f"{did}?height=1#files", safe=""), DEREFERENCING)
    later = get(registry, quote(f"{did}?height=2#files", safe=""), DEREFERENCING)

    assert then.json()["contentStream"]["serviceEndpoint"] == ENDPOINT
    assert (later.status_code, code(later)) == (404, "NOT_FOUND")


def test_metadata_of_each_version(registry: Registry) -> None:
    found = [
        get(registry, registry.issuer.did, query=f"?versionId={n}").json()["didDocumentMetadata"]
        for n in (1, 2, 3)
    ]

    times = [
        datetime.fromtimestamp(CREATED + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for offset in (10, 20, 30)
    ]
    assert found == [
        {
            "created": times[0],
            "versionId": "1",
            "nextUpdate": times[1],
            "nextVersionId": "2",
        },
        {
            "created": times[0],
            "updated": times[1],
            "versionId": "2",
            "nextUpdate": times[2],
            "nextVersionId": "3",
        },
        {"created": times[0], "updated": times[2], "versionId": "3"},
    ]


@pytest.mark.parametrize(
    ("form", "context"),
    [
        ("JsonWebKey", "https://w3id.org/security/jwk/v1"),
        ("JsonWebKey2020", "https://w3id.org/security/suites/jws-2020/v1"),
    ],
)
def test_the_same_keys_as_jwks_under_the_same_ids(
    registry: Registry, form: str, context: str
) -> None:
    for did in (registry.issuer.did, ED25519, P256, P384):
        multikeys = get(registry, did, "application/did", "?publicKeyFormat=Multikey").json()
        assert multikeys == get(registry, did, "application/did").json()

        jwks = get(registry, did, "application/did", f"?publicKeyFormat={form}").json()

        assert jwks["@context"] == ["https://www.w3.org/ns/did/v1", context]
        assert jwks["assertionMethod"] == multikeys["assertionMethod"]
        for jwk, multikey in zip(
            jwks["verificationMethod"], multikeys["verificationMethod"], strict=True
        ):
            assert jwk == {
                "id": multikey["id"],
                "type": form,
                "controller": did,
                "publicKeyJwk": parse_multikey(multikey["publicKeyMultibase"]).jwk,
            }


def test_one_key_as_a_jwk(registry: Registry) -> None:
    url = quote(f"{registry.issuer.did}#di-1", safe="")

    answer = get(registry, url, DEREFERENCING, "?publicKeyFormat=JsonWebKey")

    assert answer.json()["contentStream"]["publicKeyJwk"]["crv"] == "Ed25519"


@pytest.mark.parametrize(
    "query",
    [
        "?versionId=one",
        "?versionId=0",
        "?versionId=-1",
        "?versionTime=yesterday",
        "?versionTime=2026-13-01T00:00:00Z",
        "?versionTime=2026-01-01T00:00:00%2B01:00",
        "?versionId=1&versionTime=2026-01-01T00:00:00Z",
        "?versionId=1&height=1",
        "?height=1&versionTime=2026-01-01T00:00:00Z",
        "?height=-1",
        "?height=01",
        "?height=one",
        "?height=9007199254740992",
        "?Height=1",
        "?publicKeyFormat=",
        "?publicKeyFormat=multikey",
        "?publickeyformat=Multikey",
        "?versionid=1",
    ],
)
def test_impossible_options(registry: Registry, query: str) -> None:
    for did in (registry.issuer.did, ED25519):
        answer = get(registry, did, query=query)
        assert (answer.status_code, code(answer)) == (400, "INVALID_OPTIONS")


@pytest.mark.parametrize("name", ["service", "serviceType", "relativeRef", "hl", "accept", "x"])
@pytest.mark.parametrize("value", ["Привет", "foo\u200bbar", "\U0001f525", "a b", "a\tb", "\x7f"])
def test_parameters_are_visible_ascii(registry: Registry, name: str, value: str) -> None:
    query = f"?{name}={quote(value)}"
    for did in (registry.issuer.did, ED25519):
        for asked in (did + query, quote(did + query, safe=""), quote(did, safe="") + query):
            for accept in (None, RESOLUTION, DEREFERENCING):
                answer = get(registry, asked, accept)
                assert (answer.status_code, code(answer)) == (400, "INVALID_DID_URL")
                assert value not in answer.text

    # Escaped once more, as the value of a parameter that is a URI reference has to be, it is one.
    escaped = get(registry, ED25519, query=f"?hl={quote(quote(value), safe='')}")
    assert escaped.status_code == 200


def test_unknown_options_are_passed_over(registry: Registry) -> None:
    answer = get(registry, quote(ED25519, safe=""), query="?option1=value1&option2=value2")

    assert answer.status_code == 200


def test_a_deactivated_did_is_gone(registry: Registry) -> None:
    did = registry.gone.did

    frame, bare = get(registry, did), get(registry, did, "application/did")

    assert (frame.status_code, bare.status_code) == (410, 410)
    assert frame.json()["didDocumentMetadata"]["deactivated"] is True
    assert frame.json()["didDocument"]["id"] == did
    assert "verificationMethod" not in frame.json()["didDocument"]
    assert get(registry, did, DEREFERENCING).status_code == 410
    assert get(registry, did, query="?versionId=1").status_code == 200
    assert get(registry, quote(did + "#ledger-1", safe=""), DEREFERENCING).status_code == 404


def test_dereferencing_a_bare_did_gives_its_document(registry: Registry) -> None:
    for did in (registry.issuer.did, ED25519):
        answer = get(registry, did, DEREFERENCING)

        assert answer.status_code == 200
        assert answer.headers["content-type"] == DEREFERENCING
        assert answer.json()["dereferencingMetadata"]["contentType"]
        assert answer.json()["contentStream"]["id"] == did
        assert answer.json()["contentMetadata"] == {}


@pytest.mark.parametrize("accept", [DEREFERENCING, None])
def test_dereferencing_a_fragment(registry: Registry, accept: str | None) -> None:
    did = registry.issuer.did

    key = get(registry, quote(f"{did}#di-1", safe=""), accept)
    service = get(registry, quote(f"{did}#files", safe=""), accept)
    missing = get(registry, quote(f"{did}#none", safe=""), accept)

    assert key.json()["contentStream"]["type"] == "Multikey"
    assert service.json()["contentStream"]["serviceEndpoint"] == ENDPOINT
    assert (missing.status_code, code(missing)) == (404, "NOT_FOUND")
    assert missing.json()["contentStream"] is None


def test_a_fragment_is_no_did(registry: Registry) -> None:
    answer = get(registry, quote(f"{registry.issuer.did}#di-1", safe=""), RESOLUTION)

    assert (answer.status_code, code(answer)) == (400, "INVALID_DID")


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("?service=files", ENDPOINT),
        ("?service=files&relativeRef=a/b%3Fc=d", ENDPOINT + "a/b?c=d"),
        ("?service=files&relativeRef=%2Ftop", "https://files.example/top"),
    ],
)
def test_a_service_is_a_redirect(registry: Registry, query: str, location: str) -> None:
    for accept in (DEREFERENCING, None):
        plain = get(registry, registry.issuer.did, accept, query)
        inside = get(registry, quote(registry.issuer.did + query, safe=""), accept)

        for answer in (plain, inside):
            assert answer.status_code == 303
            assert answer.headers["location"] == location
            assert answer.content == b""


@pytest.mark.parametrize(
    "reference", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "%0d%0aX:1"]
)
def test_a_caller_cannot_lead_a_redirect_elsewhere(registry: Registry, reference: str) -> None:
    query = f"?service=files&relativeRef={quote(reference, safe='%')}"

    answer = get(registry, registry.issuer.did, DEREFERENCING, query)

    if answer.status_code == 303:  # as a path below the service
        assert answer.headers["location"].startswith("https://files.example/")
    else:
        assert (answer.status_code, code(answer)) == (400, "INVALID_DID_URL")


@pytest.mark.parametrize(
    "url", ["nonsense", "did:key:z6Mk|", "did:a:b?x=%zz", "did:a:b c", "did:a:b?x=1&x=2"]
)
def test_what_is_no_did_url_is_said_to_be_none(registry: Registry, url: str) -> None:
    answer = get(registry, quote(url, safe=""), DEREFERENCING)

    assert (answer.status_code, code(answer)) == (400, "INVALID_DID_URL")


def test_a_ledger_that_cannot_answer_says_so_in_the_frame(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise Unavailable("not now")

    monkeypatch.setattr(registry.ledger, "read", gone)

    answer = get(registry, registry.issuer.did)

    assert (answer.status_code, code(answer)) == (503, "INTERNAL_ERROR")


def test_nothing_at_all_is_no_success(registry: Registry) -> None:
    for path in ("/1.0/identifiers", "/1.0/identifiers/"):
        assert registry.http.get(path).status_code >= 300

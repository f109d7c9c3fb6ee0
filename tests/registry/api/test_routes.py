"""The registry's HTTP routes: every read proves itself, and nothing unproven looks proven."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.checkpoint import verify_head
from registry.core.encoding import base64url_decode, canonical_json
from registry.core.merkle_log import leaf_hash, verify_consistency, verify_inclusion
from registry.core.records import did_key
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from registry.core.transactions import parse_transaction
from registry.ledger.port import LedgerDamaged
from tests.registry.api.conftest import Registry
from tests.registry.authors import new_did, root_author, trust_anchor
from tests.registry.core.heads import NOW

NOBODY = new_did("nobody")[1].did
ID = "A" * 22


def proven(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    head = verify_head(body["head"], trust_anchor(), now=NOW)
    value = None if body["record"] is None else canonical_json(body["record"])
    verify_map_proof(
        parse_map_proof(body["proof"]), key=body["key"], value=value, root=head.state_root
    )
    return body["record"]


def test_a_record_comes_with_its_proof(registry: Registry) -> None:
    did = registry.issuer.did

    by_key = registry.http.get("/registry/records", params={"key": did_key(did), "proof": "true"})
    typed = registry.http.get(f"/registry/dids/{did}", params={"proof": "true"})
    first = registry.http.get(f"/registry/dids/{did}", params={"proof": "true", "version": "1"})
    bare = registry.http.get(f"/registry/dids/{did}")

    assert proven(by_key) == proven(typed) == bare.json()["record"]
    assert bare.json()["proof"] is None
    assert proven(typed)["version"] == 3
    assert proven(first)["version"] == 1


@pytest.mark.parametrize(
    "path",
    [
        f"/registry/dids/{NOBODY}",
        f"/registry/accreditations/{ID}",
        "/registry/schemas/resident-identity/1",
        f"/registry/batches/{NOBODY}/{ID}",
        "/registry/status-lists?uri=https%3A%2F%2Fissuer.example%2Fstatus%2F1",
        f"/registry/relying-parties/{NOBODY}",
        f"/registry/records?key=did/{NOBODY}",
    ],
)
def test_absence_is_proven_or_a_404(registry: Registry, path: str) -> None:
    joint = "&" if "?" in path else "?"

    assert proven(registry.http.get(f"{path}{joint}proof=true")) is None
    unproven = registry.http.get(path)
    assert unproven.status_code == 404
    assert unproven.headers["content-type"] == "application/problem+json"


def test_accreditations_of_a_subject_without_any(registry: Registry) -> None:
    answer = registry.http.get(f"/registry/accreditations?subject={NOBODY}&proof=true")

    assert answer.json()["accreditations"] == []
    assert answer.json()["listed"]["record"] is None
    assert registry.http.get(f"/registry/accreditations?subject={NOBODY}").status_code == 404


def test_a_record_at_an_earlier_height(registry: Registry) -> None:
    path = f"/registry/dids/{registry.issuer.did}?proof=true"

    versions = [proven(registry.http.get(f"{path}&height={height}")) for height in range(4)]

    assert [record and record["version"] for record in versions] == [None, 1, 2, 3]
    assert registry.http.get(f"{path}&height=99").status_code == 404


def test_head_and_trust_anchor(registry: Registry) -> None:
    head = registry.http.get("/registry/head")
    anchor = parse_trust_anchor(registry.http.get("/registry/trust-anchor").json())

    assert head.headers["content-type"].startswith("text/plain")
    assert verify_head(head.text, anchor, now=NOW).height == 5
    assert (
        verify_head(registry.http.get("/registry/head?height=2").text, anchor, now=NOW).height == 2
    )
    assert registry.http.get("/registry/head?height=6").status_code == 404
    assert anchor == trust_anchor()


def test_entries_lead_to_the_log_root(registry: Registry) -> None:
    head = verify_head(registry.http.get("/registry/head").text, trust_anchor(), now=NOW)
    body = registry.http.get("/registry/log/entries?start=0&count=100").json()

    assert (body["size"], len(body["entries"])) == (6, 6)
    for index, entry in enumerate(body["entries"]):
        proof = registry.http.get(f"/registry/log/inclusion?index={index}&size=6").json()
        assert verify_head(proof["head"], trust_anchor(), now=NOW) == head
        assert base64url_decode(proof["leaf"]) == leaf_hash(canonical_json(entry))
        verify_inclusion(
            leaf=leaf_hash(canonical_json(entry)),
            index=index,
            tree_size=6,
            path=[base64url_decode(item) for item in proof["path"]],
            root=head.log_root,
        )


def test_consistency(registry: Registry) -> None:
    older = verify_head(registry.http.get("/registry/head?height=1").text, trust_anchor(), now=NOW)
    newer = verify_head(registry.http.get("/registry/head").text, trust_anchor(), now=NOW)

    proof = registry.http.get("/registry/log/consistency?first=2&second=6").json()

    verify_consistency(
        first=2,
        second=6,
        first_root=older.log_root,
        second_root=newer.log_root,
        path=[base64url_decode(item) for item in proof["path"]],
    )
    assert registry.http.get("/registry/log/consistency?first=6&second=2").status_code == 404


def test_submitting(registry: Registry) -> None:
    raw, author = new_did("newcomer")
    headers = {"content-type": "application/json"}

    first = registry.http.post("/registry/transactions", content=raw, headers=headers)
    again = registry.http.post("/registry/transactions", content=raw, headers=headers)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.json()["transaction"] == parse_transaction(raw).id
    stored = registry.http.get(f"/registry/transactions/{first.json()['transaction']}")
    assert stored.json() == first.json()
    assert proven(registry.http.get(f"/registry/dids/{author.did}?proof=true"))["version"] == 1
    assert registry.http.get(f"/registry/transactions/{'0' * 64}").status_code == 404


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b" " * 300_000, "application/json", 400),
        (b" " * 1_100_000, "application/json", 413),
    ],
)
def test_what_is_no_transaction_is_refused(
    registry: Registry, content: bytes, media: str, status: int
) -> None:
    before = registry.ledger.head()

    answer = registry.http.post(
        "/registry/transactions", content=content, headers={"content-type": media}
    )

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert registry.ledger.head() == before


def test_a_refusal_of_the_rules_is_a_problem_of_its_own(registry: Registry) -> None:
    raw, _ = new_did("newcomer")
    transaction = json.loads(raw)
    transaction["signatures"][0]["value"] = "A" * 86

    answer = registry.http.post(
        "/registry/transactions",
        content=canonical_json(transaction),
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 403
    assert answer.json()["type"].startswith("/problems/")


@pytest.mark.parametrize(
    "path",
    [
        "/registry/records",
        "/registry/records?key=",
        "/registry/records?key=" + "x" * 600,
        "/registry/records?key=a&height=-1",
        "/registry/records?key=a&height=1e3",
        "/registry/records?key=a&proof=maybe",
        "/registry/dids/did:web:a",
        "/registry/schemas/UP/1",
        "/registry/log/entries?start=-1",
        "/registry/log/entries?start=0&count=257",
        "/registry/log/entries?start=0&count=0",
        "/registry/log/entries?start=99999999999999999999",
        "/registry/log/inclusion?index=0&size=0",
        "/registry/log/consistency?first=1",
        "/registry/transactions/XYZ",
    ],
)
def test_bounds_of_parameters(registry: Registry, path: str) -> None:
    answer = registry.http.get(path)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_of_more_bytes_than_characters_is_refused(registry: Registry) -> None:
    answer = registry.http.get("/registry/records", params={"key": "é" * 300})

    assert answer.status_code == 400


def test_a_damaged_record_is_a_503_and_nothing_else(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise LedgerDamaged("record x does not fit")

    monkeypatch.setattr(registry.ledger, "read", damaged)

    answer = registry.http.get(f"/registry/dids/{root_author().did}?proof=true")

    assert answer.status_code == 503
    assert answer.json()["title"] == "Ledger damaged"
    assert "record" not in answer.json()


def test_health(registry: Registry) -> None:
    assert registry.http.get("/registry/health").json() == {
        "writable": True,
        "height": 5,
        "size": 6,
    }
    registry.ledger.close()
    assert registry.http.get("/registry/health").json()["writable"] is False
    assert registry.http.get("/registry/head").status_code == 200
    assert registry.http.get("/registry/records?key=network").status_code == 503


class Loads(HTMLParser):
    """Collects whatever a page would load, and its headings."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.operations = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "style") or (tag == "link"):
            self.loaded.append(tag)
        if any(name in ("src", "style") or name.startswith("on") for name, _ in attrs):
            self.loaded.append(tag)
        self.operations += tag == "article"


def test_the_docs_page_lists_every_operation_and_loads_nothing(registry: Registry) -> None:
    document = registry.http.get("/openapi.json").json()
    page = registry.http.get("/docs")
    parser = Loads()
    parser.feed(page.text)

    operations = [op for path in document["paths"].values() for op in path.values()]
    assert parser.loaded == []
    assert parser.operations == len(operations) == 27
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        assert operation["description"]


def test_documented_errors_are_problem_details(registry: Registry) -> None:
    document = registry.http.get("/openapi.json").json()

    for path, operations in document["paths"].items():
        if path.startswith("/registry"):
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if status >= "400":
                        assert list(answer["content"]) == ["application/problem+json"], path

"""docs/did-method.md is true: its transactions are signed again here, applied, and resolved.

Transactions are made with hashlib, json and two signature algorithms, as other software would.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from registry.api.resolution import Resolver
from registry.core.did import DidDetails
from registry.core.did_document import document_metadata
from registry.core.did_record import DidRecord
from registry.core.did_rules import KeyNotCommitted
from registry.core.genesis import genesis_changes, parse_genesis
from registry.core.identifiers import FRAGMENT, read_did
from registry.core.records import Block
from registry.core.refusals import Malformed
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from tests.registry.core.test_documented_transactions import (
    VECTORS as TRANSACTIONS,
)
from tests.registry.core.test_documented_transactions import (
    base58,
    canonical,
    public,
    sign_with,
    unpadded,
)
from tests.registry.core.test_documented_transactions import hash_of as labelled

PAGE = (Path(__file__).parents[3] / "docs" / "did-method.md").read_text("utf-8")
VECTORS = dict(re.findall(r"```json vector=(\S+)\n(.*?)\n```", PAGE, re.DOTALL))
DID = TRANSACTIONS["create-did"]
BLOCK_SECONDS = 60  # between the blocks of the example
# Key -> first of the 32 bytes, one after the other, that are its private half.
SEEDS = {"ledger-2": 64, "recovery-1": 96, "ledger-3": 128, "ledger-4": 160}
KEYS = {
    **json.loads(TRANSACTIONS["keys"]),
    **{
        name: {"type": "Ed25519", "private": bytes(range(start, start + 32)).hex()}
        for name, start in (
            ("ledger-2", 64),
            ("recovery-1", 96),
            ("ledger-3", 128),
            ("ledger-4", 160),
        )
    },
}
MULTIKEYS = {name: public(entry) for name, entry in KEYS.items()}


def commitment(name: str) -> str:
    return unpadded(hashlib.sha256(MULTIKEYS[name].encode()).digest())


def method(name: str, purpose: str) -> dict[str, Any]:
    return {
        "fragment": name,
        "publicKeyMultibase": MULTIKEYS[name],
        "purposes": [purpose],
    }


def update(version: int, ledger: str, **members: Any) -> dict[str, Any]:
    return {
        "version": version,
        "verificationMethods": [
            method(ledger, "capabilityInvocation"),
            method("jose-1", "assertionMethod"),
        ],
        "alsoKnownAs": [
            "https://university.example/issuers/university",
            "did:web:university.example:issuers:university",
        ],
        "services": [
            {
                "fragment": "site",
                "type": "LinkedDomains",
                "serviceEndpoint": "https://university.example/",
            }
        ],
        "recovery": [{"fragment": "recovery-1", "publicKeyMultibase": MULTIKEYS["recovery-1"]}],
        **members,
    }


# Name on the page -> action, body, who signs. Each is applied in a block of its own.
STEPS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "prepare": (
        "update-did",
        update(1, "ledger-1", nextKeyCommitments=[commitment("ledger-2")]),
        ("ledger-1", "recovery-1"),
    ),
    "rotate": (
        "update-did",
        update(2, "ledger-2", nextKeyCommitments=[commitment("ledger-3")]),
        ("ledger-1", "ledger-2"),
    ),
    "recover": ("update-did", update(3, "ledger-4"), ("recovery-1", "ledger-4")),
    "deactivate": ("deactivate-did", {"version": 4}, ("ledger-4",)),
}


def transaction(number: int, action: str, body: dict[str, Any], signers: tuple[str, ...]) -> str:
    payload = {
        "type": "cairn-transaction/1",
        "network": "example",
        "author": DID,
        "nonce": unpadded(bytes([number]) * 16),
        "action": action,
        "body": body,
    }
    message = b"cairn-transaction/1\0" + canonical(payload)
    signatures = [
        {"key": f"{DID}#{name}", "value": sign_with(KEYS[name], message)} for name in signers
    ]
    return canonical({"payload": payload, "signatures": signatures}).decode()


def made() -> dict[str, str]:
    """Every value of the page, by name."""
    values = {"did": DID}
    genesis = parse_genesis(json.loads(TRANSACTIONS["genesis"]))
    state = dict(genesis_changes(genesis))
    height = 0

    def run(raw: str) -> None:
        nonlocal height
        height += 1
        block = Block(height=height, time=genesis.created + BLOCK_SECONDS * height, index=height)
        state.update(apply(parse_transaction(raw.encode()), state=state, block=block))

    resolver = Resolver(read=state.get, height=lambda: height)

    def shown(value: object) -> str:
        return json.dumps(value, indent=2, ensure_ascii=False)

    def result(**options: str) -> str:
        found = resolver.resolve(DID, options)
        return shown(
            {
                "didDocument": found.document,
                "didDocumentMetadata": found.metadata,
                "didResolutionMetadata": {"contentType": "application/did-resolution"},
            }
        )

    run(TRANSACTIONS["create-transaction"])
    values["document-1"] = shown(resolver.resolve(DID, {}).document)
    jwks = resolver.resolve(DID, {"publicKeyFormat": "JsonWebKey"})
    values["document-1-jwk"] = shown(jwks.document)
    for number, (name, step) in enumerate(STEPS.items(), start=1):
        values[f"{name}-transaction"] = transaction(number, *step)
        run(values[f"{name}-transaction"])
        if name == "rotate":
            values["document-3"] = shown(resolver.resolve(DID, {}).document)
            values["result-1"] = result(versionId="1")
            by_height = resolver.resolve(DID, {"height": "1"})
            by_time = resolver.resolve(DID, {"versionTime": "2026-01-01T00:01:30Z"})
            assert by_height == by_time == resolver.resolve(DID, {"versionId": "1"})
    values["result-5"] = result()
    return values


def test_the_vectors_are_here() -> None:
    assert len(VECTORS) == 9
    assert {f"{name}-transaction" for name in STEPS} < VECTORS.keys()


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_every_value_of_the_page(name: str) -> None:
    assert VECTORS[name] == made()[name]


def test_the_identifier_follows_from_the_creation() -> None:
    digest = labelled("cairn/did/v1", TRANSACTIONS["create-payload"].encode())

    assert f"`{DID}`" in PAGE
    assert DID.rpartition(":")[2] == base58(digest[:20])


@pytest.mark.parametrize("data", [bytes(20), b"\xff" * 20, b"\x00" + b"\xff" * 19])
def test_the_length_of_an_identifier_in_the_grammar(data: bytes) -> None:
    assert "20*28base58char" in PAGE
    assert 20 <= len(base58(data)) <= 28
    assert read_did(f"did:cairn:example:{base58(data)}", "DID")


@pytest.mark.parametrize(
    "text", ["did:cairn:Example:2DYq", "did:cairn:example:0" + "1" * 20, "did:cairn:example:1"]
)
def test_what_the_grammar_leaves_out_is_no_did(text: str) -> None:
    with pytest.raises(Malformed):
        read_did(text, "DID")


def test_the_grammar_of_fragments() -> None:
    assert '`( ALPHA / DIGIT ) 0*63( ALPHA / DIGIT / "-" / "_" )`' in PAGE
    for character in map(chr, range(128)):
        first = character.isalnum()
        assert bool(FRAGMENT.fullmatch(character)) == first
        assert bool(FRAGMENT.fullmatch("a" + character)) == (first or character in "-_")
    assert FRAGMENT.fullmatch("a" * 64)
    assert not FRAGMENT.fullmatch("a" * 65)


def test_the_thief_of_the_page_cannot_rotate() -> None:
    state = dict(genesis_changes(parse_genesis(json.loads(TRANSACTIONS["genesis"]))))
    for height, raw in enumerate(
        (TRANSACTIONS["create-transaction"], VECTORS["prepare-transaction"]), start=1
    ):
        block = Block(height=height, time=height, index=height)
        state.update(apply(parse_transaction(raw.encode()), state=state, block=block))
    stolen = transaction(
        9,
        "update-did",
        update(2, "ledger-3", nextKeyCommitments=[commitment("ledger-4")]),
        ("ledger-1", "ledger-3"),
    )

    with pytest.raises(KeyNotCommitted):
        apply(
            parse_transaction(stolen.encode()), state=state, block=Block(height=3, time=3, index=3)
        )


def test_the_metadata_of_the_page_are_all_that_there_are() -> None:
    table = PAGE[PAGE.index("| metadata") : PAGE.index("What `versionId")]
    record = DidRecord(
        did=DID,
        version=2,
        created_height=1,
        created_time=1,
        height=2,
        time=2,
        deactivated=True,
        details=DidDetails(verification_methods=()),
    )

    names = set(document_metadata(record, following=record))

    assert names == set(re.findall(r"`([a-zA-Z]+)`", re.sub(r"`true`", "", table))) - {
        "versionId=1"
    }

"""docs/transactions.md is true: its values are made again here without our codecs, and applied.

The first half uses nothing of ours: hashlib, json and two signature algorithms, as other software
would.
"""

import base64
import hashlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core import (
    accreditation_rules,
    anchors,
    authorship,
    compromise,
    context,
    did_addresses,
    did_rules,
    disclosure,
    governance_effects,
    governance_rules,
    records,
    relying_party,
    schema_keywords,
    schemas,
    status,
    transitions,
)
from registry.core.accreditation import Accreditation
from registry.core.encoding import canonical_json
from registry.core.genesis import genesis_changes, parse_genesis
from registry.core.records import Block, accreditation_key, did_key
from registry.core.refusals import Refusal
from registry.core.transactions import ACTIONS, parse_transaction
from registry.core.transitions import apply

PAGE = (Path(__file__).parents[3] / "docs" / "transactions.md").read_text("utf-8")
VECTORS = dict(re.findall(r"```(?:json|text) vector=(\S+)\n(.*?)\n```", PAGE, re.DOTALL))
BODIES = dict(re.findall(r"```json body=(\S+)\n(.*?)\n```", PAGE, re.DOTALL))
KEYS = json.loads(VECTORS["keys"])

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def hash_of(label: str, *parts: bytes) -> bytes:
    joined = b"".join(len(part).to_bytes(8, "big") + part for part in (label.encode(), *parts))
    return hashlib.sha256(joined).digest()


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def canonical(value: Any) -> bytes:
    """RFC 8785 for values like these: ASCII member names, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def public(entry: dict[str, str]) -> str:
    secret = bytes.fromhex(entry["private"])
    if entry["type"] == "Ed25519":
        key = Ed25519PrivateKey.from_private_bytes(secret).public_key()
        return "z" + base58(b"\xed\x01" + key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    point = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()).public_key()
    return "z" + base58(
        b"\x80\x24" + point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    )


def sign(name: str, message: bytes) -> str:
    return sign_with(KEYS[name], message)


def sign_with(entry: dict[str, str], message: bytes) -> str:
    secret = bytes.fromhex(entry["private"])
    if entry["type"] == "Ed25519":
        return unpadded(Ed25519PrivateKey.from_private_bytes(secret).sign(message))
    private = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    der = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    private.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return unpadded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def signed(payload: str, keys: dict[str, str]) -> str:
    message = b"cairn-transaction/1\0" + payload.encode()
    return canonical(
        {
            "payload": json.loads(payload),
            "signatures": [
                {"key": key, "value": sign(name, message)} for key, name in keys.items()
            ],
        }
    ).decode()


def test_the_vectors_are_here() -> None:
    assert len(VECTORS) == 10
    assert len(BODIES) == 14


def test_keys() -> None:
    for entry in KEYS.values():
        assert public(entry) == entry["multikey"]


def test_labelled_hash() -> None:
    shown = bytes.fromhex("0000000000000002 6162 0000000000000001 63".replace(" ", ""))

    assert shown.hex(" ") in PAGE
    assert hash_of("ab", b"c") == hashlib.sha256(shown).digest()


def test_genesis() -> None:
    genesis = json.loads(VECTORS["genesis"])
    (member,) = genesis["members"]
    payload = canonical(
        {
            "type": "cairn-transaction/1",
            "network": "example",
            "author": "",
            "nonce": unpadded(bytes(16)),
            "action": "create-did",
            "body": {
                "verificationMethods": [
                    {
                        "fragment": "governance-1",
                        "publicKeyMultibase": KEYS["governance-1"]["multikey"],
                        "purposes": ["capabilityInvocation"],
                    }
                ],
                "alsoKnownAs": [],
                "services": [],
            },
        }
    )

    assert canonical(genesis).decode() == VECTORS["genesis"]
    assert member["did"] == "did:cairn:example:" + base58(hash_of("cairn/did/v1", payload)[:20])
    assert (
        hash_of("cairn/genesis/v1", VECTORS["genesis"].encode()).hex() == VECTORS["genesis-digest"]
    )


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("create", {"#ledger-1": "ledger-1", "#jose-1": "jose-1"}),
        (
            "accredit",
            {json.loads(VECTORS["genesis"])["members"][0]["did"] + "#governance-1": "governance-1"},
        ),
    ],
)
def test_payload_id_and_signatures(name: str, keys: dict[str, str]) -> None:
    payload = VECTORS[f"{name}-payload"]

    assert canonical(json.loads(payload)).decode() == payload
    assert hash_of("cairn/tx/v1", payload.encode()).hex() == VECTORS[f"{name}-id"]
    assert signed(payload, keys) == VECTORS[f"{name}-transaction"]


def test_the_did_of_a_creation() -> None:
    digest = hash_of("cairn/did/v1", VECTORS["create-payload"].encode())

    assert VECTORS["create-did"] == "did:cairn:example:" + base58(digest[:20])


def test_the_rules_take_what_the_page_shows() -> None:
    genesis = parse_genesis(json.loads(VECTORS["genesis"]))
    assert genesis.digest.hex() == VECTORS["genesis-digest"]
    state = dict(genesis_changes(genesis))

    for height, name in enumerate(("create", "accredit"), start=1):
        transaction = parse_transaction(VECTORS[f"{name}-transaction"].encode())
        assert transaction.id == VECTORS[f"{name}-id"]
        state |= apply(
            transaction, state=state, block=Block(height=height, time=1767225600, index=height)
        )

    assert did_key(VECTORS["create-did"]) in state
    grant = Accreditation.parse(state[accreditation_key("ICEiIyQlJicoKSorLC0uLw")])
    assert grant.covers("degree", 2)


@pytest.mark.parametrize("action", sorted(BODIES))
def test_every_body_on_the_page_is_read(action: str) -> None:
    payload = {
        "type": "cairn-transaction/1",
        "network": "example",
        "author": VECTORS["create-did"],
        "nonce": "AAECAwQFBgcICQoLDA0ODw",
        "action": action,
        "body": json.loads(BODIES[action]),
    }
    whole = {"payload": payload, "signatures": [{"key": "#a", "value": "AAAA"}]}

    assert action == parse_transaction(canonical_json(whole)).payload.action.NAME


def test_the_page_shows_every_action() -> None:
    assert BODIES.keys() | {"create-did"} == set(ACTIONS)


MODULES = (
    accreditation_rules,
    anchors,
    authorship,
    compromise,
    context,
    did_addresses,
    did_rules,
    disclosure,
    governance_effects,
    governance_rules,
    records,
    relying_party,
    schema_keywords,
    schemas,
    status,
    transitions,
)


def refusals_of(module: ModuleType) -> list[str]:
    return [
        name
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Refusal) and found.__module__ == module.__name__
    ]


ALL = sorted({name for module in MODULES for name in refusals_of(module)})


def test_the_refusals_are_here() -> None:
    assert len(ALL) >= 52


@pytest.mark.parametrize("name", ALL)
def test_every_refusal_is_on_the_page_and_has_a_test(name: str) -> None:
    tests = "".join(
        path.read_text("utf-8")
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
    )

    assert f"`{name}`" in PAGE
    assert re.search(rf"pytest\.raises\({name}\b", tests)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][A-Za-z]+)`", PAGE))))
def test_every_refusal_on_the_page_exists(name: str) -> None:
    assert name in {*ALL, "Malformed", "KeyNotAdmitted", "SignatureNotValid"}

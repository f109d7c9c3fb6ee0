"""docs/proofs.md is enough for a stranger: its examples verify, here with none of our code for it.

The verifier below follows the page's steps with the standard library and one Ed25519 call. It is a
second opinion on ours: both must say yes to the examples and no to the same forgeries.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.checkpoint import verify_head
from registry.core.receipt import parse_receipt, receipt_json, verify_receipt
from registry.core.refusals import Refusal
from registry.core.sparse_map import map_proof_json, parse_map_proof, verify_map_proof
from tests.registry.core.heads import NOW

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "proofs.md").read_text(encoding="utf-8")
PRESENT, OTHER, NOTHING, ANCHOR, RECEIPT = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
)
(HEAD,) = re.findall(r"```\n(cairn/example\n.*?)```", PAGE, re.DOTALL)
DIGEST = hashlib.sha256(b"credential 2").digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def labelled(label: str, *parts: bytes) -> bytes:
    return sha256(b"".join(len(p).to_bytes(8, "big") + p for p in (label.encode(), *parts)))


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def map_root_of(proof: dict[str, Any], key: str, record: bytes | None) -> bytes:
    """Section 2.2; raises AssertionError where a step fails."""
    assert proof["key"] == key
    bits = "".join(f"{byte:08b}" for byte in labelled("cairn/map-key/v1", key.encode()))
    key_hash = labelled("cairn/map-key/v1", key.encode())
    other = proof.get("other")
    if record is not None:
        assert other is None
        here = labelled("cairn/map-leaf/v1", key_hash, sha256(record))
    elif other is not None:
        other_hash = unbase64url(other["keyhash"])
        other_bits = "".join(f"{byte:08b}" for byte in other_hash)
        assert other_hash != key_hash
        assert other_bits[: proof["bits"]] == bits[: proof["bits"]]
        here = labelled("cairn/map-leaf/v1", other_hash, unbase64url(other["valuehash"]))
    else:
        here = bytes(32)
    path = [unbase64url(item) for item in proof["path"]]
    assert len(path) == proof["bits"]
    assert not path or path[0] != bytes(32)
    for depth, sibling in zip(reversed(range(len(path))), path, strict=True):
        pair = (sibling, here) if bits[depth] == "1" else (here, sibling)
        here = labelled("cairn/map-node/v1", *pair)
    return here


def batch_root_of(leaf: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1 from the top: the recursion of the definition, not the RFC's loop."""
    if count == 1:
        assert not path
        return leaf
    half = 1 << (count - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1" + batch_root_of(leaf, index, half, path[:-1]) + path[-1])
    return sha256(b"\1" + path[-1] + batch_root_of(leaf, index - half, count - half, path[:-1]))


def stranger_reads_head(head: str, anchor: dict[str, Any]) -> dict[str, Any]:
    """Section 4."""
    text, _, signatures = head.rpartition("\n\n")
    origin, _size, _log_root, height, time, state = text.split("\n")
    assert origin == f"cairn/{anchor['network']}"
    signed = set()
    for line in signatures.removesuffix("\n").split("\n"):
        dash, name, encoded = line.split(" ")
        assert dash == "—"
        data = base64.b64decode(encoded, validate=True)
        for verifier in anchor["heads"]["keys"]:
            key_name, key_id, key = verifier.split("+", 2)
            if (key_name, bytes.fromhex(key_id)) == (name, data[:4]):
                raw = base64.b64decode(key)
                assert sha256(f"{name}\n".encode() + raw)[:4] == data[:4]
                Ed25519PublicKey.from_public_bytes(raw[1:]).verify(data[4:], (text + "\n").encode())
                signed.add(raw)
    assert len(signed) >= anchor["heads"]["threshold"]
    return {
        "height": int(height.removeprefix("height ")),
        "time": int(time.removeprefix("time ")),
        "state": base64.b64decode(state.removeprefix("state "), validate=True),
    }


def stranger_verifies(receipt: dict[str, Any], anchor: dict[str, Any], digest: bytes) -> None:
    """Section 6."""
    batch = receipt["batch"]
    assert receipt["network"] == anchor["network"]
    assert unbase64url(receipt["digest"]) == digest
    head = stranger_reads_head(receipt["head"], anchor)
    assert batch["issuer"].startswith(f"did:cairn:{anchor['network']}:")
    assert batch["height"] <= head["height"]
    assert batch["time"] <= head["time"]
    path = [unbase64url(item) for item in receipt["path"]]
    assert 0 <= receipt["index"] < batch["count"]
    root = batch_root_of(sha256(b"\0" + digest), receipt["index"], batch["count"], path)
    assert root == unbase64url(batch["root"])
    key = f"batch/{batch['issuer']}/{batch['batch']}"
    assert map_root_of(receipt["proof"], key, rfc8785.dumps(batch)) == head["state"]


def root_in(text: str) -> bytes:
    """The hash that the page names after `text`."""
    found = re.search(re.escape(text) + r",? `([0-9a-f]{64})`", PAGE)
    assert found, text
    return bytes.fromhex(found[1])


def test_the_examples_verify_by_the_page_alone():
    stranger_verifies(RECEIPT, ANCHOR, DIGEST)


def test_the_examples_verify_by_our_code():
    anchor = parse_trust_anchor(ANCHOR)
    verified = verify_receipt(parse_receipt(RECEIPT), digest=DIGEST, anchor=anchor, now=NOW)

    assert verified.issuer == RECEIPT["batch"]["issuer"]
    assert verify_head(HEAD, anchor, now=NOW) == verified.head
    assert RECEIPT["head"] == HEAD
    assert trust_anchor_json(anchor) == ANCHOR
    assert receipt_json(parse_receipt(RECEIPT)) == RECEIPT


def test_the_map_examples_verify_by_both():
    schema_root = root_in("the first leaf and that node")
    smaller_root = root_in("node above")
    for proof, key, record, root in (
        (PRESENT, "network", b'{"record":"network"}', schema_root),
        (OTHER, "schema/degree/2", None, schema_root),
        (NOTHING, "schema/degree/1", None, smaller_root),
    ):
        assert map_root_of(proof, key, record) == root
        verify_map_proof(parse_map_proof(proof), key=key, value=record, root=root)
        assert map_proof_json(parse_map_proof(proof)) == proof


def test_the_values_in_the_tables():
    rows = dict(re.findall(r"\| ([^|`]+) \| `([0-9a-f]{64})` \|", PAGE.split("## 4.")[0]))
    entries = [sha256(b"\0entry %d" % number) for number in range(3)]
    assert [rows[f"leaf {number}"] for number in range(3)] == [leaf.hex() for leaf in entries]
    older = sha256(b"\1" + entries[0] + entries[1])
    assert rows["root of size 2"] == older.hex()
    assert rows["root of size 3"] == sha256(b"\1" + older + entries[2]).hex()

    rows = dict(re.findall(r"\| ([^|`]+) \| `([0-9a-f]{64})` \|", PAGE.split("## 6.")[1]))
    digests = [sha256(b"credential %d" % number) for number in range(3)]
    leaves = [sha256(b"\0" + digest) for digest in digests]
    pair = sha256(b"\1" + leaves[0] + leaves[1])
    assert rows == {
        **{f"digest {number}": digest.hex() for number, digest in enumerate(digests)},
        **{f"leaf {number}": leaf.hex() for number, leaf in enumerate(leaves)},
        "node over leaves 0 and 1": pair.hex(),
        "batch root": sha256(b"\1" + pair + leaves[2]).hex(),
    }

    key_hashes = re.findall(r"\| `([^`]+)` \| key hash \| `([0-9a-f]{64})` \|", PAGE)
    keys = {"batch/…": RECEIPT["proof"]["key"]}
    assert len(key_hashes) == 3
    for key, key_hash in key_hashes:
        assert labelled("cairn/map-key/v1", keys.get(key, key).encode()).hex() == key_hash


FORGERIES: list[dict[str, Any]] = [
    {"network": "other"},
    {"digest": RECEIPT["path"][0]},
    {"index": 1},
    {"path": RECEIPT["path"] * 2},
    {"path": []},
    {"batch": {**RECEIPT["batch"], "height": 1}},
    {"batch": {**RECEIPT["batch"], "types": ["residence"]}},
    {"batch": {**RECEIPT["batch"], "count": 4}},
    {"proof": PRESENT},
    {"proof": {**RECEIPT["proof"], "path": RECEIPT["proof"]["path"][::-1]}},
    {"head": RECEIPT["head"].replace("height 2", "height 3")},
    {"head": RECEIPT["head"].replace("cairn/example SlKu", "cairn/witness SlKu")},
]


@pytest.mark.parametrize("changes", FORGERIES, ids=lambda changes: next(iter(changes)))
def test_both_refuse_the_same_forgeries(changes: dict[str, Any]):
    forged = RECEIPT | changes

    with pytest.raises((AssertionError, InvalidSignature, IndexError)):
        stranger_verifies(forged, ANCHOR, DIGEST)
    with pytest.raises(Refusal):
        verify_receipt(
            parse_receipt(forged), digest=DIGEST, anchor=parse_trust_anchor(ANCHOR), now=NOW
        )

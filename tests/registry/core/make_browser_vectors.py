"""Makes the proofs that the browser's code is held to: `wallet_app/tests/vectors/proofs.json`.

`python -m tests.registry.core.make_browser_vectors` writes them; `test_browser_vectors.py` rebuilds
and compares them, and says yes and no to the same ones. So the two implementations stay equal.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from registry.core.anchors import BatchRecord
from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.checkpoint import Head, sign_head
from registry.core.did_actions import CreateDid
from registry.core.encoding import JsonObject, base64url_encode, canonical_json, parse_json
from registry.core.hashing import labelled_hash, sha256
from registry.core.merkle_log import consistency_path, inclusion_path, leaf_hash, root_of
from registry.core.proofs import path_json
from registry.core.receipt import BatchTree, build_receipt, receipt_json
from registry.core.sparse_map import (
    EMPTY,
    map_changes,
    map_key_hash,
    map_proof_json,
    map_root,
    prove,
    update,
)
from registry.core.transactions import Payload, derive_did, transaction_id
from tests.registry.core.heads import NETWORK, ROOT_DID, SECOND, SIGNER, THIRD, anchor_of

FILE = Path(__file__).resolve().parents[3] / "wallet_app" / "tests" / "vectors" / "proofs.json"

TIME = 1_790_000_000
ANCHOR = anchor_of(SIGNER, SECOND, THIRD, threshold=2)
DIGESTS = [sha256(b"credential %d" % number) for number in range(5)]
TREE = BatchTree(DIGESTS)
BATCH = BatchRecord(
    issuer=ROOT_DID,
    batch=base64url_encode(bytes(range(16))),
    root=TREE.root,
    count=5,
    types=("degree", "residence"),
    height=6,
    time=TIME - 60,
)
CREATE = Payload(
    network=NETWORK,
    author="",
    nonce=bytes(range(16)),
    action=CreateDid.parse(
        {
            "verificationMethods": [
                {
                    "fragment": "ledger-1",
                    "publicKeyMultibase": SIGNER.key.multikey,
                    "purposes": ["capabilityInvocation"],
                }
            ],
            "alsoKnownAs": ["https://registry.example/issuers/university"],
            "services": [],
        }
    ),
)
ENTRIES: list[JsonObject] = [
    {"genesis": {"network": NETWORK}, "height": 0, "time": TIME - 100},
    *(
        {"height": height, "time": TIME - 100 + height, "transaction": {"payload": {"n": height}}}
        for height in range(1, 12)
    ),
    {"height": 12, "time": TIME, "transaction": {"payload": CREATE.to_object()}},
]
LEAVES = [leaf_hash(canonical_json(entry)) for entry in ENTRIES]
RECORDS: dict[str, JsonObject] = {
    BATCH.key: BATCH.to_object(),
    "network": {"record": "network", "name": "石冢 ☃", "members": []},
    **{f"schema/kind-{number}/1": {"record": "schema", "n": number} for number in range(6)},
}
ABSENT = (
    "did/did:cairn:test-1:nobody",
    *(f"schema/kind-{number}/1" for number in range(6, 9)),
    "accreditation/none",
)


def head_at(size: int, root: bytes, **changes: Any) -> Head:
    """The head after `size` entries."""
    members = {
        "network": NETWORK,
        "tree_size": size,
        "log_root": root_of(LEAVES[:size]),
        "height": size - 1,
        "time": ENTRIES[size - 1]["time"],
        "state_root": root,
    }
    return Head(**members | changes)


def build() -> JsonObject:
    """All vectors, as the file holds them."""
    root, nodes = update(
        EMPTY, map_changes({key: canonical_json(record) for key, record in RECORDS.items()}), {}
    )
    head = head_at(13, root)
    text = sign_head(head, [SIGNER, SECOND])
    receipt = build_receipt(
        digest=DIGESTS[3],
        index=3,
        path=TREE.path(3),
        batch=BATCH,
        proof=prove(root, BATCH.key, nodes),
        head=text,
    )
    proofs = {key: map_proof_json(prove(root, key, nodes)) for key in (*RECORDS, *ABSENT)}
    return {
        "note": "Made by tests/registry/core/make_browser_vectors.py; do not edit.",
        "trust_anchor": trust_anchor_json(ANCHOR),
        "head": {
            "text": text,
            "says": {
                "size": head.tree_size,
                "logRoot": head.log_root.hex(),
                "height": head.height,
                "time": head.time,
                "stateRoot": head.state_root.hex(),
            },
        },
        "heads_refused": heads_refused(head),
        "heads_in_order": heads_in_order(root),
        "identifiers": {
            "payload": CREATE.to_object(),
            "transaction": transaction_id(CREATE),
            "did": derive_did(CREATE),
        },
        "log": {
            "entries": ENTRIES,
            "inclusion": [inclusion(index, text) for index in range(13)],
            "older": {
                str(size): sign_head(head_at(size, root), [SIGNER, THIRD]) for size in range(1, 13)
            },
            "consistency": [
                {"first": size, "second": 13, "path": path_json(consistency_path(LEAVES, size))}
                for size in range(1, 13)
            ],
        },
        "map": {
            "present": [
                {"key": key, "record": record, "proof": proofs[key]}
                for key, record in RECORDS.items()
            ],
            "absent": [{"key": key, "proof": proofs[key]} for key in ABSENT],
            "refused": map_refused(proofs),
        },
        "receipt": {
            "digest": base64url_encode(DIGESTS[3]),
            "receipt": receipt_json(receipt),
            "refused": receipts_refused(receipt_json(receipt), text),
        },
    }


def inclusion(index: int, head: str) -> JsonObject:
    """What the registry answers about entry `index`."""
    return {
        "index": index,
        "size": 13,
        "leaf": base64url_encode(LEAVES[index]),
        "path": path_json(inclusion_path(LEAVES, index)),
        "head": head,
    }


def heads_refused(head: Head) -> list[JsonObject]:
    """Heads that the trust anchor does not carry."""
    both = sign_head(head, [SIGNER, SECOND])
    one = sign_head(head, [SIGNER])
    other = sign_head(head_at(13, head.state_root, network="test-2"), [SIGNER, SECOND])
    refused = {
        "one signature of two": one,
        "one signature, twice": one + one.splitlines()[-1] + "\n",
        "of another network": other,
        "a number of the text changed": both.replace("height 12", "height 13"),
        "an extension line more": both.replace("height 12", "height 12\nmore 1"),
        "without its last newline": both[:-1],
        "without the empty line": both.replace("\n\n", "\n"),
        "signatures of another text": other.replace("test-2\n", "test-1\n"),
        "empty": "",
    }
    return [{"why": why, "text": text} for why, text in refused.items()]


def heads_in_order(root: bytes) -> list[JsonObject]:
    """Pairs of heads of the right signers, and whether the second may come after the first."""
    pairs: dict[str, tuple[Head, Head, bool]] = {
        "the same": (head_at(13, root), head_at(13, root), True),
        "a longer log": (head_at(7, root), head_at(13, root), True),
        "an older one": (head_at(13, root), head_at(7, root), False),
        "same height, other state": (head_at(13, root), head_at(13, EMPTY), False),
        "same height, other time": (head_at(13, root), head_at(13, root, time=TIME + 1), False),
        "same height, other size": (head_at(13, root), head_at(12, root, height=12), False),
        "same size, other state": (head_at(13, root), head_at(13, EMPTY, height=13), False),
        "time went back": (head_at(12, root), head_at(13, root, time=TIME - 99), False),
        "log shrank": (head_at(13, root), head_at(9, root, height=13, time=TIME), False),
    }
    return [
        {
            "why": why,
            "older": sign_head(older, [SIGNER, SECOND]),
            "newer": sign_head(newer, [SIGNER, SECOND]),
            "follows": follows,
        }
        for why, (older, newer, follows) in pairs.items()
    ]


def map_refused(proofs: JsonObject) -> list[JsonObject]:
    """Proofs that prove nothing under the head's state root."""
    network, batch, absent = (deepcopy(proofs[key]) for key in ("network", BATCH.key, ABSENT[0]))
    record = RECORDS["network"]
    leaf = {"keyhash": base64url_encode(bytes(32)), "valuehash": base64url_encode(bytes(32))}
    zero = base64url_encode(bytes(32))
    beside_nothing = {"key": "network", "bits": 1, "path": [zero]}

    def case(why: str, key: str, record: JsonObject | None, proof: JsonObject) -> JsonObject:
        return {"why": why, "key": key, "record": record, "proof": proof}

    return [
        case("absence of what is there", "network", None, network),
        case("another record", "network", {**record, "name": "x"}, network),
        case("the proof of another key", "network", record, batch),
        case("another key in the proof", BATCH.key, record, network),
        case("too few hashes", "network", record, {**network, "path": network["path"][1:]}),
        case("a depth that is not the path's", "network", record, {**network, "bits": 200}),
        case("a hash more", "network", record, _longer(network, network["path"][0])),
        case("an empty sibling more", "network", record, _longer(network, zero)),
        case("an unknown member", "network", record, {**network, "more": 1}),
        case("presence that names another", "network", record, {**network, "other": leaf}),
        case("absence that names no leaf", ABSENT[0], None, {**absent, "other": leaf}),
        case("a record that is not there", ABSENT[0], {"record": "did"}, _without_other(absent)),
        case("hashes in reverse", "network", record, {**network, "path": network["path"][::-1]}),
        {
            **case("a leaf beside nothing", "network", record, beside_nothing),
            "root": _root_beside_nothing(record).hex(),
        },
        case("a hash of 31 bytes", "network", record, {**network, "path": [zero[:42]] * 3}),
    ]


def receipts_refused(good: JsonObject, head: str) -> list[JsonObject]:
    """Receipts that prove nothing about the digest."""
    batch, proof = good["batch"], good["proof"]
    changes: dict[str, JsonObject] = {
        "another network": {"network": "test-2"},
        "another digest": {"digest": good["path"][0]},
        "another index": {"index": 2},
        "an index outside": {"index": 5},
        "a hash more": {"path": [*good["path"], good["path"][0]]},
        "no path": {"path": []},
        "another height": {"batch": {**batch, "height": 1}},
        "another type": {"batch": {**batch, "types": ["driving-licence"]}},
        "another issuer": {"batch": {**batch, "issuer": ROOT_DID[:-1] + "1"}},
        "an unknown member": {"more": 1},
        "an unknown member of the batch": {"batch": {**batch, "more": 1}},
        "another kind of record": {"batch": {**batch, "record": "status"}},
        "another path in the map": {"proof": {**proof, "path": proof["path"][::-1]}},
        "another key in the map": {"proof": {**proof, "key": "network"}},
        "a head with one signature": {"head": head[: head.rstrip("\n").rfind("\n") + 1]},
        "another type of document": {"type": "cairn-anchor-receipt/2"},
    }
    refused = [{"why": why, "receipt": {**good, **change}} for why, change in changes.items()]
    short = {name: value for name, value in good.items() if name != "index"}
    return [*refused, {"why": "without its index", "receipt": short}]


def _longer(proof: JsonObject, sibling: str) -> JsonObject:
    return {**proof, "path": [sibling, *proof["path"]], "bits": proof["bits"] + 1}


def _root_beside_nothing(record: JsonObject) -> bytes:
    """Root of a map of one record, from a tree that no map has: the leaf stands one level deep."""
    key_hash = map_key_hash("network")
    leaf = map_root(map_changes({"network": canonical_json(record)}))
    pair = (EMPTY, leaf) if key_hash[0] & 0x80 else (leaf, EMPTY)
    return labelled_hash("cairn/map-node/v1", *pair)


def _without_other(proof: JsonObject) -> JsonObject:
    return {name: value for name, value in proof.items() if name != "other"}


def text_of(vectors: JsonObject) -> str:
    """The file's content."""
    return json.dumps(vectors, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write the file, after a look that it is canonical JSON of the same value."""
    vectors = build()
    assert parse_json(canonical_json(vectors)) == vectors
    FILE.write_text(text_of(vectors), encoding="utf-8")


if __name__ == "__main__":
    main()

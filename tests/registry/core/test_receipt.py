"""Anchor receipts: the whole way from a digest to signed heads, and every way to spoil it."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.anchors import MAX_BATCH, BatchRecord
from registry.core.checkpoint import HeadNotTrusted, parse_head, sign_head
from registry.core.encoding import base64url_encode, canonical_json, parse_json
from registry.core.hashing import sha256
from registry.core.log_tree import NotInLog
from registry.core.merkle_log import InclusionNotProven, leaf_hash, root_of
from registry.core.proofs import NotProven
from registry.core.receipt import (
    AnchorNotProven,
    AnchorReceipt,
    BatchTree,
    build_receipt,
    parse_receipt,
    receipt_json,
    verify_receipt,
)
from registry.core.records import batch_key
from registry.core.refusals import Malformed, Refusal
from registry.core.signed_note import NoteNotSigned
from registry.core.sparse_map import EMPTY, MapNotProven, map_changes, prove, update
from tests.registry.core.heads import NOW, ROOT_DID, SECOND, SIGNER, anchor_of, head_of

DIGESTS = [sha256(bytes([number])) for number in range(5)]
TREE = BatchTree(DIGESTS)
BATCH = BatchRecord(
    issuer=ROOT_DID,
    batch=base64url_encode(bytes(range(16))),
    root=TREE.root,
    count=5,
    types=("degree", "residence"),
    height=6,
    time=1_789_999_999,
)
ANCHOR = anchor_of(SIGNER)


def ledger_with(batch: BatchRecord, *, key: str | None = None) -> AnchorReceipt:
    """A receipt for digest 3 from a ledger that holds `batch` among other records, unchecked."""
    key = key or batch_key(batch.issuer, batch.batch)
    records = {f"record/{number}": b"" for number in range(20)} | {key: batch.encode()}
    root, nodes = update(EMPTY, map_changes(records), {})
    return AnchorReceipt(
        network="test-1",
        digest=DIGESTS[3],
        index=3,
        path=TREE.path(3),
        batch=batch,
        proof=prove(root, key, nodes),
        head=sign_head(head_of(state_root=root), [SIGNER]),
    )


RECEIPT = ledger_with(BATCH)
GOOD = receipt_json(RECEIPT)


def test_a_receipt_proves_who_anchored_what_and_when():
    verified = verify_receipt(RECEIPT, digest=DIGESTS[3], anchor=ANCHOR, now=NOW)

    assert (verified.issuer, verified.batch) == (BATCH.issuer, BATCH.batch)
    assert verified.types == ("degree", "residence")
    assert (verified.height, verified.time) == (6, 1_789_999_999)
    assert (verified.head.height, verified.head.network) == (7, "test-1")


def test_there_and_back():
    assert parse_receipt(parse_json(canonical_json(GOOD))) == RECEIPT
    assert GOOD.keys() == {
        "type", "network", "digest", "index", "path", "batch", "proof", "head"
    }  # fmt: skip


@pytest.mark.parametrize("index", range(5))
def test_every_digest_of_a_batch_has_its_receipt(index: int):
    receipt = build_receipt(
        digest=DIGESTS[index],
        index=index,
        path=TREE.path(index),
        batch=BATCH,
        proof=RECEIPT.proof,
        head=RECEIPT.head,
    )

    verify_receipt(receipt, digest=DIGESTS[index], anchor=ANCHOR, now=NOW)


def test_a_batch_tree_is_the_published_tree_over_the_digests():
    assert TREE.root == root_of([leaf_hash(digest) for digest in DIGESTS])
    assert TREE.count == 5
    with pytest.raises(NotInLog):
        TREE.path(5)


@pytest.mark.parametrize("digests", [[], [b"short"], [bytes(32)] * (MAX_BATCH + 1)])
def test_what_is_no_batch_is_malformed(digests: list[bytes]):
    with pytest.raises(Malformed):
        BatchTree(digests)


# One broken step each: the step's own refusal says so, and the untouched twin passes.


def refused(receipt: AnchorReceipt, refusal: type[Refusal], match: str, **asked: Any) -> None:
    verify_receipt(RECEIPT, digest=DIGESTS[3], anchor=ANCHOR, now=NOW)
    with pytest.raises(refusal, match=match):
        verify_receipt(receipt, **{"digest": DIGESTS[3], "anchor": ANCHOR} | asked, now=NOW)


def test_step_1_a_receipt_of_another_network_is_refused():
    refused(replace(RECEIPT, network="test-2"), AnchorNotProven, "another network")
    refused(RECEIPT, AnchorNotProven, "another network", anchor=anchor_of(SIGNER, network="test-2"))


def test_step_2_a_receipt_about_another_digest_is_refused():
    # Digest 2 is in the same batch: its neighbour's receipt must not serve it.
    refused(RECEIPT, AnchorNotProven, "another digest", digest=DIGESTS[2])
    refused(RECEIPT, AnchorNotProven, "another digest", digest=b"")
    refused(replace(RECEIPT, digest=b""), AnchorNotProven, "another digest", digest=b"")


def test_step_3_a_head_that_the_anchor_does_not_trust_is_refused():
    head = head_of(state_root=_state_root_of(RECEIPT))
    refused(replace(RECEIPT, head=sign_head(head, [SECOND])), NoteNotSigned, "fewer")
    refused(RECEIPT, NoteNotSigned, "fewer", anchor=anchor_of(SIGNER, SECOND, threshold=2))
    other_network = sign_head(replace(head, network="test-2"), [SIGNER])
    refused(replace(RECEIPT, head=other_network), HeadNotTrusted, "another network")
    refused(replace(RECEIPT, head="no head"), Malformed, "signatures")


def test_step_4_a_batch_of_another_network_is_refused():
    foreign = replace(BATCH, issuer=ROOT_DID.replace("test-1", "test-2"))

    refused(ledger_with(foreign), AnchorNotProven, "issuer of another network")


@pytest.mark.parametrize("members", [{"height": 8}, {"time": 1_790_000_001}])
def test_step_4_a_batch_younger_than_the_head_is_refused(members: dict[str, int]):
    refused(ledger_with(replace(BATCH, **members)), AnchorNotProven, "younger")


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 2},
        {"index": 5},
        {"path": TREE.path(2)},
        {"path": TREE.path(3)[:-1]},
        {"path": (*TREE.path(3), bytes(32))},
        {"path": ()},
    ],
)
def test_step_5_a_digest_outside_the_batch_is_refused(changes: dict[str, Any]):
    refused(replace(RECEIPT, **changes), InclusionNotProven, ".")


def test_step_5_an_inner_node_is_no_digest():
    # Digests are hashed as leaves. The root of two digests is none itself.
    whole = replace(RECEIPT, digest=TREE.root, index=0, path=(), batch=replace(BATCH, count=1))

    refused(whole, InclusionNotProven, ".", digest=TREE.root)


@pytest.mark.parametrize(
    "members",
    [
        {"types": ("degree",)},
        {"types": ("residence", "degree")},
        {"height": 5},
        {"time": 1_789_999_998},
        {"count": 6},
        {"batch": base64url_encode(bytes(16))},
        {"issuer": ROOT_DID[:-1] + "z"},
    ],
)
def test_step_6_a_record_that_the_ledger_does_not_hold_is_refused(members: dict[str, Any]):
    with pytest.raises(NotProven):
        verify_receipt(
            replace(RECEIPT, batch=replace(BATCH, **members)),
            digest=DIGESTS[3],
            anchor=ANCHOR,
            now=NOW,
        )


def test_step_6_a_batch_record_under_another_key_is_refused():
    misplaced = ledger_with(BATCH, key="batch/of/nobody")

    refused(misplaced, MapNotProven, "another key")
    key = batch_key(BATCH.issuer, BATCH.batch)
    renamed = replace(misplaced, proof=replace(misplaced.proof, key=key))
    refused(renamed, MapNotProven, "another root")


def test_step_6_a_proof_of_absence_is_refused():
    root, nodes = update(EMPTY, map_changes({"record/1": b""}), {})
    absent = replace(
        RECEIPT,
        proof=prove(root, batch_key(BATCH.issuer, BATCH.batch), nodes),
        head=sign_head(head_of(state_root=root), [SIGNER]),
    )

    refused(absent, MapNotProven, "absence")


def test_every_flipped_bit_of_a_receipt_is_refused():
    data = canonical_json(GOOD)
    verify_receipt(parse_receipt(parse_json(data)), digest=DIGESTS[3], anchor=ANCHOR, now=NOW)

    for position in range(8 * len(data)):
        forged = bytearray(data)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises(Refusal):
            verify_receipt(
                parse_receipt(parse_json(bytes(forged))), digest=DIGESTS[3], anchor=ANCHOR, now=NOW
            )
    verify_receipt(parse_receipt(parse_json(data)), digest=DIGESTS[3], anchor=ANCHOR, now=NOW)


def test_no_bad_receipt_is_built():
    for changes in ({"index": 2}, {"digest": DIGESTS[2]}, {"batch": replace(BATCH, height=9)}):
        parts: dict[str, Any] = {
            "digest": DIGESTS[3],
            "index": 3,
            "path": TREE.path(3),
            "batch": BATCH,
            "proof": RECEIPT.proof,
            "head": RECEIPT.head,
        }
        build_receipt(**parts)
        with pytest.raises(NotProven):
            build_receipt(**parts | changes)


def changed(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | members).items() if value is not ...}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        *(changed(**{name: ...}) for name in GOOD),
        changed(more=1),
        changed(type="cairn-anchor-receipt/2"),
        changed(network="Test"),
        changed(network=None),
        changed(digest="AAAA"),
        changed(digest=None),
        changed(index=-1),
        changed(index=True),
        changed(index=3.0),
        changed(index="3"),
        changed(index=MAX_BATCH),
        changed(path=None),
        changed(path=[None]),
        changed(path=[GOOD["digest"]] * 22),
        changed(batch=None),
        changed(batch={**GOOD["batch"], "record": "schema"}),
        changed(batch={**GOOD["batch"], "more": 1}),
        changed(batch={**GOOD["batch"], "count": 0}),
        changed(batch={**GOOD["batch"], "types": []}),
        changed(batch={**GOOD["batch"], "types": ["degree", "degree"]}),
        changed(proof=None),
        changed(proof={**GOOD["proof"], "value": None}),
        changed(head=None),
        changed(head="x" * (1 << 18)),
    ],
)
def test_anything_else_is_malformed(value: Any):
    with pytest.raises(Malformed):
        parse_receipt(value)


def _state_root_of(receipt: AnchorReceipt) -> bytes:
    return parse_head(receipt.head).claimed.state_root

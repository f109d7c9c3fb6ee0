"""The browser's code is held to proofs that ours made, and both say yes and no to the same ones."""

from typing import Any

import pytest

from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.checkpoint import parse_head, verify_head, verify_head_follows
from registry.core.encoding import base64url_decode, canonical_json
from registry.core.merkle_log import leaf_hash, verify_consistency, verify_inclusion
from registry.core.receipt import parse_receipt, verify_receipt
from registry.core.refusals import Refusal
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from tests.registry.core.heads import NOW
from tests.registry.core.make_browser_vectors import FILE, build, text_of

VECTORS = build()
ANCHOR = parse_trust_anchor(VECTORS["trust_anchor"])
HEAD = verify_head(VECTORS["head"]["text"], ANCHOR, now=NOW)


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["why"])


def path_of(case: dict[str, Any]) -> list[bytes]:
    return [base64url_decode(item) for item in case["path"]]


def check_map(case: dict[str, Any]) -> None:
    record = case.get("record")
    verify_map_proof(
        parse_map_proof(case["proof"]),
        key=case["key"],
        value=None if record is None else canonical_json(record),
        root=bytes.fromhex(case["root"]) if "root" in case else HEAD.state_root,
    )


def test_the_file_is_what_the_code_makes():
    assert FILE.read_text(encoding="utf-8") == text_of(VECTORS), (
        "run python -m tests.registry.core.make_browser_vectors, then npm test in wallet_app"
    )


def test_every_entry_is_in_the_log():
    for case, entry in zip(VECTORS["log"]["inclusion"], VECTORS["log"]["entries"], strict=True):
        leaf = leaf_hash(canonical_json(entry))
        verify_inclusion(
            leaf=leaf,
            index=case["index"],
            tree_size=HEAD.tree_size,
            path=path_of(case),
            root=HEAD.log_root,
        )


def test_every_older_log_is_its_beginning():
    for case in VECTORS["log"]["consistency"]:
        older = verify_head(VECTORS["log"]["older"][str(case["first"])], ANCHOR, now=NOW)
        verify_consistency(
            first=older.tree_size,
            second=HEAD.tree_size,
            first_root=older.log_root,
            second_root=HEAD.log_root,
            path=path_of(case),
        )


def test_the_records_are_there_and_the_others_are_not():
    for case in (*VECTORS["map"]["present"], *VECTORS["map"]["absent"]):
        check_map(case)


@named(VECTORS["heads_in_order"])
def test_one_head_after_another(case: dict[str, Any]):
    older, newer = (parse_head(case[name]).claimed for name in ("older", "newer"))

    if case["follows"]:
        verify_head_follows(older, newer)
    else:
        with pytest.raises(Refusal):
            verify_head_follows(older, newer)


@named(VECTORS["heads_refused"])
def test_a_refused_head(case: dict[str, Any]):
    with pytest.raises(Refusal):
        verify_head(case["text"], ANCHOR, now=NOW)


@named(VECTORS["map"]["refused"])
def test_a_refused_map_proof(case: dict[str, Any]):
    with pytest.raises(Refusal):
        check_map(case)


def test_the_receipt():
    digest = base64url_decode(VECTORS["receipt"]["digest"])

    verify_receipt(
        parse_receipt(VECTORS["receipt"]["receipt"]), digest=digest, anchor=ANCHOR, now=NOW
    )


@named(VECTORS["receipt"]["refused"])
def test_a_refused_receipt(case: dict[str, Any]):
    digest = base64url_decode(VECTORS["receipt"]["digest"])

    with pytest.raises(Refusal):
        verify_receipt(parse_receipt(case["receipt"]), digest=digest, anchor=ANCHOR, now=NOW)

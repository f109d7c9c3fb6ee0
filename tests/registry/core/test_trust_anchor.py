"""Trust anchors: one JSON form, and none that would trust nobody."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.encoding import canonical_json, parse_json
from registry.core.refusals import Malformed
from registry.core.trust_anchor import MAX_HEAD_KEYS, MAX_ROOTS
from tests.registry.core.heads import ROOT_DID, SECOND, SIGNER, TestSigner, anchor_of

ANCHOR = anchor_of(SIGNER, SECOND, threshold=2)
GOOD = trust_anchor_json(ANCHOR)


def changed(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | members).items() if value is not ...}


def heads(**members: Any) -> dict[str, Any]:
    return changed(heads=GOOD["heads"] | members)


def test_there_and_back():
    assert parse_trust_anchor(parse_json(canonical_json(GOOD))) == ANCHOR
    assert GOOD.keys() == {"type", "network", "heads", "roots"}
    assert GOOD["heads"]["keys"] == [SIGNER.verifier.text, SECOND.verifier.text]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        changed(type=...),
        changed(type="cairn-trust-anchor/2"),
        changed(network=...),
        changed(network="Test"),
        changed(network="test-2"),  # the roots are of test-1
        changed(network=""),
        changed(network="n" * 33),
        changed(heads=...),
        changed(heads=[]),
        changed(more=1),
        changed(roots=...),
        changed(roots=[]),
        changed(roots=[ROOT_DID, ROOT_DID]),
        changed(roots=["did:example:123"]),
        changed(roots=[ROOT_DID + "#key"]),
        changed(roots=[7]),
        changed(roots=ROOT_DID),
        changed(roots=[ROOT_DID] * (MAX_ROOTS + 1)),
        heads(keys=[]),
        heads(keys=[SIGNER.verifier.text, SIGNER.verifier.text]),
        heads(keys=[SIGNER.verifier.text, TestSigner("alias.example", 1).verifier.text]),
        heads(keys=[SIGNER.verifier.text, "alias+00000000+AAAA"]),
        heads(keys=[SIGNER.verifier.text, None]),
        heads(keys=[SIGNER.verifier.text] * (MAX_HEAD_KEYS + 1)),
        heads(threshold=0),
        heads(threshold=3),
        heads(threshold=-1),
        heads(threshold=True),
        heads(threshold=1.0),
        heads(threshold=None),
        heads(more=1),
    ],
)
def test_anything_else_is_malformed(value: Any):
    with pytest.raises(Malformed):
        parse_trust_anchor(value)


def test_no_code_makes_an_anchor_that_trusts_nobody():
    for members in (
        {"head_keys": ()},
        {"threshold": 0},
        {"threshold": 3},
        {"roots": ()},
        {"head_keys": (SIGNER.verifier, SIGNER.verifier)},
        {"network": "other"},
    ):
        with pytest.raises(Malformed):
            replace(ANCHOR, **members)

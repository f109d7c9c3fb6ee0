"""The light blocks that the browser is held to are those that these rules say yes and no to."""

import json

import pytest

from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.checkpoint import verify_head
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import JsonObject, base64url_decode
from registry.core.keys import KeyType, SignatureNotValid, public_key, verify_signature
from registry.core.light_client.light_block import NANOSECONDS
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.verification import NotEnoughTrust
from registry.core.receipt import parse_receipt, verify_receipt
from registry.core.refusals import Refusal
from tests.registry.core.light_client.make_browser_vectors import FILE, REASONS, build

VECTORS = json.loads(FILE.read_text(encoding="utf-8"))


def anchor_of(name: str) -> ConsortiumAnchor:
    anchor = parse_trust_anchor(VECTORS[name])
    assert isinstance(anchor, ConsortiumAnchor)
    return anchor


def test_the_file_is_what_the_maker_makes():
    assert build() == VECTORS
    assert len(VECTORS["cases"]) == 19


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["why"].replace(" ", "-"))
def test_each_light_block_has_the_verdict_that_stands_beside_it(case: JsonObject):
    block = parse_light_block(base64url_decode(case["block"]))
    said = None
    try:
        anchor_of("anchor").verify(block, now=VECTORS["now"] * NANOSECONDS)
    except Refusal as refusal:
        said = REASONS[type(refusal)]

    assert said == case["reason"]


def test_the_receipt_and_the_heads_are_believed_where_they_are_to_be():
    now, anchor = VECTORS["now"], anchor_of("anchor")
    receipt = parse_receipt(VECTORS["receipt"]["receipt"])
    digest = base64url_decode(VECTORS["receipt"]["digest"])

    assert verify_receipt(receipt, digest=digest, anchor=anchor, now=now).head.tree_size == 13
    with pytest.raises(NotEnoughTrust):
        verify_head(VECTORS["head_of_others"], anchor, now=now)
    followed = anchor_of("followed_anchor")
    assert verify_head(VECTORS["head_of_others"], followed, now=now).height == 12


def test_a_signature_whose_r_has_a_part_of_low_order_is_refused():
    case = VECTORS["low_order_part"]
    key = public_key(KeyType.ED25519, bytes.fromhex(case["key"]))

    with pytest.raises(SignatureNotValid):
        verify_signature(
            key, message=bytes.fromhex(case["message"]), signature=bytes.fromhex(case["signature"])
        )

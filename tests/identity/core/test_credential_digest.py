"""The anchored digest: everything in the content counts, what secures it does not."""

import copy
import json

import pytest

from identity.core.credential_digest import (
    AnchorClaim,
    AnchorClaimMalformed,
    anchor_claim,
    credential_digest,
)
from registry.core.encoding import base64url_encode
from registry.core.hashing import sha256
from registry.core.refusals import Malformed

SALT = bytes(range(32))
ANCHOR = {
    "salt": base64url_encode(SALT),
    "batch": base64url_encode(bytes(16)),
    "network": "test-1",
}
CONTENT = {"id": "urn:x:y", "credentialSubject": {"name": "梅"}, "anchor": ANCHOR}


def test_the_layout_is_a_fact():
    # An independent computation of the labelled hash over salt and canonical JSON.
    parts = [b"cairn/credential/v1", SALT, b'{"a":[1,"x"],"b":{"c":null}}']
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    assert credential_digest({"b": {"c": None}, "a": [1, "x"]}, SALT) == sha256(framed)


def test_the_proof_does_not_count_and_the_order_of_members_neither():
    digest = credential_digest(CONTENT, SALT)
    reordered = json.loads(json.dumps(dict(reversed(CONTENT.items()))))

    assert credential_digest({**CONTENT, "proof": {"proofValue": "z"}}, SALT) == digest
    assert credential_digest(reordered, SALT) == digest
    assert len(digest) == 32


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(id="urn:x:z"),
        lambda c: c["credentialSubject"].update(name="Mei"),
        lambda c: c["credentialSubject"].update(proof="inner members count"),
        lambda c: c["anchor"].update(batch=base64url_encode(b"\1" * 16)),
        lambda c: c.pop("anchor"),
        lambda c: c.update(extra=None),
    ],
)
def test_anything_in_the_content_counts(change):
    content = copy.deepcopy(CONTENT)
    change(content)

    assert credential_digest(content, SALT) != credential_digest(CONTENT, SALT)


def test_the_salt_counts_and_has_one_length():
    assert credential_digest(CONTENT, bytes(32)) != credential_digest(CONTENT, SALT)
    for size in (0, 16, 31, 33):
        with pytest.raises(Malformed):
            credential_digest(CONTENT, bytes(size))


def test_content_that_is_no_canonical_json_has_no_digest():
    with pytest.raises(Malformed):
        credential_digest({"number": 1 << 60}, SALT)


@pytest.mark.parametrize("vcdm", [True, False])
def test_the_claim_there_and_back(vcdm):
    claim = AnchorClaim(salt=SALT, batch=ANCHOR["batch"], network="test-1")
    written = claim.to_json(vcdm=vcdm)

    assert anchor_claim({"anchor": written}) == claim
    assert ("type" in written) == vcdm


@pytest.mark.parametrize(
    "anchor",
    [
        None,
        "x",
        [],
        {},
        {**ANCHOR, "more": 1},
        {**ANCHOR, "type": "Other"},
        {**ANCHOR, "type": None},
        {**ANCHOR, "network": ""},
        {**ANCHOR, "network": "n" * 33},
        {**ANCHOR, "network": None},
        {**ANCHOR, "salt": base64url_encode(bytes(31))},
        {**ANCHOR, "salt": ANCHOR["salt"] + "="},
        {**ANCHOR, "salt": None},
        {**ANCHOR, "batch": base64url_encode(bytes(17))},
        {**ANCHOR, "batch": 5},
        {name: value for name, value in ANCHOR.items() if name != "batch"},
    ],
)
def test_claims_that_cannot_be_ours_are_refused(anchor):
    with pytest.raises(AnchorClaimMalformed):
        anchor_claim({"anchor": anchor})


def test_a_credential_without_anchor_is_refused():
    with pytest.raises(AnchorClaimMalformed):
        anchor_claim({"id": "urn:x:y"})

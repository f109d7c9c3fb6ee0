"""docs/light-client.md is enough for a stranger: its example verifies without our code."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.checkpoint import verify_head
from registry.core.refusals import Refusal

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "light-client.md").read_text("utf-8")
(ANCHOR,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
(HEAD,) = re.findall(r"```\n(cairn/example\n.*?)```", PAGE, re.DOTALL)
VALUES = dict(re.findall(r"\| ([a-z ]+) \| `([0-9a-f]+)` \|", PAGE))


# A stranger's quick code may fail in any way; it must not say yes.
WAYS_TO_FAIL = (
    AssertionError,
    IndexError,
    InvalidSignature,
    KeyError,
    TypeError,
    ValueError,
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def fields(data: bytes) -> list[tuple[int, Any]]:
    """The fields of a protobuf message, as its own documentation says."""
    found, at = [], 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = data[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = number()
        value = number()
        if tag & 7 == 2:
            found.append((tag >> 3, data[at : at + value]))
            at += value
        else:
            found.append((tag >> 3, value))
    return found


def one(data: bytes, field: int) -> Any:
    return dict(fields(data)).get(field, b"")


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def put(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:]))


def header_root(header: bytes) -> bytes:
    got = dict(fields(header))
    leaves = [got[1], put(1, got[2]), b"\x08" + varint(got[3]), got[4], got[5]]
    leaves += [put(1, got[number]) if got.get(number) else b"" for number in range(6, 15)]
    return root(leaves)


def stranger_believes(note: str, anchor: dict[str, Any]) -> None:
    """Sections 1 to 3 for one validator; raises where a step fails."""
    text, _, lines = note.partition("\n\n")
    text += "\n"
    name = f"cairn/{anchor['network']}/validators"
    (line,) = [item for item in lines.splitlines() if item.split(" ")[1] == name]
    data = base64.b64decode(line.split(" ")[2], validate=True)
    assert data[:4] == sha256(name.encode() + b"\n\xffcairn/light-block/v1")[:4]
    signed, validators = one(data[4:], 1), one(data[4:], 2)
    header, commit = one(signed, 1), one(signed, 2)
    parts = (b"cairn/app-hash/v1", text.encode())
    assert one(header, 11) == sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts))
    assert one(commit, 1) == one(header, 3)
    assert one(one(commit, 3), 1) == header_root(header)
    validator = one(validators, 1)
    key = one(one(validator, 2), 1)
    simple = put(1, put(1, key)) + b"\x10" + varint(one(validator, 3))
    assert root([simple]) == one(header, 8)
    trusted = anchor["trusted"][-1]
    assert trusted["height"] < one(header, 3)
    assert one(header, 8) == base64.urlsafe_b64decode(trusted["next_validators_hash"] + "=")
    vote = one(commit, 4)
    assert one(vote, 1) == 2
    assert one(vote, 2) == sha256(key)[:20]
    message = (
        b"\x08\x02"
        + b"\x11"
        + one(commit, 1).to_bytes(8, "little")
        + put(4, one(commit, 3))
        + put(5, one(vote, 3))
        + put(6, anchor["chain"]["id"].encode())
    )
    message = varint(len(message)) + message
    Ed25519PublicKey.from_public_bytes(key).verify(one(vote, 4), message)
    assert VALUES["what the validator signed"] == message.hex()
    assert VALUES["header hash"] == header_root(header).hex()
    assert VALUES["validators hash"] == root([simple]).hex()
    assert VALUES["app hash"] == one(header, 11).hex()
    assert VALUES["key id"] == data[:4].hex()


def test_a_stranger_who_has_read_the_page_believes_its_head():
    stranger_believes(HEAD, ANCHOR)


def test_we_believe_the_head_of_the_page_under_its_anchor():
    anchor = parse_trust_anchor(ANCHOR)

    assert trust_anchor_json(anchor) == ANCHOR
    assert verify_head(HEAD, anchor, now=ANCHOR["trusted"][0]["time"] + 60).height == 2


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_neither_believes_a_changed_one(place: int):
    changed = HEAD[:place] + ("A" if HEAD[place] != "A" else "B") + HEAD[place + 1 :]
    now = ANCHOR["trusted"][0]["time"] + 60

    with pytest.raises(Refusal):
        verify_head(changed, parse_trust_anchor(ANCHOR), now=now)
    with pytest.raises(WAYS_TO_FAIL):
        stranger_believes(changed, ANCHOR)

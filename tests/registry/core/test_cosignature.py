"""Co-signatures: the published form, and a quorum that nobody fills but distinct keys."""

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core import checkpoint
from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.checkpoint import sign_head, verify_head, verify_unwitnessed_head
from registry.core.cosignature import (
    MAX_WITNESSES,
    HeadNotWitnessed,
    Witnesses,
    WitnessKey,
    add_cosignatures,
    cosign,
    parse_witness_key,
    verify_cosignatures,
    witness_key,
)
from registry.core.encoding import parse_json
from registry.core.refusals import Malformed
from registry.core.signed_note import NoteNotSigned, parse_note, sign_note
from registry.core.trust_anchor import TrustAnchor
from tests.registry.core.heads import SECOND, SIGNER, THIRD, TestSigner, anchor_of, head_of

BROWSER = Path(__file__).parents[3] / "wallet_app/tests/vectors/witnesses.json"
HEAD = head_of()
NOW = 1_790_000_100
W1 = TestSigner("witness.example/w1", 11)
W2 = TestSigner("witness.example/w2", 12)
W3 = TestSigner("court.example/witness", 13)


def key_of(signer: TestSigner) -> WitnessKey:
    return witness_key(signer.name, signer.key)


def quorum(*signers: TestSigner, threshold: int) -> TrustAnchor:
    witnesses = Witnesses(tuple(key_of(signer) for signer in signers), threshold)
    return replace(anchor_of(SIGNER), witnesses=witnesses)


def cosigned(*signers: TestSigner, time: int = NOW) -> str:
    lines = [cosign(HEAD.text, signer, time=time) for signer in signers]
    return add_cosignatures(sign_head(HEAD, [SIGNER]), lines)


def test_the_line_has_the_published_form() -> None:
    """Made again here from the words of the specification, without our code."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([11]) * 32)
    public = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + public).digest()[:4]
    message = f"cosignature/v1\ntime {NOW}\n{HEAD.text}".encode()
    signed = key_id + NOW.to_bytes(8, "big") + private.sign(message)

    line = cosign(HEAD.text, W1, time=NOW)

    assert line == f"— witness.example/w1 {base64.b64encode(signed).decode()}\n"
    assert len(signed) == 4 + 8 + 64
    encoded = base64.b64encode(b"\x04" + public).decode()
    assert key_of(W1).text == f"witness.example/w1+{key_id.hex()}+{encoded}"


def test_a_published_checkpoint_with_a_cosignature_is_read() -> None:
    note = parse_note(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
        "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
        "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )

    line = note.signatures[1]
    assert (line.name, len(line.signature)) == ("witness.example.com/w1", 72)
    assert int.from_bytes(line.signature[:8], "big") == 1679315147  # its example message


def test_a_witness_key_there_and_back() -> None:
    assert parse_witness_key(key_of(W1).text) == key_of(W1)
    assert key_of(W1).id != W1.verifier.id  # the same key under type 0x01


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "w",
        W1.verifier.text,  # a key that signs heads is another type
        key_of(W1).text.replace("w1", "w2"),
        key_of(W1).text[:-1],
        key_of(W1).text + "=",
        "w" * 400 + key_of(W1).text,
        "a b" + key_of(W1).text,
    ],
)
def test_other_witness_keys_are_malformed(text: object) -> None:
    with pytest.raises(Malformed):
        parse_witness_key(text)


def test_a_quorum_of_distinct_witnesses_is_enough() -> None:
    assert verify_head(cosigned(W1, W2), quorum(W1, W2, W3, threshold=2), now=NOW) == HEAD
    assert verify_head(cosigned(W1, W2, W3), quorum(W1, W2, W3, threshold=3), now=NOW) == HEAD
    found = verify_cosignatures(parse_note(cosigned(W2, W1)), Witnesses((key_of(W1),), 1))
    assert [(item.key, item.time) for item in found] == [(key_of(W1), NOW)]


def test_the_newest_of_several_times_is_told() -> None:
    note = add_cosignatures(cosigned(W1), [cosign(HEAD.text, W1, time=NOW + 9)])

    (found,) = verify_cosignatures(parse_note(note), Witnesses((key_of(W1),), 1))

    assert found.time == NOW + 9


@pytest.mark.parametrize(
    "note",
    [
        sign_head(HEAD, [SIGNER]),
        cosigned(W1),
        cosigned(W1, W1),
        add_cosignatures(cosigned(W1), [cosign(HEAD.text, W1, time=NOW + 1)]),
        cosigned(W1, THIRD),  # not named
        sign_head(HEAD, [SIGNER, W1, W2]),  # signatures are no co-signatures
    ],
)
def test_a_quorum_is_counted_by_distinct_key(note: str) -> None:
    anchor = quorum(W1, W2, W3, threshold=2)
    with pytest.raises(HeadNotWitnessed):
        verify_head(note, anchor, now=NOW)

    assert verify_unwitnessed_head(note, anchor, now=NOW) == HEAD
    assert verify_head(cosigned(W1, W3), anchor, now=NOW) == HEAD


def test_one_key_under_two_names_is_refused() -> None:
    twin = TestSigner("other.example/w1", W1.seed)
    with pytest.raises(Malformed):
        quorum(W1, twin, threshold=2)


def test_cosignatures_do_not_stand_for_the_logs_own_signature() -> None:
    note = sign_note(HEAD.text, [SECOND])
    lines = [cosign(HEAD.text, signer, time=NOW) for signer in (W1, W2)]

    with pytest.raises(NoteNotSigned):
        verify_head(add_cosignatures(note, lines), quorum(W1, W2, threshold=2), now=NOW)


def test_a_false_line_of_a_witness_spoils_the_head() -> None:
    other = cosign(head_of(height=8).text, W1, time=NOW)
    note = add_cosignatures(cosigned(W1, W2), [other])

    with pytest.raises(HeadNotWitnessed):
        verify_head(note, quorum(W1, W2, threshold=1), now=NOW)


@pytest.mark.parametrize("bit", range(8 * 72))
def test_every_bit_of_a_cosignature_counts(bit: int) -> None:
    anchor = quorum(W1, threshold=1)
    key = key_of(W1)
    line = parse_note(cosigned(W1)).signatures[1]
    flipped = bytearray(line.signature)
    flipped[bit >> 3] ^= 1 << (bit & 7)
    encoded = base64.b64encode(key.id + bytes(flipped)).decode()

    with pytest.raises(HeadNotWitnessed):
        verify_head(
            add_cosignatures(sign_head(HEAD, [SIGNER]), [f"— {key.name} {encoded}\n"]),
            anchor,
            now=NOW,
        )


@pytest.mark.parametrize("cut", [1, 8, 71])
def test_another_length_is_no_cosignature(cut: int) -> None:
    key = key_of(W1)
    line = parse_note(cosigned(W1)).signatures[1]
    encoded = base64.b64encode(key.id + line.signature[:-cut]).decode()
    note = add_cosignatures(sign_head(HEAD, [SIGNER]), [f"— {key.name} {encoded}\n"])

    with pytest.raises(HeadNotWitnessed):
        verify_head(note, quorum(W1, threshold=1), now=NOW)


@pytest.mark.parametrize("time", [0, -1, 2**53, 1.5])
def test_a_time_out_of_range_is_not_signed(time: int) -> None:
    with pytest.raises(Malformed):
        cosign(HEAD.text, W1, time=time)


@pytest.mark.parametrize("line", ["no line\n", "— w \n", "", "\n— a AAAAAAAA\n"])
def test_what_is_no_line_is_not_put_under_a_head(line: str) -> None:
    with pytest.raises(Malformed):
        add_cosignatures(sign_head(HEAD, [SIGNER]), [line])


# --- the trust anchor


def test_an_anchor_with_witnesses_there_and_back() -> None:
    anchor = quorum(W1, W2, threshold=2)

    value = trust_anchor_json(anchor)

    assert value["witnesses"] == {"keys": [key_of(W1).text, key_of(W2).text], "threshold": 2}
    assert parse_trust_anchor(value) == anchor
    del value["witnesses"]
    assert parse_trust_anchor(value) == anchor_of(SIGNER)
    assert "witnesses" not in trust_anchor_json(anchor_of(SIGNER))


@pytest.mark.parametrize(
    "section",
    [
        None,
        [],
        {},
        {"keys": [], "threshold": 1},
        {"keys": [key_of(W1).text]},
        {"keys": [key_of(W1).text], "threshold": 0},
        {"keys": [key_of(W1).text], "threshold": 2},
        {"keys": [key_of(W1).text], "threshold": True},
        {"keys": [key_of(W1).text, key_of(W1).text], "threshold": 1},
        {"keys": [W1.verifier.text], "threshold": 1},
        {"keys": [key_of(SIGNER).text], "threshold": 1},  # it signs the heads itself
        {"keys": [key_of(W1).text], "threshold": 1, "more": 1},
        {"keys": [key_of(W1).text] * (MAX_WITNESSES + 1), "threshold": 1},
    ],
)
def test_other_witness_sections_are_malformed(section: object) -> None:
    with pytest.raises(Malformed):
        parse_trust_anchor(trust_anchor_json(anchor_of(SIGNER)) | {"witnesses": section})


def test_it_is_the_anchor_that_makes_witnesses_count(monkeypatch: pytest.MonkeyPatch) -> None:
    note = sign_head(HEAD, [SIGNER])
    assert verify_head(note, anchor_of(SIGNER), now=NOW) == HEAD

    monkeypatch.setattr(checkpoint, "verify_cosignatures", lambda *_: ())

    assert verify_head(note, quorum(W1, threshold=1), now=NOW) == HEAD  # switched off, it is missed


def test_the_browser_is_held_to_the_same_values() -> None:
    later = cosign(HEAD.text, W1, time=NOW + 1)
    of_another = cosign(head_of(height=8).text, W3, time=NOW)
    values = {
        "anchor": trust_anchor_json(quorum(W1, W2, W3, threshold=2)),
        "good": cosigned(W1, W3),
        "one": cosigned(W1),
        "twice": add_cosignatures(cosigned(W1), [later]),
        "signed": sign_head(HEAD, [SIGNER, W1, W2]),
        "false": add_cosignatures(cosigned(W1, W2), [of_another]),
        "bare": sign_head(HEAD, [SIGNER]),
    }

    assert parse_json(BROWSER.read_bytes()) == values

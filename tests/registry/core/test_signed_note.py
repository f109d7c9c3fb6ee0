"""Signed notes: published examples, and the counting of distinct keys."""

import pytest

from registry.core.keys import SignatureNotValid, parse_multikey, verify_signature
from registry.core.refusals import Malformed
from registry.core.signed_note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteNotSigned,
    VerifierKey,
    parse_note,
    parse_verifier_key,
    sign_note,
    verifier_key,
    verify_note,
)
from tests.registry.core.heads import SECOND, SIGNER, THIRD, TestSigner

# The example of the Go package golang.org/x/mod/sumdb/note (example_test.go), where the format
# comes from: a verifier key, and a note that it has signed.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
)
# The example of C2SP signed-note: its text has an empty line of its own, and a letter beyond ASCII.
C2SP_NOTE = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU"
    "0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
TEXT = "one\ntwo\n"
NOTE = sign_note(TEXT, [SIGNER, SECOND])
KEYS = [SIGNER.verifier, SECOND.verifier, THIRD.verifier]


def test_the_published_note_verifies_under_the_published_key():
    key = parse_verifier_key(GO_KEY)

    assert key.id.hex() == "c74f20a3"
    assert key.text == GO_KEY
    assert verify_note(parse_note(GO_NOTE), keys=[key], threshold=1) == (key,)
    with pytest.raises(NoteNotSigned):
        verify_note(parse_note(GO_NOTE.replace("think", "thank")), keys=[key], threshold=1)


def test_the_published_example_parses_at_its_last_empty_line():
    note = parse_note(C2SP_NOTE)

    assert note.text == C2SP_NOTE.rpartition("\n\n")[0] + "\n"
    assert note.text.endswith("\n\ned è subito sera.\n")
    (line,) = note.signatures
    assert (line.name, line.key_id.hex()) == ("quasimodo.example/salvatore", "367ba04b")
    assert len(line.signature) == 64
    assert parse_note(C2SP_NOTE.encode()) == note


def test_a_note_is_signed_and_read_back():
    note = parse_note(NOTE)

    assert note.text == TEXT
    assert [line.name for line in note.signatures] == [SIGNER.name, SECOND.name]
    verify_signature(SIGNER.key, message=b"one\ntwo\n", signature=note.signatures[0].signature)
    assert verify_note(note, keys=KEYS, threshold=2) == (SIGNER.verifier, SECOND.verifier)


def test_too_few_keys_are_not_enough():
    with pytest.raises(NoteNotSigned, match="fewer than 3"):
        verify_note(parse_note(NOTE), keys=KEYS, threshold=3)
    with pytest.raises(NoteNotSigned, match="fewer than 1"):
        verify_note(parse_note(NOTE), keys=[THIRD.verifier], threshold=1)


def test_a_key_that_signs_twice_counts_once():
    line = NOTE.split("\n\n")[1].splitlines()[0] + "\n"
    twice = f"{TEXT}\n{line}{line}"

    assert verify_note(parse_note(twice), keys=KEYS, threshold=1) == (SIGNER.verifier,)
    with pytest.raises(NoteNotSigned):
        verify_note(parse_note(twice), keys=KEYS, threshold=2)


def test_one_key_under_two_names_counts_once():
    alias = TestSigner("alias.example", SIGNER.seed)
    keys = [SIGNER.verifier, alias.verifier, SECOND.verifier]
    note = parse_note(sign_note(TEXT, [SIGNER, alias]))

    verify_note(note, keys=keys, threshold=1)
    with pytest.raises(NoteNotSigned, match="fewer than 2"):
        verify_note(note, keys=keys, threshold=2)


@pytest.mark.parametrize("threshold", [0, -1, 4])
def test_a_threshold_that_checks_nothing_is_refused(threshold: int):
    with pytest.raises(NoteNotSigned, match="no set"):
        verify_note(parse_note(NOTE), keys=KEYS, threshold=threshold)
    with pytest.raises(NoteNotSigned, match="no set"):
        verify_note(parse_note(NOTE), keys=[], threshold=threshold)


def test_a_false_signature_of_a_known_key_spoils_the_note():
    signed = sign_note(TEXT, [SIGNER])
    of_this_text = NOTE.splitlines()[-1] + "\n"
    of_another_text = sign_note("three\n", [SECOND]).splitlines()[-1] + "\n"

    verify_note(parse_note(signed + of_this_text), keys=KEYS, threshold=2)
    with pytest.raises(NoteNotSigned, match="does not verify"):
        verify_note(parse_note(signed + of_another_text), keys=KEYS, threshold=1)


def test_lines_of_unknown_keys_are_ignored():
    stranger = sign_note("three\n", [THIRD]).split("\n\n")[1]  # would not verify, if it counted
    note = parse_note(sign_note(TEXT, [SIGNER]) + stranger)

    assert verify_note(note, keys=KEYS[:2], threshold=1) == (SIGNER.verifier,)


def test_a_known_name_with_another_key_is_unknown():
    impostor = TestSigner(SIGNER.name, 9)
    note = parse_note(sign_note(TEXT, [impostor]))

    with pytest.raises(NoteNotSigned, match="fewer"):
        verify_note(note, keys=KEYS, threshold=1)


def test_every_flipped_bit_of_a_note_is_refused():
    single = sign_note(TEXT, [SIGNER]).encode()
    verify_note(parse_note(single), keys=KEYS, threshold=1)
    for position in range(8 * len(single)):
        forged = bytearray(single)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises((Malformed, NoteNotSigned)):
            verify_note(parse_note(bytes(forged)), keys=KEYS, threshold=1)


LINE = NOTE.split("\n\n")[1].splitlines()[0]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        f"{TEXT}{LINE}\n",  # no empty line
        f"{TEXT}\n{LINE}",  # no newline at the end
        f"{TEXT}\n{LINE}\n\n",
        f"{TEXT}\n{LINE}\nmore\n",
        f"{TEXT}\n{LINE} \n",
        f"{TEXT}\n{LINE[2:]}\n",
        f"{TEXT}\n-{LINE[1:]}\n",
        f"{TEXT}\n{LINE[:-1]}\n",
        f"{TEXT}\n— name\n",
        f"{TEXT}\n— name AAAA\n",
        f"{TEXT}\n— name AAAAAA==\n",  # a key id and no signature
        f"{TEXT}\n— name AAAAAAB=\n",
        f"{TEXT}\n— na+me AAAAAAA=\n",
        f"{TEXT}\n— na\u00a0me AAAAAAA=\n",
        f"{TEXT}\n—  AAAAAAA=\n",
        f"{TEXT}\n— {'n' * 256} AAAAAAA=\n",
        f"{TEXT}\r\n\n{LINE}\n",
        f"\t{TEXT}\n{LINE}\n",
        f"\0{TEXT}\n{LINE}\n",
        f"\ud800{TEXT}\n{LINE}\n",
        f"{TEXT}\n" + f"{LINE}\n" * (MAX_SIGNATURES + 1),
        "x" * MAX_NOTE_BYTES + NOTE,
        b"\xff" + NOTE.encode(),
    ],
)
def test_what_is_no_note_is_malformed(note: str | bytes):
    with pytest.raises(Malformed):
        parse_note(note)


def test_as_many_signatures_as_the_specification_demands_are_read():
    signers = [TestSigner(f"member-{number}.example", number) for number in range(1, 17)]
    note = parse_note(sign_note(TEXT, signers))

    assert len(verify_note(note, keys=[s.verifier for s in signers], threshold=16)) == 16


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("Peter", "peter"),
        GO_KEY + "+",
        GO_KEY[:-4],
        "+" + GO_KEY.partition("+")[2],
        "x+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  # low order
        "n" * 400,
    ],
)
def test_what_is_no_verifier_key_is_malformed(text: object):
    with pytest.raises(Malformed):
        parse_verifier_key(text)


def test_a_witness_key_is_no_head_key():
    with pytest.raises(Malformed, match="not of type Ed25519"):
        parse_verifier_key(GO_KEY.replace("+ARpc", "+BBpc"))  # type 4, C2SP tlog-cosignature


def test_only_ed25519_keys_sign_notes():
    # The first P-256 vector of did:key (w3c-ccg/did-method-key, test-vectors/nist-curves.json).
    key = parse_multikey("zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv")

    with pytest.raises(Malformed, match="Ed25519"):
        verifier_key("name", key)


def test_a_signer_whose_signature_is_not_its_own_signs_nothing():
    class WrongKey(TestSigner):
        def sign(self, message: bytes) -> bytes:
            return SECOND.sign(message)

    with pytest.raises(SignatureNotValid):
        sign_note(TEXT, [WrongKey(SIGNER.name, SIGNER.seed)])


def test_what_cannot_be_read_back_is_not_signed():
    for text in ("", "no newline", "tab\t\n", "\ud800\n"):
        with pytest.raises(Malformed):
            sign_note(text, [SIGNER])
    with pytest.raises(Malformed):
        sign_note(TEXT, [])
    with pytest.raises(Malformed):
        sign_note(TEXT, [TestSigner("two words", 1)])


def test_a_round_trip_of_verifier_keys():
    for key in KEYS:
        assert parse_verifier_key(key.text) == key
        assert isinstance(key, VerifierKey)

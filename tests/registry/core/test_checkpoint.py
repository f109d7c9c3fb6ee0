"""Heads: the exact text, the keys that must have signed it, and what may follow what."""

from dataclasses import replace

import pytest

from registry.core.checkpoint import (
    Head,
    HeadForked,
    HeadNotTrusted,
    HeadWentBack,
    parse_head,
    sign_head,
    verify_head,
    verify_head_follows,
)
from registry.core.refusals import Malformed
from registry.core.signed_note import NoteNotSigned, sign_note
from tests.registry.core.heads import NOW, SECOND, SIGNER, THIRD, anchor_of, head_of

HEAD = head_of()
SIGNED = sign_head(HEAD, [SIGNER])
ANCHOR = anchor_of(SIGNER)


def test_the_text_of_a_head():
    assert HEAD.text == (
        "cairn/test-1\n"
        "12\n"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "height 7\n"
        "time 1790000000\n"
        "state ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
    )
    assert SIGNED.startswith(HEAD.text + "\n— cairn/test-1 ")


def test_a_signed_head_is_read_back():
    assert verify_head(SIGNED, ANCHOR, now=NOW) == HEAD
    assert verify_head(SIGNED.encode(), ANCHOR, now=NOW) == HEAD
    assert parse_head(SIGNED).claimed == HEAD


def test_enough_distinct_keys_must_have_signed():
    anchor = anchor_of(SIGNER, SECOND, THIRD, threshold=2)

    assert verify_head(sign_head(HEAD, [SECOND, THIRD]), anchor, now=NOW) == HEAD
    for signers in ([SIGNER], [SIGNER, SIGNER]):
        with pytest.raises(NoteNotSigned):
            verify_head(sign_head(HEAD, signers), anchor, now=NOW)
    with pytest.raises(NoteNotSigned):
        verify_head(sign_head(HEAD, [SECOND]), ANCHOR, now=NOW)


def test_a_head_of_another_network_is_not_trusted():
    # The same key signs for both networks; the origin line tells them apart.
    other = sign_head(head_of(network="test-2"), [SIGNER])

    with pytest.raises(HeadNotTrusted):
        verify_head(other, ANCHOR, now=NOW)
    verify_head(other, anchor_of(SIGNER, network="test-2"), now=NOW)


def test_every_flipped_bit_of_a_head_is_refused():
    data = SIGNED.encode()
    for position in range(8 * len(data)):
        forged = bytearray(data)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises((Malformed, NoteNotSigned, HeadNotTrusted)):
            verify_head(bytes(forged), ANCHOR, now=NOW)
    assert verify_head(data, ANCHOR, now=NOW) == HEAD


def test_a_checkpoint_of_another_log_is_no_head():
    # C2SP tlog-checkpoint, example: valid there, and it lacks what ours must have.
    example = (
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        "\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )

    with pytest.raises(Malformed):
        parse_head(example)


LINES = HEAD.text.splitlines()


def with_line(number: int, line: str) -> str:
    return "\n".join([*LINES[:number], line, *LINES[number + 1 :]]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        "cairn/test-1\n",
        "\n".join(LINES[:5]) + "\n",
        HEAD.text + "\n",
        HEAD.text + "more\n",
        "\n" + HEAD.text,
        "\n".join([*LINES[:3], LINES[4], LINES[3], LINES[5]]) + "\n",
        with_line(0, "cairn/"),
        with_line(0, "cairn/Test"),
        with_line(0, "test-1"),
        with_line(0, "cairn/test-1 "),
        with_line(0, "cairn/test-1/x"),
        with_line(1, ""),
        with_line(1, "0"),
        with_line(1, "012"),
        with_line(1, "+12"),
        with_line(1, "-12"),
        with_line(1, "12 "),
        with_line(1, "1e1"),
        with_line(1, "1_2"),
        with_line(1, "１２"),
        with_line(1, str(2**53)),
        with_line(1, "9" * 5000),
        with_line(2, LINES[2][:-1]),
        with_line(2, LINES[2].replace("8=", "9=")),
        with_line(2, "AAAA"),
        with_line(2, ""),
        with_line(3, "height"),
        with_line(3, "height  7"),
        with_line(3, "height 07"),
        with_line(3, "Height 7"),
        with_line(3, f"height {2**53}"),
        with_line(4, "time 1790000000.0"),
        with_line(4, "time -1"),
        with_line(5, "state AAAA"),
        with_line(5, LINES[5][6:]),
    ],
)
def test_another_text_is_malformed_however_well_it_is_signed(text: str):
    with pytest.raises(Malformed):
        verify_head(sign_note(text, [SIGNER]), ANCHOR, now=NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"network": "Test"},
        {"tree_size": 0},
        {"tree_size": 2**53},
        {"height": -1},
        {"time": -1},
        {"time": True},
        {"time": 1.5},
        {"log_root": bytes(31)},
        {"state_root": bytes(33)},
    ],
)
def test_no_code_makes_such_a_head(members: dict[str, object]):
    with pytest.raises(Malformed):
        head_of(**members)


def grown(**members: object) -> Head:
    later = {"height": 8, "time": 1_790_000_001, "tree_size": 13, "log_root": bytes(32)}
    return replace(HEAD, **later | members)


def test_heads_may_stay_or_grow():
    verify_head_follows(HEAD, HEAD)
    verify_head_follows(HEAD, grown())
    verify_head_follows(HEAD, grown(state_root=bytes(32)))
    verify_head_follows(HEAD, grown(time=HEAD.time))
    verify_head_follows(HEAD, replace(HEAD, height=9))  # an empty block


def test_an_older_head_went_back():
    with pytest.raises(HeadWentBack):
        verify_head_follows(grown(), HEAD)


@pytest.mark.parametrize(
    "newer",
    [
        grown(network="test-2"),
        replace(HEAD, state_root=bytes(32)),
        replace(HEAD, log_root=bytes(32)),
        replace(HEAD, time=HEAD.time + 1),
        replace(HEAD, tree_size=13),
        grown(tree_size=11),
        grown(time=HEAD.time - 1),
        grown(tree_size=12),
        grown(tree_size=12, log_root=HEAD.log_root, state_root=bytes(32)),
    ],
)
def test_heads_that_contradict_each_other_are_a_fork(newer: Head):
    with pytest.raises(HeadForked):
        verify_head_follows(HEAD, newer)

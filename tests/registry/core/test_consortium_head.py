"""Heads of a consortium: one checkpoint, bound by an app hash, signed by the validators."""

from dataclasses import replace

import pytest

from registry.core.checkpoint import HeadNotTrusted, parse_head
from registry.core.consortium_head import app_hash, read_evidence, write_consortium_head
from registry.core.hashing import sha256
from registry.core.light_client.commit import HeaderNotCommitted, TooFewSigned
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import LightBlock, VoteKind
from registry.core.refusals import Malformed
from tests.registry.core.heads import head_of
from tests.registry.core.light_client.chain import Step, block_of, members

FOUR = members(1, 2, 3, 4)
HEAD = head_of()
STEP = Step(12, FOUR, FOUR, app_hash=app_hash(HEAD))


def test_an_app_hash_is_a_labelled_hash_over_the_six_lines():
    label, text = b"cairn/app-hash/v1", HEAD.text.encode()

    expected = sha256(len(label).to_bytes(8, "big") + label + len(text).to_bytes(8, "big") + text)

    assert app_hash(HEAD) == expected
    assert app_hash(head_of(height=8)) != expected


def test_a_head_comes_back_with_its_light_block():
    block = block_of(STEP, signers=(1, 2, 3))

    note = write_consortium_head(HEAD, light_block_bytes(block))

    assert parse_head(note).claimed == HEAD
    assert read_evidence(parse_head(note)) == block


def test_a_node_shows_no_head_under_a_light_block_of_another_state():
    block = block_of(STEP, signers=(1, 2, 3, 4))

    with pytest.raises(HeadNotTrusted):
        write_consortium_head(head_of(height=8), light_block_bytes(block))


def test_a_node_shows_no_head_that_too_few_have_signed():
    with pytest.raises(TooFewSigned):
        write_consortium_head(HEAD, light_block_bytes(block_of(STEP, signers=(1, 2))))


def test_votes_for_nil_and_false_votes_are_left_out_when_the_others_suffice():
    block = block_of(STEP, signers=(1, 2, 3), nil=(4,))
    note = write_consortium_head(HEAD, light_block_bytes(block))
    assert sum(v.kind is VoteKind.COMMIT for v in read_evidence(parse_head(note)).commit.votes) == 3

    whole = block_of(STEP, signers=(1, 2, 3, 4))
    votes = list(whole.commit.votes)
    votes[0] = replace(votes[0], signature=bytes(64))
    spoilt = LightBlock(whole.header, replace(whole.commit, votes=tuple(votes)), FOUR)
    note = write_consortium_head(HEAD, light_block_bytes(spoilt))
    assert sum(v.kind is VoteKind.ABSENT for v in read_evidence(parse_head(note)).commit.votes) == 1


def test_a_commit_on_another_header_is_refused():
    block, other = (
        block_of(replace(STEP, height=height), signers=(1, 2, 3)) for height in (12, 13)
    )

    with pytest.raises(HeaderNotCommitted):
        write_consortium_head(HEAD, light_block_bytes(LightBlock(block.header, other.commit, FOUR)))


def test_no_light_block_or_two_are_refused():
    block = light_block_bytes(block_of(STEP, signers=(1, 2, 3)))
    note = write_consortium_head(HEAD, block)
    line = note.split("\n\n")[1]

    with pytest.raises(HeadNotTrusted):
        read_evidence(parse_head(note + line))
    with pytest.raises(HeadNotTrusted):
        read_evidence(parse_head(note.replace("/validators ", "/validator ")))
    with pytest.raises(Malformed):
        write_consortium_head(HEAD, block + b"\0")

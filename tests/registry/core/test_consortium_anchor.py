"""The anchor of a consortium: what it believes, how it moves on, and its JSON form."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.checkpoint import (
    HeadNotTrusted,
    parse_head,
    verify_head,
    verify_past_head,
)
from registry.core.consortium_anchor import MAX_TRUSTED, ConsortiumAnchor, first_anchor
from registry.core.consortium_head import app_hash, write_consortium_head
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import NANOSECONDS, ValidatorSet
from registry.core.light_client.verification import (
    ChainForked,
    HeaderFromTheFuture,
    NotEnoughTrust,
    TrustExpired,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Conflict, Malformed
from tests.registry.core.heads import NETWORK, ROOT_DID, head_of
from tests.registry.core.light_client.chain import (
    BLOCK_SECONDS,
    START,
    Step,
    block_of,
    members,
    time_of,
)

FOUR = members(1, 2, 3, 4)
HEAD = head_of(time=START + 60)


def anchor_at(height: int = 1, validators: ValidatorSet = FOUR, **rules: int) -> ConsortiumAnchor:
    seeds = [seed for seed in range(1, 100) if members(seed).validators[0] in validators.validators]
    block = block_of(Step(height, validators, validators), signers=seeds)
    anchor = first_anchor(network=NETWORK, block=block, roots=(ROOT_DID,))
    return replace(anchor, rules=replace(anchor.rules, **rules))


def note_at(
    height: int, *seeds: int, head: Any = HEAD, signers: tuple[int, ...] | None = None
) -> str:
    validators = members(*seeds)
    step = Step(height, validators, validators, app_hash=app_hash(head))
    return write_consortium_head(head, light_block_bytes(block_of(step, signers=signers or seeds)))


def seconds_at(height: int) -> int:
    return START + BLOCK_SECONDS * height


def test_a_head_is_believed_because_enough_trusted_validators_signed_it():
    for height in (1, 2, 500):
        note = note_at(height, 1, 2, 3, 4) if height > 1 else None
        if note is not None:
            assert verify_head(note, anchor_at(), now=seconds_at(600)) == HEAD


def test_a_head_under_another_network_or_text_is_refused():
    note = note_at(20, 1, 2, 3, 4)

    with pytest.raises(HeadNotTrusted):
        verify_head(note.replace("cairn/test-1\n", "cairn/test-2\n"), anchor_at(), now=START + 999)
    with pytest.raises(HeadNotTrusted):
        verify_head(note.replace("height 7\n", "height 8\n"), anchor_at(), now=START + 999)


def test_no_head_with_one_changed_bit_is_believed():
    note, anchor = note_at(20, 1, 2, 3, 4).encode(), anchor_at()
    assert verify_head(note, anchor, now=START + 999) == HEAD

    accepted = 0
    for place in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[place] ^= 1 << bit
            try:
                verify_head(bytes(changed), anchor, now=START + 999)
                accepted += 1
            except (Malformed, NotProven, Conflict):
                pass

    assert accepted == 0


def test_an_anchor_refuses_what_its_time_forbids():
    anchor = anchor_at(trusting_seconds=1_000, drift_seconds=2)
    note = note_at(20, 1, 2, 3, 4)

    with pytest.raises(TrustExpired):
        verify_head(note, anchor, now=seconds_at(1) + 1_001)
    with pytest.raises(HeaderFromTheFuture):
        verify_head(note, anchor, now=seconds_at(20) - 3)


def test_the_oldest_anchor_follows_validators_who_change_one_by_one_until_all_are_others():
    anchor, now = anchor_at(), time_of(1_000)
    sets = [[step, step + 1, step + 2, step + 3] for step in range(1, 12)]
    chain = [
        block_of(Step(10 * at + 5, members(*seeds), members(*seeds)), signers=seeds)
        for at, seeds in enumerate(sets)
    ]
    newest = note_at(400, *sets[-1])
    with pytest.raises(NotEnoughTrust):
        verify_head(newest, anchor, now=seconds_at(500))

    followed = anchor.follow(chain, now=now)

    assert verify_head(newest, followed, now=seconds_at(500)) == HEAD
    assert len(followed.trusted) == len(sets)
    # What was signed on the way is believed too, by the header next to it.
    assert verify_head(note_at(37, *sets[3]), followed, now=seconds_at(500)) == HEAD
    assert verify_head(note_at(3, *sets[0]), followed, now=seconds_at(500)) == HEAD
    with pytest.raises(NotEnoughTrust):
        verify_head(note_at(93, *sets[0]), followed, now=seconds_at(500))


def test_a_header_of_the_same_validators_takes_the_place_of_the_one_before():
    anchor = anchor_at()
    chain = [block_of(Step(h, FOUR, FOUR), signers=(1, 2, 3)) for h in (5, 9, 200)]

    followed = anchor.follow(chain, now=time_of(300))

    assert [block.height for block in followed.trusted] == [200]
    assert verify_head(note_at(7, 1, 2, 3, 4), followed, now=seconds_at(300)) == HEAD
    assert followed.follow(chain[:1], now=time_of(300)) == followed  # an earlier one moves nothing


def test_headers_past_their_trusting_period_leave_the_anchor():
    anchor = anchor_at(trusting_seconds=1_000)
    five = members(1, 2, 3, 5)
    six = members(1, 2, 5, 6)

    middle = anchor.follow(
        [block_of(Step(100, five, five), signers=(1, 2, 3, 5))], now=time_of(150)
    )
    late = middle.follow([block_of(Step(220, six, six), signers=(1, 2, 5, 6))], now=time_of(250))

    assert [block.height for block in middle.trusted] == [1, 100]
    assert [block.height for block in late.trusted] == [100, 220]


def test_an_anchor_keeps_a_bounded_number_of_headers():
    anchor = anchor_at()
    for step in range(2, 3 * MAX_TRUSTED):
        seeds = (step, step + 1, step + 2, step + 3)
        block = block_of(Step(5 * step, members(*seeds), members(*seeds)), signers=seeds)
        anchor = anchor.follow([block], now=time_of(1_000))

    assert len(anchor.trusted) == MAX_TRUSTED


def test_a_fork_at_a_trusted_height_is_named_so():
    other = block_of(Step(1, FOUR, FOUR, app_hash=b"\2" * 32), signers=(1, 2, 3))

    with pytest.raises(ChainForked):
        anchor_at().verify(other, now=time_of(9))


def test_a_past_head_is_only_asked_whether_it_is_sound():
    strangers = note_at(20, 11, 12, 13, 14)

    assert verify_past_head(strangers, anchor_at()) == HEAD
    with pytest.raises(HeadNotTrusted):
        verify_past_head(strangers.split("\n\n")[0] + "\n\n— x AAAAAAAA\n", anchor_at())


def test_an_anchor_comes_back_from_its_json_form():
    five = members(1, 2, 3, 5)
    anchor = anchor_at().follow(
        [block_of(Step(100, five, five), signers=(1, 2, 3, 5))], now=time_of(150)
    )

    assert parse_trust_anchor(trust_anchor_json(anchor)) == anchor


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), "cairn-consortium-anchor/2"),
        (("network",), "other"),
        (("chain", "id"), ""),
        (("chain", "trusting_period_seconds"), 0),
        (("chain", "trusting_period_seconds"), 2**40),
        (("chain", "clock_drift_seconds"), -1),
        (("chain", "clock_drift_seconds"), None),
        (("trusted",), []),
        (("trusted", 0, "height"), 0),
        (("trusted", 0, "hash"), "AAAA"),
        (("trusted", 0, "nanoseconds"), NANOSECONDS),
        (("trusted", 0, "time"), 2**53 - 1),
        (("trusted", 0, "validators"), []),
        (("trusted", 0, "validators", 0, "power"), 0),
        (("trusted", 0, "validators", 0, "key"), "z6Mk"),
        (("trusted", 0, "more"), 1),
        (("roots",), []),
        (("more",), 1),
    ],
)
def test_an_anchor_of_another_form_is_refused(path: tuple[Any, ...], value: Any):
    form = trust_anchor_json(anchor_at())
    inner: Any = form
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    with pytest.raises(Malformed):
        parse_trust_anchor(form)


def test_validators_in_another_order_are_refused():
    form = trust_anchor_json(anchor_at())
    form["trusted"][0]["validators"].reverse()

    with pytest.raises(Malformed):
        parse_trust_anchor(form)


@given(seeds=st.lists(st.integers(1, 9), min_size=1, max_size=6, unique=True))
def test_whoever_signs_a_head_of_trusted_validators_is_believed(seeds: list[int]):
    """At height 9 the trusted set itself has signed; so any of its sets is enough."""
    anchor = anchor_at(1, members(*seeds))
    note = note_at(9, *seeds)

    assert verify_head(note, anchor, now=seconds_at(99)) == parse_head(note).claimed

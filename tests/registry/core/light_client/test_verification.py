"""From a trusted header to another: each rule of the light client, and the reason of each "no"."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.light_client.commit import HeaderNotCommitted, TooFewSigned, verify_commit
from registry.core.light_client.light_block import (
    NANOSECONDS,
    LightBlock,
    ValidatorSet,
    validator_set,
)
from registry.core.light_client.verification import (
    ChainForked,
    HeaderBackDated,
    HeaderFromTheFuture,
    HeaderNotTrusted,
    LightRules,
    NotEnoughTrust,
    TrustExpired,
    verify_later,
    verify_not_later,
)
from registry.core.refusals import Malformed, Refusal
from tests.registry.core.light_client.chain import (
    RULES,
    Step,
    block_of,
    members,
    time_of,
    trusted_of,
    validator,
)

FOUR = members(1, 2, 3, 4)
OTHERS = members(5, 6, 7, 8)
TRUSTED_STEP = Step(10, FOUR, FOUR)
TRUSTED = trusted_of(TRUSTED_STEP)
NOW = time_of(40)
FAR = block_of(Step(30, FOUR, FOUR), signers=(1, 2, 3))
NEXT = block_of(Step(11, FOUR, FOUR), signers=(1, 2, 3))
EARLIER = block_of(Step(5, FOUR, FOUR), signers=(1, 2, 4))


def changed_signature(block: LightBlock) -> LightBlock:
    votes = list(block.commit.votes)
    place = next(at for at, vote in enumerate(votes) if vote.signature)
    signature = bytearray(votes[place].signature)
    signature[-1] ^= 1
    votes[place] = replace(votes[place], signature=bytes(signature))
    return replace(block, commit=replace(block.commit, votes=tuple(votes)))


def test_the_next_header_and_a_far_one_are_believed():
    assert verify_later(NEXT, TRUSTED, RULES, now=NOW).block == NEXT
    assert verify_later(FAR, TRUSTED, RULES, now=NOW).block == FAR


def test_an_earlier_header_and_the_trusted_one_are_believed():
    same = block_of(TRUSTED_STEP, signers=(2, 3, 4))

    assert verify_not_later(EARLIER, TRUSTED, RULES, now=NOW).block == EARLIER
    assert verify_not_later(same, TRUSTED, RULES, now=NOW).block == same


REFUSED: dict[str, tuple[type[Refusal], Callable[[], LightBlock]]] = {
    "one signature short of two thirds": (
        TooFewSigned,
        lambda: block_of(Step(30, FOUR, FOUR), signers=(1, 2)),
    ),
    "just two thirds": (
        TooFewSigned,
        lambda: block_of(Step(30, members(1, 2, 3), FOUR), signers=(1, 2)),
    ),
    "votes for nil": (
        TooFewSigned,
        lambda: block_of(Step(30, FOUR, FOUR), signers=(1, 2), nil=(3, 4)),
    ),
    "a wrong validator set beside the header": (
        HeaderNotCommitted,
        lambda: replace(FAR, validators=OTHERS),
    ),
    "a validator set that nobody announced": (
        HeaderNotTrusted,
        lambda: block_of(Step(11, OTHERS, OTHERS), signers=(5, 6, 7, 8)),
    ),
    "strangers far away": (
        NotEnoughTrust,
        lambda: block_of(Step(30, OTHERS, OTHERS), signers=(5, 6, 7, 8)),
    ),
    "just a third of the trusted": (
        NotEnoughTrust,
        lambda: block_of(Step(30, members(1, 9, 10, 11), FOUR), signers=(1, 9, 10, 11)),
    ),
    "a false signature beyond those needed": (
        HeaderNotCommitted,
        lambda: changed_signature(block_of(Step(30, FOUR, FOUR), signers=(1, 2, 3, 4))),
    ),
    "a header from the future": (
        HeaderFromTheFuture,
        lambda: block_of(Step(60, FOUR, FOUR), signers=(1, 2, 3, 4)),
    ),
    "a back-dated time": (
        HeaderBackDated,
        lambda: block_of(Step(30, FOUR, FOUR, time=TRUSTED.time), signers=(1, 2, 3, 4)),
    ),
    "the trusted height": (HeaderBackDated, lambda: block_of(TRUSTED_STEP, signers=(1, 2, 3, 4))),
    "a commit on another header": (
        HeaderNotCommitted,
        lambda: replace(FAR, header=replace(FAR.header, app_hash=b"\1" * 32)),
    ),
    "a commit of another height": (
        HeaderNotCommitted,
        lambda: replace(FAR, commit=replace(FAR.commit, height=31)),
    ),
    "a vote too few": (
        HeaderNotCommitted,
        lambda: replace(FAR, commit=replace(FAR.commit, votes=FAR.commit.votes[:-1])),
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda name: name.replace(" ", "-"))
def test_a_later_header_is_refused_for_the_right_reason(case: str):
    reason, make = REFUSED[case]

    with pytest.raises(reason) as caught:
        verify_later(make(), TRUSTED, RULES, now=NOW)

    assert type(caught.value) is reason
    verify_later(FAR, TRUSTED, RULES, now=NOW)  # its untouched twin


def test_one_half_is_too_few_where_one_vote_more_is_enough():
    two_of_five = block_of(Step(30, members(1, 2, 9), FOUR), signers=(1, 2, 9))

    verify_later(two_of_five, TRUSTED, RULES, now=NOW)


def test_nobody_is_counted_twice():
    votes = list(block_of(Step(30, FOUR, FOUR), signers=(1, 2)).commit.votes)
    there = [place for place, vote in enumerate(votes) if vote.signature]
    absent = next(place for place, vote in enumerate(votes) if not vote.signature)
    votes[absent] = votes[there[0]]
    block = block_of(Step(30, FOUR, FOUR), signers=(1, 2))

    with pytest.raises(HeaderNotCommitted):
        verify_commit(replace(block, commit=replace(block.commit, votes=tuple(votes))))
    with pytest.raises(Malformed):
        ValidatorSet((validator(1), validator(1)))


def test_trust_expires_to_the_nanosecond():
    rules = LightRules(chain_id=RULES.chain_id, trusting_seconds=100, drift_seconds=0)
    end = TRUSTED.time + 100 * NANOSECONDS

    verify_later(NEXT, TRUSTED, rules, now=end - 1)
    with pytest.raises(TrustExpired):
        verify_later(NEXT, TRUSTED, rules, now=end)
    with pytest.raises(TrustExpired):
        verify_not_later(EARLIER, TRUSTED, rules, now=end)


def test_the_drift_is_kept_to_the_nanosecond():
    rules = LightRules(chain_id=RULES.chain_id, trusting_seconds=10_000, drift_seconds=3)
    latest = NEXT.header.time - 3 * NANOSECONDS

    verify_later(NEXT, TRUSTED, rules, now=latest + 1)
    with pytest.raises(HeaderFromTheFuture):
        verify_later(NEXT, TRUSTED, rules, now=latest)


def test_another_chain_is_refused():
    rules = LightRules(chain_id="another", trusting_seconds=10_000, drift_seconds=3)

    with pytest.raises(HeaderNotTrusted):
        verify_later(NEXT, TRUSTED, rules, now=NOW)


@pytest.mark.parametrize(
    ("reason", "block"),
    [
        (NotEnoughTrust, block_of(Step(5, members(1, 2, 9), FOUR), signers=(1, 2, 9))),
        (HeaderBackDated, block_of(Step(5, FOUR, FOUR, time=TRUSTED.time), signers=(1, 2, 3))),
        (HeaderBackDated, NEXT),
        (TooFewSigned, block_of(Step(5, FOUR, FOUR), signers=(1, 2))),
    ],
)
def test_an_earlier_header_is_refused_for_the_right_reason(
    reason: type[Refusal], block: LightBlock
):
    with pytest.raises(reason):
        verify_not_later(block, TRUSTED, RULES, now=NOW)


def test_two_headers_of_one_height_are_a_fork_only_when_the_trusted_have_signed_both():
    other = replace(TRUSTED_STEP, app_hash=b"\1" * 32)

    with pytest.raises(ChainForked):
        verify_not_later(block_of(other, signers=(1, 2, 3)), TRUSTED, RULES, now=NOW)
    invented = replace(other, validators=OTHERS)
    with pytest.raises(HeaderNotTrusted):
        verify_not_later(block_of(invented, signers=(5, 6, 7)), TRUSTED, RULES, now=NOW)


powers = st.lists(st.integers(1, 50), min_size=1, max_size=8)


@given(powers=powers, data=st.data())
def test_more_than_two_thirds_of_any_power_and_no_less(powers: list[int], data: st.DataObject):
    validators = validator_set(
        [validator(seed, power) for seed, power in enumerate(powers, start=1)]
    )
    signers = data.draw(st.sets(st.integers(1, len(powers))))
    block = block_of(Step(30, validators, FOUR), signers=tuple(signers))
    signed = sum(powers[seed - 1] for seed in signers)

    if 3 * signed > 2 * sum(powers):
        verify_commit(block)
    else:
        with pytest.raises(TooFewSigned):
            verify_commit(block)


@given(old=powers, new=powers, shared=st.integers(0, 8), data=st.data())
def test_more_than_a_third_of_any_trusted_power_and_no_less(
    old: list[int], new: list[int], shared: int, data: st.DataObject
):
    """Trusted validators have seeds from 1, the new ones begin `shared` before their end."""
    first = max(1, len(old) + 1 - shared)
    trusted_set = validator_set([validator(at, power) for at, power in enumerate(old, start=1)])
    fresh = validator_set([validator(at, power) for at, power in enumerate(new, start=first)])
    signers = range(first, first + len(new))
    trusted = trusted_of(Step(10, trusted_set, FOUR))
    known = sum(old[seed - 1] for seed in signers if seed <= len(old))

    block = block_of(Step(30, fresh, FOUR), signers=tuple(signers))

    if 3 * known > sum(old):
        verify_later(block, trusted, RULES, now=NOW)
    else:
        with pytest.raises(NotEnoughTrust):
            verify_later(block, trusted, RULES, now=NOW)

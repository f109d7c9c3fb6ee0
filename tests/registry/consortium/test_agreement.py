"""A member whose head nobody signs asks the others, and stops when they signed another state."""

from dataclasses import replace

import pytest

from registry.consortium.agreement import PATIENCE_SECONDS, Agreement, StateDiffers
from registry.core.checkpoint import Head
from registry.core.consortium_head import app_hash, write_consortium_head
from registry.core.genesis import genesis_member
from registry.core.light_client.encodings import light_block_bytes
from tests.registry.authors import UnsafeKey
from tests.registry.core.heads import head_of
from tests.registry.core.light_client.chain import (
    CHAIN,
    START,
    Step,
    block_of,
    members,
)

FOUR, STRANGERS = members(1, 2, 3, 4), members(5, 6, 7, 8)
ROOT = genesis_member(network=CHAIN, name="Ministry of Tests", keys=[UnsafeKey("root").key]).did
NOW = START + 1000
SIGNED = head_of(network=CHAIN, height=6)
MADE = head_of(network=CHAIN, height=7)
OTHER = replace(MADE, state_root=bytes(32))


def note(head: Head, engine_height: int, *, strangers: bool = False) -> str:
    """The head as whoever runs this chain, or another one, would have signed it."""
    validators, signers = (STRANGERS, (5, 6, 7)) if strangers else (FOUR, (1, 2, 3))
    step = Step(engine_height, validators, validators, app_hash=app_hash(head))
    return write_consortium_head(head, light_block_bytes(block_of(step, signers=signers)))


def look(shown: str | None, *, waited: float = PATIENCE_SECONDS) -> list[int]:
    """Look twice at a waiting head, some seconds apart; the heights that another was asked for."""
    asked = []

    def ask(height: int) -> str | None:
        asked.append(height)
        return shown

    agreement = Agreement([ask], roots=(ROOT,))
    for clock in (0.0, waited):
        agreement.look(MADE, newest=note(SIGNED, 20), now=NOW, clock=clock)
    return asked


def test_another_state_that_the_others_signed_stops_the_member():
    with pytest.raises(StateDiffers, match="at height 7"):
        look(note(OTHER, 22))


def test_the_same_state_does_not():
    assert look(note(MADE, 22)) == [7]


def test_strangers_cannot_stop_a_member():
    assert look(note(OTHER, 22, strangers=True)) == [7]


@pytest.mark.parametrize("shown", [None, "", "no head at all", OTHER.text])
def test_what_proves_nothing_does_not_stop_a_member(shown):
    assert look(shown) == [7]


def test_a_head_of_another_height_says_nothing():
    assert look(note(replace(OTHER, height=8), 22)) == [7]


def test_nobody_is_asked_before_the_head_has_waited():
    assert look(note(OTHER, 22), waited=PATIENCE_SECONDS - 0.1) == []


def test_a_head_that_was_signed_meanwhile_waits_no_more():
    asked = []
    agreement = Agreement([lambda height: asked.append(height)], roots=(ROOT,))
    for clock, waiting in ((0.0, MADE), (2.9, None), (3.0, MADE), (5.9, MADE)):
        agreement.look(waiting, newest=note(SIGNED, 20), now=NOW, clock=clock)

    assert asked == []

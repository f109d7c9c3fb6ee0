"""A member whose chain stands still gives the others the transactions that they may lack."""

import threading
from collections.abc import Callable, Sequence

from registry.client.transport import NodeUnreachable
from registry.consortium.relay import MOST_AT_ONCE, PATIENCE_SECONDS, PEERS_AT_ONCE, Relay
from registry.ledger.comet.rpc import NodeAway

SECONDS = 10.0


class Others:
    """Members that note what they are given."""

    def __init__(self, count: int, *, failing: Sequence[int] = ()) -> None:
        self.given: list[list[bytes]] = [[] for _ in range(count)]
        self._failing = failing

    def give(self) -> list[Callable[[bytes], object]]:
        return [self._giver(number) for number in range(len(self.given))]

    def _giver(self, number: int) -> Callable[[bytes], object]:
        def give(raw: bytes) -> None:
            if number in self._failing:
                raise NodeUnreachable("gone")
            self.given[number].append(raw)

        return give


def look(relay: Relay, *moments: tuple[int, float]) -> None:
    for height, clock in moments:
        relay.look(height, clock=clock)
        relay.wait(SECONDS)


def test_what_waits_while_the_chain_stands_still_is_given_to_all():
    others = Others(3)

    look(Relay(others.give(), lambda: [b"a", b"b"]), (7, 0.0), (7, PATIENCE_SECONDS))

    assert others.given == [[b"a", b"b"]] * 3


def test_a_chain_that_moves_needs_no_help():
    others = Others(3)

    look(
        Relay(others.give(), lambda: [b"a"]),
        (7, 0.0),
        (7, PATIENCE_SECONDS - 0.1),
        (8, PATIENCE_SECONDS),
        (8, 2 * PATIENCE_SECONDS - 0.1),
    )

    assert others.given == [[], [], []]


def test_a_quiet_chain_is_left_alone():
    others = Others(3)

    look(Relay(others.give(), list), (7, 0.0), (7, PATIENCE_SECONDS), (7, 2 * PATIENCE_SECONDS))

    assert others.given == [[], [], []]


def test_it_tries_again_as_long_as_the_chain_stands_still():
    others = Others(1)

    look(
        Relay(others.give(), lambda: [b"a"]),
        *((7, PATIENCE_SECONDS * step) for step in range(4)),
    )

    assert others.given == [[b"a"] * 3]


def test_one_that_does_not_answer_keeps_nothing_from_the_others():
    others = Others(3, failing=(0,))

    look(Relay(others.give(), lambda: [b"a", b"b"]), (7, 0.0), (7, PATIENCE_SECONDS))

    assert others.given == [[], [b"a", b"b"], [b"a", b"b"]]


def test_a_node_that_does_not_answer_is_asked_again():
    others = Others(1)
    answers: list[Sequence[bytes] | None] = [None, [b"a"]]

    def waiting() -> Sequence[bytes]:
        if (answer := answers.pop(0)) is None:
            raise NodeAway("busy")
        return answer

    look(Relay(others.give(), waiting), (7, 0.0), (7, PATIENCE_SECONDS), (7, 2 * PATIENCE_SECONDS))

    assert others.given == [[b"a"]]


def test_each_member_and_each_transaction_has_its_turn():
    others = Others(2 * PEERS_AT_ONCE)
    waiting = [b"%d" % number for number in range(2 * MOST_AT_ONCE)]
    relay = Relay(others.give(), lambda: waiting)

    look(relay, (7, 0.0), (7, PATIENCE_SECONDS))
    assert [given for given in others.given if given] == [waiting[:MOST_AT_ONCE]] * PEERS_AT_ONCE

    look(relay, *((7, PATIENCE_SECONDS * step) for step in range(2, 40)))
    assert all(set(given) == set(waiting) for given in others.given)


def test_rounds_do_not_pile_up():
    asked, goes_on = threading.Event(), threading.Event()
    rounds = []

    def give(_: bytes) -> None:
        rounds.append(1)
        asked.set()
        goes_on.wait(SECONDS)

    relay = Relay([give], lambda: [b"a"])
    relay.look(7, clock=0.0)
    relay.look(7, clock=PATIENCE_SECONDS)
    assert asked.wait(SECONDS)
    relay.look(7, clock=9 * PATIENCE_SECONDS)
    goes_on.set()
    relay.wait(SECONDS)

    assert len(rounds) == 1

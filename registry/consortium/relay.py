"""Passes on what no block takes.

A node that comes back throws away every transaction it is sent while it catches up, and nobody
sends it the same ones again (CometBFT 0.38 and 0.39, `mempool/reactor.go`: Receive). A node without
a transaction waits for one before it votes on an empty round. So after a halt the members that kept
their transactions waited for the votes of those that came back, and those for transactions: for
good, unless somebody submitted something new. The registries of the other members are open to
everybody; a member whose chain stands still gives them what its own node has.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from registry.core.refusals import Refusal

PATIENCE_SECONDS = 3.0  # so long the chain may stand still; a dead proposer or two take less
MOST_AT_ONCE = 8  # transactions in one round
PEERS_AT_ONCE = 16

# Gives a transaction to another member. Whatever becomes of it, a Refusal at the most is raised.
Give = Callable[[bytes], object]

T = TypeVar("T")


class Relay:
    """Looks whether the chain stands still while transactions wait."""

    def __init__(self, others: Sequence[Give], waiting: Callable[[], Sequence[bytes]]) -> None:
        """
        Args:
            others: how to give a transaction to each other member.
            waiting: the oldest transactions that the own node has in mind; may raise a Refusal.
        """
        self._others = tuple(others)
        self._waiting = waiting
        self._height = -1
        self._since = 0.0
        self._round = 0
        self._working: threading.Thread | None = None

    def look(self, height: int, *, clock: float) -> None:
        """Look once; to be called again and again. Nobody is waited for.

        Args:
            height: of the engine, as the own node has it.
            clock: seconds of a clock that only goes forward.
        """
        if height != self._height:
            self._height, self._since = height, clock
        if clock - self._since < PATIENCE_SECONDS or not self._others:
            return
        if self._working is not None and self._working.is_alive():
            return
        self._since = clock
        self._working = _thread(self._pass_on)

    def wait(self, seconds: float) -> None:
        """Wait until the round that is under way, if any, has ended."""
        if self._working is not None:
            self._working.join(seconds)

    def _pass_on(self) -> None:
        """One round. Others and transactions take turns: none is passed over for good."""
        with suppress(Refusal):
            waiting = self._waiting()
            if not waiting:
                return
            asked = _turn(self._others, self._round, PEERS_AT_ONCE)
            rounds_for_all = -(-len(self._others) // PEERS_AT_ONCE)
            chosen = _turn(waiting, self._round // rounds_for_all, MOST_AT_ONCE)
            self._round += 1
            threads = [_thread(_give_all, give, chosen) for give in asked]
            for thread in threads:
                thread.join()


def _give_all(give: Give, transactions: Sequence[bytes]) -> None:
    for raw in transactions:
        with suppress(Refusal):  # it has it, does not want it or does not answer
            give(raw)


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    """A thread that keeps no process from ending: what it does may be left half done."""
    thread = threading.Thread(target=work, args=arguments, name="relay", daemon=True)
    thread.start()
    return thread


def _turn(all_of_them: Sequence[T], turn: int, most: int) -> list[T]:
    """At most so many of them, beginning further on at each turn."""
    count = min(most, len(all_of_them))
    start = turn * count % len(all_of_them)
    return [*all_of_them[start:], *all_of_them[:start]][:count]

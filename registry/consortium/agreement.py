"""Whether this member's state is the one that the others have signed.

A node whose application made another app hash refuses the next block for ever, and CometBFT then
neither goes on nor ends: from outside, the member looks as if it were waiting. Nobody but the
others can tell the two apart, and their heads cannot be forged: so they are asked.
"""

from collections.abc import Callable, Sequence

from registry.core.checkpoint import Head, parse_head, verify_head
from registry.core.consortium_anchor import (
    DEFAULT_DRIFT_SECONDS,
    DEFAULT_TRUSTING_SECONDS,
    ConsortiumAnchor,
)
from registry.core.consortium_head import read_evidence
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.verification import LightRules, trusted_block
from registry.core.refusals import Conflict, Refusal

PATIENCE_SECONDS = 3.0  # so long a head may wait for its signatures before the others are asked

# Asks a member for its head of a height: the text, or None when it does not answer.
AskHead = Callable[[int], str | None]


class StateDiffers(Conflict):
    """More than two thirds have signed another state; this member must not go on."""


class Agreement:
    """Looks after the oldest head of this member that is still without signatures."""

    def __init__(self, others: Sequence[AskHead], *, roots: tuple[str, ...]) -> None:
        """
        Args:
            others: how to ask each other member; none of them is believed.
            roots: DIDs of the genesis members.
        """
        self._others = tuple(others)
        self._roots = roots
        self._waiting: tuple[Head, float] | None = None

    def look(self, waiting: Head | None, *, newest: str | None, now: int, clock: float) -> None:
        """Look once; to be called again and again.

        Args:
            waiting: the oldest head that nobody has signed yet, None when all are.
            newest: the newest signed head of this member, None when there is none.
            now: Unix seconds.
            clock: seconds of a clock that only goes forward.

        Raises:
            StateDiffers: a head of the same height, signed by more than two thirds, says otherwise.
        """
        if waiting is None or newest is None:
            self._waiting = None
            return
        if self._waiting is None or self._waiting[0] != waiting:
            self._waiting = (waiting, clock)
        if clock - self._waiting[1] < PATIENCE_SECONDS:
            return
        self._waiting = (waiting, clock)
        anchor = self._anchor(waiting.network, newest)
        for ask in self._others:
            shown = ask(waiting.height)
            if shown is not None and _contradicts(shown, waiting, anchor, now=now):
                raise StateDiffers(
                    f"the others have signed another state at height {waiting.height} than this "
                    "member made: its software or its disk is at fault. Its ledger must be fetched "
                    "anew; priv_validator_state.json must stay"
                )

    def _anchor(self, network: str, newest: str) -> ConsortiumAnchor:
        block = verify_commit(read_evidence(parse_head(newest)))
        return ConsortiumAnchor(
            network=network,
            rules=LightRules(
                chain_id=network,
                trusting_seconds=DEFAULT_TRUSTING_SECONDS,
                drift_seconds=DEFAULT_DRIFT_SECONDS,
            ),
            trusted=(trusted_block(block),),
            roots=self._roots,
        )


def _contradicts(shown: str, waiting: Head, anchor: ConsortiumAnchor, *, now: int) -> bool:
    try:
        head = verify_head(shown, anchor, now=now)
    except Refusal:
        return False  # it proves nothing, whoever made it
    return head.height == waiting.height and head != waiting

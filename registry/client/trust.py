"""What a client trusts at the moment: a pinned anchor, or how far a consortium's was followed."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import (
    Head,
    parse_head,
    verify_head,
    verify_light_head,
    verify_unwitnessed_head,
)
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.consortium_head import read_evidence
from registry.core.light_client.commit import CommittedBlock
from registry.core.light_client.light_block import NANOSECONDS, LightBlock
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.verification import ChainForked, NotEnoughTrust
from registry.core.refusals import Unavailable

_log = logging.getLogger("registry.client.trust")

MAX_HOPS = 512  # light blocks fetched for one head; a step halves the way that is left

FetchLightBlock = Callable[[int], bytes]


class TrustStore(Protocol):
    """Where a followed anchor outlives the process. Several processes may share one.

    - `load` returns what was kept last for the pinned anchor, or the pinned anchor itself when
      nothing was, or when that is newer.
    - `swap` keeps `moved` only if `expected` is still what is kept, and returns what is kept then:
      `moved`, or what another process has moved to meanwhile.
    """

    def load(self, pinned: ConsortiumAnchor) -> ConsortiumAnchor:
        """What is trusted now."""
        ...

    def swap(self, expected: ConsortiumAnchor, moved: ConsortiumAnchor) -> ConsortiumAnchor:
        """Move on, unless somebody else has."""
        ...


class HeadTrust:
    """Verifies heads under an anchor, and moves a consortium's forward. Any thread."""

    def __init__(
        self,
        pinned: AnyTrustAnchor,
        *,
        clock: Callable[[], float],
        fetch: FetchLightBlock,
        store: TrustStore | None = None,
    ) -> None:
        """
        Args:
            pinned: what the reader was given.
            clock: Unix seconds.
            fetch: asks a node for the bytes of the light block of an engine height.
            store: keeps how far the reader has followed; without one, this process begins at the
                pinned anchor.
        """
        self._clock = clock
        self._fetch = fetch
        self._store = store if isinstance(pinned, ConsortiumAnchor) else None
        self._lock = threading.Lock()
        self._anchor: AnyTrustAnchor = (
            store.load(pinned)
            if store is not None and isinstance(pinned, ConsortiumAnchor)
            else pinned
        )
        self._kept = self._anchor  # what the store holds
        self._forked: str | None = None
        self._newest: CommittedBlock | None = None
        self._before: ConsortiumAnchor | None = None

    @property
    def anchor(self) -> AnyTrustAnchor:
        """What is trusted now."""
        return self._anchor

    @property
    def newest(self) -> tuple[CommittedBlock, ConsortiumAnchor] | None:
        """The newest light block believed in this process, and the anchor it was believed under."""
        with self._lock:
            if self._newest is None or self._before is None:
                return None
            return self._newest, self._before

    def distrust(self, why: str) -> None:
        """Believe nothing any more: a fork was seen, and nobody can say which side is the registry.

        It ends with the process. Before the next one, people look at the evidence.
        """
        self._forked = why

    def require_trust(self) -> None:
        """Refuse everything after `distrust`, also what was believed before.

        Raises:
            ChainForked: a fork was seen.
        """
        if self._forked is not None:
            raise ChainForked(self._forked)

    def verify(self, text: str, *, witnessed: bool = True) -> Head:
        """`verify_head` under what is trusted now; a consortium's trust moves on with it.

        When the trusted validators do not suffice, light blocks in between are fetched: the middle
        of the way that is left, until one can be verified.

        Args:
            text: the head as checkpoint text.
            witnessed: False leaves the co-signatures out, as `verify_unwitnessed_head`.

        Raises:
            Malformed, NotProven, Conflict: as `verify_head`; `ChainForked` after `distrust`.
            Unavailable: a light block in between is needed, and the node does not give it.
        """
        self.require_trust()
        check = verify_head if witnessed else verify_unwitnessed_head
        now = int(self._clock())
        anchor = self._anchor
        if not isinstance(anchor, ConsortiumAnchor):
            return check(text, anchor, now=now)
        unverified = parse_head(text)
        try:
            committed = verify_light_head(unverified, anchor, now=now)
        except NotEnoughTrust:
            target = read_evidence(unverified).header.height
            anchor = self._bisect(anchor, target, now=now)
            committed = verify_light_head(unverified, anchor, now=now)
        head = check(text, anchor, now=now)
        self._move(anchor, committed, now=now)
        return head

    def follow(self, unverified: bytes) -> None:
        """Move on to a light block without a head: on a quiet ledger, trust would expire otherwise.

        Raises:
            Malformed, NotProven, ChainForked: it is not believed.
            Unavailable: a light block in between is needed, and the node does not give it.
        """
        self.require_trust()
        anchor = self._anchor
        if not isinstance(anchor, ConsortiumAnchor):
            return
        block = parse_light_block(unverified)
        height, now = block.header.height, int(self._clock())
        if height <= anchor.newest.height:
            return
        try:
            committed = anchor.verify(block, now=now * NANOSECONDS)
        except NotEnoughTrust:
            anchor = self._bisect(anchor, height, now=now)
            committed = anchor.verify(block, now=now * NANOSECONDS)
        self._move(anchor, committed, now=now)

    def _bisect(self, anchor: ConsortiumAnchor, target: int, *, now: int) -> ConsortiumAnchor:
        """The anchor from which the light block of a height can be verified.

        Raises:
            NotEnoughTrust: there is no way, or it has too many hops.
        """
        way = [target]  # heights to reach, the nearest last
        blocks: dict[int, LightBlock] = {}
        for _ in range(MAX_HOPS):
            here = way[-1]
            if here <= anchor.newest.height:
                raise NotEnoughTrust("the head is older than what is trusted, of other validators")
            if here not in blocks:
                blocks[here] = parse_light_block(self._fetch(here))
                if blocks[here].header.height != here:
                    raise NotEnoughTrust("the node gave the light block of another height")
            try:
                committed = anchor.verify(blocks[here], now=now * NANOSECONDS)
            except NotEnoughTrust:
                middle = (anchor.newest.height + here) // 2
                if middle == anchor.newest.height:
                    raise
                way.append(middle)
                continue
            anchor = anchor.advanced(committed, now=now * NANOSECONDS)
            way.pop()
            if not way:
                return anchor
        raise NotEnoughTrust(f"the way to the head has more than {MAX_HOPS} steps")

    def _move(self, anchor: ConsortiumAnchor, committed: CommittedBlock, *, now: int) -> None:
        """Trust the light block from now on, and keep that where it is worth a write."""
        moved = anchor.advanced(committed, now=now * NANOSECONDS)
        with self._lock:
            current = self._anchor
            assert isinstance(current, ConsortiumAnchor)
            if moved.newest.height <= current.newest.height:
                return
            self._newest, self._before = committed, current
            self._anchor = moved
            kept = self._kept
            assert isinstance(kept, ConsortiumAnchor)
            if self._store is None or not _is_worth_a_write(kept, moved):
                return
            try:
                self._kept = self._store.swap(kept, moved)
            except Unavailable as refusal:  # followed again after a restart; tried again next time
                _log.warning("how far validators were followed is not kept: %s", refusal.detail)
                return
            if self._kept.newest.height > moved.newest.height:
                self._anchor = self._kept


def _is_worth_a_write(kept: ConsortiumAnchor, moved: ConsortiumAnchor) -> bool:
    """Other validators, or a hundredth of the trusting period."""
    if kept.newest.validators != moved.newest.validators:
        return True
    gone = moved.newest.time - kept.newest.time
    return gone * 100 >= moved.rules.trusting_seconds * NANOSECONDS

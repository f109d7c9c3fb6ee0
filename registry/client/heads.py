"""The newest head that a client has seen, and the proof that every other one fits to it."""

import threading
from collections.abc import Callable, Sequence

from registry.client.trust import HeadTrust
from registry.core.checkpoint import Head, HeadWentBack, verify_head_follows
from registry.core.merkle_log import verify_consistency

MAX_KNOWN_TEXTS = 64  # verified texts kept, so that one head is not verified for every answer

FetchConsistency = Callable[[int, int], Sequence[bytes]]


class HeadMemory:
    """Accepts heads that are signed, of this network, and of one history. Any thread."""

    def __init__(self, trust: HeadTrust, fetch_consistency: FetchConsistency) -> None:
        """
        Args:
            trust: who vouches for heads.
            fetch_consistency: asks the node for the path from one log size to a larger one.
        """
        self._trust = trust
        self._fetch_consistency = fetch_consistency
        self._lock = threading.Lock()
        self._newest: Head | None = None
        self._known: dict[str, Head] = {}

    @property
    def newest(self) -> Head | None:
        """The newest head accepted so far."""
        return self._newest

    def accept(self, text: str, *, floor: Head | None) -> Head:
        """Check a head from an answer and remember it.

        Steps:

        1. Those whom the reader trusts vouch for it, for its network.
        2. It is not older than `floor`: what had been seen when the question was asked. A node may
           have moved on since, another thread may have seen it, and the answer still be good.
        3. It and the newest head are of one history: by their numbers, and by a consistency proof
           when their sizes differ. This also holds for one that is older than the newest.

        Raises:
            NotProven, Malformed, Conflict: a step fails.
            Unavailable: the node does not give the consistency proof.
        """
        self._trust.require_trust()
        head = self._known.get(text) or self._trust.verify(text)  # 1
        if floor is not None and head.height < floor.height:  # 2
            raise HeadWentBack(f"height {head.height} comes before {floor.height}, already seen")
        while True:  # 3; again when another thread has moved the newest head meanwhile
            newest = self._newest
            if newest is not None and newest != head:
                self._verify_one_history(newest, head)
            with self._lock:
                if self._newest is not newest:
                    continue
                if newest is None or head.height > newest.height:
                    self._newest = head
                if len(self._known) >= MAX_KNOWN_TEXTS:
                    self._known.clear()
                self._known[text] = head
                return head

    def _verify_one_history(self, one: Head, other: Head) -> None:
        older, newer = sorted((one, other), key=lambda head: head.height)
        verify_head_follows(older, newer)
        if older.tree_size < newer.tree_size:
            verify_consistency(
                first=older.tree_size,
                second=newer.tree_size,
                first_root=older.log_root,
                second_root=newer.log_root,
                path=self._fetch_consistency(older.tree_size, newer.tree_size),
            )

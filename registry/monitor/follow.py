"""One look at a registry after another: download, replay, compare, remember."""

from collections.abc import Callable
from dataclasses import dataclass

from registry.client.transport import NodeUnreachable
from registry.client.trust import HeadTrust, TrustStore
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import (
    Head,
    HeadForked,
    HeadWentBack,
    parse_head,
    verify_head_follows,
    verify_past_head,
)
from registry.core.light_client.verification import (
    ChainForked,
    HeaderFromTheFuture,
    TrustExpired,
)
from registry.core.merkle_log import (
    ConsistencyNotProven,
    InclusionNotProven,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed
from registry.monitor.alarm import Alarm, Evidence, Kind
from registry.monitor.catch_up import CatchUp
from registry.monitor.memory import Memory, Remembered
from registry.monitor.node import Node
from registry.replay import Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A look that found nothing wrong."""

    head: Head  # the newest; every root up to it was rebuilt
    new_entries: int
    new_heads: int
    witnessed_height: int | None  # of the newest head with its quorum, when witnesses are named


class Monitor:
    """Follows one registry. One thread."""

    def __init__(
        self,
        *,
        trust: AnyTrustAnchor,
        node: Node,
        memory: Memory,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        stalled_after_seconds: int | None = None,
        followed: TrustStore | None = None,
    ) -> None:
        """
        Args:
            trust: whose heads are judged.
            node: the registry, over HTTP.
            memory: what earlier looks saw.
            now: Unix seconds.
            random: gives that many random bytes; chooses what is asked for again.
            stalled_after_seconds: how long nothing new may come; None for ever. A registry to
                which nobody submits makes no heads.
            followed: keeps how far a consortium's validators were followed.
        """
        self._trust = trust
        self._heads = HeadTrust(trust, clock=now, fetch=node.light_block, store=followed)
        self._node = node
        self._memory = memory
        self._now = now
        self._random = random
        self._stalled_after = stalled_after_seconds
        self._remembered: Remembered | None = None

    def look(self) -> Sighting:
        """Look once, and remember what was found right.

        Steps:

        1. The newest head is signed.
        2. It follows the last one remembered: not older, no other head of its height or size.
        3. Its log continues the remembered one, by the registry's own consistency proof.
        4. Every entry since is one that the rules accept, every block ends with a signed head, and
           every log root and state root is the one that the replay gives, up to the newest head.
        5. Something old, chosen at random, is served again: a head as it was, an entry that is
           still in the log.
        6. Where the trust anchor names witnesses, the co-signed head is one of those replayed.
        7. Something new has come in time.

        Raises:
            Alarm: a step fails. The head that failed is not remembered; the next look meets it
                again.
            NodeUnreachable: the registry does not answer, and is not stalled yet.
            MemoryFailed: the memory cannot be believed or written.
            TrustExpired, HeaderFromTheFuture: a consortium's anchor says nothing at this time.
        """
        remembered = self._remembered or self._memory.load(self._trust)
        self._remembered = None  # a look that fails half-way must not be built on
        try:
            return self._look(remembered)
        except NodeUnreachable as error:
            if remembered is not None:
                self._check_stalled(
                    remembered.grown_at, f"no answer ({error.detail})", remembered.note
                )
            raise

    def _look(self, remembered: Remembered | None) -> Sighting:
        # Asked for first: heads never shrink, so the newest one may not be older.
        cosigned = None if self._trust.witnesses is None else self._node.cosigned_head()
        note = self._node.head()
        newest = self._signed(note, remembered)  # 1
        last = None if remembered is None else remembered.replay.last
        if remembered is not None and last is not None:
            self._compare(last, remembered.note, newest, note)  # 2, 3
        grown_at = self._grown_at(remembered, newest)
        going = CatchUp(
            node=self._node,
            memory=self._memory,
            replay=Replay(self._trust) if remembered is None else remembered.replay,
            last_note=None if remembered is None else remembered.note,
            grown_at=grown_at,
        )
        going.run(note, newest)  # 4
        self._ask_again(newest, note)  # 5
        witnessed = self._look_at_quorum(cosigned, newest, note, grown_at)  # 6
        self._check_stalled(grown_at, "no new head", note)  # 7
        self._remembered = Remembered(going.replay, note, grown_at)
        return Sighting(
            head=newest,
            new_entries=newest.tree_size - (last.tree_size if last else 0),
            new_heads=going.new_heads,
            witnessed_height=witnessed,
        )

    def _signed(self, note: str, remembered: Remembered | None) -> Head:
        try:
            return self._heads.verify(note, witnessed=False)
        except (TrustExpired, HeaderFromTheFuture):
            raise  # no lie of the registry: this monitor slept too long, or its clock is wrong
        except (NotProven, Malformed, ChainForked) as error:
            known = () if remembered is None else (remembered.note,)
            raise Alarm(
                Kind.UNSIGNED_HEAD,
                f"the newest head: {error.detail}",
                Evidence(heads=(*known, note)),
            ) from error

    def _compare(self, last: Head, last_note: str, newest: Head, note: str) -> None:
        """Steps 2 and 3."""
        both = (last_note, note)
        try:
            verify_head_follows(last, newest)
        except HeadWentBack as error:
            raise Alarm(Kind.SHRINKING, error.detail, Evidence(heads=both)) from error
        except HeadForked as error:
            kind = Kind.SHRINKING if newest.tree_size < last.tree_size else Kind.FORK
            raise Alarm(kind, error.detail, Evidence(heads=both)) from error
        if newest.tree_size == last.tree_size:
            return
        path = self._node.consistency(last.tree_size, newest.tree_size)
        try:
            verify_consistency(
                first=last.tree_size,
                second=newest.tree_size,
                first_root=last.log_root,
                second_root=newest.log_root,
                path=path,
            )
        except ConsistencyNotProven as error:
            raise Alarm(
                Kind.REWRITE,
                f"no proof leads from the log of height {last.height} to that of {newest.height}",
                Evidence(heads=both, path=tuple(path)),
            ) from error

    def _ask_again(self, newest: Head, note: str) -> None:
        """Step 5: history must be served as it was, also where nobody looks any more."""
        height = self._below(newest.height + 1)
        known = self._memory.head(height)
        if known is not None:
            again = self._node.head(height)
            try:
                served = verify_past_head(again, self._trust)
            except (NotProven, Malformed) as error:
                raise Alarm(
                    Kind.UNSIGNED_HEAD,
                    f"the head of height {height}: {error.detail}",
                    Evidence(heads=(known, again)),
                ) from error
            if served != parse_head(known).claimed:
                raise Alarm(
                    Kind.FORK,
                    f"the head of height {height} is another one than before",
                    Evidence(heads=(known, again)),
                )
        index = self._below(newest.tree_size)
        entries = self._node.entries(index, 1)
        if not entries:
            raise Alarm(Kind.WITHHELD, f"log entry {index} is not served", Evidence(heads=(note,)))
        path = self._node.inclusion(index, newest.tree_size)
        try:
            verify_inclusion(
                leaf=leaf_hash(entries[0]),
                index=index,
                tree_size=newest.tree_size,
                path=path,
                root=newest.log_root,
            )
        except InclusionNotProven as error:
            raise Alarm(
                Kind.REWRITE,
                f"log entry {index} is not the one under the head any more",
                Evidence(heads=(note,), entries=tuple(entries[:1]), path=tuple(path)),
            ) from error

    def _look_at_quorum(
        self, cosigned: str | None, newest: Head, note: str, grown_at: int
    ) -> int | None:
        """Step 6."""
        if self._trust.witnesses is None:
            return None
        head = None if cosigned is None else self._replayed(cosigned, newest, note)
        if head != newest and self._is_over(grown_at):
            raise Alarm(
                Kind.UNWITNESSED,
                f"the head of height {newest.height} has had no quorum for too long",
                Evidence(heads=(note,)),
            )
        return None if head is None else head.height

    def _replayed(self, cosigned: str, newest: Head, note: str) -> Head:
        """The co-signed head, which must be one of those that were rebuilt."""
        try:
            head = self._heads.verify(cosigned)
        except (NotProven, Malformed) as error:
            raise Alarm(
                Kind.UNWITNESSED,
                f"the co-signed head: {error.detail}",
                Evidence(heads=(cosigned,)),
            ) from error
        if head.height > newest.height:
            raise Alarm(
                Kind.SHRINKING,
                f"a head of height {head.height} was co-signed, {newest.height} is served",
                Evidence(heads=(cosigned, note)),
            )
        known = self._memory.head(head.height)
        if known is None or parse_head(known).claimed != head:
            raise Alarm(
                Kind.FORK,
                f"the co-signed head of height {head.height} is another one than replayed",
                Evidence(heads=(known or note, cosigned)),
            )
        return head

    def _grown_at(self, remembered: Remembered | None, newest: Head) -> int:
        """When the newest head came, by our clock; at the first look, by the registry's own."""
        if remembered is None:
            return min(self._now(), newest.time)
        return remembered.grown_at if remembered.replay.last == newest else self._now()

    def _check_stalled(self, grown_at: int, what: str, note: str) -> None:
        if self._is_over(grown_at):
            raise Alarm(
                Kind.STALLED,
                f"{what} for {self._now() - grown_at} seconds",
                Evidence(heads=(note,)),
            )

    def _is_over(self, grown_at: int) -> bool:
        return self._stalled_after is not None and self._now() - grown_at > self._stalled_after

    def _below(self, bound: int) -> int:
        """A random number from 0 to `bound` - 1; a slight bias does no harm here."""
        return int.from_bytes(self._random(8), "big") % bound

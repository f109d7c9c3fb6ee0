"""A witness: judges a head by the pure rules, stores it, and only then co-signs it."""

from collections.abc import Callable, Sequence

from registry.client.trust import HeadTrust
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, HeadForked, parse_head, verify_past_head
from registry.core.cosignature import WitnessKey, cosign, witness_key
from registry.core.light_client.verification import NotEnoughTrust
from registry.core.refusals import NotFound, Refusal
from registry.core.signed_note import NoteSigner
from registry.core.witnessing import (
    AddCheckpoint,
    OldSizeStale,
    bare_head,
    may_cosign,
    parse_add_checkpoint,
)
from registry.witness.store import StoreMoved, WitnessStore, WitnessStoreFailed

_ATTEMPTS = 3  # a rival moved the store in between; after its move the old size is stale anyway


class LogUnknown(NotFound):
    """This witness does not know the log of the head."""


class Witness:
    """Co-signs the heads of the logs it knows. Any number of threads and processes."""

    def __init__(
        self,
        *,
        logs: Sequence[AnyTrustAnchor],
        signer: NoteSigner,
        store: WitnessStore,
        now: Callable[[], int],
    ) -> None:
        """
        Args:
            logs: the networks that are witnessed, by the keys that sign their heads.
            signer: the witness's key, which signs nothing else, under the witness's name.
            store: where the last head of each log stands.
            now: Unix seconds.

        Raises:
            Malformed: the name or the key is not allowed.
        """
        self.key: WitnessKey = witness_key(signer.name, signer.key)
        # A consortium's validators are followed by its heads: by each one that is co-signed.
        self._logs = {
            anchor.network: HeadTrust(anchor, clock=now, fetch=_nothing_in_between)
            for anchor in logs
        }
        self._signer = signer
        self._store = store
        self._now = now

    def add_checkpoint(self, unverified: bytes) -> str:
        """Judge the request of a log and answer with the signature line.

        What is co-signed is on disk before it is signed: a witness that dies in between has seen a
        head and said nothing, and says it when it is asked again.

        Raises:
            LogUnknown: no log of ours.
            Malformed, NotProven, OldSizeStale, HeadForked: as `may_cosign`.
            WitnessStoreFailed: the last head cannot be read or written.
        """
        request = parse_add_checkpoint(unverified)
        network = parse_head(request.head).claimed.network
        trust = self._logs.get(network)
        if trust is None:
            raise LogUnknown("this witness does not know the log")
        anchor = trust.anchor
        for _ in range(_ATTEMPTS):
            stored = self._store.last(network)
            last = None if stored is None else _believed(stored, anchor)
            head = self._judge(request, stored=stored, last=last, anchor=anchor)
            if head == last:
                return self._cosign(request)
            try:
                self._store.swap(network, expected=stored, note=bare_head(request.head, anchor))
            except StoreMoved:
                continue
            trust.verify(request.head, witnessed=False)
            return self._cosign(request)
        raise OldSizeStale(_size(self._store.last(network)))

    def last(self, network: str) -> str | None:
        """The head of a network that was co-signed last.

        Raises:
            LogUnknown: no log of ours.
            WitnessStoreFailed: it cannot be read.
        """
        if network not in self._logs:
            raise LogUnknown("this witness does not know the log")
        return self._store.last(network)

    def _judge(
        self,
        request: AddCheckpoint,
        *,
        stored: str | None,
        last: Head | None,
        anchor: AnyTrustAnchor,
    ) -> Head:
        try:
            return may_cosign(request, last=last, anchor=anchor, now=self._now())
        except HeadForked:
            assert stored is not None
            self._store.keep_conflict(
                anchor.network,
                known=stored,
                offered=bare_head(request.head, anchor),
                seen_at=self._now(),
            )
            raise

    def _cosign(self, request: AddCheckpoint) -> str:
        return cosign(parse_head(request.head).note.text, self._signer, time=self._now())


def _nothing_in_between(_height: int) -> bytes:
    raise NotEnoughTrust("validators have changed too much since the last head; pin a new anchor")


def _believed(stored: str, anchor: AnyTrustAnchor) -> Head:
    """What is stored was signed by the log, or it was damaged since."""
    try:
        return verify_past_head(stored, anchor)
    except Refusal as refusal:
        raise WitnessStoreFailed("the stored head is damaged, or of other keys") from refusal


def _size(stored: str | None) -> int:
    return 0 if stored is None else parse_head(stored).claimed.tree_size

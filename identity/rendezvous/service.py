"""The meeting of a wallet and whoever scanned its QR code. Holds a link for seconds, no person."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from identity.rendezvous.ports import Wait, WaitStore
from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed, NotFound, NotPermitted, Unavailable

WAIT_SECONDS = 30  # then the wallet shows a new code; a photographed one is worthless
MAX_WAITING = 10_000  # wallets at once
MAX_NEW_PER_SECOND = 200
MAX_LINK_CHARS = 4096
_REFERENCE_BYTES = 16  # 128 random bits
_SECRET_BYTES = 32


class NobodyWaits(NotFound):
    """No wallet waits under that reference, or no longer."""


class NotYourWait(NotPermitted):
    """The secret is not that of the wallet that waits."""


class TooManyWait(Unavailable):
    """Too many wallets wait at this moment."""


class LinkNotAllowed(Malformed):
    """What is left for a wallet is a link to a presentation request, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedWait:
    """What the wallet gets: the reference goes into its QR code, the secret nowhere."""

    reference: str
    secret: str
    expires_in: int


class RendezvousService:
    """Opens waits, leaves links, hands each over once. Keeps the promise of `Rendezvous`."""

    def __init__(
        self, store: WaitStore, *, now: Callable[[], int], random: Callable[[int], bytes]
    ) -> None:
        """`now` in unix seconds; `random` gives fresh bytes."""
        self._store = store
        self._now = now
        self._random = random

    def open(self) -> OpenedWait:
        """Begin to wait.

        Raises:
            TooManyWait: as it says.
        """
        now, secret = self._now(), self._random(_SECRET_BYTES)
        wait = Wait(
            reference=base64url_encode(self._random(_REFERENCE_BYTES)),
            secret_digest=_digest(secret),
            link="",
            created_at=now,
            expires_at=now + WAIT_SECONDS,
        )
        if not self._store.add(wait, most=MAX_WAITING, most_per_second=MAX_NEW_PER_SECOND):
            raise TooManyWait("too many wallets wait at this moment")
        return OpenedWait(
            reference=wait.reference, secret=base64url_encode(secret), expires_in=WAIT_SECONDS
        )

    def post(self, reference: str, link: str) -> None:
        """Leave the link of a presentation request for the wallet behind `reference`, once.

        Raises:
            LinkNotAllowed: no such link.
            NobodyWaits: nobody waits there, or a link was left already.
        """
        if not link.startswith("openid4vp://") or len(link) > MAX_LINK_CHARS:
            raise LinkNotAllowed("only presentation requests are left for wallets")
        now = self._now()
        if not self._store.leave(reference, link, now=now, expires_at=now + WAIT_SECONDS):
            raise NobodyWaits("no wallet waits there, or no longer; scan again")

    def collect(self, reference: str, presented_secret: str | None) -> str:
        """The link, once; empty while there is none.

        Raises:
            NobodyWaits: unknown, expired, or handed over already.
            NotYourWait: another secret.
        """
        wait = self._store.read(reference, now=self._now())
        if wait is None:
            raise NobodyWaits("no wallet waits there, or no longer; show a new code")
        if not hmac.compare_digest(wait.secret_digest, _digest(_parse(presented_secret))):
            raise NotYourWait("the secret does not belong to this wait")
        if not wait.link:
            return ""
        if not self._store.take(reference):
            raise NobodyWaits("the link was handed over already")
        return wait.link


def _parse(text: str | None) -> bytes:
    try:
        return base64url_decode(text or "")
    except Malformed as error:
        raise NotYourWait("the secret does not belong to this wait") from error


def _digest(secret: bytes) -> bytes:
    return labelled_hash("cairn/rendezvous-secret/v1", secret)

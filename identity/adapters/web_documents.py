"""Fetches `did:web` documents for the resolver: ours by hand, listed ones by the bounded fetcher.

Anybody may ask the resolver, so anybody can make it fetch. Hence: listed places only, few at a
time, and every answer and every failure is remembered for a while.
"""

import threading
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from identity.adapters.bounded_fetch import PlaceNotAllowed
from identity.adapters.status_fetcher import LocalRead
from registry.core.did_web import WebPlaceNotListed
from registry.core.refusals import Refusal, Unavailable

KEEP_SECONDS = 60.0
KEEP_FAILURE_SECONDS = 10.0
MAX_KEPT = 256  # of at most 64 KiB each
MAX_AT_ONCE = 4  # connections; a fifth caller is told to come again
ACCEPT = "application/did+json, application/did+ld+json, application/json"


class Fetcher(Protocol):
    """The way out; `BoundedFetcher` keeps this promise."""

    def get(self, url: str, *, accept: str) -> bytes:
        """The body at `url`; `PlaceNotAllowed` before any connection when it is not listed."""
        ...


class FetchedWebDocuments:
    """Keeps the promise of `registry.api.ports.WebDocuments`."""

    def __init__(
        self,
        *,
        local: LocalRead,
        remote: Fetcher,
        public_base_url: str,
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            local: reads our own published documents; None for everybody else's.
            remote: reads listed places, with every bound set.
            public_base_url: what our own URLs begin with; a `did:web` knows only https.
            clock: monotonic, in seconds.
        """
        self._local = local
        self._remote = remote
        self._base = urlsplit(public_base_url)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, bytes | Refusal]] = {}
        self._free = threading.BoundedSemaphore(MAX_AT_ONCE)

    def fetch(self, url: str) -> bytes:
        """The document at `url`.

        Raises:
            WebPlaceNotListed: the place is not listed; no connection was made.
            Unavailable: no answer in time, or too many are being fetched.
        """
        parts = urlsplit(url)
        if parts.netloc == self._base.netloc:
            own = self._local(parts._replace(scheme=self._base.scheme).geturl(), ACCEPT)
            if own is not None:
                return own
        known = self._known(url)
        if known is None:
            known = self._fetch(url)
        if isinstance(known, Refusal):
            raise known
        return known

    def _known(self, url: str) -> bytes | Refusal | None:
        with self._lock:
            until, answer = self._kept.get(url, (0.0, None))
        return answer if answer is not None and self._clock() < until else None

    def _fetch(self, url: str) -> bytes | Refusal:
        if not self._free.acquire(blocking=False):
            return Unavailable("too many documents are being fetched; try again")
        try:
            answer: bytes | Refusal = self._remote.get(url, accept=ACCEPT)
        except PlaceNotAllowed:
            return WebPlaceNotListed("the resolver does not fetch from there")  # costs nothing
        except Unavailable:
            answer = Unavailable("the place of the did:web does not answer as it should")
        finally:
            self._free.release()
        kept = KEEP_FAILURE_SECONDS if isinstance(answer, Refusal) else KEEP_SECONDS
        with self._lock:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[url] = (self._clock() + kept, answer)
        return answer

"""Status lists and anchor batches: our own in process, others through the bounded fetcher."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from registry.core.encoding import base64url_decode, parse_json_object
from registry.core.refusals import Malformed, Unavailable

CACHE_SECONDS = 15  # a revocation shows within 60 s; publishing and the ledger take the rest
MAX_CACHED_LISTS = 64  # of at most 4 MiB each
MAX_CACHED_BATCHES = 32
MAX_BATCH_BYTES = 64 << 20  # 2^20 digests of 43 characters, and room

# Reads one of our own published documents by its URL; None when the URL is not ours.
LocalRead = Callable[[str, str], bytes | None]


class Fetcher(Protocol):
    """The way out; see `identity.adapters.bounded_fetch`."""

    def get(self, url: str, *, accept: str) -> bytes:
        """The body at `url`."""
        ...


class CachingStatusLists:
    """Keeps the promises of `StatusLists`."""

    def __init__(self, *, local: LocalRead, remote: Fetcher, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._local = local
        self._remote = remote
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: OrderedDict[tuple[str, bytes], tuple[float, bytes]] = OrderedDict()

    def fetch(self, uri: str, *, accept: str, version_key: bytes) -> bytes:
        """As `StatusLists.fetch`."""
        key = (uri, version_key)
        with self._lock:
            held = self._cached.get(key)
            if held and self._clock() - held[0] < CACHE_SECONDS:
                return held[1]
        fetched_at = self._clock()
        body = self._local(uri, accept)
        if body is None:
            body = self._remote.get(uri, accept=accept)
        with self._lock:
            self._cached[key] = (fetched_at, body)
            self._cached.move_to_end(key)
            while len(self._cached) > MAX_CACHED_LISTS:
                self._cached.popitem(last=False)
        return body

    def forget(self, uri: str, *, version_key: bytes) -> None:
        """As `StatusLists.forget`."""
        with self._lock:
            self._cached.pop((uri, version_key), None)


class CachingBatches:
    """Keeps the promises of `Batches`. A sealed batch never changes, so it is kept as it is."""

    def __init__(self, *, local: LocalRead, remote: Fetcher) -> None:
        self._local = local
        self._remote = remote
        self._lock = threading.Lock()
        self._cached: OrderedDict[tuple[str, str], tuple[bytes, ...]] = OrderedDict()

    def digests(self, issuer_url: str, batch: str) -> Sequence[bytes]:
        """As `Batches.digests`."""
        key = (issuer_url, batch)
        with self._lock:
            if key in self._cached:
                return self._cached[key]
        url, accept = f"{issuer_url}/anchors/{batch}", "application/json"
        body = self._local(url, accept)
        if body is None:
            body = self._remote.get(url, accept=accept)
        digests = _read_batch(body, batch)
        with self._lock:
            self._cached[key] = digests
            while len(self._cached) > MAX_CACHED_BATCHES:
                self._cached.popitem(last=False)
        return digests


def _read_batch(body: bytes, batch: str) -> tuple[bytes, ...]:
    try:
        answer = parse_json_object(body, max_bytes=MAX_BATCH_BYTES)
        if answer.get("batch") != batch or not isinstance(answer.get("digests"), list):
            raise Malformed("not the batch that was asked for")
        return tuple(base64url_decode(digest) for digest in answer["digests"])
    except Malformed as error:
        raise Unavailable("the issuer does not answer with the batch") from error

"""What a registry client answers with: records with what proves them; and their short memory."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from registry.core.anchors import BatchRecord
from registry.core.encoding import JsonObject
from registry.core.relying_party import RelyingParty
from registry.core.sparse_map import MapProof

MAX_CACHED = 4096  # records


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenBatch:
    """A batch record with its proof under a verified head."""

    record: BatchRecord
    proof: MapProof
    head: str  # checkpoint text


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProof:
    """The same in JSON, as receipts carry it."""

    record: JsonObject
    proof: JsonObject
    head: str  # checkpoint text


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingPartyProof:
    """A relying party's record, its proof in JSON, and the head it was proven under."""

    record: RelyingParty
    proof: JsonObject
    head: str  # checkpoint text


@dataclass(frozen=True, slots=True)
class ProvenBytes:
    """Bytes of a record, or their absence, with what proves it."""

    value: bytes | None
    proof: MapProof
    head: str


class ProvenCache:
    """Proven records for a few seconds, until this client writes. Any thread."""

    def __init__(self, now: Callable[[], float], *, seconds: float) -> None:
        """
        Args:
            now: seconds from any fixed point.
            seconds: how long a record is answered again.
        """
        self._now = now
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, ProvenBytes]] = {}
        self._generation = 0

    @property
    def generation(self) -> int:
        """Grows at every write; what was asked for in an earlier one is not kept."""
        return self._generation

    def get(self, key: str) -> ProvenBytes | None:
        """What is still fresh under a key."""
        with self._lock:
            found = self._known.get(key)
        # A clock that went back makes everything old rather than young for ever.
        if found is None or not 0 <= self._now() - found[0] < self._seconds:
            return None
        return found[1]

    def keep(self, key: str, proven: ProvenBytes, generation: int) -> None:
        """Keep an answer to a question of that generation."""
        with self._lock:
            if generation != self._generation:
                return
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[key] = (self._now(), proven)

    def forget(self) -> None:
        """This client has written: nothing older is answered again."""
        with self._lock:
            self._generation += 1
            self._known.clear()

"""What the rendezvous needs from its store."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One wallet waits. `link` is empty until somebody leaves one."""

    reference: str
    secret_digest: bytes  # 32 bytes
    link: str
    created_at: int  # unix seconds
    expires_at: int


class WaitStore(Protocol):
    """Keeps waits, for any number of instances.

    - `leave` succeeds at most once for a reference, and never after its expiry.
    - `take` gives a link at most once.
    """

    def add(self, wait: Wait, *, most: int, most_per_second: int) -> bool:
        """Keep a new wait; False when too many wait already, or came in this second."""
        ...

    def leave(self, reference: str, link: str, *, now: int, expires_at: int) -> bool:
        """Leave a link; False when nobody waits there, or one is left already."""
        ...

    def read(self, reference: str, *, now: int) -> Wait | None:
        """The wait, unless it has expired."""
        ...

    def take(self, reference: str) -> bool:
        """End a wait whose link is being handed over; False when another has done so."""
        ...

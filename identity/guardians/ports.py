"""What recovery by guardians keeps, and what it needs of its neighbours."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from registry.core.encoding import JsonObject

# Of a withdrawal that no key of hers ordered: an agency proofed her anew.
PROOFED_ANEW: JsonObject = {"by": "proofing"}


class RecoveryState(StrEnum):
    """Life of a recovery; it only moves down this list."""

    OPEN = "open"  # approvals are gathered
    WAITING = "waiting"  # enough of them; she has been told, and may stop it
    ENDING = "ending"  # the wait is over; what she held ends
    COMPLETED = "completed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptArrangement:
    """An arrangement as she signed it: her order, and the key that it verifies under."""

    arrangement: str
    agency: str
    subject: str
    order: str  # compact JWS
    holder: JsonObject  # JWK
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecovery:
    """One recovery. Times in unix seconds; 0 when it did not come to that."""

    recovery: str
    arrangement: str
    new_key: JsonObject  # JWK
    state: RecoveryState
    begun: int
    expires: int  # while it is open
    waiting_since: int = 0
    closed_at: int = 0
    types: tuple[str, ...] = ()  # to be offered anew


class GuardianStore(Protocol):
    """Keeps them. What returns has written durably; two processes may race."""

    def set_arrangement(self, kept: KeptArrangement, *, told: JsonObject) -> None:
        """Store it in place of any other of this subject, whose recoveries stop.

        In the same moment it is noted for her own record, with what is `told` of it there: codes,
        counts and digests.
        """
        ...

    def withdraw(
        self, agency: str, subject: str, *, now: int, told: JsonObject = PROOFED_ANEW
    ) -> bool:
        """Delete it and stop its recoveries, also one that is ending; False when there was none.

        It is noted for her own record as `set_arrangement` does it.
        """
        ...

    def arrangement(self, agency: str, arrangement: str) -> KeptArrangement | None:
        """The arrangement of that name."""
        ...

    def begin(self, recovery: KeptRecovery, *, most: int, now: int) -> bool:
        """Store it, unless `most` of this arrangement are under way; expired ones go."""
        ...

    def recovery(self, recovery: str) -> KeptRecovery | None:
        """The recovery of that name."""
        ...

    def approve(self, recovery: str, guardian: str, approval: str, *, now: int) -> bool:
        """Keep an approval, one for each guardian; False unless it is open."""
        ...

    def approvals(self, recovery: str) -> list[tuple[str, int]]:
        """The signed texts, and when each came."""
        ...

    def move(
        self, recovery: str, *, of: Collection[RecoveryState], to: RecoveryState, now: int
    ) -> bool:
        """Move on from one of the states `of`; False when it is in another."""
        ...

    def lapse(self, arrangement: str, *, waiting_before: int, now: int) -> None:
        """Stop those that began to wait at `waiting_before` or earlier and wait still."""
        ...

    def claim(
        self, recovery: str, *, until: int, types: Sequence[str], now: int
    ) -> tuple[str, ...] | None:
        """Take it to end and offer what is hers: by one call at a time, which has until `until`.

        The types to be offered: `types` of the first call that took it. None when it neither waits
        nor is ending, or while another call has it.
        """
        ...

    def release(self, recovery: str, *, claim: int) -> None:
        """Let the next call take it at once, if the call that has it until `claim` has it still."""
        ...

    def finish(self, recovery: str, *, claim: int, now: int) -> bool:
        """It is completed; False when it was stopped, or the call until `claim` lost it."""
        ...


class People(Protocol):
    """Who presents a credential, and what is done for her afterwards."""

    def subject_of(self, agency: str, digest: bytes) -> str | None:
        """Whose valid copy has this anchor digest."""
        ...

    def use_nonce(self, agency: str, nonce: str, *, now: int) -> bool:
        """Use up a `c_nonce` of the agency; False when it is none."""
        ...

    def is_active(self, subject: str) -> bool:
        """Whether things are issued to her now."""
        ...

    def offerable(self, agency: str, subject: str) -> list[str]:
        """Types she holds validly that her registration alone is enough for: no mandates."""
        ...

    def end_everywhere(self, subject: str) -> int:
        """End all she holds, at every agency; how many credentials. Repeatable."""
        ...

    def offer(
        self, agency: str, subject: str, credential_type: str, *, key: str, now: int
    ) -> JsonObject:
        """A new offer with `offer_uri` and `tx_code`, for the key with this thumbprint alone."""
        ...

    def offer_again(self, agency: str, subject: str, *, key: str, now: int) -> list[JsonObject]:
        """What was offered to this key and was not issued yet, offered anew in its place.

        Of two calls at one moment, one has the new offer and the other finds nothing.
        """
        ...

    def take_back(self, agency: str, offers: Sequence[JsonObject]) -> None:
        """End offers that `offer` or `offer_again` made. Repeatable."""
        ...

    def issuer_url(self, agency: str) -> str:
        """The agency's identifier; raises `UnknownAgency`."""
        ...

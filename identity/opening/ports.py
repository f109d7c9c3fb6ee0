"""What accountable opening needs: a place for seals and notices, and the ledger's evidence."""

from dataclasses import dataclass
from typing import Protocol

from identity.core.opening.order import OrderEvidence
from identity.core.opening.sealed_identity import SealedIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningNotice:
    """That an order opens, or may open, a person's identity. Says nothing about the case.

    `due` is when she is told; times are in unix seconds.
    """

    order: int  # its number in the public count
    person: str
    legal_basis: str
    institutions: tuple[str, ...]
    ordered_at: int
    due: int


class OpeningStore(Protocol):
    """Keeps seals and notices, nothing personal in clear. What returns has written durably."""

    def put_seal(self, person: str, sealed: SealedIdentity, *, renew: bool, now: int) -> None:
        """Keep a seal for a person; without `renew` only when there is none."""
        ...

    def seal_of_person(self, person: str) -> SealedIdentity | None:
        """The newest seal of a person."""
        ...

    def person_of_seal(self, seal: str, digest: bytes) -> str | None:
        """The person whose seal that is, record and digest alike."""
        ...

    def person_of_copy(self, digest: bytes) -> str | None:
        """The person to whom a credential copy with this anchor digest was issued."""
        ...

    def forget_person(self, person: str) -> None:
        """Delete every seal of a person; nobody can open what is not there."""
        ...

    def put_notice(self, notice: OpeningNotice) -> None:
        """Keep a notice; one for each order, and the first one stays."""
        ...

    def notices_of(self, person: str) -> list[OpeningNotice]:
        """All notices of a person, due or not, oldest first."""
        ...


class OrderEvidenceReader(Protocol):
    """Reads from the ledger what proves an order."""

    def order_evidence(self, number: int) -> OrderEvidence | None:
        """Order number `number` and the count, proven under one head; None when there is none.

        Raises:
            Unavailable: the registry does not answer, or not with a proof.
        """
        ...

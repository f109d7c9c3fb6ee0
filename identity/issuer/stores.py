"""Ports to the issuer's database; `tests/contract/test_issuer_stores.py` holds stores to them.

- A method that returns has written durably; one that raises has written nothing.
- Two processes may use the same database: what may happen once is decided by one conditional
  UPDATE, never by reading first.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.core.issuance import STATUS_LIST_SIZE
from identity.core.mandate import Mandate
from identity.issuer.records import (
    AccessToken,
    Batch,
    DeliveryState,
    Issuance,
    NewCopy,
    Offer,
    PendingLists,
    Placement,
    Status,
    StatusDocuments,
    StatusGroup,
)
from registry.core.refusals import Conflict, Unavailable

# Half of the list stays empty, so that a random free entry is found at once and the entries in use
# do not tell how many there are.
MAX_GROUP_ENTRIES = STATUS_LIST_SIZE // 2
MAX_BATCH_COUNT = 1 << 16  # copies in one anchor batch; a receipt's path has at most 16 hashes


class AlreadyDelivered(Conflict):
    """The credential was delivered, or its agency ended it; this token issues no more copies."""


class TooManyDeliveries(Conflict):
    """The same credential was requested again and again."""


class NoOpenGroup(Unavailable):
    """No status list of this agency has room; one has to be published first."""


class StandingChanged(Conflict):
    """Something was reported of one of these people in this moment; look again."""


class StatusIsFinal(Conflict):
    """Revocation is for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRequest:
    """One set of copies to be recorded. `delivery` is the notification identifier."""

    agency: str
    issuance: str
    subject: str | None
    credential_type: str
    configuration: str
    delivery: str
    copies: int
    anchored: bool
    max_deliveries: int
    now: int
    key: str = ""  # verification method of the key that will sign; its status group is taken
    mandate: Mandate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRest:
    """What one action changed: credentials by name, offers by count, and the lists to publish."""

    issuances: tuple[str, ...]
    offers: int
    groups: tuple[str, ...]


# What was reported of people at an agency: the states of their bindings by subject; None where
# none is known. Read before a mandate is checked, and compared when it is written.
Standing = Mapping[str, str | None]


class OfferStore(Protocol):
    """Offers, tokens, nonces."""

    def standing(self, subjects: Collection[str]) -> Standing:
        """How these people stand now."""
        ...

    def add_offer(self, offer: Offer, *, standing: Standing) -> None:
        """Keep a new offer, if the people in `standing` stand as they did.

        An event that is recorded before this is seen here; one that is recorded afterwards finds
        the offer and ends it. Nothing is between the two.

        Raises:
            StandingChanged: they do not; nothing was kept.
        """
        ...

    def replace_offer(self, old: str, offer: Offer, *, now: int) -> bool:
        """End one that lives, with its tokens, and keep `offer` in its place; once among rivals.

        False when it does not live any more or something was issued of it; then nothing changed.
        """
        ...

    def read_offer(self, agency: str, offer: str) -> Offer | None:
        """The offer of that identifier."""
        ...

    def offer_by_reference(self, agency: str, digest: bytes) -> Offer | None:
        """The offer whose reference has this digest."""
        ...

    def offer_by_code(self, agency: str, digest: bytes) -> Offer | None:
        """The offer whose pre-authorized code has this digest."""
        ...

    def offer_by_issuer_state(self, agency: str, digest: bytes) -> Offer | None:
        """The offer whose issuer state has this digest."""
        ...

    def withdraw(self, agency: str, offer: str) -> bool:
        """End an offer and its tokens; False when there is no such offer."""
        ...

    def open_offers_for(
        self, agency: str, subject: str, thumbprint: str, *, now: int
    ) -> list[Offer]:
        """Her offers for this one key that live and of which nothing was issued yet."""
        ...

    def redeem(
        self,
        agency: str,
        code_digest: bytes,
        *,
        tx_digest: bytes | None,
        token: AccessToken,
        now: int,
    ) -> bool:
        """Exchange a code for `token`, once; whose offer it is follows from the code.

        Each call with a code that is alive counts as a try. The last wrong one kills the offer.

        Returns:
            False when the code is unknown, expired, used or dead, or the digest does not match.
        """
        ...

    def read_token(self, agency: str, digest: bytes, *, now: int) -> AccessToken | None:
        """The token, None when it is unknown, expired, of another agency, or its offer ended."""
        ...

    def add_nonce(self, agency: str, purpose: str, digest: bytes, *, expires_at: int) -> None:
        """Keep a nonce that we handed out."""
        ...

    def has_nonce(self, agency: str, purpose: str, digest: bytes, *, now: int) -> bool:
        """Whether we handed this nonce out and it is alive; it stays so."""
        ...

    def use_nonces(
        self, agency: str, purpose: str, digests: Collection[bytes], *, now: int
    ) -> bool:
        """Use up nonces that we handed out: all of them, or none and False."""
        ...

    def claim_nonce(self, agency: str, purpose: str, digest: bytes, *, expires_at: int) -> bool:
        """Remember an identifier that a client chose; False when it came before."""
        ...

    def expired_claims(self, *, now: int, limit: int) -> list[tuple[str, str]]:
        """Offers beyond use that still have claims in the vault: (offer, reference)."""
        ...

    def drop_claims(self, offer: str) -> None:
        """The claims of this offer are no longer in the vault."""
        ...

    def delete_expired(self, *, now: int) -> None:
        """Delete nonces, tokens and offers beyond use; offers with claims in the vault stay."""
        ...


class IssuanceStore(Protocol):
    """The record of issuance, and where each copy has its status and its anchor."""

    def record_delivery(
        self, request: DeliveryRequest, draft: Callable[[Placement], Sequence[NewCopy]]
    ) -> None:
        """Record one set of copies in one transaction.

        In it: status entries are allocated that were never used; places are taken in a batch that
        is open; `draft` composes the copies for them; earlier copies of the same configuration
        that the wallet never confirmed are revoked. If `draft` raises, nothing was recorded.

        Raises:
            IssuingStopped: the operator stopped this agency, or all; every instance sees it.
            AlreadyDelivered: the wallet confirmed an earlier set, or the agency ended it.
            TooManyDeliveries: `request.max_deliveries` sets were recorded before.
            NoOpenGroup: there is no room in a published status list.
        """
        ...

    def record_event(self, issuance: str, delivery: str, state: DeliveryState) -> bool:
        """What became of a delivery. Repeating it changes nothing; the first answer stays.

        Returns:
            False when this issuance has no such delivery.
        """
        ...

    def change_status(
        self, agency: str, issuance: str, status: Status, *, reason: str | None, now: int
    ) -> list[str]:
        """Change all copies of one credential together.

        Returns:
            The status groups that hold its copies; empty when there is no such issuance.

        Raises:
            StatusIsFinal: it is revoked, and `status` is another.
        """
        ...

    def end_all_of(
        self,
        agency: str,
        subject: str,
        status: Status,
        *,
        types: Collection[str] | None,
        reason: str,
        now: int,
    ) -> EndedRest:
        """End, in one transaction, everything that rests on `subject` at this agency.

        Offers die and their tokens with them, credentials and all their copies get `status`
        (those that are revoked stay so). A delivery that is being recorded at this moment either
        comes first and is ended too, or finds its offer dead and is refused.

        Args:
            agency: the agency.
            subject: as it was enrolled.
            status: `REVOKED`, or `SUSPENDED`.
            types: end only credentials of these types; all when None.
            reason: a code for the record.
            now: unix seconds.
        """
        ...

    def end_mandates_of(
        self,
        agency: str,
        principal: str,
        *,
        ends: Callable[[str, bool], bool],
        reason: str,
        now: int,
    ) -> EndedRest:
        """End, in one transaction, mandates that let others act for `principal` at this agency.

        As `end_all_of` with `REVOKED`, also for those that are suspended. `ends` is asked with type
        and durability of each mandate.
        """
        ...

    def reinstate_all_of(self, agency: str, subject: str, *, reason: str, now: int) -> EndedRest:
        """Make valid again what is suspended for `reason`, and nothing else."""
        ...

    def read_issuance(self, agency: str, issuance: str) -> Issuance | None:
        """The record of one credential."""
        ...

    def find_issuance(self, agency: str, credential_id: str) -> str | None:
        """The issuance that a copy with this `id` belongs to."""
        ...

    def issuances_of(self, agency: str, subject: str) -> list[Issuance]:
        """Everything issued to `subject` by `agency`, oldest first."""
        ...

    def batch_of(self, agency: str, digest: bytes) -> str | None:
        """The batch that a copy joined."""
        ...


class StatusStore(Protocol):
    """Status entries by group, and how far their publication got."""

    def has_open_group(self, agency: str, *, room: int, key: str = "") -> bool:
        """Whether a published group of that key has room for `room` more entries."""
        ...

    def unpublished(self, agency: str) -> list[str]:
        """Groups of which the ledger has nothing yet."""
        ...

    def due(self, agency: str, *, signed_before: int) -> list[str]:
        """Groups with changes to publish, or with lists that are missing, outdated or old."""
        ...

    def add_group(self, agency: str, group: str, *, key: str = "") -> None:
        """Start a group for a key; it takes no entries before its lists are published."""
        ...

    def read_group(self, agency: str, group: str) -> StatusGroup | None:
        """The group and its publication."""
        ...

    def published_version(self, group: str) -> int:
        """The version that the ledger has; 0 for none, or no such group."""
        ...

    def entries(self, group: str) -> dict[int, Status]:
        """Every entry of the group that is not valid."""
        ...

    def prepare(self, group: str, pending: PendingLists) -> bool:
        """Store a publication before it is submitted.

        Returns:
            False when another one is stored, or its version is not the next; nothing changed.
        """
        ...

    def finish(self, group: str, version: int) -> None:
        """The stored publication of this version is on the ledger. Safe to repeat."""
        ...

    def close_group(self, group: str) -> None:
        """Allocate no more entries from this group."""
        ...

    def read_documents(self, group: str) -> StatusDocuments | None:
        """The signed lists."""
        ...

    def put_documents(self, documents: StatusDocuments) -> None:
        """Store signed lists; never in place of a newer version."""
        ...


class BatchStore(Protocol):
    """Anchor batches."""

    def open_batches(self, agency: str) -> list[str]:
        """Batches that take copies and have some."""
        ...

    def unfinished(self, agency: str) -> list[str]:
        """Batches between open and anchored."""
        ...

    def close(self, batch: str) -> bool:
        """From open to sealing: no copy joins after this. False when it was not open."""
        ...

    def read_batch(self, agency: str, batch: str) -> Batch | None:
        """The batch."""
        ...

    def digests(self, batch: str) -> list[bytes]:
        """Digests of its copies, in ascending order: the order of the leaves."""
        ...

    def credential_types(self, batch: str) -> list[str]:
        """Types of its copies, sorted, without repetition."""
        ...

    def store_transaction(self, batch: str, transaction_bytes: bytes) -> bytes:
        """Keep the signed transaction, unless there is one; the one that is kept."""
        ...

    def finish(self, batch: str, proof_json: bytes) -> None:
        """From sealing to anchored. Safe to repeat."""
        ...

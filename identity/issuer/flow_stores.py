"""Ports to the database of flows with several steps; the promises of `stores` hold here too."""

from typing import Protocol

from identity.core.mandate import Mandate
from identity.issuer.flow_records import Authorization, Deferred, Waiting
from identity.issuer.records import AccessToken, Offer, Review
from identity.issuer.stores import Standing


class AuthorizationStore(Protocol):
    """Authorization requests, codes, and the codes with which citizens identify themselves."""

    def add(self, authorization: Authorization) -> None:
        """Keep a pushed request."""
        ...

    def open(
        self, agency: str, request_digest: bytes, *, browser: bytes, now: int
    ) -> Authorization | None:
        """The request for the browser that shows its page; the first one that comes has it.

        None when it is unknown, expired, no longer `PUSHED`, or another browser has it.
        """
        ...

    def count_try(self, request_digest: bytes, *, most: int) -> bool:
        """Count an answer to the page's question; False when `most` were counted before."""
        ...

    def grant(
        self,
        request_digest: bytes,
        *,
        code_digest: bytes,
        new_offer: Offer | None,
        offer: str,
        expires_at: int,
    ) -> bool:
        """From `PUSHED` to `GRANTED`, once, with the offer that the code stands for."""
        ...

    def end(self, request_digest: bytes) -> bool:
        """From `PUSHED` to `ENDED`."""
        ...

    def by_code(self, agency: str, code_digest: bytes) -> Authorization | None:
        """The authorization behind a code, used or not."""
        ...

    def exchange(self, agency: str, code_digest: bytes, *, token: AccessToken, now: int) -> bool:
        """Exchange a code for `token`, once: the code and its offer must both be alive."""
        ...

    def revoke(self, agency: str, code_digest: bytes) -> None:
        """A used code came again: end the tokens it stands for (RFC 6749 §4.1.2)."""
        ...

    def add_identification(
        self, agency: str, subject: str, digest: bytes, *, expires_at: int
    ) -> None:
        """Keep a code that the agency hands to a person; earlier ones of hers end."""
        ...

    def try_identification(self, agency: str, digest: bytes, *, most: int, now: int) -> str | None:
        """Whose code it is, after counting the try; None when it is none, dead, or tried enough."""
        ...

    def use_identification(self, agency: str, digest: bytes) -> bool:
        """Use the code up, once."""
        ...


class DeferredStore(Protocol):
    """Credentials that wait for their agency."""

    def add(self, deferred: Deferred, *, most: int) -> bool:
        """Keep a transaction; False when its offer has `most` already."""
        ...

    def read(self, agency: str, digest: bytes, *, offer: str, now: int) -> Deferred | None:
        """The transaction of that offer; None when unknown, expired, or fetched."""
        ...

    def take(self, digest: bytes) -> bool:
        """Fetched now, once."""
        ...

    def put_back(self, digest: bytes) -> None:
        """It could not be issued after all."""
        ...

    def waiting(self, agency: str, *, now: int, limit: int) -> list[Waiting]:
        """Offers that wait for a decision, oldest first."""
        ...

    def decide(
        self,
        agency: str,
        offer: str,
        review: Review,
        *,
        claims_ref: str | None,
        mandate: Mandate | None = None,
        standing: Standing,
    ) -> bool:
        """From `WAITING` to `review`, once; claims of the agency and the mandate go with it.

        Raises:
            StandingChanged: as `OfferStore.add_offer`.
        """
        ...

    def reopen(self, agency: str, offer: str) -> None:
        """From `READY` back to `WAITING`, if the decision named no principal."""
        ...

    def delete_expired(self, *, now: int) -> None:
        """Delete transactions, requests and identification codes beyond use."""
        ...

"""Decisions of an agency about credentials that wait: issue, with what it adds, or deny."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from identity.core.claim_rules import ClaimsNotAccepted, check_agency_claims, missing_from_agency
from identity.issuer.flow_records import Waiting
from identity.issuer.mandates import named_mandate
from identity.issuer.offers import PENDING_CLAIMS, NoSuchOffer
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Review
from registry.core.encoding import canonical_json
from registry.core.refusals import Conflict

MAX_LISTED = 200


class AlreadyDecided(Conflict):
    """Nothing waits under this offer: it was decided, or needs no decision."""


class ReviewDesk:
    """Lists what waits, and takes decisions."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def waiting(self, slug: str, *, now: datetime) -> list[Waiting]:
        """What waits for this agency, oldest first, at most `MAX_LISTED`."""
        self._parts.agency(slug)
        return self._parts.deferred.waiting(slug, now=int(now.timestamp()), limit=MAX_LISTED)

    def issue(
        self,
        slug: str,
        offer_id: str,
        *,
        claims: Mapping[str, Any],
        principal: str | None = None,
        durable: bool = False,
    ) -> None:
        """Let the credential be issued, with what the agency adds to it.

        A mandate names its principal here, unless the offer did.

        Raises:
            NoSuchOffer, AlreadyDecided: nothing waits under this identifier.
            ClaimsNotAccepted: the claims do not fit, or a required one is missing.
            PrincipalMissing, MandateNotPossible, NotFound, NotAlive, BindingClosed: it is a
                mandate, and not one for these two.
            StandingChanged: something was reported of one of the two people in this moment.
        """
        parts = self._parts
        offer = parts.offers.read_offer(slug, offer_id)
        if offer is None:
            raise NoSuchOffer("there is no such offer")
        kind = parts.issued_type(parts.agency(slug), offer.credential_type)
        supplied = check_agency_claims(kind, claims)
        missing = missing_from_agency(kind, supplied)
        if missing and offer.claims_ref is None:
            raise ClaimsNotAccepted(f"the agency must supply {', '.join(missing)}")
        mandate, standing = None, dict[str, str | None]()
        if principal is not None:
            standing |= parts.offers.standing((offer.subject, principal))
        if principal is not None or durable or offer.mandate is None:
            mandate = named_mandate(
                parts,
                slug,
                kind,
                representative=offer.subject,
                principal=principal,
                durable=durable,
            )
        ref = None
        if supplied:
            ref = parts.vault.seal(
                owner=offer.subject, kind=PENDING_CLAIMS, data=canonical_json(supplied)
            )
        try:
            if not parts.deferred.decide(
                slug, offer_id, Review.READY, claims_ref=ref, mandate=mandate, standing=standing
            ):
                raise AlreadyDecided("nothing waits under this offer")
        except Conflict:  # nothing was written; what is not known stays for the one who repeats it
            if ref is not None:
                parts.vault.forget(ref)
            raise
        if ref is not None and offer.claims_ref is not None:
            parts.vault.forget(offer.claims_ref)

    def deny(self, slug: str, offer_id: str) -> None:
        """Do not issue the credential; the wallet is told so.

        Raises:
            NoSuchOffer, AlreadyDecided: nothing waits under this identifier.
        """
        if self._parts.offers.read_offer(slug, offer_id) is None:
            raise NoSuchOffer("there is no such offer")
        if not self._parts.deferred.decide(
            slug, offer_id, Review.DENIED, claims_ref=None, standing={}
        ):
            raise AlreadyDecided("nothing waits under this offer")

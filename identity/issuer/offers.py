"""Offers: an agency offers a credential to a person it has proofed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.claim_rules import (
    ClaimsNotAccepted,
    check_agency_claims,
    missing_from_agency,
)
from identity.core.issuance import DEFAULT_FORMATS, Format, configuration_id
from identity.core.offers import (
    AUTHORIZATION_CODE,
    credential_offer,
    issuer_state,
    new_secret,
    new_tx_code,
    offer_link_by_reference,
    offer_link_by_value,
    pre_authorized_code,
    secret_digest,
    tx_code_digest,
)
from identity.issuer.identification import CodeIdentification
from identity.issuer.mandates import named_mandate
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Offer, OfferState, Review
from identity.issuer.stores import Standing, StandingChanged
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.refusals import Malformed, NotFound

DEFAULT_LIFETIME_SECONDS = 15 * 60
MAX_LIFETIME_SECONDS = 24 * 3600  # a code "MUST be short lived" (OpenID4VCI §4.1.1)
PRE_AUTHORIZED_NAME = "pre-authorized_code"  # how agencies name that grant
PENDING_CLAIMS = "pending-claims"  # kind of the row in the vault


class NoSuchOffer(NotFound):
    """There is no such offer, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOffer:
    """A new offer with its secrets; they are never shown again."""

    offer: str
    document: JsonObject
    url: str
    link: str
    link_by_value: str
    tx_code: str | None
    identification_code: str | None
    expires_in: int


class OfferDesk:
    """Makes, shows and ends offers."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts
        self._codes = CodeIdentification(parts)

    def make(
        self,
        slug: str,
        *,
        subject: str,
        credential_type: str,
        claims: Mapping[str, Any],
        formats: Sequence[Format],
        tx_code: bool,
        lifetime_seconds: int,
        now: datetime,
        grants: Sequence[str] = (PRE_AUTHORIZED_NAME,),
        deferred: bool = False,
        dpop_thumbprint: str | None = None,
        principal: str | None = None,
        durable: bool = False,
        in_place_of: str | None = None,
    ) -> MadeOffer:
        """Offer a credential to `subject`.

        With `authorization_code` among the grants, an identification code is made beside it. What
        is `deferred` is issued after a decision of the agency, which may add the claims then. Only
        proofs of the key `dpop_thumbprint`, when it is given, redeem the offer and use its token. A
        mandate names its `principal`, now or with that decision; see `identity.core.mandate`. The
        offer `in_place_of`, when it is given, ends in the moment in which this one is kept.

        Raises:
            NoSuchOffer: the one `in_place_of` does not live any more, or was used.
            StandingChanged: something was reported of one of the two people in this moment.
            UnknownAgency, TypeNotIssued: this agency does not issue that.
            ClaimsNotAccepted: the claims do not fit, or a required one is missing.
            PrincipalMissing, MandateNotPossible: it is a mandate, and not one for these two.
            NotFound: the subject or the principal is not known.
            NotAlive, BindingClosed: nothing is issued to the one or for the other now.
        """
        parts = self._parts
        agency = parts.agency(slug)
        kind = parts.issued_type(agency, credential_type)
        if not 60 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
            raise Malformed(f"an offer lives for 60 to {MAX_LIFETIME_SECONDS} seconds")
        chosen = tuple(dict.fromkeys(formats)) or DEFAULT_FORMATS
        supplied = check_agency_claims(kind, claims)
        missing = missing_from_agency(kind, supplied)
        if missing and not deferred:
            raise ClaimsNotAccepted(f"the agency must supply {', '.join(missing)}")
        standing = {} if principal is None else parts.offers.standing((subject, principal))
        # Nothing is read here but whether she exists; a typing error shows now, not at the wallet.
        parts.persons.claims(subject, names=(), purpose="offer", actor=f"issuer:{slug}")
        mandate = None
        if principal is not None or durable or not deferred:
            mandate = named_mandate(
                parts, slug, kind, representative=subject, principal=principal, durable=durable
            )
        claims_ref = None
        if supplied:
            claims_ref = parts.vault.seal(
                owner=subject, kind=PENDING_CLAIMS, data=canonical_json(supplied)
            )
        reference = new_secret(parts.random)
        code = pre_authorized_code(reference)
        pre_authorized, by_code = PRE_AUTHORIZED_NAME in grants, AUTHORIZATION_CODE in grants
        digits = new_tx_code(parts.random) if tx_code and pre_authorized else None
        started = int(now.timestamp())
        offer = Offer(
            offer=base64url_encode(parts.random(16)),
            agency=slug,
            subject=subject,
            credential_type=kind.name,
            formats=chosen,
            reference_digest=secret_digest("offer-reference", reference),
            code_digest=secret_digest("pre-authorized-code-digest", code),
            tx_digest=None if digits is None else tx_code_digest(code, digits),
            claims_ref=claims_ref,
            state=OfferState.OFFERED,
            created_at=started,
            expires_at=started + lifetime_seconds,
            issuer_state_digest=(
                secret_digest("issuer-state", issuer_state(reference)) if by_code else None
            ),
            pre_authorized=pre_authorized,
            review=Review.WAITING if deferred else Review.NONE,
            dpop_thumbprint=dpop_thumbprint,
            mandate=mandate,
        )
        try:
            self._keep(offer, standing=standing, in_place_of=in_place_of)
        except (StandingChanged, NoSuchOffer):  # nothing was written
            if claims_ref is not None:
                parts.vault.forget(claims_ref)
            raise
        identification = None
        if by_code:
            identification = self._codes.issue(
                slug, subject, lifetime_seconds=lifetime_seconds, now=now
            ).code
        document = self._document(slug, offer, reference)
        url = f"{agency.issuer_url}/offers/by-reference/{reference}"
        return MadeOffer(
            offer=offer.offer,
            document=document,
            url=url,
            link=offer_link_by_reference(url),
            link_by_value=offer_link_by_value(document),
            tx_code=digits,
            identification_code=identification,
            expires_in=lifetime_seconds,
        )

    def read_by_reference(self, slug: str, reference: str, *, now: datetime) -> JsonObject:
        """The Credential Offer object that a wallet fetches; may be fetched more than once.

        Raises:
            NoSuchOffer: unknown, expired, redeemed or dead.
        """
        try:
            digest = secret_digest("offer-reference", reference)
        except Malformed as error:
            raise NoSuchOffer("there is no such offer") from error
        offer = self._parts.offers.offer_by_reference(slug, digest)
        if (
            offer is None
            or offer.expires_at <= int(now.timestamp())
            or offer.state is not OfferState.OFFERED
        ):
            raise NoSuchOffer("there is no such offer")
        return self._document(slug, offer, reference)

    def read(self, slug: str, offer_id: str, *, now: datetime) -> tuple[str, Offer]:
        """State of an offer for its agency: `offered`, `redeemed`, `dead` or `expired`.

        Raises:
            NoSuchOffer: there is none, or it was cleared away.
        """
        offer = self._parts.offers.read_offer(slug, offer_id)
        if offer is None:
            raise NoSuchOffer("there is no such offer")
        if offer.state is OfferState.OFFERED and offer.expires_at <= int(now.timestamp()):
            return "expired", offer
        return str(offer.state), offer

    def withdraw(self, slug: str, offer_id: str) -> None:
        """End an offer and its tokens.

        Raises:
            NoSuchOffer: there is none.
        """
        if not self._parts.offers.withdraw(slug, offer_id):
            raise NoSuchOffer("there is no such offer")

    def _keep(self, offer: Offer, *, standing: Standing, in_place_of: str | None) -> None:
        offers = self._parts.offers
        if in_place_of is None:
            offers.add_offer(offer, standing=standing)
        elif not offers.replace_offer(in_place_of, offer, now=offer.created_at):
            raise NoSuchOffer("there is no such offer any more")

    def _document(self, slug: str, offer: Offer, reference: str) -> JsonObject:
        return credential_offer(
            issuer_url=self._parts.agency(slug).issuer_url,
            configuration_ids=[
                configuration_id(offer.credential_type, form) for form in offer.formats
            ],
            reference=reference,
            tx_code=offer.tx_digest is not None,
            pre_authorized=offer.pre_authorized,
            authorization_code=offer.issuer_state_digest is not None,
        )

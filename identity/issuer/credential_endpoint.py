"""The credential endpoint and the notification endpoint (OpenID4VCI 1.0 §8, §11).

Order of one request, so that a crash between any two steps loses nothing that was answered:

1. token, request, key proofs: checked, nothing changes;
2. the nonces are used up;
3. claims are read, each read on the audit record;
4. one database transaction: issuance, status entries, anchor batch, digests;
5. signing;
6. the answer.

A crash after 4 leaves copies that nobody holds. The wallet asks again with the same token, gets a
fresh set, and the copies of the lost set are revoked as superseded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from identity.core.certificates import FixedChain
from identity.core.claim_rules import (
    ClaimsIncomplete,
    complete_claims,
    registered_names,
)
from identity.core.issuance import (
    Format,
    UnsignedCopy,
    configuration_id,
    draft_copy,
    expiry,
    parse_configuration_id,
    sign_copy,
)
from identity.core.key_proof import ProvenKey
from identity.core.mandate import needs_principal
from identity.core.offers import SecretMalformed, new_secret, secret_digest
from identity.core.oid4vci_errors import (
    CredentialRequestDenied,
    InvalidCredentialRequest,
    InvalidNonce,
    InvalidNotificationId,
    InvalidNotificationRequest,
    InvalidProof,
    InvalidTransactionId,
    UnknownCredentialConfiguration,
    UnknownCredentialIdentifier,
)
from identity.issuer.flow_records import Deferred
from identity.issuer.key_proofs import ProvenKeys, proven_keys
from identity.issuer.mandates import principal_claims
from identity.issuer.parts import IssuerParts
from identity.issuer.records import AccessToken, DeliveryState, NewCopy, Placement, Review
from identity.issuer.status import StatusPublisher
from identity.issuer.stores import DeliveryRequest, NoOpenGroup
from registry.core.encoding import (
    JsonObject,
    base64url_encode,
    canonical_json,
    parse_json,
    parse_json_object,
)
from registry.core.keys import KeyType, parse_jwk
from registry.core.refusals import NotFound, Refusal

MAX_DELIVERIES = 5  # sets of one configuration under one offer; answers get lost, but not for ever
POLL_SECONDS = 5  # how soon a wallet may ask for deferred credentials again
_END_CLAIMS = ("expiry_date", "valid_until")  # a credential must not outlive what it certifies
_EVENTS = {
    "credential_accepted": DeliveryState.ACCEPTED,
    "credential_failure": DeliveryState.FAILED,
    "credential_deleted": DeliveryState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A credential response."""

    credentials: tuple[str | JsonObject, ...]
    notification_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The agency has still to decide; the wallet asks again after `interval` seconds."""

    transaction_id: str
    interval: int = POLL_SECONDS


class CredentialDesk:
    """Issues credentials to wallets."""

    def __init__(self, parts: IssuerParts, publisher: StatusPublisher) -> None:
        self._parts = parts
        self._publisher = publisher

    def issue(
        self, slug: str, token: AccessToken, request: Mapping[str, Any], *, now: datetime
    ) -> Delivered | Postponed:
        """Answer a credential request; members we do not know are ignored.

        Raises:
            Refusal: those of `identity.core.oid4vci_errors`, and of the stores and neighbours.
        """
        parts = self._parts
        agency = parts.agency(slug)
        form = _requested_format(token, request)  # 1
        kind = parts.issued_type(agency, token.offer.credential_type)
        proven = proven_keys(
            request,
            audience=agency.issuer_url,
            client_id=token.client_id,
            demand=parts.options(slug).attestations.get(kind.name),
            now=now,
        )
        if form is Format.MSO_MDOC and any(
            holder.key.type is not KeyType.P256 for holder in proven.keys
        ):
            raise InvalidProof("an mdoc is bound to P-256 keys alone")
        review = self._review(slug, token)
        if review is Review.DENIED:
            raise CredentialRequestDenied("the agency decided not to issue this credential")
        self._use_nonces(slug, proven.nonces, now=now)  # 2
        if review is Review.WAITING:
            return self._postpone(slug, token, form, proven)
        return self._deliver(slug, token, form, proven.keys, now=now)

    def fetch(
        self, slug: str, token: AccessToken, request: Mapping[str, Any], *, now: datetime
    ) -> Delivered | Postponed:
        """Answer a deferred credential request (§9).

        Raises:
            InvalidTransactionId: this token has no such transaction, or it was fetched.
            CredentialRequestDenied: the agency decided against it.
            Refusal: as `issue`.
        """
        parts, identifier = self._parts, request.get("transaction_id")
        if not isinstance(identifier, str):
            raise InvalidCredentialRequest("transaction_id is missing, or no text")
        try:
            digest = secret_digest("deferred-transaction", identifier)
        except SecretMalformed as error:
            raise InvalidTransactionId("this token has no such transaction") from error
        waiting = parts.deferred.read(
            slug, digest, offer=token.offer.offer, now=int(now.timestamp())
        )
        if waiting is None:
            raise InvalidTransactionId("this token has no such transaction, or it was fetched")
        review = self._review(slug, token)
        if review is Review.WAITING:
            return Postponed(transaction_id=identifier)
        if review is Review.DENIED:
            raise CredentialRequestDenied("the agency decided not to issue this credential")
        if not parts.deferred.take(digest):
            raise InvalidTransactionId("this token has no such transaction, or it was fetched")
        _, form = parse_configuration_id(waiting.configuration)
        try:
            return self._deliver(slug, token, form, _kept_keys(waiting.keys), now=now)
        except Refusal:
            parts.deferred.put_back(digest)
            raise

    def _review(self, slug: str, token: AccessToken) -> Review:
        """What the agency decided.

        A mandate that an older release let it grant without naming the principal waits again:
        nothing but another decision can name her.
        """
        offer = token.offer
        if offer.review is Review.READY and offer.mandate is None:
            parts = self._parts
            kind = parts.issued_type(parts.agency(slug), offer.credential_type)
            if needs_principal(kind.claims):
                parts.deferred.reopen(slug, offer.offer)
                return Review.WAITING
        return offer.review

    def _postpone(
        self, slug: str, token: AccessToken, form: Format, proven: ProvenKeys
    ) -> Postponed:
        identifier = new_secret(self._parts.random)
        kept = self._parts.deferred.add(
            Deferred(
                digest=secret_digest("deferred-transaction", identifier),
                agency=slug,
                offer=token.offer.offer,
                configuration=configuration_id(token.offer.credential_type, form),
                keys=canonical_json(
                    [{"jwk": holder.key.jwk, "did": holder.did} for holder in proven.keys]
                ).decode("utf-8"),
                expires_at=token.expires_at,
            ),
            most=MAX_DELIVERIES,
        )
        if not kept:
            raise CredentialRequestDenied("this credential was requested too many times")
        return Postponed(transaction_id=identifier)

    def _deliver(
        self,
        slug: str,
        token: AccessToken,
        form: Format,
        holders: Sequence[ProvenKey],
        *,
        now: datetime,
    ) -> Delivered:
        """Steps 3 to 5 for keys that are proven."""
        parts = self._parts
        agency = parts.agency(slug)
        kind = parts.issued_type(agency, token.offer.credential_type)
        claims = complete_claims(  # 3
            kind,
            registered=parts.persons.claims(
                token.offer.subject,
                names=registered_names(kind),
                purpose="issue",
                actor=f"issuer:{slug}",
            ),
            supplied={
                "issuing_country": parts.issuing_country,
                **self._supplied(slug, token),
                **principal_claims(parts, slug, kind, token.offer.mandate),
            },
            now=now,
        )
        expires = _end(claims, expiry(now, parts.validity_of(kind.name)))
        if expires <= now:
            raise ClaimsIncomplete("what the credential would certify has ended")
        drafts: list[UnsignedCopy] = []

        def draft(placement: Placement) -> Sequence[NewCopy]:
            drafts[:] = [
                draft_copy(
                    form,
                    agency=agency,
                    credential_type=kind,
                    claims=claims,
                    holder=holder,
                    place=place,
                    batch=placement.batch,
                    network=parts.network,
                    now=now,
                    expires=expires,
                    random=parts.random,
                )
                for holder, place in zip(holders, placement.places, strict=True)
            ]
            return [
                NewCopy(
                    digest=copy.digest,
                    format=copy.format,
                    credential_id=copy.credential_id,
                    place=place,
                )
                for copy, place in zip(drafts, placement.places, strict=True)
            ]

        delivery = base64url_encode(parts.random(16))
        self._record(  # 4
            DeliveryRequest(
                agency=slug,
                issuance=token.offer.offer,
                subject=token.offer.subject,
                credential_type=kind.name,
                configuration=configuration_id(kind.name, form),
                delivery=delivery,
                copies=len(holders),
                anchored=True,
                max_deliveries=MAX_DELIVERIES,
                now=int(now.timestamp()),
                key=agency.jose.verification_method,
                mandate=token.offer.mandate,
            ),
            draft,
            now=now,
        )
        signing = replace(agency, certificates=FixedChain(agency.certificates.current()))
        return Delivered(  # 5
            credentials=tuple(
                sign_copy(copy, agency=signing, contexts=parts.contexts, now=now) for copy in drafts
            ),
            notification_id=delivery,
        )

    def notify(self, token: AccessToken, request: Mapping[str, Any]) -> None:
        """Take note of what the wallet did with a credential response. Safe to repeat.

        Raises:
            InvalidNotificationRequest, InvalidNotificationId: §11.3.
        """
        identifier, event = request.get("notification_id"), request.get("event")
        if not isinstance(identifier, str) or not isinstance(event, str):
            raise InvalidNotificationRequest("notification_id and event are required")
        if event not in _EVENTS:
            raise InvalidNotificationRequest("event is none of those defined")
        if not self._parts.issuances.record_event(token.offer.offer, identifier, _EVENTS[event]):
            raise InvalidNotificationId("this token has no such notification_id")

    def _record(self, request: DeliveryRequest, draft: Any, *, now: datetime) -> None:
        try:
            self._parts.issuances.record_delivery(request, draft)
        except NoOpenGroup:
            # No entry may be handed out before its list is on the ledger and can be read.
            self._publisher.ensure_open_group(request.agency, room=request.copies, now=now)
            self._parts.issuances.record_delivery(request, draft)

    def _use_nonces(self, slug: str, nonces: Iterable[str], *, now: datetime) -> None:
        try:
            digests = {secret_digest("c-nonce", nonce) for nonce in nonces}
        except SecretMalformed as error:
            raise InvalidNonce("a key proof has a nonce that is not ours") from error
        if not self._parts.offers.use_nonces(slug, "c-nonce", digests, now=int(now.timestamp())):
            raise InvalidNonce("a key proof has a nonce that is unknown, used or expired")

    def _supplied(self, slug: str, token: AccessToken) -> JsonObject:
        if token.offer.claims_ref is None:
            return {}
        return parse_json_object(
            self._parts.vault.open(token.offer.claims_ref, purpose="issue", actor=f"issuer:{slug}")
        )


def _requested_format(token: AccessToken, request: Mapping[str, Any]) -> Format:
    """Which configuration is asked for; it must be one of the offer's."""
    configuration = request.get("credential_configuration_id")
    identifier = request.get("credential_identifier")
    if (configuration is None) == (identifier is None):
        raise InvalidCredentialRequest(
            "one of credential_configuration_id and credential_identifier is required"
        )
    name = configuration if identifier is None else identifier
    unknown = UnknownCredentialConfiguration if identifier is None else UnknownCredentialIdentifier
    if not isinstance(name, str):
        raise InvalidCredentialRequest("the credential to be issued is not named by a string")
    if identifier is not None and not token.with_identifiers:
        raise UnknownCredentialIdentifier("the token response named no credential identifiers")
    try:
        type_name, form = parse_configuration_id(name)
    except NotFound as error:
        raise unknown("no such credential configuration") from error
    if name not in token.configurations or type_name != token.offer.credential_type:
        raise unknown("this access token does not cover that credential")
    return form


def _kept_keys(text: str) -> tuple[ProvenKey, ...]:
    kept = parse_json(text)
    assert isinstance(kept, list)
    return tuple(ProvenKey(key=parse_jwk(item["jwk"]), did=item["did"], nonce="") for item in kept)


def _end(claims: Mapping[str, Any], latest: datetime) -> datetime:
    ends = [latest]
    for name in _END_CLAIMS:
        if name in claims:
            day = date.fromisoformat(claims[name])  # the schema made sure of the form
            ends.append(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))
    return min(ends)

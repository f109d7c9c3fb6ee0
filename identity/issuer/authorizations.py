"""Authorization requests from the push to the code (OpenID4VCI 1.0 §5, RFC 9126).

1. The wallet pushes its request; a DPoP key that it names or proves there binds the code.
2. The browser opens the page; the first browser that comes has the request.
3. The citizen identifies herself, with bounded tries, or declines.
4. The answer goes to the wallet: a code for one minute, `iss`, and the wallet's `state`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.core.authorization import (
    CODE_SECONDS,
    MAX_TRIES,
    REQUEST_SECONDS,
    REQUEST_URI_PREFIX,
    AuthorizationRequest,
    answer_uri,
    parse_details,
    parse_request,
)
from identity.core.claim_rules import missing_from_agency
from identity.core.issuance import Format, configuration_id, parse_configuration_id
from identity.core.mandate import needs_principal
from identity.core.offers import SecretMalformed, new_secret, secret_digest
from identity.core.oid4vci_errors import (
    InvalidRequest,
    InvalidRequestUri,
    InvalidScope,
)
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.flow_records import Authorization, Stage
from identity.issuer.identification import CitizenIdentification, NotIdentified
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Offer, OfferState, Review
from registry.core.encoding import JsonObject, base64url_encode

GRANTED_OFFER_SECONDS = 15 * 60  # for a wallet that came without an offer


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the browser goes now, or None: the answers were wrong, and may be tried again."""

    redirect: str | None


class AuthorizationDesk:
    """Takes pushed requests and turns an identified citizen into a code."""

    def __init__(
        self, parts: IssuerParts, dpop: DpopDesk, identification: CitizenIdentification
    ) -> None:
        self._parts = parts
        self._dpop = dpop
        self._identification = identification

    def push(
        self,
        slug: str,
        form: Mapping[str, str],
        *,
        dpop: str | None,
        attested: bool = False,
        now: datetime,
    ) -> JsonObject:
        """Keep a request (RFC 9126 §2.1); the answer names it.

        Args:
            attested: whether the wallet proved itself by an attestation of its provider.

        Raises:
            InvalidRequest, UnsupportedResponseType, InvalidTarget: as `parse_request`.
            InvalidScope, InvalidAuthorizationDetails: no one credential type is meant.
            InvalidDpopProof, UseDpopNonce: the proof beside it does not do.
        """
        agency = self._parts.agency(slug)
        request = parse_request(form, issuer_url=agency.issuer_url)
        offer = self._offer_of(slug, request, now=now)
        configurations = self._configurations(slug, request, offer)
        type_name, _ = parse_configuration_id(configurations[0])
        secret = new_secret(self._parts.random)
        self._parts.authorizations.add(
            Authorization(
                request_digest=secret_digest("authorization-request", secret),
                agency=slug,
                client_id=request.client_id,
                redirect_uri=request.redirect_uri,
                state=request.state,
                code_challenge=request.code_challenge,
                credential_type=type_name,
                configurations=configurations,
                with_identifiers=request.authorization_details is not None,
                offer=None if offer is None else offer.offer,
                dpop_thumbprint=self._bound(slug, request, dpop, now=now),
                attested=attested,
                browser_digest=None,
                stage=Stage.PUSHED,
                tries=0,
                granted_offer=None,
                expires_at=int(now.timestamp()) + REQUEST_SECONDS,
            )
        )
        return {"request_uri": f"{REQUEST_URI_PREFIX}{secret}", "expires_in": REQUEST_SECONDS}

    def open(
        self, slug: str, request_uri: str, *, client_id: str | None, browser: str, now: datetime
    ) -> Authorization:
        """The request that a browser shows; `client_id` is None once the page is open.

        Raises:
            InvalidRequestUri: unknown, expired, answered, of another client, or in another browser.
        """
        self._parts.agency(slug)
        try:
            found = self._parts.authorizations.open(
                slug,
                secret_digest(
                    "authorization-request", request_uri.removeprefix(REQUEST_URI_PREFIX)
                ),
                browser=secret_digest("authorization-browser", browser),
                now=int(now.timestamp()),
            )
        except SecretMalformed as error:
            raise InvalidRequestUri(_GONE) from error
        if found is None or client_id not in (None, found.client_id):
            raise InvalidRequestUri(_GONE)
        return found

    def elsewhere(self, slug: str) -> str | None:
        """Where the browser goes to identify the citizen, where that is not our page."""
        return self._identification.elsewhere(slug)

    def identify(
        self,
        slug: str,
        authorization: Authorization,
        answers: Mapping[str, str],
        *,
        now: datetime,
    ) -> Answer:
        """Identify the citizen and grant the request, or count a wrong answer.

        Raises:
            InvalidRequestUri: the request was answered meanwhile.
            Unavailable: it cannot be found out now; nothing was decided.
        """
        store = self._parts.authorizations
        if not store.count_try(authorization.request_digest, most=MAX_TRIES):
            return self.decline(slug, authorization, why="too many wrong answers")
        try:
            subject = self._identification.identify(slug, answers, now=now)
        except NotIdentified:
            if authorization.tries + 1 >= MAX_TRIES:
                return self.decline(slug, authorization, why="too many wrong answers")
            return Answer(None)
        return self._grant(slug, authorization, subject, now=now)

    def decline(self, slug: str, authorization: Authorization, *, why: str) -> Answer:
        """Answer `access_denied` (RFC 6749 §4.1.2.1).

        Raises:
            InvalidRequestUri: the request was answered meanwhile.
        """
        if not self._parts.authorizations.end(authorization.request_digest):
            raise InvalidRequestUri(_GONE)
        return Answer(
            answer_uri(
                authorization.redirect_uri,
                issuer_url=self._parts.agency(slug).issuer_url,
                state=authorization.state,
                error="access_denied",
                error_description=why,
            )
        )

    def _grant(
        self, slug: str, authorization: Authorization, subject: str, *, now: datetime
    ) -> Answer:
        parts, seconds = self._parts, int(now.timestamp())
        new_offer: Offer | None = None
        if authorization.offer is not None:
            offered = parts.offers.read_offer(slug, authorization.offer)
            if offered is None or not _alive(offered, now) or offered.subject != subject:
                return self.decline(slug, authorization, why="the offer is for somebody else")
            granted = offered.offer
        else:
            new_offer = self._new_offer(slug, authorization, subject, now=now)
            granted = new_offer.offer
        code = new_secret(parts.random)
        if not parts.authorizations.grant(
            authorization.request_digest,
            code_digest=secret_digest("authorization-code", code),
            new_offer=new_offer,
            offer=granted,
            expires_at=seconds + CODE_SECONDS,
        ):
            raise InvalidRequestUri(_GONE)
        return Answer(
            answer_uri(
                authorization.redirect_uri,
                issuer_url=parts.agency(slug).issuer_url,
                state=authorization.state,
                code=code,
            )
        )

    def _new_offer(
        self, slug: str, authorization: Authorization, subject: str, *, now: datetime
    ) -> Offer:
        """What the code stands for when the wallet came by itself.

        Where the agency has to say more than the register knows, it decides before anything is
        issued.
        """
        parts, seconds = self._parts, int(now.timestamp())
        kind = parts.issued_type(parts.agency(slug), authorization.credential_type)
        waits = bool(missing_from_agency(kind, {})) or needs_principal(kind.claims)
        return Offer(
            offer=base64url_encode(parts.random(16)),
            agency=slug,
            subject=subject,
            credential_type=kind.name,
            formats=tuple(parse_configuration_id(name)[1] for name in authorization.configurations),
            reference_digest=parts.random(32),  # nothing leads to it: there is no link
            code_digest=parts.random(32),
            tx_digest=None,
            claims_ref=None,
            state=OfferState.OFFERED,
            created_at=seconds,
            expires_at=seconds + GRANTED_OFFER_SECONDS,
            pre_authorized=False,
            review=Review.WAITING if waits else Review.NONE,
        )

    def _offer_of(self, slug: str, request: AuthorizationRequest, *, now: datetime) -> Offer | None:
        if request.issuer_state is None:
            return None
        try:
            digest = secret_digest("issuer-state", request.issuer_state)
        except SecretMalformed as error:
            raise InvalidRequest("issuer_state is not ours") from error
        offer = self._parts.offers.offer_by_issuer_state(slug, digest)
        if offer is None or not _alive(offer, now):
            raise InvalidRequest("issuer_state belongs to no offer, or to one that has ended")
        return offer

    def _configurations(
        self, slug: str, request: AuthorizationRequest, offer: Offer | None
    ) -> tuple[str, ...]:
        """Configurations that are meant: by scope, by details, else all of the offer's."""
        agency = self._parts.agency(slug)
        issued = [
            configuration_id(name, form) for name in agency.credential_types for form in Format
        ]
        offered = issued
        if offer is not None:
            offered = [configuration_id(offer.credential_type, form) for form in offer.formats]
        asked = [name for name in request.scopes if name in issued]  # unknown ones are ignored
        if request.authorization_details is not None:
            asked += parse_details(
                request.authorization_details, allowed=issued, issuer_url=agency.issuer_url
            )
        if not asked:
            if offer is None or request.scopes:
                raise InvalidScope("scope names no credential that is issued here")
            asked = offered
        chosen = tuple(dict.fromkeys(asked))
        if not set(chosen) <= set(offered):
            raise InvalidScope("scope names a credential that was not offered")
        if len({parse_configuration_id(name)[0] for name in chosen}) != 1:
            raise InvalidScope("one request is for one type of credential")
        return chosen

    def _bound(
        self, slug: str, request: AuthorizationRequest, dpop: str | None, *, now: datetime
    ) -> str | None:
        """The key that the code is bound to (RFC 9449 §10.1)."""
        if dpop is None:
            return request.dpop_jkt
        proven = self._dpop.check(slug, dpop, path="/par", token=None, now=now).thumbprint
        if request.dpop_jkt not in (None, proven):
            raise InvalidRequest("dpop_jkt is not the key of the DPoP proof")
        return proven


_GONE = "this request is unknown, expired or answered, or another browser has it"


def _alive(offer: Offer, now: datetime) -> bool:
    return offer.state is OfferState.OFFERED and offer.expires_at > int(now.timestamp())

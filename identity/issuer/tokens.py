"""The token endpoint, and what a token entitles to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from identity.core.authorization import check_verifier, parse_details
from identity.core.offers import (
    AUTHORIZATION_CODE,
    PRE_AUTHORIZED,
    SecretMalformed,
    new_secret,
    secret_digest,
    tx_code_digest,
)
from identity.core.oid4vci_errors import (
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    InvalidTarget,
    InvalidToken,
    UnsupportedGrantType,
)
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.flow_records import Stage
from identity.issuer.parts import IssuerParts
from identity.issuer.records import AccessToken, Offer, Review
from registry.core.encoding import JsonObject

TOKEN_SECONDS = 15 * 60  # time for a wallet to make keys and to ask again when an answer was lost
DEFERRED_TOKEN_SECONDS = 14 * 24 * 3600  # time for an agency to decide
NONCE_SECONDS = 5 * 60

_CHALLENGE = re.compile(r"(?i:(Bearer|DPoP)) +([A-Za-z0-9._~+/-]+=*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """What came in the `Authorization` and `DPoP` headers."""

    scheme: str  # "bearer" or "dpop"
    token: str
    dpop: str | None


class TokenDesk:
    """Exchanges codes for tokens, hands out nonces, recognises tokens."""

    def __init__(self, parts: IssuerParts, dpop: DpopDesk) -> None:
        self._parts = parts
        self._dpop = dpop

    def redeem(
        self,
        slug: str,
        form: Mapping[str, str],
        *,
        dpop: str | None,
        attested: str | None = None,
        now: datetime,
    ) -> JsonObject:
        """Answer a token request (OpenID4VCI 1.0 §6.1); parameters we do not know are ignored.

        Args:
            attested: the client that proved itself by an attestation of its provider; such a
                request need not have a `client_id` (RFC 6749 §4.1.3).

        Raises:
            UnsupportedGrantType, InvalidRequest, InvalidGrant, InvalidDpopProof: RFC 6749 §5.2.
            InvalidAuthorizationDetails: they name what was not authorized.
            InvalidClient: an attested wallet pushed the request, and this one is none.
            InvalidTarget: `resource` is another issuer (RFC 8707 §2).
            UseDpopNonce: RFC 9449 §8.
        """
        self._parts.agency(slug)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise InvalidRequest("grant_type is missing")
        if grant_type == PRE_AUTHORIZED:
            return self._redeem_pre_authorized(slug, form, dpop=dpop, now=now)
        if grant_type == AUTHORIZATION_CODE:
            return self._redeem_code(slug, form, dpop=dpop, attested=attested, now=now)
        raise UnsupportedGrantType("only authorization codes and pre-authorized codes are taken")

    def _redeem_pre_authorized(
        self, slug: str, form: Mapping[str, str], *, dpop: str | None, now: datetime
    ) -> JsonObject:
        seconds = int(now.timestamp())
        code = form.get("pre-authorized_code")
        if not code:
            raise InvalidRequest("pre-authorized_code is missing")
        try:
            code_digest = secret_digest("pre-authorized-code-digest", code)
        except SecretMalformed as error:
            raise InvalidGrant("the pre-authorized code is not valid") from error
        offer = self._parts.offers.offer_by_code(slug, code_digest)
        if offer is None:
            raise InvalidGrant("the pre-authorized code is not valid")
        tx_digest = self._tx_digest(offer, code, form)
        self._refuse_other_resource(slug, form)
        details = self._details(slug, form, authorized=offer.configurations)
        bound = self._bound(slug, dpop, now=now, wanted=offer.dpop_thumbprint, what="offer")
        token, kept = self._new_token(
            offer,
            configurations=offer.configurations,
            details=details,
            bound=bound,
            client_id=None,
            seconds=seconds,
        )
        redeemed = self._parts.offers.redeem(
            slug, code_digest, tx_digest=tx_digest, token=kept, now=seconds
        )
        if not redeemed:
            # One text for all reasons: a guesser must not learn whether the code is still alive.
            raise InvalidGrant("the code is used or expired, or the transaction code is wrong")
        return _token_answer(token, kept, details=details, seconds=seconds)

    def _redeem_code(
        self,
        slug: str,
        form: Mapping[str, str],
        *,
        dpop: str | None,
        attested: str | None,
        now: datetime,
    ) -> JsonObject:
        """Everything about the request is checked before the code is used up."""
        seconds, store = int(now.timestamp()), self._parts.authorizations
        code = form.get("code")
        if not code:
            raise InvalidRequest("code is missing")
        try:
            digest = secret_digest("authorization-code", code)
        except SecretMalformed as error:
            raise InvalidGrant("the authorization code is not valid") from error
        granted = store.by_code(slug, digest)
        if granted is None or granted.granted_offer is None:
            raise InvalidGrant("the authorization code is not valid")
        if granted.stage is Stage.USED:
            store.revoke(slug, digest)
            raise InvalidGrant("the authorization code was used before; its tokens are revoked")
        if form.get("client_id", attested) != granted.client_id:
            raise InvalidGrant("the code belongs to another client_id")
        if granted.attested and attested is None:
            raise InvalidClient("an attested wallet asked for this code")
        if form.get("redirect_uri") != granted.redirect_uri:
            raise InvalidGrant("redirect_uri is not the one of the authorization request")
        check_verifier(granted.code_challenge, form.get("code_verifier"))
        self._refuse_other_resource(slug, form)
        bound = self._bound(slug, dpop, now=now, wanted=granted.dpop_thumbprint, what="code")
        offer = self._parts.offers.read_offer(slug, granted.granted_offer)
        if offer is None:
            raise InvalidGrant("the authorization has ended")
        _check_key(bound, wanted=offer.dpop_thumbprint, what="offer")
        details = self._details(slug, form, authorized=granted.configurations)
        if details is None and granted.with_identifiers:
            details = granted.configurations
        token, kept = self._new_token(
            offer,
            configurations=granted.configurations,
            details=details,
            bound=bound,
            client_id=granted.client_id,
            seconds=seconds,
        )
        if not store.exchange(slug, digest, token=kept, now=seconds):
            raise InvalidGrant("the authorization code is used or expired, or its offer has ended")
        return _token_answer(token, kept, details=details, seconds=seconds)

    def _details(
        self, slug: str, form: Mapping[str, str], *, authorized: Sequence[str]
    ) -> tuple[str, ...] | None:
        text = form.get("authorization_details")
        if text is None:
            return None
        return parse_details(
            text, allowed=authorized, issuer_url=self._parts.agency(slug).issuer_url
        )

    def _refuse_other_resource(self, slug: str, form: Mapping[str, str]) -> None:
        url = self._parts.agency(slug).issuer_url
        if form.get("resource", url) != url:  # RFC 8707 §2.2
            raise InvalidTarget("resource is not this credential issuer")

    def _bound(
        self, slug: str, dpop: str | None, *, now: datetime, wanted: str | None, what: str
    ) -> str | None:
        """The key that proved itself; `wanted` is the one that `what` was made for, if any."""
        bound = None
        if dpop is not None:
            bound = self._dpop.check(slug, dpop, path="/token", token=None, now=now).thumbprint
        elif self._parts.options(slug).dpop_required:
            raise InvalidDpopProof("this agency issues to DPoP keys only: a proof is required")
        _check_key(bound, wanted=wanted, what=what)
        return bound

    def _new_token(
        self,
        offer: Offer,
        *,
        configurations: tuple[str, ...],
        details: tuple[str, ...] | None,
        bound: str | None,
        client_id: str | None,
        seconds: int,
    ) -> tuple[str, AccessToken]:
        """A token for what was authorized; details in the token request narrow it (§6.1.1)."""
        token = new_secret(self._parts.random)
        lasts = TOKEN_SECONDS if offer.review is Review.NONE else DEFERRED_TOKEN_SECONDS
        return token, AccessToken(
            digest=secret_digest("access-token", token),
            offer=offer,
            configurations=configurations if details is None else details,
            with_identifiers=details is not None,
            dpop_thumbprint=bound,
            expires_at=seconds + lasts,
            client_id=client_id,
        )

    def nonce(self, slug: str, *, now: datetime) -> str:
        """A fresh `c_nonce` (§7)."""
        self._parts.agency(slug)
        nonce = new_secret(self._parts.random)
        self._parts.offers.add_nonce(
            slug,
            "c-nonce",
            secret_digest("c-nonce", nonce),
            expires_at=int(now.timestamp()) + NONCE_SECONDS,
        )
        return nonce

    def recognise(
        self, slug: str, presented: PresentedToken, *, path: str, now: datetime
    ) -> AccessToken:
        """The token behind a protected request.

        Args:
            slug: the agency.
            presented: see `parse_authorization`.
            path: path of the endpoint below the issuer, `/credential`.
            now: current time.

        Raises:
            InvalidToken: unknown, expired, or presented in another way than it was issued for.
            InvalidDpopProof, UseDpopNonce: the proof beside it does not do.
        """
        self._parts.agency(slug)
        try:
            digest = secret_digest("access-token", presented.token)
        except SecretMalformed as error:
            raise InvalidToken("the access token is not valid") from error
        token = self._parts.offers.read_token(slug, digest, now=int(now.timestamp()))
        if token is None:
            raise InvalidToken("the access token is not valid, or has expired")
        if (presented.scheme == "dpop") != (token.dpop_thumbprint is not None):
            raise InvalidToken("the access token is of another type than its presentation")
        if token.dpop_thumbprint is not None:
            if presented.dpop is None:
                raise InvalidDpopProof("a DPoP proof is required with this token")
            bound = self._dpop.check(
                slug, presented.dpop, path=path, token=presented.token, now=now
            )
            if bound.thumbprint != token.dpop_thumbprint:
                raise InvalidToken("the access token is bound to another key")
        return token

    @staticmethod
    def _tx_digest(offer: Offer, code: str, form: Mapping[str, str]) -> bytes | None:
        # `user_pin` is what drafts called it; some wallets send both.
        sent = {form[name] for name in ("tx_code", "user_pin") if form.get(name)}
        if len(sent) > 1:
            raise InvalidRequest("tx_code and user_pin differ")
        if offer.tx_digest is None:
            if sent:
                raise InvalidRequest("this offer has no transaction code")
            return None
        if not sent:
            raise InvalidRequest("tx_code is missing")
        try:
            return tx_code_digest(code, sent.pop())
        except SecretMalformed:
            return b""  # counts as a wrong try


def parse_authorization(header: str | None, dpop: list[str]) -> PresentedToken:
    """Read the `Authorization` header, and the `DPoP` headers beside it.

    Raises:
        InvalidToken: missing, another scheme, or more than one DPoP proof.
    """
    match = _CHALLENGE.fullmatch(header or "")
    if match is None:
        raise InvalidToken("an access token is required")
    if len(dpop) > 1:
        raise InvalidDpopProof("more than one DPoP proof")
    return PresentedToken(
        scheme=match.group(1).lower(), token=match.group(2), dpop=dpop[0] if dpop else None
    )


def _check_key(bound: str | None, *, wanted: str | None, what: str) -> None:
    if wanted is None:
        return
    if bound is None:
        raise InvalidDpopProof(f"the {what} is bound to a DPoP key: a proof is required")
    if bound != wanted:
        raise InvalidDpopProof(f"the {what} is bound to another DPoP key")


def _detail(name: str) -> JsonObject:
    return {
        "type": "openid_credential",
        "credential_configuration_id": name,
        "credential_identifiers": [name],
    }


def _token_answer(
    token: str, kept: AccessToken, *, details: Sequence[str] | None, seconds: int
) -> JsonObject:
    answer: JsonObject = {
        "access_token": token,
        "token_type": "Bearer" if kept.dpop_thumbprint is None else "DPoP",
        "expires_in": kept.expires_at - seconds,
    }
    if details is not None:
        # Each configuration has one data set, itself (§6.2).
        answer["authorization_details"] = [_detail(name) for name in details]
    return answer

"""The token endpoint, and what a token entitles to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.core.dpop import WINDOW_SECONDS, VerifiedDpop, verify_dpop
from identity.core.issuance import configuration_id
from identity.core.offers import (
    PRE_AUTHORIZED,
    SecretMalformed,
    new_secret,
    secret_digest,
    tx_code_digest,
)
from identity.core.oid4vci_errors import (
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    UnsupportedGrantType,
)
from identity.issuer.parts import IssuerParts
from identity.issuer.records import AccessToken, Offer
from registry.core.encoding import JsonObject, parse_json
from registry.core.refusals import Malformed

TOKEN_SECONDS = 15 * 60  # time for a wallet to make keys and to ask again when an answer was lost
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

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def redeem(
        self, slug: str, form: Mapping[str, str], *, dpop: str | None, now: datetime
    ) -> JsonObject:
        """Answer a token request (OpenID4VCI 1.0 §6.1); parameters we do not know are ignored.

        Raises:
            UnsupportedGrantType, InvalidRequest, InvalidGrant, InvalidDpopProof: RFC 6749 §5.2.
        """
        parts, agency, seconds = self._parts, self._parts.agency(slug), int(now.timestamp())
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise InvalidRequest("grant_type is missing")
        if grant_type != PRE_AUTHORIZED:
            raise UnsupportedGrantType("only the pre-authorized code grant is supported")
        code = form.get("pre-authorized_code")
        if not code:
            raise InvalidRequest("pre-authorized_code is missing")
        try:
            code_digest = secret_digest("pre-authorized-code-digest", code)
        except SecretMalformed as error:
            raise InvalidGrant("the pre-authorized code is not valid") from error
        offer = parts.offers.offer_by_code(slug, code_digest)
        if offer is None:
            raise InvalidGrant("the pre-authorized code is not valid")
        tx_digest = self._tx_digest(offer, code, form)
        details = _authorization_details(offer, form.get("authorization_details"))
        bound = None
        if dpop is not None:
            bound = self._check_dpop(
                slug, dpop, url=f"{agency.issuer_url}/token", token=None, seconds=seconds
            )
        token = new_secret(parts.random)
        redeemed = parts.offers.redeem(
            slug,
            code_digest,
            tx_digest=tx_digest,
            token=AccessToken(
                digest=secret_digest("access-token", token),
                offer=offer,
                with_identifiers=details is not None,
                dpop_thumbprint=None if bound is None else bound.thumbprint,
                expires_at=seconds + TOKEN_SECONDS,
            ),
            now=seconds,
        )
        if not redeemed:
            # One text for all reasons: a guesser must not learn whether the code is still alive.
            raise InvalidGrant("the code is used or expired, or the transaction code is wrong")
        answer: JsonObject = {
            "access_token": token,
            "token_type": "Bearer" if bound is None else "DPoP",
            "expires_in": TOKEN_SECONDS,
        }
        if details is not None:
            answer["authorization_details"] = details
        return answer

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
            InvalidDpopProof: the proof beside it does not verify.
        """
        agency, seconds = self._parts.agency(slug), int(now.timestamp())
        try:
            digest = secret_digest("access-token", presented.token)
        except SecretMalformed as error:
            raise InvalidToken("the access token is not valid") from error
        token = self._parts.offers.read_token(slug, digest, now=seconds)
        if token is None:
            raise InvalidToken("the access token is not valid, or has expired")
        if (presented.scheme == "dpop") != (token.dpop_thumbprint is not None):
            raise InvalidToken("the access token is of another type than its presentation")
        if token.dpop_thumbprint is not None:
            if presented.dpop is None:
                raise InvalidDpopProof("a DPoP proof is required with this token")
            bound = self._check_dpop(
                slug,
                presented.dpop,
                url=f"{agency.issuer_url}{path}",
                token=presented.token,
                seconds=seconds,
            )
            if bound.thumbprint != token.dpop_thumbprint:
                raise InvalidToken("the access token is bound to another key")
        return token

    def _check_dpop(
        self, slug: str, proof: str, *, url: str, token: str | None, seconds: int
    ) -> VerifiedDpop:
        verified = verify_dpop(proof, method="POST", url=url, access_token=token, now=seconds)
        fresh = self._parts.offers.claim_nonce(
            slug, "dpop-jti", verified.replay_digest, expires_at=seconds + 2 * WINDOW_SECONDS
        )
        if not fresh:
            raise InvalidDpopProof("DPoP proof: it was used before")
        return verified

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


def _authorization_details(offer: Offer, text: str | None) -> list[JsonObject] | None:
    """Answer `authorization_details` (§6.2): each configuration has one data set, itself."""
    if text is None:
        return None
    try:
        asked = parse_json(text, max_bytes=1 << 14, max_depth=8)
    except Malformed as error:
        raise InvalidRequest("authorization_details is no JSON") from error
    offered = {configuration_id(offer.credential_type, form) for form in offer.formats}
    answer: list[JsonObject] = []
    if not isinstance(asked, list) or not 1 <= len(asked) <= len(offered):
        raise InvalidRequest("authorization_details asks for nothing, or for too much")
    for detail in asked:
        if not isinstance(detail, dict) or detail.get("type") != "openid_credential":
            raise InvalidRequest("authorization_details has another type than openid_credential")
        name = detail.get("credential_configuration_id")
        if name not in offered:
            raise InvalidRequest("authorization_details names what was not offered")
        answer.append(
            {
                "type": "openid_credential",
                "credential_configuration_id": name,
                "credential_identifiers": [name],
            }
        )
    return answer

"""SD-JWT based Verifiable Credentials (draft-ietf-oauth-sd-jwt-vc), on top of `sd_jwt`."""

import math
from dataclasses import dataclass
from typing import Any

from identity.core.credential_digest import ANCHOR
from identity.core.date_time import NotValidNow
from identity.core.sd_jwt import UnverifiedSdJwt, VerifiedSdJwt, verify_sd_jwt
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey, parse_jwk
from registry.core.refusals import Malformed

TYP = "dc+sd-jwt"
ACCEPTED_TYPS = (TYP, "vc+sd-jwt")  # the second is what the drafts up to 06 wrote; never issued

# Section 3.2.2.2 keeps these out of disclosures, and our own `anchor` with them: a holder who could
# leave out `exp` or `status` would decide how long a credential lives.
NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", ANCHOR})
_NOT_ABOUT_THE_SUBJECT = NEVER_DISCLOSED | {"iat"}
_MAX_TEXT_CHARS = 2_048


class SdJwtVcMalformed(Malformed):
    """A claim that the credential needs is missing, of the wrong type, or hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedClaims:
    """Enough to look for the issuer's key, and to be believed only after that."""

    issuer: str
    vct: str
    key_id: str | None  # `kid` of the header


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSdJwtVc:
    """A credential whose signature, disclosures and form are in order. Times are unix seconds.

    `sd_jwt.payload` is the content that is anchored (`credential_digest`, `anchor_claim`).
    """

    sd_jwt: VerifiedSdJwt
    issuer: str
    vct: str
    claims: JsonObject  # what is disclosed about the subject; no registered claims
    holder_key: PublicKey | None  # `cnf.jwk`
    issued_at: int | None
    not_before: int | None
    expires_at: int | None
    status: dict[str, Any] | None


def vc_payload(
    *,
    issuer: str,
    vct: str,
    holder_key: PublicKey,
    issued_at: int,
    expires_at: int,
    sd_payload: JsonObject,
    status: JsonObject | None = None,
    anchor: JsonObject | None = None,
    not_before: int | None = None,
) -> JsonObject:
    """Claims of a credential; sign them with `issue_sd_jwt` and a header with `typ` and `kid`.

    Raises:
        SdJwtVcMalformed: `sd_payload` (from `make_disclosures`) has a registered claim.
    """
    payload: JsonObject = {
        "iss": issuer,
        "vct": vct,
        "iat": issued_at,
        "exp": expires_at,
        "cnf": {"jwk": holder_key.jwk},
    }
    for name, value in (("nbf", not_before), ("status", status), (ANCHOR, anchor)):
        if value is not None:
            payload[name] = value
    if _NOT_ABOUT_THE_SUBJECT & set(sd_payload):
        raise SdJwtVcMalformed("claims about the subject have the name of a registered claim")
    return {**payload, **sd_payload}


def read_unverified(unverified: UnverifiedSdJwt) -> UnverifiedClaims:
    """Read who claims to have issued what, to find a key with which to check it.

    Raises:
        SdJwtVcMalformed: `iss` or `vct` missing or no text, or a `kid` that is no text.
    """
    payload = unverified.jws.claims
    key_id = unverified.jws.header.get("kid")
    return UnverifiedClaims(
        issuer=_text(payload, "iss"),
        vct=_text(payload, "vct"),
        key_id=None if key_id is None else _text(unverified.jws.header, "kid"),
    )


def verify_sd_jwt_vc(unverified: UnverifiedSdJwt, *, key: PublicKey) -> VerifiedSdJwtVc:
    """Check signature, disclosures and form.

    Says nothing about time (`check_validity`), status, or who presents (`verify_key_binding`).

    Raises:
        SdJwtVcMalformed: a required claim is missing or of the wrong type, a registered one came by
            a disclosure, or it is a W3C credential.
        KeyNotAdmitted: `cnf.jwk` is no key that we admit.
        As `verify_sd_jwt`.
    """
    sd_jwt = verify_sd_jwt(unverified, key=key, typ=ACCEPTED_TYPS)
    if any(path[0] in NEVER_DISCLOSED for path in sd_jwt.disclosed):
        raise SdJwtVcMalformed("a registered claim was selectively disclosed")
    claims = sd_jwt.claims
    if sd_jwt.header["typ"] != TYP and "@context" in claims:
        # W3C credentials have that type by now (VC-JOSE-COSE §3.2), and are told apart by this.
        raise SdJwtVcMalformed("a W3C credential in an SD-JWT is no SD-JWT VC")
    status = claims.get("status")
    if "status" in claims and not isinstance(status, dict):
        raise SdJwtVcMalformed("status is not an object")
    return VerifiedSdJwtVc(
        sd_jwt=sd_jwt,
        issuer=_text(claims, "iss"),
        vct=_text(claims, "vct"),
        claims={
            name: value for name, value in claims.items() if name not in _NOT_ABOUT_THE_SUBJECT
        },
        holder_key=_holder_key(claims),
        issued_at=_seconds(claims, "iat"),
        not_before=_seconds(claims, "nbf"),
        expires_at=_seconds(claims, "exp"),
        status=status,
    )


def check_validity(credential: VerifiedSdJwtVc, *, now: int, leeway_seconds: int) -> None:
    """Check `iat`, `nbf` and `exp` against the clock (RFC 7519 §4.1).

    Raises:
        NotValidNow: issued in the future, not valid yet, or expired.
    """
    for start in (credential.issued_at, credential.not_before):
        if start is not None and start > now + leeway_seconds:
            raise NotValidNow("credential is not valid yet")
    if credential.expires_at is not None and credential.expires_at <= now - leeway_seconds:
        raise NotValidNow("credential has expired")


def _holder_key(claims: JsonObject) -> PublicKey | None:
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict) or "jwk" not in confirmation:
        raise SdJwtVcMalformed("cnf has no jwk")
    return parse_jwk(confirmation["jwk"])


def _text(claims: JsonObject, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT_CHARS:
        raise SdJwtVcMalformed(f"{name} is missing, no text, or too long")
    return value


def _seconds(claims: JsonObject, name: str) -> int | None:
    """A NumericDate (RFC 7519 §2), cut to the second."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise SdJwtVcMalformed(f"{name} is no date in seconds")
    return math.floor(value)

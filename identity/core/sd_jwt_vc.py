"""SD-JWT VC: signatures first; bodies follow."""

from dataclasses import dataclass
from typing import Any

from identity.core.sd_jwt import UnverifiedSdJwt, VerifiedSdJwt
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey

TYP = "dc+sd-jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedClaims:
    """Enough to find the issuer's key."""

    issuer: str  # iss
    vct: str
    key_id: str | None  # kid of the header


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSdJwtVc:
    sd_jwt: VerifiedSdJwt
    issuer: str
    vct: str
    claims: JsonObject  # disclosed claims of the subject: processed payload without registered ones
    holder_key: PublicKey | None  # cnf.jwk
    issued_at: int | None
    not_before: int | None
    expires_at: int | None
    status: dict[str, Any] | None  # the claim `status` as signed
    # content for credential_digest / anchor_claim is sd_jwt.payload


def vc_payload(
    *,
    issuer: str,
    vct: str,
    holder_key: PublicKey,
    issued_at: int,
    expires_at: int,
    sd_payload: JsonObject,  # from make_disclosures
    status: JsonObject | None = None,
    anchor: JsonObject | None = None,
    not_before: int | None = None,
) -> JsonObject:
    raise NotImplementedError


def read_unverified(unverified: UnverifiedSdJwt) -> UnverifiedClaims:
    raise NotImplementedError


def verify_sd_jwt_vc(unverified: UnverifiedSdJwt, *, key: PublicKey) -> VerifiedSdJwtVc:
    """Signature, disclosures and form. Not the clock (see `check_validity`), not the holder."""
    raise NotImplementedError


def check_validity(credential: VerifiedSdJwtVc, *, now: int, leeway_seconds: int) -> None:
    """exp, nbf, iat against the clock."""
    raise NotImplementedError

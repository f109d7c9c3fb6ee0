"""The verifier's side (RFC 9901 §7.1, §7.3)."""

import hmac
from dataclasses import dataclass

from identity.core.jose import verify_compact
from identity.core.sd_jwt.format import (
    KEY_BINDING_TYP,
    ClaimPath,
    UnverifiedSdJwt,
    digest_of,
    hash_name_of,
)
from identity.core.sd_jwt.opening import open_disclosures
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey
from registry.core.refusals import NotPermitted

CLOCK_SKEW_SECONDS = 60  # how far ahead of ours a holder's clock may be


class KeyBindingNotValid(NotPermitted):
    """The key binding is for another audience, nonce, moment or presentation."""


class KeyBindingMissing(KeyBindingNotValid):
    """Key binding is required and was not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSdJwt:
    """An SD-JWT whose signature and disclosures verified; validity in time is not judged here."""

    header: JsonObject
    payload: JsonObject  # as signed, digests and all
    claims: JsonObject  # processed payload: disclosed claims in place, no digests
    disclosed: tuple[ClaimPath, ...]  # where in `claims` a disclosure put something


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedKeyBinding:
    """Proof that the holder's key made this very presentation for this audience and nonce."""

    audience: str
    nonce: str
    issued_at: int  # unix seconds, by the holder's clock


def verify_sd_jwt(
    unverified: UnverifiedSdJwt, *, key: PublicKey, typ: str | tuple[str, ...] = "dc+sd-jwt"
) -> VerifiedSdJwt:
    """Check the issuer's signature and every disclosure (§7.1).

    Says nothing about time or about who presents; see `verify_key_binding`.

    Raises:
        JwsNotAccepted, SignatureNotValid: another type, algorithm or key.
        SdJwtMalformed: an unknown `_sd_alg`; a digest named twice; a disclosure that repeats, that
            no digest names, or is of the wrong form; a claim that exists already; `_sd` or `...`
            where they do not belong.
    """
    jws = verify_compact(unverified.jws, key=key, typ=typ)
    opened = open_disclosures(unverified)
    return VerifiedSdJwt(
        header=jws.header,
        payload=jws.claims,
        claims=opened.claims,
        disclosed=tuple(opened.disclosed),
    )


def verify_key_binding(
    unverified: UnverifiedSdJwt,
    *,
    holder_key: PublicKey,
    audience: str,
    nonce: str,
    now: int,
    max_age_seconds: int,
) -> VerifiedKeyBinding:
    """Check the KB-JWT (§7.3 step 5).

    Args:
        unverified: the presentation as it came.
        holder_key: `cnf.jwk` of the *verified* credential.
        audience: who we are, in the words of our request.
        nonce: the nonce of our request.
        now: unix seconds.
        max_age_seconds: how old `iat` may be.

    Raises:
        KeyBindingMissing: there is none.
        KeyBindingNotValid: other audience, nonce or disclosures; too old, or from the future; its
            own `exp` or `nbf` says that it is not valid now (RFC 7519 §4.1.4, §4.1.5).
        JwsNotAccepted, SignatureNotValid: another type, algorithm or key.
    """
    if unverified.key_binding is None:
        raise KeyBindingMissing("presentation has no key binding")
    claims = verify_compact(unverified.key_binding, key=holder_key, typ=KEY_BINDING_TYP).claims
    issued_at, ends, begins = (_seconds(claims, name) for name in ("iat", "exp", "nbf"))
    if issued_at is None:
        raise KeyBindingNotValid("key binding has no iat")
    if not now - max_age_seconds <= issued_at <= now + CLOCK_SKEW_SECONDS:
        raise KeyBindingNotValid("key binding is too old, or from the future")
    if ends is not None and ends <= now - CLOCK_SKEW_SECONDS:
        raise KeyBindingNotValid("key binding has expired")
    if begins is not None and begins > now + CLOCK_SKEW_SECONDS:
        raise KeyBindingNotValid("key binding is not valid yet")
    if claims.get("aud") != audience:
        raise KeyBindingNotValid("key binding is for another audience")
    if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(
        claims["nonce"].encode("utf-8"), nonce.encode("utf-8")
    ):
        raise KeyBindingNotValid("key binding answers another nonce")
    expected = digest_of(unverified.without_key_binding, hash_name_of(unverified.jws.claims))
    if claims.get("sd_hash") != expected:
        raise KeyBindingNotValid("key binding is for other disclosures")
    return VerifiedKeyBinding(audience=audience, nonce=nonce, issued_at=issued_at)


def _seconds(claims: JsonObject, name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise KeyBindingNotValid(f"key binding: {name} is no date in seconds")
    return int(value)

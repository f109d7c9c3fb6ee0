"""Selective Disclosure for JWTs (RFC 9901), compact form: issuer, holder and verifier.

    <issuer-signed JWT>~<Disclosure>~...~<Disclosure>~[<KB-JWT>]

The libraries in the field forgive what the RFC forbids (disclosures that no digest names, digests
named twice); a verifier that does so shows claims that nobody signed. Everything here is refused by
default and accepted by rule.
"""

from identity.core.sd_jwt.format import (
    KEY_BINDING_TYP,
    MAX_DISCLOSURES,
    MAX_SD_JWT_CHARS,
    ClaimNotThere,
    ClaimPath,
    SdJwtMalformed,
    UnverifiedSdJwt,
    parse_sd_jwt,
)
from identity.core.sd_jwt.holder import add_key_binding, present
from identity.core.sd_jwt.issuer import issue_sd_jwt, make_disclosures
from identity.core.sd_jwt.opening import open_disclosures
from identity.core.sd_jwt.verifier import (
    CLOCK_SKEW_SECONDS,
    KeyBindingMissing,
    KeyBindingNotValid,
    VerifiedKeyBinding,
    VerifiedSdJwt,
    verify_key_binding,
    verify_sd_jwt,
)

__all__ = [
    "CLOCK_SKEW_SECONDS",
    "KEY_BINDING_TYP",
    "MAX_DISCLOSURES",
    "MAX_SD_JWT_CHARS",
    "ClaimNotThere",
    "ClaimPath",
    "KeyBindingMissing",
    "KeyBindingNotValid",
    "SdJwtMalformed",
    "UnverifiedSdJwt",
    "VerifiedKeyBinding",
    "VerifiedSdJwt",
    "add_key_binding",
    "issue_sd_jwt",
    "make_disclosures",
    "open_disclosures",
    "parse_sd_jwt",
    "present",
    "verify_key_binding",
    "verify_sd_jwt",
]

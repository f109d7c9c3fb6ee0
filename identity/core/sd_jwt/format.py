"""The parts of an SD-JWT, and how a digest is made (RFC 9901 §4)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.core.jose import UnverifiedJws, parse_compact
from registry.core.encoding import base64url_encode
from registry.core.refusals import Malformed

ClaimPath = tuple[str | int | None, ...]
"""Member names and array indices; None stands for every element of an array (OpenID4VP §7)."""

MAX_SD_JWT_CHARS = 512 << 10  # with a portrait and all disclosures
MAX_DISCLOSURES = 512
KEY_BINDING_TYP = "kb+jwt"

SD = "_sd"
SD_ALG = "_sd_alg"
ELEMENT = "..."
RESERVED = frozenset({SD, ELEMENT})
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}


class SdJwtMalformed(Malformed):
    """The text is no SD-JWT, or its digests and disclosures break a rule of RFC 9901 §7.1."""


class ClaimNotThere(Malformed):
    """A path names a claim that the credential does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSdJwt:
    """The parts of an SD-JWT or SD-JWT+KB. Nothing here is to be believed yet."""

    jws: UnverifiedJws
    issuer_jwt: str
    disclosures: tuple[str, ...]  # base64url texts, as sent and in that order
    key_binding: str | None

    @property
    def without_key_binding(self) -> str:
        """What `sd_hash` covers: everything up to and including the last `~` (§4.3.1)."""
        return "~".join((self.issuer_jwt, *self.disclosures, ""))


def parse_sd_jwt(text: str) -> UnverifiedSdJwt:
    """Take a compact SD-JWT or SD-JWT+KB apart (§4).

    Raises:
        SdJwtMalformed: no text, too long, no `~`, or too many disclosures.
        JwsMalformed: the issuer-signed part is no compact JWS.
    """
    if not isinstance(text, str) or len(text) > MAX_SD_JWT_CHARS:
        raise SdJwtMalformed("SD-JWT is no text, or too long")
    issuer_jwt, *disclosures = text.split("~")
    if not disclosures:
        raise SdJwtMalformed("SD-JWT has no ~")
    key_binding = disclosures.pop()
    if len(disclosures) > MAX_DISCLOSURES:
        raise SdJwtMalformed(f"SD-JWT has more than {MAX_DISCLOSURES} disclosures")
    return UnverifiedSdJwt(
        jws=parse_compact(issuer_jwt),
        issuer_jwt=issuer_jwt,
        disclosures=tuple(disclosures),
        key_binding=key_binding or None,
    )


def hash_name_of(payload: Mapping[str, Any]) -> str:
    name = payload.get(SD_ALG, "sha-256")
    if not isinstance(name, str) or name not in _HASHES:
        raise SdJwtMalformed("_sd_alg is not known here")
    return _HASHES[name]


def digest_of(text: str, hash_name: str = "sha256") -> str:
    """base64url of the hash over the ASCII text (§4.2.3); text beyond ASCII is refused."""
    try:
        return base64url_encode(hashlib.new(hash_name, text.encode("ascii")).digest())
    except UnicodeEncodeError as error:
        raise SdJwtMalformed("a disclosure is not base64url") from error


def matches(pattern: ClaimPath, path: tuple[str | int, ...]) -> bool:
    if len(pattern) != len(path):
        return False
    return all(
        isinstance(step, int) if wanted is None else type(wanted) is type(step) and wanted == step
        for wanted, step in zip(pattern, path, strict=True)
    )

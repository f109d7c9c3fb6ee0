"""DPoP proofs (RFC 9449): a token that only the holder of a key can use."""

import re
import string
from dataclasses import dataclass
from urllib.parse import urlsplit

from identity.core.jose import parse_compact, verify_compact
from identity.core.oid4vci_errors import InvalidDpopProof
from registry.core.encoding import base64url_encode
from registry.core.hashing import labelled_hash, sha256
from registry.core.keys import parse_jwk
from registry.core.refusals import Refusal

TYP = "dpop+jwt"
ALGORITHMS = ("ES256", "EdDSA")
MAX_DPOP_CHARS = 8 << 10
MAX_JTI_CHARS = 256
WINDOW_SECONDS = 300  # how far `iat` may lie from now, either way; wallet clocks are wrong
_PORTS = {"https": 443, "http": 80}
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")  # RFC 3986 §2.3


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDpop:
    """A proof that verified. `replay_digest` must not have come before, see `WINDOW_SECONDS`."""

    thumbprint: str
    replay_digest: bytes
    nonce: str | None  # ours to recognise


def verify_dpop(
    unverified: str, *, method: str, url: str, access_token: str | None, now: int
) -> VerifiedDpop:
    """Check a DPoP proof (RFC 9449 §4.3); the caller still has to refuse a repeated one.

    Args:
        unverified: value of the one `DPoP` header.
        method: HTTP method of the request.
        url: the URL under which we publish the endpoint, without query.
        access_token: the token it comes with; None at the token endpoint.
        now: unix seconds.

    Raises:
        InvalidDpopProof: with what was wrong.
    """
    try:
        jws = parse_compact(unverified, max_chars=MAX_DPOP_CHARS)
        key = parse_jwk(jws.header.get("jwk"))
        claims = verify_compact(jws, key=key, typ=TYP).claims
    except Refusal as error:
        raise InvalidDpopProof(f"DPoP proof: {error.detail}") from error
    if claims.get("htm") != method:
        raise InvalidDpopProof("DPoP proof: htm is another method")
    if _comparable(claims.get("htu")) != _comparable(url):
        raise InvalidDpopProof("DPoP proof: htu is another address")
    issued_at = claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise InvalidDpopProof("DPoP proof: iat is missing")
    if not now - WINDOW_SECONDS <= issued_at <= now + WINDOW_SECONDS:
        raise InvalidDpopProof("DPoP proof: iat is too far from now")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_CHARS:
        raise InvalidDpopProof("DPoP proof: jti is missing or too long")
    nonce = claims.get("nonce")
    if nonce is not None and (not isinstance(nonce, str) or len(nonce) > MAX_JTI_CHARS):
        raise InvalidDpopProof("DPoP proof: nonce is no text, or too long")
    if access_token is not None:
        expected = base64url_encode(sha256(access_token.encode("ascii")))
        if claims.get("ath") != expected:
            raise InvalidDpopProof("DPoP proof: ath is not the hash of the access token")
    thumbprint = key.jwk_thumbprint
    return VerifiedDpop(
        thumbprint=thumbprint,
        nonce=nonce,
        replay_digest=labelled_hash(
            "cairn/dpop-jti/v1", thumbprint.encode("ascii"), jti.encode("utf-8")
        ),
    )


def _comparable(url: object) -> tuple[str, str, int | None, str] | None:
    """What of an address counts: scheme, host, port and path, normalised (§4.3, RFC 3986 §6.2).

    Case of scheme and host, a port that is the scheme's own, and a percent-encoding that is not
    needed make no difference; query and fragment do not count.
    """
    if not isinstance(url, str) or len(url) > 2048:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    scheme = parts.scheme.lower()
    return scheme, host, port or _PORTS.get(scheme), _ESCAPE.sub(_unescaped, parts.path) or "/"


def _unescaped(match: re.Match[str]) -> str:
    """An unreserved character as itself, another in upper-case hexadecimal digits."""
    char = chr(int(match.group(1), 16))
    return char if char in _UNRESERVED else match.group(0).upper()

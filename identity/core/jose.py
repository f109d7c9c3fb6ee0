"""Compact JWS (RFC 7515), narrowed to what we sign and read.

The algorithm follows from the type of the key, so `none`, HMAC with a public key and every other
confusion of algorithms have no spelling here. Every token has a `typ` that its reader asks for
(RFC 8725 §3.11): the right key under the wrong kind of object is the commonest forgery.
"""

import re
from dataclasses import dataclass

from identity.core.signing import Signer
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.keys import KeyType, PublicKey, verify_signature
from registry.core.refusals import Malformed, NotPermitted

MAX_JWS_CHARS = 4 << 20  # a Token Status List of 2^20 entries that do not compress
MAX_HEADER_CHARS = 32 << 10  # an `x5c` chain of five certificates, twice over
MAX_HEADER_DEPTH = 6  # `jwk` is an object in the header; nobody nests further than that

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")
# RFC 9864 gives Ed25519 its own name; RFC 8037's is what the field writes.
_ALGORITHMS = {
    KeyType.ED25519: frozenset({"EdDSA", "Ed25519"}),
    KeyType.P256: frozenset({"ES256"}),
    KeyType.P384: frozenset({"ES384"}),
    KeyType.P521: frozenset({"ES512"}),
}
ALGORITHMS = frozenset().union(*_ALGORITHMS.values())


class JwsMalformed(Malformed):
    """The text is no compact JWS that we read."""


class JwsNotAccepted(NotPermitted):
    """The JWS is of another type, or names an algorithm that its key does not have."""


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """The parts of a compact JWS. Nothing here is to be believed yet."""

    header: JsonObject
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def claims(self) -> JsonObject:
        """The payload as a JSON object (RFC 7519); raises `Malformed` when it is none."""
        return parse_json_object(self.payload)


@dataclass(frozen=True, slots=True)
class VerifiedJws:
    """Header and payload under a signature that verified."""

    header: JsonObject
    payload: bytes

    @property
    def claims(self) -> JsonObject:
        """The payload as a JSON object (RFC 7519); raises `Malformed` when it is none."""
        return parse_json_object(self.payload)


def sign_compact(*, header: JsonObject, payload: bytes | JsonObject, signer: Signer) -> str:
    """Sign `payload` as a compact JWS.

    Args:
        header: protected header; `typ` is required, `alg` is set here from the signer's key.
        payload: bytes as they are, or an object that is written as canonical JSON.
        signer: the key; whether `kid` names it is the caller's choice.

    Raises:
        JwsMalformed: no `typ`, or a header that `parse_compact` would refuse.
    """
    if not isinstance(header.get("typ"), str) or not header["typ"]:
        raise JwsMalformed("a JWS needs a typ")
    protected = {**header, "alg": signer.key.algorithm}
    _check_header(protected)
    body = payload if isinstance(payload, bytes) else canonical_json(payload)
    first = base64url_encode(canonical_json(protected))
    if len(first) > MAX_HEADER_CHARS:
        raise JwsMalformed("JWS header is too long")
    signing_input = f"{first}.{base64url_encode(body)}"
    signature = signer.sign(signing_input.encode("ascii"))
    return f"{signing_input}.{base64url_encode(signature)}"


def parse_compact(text: str, *, max_chars: int = MAX_JWS_CHARS) -> UnverifiedJws:
    """Take a compact JWS apart, strictly.

    Raises:
        JwsMalformed: not three base64url parts, too long, a header that is no JSON object, names a
            member twice, has no string `alg`, or has `crit` or `b64` (we know no extension).
    """
    if not isinstance(text, str) or len(text) > max_chars:
        raise JwsMalformed("JWS is no text, or too long")
    match = _COMPACT.fullmatch(text)
    if match is None:
        raise JwsMalformed("not a compact JWS")
    first, second, third = match.groups()
    if len(first) > MAX_HEADER_CHARS:
        raise JwsMalformed("JWS header is too long")
    try:
        header = parse_json_object(base64url_decode(first), max_depth=MAX_HEADER_DEPTH)
        payload = base64url_decode(second)
        signature = base64url_decode(third)
    except Malformed as error:
        raise JwsMalformed(f"JWS: {error.detail}") from error
    _check_header(header)
    return UnverifiedJws(header, payload, f"{first}.{second}".encode("ascii"), signature)


def verify_compact(
    unverified: str | UnverifiedJws, *, key: PublicKey, typ: str | tuple[str, ...]
) -> VerifiedJws:
    """Check type, algorithm and signature of a JWS.

    Args:
        unverified: the text, or what `parse_compact` made of it.
        key: the key that the caller trusts for this; nothing in the header chooses it.
        typ: the accepted value, or values, of `typ`, compared exactly.

    Raises:
        JwsMalformed: as `parse_compact`.
        JwsNotAccepted: another `typ`, or an `alg` that is not that of `key`.
        SignatureNotValid: the signature does not verify.
    """
    jws = parse_compact(unverified) if isinstance(unverified, str) else unverified
    accepted = (typ,) if isinstance(typ, str) else typ
    if jws.header.get("typ") not in accepted:
        raise JwsNotAccepted(f"JWS typ is not {' or '.join(accepted)}")
    if jws.header["alg"] not in _ALGORITHMS[key.type]:
        raise JwsNotAccepted("JWS alg does not belong to the key")
    verify_signature(key, message=jws.signing_input, signature=jws.signature)
    return VerifiedJws(jws.header, jws.payload)


def _check_header(header: JsonObject) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise JwsMalformed("JWS alg is none that we accept")
    # RFC 7515 §4.1.11: an extension that is not understood must be refused, and we understand none.
    # `b64` (RFC 7797) changes what is signed, so it is refused even where `crit` is left out.
    if "crit" in header or "b64" in header:
        raise JwsMalformed("JWS header uses an extension")

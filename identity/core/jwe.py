"""Compact JWE (RFC 7516) with direct key agreement, for credential requests and responses.

ECDH-ES on P-256 (RFC 7518 §4.6), A128GCM and A256GCM, and DEF (RFC 1951) where it is named. There
is no other spelling: no wrapped key, no RSA, no extension. Inflation stops at a bound.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.keys import KeyType, PublicKey, parse_jwk, public_key
from registry.core.refusals import Malformed, NotPermitted

ALGORITHM = "ECDH-ES"
ENC_VALUES = ("A256GCM", "A128GCM")
ZIP_VALUES = ("DEF",)
MAX_JWE_CHARS = 2 << 20
MAX_PLAIN_BYTES = 1 << 20
_KEY_BITS = {"A128GCM": 128, "A256GCM": 256}
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_COMPACT = re.compile(  # header, no encrypted key, 96-bit IV, ciphertext, 128-bit tag
    r"([A-Za-z0-9_-]{1,8192})\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})"
)


class JweMalformed(Malformed):
    """No compact JWE of this kind."""


class JweNotDecrypted(NotPermitted):
    """For another key, or changed on the way."""


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A P-256 key that agrees on content keys, and on nothing else."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """The public half."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return public_key(KeyType.P256, point)

    @property
    def jwk(self) -> JsonObject:
        """The public key as metadata names it; `kid` is its thumbprint."""
        public = self.public
        return {**public.jwk, "kid": public.jwk_thumbprint, "use": "enc", "alg": ALGORITHM}


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom, and how, a message is encrypted."""

    key: PublicKey
    kid: str | None
    enc: str
    compress: bool


def parse_recipient(parameters: object) -> Recipient:
    """Read `credential_response_encryption` (OpenID4VCI 1.0 §8.2).

    Raises:
        JweMalformed: a member is missing, or names what we do not do.
    """
    if not isinstance(parameters, dict):
        raise JweMalformed("credential_response_encryption is no object")
    jwk, enc, zipped = (parameters.get(name) for name in ("jwk", "enc", "zip"))
    if not isinstance(jwk, dict):
        raise JweMalformed("credential_response_encryption.jwk is missing")
    # Draft 15 named `alg` beside the key; 1.0 wants it inside.
    if jwk.get("alg", parameters.get("alg")) != ALGORITHM:
        raise JweMalformed(f"credential_response_encryption.jwk: alg is not {ALGORITHM}")
    if enc not in ENC_VALUES:
        raise JweMalformed("credential_response_encryption.enc is not supported")
    if zipped is not None and zipped not in ZIP_VALUES:
        raise JweMalformed("credential_response_encryption.zip is not supported")
    kid = jwk.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > 512):
        raise JweMalformed("credential_response_encryption.jwk: kid is no text, or too long")
    try:
        key = parse_jwk(jwk)
    except Malformed as error:
        raise JweMalformed(f"credential_response_encryption.jwk: {error.detail}") from error
    if key.type is not KeyType.P256:
        raise JweMalformed("credential_response_encryption.jwk is not a P-256 key")
    return Recipient(key=key, kid=kid, enc=str(enc), compress=zipped is not None)


def encrypt(plain: bytes, to: Recipient, *, random: Callable[[int], bytes]) -> str:
    """Encrypt `plain` with a fresh key."""
    scalar = int.from_bytes(random(40), "big") % (_ORDER - 1) + 1
    sender = DecryptionKey(ec.derive_private_key(scalar, ec.SECP256R1()))
    header: JsonObject = {"alg": ALGORITHM, "enc": to.enc, "epk": sender.public.jwk}
    if to.kid is not None:
        header["kid"] = to.kid
    if to.compress:
        header["zip"] = "DEF"
        deflate = zlib.compressobj(wbits=-15)
        plain = deflate.compress(plain) + deflate.flush()
    protected = base64url_encode(canonical_json(header))
    vector = random(12)
    sealed = AESGCM(_content_key(sender.private, to.key, header)).encrypt(
        vector, plain, protected.encode("ascii")
    )
    parts = (protected, "", *map(base64url_encode, (vector, sealed[:-16], sealed[-16:])))
    return ".".join(parts)


def decrypt(text: str, key: DecryptionKey) -> bytes:
    """What is in a message to `key`.

    Raises:
        JweMalformed: no compact JWE of this kind, or it inflates beyond `MAX_PLAIN_BYTES`.
        JweNotDecrypted: for another key, or changed on the way.
    """
    match = _COMPACT.fullmatch(text) if len(text) <= MAX_JWE_CHARS else None
    if match is None:
        raise JweMalformed("not a compact JWE with direct key agreement")
    protected, vector, ciphertext, tag = match.groups()
    try:
        header = parse_json_object(base64url_decode(protected), max_bytes=8192, max_depth=4)
        _check_header(header, key)
        sender = parse_jwk(header.get("epk"))
        if sender.type is not KeyType.P256:
            raise JweMalformed("JWE epk is not a P-256 key")
        content_key = _content_key(key.private, sender, header)
        sealed = base64url_decode(ciphertext) + base64url_decode(tag)
        plain = AESGCM(content_key).decrypt(
            base64url_decode(vector), sealed, protected.encode("ascii")
        )
    except Malformed as error:
        raise error if isinstance(error, JweMalformed) else JweMalformed(error.detail) from error
    except InvalidTag as error:
        raise JweNotDecrypted("the message does not decrypt") from error
    return _inflated(plain) if "zip" in header else plain


def _check_header(header: JsonObject, key: DecryptionKey) -> None:
    if header.get("alg") != ALGORITHM or header.get("enc") not in ENC_VALUES:
        raise JweMalformed("the message is encrypted in a way that was not offered")
    if "crit" in header:
        raise JweMalformed("the message uses an extension of JWE")
    if "zip" in header and header["zip"] not in ZIP_VALUES:
        raise JweMalformed("the message is compressed in a way that was not offered")
    if header.get("kid") != key.jwk["kid"]:
        raise JweNotDecrypted("the message is encrypted to another key, or its kid is missing")
    for name in ("apu", "apv"):
        if not isinstance(header.get(name, ""), str):
            raise JweMalformed(f"JWE {name} is no text")


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj(wbits=-15)
    try:
        plain = inflate.decompress(data, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise JweMalformed("the message does not inflate") from error
    if not inflate.eof or inflate.unused_data:
        raise JweMalformed("the message inflates to too much, or is cut off")
    return plain


def _content_key(
    private: ec.EllipticCurvePrivateKey, public: PublicKey, header: JsonObject
) -> bytes:
    """Concat KDF (RFC 7518 §4.6.2)."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public.data)
    bits = _KEY_BITS[header["enc"]]
    info = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (
            header["enc"].encode("ascii"),
            base64url_decode(header.get("apu", "")),
            base64url_decode(header.get("apv", "")),
        )
    )
    kdf = ConcatKDFHash(
        algorithm=SHA256(), length=bits // 8, otherinfo=info + bits.to_bytes(4, "big")
    )
    return kdf.derive(private.exchange(ec.ECDH(), point))

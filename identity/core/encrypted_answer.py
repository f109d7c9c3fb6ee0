"""A wallet's encrypted answer: `direct_post.jwt` (OpenID4VP 1.0 §8.3, RFC 7516, RFC 7518 §4.6).

ECDH-ES on P-256 with a fresh key for each request, A128GCM or A256GCM. There is no other spelling:
no wrapped key, no compression, no extension.
"""

import re
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

ENC_VALUES = ("A128GCM", "A256GCM")  # HAIP wants both offered; wallets pick either
MAX_JWE_CHARS = 2 << 20
_KEY_BITS = {"A128GCM": 128, "A256GCM": 256}
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_COMPACT = re.compile(  # header, no encrypted key, 96-bit IV, ciphertext, 128-bit tag
    r"([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})"
)


class AnswerNotDecrypted(NotPermitted):
    """The answer is not encrypted to the key of this request, or was changed."""


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The private key for one answer; 32 bytes, gone when the answer is."""

    scalar: bytes

    @property
    def public(self) -> PublicKey:
        """The public half."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return public_key(KeyType.P256, point)

    @property
    def private(self) -> ec.EllipticCurvePrivateKey:
        """The key object."""
        return ec.derive_private_key(int.from_bytes(self.scalar, "big"), ec.SECP256R1())

    @property
    def jwk(self) -> JsonObject:
        """The public key as `client_metadata.jwks` names it; `kid` is its thumbprint."""
        public = self.public
        return {**public.jwk, "kid": public.jwk_thumbprint, "use": "enc", "alg": "ECDH-ES"}


def new_answer_key(random: Callable[[int], bytes]) -> AnswerKey:
    """A fresh key; 64 more random bits than the order has make the choice even."""
    value = int.from_bytes(random(40), "big") % (_ORDER - 1) + 1
    return AnswerKey(value.to_bytes(32, "big"))


def decrypt_answer(text: str, key: AnswerKey) -> JsonObject:
    """The parameters of an encrypted answer.

    Raises:
        Malformed: no compact JWE of this kind.
        AnswerNotDecrypted: for another key, or changed on the way.
    """
    match = _COMPACT.fullmatch(text) if len(text) <= MAX_JWE_CHARS else None
    if match is None:
        raise Malformed("the response is not a compact JWE with direct key agreement")
    protected, vector, ciphertext, tag = match.groups()
    header = parse_json_object(base64url_decode(protected), max_bytes=8192, max_depth=4)
    if header.get("alg") != "ECDH-ES" or header.get("enc") not in ENC_VALUES:
        raise Malformed("the response is encrypted in a way that was not offered")
    if "zip" in header or "crit" in header:
        raise Malformed("the response uses an extension of JWE")
    if header.get("kid") != key.jwk["kid"]:
        raise AnswerNotDecrypted("the response is encrypted to another key")
    sender = parse_jwk(header.get("epk"))
    if sender.type is not KeyType.P256:
        raise Malformed("the response's epk is not a P-256 key")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender.data)
    shared = key.private.exchange(ec.ECDH(), point)
    content_key = _content_key(shared, header)
    try:
        plaintext = AESGCM(content_key).decrypt(
            base64url_decode(vector),
            base64url_decode(ciphertext) + base64url_decode(tag),
            protected.encode("ascii"),
        )
    except InvalidTag as error:
        raise AnswerNotDecrypted("the response does not decrypt") from error
    return parse_json_object(plaintext)


def encrypt_answer(
    parameters: JsonObject, jwk: JsonObject, *, enc: str, random: Callable[[int], bytes]
) -> str:
    """What a wallet does: the parameters as a compact JWE to the key of the request.

    Args:
        parameters: `vp_token`, `state` and what else belongs to the answer.
        jwk: an entry of `client_metadata.jwks`.
        enc: one of `ENC_VALUES`.
        random: source of fresh bytes.

    Raises:
        Malformed: no P-256 key with a `kid`, or another `enc`.
    """
    receiver = parse_jwk({name: jwk.get(name) for name in ("kty", "crv", "x", "y")})
    if receiver.type is not KeyType.P256 or not isinstance(jwk.get("kid"), str):
        raise Malformed("answers are encrypted to a P-256 key with a kid")
    if enc not in ENC_VALUES:
        raise Malformed("answers are encrypted with A128GCM or A256GCM")
    once = new_answer_key(random)
    header = {"alg": "ECDH-ES", "enc": enc, "kid": jwk["kid"], "epk": once.public.jwk}
    protected = base64url_encode(canonical_json(header))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), receiver.data)
    shared = once.private.exchange(ec.ECDH(), point)
    vector = random(12)
    sealed = AESGCM(_content_key(shared, header)).encrypt(
        vector, canonical_json(parameters), protected.encode("ascii")
    )
    parts = (protected, "", *map(base64url_encode, (vector, sealed[:-16], sealed[-16:])))
    return ".".join(parts)


def _content_key(shared: bytes, header: JsonObject) -> bytes:
    """Concat KDF (RFC 7518 §4.6.2)."""
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
    return kdf.derive(shared)

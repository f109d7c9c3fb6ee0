"""Public keys: the one gate through which a key enters, and the check of a signature under it.

`cryptography` verifies forged signatures under low-order Ed25519 keys, so such a key must never be
admitted: not in a DID document, a `cnf` claim, a key proof, a `did:key` or a validator set. Every
parser below ends in `_admit_*`; there is no other way to make a `PublicKey`.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.encoding import (
    JsonObject,
    base58_encode,
    base64url_decode,
    base64url_encode,
    canonical_json,
    multibase_decode,
)
from registry.core.hashing import sha256
from registry.core.refusals import Malformed, NotPermitted


class KeyType(StrEnum):
    """The key types we admit, by the name of their curve."""

    ED25519 = "Ed25519"
    P256 = "P-256"
    P384 = "P-384"
    P521 = "P-521"  # JOSE and COSE only; see `LEDGER_KEY_TYPES`


# What an institution may put on the ledger. P-521 is read, because others sign credentials with it.
LEDGER_KEY_TYPES = frozenset({KeyType.ED25519, KeyType.P256, KeyType.P384})


class KeyNotAdmitted(Malformed):
    """The bytes are no key that we let in: wrong length, off the curve, low order, unknown type."""


class SignatureNotValid(NotPermitted):
    """The signature does not verify under this key."""


# Multicodec prefixes as unsigned varints (https://www.w3.org/TR/cid-1.0/#Multikey).
_MULTICODEC = {
    KeyType.ED25519: bytes([0xED, 0x01]),
    KeyType.P256: bytes([0x80, 0x24]),
    KeyType.P384: bytes([0x81, 0x24]),
    KeyType.P521: bytes([0x82, 0x24]),
}
_JWA = {
    KeyType.ED25519: "EdDSA",
    KeyType.P256: "ES256",
    KeyType.P384: "ES384",
    KeyType.P521: "ES512",
}
_CURVES: dict[KeyType, ec.EllipticCurve] = {
    KeyType.P256: ec.SECP256R1(),
    KeyType.P384: ec.SECP384R1(),
    KeyType.P521: ec.SECP521R1(),
}
_HASHES: dict[KeyType, hashes.HashAlgorithm] = {
    KeyType.P256: hashes.SHA256(),
    KeyType.P384: hashes.SHA384(),
    KeyType.P521: hashes.SHA512(),
}
_COORDINATE = {KeyType.P256: 32, KeyType.P384: 48, KeyType.P521: 66}

_FIELD = 2**255 - 19
_D = -121665 * pow(121666, -1, _FIELD) % _FIELD  # RFC 8032 §5.1


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An admitted public key.

    `data` is the raw 32 bytes of an Ed25519 key, or the compressed SEC 1 point of a NIST key
    (33 bytes for P-256, 49 for P-384, 67 for P-521). Equal keys have equal bytes.
    """

    type: KeyType
    data: bytes

    @property
    def multikey(self) -> str:
        """`publicKeyMultibase` of a Multikey (Controlled Identifiers 1.0 §2.2.2)."""
        return _multikey(self.type, self.data)

    @property
    def did_key(self) -> str:
        """The `did:key` of this key, without fragment."""
        return f"did:key:{self.multikey}"

    @property
    def algorithm(self) -> str:
        """The JOSE `alg` this key signs with (RFC 7518 §3.1, RFC 8037 §3.1)."""
        return _JWA[self.type]

    @property
    def signature_bytes(self) -> int:
        """Length of a signature: R and S, each as long as a coordinate."""
        return 64 if self.type is KeyType.ED25519 else 2 * _COORDINATE[self.type]

    @property
    def jwk(self) -> JsonObject:
        """The key as a JWK with its required members only (RFC 7517, RFC 8037)."""
        if self.type is KeyType.ED25519:
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(self.data)}
        point = _load_ec(self.type, self.data).public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        size = _COORDINATE[self.type]
        return {
            "kty": "EC",
            "crv": str(self.type),
            "x": base64url_encode(point[1 : 1 + size]),
            "y": base64url_encode(point[1 + size :]),
        }

    @property
    def jwk_thumbprint(self) -> str:
        """RFC 7638 thumbprint with SHA-256, base64url."""
        return base64url_encode(sha256(canonical_json(self.jwk)))


def public_key(key_type: KeyType, data: bytes) -> PublicKey:
    """Admit raw key bytes, in the form that `PublicKey.data` documents.

    Raises:
        KeyNotAdmitted: wrong length, off the curve, of low order, or not the canonical encoding.
    """
    if key_type is KeyType.ED25519:
        _admit_ed25519(bytes(data))
    else:
        _admit_ec(key_type, data)
    return PublicKey(key_type, bytes(data))


def parse_multikey(text: str) -> PublicKey:
    """Admit the `publicKeyMultibase` of a Multikey; base58-btc only, as the cryptosuites require.

    Raises:
        KeyNotAdmitted: not multibase `z`, an unknown multicodec prefix, or as `public_key`.
    """
    if not isinstance(text, str) or not text.startswith("z"):
        raise KeyNotAdmitted("key is not a base58-btc multibase value")
    try:
        data = multibase_decode(text)
    except Malformed as error:
        raise KeyNotAdmitted(error.detail) from error
    for key_type, prefix in _MULTICODEC.items():
        if data.startswith(prefix):
            return public_key(key_type, data[len(prefix) :])
    raise KeyNotAdmitted("key has an unknown multicodec prefix")


def parse_jwk(jwk: object) -> PublicKey:
    """Admit a public JWK; members such as `kid` and `use` are allowed and left out of the result.

    Raises:
        KeyNotAdmitted: no object, a private or symmetric key, an unknown curve, coordinates of
            another length, or as `public_key`.
    """
    if not isinstance(jwk, dict):
        raise KeyNotAdmitted("JWK is not an object")
    if "d" in jwk or "k" in jwk:
        raise KeyNotAdmitted("JWK holds a private or symmetric key")
    try:
        if (jwk.get("kty"), jwk.get("crv")) == ("OKP", "Ed25519"):
            return public_key(KeyType.ED25519, base64url_decode(jwk.get("x", "")))
        for key_type, size in _COORDINATE.items():
            if (jwk.get("kty"), jwk.get("crv")) == ("EC", str(key_type)):
                x, y = base64url_decode(jwk.get("x", "")), base64url_decode(jwk.get("y", ""))
                if (len(x), len(y)) != (size, size):
                    raise KeyNotAdmitted("JWK coordinates have the wrong length")
                point = _load_ec(key_type, b"\x04" + x + y)
                return PublicKey(
                    key_type, point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
                )
    except KeyNotAdmitted:
        raise
    except Malformed as error:
        raise KeyNotAdmitted(error.detail) from error
    raise KeyNotAdmitted("JWK has a key type or curve that is not admitted")


def parse_did_key(did: str) -> PublicKey:
    """Admit the key of a `did:key` (no fragment).

    Raises:
        KeyNotAdmitted: another method, or as `parse_multikey`.
    """
    if not isinstance(did, str) or not did.startswith("did:key:"):
        raise KeyNotAdmitted("not a did:key")
    return parse_multikey(did.removeprefix("did:key:"))


def verify_signature(key: PublicKey, *, message: bytes, signature: bytes) -> None:
    """Check a raw signature: Ed25519 (RFC 8032), or ECDSA as R‖S with the curve's own hash.

    The (r, n-s) twin of an ECDSA signature verifies as well; nothing may be identified by
    signature bytes. Returns nothing on success.

    Raises:
        SignatureNotValid: wrong length, or not made by this key over this message.
    """
    if len(signature) != key.signature_bytes:
        raise SignatureNotValid("signature has the wrong length")
    try:
        if key.type is KeyType.ED25519:
            _load_ed25519(key.data).verify(signature, message)
        else:
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            _load_ec(key.type, key.data).verify(
                encode_dss_signature(r, s), message, ec.ECDSA(_HASHES[key.type])
            )
    except (InvalidSignature, ValueError) as error:
        raise SignatureNotValid("signature does not verify") from error


@lru_cache(maxsize=4096)  # one judgement names the same few keys a dozen times
def _multikey(key_type: KeyType, data: bytes) -> str:
    return "z" + base58_encode(_MULTICODEC[key_type] + data)


@lru_cache(maxsize=4096)
def _load_ed25519(data: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(data)


@lru_cache(maxsize=4096)  # loading a compressed point costs a third of a verification
def _load_ec(key_type: KeyType, data: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key_type], data)
    except ValueError as error:
        raise KeyNotAdmitted("point is not on the curve") from error


def _admit_ec(key_type: KeyType, data: bytes) -> None:
    if len(data) != 1 + _COORDINATE[key_type] or data[0] not in (2, 3):
        raise KeyNotAdmitted("key is not a compressed point of its curve")
    _load_ec(key_type, bytes(data))


@lru_cache(maxsize=4096)  # a raise is not cached; a key that was admitted stays admitted
def _admit_ed25519(data: bytes) -> None:
    """Refuse what is no point, no canonical encoding, or has an order that divides 8."""
    if len(data) != 32:
        raise KeyNotAdmitted("Ed25519 key is not 32 bytes long")
    y = int.from_bytes(data, "little") & ((1 << 255) - 1)
    if y >= _FIELD:
        raise KeyNotAdmitted("Ed25519 key is not canonically encoded")
    # x² = (y² - 1) / (d·y² + 1)  (RFC 8032 §5.1.3)
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _FIELD) % _FIELD
    if x_squared == 0 or pow(x_squared, (_FIELD - 1) // 2, _FIELD) != 1:
        raise KeyNotAdmitted("Ed25519 key is not a point of large order")
    # Doubling maps y to (y² + x²) / (2 + x² - y²); x² of the double follows from the curve again.
    for _ in range(3):
        y = (y * y + x_squared) * pow(2 + x_squared - y * y, -1, _FIELD) % _FIELD
        x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _FIELD) % _FIELD
        if x_squared == 0:  # y is 1 or -1: the double has order 1 or 2
            raise KeyNotAdmitted("Ed25519 key has low order")

"""Private keys for tests: from seeds, and from the multibase form that the vectors use."""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.encoding import JsonObject, base64url_decode, multibase_decode
from registry.core.keys import KeyType, PublicKey, parse_did_key, public_key

_CURVES = {
    KeyType.P256: (ec.SECP256R1(), hashes.SHA256()),
    KeyType.P384: (ec.SECP384R1(), hashes.SHA384()),
    KeyType.P521: (ec.SECP521R1(), hashes.SHA512()),
}
_PRIVATE_MULTICODEC = {
    bytes([0x80, 0x26]): KeyType.ED25519,
    bytes([0x86, 0x26]): KeyType.P256,
    bytes([0x87, 0x26]): KeyType.P384,
}


@dataclass(frozen=True)
class KeySigner:
    """A signer whose verification method is its own `did:key`."""

    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    key: PublicKey

    @property
    def verification_method(self) -> str:
        return f"{self.key.did_key}#{self.key.multikey}"

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        curve_hash = _CURVES[self.key.type][1]
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(curve_hash)))
        size = self.key.signature_bytes // 2
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signer(key_type: KeyType = KeyType.ED25519, number: int = 1) -> KeySigner:
    """The `number`-th test key of a type; the same on every run."""
    if key_type is KeyType.ED25519:
        return _ed25519(number.to_bytes(32, "big"))
    return _ec(key_type, number + 1000)


def signer_of_vector(text: str) -> KeySigner:
    """From `secretKeyMultibase` (or `privateKeyMultibase`) of a published vector."""
    data = multibase_decode(text)
    key_type = _PRIVATE_MULTICODEC[data[:2]]
    if key_type is KeyType.ED25519:
        return _ed25519(data[2:])
    return _ec(key_type, int.from_bytes(data[2:], "big"))


def signer_of_jwk(jwk: JsonObject) -> KeySigner:
    """From a private P-256 JWK of a published vector."""
    return _ec(KeyType.P256, int.from_bytes(base64url_decode(jwk["d"]), "big"))


def resolve_did_key(verification_method: str, _purpose: str) -> PublicKey:
    """`resolve_key` for `did:key:X#X`."""
    did, _, fragment = verification_method.partition("#")
    key = parse_did_key(did)
    assert fragment == key.multikey
    return key


def _ed25519(seed: bytes) -> KeySigner:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return KeySigner(private, public_key(KeyType.ED25519, private.public_key().public_bytes_raw()))


def _ec(key_type: KeyType, number: int) -> KeySigner:
    private = ec.derive_private_key(number, _CURVES[key_type][0])
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return KeySigner(private, public_key(key_type, point))

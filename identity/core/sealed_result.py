"""A sealed box for results: whoever stores it cannot open it, whoever asked can.

The page that asks gets a secret once. A key pair follows from the secret, and only the public half
stays with the server; the answer of the wallet, which arrives without the secret, is sealed to it.
X25519 (RFC 7748), HKDF-SHA-256 (RFC 5869), AES-256-GCM. The key of a box is used once, so its nonce
is fixed.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.core.encoding import base64url_decode
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed, NotPermitted

SECRET_BYTES = 32
_POINT_BYTES = 32
_NONCE = bytes(12)


class SecretNotValid(NotPermitted):
    """This secret does not open this result."""


def parse_secret(text: str | None) -> bytes:
    """The bytes of a presented secret.

    Raises:
        SecretNotValid: there is none, or it is no secret of ours.
    """
    try:
        secret = base64url_decode(text or "")
    except Malformed as error:
        raise SecretNotValid("the result secret is not valid") from error
    if len(secret) != SECRET_BYTES:
        raise SecretNotValid("the result secret is not valid")
    return secret


def secret_digest(secret: bytes) -> bytes:
    """What the server keeps to recognise the secret: 32 bytes. It has 256 random bits."""
    return labelled_hash("cairn/result-secret/v1", secret)


def result_key(secret: bytes) -> bytes:
    """Public half of the key pair that follows from a secret, 32 bytes."""
    return _private(secret).public_key().public_bytes_raw()


def seal(
    plaintext: bytes, *, public: bytes, context: bytes, random: Callable[[int], bytes]
) -> bytes:
    """Seal `plaintext` to the holder of the secret behind `public`.

    Args:
        context: what the box is about; it opens under the same context only.
        random: source of fresh bytes.
    """
    once = X25519PrivateKey.from_private_bytes(random(32))
    sender = once.public_key().public_bytes_raw()
    shared = once.exchange(X25519PublicKey.from_public_bytes(public))
    return sender + AESGCM(_box_key(shared, sender, public)).encrypt(_NONCE, plaintext, context)


def open_sealed(box: bytes, *, secret: bytes, context: bytes) -> bytes:
    """Open a box that was sealed to this secret under this context.

    Raises:
        SecretNotValid: another secret or context, or the box was changed.
    """
    private = _private(secret)
    sender = box[:_POINT_BYTES]
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(sender))
        key = _box_key(shared, sender, private.public_key().public_bytes_raw())
        return AESGCM(key).decrypt(_NONCE, box[_POINT_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise SecretNotValid("the result does not open under this secret") from error


def _private(secret: bytes) -> X25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"cairn/result-key/v1")
    return X25519PrivateKey.from_private_bytes(seed.derive(secret))


def _box_key(shared: bytes, sender: bytes, public: bytes) -> bytes:
    box = HKDF(algorithm=SHA256(), length=32, salt=sender + public, info=b"cairn/result-box/v1")
    return box.derive(shared)

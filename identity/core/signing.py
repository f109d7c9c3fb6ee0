"""The seam between "who signs" and "where the private key is"."""

from dataclasses import dataclass
from typing import Protocol

from registry.core.keys import PublicKey


class Signer(Protocol):
    """One private key with one purpose; its bytes stay behind this seam.

    Every signer keeps these promises; `tests/contract/test_signer.py` holds each one to them.

    - `sign` returns a raw signature that `registry.core.keys.verify_signature` accepts under `key`:
      64 bytes for Ed25519 (RFC 8032), R‖S for ECDSA with the curve's own hash.
    - It raises `Unavailable` when the key cannot be reached, and never falls back to another key.
    """

    @property
    def key(self) -> PublicKey:
        """The public half."""
        ...

    @property
    def verification_method(self) -> str:
        """The DID URL under which verifiers find the public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign `message`; the caller has put a type label into it."""
        ...


class PrivateKey(Protocol):
    """A private key without a name yet: what a key store hands out."""

    @property
    def key(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """As `Signer.sign`."""
        ...


@dataclass(frozen=True, slots=True)
class NamedSigner:
    """A private key under the verification method that a DID document gives it."""

    private: PrivateKey
    verification_method: str

    @property
    def key(self) -> PublicKey:
        """The public half."""
        return self.private.key

    def sign(self, message: bytes) -> bytes:
        """As `Signer.sign`."""
        return self.private.sign(message)

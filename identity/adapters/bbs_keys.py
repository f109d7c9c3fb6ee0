"""BBS secret keys in memory; their bytes stay behind `BbsSigner`."""

from collections.abc import Collection
from dataclasses import dataclass

from py_arkworks_bls12381 import Scalar

from identity.core.bbs import blind, signature
from identity.core.bbs.keys import BbsPublicKey, public_key_of, secret_key


@dataclass(frozen=True, slots=True)
class BbsKey:
    """A BBS key under the verification method of its own `did:key`."""

    secret: Scalar
    key: BbsPublicKey

    def __repr__(self) -> str:
        """Without the secret."""
        return f"BbsKey({self.key.did_key})"

    @property
    def verification_method(self) -> str:
        """`did:key:X#X`."""
        return f"{self.key.did_key}#{self.key.multikey}"

    def sign(self, *, header: bytes, messages: Collection[bytes]) -> bytes:
        """As `BbsSigner.sign`."""
        return signature.sign(self.secret, header=header, messages=list(messages))

    def sign_blind(
        self,
        commitment: bytes,
        *,
        header: bytes,
        messages: Collection[bytes],
        signer_nym: Scalar | None,
    ) -> bytes:
        """As `BbsSigner.sign_blind`."""
        return blind.blind_sign(
            self.secret, commitment, header=header, messages=list(messages), signer_nym=signer_nym
        )


def bbs_key_from_seed(seed: bytes) -> BbsKey:
    """The key that 32 unguessable bytes stand for.

    Raises:
        BbsMalformed: fewer bytes.
    """
    secret = secret_key(seed)
    return BbsKey(secret, public_key_of(secret))

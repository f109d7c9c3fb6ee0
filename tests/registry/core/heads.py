"""Signers and heads that tests share. The keys are invented and sign nothing else."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.checkpoint import Head
from registry.core.encoding import base58_encode
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.signed_note import VerifierKey, verifier_key
from registry.core.trust_anchor import TrustAnchor

NETWORK = "test-1"
NOW = 1_790_000_100  # Unix seconds at which tests look at heads; an operator's anchor has no end
ROOT_DID = f"did:cairn:{NETWORK}:{base58_encode(bytes(range(1, 21)))}"


@dataclass(frozen=True)
class TestSigner:
    """A head signer whose private key is 32 equal bytes."""

    __test__ = False

    name: str
    seed: int

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def key(self) -> PublicKey:
        return public_key(KeyType.ED25519, self._private.public_key().public_bytes_raw())

    @property
    def verifier(self) -> VerifierKey:
        return verifier_key(self.name, self.key)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


SIGNER = TestSigner("cairn/test-1", 1)
SECOND = TestSigner("court.example/head", 2)
THIRD = TestSigner("university.example/head", 3)


def anchor_of(*signers: TestSigner, threshold: int = 1, network: str = NETWORK) -> TrustAnchor:
    return TrustAnchor(
        network=network,
        head_keys=tuple(signer.verifier for signer in signers),
        threshold=threshold,
        roots=(ROOT_DID.replace(NETWORK, network),),
    )


def head_of(**changes: object) -> Head:
    members = {
        "network": NETWORK,
        "tree_size": 12,
        "log_root": bytes(range(32)),
        "height": 7,
        "time": 1_790_000_000,
        "state_root": bytes(range(32, 64)),
    }
    return Head(**members | changes)

"""People of the tests who sign transactions: keys from seeds, a state, and a ledger of a kind.

`TestLedger` decides nothing: it keeps the state in a dictionary and calls the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.did import DidDetails, RecoveryKey, VerificationMethod
from registry.core.did_actions import CreateDid
from registry.core.encoding import base64url_encode
from registry.core.genesis import Genesis, genesis_changes, genesis_member
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.records import Block, Changes
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    SignedTransaction,
    derive_did,
    encode_signed,
    parse_transaction,
    signing_message,
)
from registry.core.transitions import apply

NETWORK = "cairn-test"


@dataclass(frozen=True)
class Ed25519Pair:
    """An Ed25519 key pair made of 32 seed bytes."""

    seed: bytes

    @property
    def key(self) -> PublicKey:
        return _ed25519(self.seed)[1]

    def sign(self, message: bytes) -> bytes:
        return _ed25519(self.seed)[0].sign(message)


@dataclass(frozen=True)
class P256Pair:
    """A P-256 key pair whose private scalar is a small number."""

    scalar: int

    @property
    def key(self) -> PublicKey:
        return _p256(self.scalar)[1]

    def sign(self, message: bytes) -> bytes:
        private, _ = _p256(self.scalar)
        # Deterministic (RFC 6979), so that the same story makes the same bytes.
        der = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@cache
def _ed25519(seed: bytes) -> tuple[ed25519.Ed25519PrivateKey, PublicKey]:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    data = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return private, public_key(KeyType.ED25519, data)


@cache
def _p256(scalar: int) -> tuple[ec.EllipticCurvePrivateKey, PublicKey]:
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return private, public_key(KeyType.P256, point)


Pair = Ed25519Pair | P256Pair


def pair(name: str) -> Ed25519Pair:
    """The Ed25519 pair of this name."""
    return Ed25519Pair(sha256(name.encode()))


def nonce(name: str) -> bytes:
    """16 bytes that this name stands for."""
    return sha256(b"nonce " + name.encode())[:16]


def identifier(name: str) -> str:
    """An id of 16 bytes that this name stands for."""
    return base64url_encode(sha256(b"id " + name.encode())[:16])


def method(fragment: str, held: Pair, purpose: str = "capabilityInvocation") -> VerificationMethod:
    return VerificationMethod(fragment=fragment, key=held.key, purpose=purpose)


def recovery(fragment: str, held: Pair) -> RecoveryKey:
    return RecoveryKey(fragment=fragment, key=held.key)


def sign(payload: Payload, keys: Mapping[str, Pair]) -> bytes:
    """The bytes of a transaction, signed under these key ids."""
    message = signing_message(payload)
    return encode_signed(
        payload,
        [Signature(key=key, value=held.sign(message)) for key, held in keys.items()],
    )


@dataclass
class TestLedger:
    """A state in memory, from a genesis with one root."""

    __test__ = False

    state: dict[str, bytes] = field(default_factory=dict)
    height: int = 0
    counter: int = 0
    root: str = ""

    def __post_init__(self) -> None:
        member = genesis_member(network=NETWORK, name="Ministry", keys=[pair("root").key])
        genesis = Genesis(network=NETWORK, members=(member,), created=1_700_000_000)
        self.state = dict(genesis_changes(genesis))
        self.root = member.did

    def get(self, key: str) -> bytes | None:
        return self.state.get(key)

    def block(self) -> Block:
        return Block(
            height=self.height + 1, time=1_700_000_000 + self.height + 1, index=self.height + 1
        )

    def apply(self, transaction: SignedTransaction | bytes) -> Changes:
        """Apply in a block of its own; a refused transaction leaves everything as it was."""
        if isinstance(transaction, bytes):
            transaction = parse_transaction(transaction)
        before = dict(self.state)
        try:
            changes = apply(transaction, state=self, block=self.block())
        finally:
            assert self.state == before, "a rule wrote into the state"
        self.state.update(changes)
        self.height += 1
        return changes

    def do(
        self, author: str, action: Action, *, keys: Mapping[str, Pair], name: str | None = None
    ) -> Changes:
        """Sign with keys given by fragment, and apply."""
        return self.apply(self.signed(author, action, keys=keys, name=name))

    def signed(
        self, author: str, action: Action, *, keys: Mapping[str, Pair], name: str | None = None
    ) -> bytes:
        """The signed bytes, without applying them."""
        self.counter += 1
        payload = Payload(
            network=NETWORK, author=author, nonce=nonce(name or str(self.counter)), action=action
        )
        return sign(payload, {f"{author}#{fragment}": held for fragment, held in keys.items()})

    def as_root(self, action: Action) -> Changes:
        """The root asks."""
        return self.do(self.root, action, keys={"governance-1": pair("root")})

    def create(self, name: str, details: DidDetails | None = None, **keys: Pair) -> str:
        """Create a DID; by default with one ledger key called `ledger-1`."""
        if details is None:
            details = DidDetails(verification_methods=(method("ledger-1", pair(name)),))
            keys = {"ledger-1": pair(name)}
        payload = Payload(
            network=NETWORK, author="", nonce=nonce(name), action=CreateDid(details=details)
        )
        signed_by = {f"#{fragment.replace('_', '-')}": held for fragment, held in keys.items()}
        self.apply(sign(payload, signed_by))
        return derive_did(payload)

    def ask(self, name: str, did: str, action: Action) -> Changes:
        """The holder of `ledger-1` of a DID made by `create(name)` asks."""
        return self.do(did, action, keys={"ledger-1": pair(name)})

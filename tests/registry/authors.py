"""People who submit: keys made from a name, a genesis with one root, signed transactions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.did import DidDetails, VerificationMethod
from registry.core.did_actions import CreateDid
from registry.core.genesis import Genesis, genesis_member
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.signed_note import VerifierKey, verifier_key
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    derive_did,
    encode_signed,
    signing_message,
)
from registry.core.trust_anchor import TrustAnchor

NETWORK = "testnet"
CREATED = 1_790_000_000  # Unix seconds

_numbers = count(1)


class UnsafeKey:
    """A private key that anyone can make again from its name."""

    def __init__(self, name: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
        self.key = public_key(KeyType.ED25519, self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


class UnsafeHeadSigner(UnsafeKey):
    """Signs heads of the test network."""

    def __init__(self, name: str = "testnet-head") -> None:
        super().__init__(name)
        self.name = name

    @property
    def verifier_key(self) -> VerifierKey:
        return verifier_key(self.name, self.key)


@dataclass(frozen=True)
class Author:
    """A DID with one ledger key."""

    did: str
    fragment: str
    private: UnsafeKey

    @property
    def verification_method(self) -> str:
        return f"{self.did}#{self.fragment}"

    @property
    def key(self) -> PublicKey:
        return self.private.key

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def transaction(self, action: Action, *, nonce: bytes | None = None) -> bytes:
        payload = Payload(
            network=NETWORK, author=self.did, nonce=nonce or fresh_nonce(), action=action
        )
        return signed(payload, self)


def signed(payload: Payload, *authors: Author) -> bytes:
    message = signing_message(payload)
    return encode_signed(
        payload,
        [
            Signature(key=author.verification_method, value=author.sign(message))
            for author in authors
        ],
    )


def fresh_nonce() -> bytes:
    """Different at every call, and the same in every run."""
    return sha256(b"nonce %d" % next(_numbers)).digest()[:16]


def root_author() -> Author:
    """The one member of `genesis()`."""
    private = UnsafeKey("root")
    member = genesis_member(network=NETWORK, name="Ministry of Tests", keys=[private.key])
    return Author(member.did, "governance-1", private)


def genesis(network: str = NETWORK, created: int = CREATED) -> Genesis:
    member = genesis_member(network=network, name="Ministry of Tests", keys=[UnsafeKey("root").key])
    return Genesis(network=network, members=(member,), created=created)


def trust_anchor(signer: UnsafeHeadSigner | None = None) -> TrustAnchor:
    return TrustAnchor(
        network=NETWORK,
        head_keys=((signer or UnsafeHeadSigner()).verifier_key,),
        threshold=1,
        roots=(root_author().did,),
    )


def details_of(
    private: UnsafeKey, *others: VerificationMethod, fragment: str = "ledger-1"
) -> DidDetails:
    method = VerificationMethod(fragment=fragment, key=private.key, purpose="capabilityInvocation")
    return DidDetails(verification_methods=(method, *others))


def new_did(
    name: str,
    details: Callable[[UnsafeKey], DidDetails] = details_of,
    *,
    others: Mapping[str, UnsafeKey] | None = None,
) -> tuple[bytes, Author]:
    """A `create-did` transaction, and whoever it makes; the same name gives the same bytes.

    `others` are the further keys that `details` names, by fragment; each signs as well.
    """
    private = UnsafeKey(name)
    payload = Payload(
        network=NETWORK,
        author="",
        nonce=sha256(name.encode()).digest()[:16],
        action=CreateDid(details=details(private)),
    )
    author = Author(derive_did(payload), "ledger-1", private)
    message = signing_message(payload)
    keys = {"ledger-1": private, **(others or {})}
    signatures = [
        Signature(key=f"#{fragment}", value=key.sign(message)) for fragment, key in keys.items()
    ]
    return encode_signed(payload, signatures), author

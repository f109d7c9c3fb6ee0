"""An identity sealed to institutions: k of n, and the gate that waits for the ledger.

The key of the box follows from two secrets. One is shared among n institutions, each share
encrypted to one of them (`sharing`); any k give it back. The other, the gate's, is encrypted to one
key more, which sits beside the ledger and is used only when the ledger proves an order
(`giving.release_gate`). So k institutions that agree among themselves, with software of their own,
open nothing without the gate; the gate opens nothing without them.

HPKE (RFC 9180: DHKEM X25519, HKDF-SHA-256, AES-256-GCM) encrypts each share under an `info` that
binds it to the network, the record, the holder and her number; HKDF-SHA-256 (RFC 5869) makes the
key of the box, AES-256-GCM with everything public about the record as associated data seals it.
HPKE draws its ephemeral keys from the operating system by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from identity.core.opening.sharing import (
    MAX_HOLDERS,
    POINT_BYTES,
    SCALAR_BYTES,
    check_numbers,
    deal,
    read_commitment,
)
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
)
from registry.core.fields import choice, integer, items, members, octets
from registry.core.hashing import labelled_hash
from registry.core.identifiers import ID_BYTES, read_did, read_id
from registry.core.network import parse_network_name
from registry.core.refusals import Malformed, NotPermitted

TYPE = "cairn-sealed-identity/1"
KEY_BYTES = 32
GATE_BYTES = 32
MAX_IDENTITY_BYTES = 4096  # number, scheme, names and birth date take some 300
_ENCAPSULATED, _TAG, _NONCE = 32, 16, 12
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class NotSealedTo(NotPermitted):
    """Nothing in this record is sealed to that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An institution that holds a share: its DID, and the key that shares are encrypted to."""

    institution: str
    key: bytes  # X25519, 32 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """To whom identities are sealed, and how many of them open."""

    network: str
    threshold: int
    holders: tuple[Holder, ...]
    gate: bytes  # X25519, 32 bytes

    def __post_init__(self) -> None:
        check_numbers(threshold=self.threshold, holders=len(self.holders))
        if len({item.institution for item in self.holders}) != len(self.holders):
            raise Malformed("an institution holds one share")
        if len({*(item.key for item in self.holders), self.gate}) != len(self.holders) + 1:
            raise Malformed("every institution, and the gate, has a key of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedIdentity:
    """The sealed record, public in every part. `shares` are in the order of the holders."""

    seal: str  # 16 random bytes, base64url
    custody: Custody
    commitments: tuple[bytes, ...]
    shares: tuple[bytes, ...]
    gate_share: bytes
    nonce: bytes
    box: bytes

    @property
    def digest(self) -> bytes:
        """What an order commits to, with a salt: 32 bytes."""
        return labelled_hash("cairn/sealed-identity/v1", canonical_json(self.to_object()))

    @property
    def associated_data(self) -> bytes:
        """All that is public before anything is encrypted; every ciphertext is bound to it."""
        return canonical_json(_header(self.seal, self.custody, self.commitments))

    def number_of(self, key: bytes) -> int:
        """The holder's number, from 1, whose shares are encrypted to this public key.

        Raises:
            NotSealedTo: none of them.
        """
        for number, holder in enumerate(self.custody.holders, start=1):
            if holder.key == key:
                return number
        raise NotSealedTo("nothing in this record is sealed to that key")

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return {
            **_header(self.seal, self.custody, self.commitments),
            "shares": [base64url_encode(item) for item in self.shares],
            "gate_share": base64url_encode(self.gate_share),
            "nonce": base64url_encode(self.nonce),
            "box": base64url_encode(self.box),
        }


def seal_identity(
    identity: bytes, *, custody: Custody, random: Callable[[int], bytes]
) -> SealedIdentity:
    """Seal what is to be opened one day, or never.

    Args:
        identity: 1 to `MAX_IDENTITY_BYTES` bytes.
        custody: to whom.
        random: source of random bytes.

    Raises:
        Malformed: nothing to seal, or too much.
    """
    if not 1 <= len(identity) <= MAX_IDENTITY_BYTES:
        raise Malformed(f"an identity of 1 to {MAX_IDENTITY_BYTES} bytes is sealed")
    seal = base64url_encode(random(ID_BYTES))
    dealing = deal(threshold=custody.threshold, holders=len(custody.holders), random=random)
    gate, nonce = random(GATE_BYTES), random(_NONCE)
    header = canonical_json(_header(seal, custody, dealing.commitments))
    return SealedIdentity(
        seal=seal,
        custody=custody,
        commitments=dealing.commitments,
        shares=tuple(
            encrypt(share, key=holder.key, info=share_info(header, number))
            for number, (share, holder) in enumerate(
                zip(dealing.shares, custody.holders, strict=True), start=1
            )
        ),
        gate_share=encrypt(gate, key=custody.gate, info=share_info(header, 0)),
        nonce=nonce,
        box=AESGCM(box_key(dealing.secret, gate, header)).encrypt(nonce, identity, header),
    )


def parse_sealed_identity(value: object) -> SealedIdentity:
    """Read the record from its JSON object.

    Raises:
        Malformed: a member is missing, unknown, or not of its form.
    """
    found = members(
        value,
        "sealed identity",
        required=(
            *("type", "network", "seal", "threshold", "holders", "gate"),
            *("commitments", "shares", "gate_share", "nonce", "box"),
        ),
    )
    choice(found["type"], "type", [TYPE])
    custody = Custody(
        network=parse_network_name(found["network"]),
        threshold=integer(found["threshold"], "threshold", low=2, high=MAX_HOLDERS),
        holders=items(found["holders"], "holders", low=2, high=MAX_HOLDERS, read=_read_holder),
        gate=octets(found["gate"], "gate", size=KEY_BYTES),
    )
    count, size = len(custody.holders), _ENCAPSULATED + SCALAR_BYTES + _TAG
    commitments = items(
        found["commitments"],
        "commitments",
        low=custody.threshold,
        high=custody.threshold,
        read=lambda item: octets(item, "commitment", size=POINT_BYTES),
    )
    for commitment in commitments:
        read_commitment(commitment)
    box = found["box"]
    if not isinstance(box, str) or not _TAG < len(box) * 3 // 4 <= MAX_IDENTITY_BYTES + _TAG:
        raise Malformed("box is not of the size of a sealed identity")
    return SealedIdentity(
        seal=read_id(found["seal"], "seal"),
        custody=custody,
        commitments=commitments,
        shares=items(
            found["shares"],
            "shares",
            low=count,
            high=count,
            read=lambda item: octets(item, "share", size=size),
        ),
        gate_share=octets(found["gate_share"], "gate_share", size=size),
        nonce=octets(found["nonce"], "nonce", size=_NONCE),
        box=base64url_decode(box),
    )


def public_half(private: bytes) -> bytes:
    """The public key of a holder or a gate, from its 32 private bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def share_info(header: bytes, number: int) -> bytes:
    """What the ciphertext of holder `number` is bound to; the gate is number 0."""
    return labelled_hash("cairn/opening-share/v1", header, bytes([number]))


def box_key(secret: bytes, gate: bytes, header: bytes) -> bytes:
    """Key of the box, from both secrets."""
    info = labelled_hash("cairn/opening-box/v1", header)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret + gate)


def encrypt(plaintext: bytes, *, key: bytes, info: bytes) -> bytes:
    """Encrypt to an institution's public key.

    Raises:
        Malformed: it is no key.
    """
    try:
        return bytes(SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(key), info=info))
    except ValueError as error:  # a point of small order makes no secret
        raise Malformed("a key that shares are sealed to is no key") from error


def _header(seal: str, custody: Custody, commitments: Sequence[bytes]) -> JsonObject:
    return {
        "type": TYPE,
        "network": custody.network,
        "seal": seal,
        "threshold": custody.threshold,
        "holders": [
            {"institution": item.institution, "key": base64url_encode(item.key)}
            for item in custody.holders
        ],
        "gate": base64url_encode(custody.gate),
        "commitments": [base64url_encode(item) for item in commitments],
    }


def _read_holder(value: object) -> Holder:
    found = members(value, "holder", required=("institution", "key"))
    return Holder(
        institution=read_did(found["institution"], "institution"),
        key=octets(found["key"], "key", size=KEY_BYTES),
    )

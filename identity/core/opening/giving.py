"""Giving a share, releasing the gate, and putting the shares together: never without an order.

Each of these begins with `require_order`. There is no other code that decrypts a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.core.opening.order import VerifiedOrder, require_order
from identity.core.opening.sealed_identity import (
    KEY_BYTES,
    SUITE,
    SealedIdentity,
    box_key,
    encrypt,
    share_info,
)
from identity.core.opening.sharing import MAX_HOLDERS, FalseShare, is_share, recover
from registry.core.encoding import JsonObject, base64url_decode, base64url_encode
from registry.core.fields import choice, integer, members, octets
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed, NotPermitted

TYPE = "cairn-opening-share/1"
_MAX_BOX_CHARS = 256


class ShareNotOpened(NotPermitted):
    """A share was sealed to another key, or the record was altered."""


class NotBehindOrder(NotPermitted):
    """This institution did not sign the order, so it gives no share under it."""


class BoxNotOpened(NotPermitted):
    """The box does not open with what was put together: the record was altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenShare:
    """A share on its way to the institution that puts them together, encrypted to its key."""

    order: int  # number of the order
    seal_digest: bytes
    holder: int  # number of the giver, from 1
    to: bytes  # the receiver's public key
    box: bytes

    def to_object(self) -> JsonObject:
        """The share as a JSON object."""
        return {
            "type": TYPE,
            "order": self.order,
            "seal_digest": base64url_encode(self.seal_digest),
            "holder": self.holder,
            "to": base64url_encode(self.to),
            "box": base64url_encode(self.box),
        }

    @classmethod
    def parse(cls, value: object) -> "GivenShare":
        """Read a share from its JSON object.

        Raises:
            Malformed: a member is missing, unknown, or not of its form.
        """
        found = members(
            value, "share", required=("type", "order", "seal_digest", "holder", "to", "box")
        )
        choice(found["type"], "type", [TYPE])
        box = found["box"]
        if not isinstance(box, str) or len(box) > _MAX_BOX_CHARS:
            raise Malformed("box of a share is no string, or too long")
        return cls(
            order=integer(found["order"], "order", low=1),
            seal_digest=octets(found["seal_digest"], "seal_digest", size=32),
            holder=integer(found["holder"], "holder", low=1, high=MAX_HOLDERS),
            to=octets(found["to"], "to", size=KEY_BYTES),
            box=base64url_decode(box),
        )


def give_share(
    sealed: SealedIdentity, *, order: VerifiedOrder, private: bytes, to: bytes
) -> GivenShare:
    """Decrypt one's own share, check it, and encrypt it to the institution that combines.

    Args:
        private: the giver's X25519 key, 32 bytes.
        to: public key of a holder of this record, the giver's own included.

    Raises:
        OrderNotVerified: no proven order for this record.
        NotSealedTo: one of the keys is no holder's.
        NotBehindOrder: the giver did not sign the order.
        ShareNotOpened: the record was altered.
        FalseShare: what was sealed to the giver is not what the commitments say: whoever sealed
            the record cheated.
    """
    recorded = require_order(order, sealed)
    number = sealed.number_of(_public(private))
    sealed.number_of(to)
    if sealed.custody.holders[number - 1].institution not in recorded.institutions:
        raise NotBehindOrder("this institution did not sign the order")
    share = _part(sealed, number, private)
    if not is_share(share, holder=number, commitments=sealed.commitments):
        raise FalseShare("what was sealed to this holder is no share", holders=(number,))
    info = _transfer_info(recorded.number, sealed.digest, number, to)
    return GivenShare(
        order=recorded.number,
        seal_digest=sealed.digest,
        holder=number,
        to=to,
        box=encrypt(share, key=to, info=info),
    )


def release_gate(sealed: SealedIdentity, *, order: VerifiedOrder, private: bytes) -> bytes:
    """The gate's secret; worth nothing without the shares.

    Raises:
        OrderNotVerified: no proven order for this record.
        ShareNotOpened: the key is not that of the gate, or the record was altered.
    """
    require_order(order, sealed)
    if _public(private) != sealed.custody.gate:
        raise ShareNotOpened("this is not the key of the gate that the record names")
    return _part(sealed, 0, private)


def combine(
    sealed: SealedIdentity,
    *,
    order: VerifiedOrder,
    shares: Sequence[GivenShare],
    gate: bytes,
    private: bytes,
) -> bytes:
    """What was sealed.

    Args:
        shares: all encrypted to the key `private`; a holder's second one counts for nothing.
        gate: as `release_gate` gave it.

    Raises:
        OrderNotVerified: no proven order for this record.
        ShareNotOpened: a share is for another order, record or receiver.
        TooFewShares: fewer than the record demands.
        FalseShare: names the holders whose share is not the one dealt to them.
        BoxNotOpened: the gate's secret is not the one of this record.
    """
    recorded = require_order(order, sealed)
    mine, opened = _public(private), dict[int, bytes]()
    for share in shares:
        if (share.order, share.seal_digest, share.to) != (recorded.number, sealed.digest, mine):
            raise ShareNotOpened("a share is for another order, record or receiver")
        info = _transfer_info(share.order, share.seal_digest, share.holder, share.to)
        opened.setdefault(share.holder, _decrypt(share.box, private, info))
    secret = recover(opened, commitments=sealed.commitments)
    header = sealed.associated_data
    try:
        return AESGCM(box_key(secret, gate, header)).decrypt(sealed.nonce, sealed.box, header)
    except InvalidTag as error:
        raise BoxNotOpened("the box does not open with these secrets") from error


def _part(sealed: SealedIdentity, number: int, private: bytes) -> bytes:
    ciphertext = sealed.gate_share if number == 0 else sealed.shares[number - 1]
    return _decrypt(ciphertext, private, share_info(sealed.associated_data, number))


def _decrypt(ciphertext: bytes, private: bytes, info: bytes) -> bytes:
    try:
        key = X25519PrivateKey.from_private_bytes(private)
        return bytes(SUITE.decrypt(ciphertext, key, info=info))
    except (InvalidTag, ValueError) as error:
        raise ShareNotOpened("this share does not open with that key") from error


def _public(private: bytes) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    except ValueError as error:
        raise Malformed("an opening key is 32 bytes") from error


def _transfer_info(order: int, digest: bytes, holder: int, to: bytes) -> bytes:
    parts = (order.to_bytes(8, "big"), digest, bytes([holder]), to)
    return labelled_hash("cairn/opening-transfer/v1", *parts)

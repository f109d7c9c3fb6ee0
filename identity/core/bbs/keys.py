"""BBS keys: points of G2, admitted for BBS signatures and for nothing else.

They are no `PublicKey`: what signs tokens, DID documents or presentations never meets one.
"""

from dataclasses import dataclass
from typing import TypeGuard

from py_arkworks_bls12381 import G2Point, Scalar

from identity.core.bbs.curve import ORDER, BbsMalformed, scalar
from identity.core.bbs.interface import CORE, expand_message
from registry.core.bls_keys import g2_multikey, is_g2_multikey, parse_g2_multikey, read_g2_key
from registry.core.keys import KeyNotAdmitted

MIN_KEY_MATERIAL_BYTES = 32


@dataclass(frozen=True, slots=True)
class BbsPublicKey:
    """An admitted BBS key: 96 bytes, a compressed point of G2."""

    data: bytes

    @property
    def multikey(self) -> str:
        """`publicKeyMultibase` of a Multikey (VC DI BBS §2.1.1)."""
        return g2_multikey(self.data)

    @property
    def did_key(self) -> str:
        """The `did:key` of this key, without fragment."""
        return f"did:key:{self.multikey}"

    @property
    def point(self) -> G2Point:
        """The key as a point."""
        return read_g2_key(self.data)


def bbs_public_key(data: bytes) -> BbsPublicKey:
    """Admit 96 bytes as a BBS key.

    Raises:
        KeyNotAdmitted: wrong length, no point, outside the subgroup, or the identity.
    """
    read_g2_key(bytes(data))
    return BbsPublicKey(bytes(data))


def parse_bbs_multikey(text: object) -> BbsPublicKey:
    """Admit the `publicKeyMultibase` of a BBS key; base58-btc only.

    Raises:
        KeyNotAdmitted: another kind of key, or as `bbs_public_key`.
    """
    return BbsPublicKey(parse_g2_multikey(text))


def parse_bbs_did_key(did: str) -> BbsPublicKey:
    """Admit the key of a `did:key` (no fragment).

    Raises:
        KeyNotAdmitted: another method, or as `parse_bbs_multikey`.
    """
    if not did.startswith("did:key:"):
        raise KeyNotAdmitted("not a did:key")
    return parse_bbs_multikey(did.removeprefix("did:key:"))


def is_bbs_multikey(text: object) -> TypeGuard[str]:
    """It begins as the multikey of a BBS key does; whether it is one is for the parser."""
    return is_g2_multikey(text)


def secret_key(material: bytes) -> Scalar:
    """The secret key that `material`, at least 32 unguessable bytes, stands for (KeyGen, §3.4.1).

    Raises:
        BbsMalformed: too little material.
    """
    if len(material) < MIN_KEY_MATERIAL_BYTES:
        raise BbsMalformed(f"key material is under {MIN_KEY_MATERIAL_BYTES} bytes")
    octets = expand_message(material + bytes(2), CORE + b"KEYGEN_DST_", 48)
    number = int.from_bytes(octets, "big") % ORDER
    if number == 0:
        raise BbsMalformed("key material stands for no key")
    return scalar(number)


def public_key_of(secret: Scalar) -> BbsPublicKey:
    """The public half (SkToPk, §3.4.2)."""
    return bbs_public_key(bytes((G2Point() * secret).to_compressed_bytes()))

"""Public keys in G2 of BLS12-381: admitted strictly, and for what they sign alone.

They are no `PublicKey`: nothing on the ledger is signed with one. A `did:key` may name one, and
credentials of bbs-2023 are verified under it.
"""

from functools import lru_cache
from typing import TypeGuard

from py_arkworks_bls12381 import G2Point

from registry.core.encoding import base58_encode, multibase_decode
from registry.core.keys import KeyNotAdmitted
from registry.core.refusals import Malformed

G2_KEY_BYTES = 96

_MULTICODEC = bytes([0xEB, 0x01])  # bls12_381-g2-pub
_PREFIX = "zUC7"  # what every such multikey begins with


@lru_cache(maxsize=256)  # a raise is not cached; a key that was admitted stays admitted
def read_g2_key(data: bytes) -> G2Point:
    """The point that 96 bytes stand for, compressed; never the identity.

    Raises:
        KeyNotAdmitted: wrong length, not on the curve, outside the subgroup, the identity, or
            written otherwise than we would write it.
    """
    if len(data) != G2_KEY_BYTES:
        raise KeyNotAdmitted(f"a key of BLS12-381 G2 is {G2_KEY_BYTES} bytes long")
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError as error:
        raise KeyNotAdmitted("bytes are no point of G2") from error
    if point == G2Point.identity() or bytes(point.to_compressed_bytes()) != data:
        raise KeyNotAdmitted("bytes are no point of G2")
    return point


def is_g2_multikey(text: object) -> TypeGuard[str]:
    """It begins as the multikey of such a key does; whether it is one is for the parser."""
    return isinstance(text, str) and text.startswith(_PREFIX)


def parse_g2_multikey(text: object) -> bytes:
    """The 96 bytes of a key written as a Multikey, base58-btc only.

    Raises:
        KeyNotAdmitted: another kind of key, or as `read_g2_key`.
    """
    if not is_g2_multikey(text):
        raise KeyNotAdmitted("key is not a BLS12-381 G2 multikey")
    try:
        data = multibase_decode(text)
    except Malformed as error:
        raise KeyNotAdmitted(error.detail) from error
    if not data.startswith(_MULTICODEC):
        raise KeyNotAdmitted("key is not a BLS12-381 G2 multikey")
    read_g2_key(data[len(_MULTICODEC) :])
    return data[len(_MULTICODEC) :]


def g2_multikey(data: bytes) -> str:
    """`publicKeyMultibase` of a key of 96 bytes (VC DI BBS §2.1.1)."""
    return "z" + base58_encode(_MULTICODEC + data)

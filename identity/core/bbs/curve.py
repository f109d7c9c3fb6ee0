"""Points and scalars of BLS12-381 as BBS writes them: read strictly, or refused.

Reading is where an outsider's bytes become mathematics. A point that is not on its curve, outside
the prime-order subgroup, the identity, or written in another way than we would write it, and a
scalar that is zero or not below the group order, never get further.
"""

from collections.abc import Sequence

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from registry.core.bls_keys import read_g2_key
from registry.core.keys import KeyNotAdmitted
from registry.core.refusals import Malformed, NotPermitted

G1_BYTES, G2_BYTES, SCALAR_BYTES = 48, 96, 32

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


class BbsMalformed(Malformed):
    """The bytes are no key, signature, proof or commitment of BBS, or too long for one."""


class BbsNotValid(NotPermitted):
    """Well-formed, and not made by this key over this; why is not told."""

    def __init__(self) -> None:
        super().__init__("BBS signature or proof does not verify")


def read_g1(data: bytes) -> G1Point:
    """A point of the first group, in 48 bytes; never the identity.

    Raises:
        BbsMalformed: not on the curve, outside the subgroup, the identity, or written otherwise.
    """
    if len(data) != G1_BYTES:
        raise BbsMalformed("a point of G1 has 48 bytes")
    try:
        point = G1Point.from_compressed_bytes(data)
    except ValueError as error:
        raise BbsMalformed("bytes are no point of G1") from error
    if point == G1Point.identity() or write_g1(point) != data:
        raise BbsMalformed("bytes are no point of G1")
    return point


def read_g2(data: bytes) -> G2Point:
    """A point of the second group, in 96 bytes; never the identity.

    Raises:
        BbsMalformed: as `read_g1`.
    """
    try:
        return read_g2_key(data)
    except KeyNotAdmitted as error:
        raise BbsMalformed(error.detail) from error


def read_scalar(data: bytes) -> Scalar:
    """A scalar from 32 bytes, big-endian; neither zero nor beyond the group order.

    Raises:
        BbsMalformed: anything else.
    """
    if len(data) != SCALAR_BYTES or not 0 < int.from_bytes(data, "big") < ORDER:
        raise BbsMalformed("bytes are no scalar between zero and the group order")
    return scalar(int.from_bytes(data, "big"))


def read_scalars(data: bytes) -> list[Scalar]:
    """Scalars one after the other.

    Raises:
        BbsMalformed: bytes are left over, or as `read_scalar`.
    """
    return [read_scalar(data[at : at + SCALAR_BYTES]) for at in range(0, len(data), SCALAR_BYTES)]


def scalar(number: int) -> Scalar:
    """The scalar that `number` stands for, modulo the group order."""
    return Scalar.from_be_bytes((number % ORDER).to_bytes(SCALAR_BYTES, "big"))


def write_g1(point: G1Point) -> bytes:
    """48 bytes."""
    return bytes(point.to_compressed_bytes())


def write_scalar(value: Scalar) -> bytes:
    """32 bytes, big-endian."""
    return bytes(value.to_be_bytes())


def combine(points: Sequence[G1Point], scalars: Sequence[Scalar]) -> G1Point:
    """Sum of scalar times point; as many of the one as of the other."""
    if len(points) != len(scalars):
        raise BbsMalformed("not as many points as scalars")
    return G1Point.multiexp_unchecked(list(points), list(scalars))

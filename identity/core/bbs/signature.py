"""Signing and verifying on scalars (BBS §3.6.1, §3.6.2), under whichever interface."""

from collections.abc import Sequence
from dataclasses import dataclass

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from identity.core.bbs.curve import (
    G1_BYTES,
    SCALAR_BYTES,
    BbsMalformed,
    BbsNotValid,
    combine,
    read_g1,
    read_scalar,
    write_g1,
    write_scalar,
)
from identity.core.bbs.interface import CORE, P1, domain, generators, messages_to_scalars
from identity.core.bbs.interface import hash_to_scalar as _hash
from identity.core.bbs.keys import BbsPublicKey, public_key_of

SIGNATURE_BYTES = G1_BYTES + SCALAR_BYTES

_MINUS_BASE = -G2Point()


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed, as scalars, with the generator of each and what binds them.

    `points` has one more than `scalars`: Q_1 comes first.
    """

    key: BbsPublicKey
    points: tuple[G1Point, ...]
    scalars: tuple[Scalar, ...]
    header: bytes
    api: bytes

    @property
    def domain(self) -> Scalar:
        """See `interface.domain`."""
        return domain(self.key.data, self.points, self.header, self.api)

    def commitment(self, bound: Scalar) -> G1Point:
        """The point B that a signature is of; `bound` is the domain."""
        return P1 + combine(self.points, [bound, *self.scalars])


def sign(secret: Scalar, *, header: bytes, messages: Sequence[bytes]) -> bytes:
    """Sign a header and messages (Sign, §3.5.1): 80 bytes, the same each time.

    Raises:
        BbsMalformed: too many messages.
    """
    statement = plain_statement(public_key_of(secret), header=header, messages=messages)
    bound = statement.domain
    octets = b"".join(write_scalar(value) for value in (secret, *statement.scalars, bound))
    e = _hash(octets, CORE + b"H2S_")
    return finish(statement.commitment(bound), secret=secret, e=e)


def verify(
    key: BbsPublicKey, signature: bytes, *, header: bytes, messages: Sequence[bytes]
) -> None:
    """Check a signature (Verify, §3.5.2). Returns nothing on success.

    Raises:
        BbsMalformed: no signature, or too many messages.
        BbsNotValid: not of this key over these.
    """
    verify_statement(plain_statement(key, header=header, messages=messages), signature)


def plain_statement(key: BbsPublicKey, *, header: bytes, messages: Sequence[bytes]) -> Statement:
    """What the core interface signs."""
    return Statement(
        key=key,
        points=generators(len(messages) + 1, CORE),
        scalars=tuple(messages_to_scalars(messages, CORE)),
        header=header,
        api=CORE,
    )


def verify_statement(statement: Statement, signature: bytes) -> None:
    """As `verify`, for any interface."""
    a, e = read_signature(signature)
    b = statement.commitment(statement.domain)
    key = statement.key.point + G2Point() * e
    if not GT.pairing_check([a, b], [key, _MINUS_BASE]):
        raise BbsNotValid


def finish(b: G1Point, *, secret: Scalar, e: Scalar) -> bytes:
    """The signature of the point `b`: (A, e) with A = b / (secret + e)."""
    total = secret + e
    if total.is_zero() or b == G1Point.identity():
        raise BbsMalformed("these messages cannot be signed")  # chance of 2 in 2^255
    return write_g1(b * total.inverse()) + write_scalar(e)


def read_signature(data: bytes) -> tuple[G1Point, Scalar]:
    """(A, e) of 80 bytes (§4.2.4.2)."""
    if len(data) != SIGNATURE_BYTES:
        raise BbsMalformed(f"a BBS signature is {SIGNATURE_BYTES} bytes long")
    return read_g1(data[:G1_BYTES]), read_scalar(data[G1_BYTES:])

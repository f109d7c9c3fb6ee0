"""A secret in n shares of which any k give it back, and a false share is found out.

Feldman's scheme (FOCS 1987) over the scalars of BLS12-381: the secret is the value at 0 of a random
polynomial of degree k-1, share i its value at i, and each coefficient is published as a multiple of
the generator of G1. The secret must be random: the commitments hide it as well as discrete
logarithms are hard, and no better. Fewer than k shares say nothing more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from py_arkworks_bls12381 import G1Point, Scalar

from registry.core.refusals import Malformed

MAX_HOLDERS = 15  # a disclosure order names at most as many institutions
SCALAR_BYTES = 32
POINT_BYTES = 48
_WIDE_BYTES = 48  # reduced modulo the order of 255 bits, the bias is below 2^-128

# Order of the scalars of BLS12-381 (draft-irtf-cfrg-pairing-friendly-curves, §4.2.1).
_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


class TooFewShares(Malformed):
    """Fewer shares than the threshold: they say nothing about the secret."""


class FalseShare(Malformed):
    """A share is not the one that was dealt; `holders` numbers whoever gave one, from 1."""

    def __init__(self, detail: str, *, holders: tuple[int, ...]) -> None:
        super().__init__(detail)
        self.holders = holders


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealing:
    """A fresh secret, its shares by holder from 1, and the public commitments."""

    secret: bytes
    shares: tuple[bytes, ...]
    commitments: tuple[bytes, ...]


def deal(*, threshold: int, holders: int, random: Callable[[int], bytes]) -> Dealing:
    """Choose a random secret and share it.

    Args:
        threshold: how many shares give the secret back, at least 2: nobody opens alone.
        holders: how many shares there are, at most `MAX_HOLDERS`.
        random: source of random bytes.

    Raises:
        Malformed: the numbers do not fit.
    """
    check_numbers(threshold=threshold, holders=holders)
    coefficients = [_random_scalar(random) for _ in range(threshold)]
    return Dealing(
        secret=_bytes(coefficients[0]),
        shares=tuple(_bytes(_value(coefficients, at)) for at in range(1, holders + 1)),
        commitments=tuple(
            bytes((G1Point() * coefficient).to_compressed_bytes()) for coefficient in coefficients
        ),
    )


def check_numbers(*, threshold: int, holders: int) -> None:
    """Refuse a threshold that one alone could meet, or that nobody can.

    Raises:
        Malformed: it is so.
    """
    if not 2 <= threshold <= holders <= MAX_HOLDERS:
        raise Malformed(f"of 2 to {MAX_HOLDERS} holders, at least two and at most all must agree")


def is_share(share: bytes, *, holder: int, commitments: Sequence[bytes]) -> bool:
    """Whether `share` is the one that was dealt to holder number `holder`, from 1.

    Raises:
        Malformed: a commitment is no point of the group.
    """
    points = [read_commitment(item) for item in commitments]
    scalar = _read_scalar(share)
    if scalar is None or not points:
        return False
    expected, power = G1Point.identity(), Scalar(1)
    for point in points:
        expected += point * power
        power *= Scalar(holder)
    return bool(G1Point() * scalar == expected)


def recover(shares: Mapping[int, bytes], *, commitments: Sequence[bytes]) -> bytes:
    """The secret, from the shares of at least as many holders as there are commitments.

    Every share is checked, also those beyond the threshold.

    Raises:
        TooFewShares: not enough of them.
        FalseShare: names the holders whose share is not what was dealt to them.
        Malformed: a commitment is no point of the group, or there is no such holder.
    """
    if not all(1 <= holder <= MAX_HOLDERS for holder in shares):
        raise Malformed("there is no holder of that number")
    wrong = tuple(
        holder
        for holder, share in sorted(shares.items())
        if not is_share(share, holder=holder, commitments=commitments)
    )
    if wrong:
        named = ", ".join(map(str, wrong))
        raise FalseShare(f"not the share that was dealt: number {named}", holders=wrong)
    if len(shares) < max(2, len(commitments)):
        raise TooFewShares(f"{len(shares)} shares of the {len(commitments)} that are needed")
    chosen = sorted(shares)[: len(commitments)]
    secret = Scalar(0)
    for holder in chosen:
        factor = Scalar(1)
        for other in chosen:
            if other != holder:
                factor *= Scalar(other) / (Scalar(other) - Scalar(holder))
        scalar = _read_scalar(shares[holder])
        if scalar is None:
            raise FalseShare("not the share that was dealt", holders=(holder,))
        secret += scalar * factor
    return _bytes(secret)


def read_commitment(data: bytes) -> G1Point:
    """A commitment as a point of the group, in its one encoding.

    Raises:
        Malformed: not on the curve, not in the group, the neutral element, or another encoding.
    """
    try:
        point = G1Point.from_compressed_bytes(data)
    except ValueError as error:
        raise Malformed("a commitment is no point of the group") from error
    if bytes(point.to_compressed_bytes()) != data or point == G1Point.identity():
        raise Malformed("a commitment is no point of the group")
    return point


def _value(coefficients: Sequence[Scalar], at: int) -> Scalar:
    value = Scalar(0)
    for coefficient in reversed(coefficients):  # Horner
        value = value * Scalar(at) + coefficient
    return value


def _random_scalar(random: Callable[[int], bytes]) -> Scalar:
    while True:
        scalar = Scalar.from_be_bytes_mod_order(random(_WIDE_BYTES))
        if not scalar.is_zero():  # a coefficient of zero would be seen in its commitment
            return scalar


def _read_scalar(data: bytes) -> Scalar | None:
    if len(data) != SCALAR_BYTES or int.from_bytes(data, "big") >= _ORDER:
        return None
    return Scalar.from_be_bytes(data)


def _bytes(scalar: Scalar) -> bytes:
    return bytes(scalar.to_be_bytes())

"""What the BBS interfaces have in common: hashing, generators, domain.

The BBS Signature Scheme, draft-irtf-cfrg-bbs-signatures-07, with ciphersuite BLS12-381-SHA-256
(§7.2.2). An interface is a way to use the scheme, named by an identifier that goes into every
hash, so nothing made under one verifies under another.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache

from py_arkworks_bls12381 import G1Point, Scalar

from identity.core.bbs.curve import BbsMalformed, read_g1, scalar, write_g1

MAX_MESSAGES = 1_024  # each costs a hash to the curve when first seen, and a multiplication

_SUITE = b"BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_"
CORE = _SUITE + b"H2G_HM2S_"
BLIND = _SUITE + b"BLIND_H2G_HM2S_"
PSEUDONYM = _SUITE + b"H2G_HM2S_PSEUDONYM_"

_EXPAND = 48  # bytes for a scalar: 128 bits more than the order has, so no bias to measure
_BLOCK, _DIGEST = 64, 32

Random = Callable[[int], bytes]
"""Returns that many random bytes."""

# Found by hashing to the curve, so that nobody knows its logarithm (§7.2.2).
P1 = read_g1(
    bytes.fromhex(
        "a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd22"
        "5e7c59698588e70d11406d161b4e28c9"
    )
)


def expand_message(message: bytes, tag: bytes, length: int) -> bytes:
    """`expand_message_xmd` with SHA-256 (RFC 9380 §5.3.1).

    Raises:
        BbsMalformed: more than 255 digests, or a tag of more than 255 bytes.
    """
    blocks = -(-length // _DIGEST)
    if blocks > 255 or len(tag) > 255:
        raise BbsMalformed("expand_message does not reach that far")
    suffix = tag + len(tag).to_bytes(1, "big")
    first = hashlib.sha256(
        bytes(_BLOCK) + message + length.to_bytes(2, "big") + b"\x00" + suffix
    ).digest()
    out = [hashlib.sha256(first + b"\x01" + suffix).digest()]
    for number in range(2, blocks + 1):
        mixed = bytes(left ^ right for left, right in zip(first, out[-1], strict=True))
        out.append(hashlib.sha256(mixed + number.to_bytes(1, "big") + suffix).digest())
    return b"".join(out)[:length]


def hash_to_scalar(message: bytes, tag: bytes) -> Scalar:
    """A scalar that nobody can steer (§4.2.2)."""
    return scalar(int.from_bytes(expand_message(message, tag, _EXPAND), "big"))


def messages_to_scalars(messages: Sequence[bytes], api: bytes) -> list[Scalar]:
    """One scalar a message (§4.1.2)."""
    if len(messages) > MAX_MESSAGES:
        raise BbsMalformed(f"more than {MAX_MESSAGES} messages")
    return [hash_to_scalar(message, api + b"MAP_MSG_TO_SCALAR_AS_HASH_") for message in messages]


def random_scalars(count: int, random: Random) -> list[Scalar]:
    """Scalars that nobody can guess (§4.2.1)."""
    return [scalar(int.from_bytes(random(_EXPAND), "big")) for _ in range(count)]


def generators(count: int, api: bytes) -> tuple[G1Point, ...]:
    """The first `count` generators of an interface: Q_1, H_1, H_2, … (§4.1.1).

    Raises:
        BbsMalformed: more than `MAX_MESSAGES` and a few.
    """
    if not 0 < count <= MAX_MESSAGES + 4:
        raise BbsMalformed(f"more than {MAX_MESSAGES} messages")
    # Rounded up, so that few sets are made and each is kept.
    return _generators(max(16, 1 << (count - 1).bit_length()), api)[:count]


def domain(public_key: bytes, points: Sequence[G1Point], header: bytes, api: bytes) -> Scalar:
    """Binds key, generators, interface and header to one signature (§4.2.3)."""
    return hash_to_scalar(
        public_key
        + (len(points) - 1).to_bytes(8, "big")
        + b"".join(write_g1(point) for point in points)
        + api
        + len(header).to_bytes(8, "big")
        + header,
        api + b"H2S_",
    )


@lru_cache(maxsize=64)
def _generators(count: int, api: bytes) -> tuple[G1Point, ...]:
    seed_tag, point_tag = api + b"SIG_GENERATOR_SEED_", api + b"SIG_GENERATOR_DST_"
    value = expand_message(api + b"MESSAGE_GENERATOR_SEED", seed_tag, _EXPAND)
    points = []
    for number in range(1, count + 1):
        value = expand_message(value + number.to_bytes(8, "big"), seed_tag, _EXPAND)
        points.append(G1Point.hash_to_curve(value, point_tag))
    return tuple(points)

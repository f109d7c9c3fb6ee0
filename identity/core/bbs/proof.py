"""Proofs of knowing a signature, which show some messages and hide the rest (BBS §3.5.3 to §3.7).

Each proof is made of fresh randomness, so two of one signature have nothing in common but what
they show. With a pseudonym (draft-irtf-cfrg-bbs-per-verifier-linkability-00), the last hidden
scalar is also shown to be the one behind a point that the verifier can recognise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from identity.core.bbs.curve import (
    G1_BYTES,
    SCALAR_BYTES,
    BbsMalformed,
    BbsNotValid,
    combine,
    read_g1,
    read_scalars,
    write_g1,
    write_scalar,
)
from identity.core.bbs.interface import (
    CORE,
    MAX_MESSAGES,
    P1,
    Random,
    domain,
    generators,
    hash_to_scalar,
    messages_to_scalars,
    random_scalars,
)
from identity.core.bbs.keys import BbsPublicKey
from identity.core.bbs.signature import Statement, plain_statement, read_signature

_FLOOR = 3 * G1_BYTES + 4 * SCALAR_BYTES
MAX_PROOF_BYTES = _FLOOR + (MAX_MESSAGES + 2) * SCALAR_BYTES

_MINUS_BASE = -G2Point()


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """A point that is the same whenever one holder meets one context, and nowhere else.

    `base` is the hash of the context to the curve; `point` is `base` times the holder's secret.
    """

    base: G1Point
    point: G1Point


@dataclass(frozen=True, slots=True)
class Disclosed:
    """Messages that a proof shows, by their place among all that were signed; ascending."""

    indexes: tuple[int, ...]
    scalars: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof, taken apart (§4.2.4.4)."""

    abar: G1Point
    bbar: G1Point
    d: G1Point
    e: Scalar
    r1: Scalar
    r3: Scalar
    hidden: tuple[Scalar, ...]
    challenge: Scalar

    @classmethod
    def parse(cls, data: bytes) -> "Proof":
        """Read a proof; the length is checked before any point is.

        Raises:
            BbsMalformed: no proof, or of more messages than are taken.
        """
        if not _FLOOR <= len(data) <= MAX_PROOF_BYTES or (len(data) - _FLOOR) % SCALAR_BYTES:
            raise BbsMalformed("a BBS proof does not have that length")
        rest = read_scalars(data[3 * G1_BYTES :])
        abar, bbar, d = (read_g1(data[at : at + G1_BYTES]) for at in range(0, 3 * G1_BYTES, 48))
        return cls(abar, bbar, d, rest[0], rest[1], rest[2], tuple(rest[3:-1]), rest[-1])

    def encode(self) -> bytes:
        """Points, then scalars, one after the other."""
        scalars = (self.e, self.r1, self.r3, *self.hidden, self.challenge)
        return b"".join(
            [
                *(write_g1(point) for point in (self.abar, self.bbar, self.d)),
                *(write_scalar(value) for value in scalars),
            ]
        )


def make_proof(
    key: BbsPublicKey,
    signature: bytes,
    *,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Sequence[int],
    random: Random,
) -> bytes:
    """A proof that shows the messages at `disclosed` (ProofGen, §3.5.3).

    Args:
        header: as signed.
        presentation_header: what the holder binds the proof to; the verifier sees it.
        messages: all that were signed.
        disclosed: ascending places of those that are shown.
        random: returns that many random bytes.

    Raises:
        BbsMalformed: no signature, or places that are not there.
    """
    statement = plain_statement(key, header=header, messages=messages)
    return prove(
        statement,
        signature,
        presentation_header=presentation_header,
        disclosed=disclosed,
        random=random,
    )


def verify_proof(
    key: BbsPublicKey,
    proof: bytes,
    *,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Sequence[int],
) -> None:
    """Check a proof (ProofVerify, §3.5.4). Returns nothing on success.

    Args:
        messages: those that are shown, one for each of `disclosed`.

    Raises:
        BbsMalformed: no proof.
        BbsNotValid: it does not prove this.
    """
    parsed = Proof.parse(proof)
    verify_parsed(
        parsed,
        key=key,
        points=generators(len(parsed.hidden) + len(disclosed) + 1, CORE),
        header=header,
        presentation_header=presentation_header,
        disclosed=Disclosed(tuple(disclosed), tuple(messages_to_scalars(messages, CORE))),
        api=CORE,
    )


def prove(
    statement: Statement,
    signature: bytes,
    *,
    presentation_header: bytes,
    disclosed: Sequence[int],
    random: Random,
    context: G1Point | None = None,
) -> bytes:
    """CoreProofGen (§3.6.3), with a pseudonym for `context` when one is given.

    The pseudonym belongs to the last scalar, which is then hidden.
    """
    a, e = read_signature(signature)
    scalars = statement.scalars
    shown = _shown(disclosed, len(scalars))
    hidden = [place for place in range(len(scalars)) if place not in shown]
    if context is not None and len(scalars) - 1 not in hidden:
        raise BbsMalformed("what a pseudonym is made of is never shown")
    r1, r2, e_blind, r1_blind, r3_blind, *blinds = random_scalars(5 + len(hidden), random)
    if r1.is_zero() or r2.is_zero():
        raise BbsMalformed("randomness is exhausted")  # never with a random source that works
    bound = statement.domain
    d = statement.commitment(bound) * r2
    abar = a * (r1 * r2)
    bbar = d * r1 - abar * e
    t1 = combine([abar, d], [e_blind, r1_blind])
    t2 = combine([d, *(statement.points[place + 1] for place in hidden)], [r3_blind, *blinds])
    linked: tuple[G1Point, ...] = ()
    if context is not None:
        linked = (context * scalars[-1], context, context * blinds[-1])
    challenge = _challenge(
        Disclosed(tuple(sorted(shown)), tuple(scalars[place] for place in sorted(shown))),
        (abar, bbar, d, t1, t2, *linked),
        bound=bound,
        presentation_header=presentation_header,
        api=statement.api,
    )
    return Proof(
        abar=abar,
        bbar=bbar,
        d=d,
        e=e_blind + e * challenge,
        r1=r1_blind - r1 * challenge,
        r3=r3_blind - r2.inverse() * challenge,
        hidden=tuple(
            blind + scalars[place] * challenge for place, blind in zip(hidden, blinds, strict=True)
        ),
        challenge=challenge,
    ).encode()


def verify_parsed(
    proof: Proof,
    *,
    key: BbsPublicKey,
    points: Sequence[G1Point],
    header: bytes,
    presentation_header: bytes,
    disclosed: Disclosed,
    api: bytes,
    pseudonym: Pseudonym | None = None,
) -> None:
    """CoreProofVerify (§3.6.4), with the pseudonym when one is claimed."""
    total = len(points) - 1
    shown = _shown(disclosed.indexes, total)
    if len(shown) != len(disclosed.scalars) or len(shown) + len(proof.hidden) != total:
        raise BbsMalformed("a BBS proof counts messages that are not there")
    hidden = [place for place in range(total) if place not in shown]
    if pseudonym is not None and total - 1 not in hidden:
        raise BbsMalformed("what a pseudonym is made of is never shown")
    bound = domain(key.data, points, header, api)
    c = proof.challenge
    t1 = combine([proof.bbar, proof.abar, proof.d], [c, proof.e, proof.r1])
    b = P1 + combine(
        [points[0], *(points[place + 1] for place in disclosed.indexes)],
        [bound, *disclosed.scalars],
    )
    t2 = combine(
        [b, proof.d, *(points[place + 1] for place in hidden)], [c, proof.r3, *proof.hidden]
    )
    linked: tuple[G1Point, ...] = ()
    if pseudonym is not None:
        answer = combine([pseudonym.base, pseudonym.point], [proof.hidden[-1], -c])
        linked = (pseudonym.point, pseudonym.base, answer)
    challenge = _challenge(
        disclosed,
        (proof.abar, proof.bbar, proof.d, t1, t2, *linked),
        bound=bound,
        presentation_header=presentation_header,
        api=api,
    )
    if challenge != c or not GT.pairing_check([proof.abar, proof.bbar], [key.point, _MINUS_BASE]):
        raise BbsNotValid


def _challenge(
    disclosed: Disclosed,
    points: Sequence[G1Point],
    *,
    bound: Scalar,
    presentation_header: bytes,
    api: bytes,
) -> Scalar:
    """What makes the proof answer for everything in it (§3.7.4)."""
    octets = [len(disclosed.indexes).to_bytes(8, "big")]
    for place, value in zip(disclosed.indexes, disclosed.scalars, strict=True):
        octets += [place.to_bytes(8, "big"), write_scalar(value)]
    octets += [write_g1(point) for point in points]
    octets += [write_scalar(bound), len(presentation_header).to_bytes(8, "big")]
    return hash_to_scalar(b"".join(octets) + presentation_header, api + b"H2S_")


def _shown(indexes: Sequence[int], total: int) -> frozenset[int]:
    """Places as a set, when they are ascending and exist."""
    ascending = all(left < right for left, right in pairwise(indexes))
    if not ascending or not all(0 <= place < total for place in indexes):
        raise BbsMalformed("places of messages are not ascending, or not there")
    return frozenset(indexes)

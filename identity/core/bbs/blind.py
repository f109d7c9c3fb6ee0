"""Signatures over messages that the signer does not see, and pseudonyms made of one of them.

Blind BBS Signatures (draft-irtf-cfrg-bbs-blind-signatures-00) and BBS per Verifier Linkability
(draft-irtf-cfrg-bbs-per-verifier-linkability-00): the versions that the vectors of bbs-2023 use.
The holder commits to its secrets and proves that it knows them; the signer signs the commitment
together with what it says itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from py_arkworks_bls12381 import G1Point, Scalar

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
    BLIND,
    P1,
    PSEUDONYM,
    Random,
    domain,
    generators,
    hash_to_scalar,
    messages_to_scalars,
    random_scalars,
)
from identity.core.bbs.keys import BbsPublicKey, public_key_of
from identity.core.bbs.proof import Disclosed, Proof, Pseudonym, prove, verify_parsed
from identity.core.bbs.signature import Statement, finish, verify_statement

MAX_COMMITTED = 16  # secrets in one commitment; a credential binds one or two


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderSecrets:
    """What only the holder knows of a blind signature.

    Args:
        committed: messages that the signer signed without seeing.
        blind: hid them in the commitment.
        nym: the secret that pseudonyms are made of, prover's and signer's part together; None
            where the signature has none, which is another interface.
    """

    committed: tuple[bytes, ...]
    blind: Scalar
    nym: Scalar | None = None

    @property
    def api(self) -> bytes:
        """The interface that such a signature belongs to."""
        return BLIND if self.nym is None else PSEUDONYM


def commit(
    committed: Sequence[bytes], *, prover_nym: Scalar | None = None, random: Random
) -> tuple[bytes, Scalar]:
    """A commitment with its proof, for the signer, and the blind, for the holder to keep.

    Args:
        committed: secrets that are bound in.
        prover_nym: the holder's part of what pseudonyms are made of, or None for no pseudonyms.
        random: returns that many random bytes.
    """
    api = BLIND if prover_nym is None else PSEUDONYM
    secrets = messages_to_scalars(committed, api)
    secrets += [] if prover_nym is None else [prover_nym]
    if len(secrets) > MAX_COMMITTED:
        raise BbsMalformed("too many secrets in one commitment")
    points = generators(len(secrets) + 1, b"BLIND_" + api)
    blind, *masks = random_scalars(len(secrets) + 2, random)
    point = combine(points, [blind, *secrets])
    challenge = _commitment_challenge(point, combine(points, masks), points, api)
    answers = [
        mask + secret * challenge for mask, secret in zip(masks, [blind, *secrets], strict=True)
    ]
    octets = [write_scalar(value) for value in (*answers, challenge)]
    return write_g1(point) + b"".join(octets), blind


def verify_commitment(commitment_with_proof: bytes, api: bytes) -> tuple[G1Point, int]:
    """The commitment, and how many secrets are in it.

    Raises:
        BbsMalformed: no commitment.
        BbsNotValid: its maker does not know what is in it.
    """
    count = (len(commitment_with_proof) - G1_BYTES) // SCALAR_BYTES - 2
    if not 0 <= count <= MAX_COMMITTED:
        raise BbsMalformed("a BBS commitment does not have that length")
    *answers, challenge = read_scalars(commitment_with_proof[G1_BYTES:])
    point = read_g1(commitment_with_proof[:G1_BYTES])
    points = generators(count + 1, b"BLIND_" + api)
    mask = combine([*points, point], [*answers, -challenge])
    if _commitment_challenge(point, mask, points, api) != challenge:
        raise BbsNotValid
    return point, count


def blind_sign(
    secret: Scalar,
    commitment_with_proof: bytes,
    *,
    header: bytes,
    messages: Sequence[bytes],
    signer_nym: Scalar | None = None,
) -> bytes:
    """Sign messages and a commitment: 80 bytes.

    Args:
        signer_nym: the signer's part of what pseudonyms are made of, so that no holder chooses
            its own; None for a signature without pseudonyms.

    Raises:
        BbsMalformed, BbsNotValid: as `verify_commitment`, or too many messages.
    """
    api = BLIND if signer_nym is None else PSEUDONYM
    point, count = verify_commitment(commitment_with_proof, api)
    if signer_nym is not None and count == 0:
        raise BbsMalformed("the commitment has no secret to make pseudonyms of")
    own = generators(len(messages) + 1, api)
    hidden = generators(count + 1, b"BLIND_" + api)
    b = P1 + combine(own[1:], messages_to_scalars(messages, api)) + point
    if signer_nym is not None:
        b = b + hidden[-1] * signer_nym
    key = public_key_of(secret)
    bound = domain(key.data, [*own, *hidden], header, api)
    b = b + own[0] * bound
    e = hash_to_scalar(write_scalar(secret) + write_g1(b), api + b"H2S_")
    return finish(b, secret=secret, e=e)


def verify_blind(
    key: BbsPublicKey,
    signature: bytes,
    *,
    header: bytes,
    messages: Sequence[bytes],
    secrets: HolderSecrets,
) -> None:
    """Check a blind signature, as only its holder can.

    Raises:
        BbsMalformed, BbsNotValid: it is none over these.
    """
    verify_statement(
        blind_statement(key, header=header, messages=messages, secrets=secrets), signature
    )


def make_blind_proof(
    key: BbsPublicKey,
    signature: bytes,
    *,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Sequence[int],
    secrets: HolderSecrets,
    context_id: bytes | None,
    random: Random,
) -> bytes:
    """A proof that shows some of the signer's messages and none of the secrets.

    Args:
        context_id: whom the pseudonym is for; None exactly when there is none.
    """
    if (context_id is None) != (secrets.nym is None):
        raise BbsMalformed("a pseudonym needs a secret and somebody to be shown to")
    return prove(
        blind_statement(key, header=header, messages=messages, secrets=secrets),
        signature,
        presentation_header=presentation_header,
        disclosed=disclosed,
        random=random,
        context=None if context_id is None else context_base(context_id),
    )


def verify_blind_proof(
    key: BbsPublicKey,
    proof: bytes,
    *,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Sequence[int],
    signer_messages: int,
    pseudonym: Pseudonym | None,
) -> None:
    """Check a proof of `make_blind_proof`. Returns nothing on success.

    Args:
        messages: those that are shown, one for each of `disclosed`.
        signer_messages: how many messages the signer said itself.
        pseudonym: the one that is claimed, or None for a signature without.

    Raises:
        BbsMalformed, BbsNotValid: it does not prove this.
    """
    api = BLIND if pseudonym is None else PSEUDONYM
    parsed = Proof.parse(proof)
    committed = len(parsed.hidden) + len(disclosed) - signer_messages - 1
    if signer_messages < 0 or not (pseudonym is not None) <= committed <= MAX_COMMITTED:
        raise BbsMalformed("a BBS proof counts messages that are not there")
    if any(place >= signer_messages for place in disclosed):
        raise BbsMalformed("a BBS proof shows what nobody but the holder may know")
    verify_parsed(
        parsed,
        key=key,
        points=_points(signer_messages, committed, api),
        header=header,
        presentation_header=presentation_header,
        disclosed=Disclosed(tuple(disclosed), tuple(messages_to_scalars(messages, api))),
        api=api,
        pseudonym=pseudonym,
    )


def blind_statement(
    key: BbsPublicKey, *, header: bytes, messages: Sequence[bytes], secrets: HolderSecrets
) -> Statement:
    """What a blind signature is over, as its holder sees it."""
    api = secrets.api
    committed = messages_to_scalars(secrets.committed, api)
    committed += [] if secrets.nym is None else [secrets.nym]
    return Statement(
        key=key,
        points=_points(len(messages), len(committed), api),
        scalars=(*messages_to_scalars(messages, api), secrets.blind, *committed),
        header=header,
        api=api,
    )


def pseudonym_for(context_id: bytes, nym: Scalar) -> bytes:
    """The pseudonym under which a holder is known to `context_id`: 48 bytes."""
    return write_g1(context_base(context_id) * nym)


def read_pseudonym(context_id: bytes, data: bytes) -> Pseudonym:
    """A claimed pseudonym, for the context that it is claimed for.

    Raises:
        BbsMalformed: no point.
    """
    return Pseudonym(base=context_base(context_id), point=read_g1(data))


def context_base(context_id: bytes) -> G1Point:
    """The context as a point that nobody knows the logarithm of.

    Raises:
        BbsMalformed: an empty context, which would name nobody.
    """
    if not context_id:
        raise BbsMalformed("a pseudonym is for somebody")
    return G1Point.hash_to_curve(context_id, PSEUDONYM)


def _points(messages: int, committed: int, api: bytes) -> tuple[G1Point, ...]:
    return (*generators(messages + 1, api), *generators(committed + 1, b"BLIND_" + api))


def _commitment_challenge(
    point: G1Point, mask: G1Point, points: Sequence[G1Point], api: bytes
) -> Scalar:
    octets = [(len(points) - 1).to_bytes(8, "big")]
    octets += [write_g1(entry) for entry in (*points, point, mask)]
    return hash_to_scalar(b"".join(octets), api + b"H2S_")

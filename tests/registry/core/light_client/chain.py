"""A chain of light blocks whose validators are invented: their private keys are 32 equal bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.hashing import sha256
from registry.core.keys import KeyType, public_key
from registry.core.light_client.encodings import header_hash, validators_hash, vote_message
from registry.core.light_client.light_block import (
    ABSENT,
    NANOSECONDS,
    BlockId,
    Commit,
    CommitVote,
    Header,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteKind,
    validator_set,
)
from registry.core.light_client.verification import LightRules, TrustedBlock

CHAIN = "cairn-test-1"
START = 1_790_000_000  # Unix seconds, of height 1
BLOCK_SECONDS = 5
RULES = LightRules(chain_id=CHAIN, trusting_seconds=30 * 86_400, drift_seconds=10)

_EMPTY = sha256(b"")


@lru_cache
def _private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


@lru_cache
def validator(seed: int, power: int = 1) -> Validator:
    """The validator whose private key is `seed`, 32 times."""
    data = _private(seed).public_key().public_bytes_raw()
    return Validator(public_key(KeyType.ED25519, data), power)


def members(*seeds: int) -> ValidatorSet:
    """These validators, each with power 1."""
    return validator_set([validator(seed) for seed in seeds])


@dataclass(frozen=True)
class Step:
    """What is to be in a block; the rest follows."""

    height: int
    validators: ValidatorSet
    following: ValidatorSet
    app_hash: bytes = bytes(32)
    time: int | None = None  # nanoseconds; None: `time_of(height)`


def time_of(height: int) -> int:
    """Nanoseconds since 1970 at which the chain reaches a height, with digits below a second."""
    return (START + BLOCK_SECONDS * height) * NANOSECONDS + 123_456_789


def header_of(step: Step) -> Header:
    return Header(
        block_version=11,
        app_version=1,
        chain_id=CHAIN,
        height=step.height,
        time=time_of(step.height) if step.time is None else step.time,
        last_block=(
            BlockId(b"", 0, b"") if step.height == 1 else BlockId(b"\x07" * 32, 1, b"\x08" * 32)
        ),
        last_commit_hash=b"\x09" * 32,
        data_hash=_EMPTY,
        validators_hash=validators_hash(step.validators),
        next_validators_hash=validators_hash(step.following),
        consensus_hash=b"\x0a" * 32,
        app_hash=step.app_hash,
        last_results_hash=_EMPTY,
        evidence_hash=_EMPTY,
        proposer=step.validators.validators[0].address,
    )


def commit_on(
    header: Header,
    validators: ValidatorSet,
    *,
    signers: Sequence[int],
    nil: Sequence[int] = (),
    round: int = 0,
) -> Commit:
    """A commit on `header`, with a true vote of each signer; the others are absent."""
    seed_of = {validator(seed).address: seed for seed in (*signers, *nil)}
    commit = Commit(
        header.height,
        round,
        BlockId(header_hash(header), 1, b"\x0b" * 32),
        (ABSENT,) * len(validators.validators),
    )
    votes = []
    for place, item in enumerate(validators.validators):
        seed = seed_of.get(item.address)
        if seed is None:
            votes.append(ABSENT)
            continue
        unsigned = CommitVote(
            VoteKind.NIL if seed in nil else VoteKind.COMMIT,
            item.address,
            header.time + NANOSECONDS + place,
            bytes(64),
        )
        message = vote_message(commit, unsigned, header.chain_id)
        votes.append(replace(unsigned, signature=_private(seed).sign(message)))
    return replace(commit, votes=tuple(votes))


def block_of(step: Step, *, signers: Sequence[int], nil: Sequence[int] = ()) -> LightBlock:
    """A light block that these signers have signed."""
    header = header_of(step)
    commit = commit_on(header, step.validators, signers=signers, nil=nil)
    return LightBlock(header, commit, step.validators)


def trusted_of(step: Step) -> TrustedBlock:
    """What a reader keeps of that block."""
    header = header_of(step)
    return TrustedBlock(
        height=header.height,
        hash=header_hash(header),
        time=header.time,
        validators=step.validators,
        next_validators_hash=header.next_validators_hash,
    )

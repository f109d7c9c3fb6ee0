"""What a light client is shown of one block: header, commit, and the validators who signed it.

The names are those of CometBFT's specification (`spec/core/data_structures.md`), where a vote in a
commit is a `CommitSig`. Times are nanoseconds: a `datetime` would lose the last three digits, and
with them every signature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from registry.core.fields import MAX_INTEGER, integer
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey
from registry.core.proofs import HASH_BYTES
from registry.core.refusals import Malformed

NANOSECONDS = 1_000_000_000  # in a second
MAX_TIME = 253_402_300_800 * NANOSECONDS  # the year 10000, which protobuf excludes
MAX_VALIDATORS = 128  # twice the members a consortium may have; some 200 bytes of evidence each
MAX_APP_HASH_BYTES = 64  # ours has 32, the example application of CometBFT 8
ADDRESS_BYTES = 20
SIGNATURE_BYTES = 64

_CHAIN_ID = re.compile(r"[\x21-\x7e]{1,50}")  # CometBFT's MaxChainIDLen is 50


class VoteKind(IntEnum):
    """What a validator did in the round that decided: `BlockIDFlag`."""

    ABSENT = 1
    COMMIT = 2
    NIL = 3


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block by its header hash, and by the parts it travelled in."""

    hash: bytes  # 32 bytes; empty in the header of the first block
    parts: int  # how many parts
    parts_hash: bytes  # 32 bytes, or empty

    def __post_init__(self) -> None:
        """Hold both hashes to their length.

        Raises:
            Malformed: a hash has neither 32 bytes nor none.
        """
        _check_hashes(self.hash, self.parts_hash)
        integer(self.parts, "parts of a block", high=2**32 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block header; its hash is what validators sign."""

    block_version: int
    app_version: int
    chain_id: str
    height: int  # of the engine, not of the ledger
    time: int  # nanoseconds since 1970
    last_block: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes  # of the state after the block before this one
    last_results_hash: bytes
    evidence_hash: bytes
    proposer: bytes

    def __post_init__(self) -> None:
        """Hold every field to its range.

        Raises:
            Malformed: one is out of range.
        """
        parse_chain_id(self.chain_id)
        integer(self.block_version, "block version")
        integer(self.app_version, "app version")
        integer(self.height, "height", low=1)
        parse_time(self.time)
        _check_hashes(
            self.last_commit_hash,
            self.data_hash,
            self.validators_hash,
            self.next_validators_hash,
            self.consensus_hash,
            self.last_results_hash,
            self.evidence_hash,
        )
        if len(self.app_hash) > MAX_APP_HASH_BYTES or len(self.proposer) != ADDRESS_BYTES:
            raise Malformed("app hash or proposer of a header has the wrong length")


@dataclass(frozen=True, slots=True)
class CommitVote:
    """One line of a commit: what the validator at this place of the set did."""

    kind: VoteKind
    address: bytes  # 20 bytes; empty when absent
    time: int  # nanoseconds since 1970; 0 when absent
    signature: bytes  # 64 bytes; empty when absent

    def __post_init__(self) -> None:
        """An absent vote says nothing, and every other says all.

        Raises:
            Malformed: it does not.
        """
        parse_time(self.time)
        absent = self.kind is VoteKind.ABSENT
        if (len(self.address), len(self.signature)) != (
            (0, 0) if absent else (ADDRESS_BYTES, SIGNATURE_BYTES)
        ) or (absent and self.time):
            raise Malformed("a vote of a commit is neither absent nor whole")


@dataclass(frozen=True, slots=True)
class Commit:
    """The votes that decided a block."""

    height: int
    round: int
    block: BlockId
    votes: tuple[CommitVote, ...]  # one for each validator, in the order of the set

    def __post_init__(self) -> None:
        """Hold every number to its range.

        Raises:
            Malformed: one is out of range, or there are no votes or too many.
        """
        integer(self.height, "height of a commit", low=1)
        integer(self.round, "round", high=2**31 - 1)
        if not 1 <= len(self.votes) <= MAX_VALIDATORS:
            raise Malformed(f"a commit has 1 to {MAX_VALIDATORS} votes")


@dataclass(frozen=True, slots=True)
class Validator:
    """A key that votes, and the weight of its vote."""

    key: PublicKey  # Ed25519
    power: int  # at least 1

    def __post_init__(self) -> None:
        """Refuse a key of another type.

        Raises:
            Malformed: it is no Ed25519 key.
        """
        if self.key.type is not KeyType.ED25519:
            raise Malformed("a validator votes with an Ed25519 key")

    @property
    def address(self) -> bytes:
        """What names the validator in votes: the first 20 bytes of SHA-256 of its key."""
        return sha256(self.key.data)[:ADDRESS_BYTES]


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """All who vote on a block, by falling power and then by address."""

    validators: tuple[Validator, ...]

    def __post_init__(self) -> None:
        """Refuse a set that counts somebody twice, or weighs nothing.

        Raises:
            Malformed: no validators or too many, a repeated one, a power below 1, more power than
                2^53 - 1 in all, or another order.
        """
        if not 1 <= len(self.validators) <= MAX_VALIDATORS:
            raise Malformed(f"a validator set has 1 to {MAX_VALIDATORS} validators")
        for validator in self.validators:
            integer(validator.power, "voting power", low=1)
        integer(self.power, "voting power of all", low=1, high=MAX_INTEGER)
        order = [(-validator.power, validator.address) for validator in self.validators]
        if order != sorted(order):
            raise Malformed("validators are not ordered by power and address")
        if len({validator.address for validator in self.validators}) != len(order):
            raise Malformed("a validator set names a validator twice")

    @property
    def power(self) -> int:
        """Voting power of all together."""
        return sum(validator.power for validator in self.validators)


def validator_set(validators: Sequence[Validator]) -> ValidatorSet:
    """The set of these validators, brought into its order.

    Raises:
        Malformed: as `ValidatorSet`.
    """
    ordered = sorted(validators, key=lambda validator: (-validator.power, validator.address))
    return ValidatorSet(tuple(ordered))


@dataclass(frozen=True, slots=True)
class LightBlock:
    """Unverified: a header, the commit on it, and the set that is said to have voted."""

    header: Header
    commit: Commit
    validators: ValidatorSet


def parse_chain_id(value: object) -> str:
    """Read the name that CometBFT gives the chain.

    Raises:
        Malformed: not 1 to 50 printable ASCII characters without space.
    """
    if not isinstance(value, str) or not _CHAIN_ID.fullmatch(value):
        raise Malformed("chain id is not 1 to 50 printable ASCII characters")
    return value


def parse_time(nanoseconds: int) -> int:
    """Check a time of the engine, in nanoseconds since 1970.

    Raises:
        Malformed: before 1970 or after 9999.
    """
    if type(nanoseconds) is not int or not 0 <= nanoseconds < MAX_TIME:
        raise Malformed("a time of a light block is out of range")
    return nanoseconds


def _check_hashes(*values: bytes) -> None:
    if any(len(value) not in (0, HASH_BYTES) for value in values):
        raise Malformed("a hash of a light block has not 32 bytes")


ABSENT = CommitVote(VoteKind.ABSENT, b"", 0, b"")

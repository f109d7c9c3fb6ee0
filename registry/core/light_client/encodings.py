"""The bytes of headers, votes and sets: what is hashed, what is signed, and what is sent.

Messages are those of `proto/tendermint/types` of CometBFT 0.38. gogoproto writes a field that
cannot be null even when it is empty; `message_field` does so, `bytes_field` leaves it out.
"""

from registry.core.light_client.light_block import (
    NANOSECONDS,
    BlockId,
    Commit,
    CommitVote,
    Header,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteKind,
)
from registry.core.light_client.wire import (
    bytes_field,
    fixed64_field,
    message_field,
    varint,
    varint_field,
)
from registry.core.merkle_log import leaf_hash, root_of

_PRECOMMIT = 2  # SignedMsgType


def header_hash(header: Header) -> bytes:
    """The hash that names a block: a Merkle root over its 14 fields, 32 bytes.

    Leaves and nodes are those of RFC 9162; a scalar is wrapped as field 1 of a message, and an
    empty one is an empty leaf.
    """
    leaves = (
        version_bytes(header),
        bytes_field(1, header.chain_id.encode("ascii")),
        varint_field(1, header.height),
        time_bytes(header.time),
        block_id_bytes(header.last_block),
        bytes_field(1, header.last_commit_hash),
        bytes_field(1, header.data_hash),
        bytes_field(1, header.validators_hash),
        bytes_field(1, header.next_validators_hash),
        bytes_field(1, header.consensus_hash),
        bytes_field(1, header.app_hash),
        bytes_field(1, header.last_results_hash),
        bytes_field(1, header.evidence_hash),
        bytes_field(1, header.proposer),
    )
    return root_of([leaf_hash(leaf) for leaf in leaves])


def validators_hash(validators: ValidatorSet) -> bytes:
    """The hash by which a header names a set: a Merkle root over `SimpleValidator`s, 32 bytes."""
    return root_of(
        [
            leaf_hash(message_field(1, key_bytes(item)) + varint_field(2, item.power))
            for item in validators.validators
        ]
    )


def vote_message(commit: Commit, vote: CommitVote, chain_id: str) -> bytes:
    """What a validator has signed for its vote in a commit: a `CanonicalVote` with its length.

    A vote for nil names no block. Round 0 is left out like every zero.
    """
    block = message_field(4, block_id_bytes(commit.block)) if vote.kind is VoteKind.COMMIT else b""
    message = (
        varint_field(1, _PRECOMMIT)
        + fixed64_field(2, commit.height)
        + fixed64_field(3, commit.round)
        + block
        + message_field(5, time_bytes(vote.time))
        + bytes_field(6, chain_id.encode("ascii"))
    )
    return varint(len(message)) + message


def version_bytes(header: Header) -> bytes:
    """`tendermint.version.Consensus`."""
    return varint_field(1, header.block_version) + varint_field(2, header.app_version)


def time_bytes(nanoseconds: int) -> bytes:
    """`google.protobuf.Timestamp`."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return varint_field(1, seconds) + varint_field(2, rest)


def block_id_bytes(block: BlockId) -> bytes:
    """`BlockID`, and `CanonicalBlockID`, which has the same fields."""
    parts = varint_field(1, block.parts) + bytes_field(2, block.parts_hash)
    return bytes_field(1, block.hash) + message_field(2, parts)


def key_bytes(validator: Validator) -> bytes:
    """`tendermint.crypto.PublicKey` of an Ed25519 key."""
    return message_field(1, validator.key.data)


def light_block_bytes(block: LightBlock) -> bytes:
    """`LightBlock`, without what no hash and no signature covers.

    That is: no proposer and no total power beside the set, no priority of a validator, no time in
    an absent vote.
    """
    signed_header = message_field(1, _header_bytes(block.header)) + message_field(
        2, _commit_bytes(block.commit)
    )
    validators = b"".join(
        message_field(1, _validator_bytes(item)) for item in block.validators.validators
    )
    return message_field(1, signed_header) + message_field(2, validators)


def _header_bytes(header: Header) -> bytes:
    return (
        message_field(1, version_bytes(header))
        + bytes_field(2, header.chain_id.encode("ascii"))
        + varint_field(3, header.height)
        + message_field(4, time_bytes(header.time))
        + message_field(5, block_id_bytes(header.last_block))
        + bytes_field(6, header.last_commit_hash)
        + bytes_field(7, header.data_hash)
        + bytes_field(8, header.validators_hash)
        + bytes_field(9, header.next_validators_hash)
        + bytes_field(10, header.consensus_hash)
        + bytes_field(11, header.app_hash)
        + bytes_field(12, header.last_results_hash)
        + bytes_field(13, header.evidence_hash)
        + bytes_field(14, header.proposer)
    )


def _commit_bytes(commit: Commit) -> bytes:
    return (
        varint_field(1, commit.height)
        + varint_field(2, commit.round)
        + message_field(3, block_id_bytes(commit.block))
        + b"".join(message_field(4, _vote_bytes(vote)) for vote in commit.votes)
    )


def _vote_bytes(vote: CommitVote) -> bytes:
    if vote.kind is VoteKind.ABSENT:
        return varint_field(1, vote.kind)
    return (
        varint_field(1, vote.kind)
        + bytes_field(2, vote.address)
        + message_field(3, time_bytes(vote.time))
        + bytes_field(4, vote.signature)
    )


def _validator_bytes(validator: Validator) -> bytes:
    return (
        bytes_field(1, validator.address)
        + message_field(2, key_bytes(validator))
        + varint_field(3, validator.power)
    )

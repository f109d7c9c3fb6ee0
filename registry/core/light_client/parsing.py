"""Reading a light block from its bytes, strictly: one light block has one encoding."""

from registry.core.keys import KeyType, public_key
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import (
    MAX_VALIDATORS,
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
from registry.core.light_client.wire import Fields, Wire
from registry.core.refusals import Malformed

MAX_LIGHT_BLOCK_BYTES = 1 << 15  # 128 validators and their votes need 23 kB

_PAIR = {1: Wire.BYTES, 2: Wire.BYTES}
_NUMBERS = {1: Wire.VARINT, 2: Wire.VARINT}
_HEADER = {1: Wire.BYTES, 2: Wire.BYTES, 3: Wire.VARINT} | dict.fromkeys(range(4, 15), Wire.BYTES)
_COMMIT = {1: Wire.VARINT, 2: Wire.VARINT, 3: Wire.BYTES, 4: Wire.BYTES}
_VOTE = {1: Wire.VARINT, 2: Wire.BYTES, 3: Wire.BYTES, 4: Wire.BYTES}
_PARTS = {1: Wire.VARINT, 2: Wire.BYTES}
_VALIDATOR = {1: Wire.BYTES, 2: Wire.BYTES, 3: Wire.VARINT}
_ONE = {1: Wire.BYTES}
_KINDS = {int(kind): kind for kind in VoteKind}


def parse_light_block(unverified: bytes) -> LightBlock:
    """Read a light block: `tendermint.types.LightBlock`, as `light_block_bytes` writes it.

    Nobody has checked a hash or a signature of it yet; `verify_light_block` does.

    Raises:
        Malformed: too long, not of that form, a value out of its range, a key that is not admitted,
            or other bytes than `light_block_bytes` writes for the same light block.
    """
    if len(unverified) > MAX_LIGHT_BLOCK_BYTES:
        raise Malformed(f"light block is longer than {MAX_LIGHT_BLOCK_BYTES} bytes")
    found = Fields(unverified, _PAIR, most=2)
    signed = Fields(found.octets(1), _PAIR, most=2)
    block = LightBlock(
        _parse_header(signed.octets(1)),
        _parse_commit(signed.octets(2)),
        _parse_validators(found.octets(2)),
    )
    if light_block_bytes(block) != unverified:
        raise Malformed("light block is not encoded in its one way")
    return block


def _parse_header(data: bytes) -> Header:
    found = Fields(data, _HEADER, most=len(_HEADER))
    version = Fields(found.octets(1), _NUMBERS, most=2)
    return Header(
        block_version=version.number(1),
        app_version=version.number(2),
        chain_id=_ascii(found.octets(2)),
        height=found.number(3),
        time=_parse_time(found.octets(4)),
        last_block=_parse_block_id(found.octets(5)),
        last_commit_hash=found.octets(6),
        data_hash=found.octets(7),
        validators_hash=found.octets(8),
        next_validators_hash=found.octets(9),
        consensus_hash=found.octets(10),
        app_hash=found.octets(11),
        last_results_hash=found.octets(12),
        evidence_hash=found.octets(13),
        proposer=found.octets(14),
    )


def _parse_commit(data: bytes) -> Commit:
    found = Fields(data, _COMMIT, most=3 + MAX_VALIDATORS)
    return Commit(
        found.number(1),
        found.number(2),
        _parse_block_id(found.octets(3)),
        tuple(_parse_vote(item) for item in found.all(4)),
    )


def _parse_vote(data: bytes) -> CommitVote:
    found = Fields(data, _VOTE, most=len(_VOTE))
    kind = _KINDS.get(found.number(1))
    if kind is None:
        raise Malformed("a vote of a commit is of no known kind")
    return CommitVote(kind, found.octets(2), _parse_time(found.octets(3)), found.octets(4))


def _parse_validators(data: bytes) -> ValidatorSet:
    found = Fields(data, _ONE, most=MAX_VALIDATORS)
    return ValidatorSet(tuple(_parse_validator(item) for item in found.all(1)))


def _parse_validator(data: bytes) -> Validator:
    found = Fields(data, _VALIDATOR, most=len(_VALIDATOR))
    key = public_key(KeyType.ED25519, Fields(found.octets(2), _ONE, most=1).octets(1))
    return Validator(key, found.number(3))


def _parse_block_id(data: bytes) -> BlockId:
    found = Fields(data, _PAIR, most=2)
    parts = Fields(found.octets(2), _PARTS, most=2)
    return BlockId(found.octets(1), parts.number(1), parts.octets(2))


def _parse_time(data: bytes) -> int:
    found = Fields(data, _NUMBERS, most=2)
    nanoseconds = found.number(2)
    if nanoseconds >= NANOSECONDS:
        raise Malformed("a time has more nanoseconds than a second")
    return found.number(1) * NANOSECONDS + nanoseconds


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed("chain id is not ASCII") from error

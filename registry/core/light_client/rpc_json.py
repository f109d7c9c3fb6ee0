"""Light blocks from what a CometBFT node answers over JSON-RPC (`/commit` and `/validators`).

Only a member reads its own node so. It believes the node no more than anybody else would: what
comes out here is as unverified as any light block.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from registry.core.encoding import base64_decode
from registry.core.keys import KeyType, public_key
from registry.core.light_client.light_block import (
    ABSENT,
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
    validator_set,
)
from registry.core.refusals import Malformed

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z"
)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_HEX = re.compile(r"(?:[0-9A-F]{2}){0,64}")
_KEY_TYPE = "tendermint/PubKeyEd25519"
_KINDS = {int(kind): kind for kind in VoteKind}


def light_block_of_rpc(signed_header: object, validators: Sequence[object]) -> LightBlock:
    """A light block from the members of two answers about one height.

    Args:
        signed_header: member `signed_header` of the result of `/commit?height=H`.
        validators: members `validators` of all pages of `/validators?height=H`, in order.

    Raises:
        Malformed: a member is missing or not of its form.
    """
    header, commit = _member(signed_header, "header"), _member(signed_header, "commit")
    return LightBlock(_header(header), _commit(commit), validators_of_rpc(validators))


def validators_of_rpc(validators: Sequence[object]) -> ValidatorSet:
    """The set from the items of `/validators`, or of `genesis.validators`.

    Raises:
        Malformed: as `light_block_of_rpc`, and as `ValidatorSet`.
    """
    if len(validators) > MAX_VALIDATORS:
        raise Malformed(f"a validator set has 1 to {MAX_VALIDATORS} validators")
    return validator_set([_validator(item) for item in validators])


def parse_rpc_time(value: object) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time in UTC with up to nine decimals.

    Raises:
        Malformed: not of that form, no such time, or before 1970.
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Malformed("a time is not RFC 3339 in UTC")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise Malformed("there is no such time") from error
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NANOSECONDS + int((found[7] or "").ljust(9, "0"))


def _header(value: object) -> Header:
    version = _member(value, "version")
    return Header(
        block_version=_number(version, "block"),
        app_version=_number(version, "app") if _has(version, "app") else 0,
        chain_id=_text(value, "chain_id"),
        height=_number(value, "height"),
        time=parse_rpc_time(_member(value, "time")),
        last_block=_block_id(_member(value, "last_block_id")),
        last_commit_hash=_hex(value, "last_commit_hash"),
        data_hash=_hex(value, "data_hash"),
        validators_hash=_hex(value, "validators_hash"),
        next_validators_hash=_hex(value, "next_validators_hash"),
        consensus_hash=_hex(value, "consensus_hash"),
        app_hash=_hex(value, "app_hash"),
        last_results_hash=_hex(value, "last_results_hash"),
        evidence_hash=_hex(value, "evidence_hash"),
        proposer=_hex(value, "proposer_address"),
    )


def _commit(value: object) -> Commit:
    votes = _member(value, "signatures")
    if not isinstance(votes, list) or len(votes) > MAX_VALIDATORS:
        raise Malformed("signatures of a commit are no array, or too many")
    return Commit(
        _number(value, "height"),
        _small(value, "round"),
        _block_id(_member(value, "block_id")),
        tuple(_vote(vote) for vote in votes),
    )


def _vote(value: object) -> CommitVote:
    kind = _KINDS.get(_small(value, "block_id_flag"))
    if kind is None:
        raise Malformed("a vote of a commit is of no known kind")
    if kind is VoteKind.ABSENT:
        return ABSENT
    return CommitVote(
        kind,
        _hex(value, "validator_address"),
        parse_rpc_time(_member(value, "timestamp")),
        base64_decode(_text(value, "signature")),
    )


def _validator(value: object) -> Validator:
    key = _member(value, "pub_key")
    if _text(key, "type") != _KEY_TYPE:
        raise Malformed("a validator's key is not Ed25519")
    power = "voting_power" if _has(value, "voting_power") else "power"  # the latter in a genesis
    return Validator(
        public_key(KeyType.ED25519, base64_decode(_text(key, "value"))), _number(value, power)
    )


def _block_id(value: object) -> BlockId:
    if value is None:
        return BlockId(b"", 0, b"")
    parts = _member(value, "parts" if _has(value, "parts") else "part_set_header")
    return BlockId(_hex(value, "hash"), _small(parts, "total"), _hex(parts, "hash"))


def _has(value: object, name: str) -> bool:
    return isinstance(value, dict) and name in value


def _member(value: object, name: str) -> object:
    if not isinstance(value, dict) or name not in value:
        raise Malformed(f"the node's answer lacks {name}")
    return value[name]


def _text(value: object, name: str) -> str:
    found = _member(value, name)
    if not isinstance(found, str):
        raise Malformed(f"{name} in the node's answer is no string")
    return found


def _number(value: object, name: str) -> int:
    """64-bit numbers are strings in the node's JSON."""
    found = _text(value, name)
    if not _NUMBER.fullmatch(found):
        raise Malformed(f"{name} in the node's answer is no number")
    return int(found)


def _small(value: object, name: str) -> int:
    """32-bit numbers are JSON numbers."""
    found = _member(value, name)
    if type(found) is not int:
        raise Malformed(f"{name} in the node's answer is no number")
    return found


def _hex(value: object, name: str) -> bytes:
    found = _text(value, name)
    if not _HEX.fullmatch(found):
        raise Malformed(f"{name} in the node's answer is not upper-case hexadecimal")
    return bytes.fromhex(found)

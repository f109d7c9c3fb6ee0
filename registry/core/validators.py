"""Who votes on blocks: the active members that have a validator key, each with the same weight.

The consensus engine is told of changes after each block; they count from the block after next. A
member without a key governs and runs nodes, but has no vote in consensus.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from registry.core.keys import PublicKey
from registry.core.membership import Member, MemberList
from registry.core.records import (
    MEMBERS_KEY,
    StateDamaged,
    StateReader,
    member_key,
    read_record,
)

POWER = 10  # of every validator: no institution weighs more than another

_MEMBER_PREFIX = member_key("")


@dataclass(frozen=True, slots=True)
class ValidatorUpdate:
    """A key that votes from now on with this weight; with weight 0 it votes no longer."""

    key: PublicKey
    power: int


def concern_validators(keys: Collection[str]) -> bool:
    """Whether a block that put these state keys can have changed who votes."""
    return any(key == MEMBERS_KEY or key.startswith(_MEMBER_PREFIX) for key in keys)


def validator_keys(state: StateReader) -> frozenset[PublicKey]:
    """The keys that vote in this state.

    Raises:
        StateDamaged: there is no list of members, or a listed one has no record.
    """
    listed = read_record(state, MEMBERS_KEY, MemberList.parse)
    if listed is None:
        raise StateDamaged("the state has no list of members")
    found = []
    for did in listed.active:
        member = read_record(state, member_key(did), Member.parse)
        if member is None:
            raise StateDamaged("an active member has no record")
        if member.validator_key is not None:
            found.append(member.validator_key)
    return frozenset(found)


def validator_updates(
    before: frozenset[PublicKey], after: frozenset[PublicKey]
) -> tuple[ValidatorUpdate, ...]:
    """What to tell the engine; in one order on every node, that of the key's bytes."""
    powers: Mapping[PublicKey, int] = {
        **dict.fromkeys(before - after, 0),
        **dict.fromkeys(after - before, POWER),
    }
    ordered = sorted(powers.items(), key=lambda item: item[0].data)
    return tuple(ValidatorUpdate(key, power) for key, power in ordered)

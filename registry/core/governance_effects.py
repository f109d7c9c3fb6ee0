"""Carrying out what was voted for: each kind of change, in the transaction that decides it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from registry.core import accreditation_rules, compromise
from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.accreditation_rules import HeightHasPassed
from registry.core.context import Context
from registry.core.governance_changes import (
    AdmitMember,
    Change,
    ChangeRule,
    RemoveMember,
    ScheduleUpgrade,
    SetValidatorKey,
)
from registry.core.keys import PublicKey
from registry.core.membership import MAX_EVER, Member, MemberList
from registry.core.network_record import MAX_MEMBERS
from registry.core.records import (
    MEMBERS_KEY,
    RULES_KEY,
    UPGRADE_KEY,
    StateDamaged,
    member_key,
    read_record,
)
from registry.core.refusals import Conflict, NotFound
from registry.core.upgrade import UpgradeRecord


class MemberExists(Conflict):
    """The institution is a member."""


class MemberUnknown(NotFound):
    """The institution is no active member."""


class MemberNameTaken(Conflict):
    """An active member has this name."""


class ValidatorKeyTaken(Conflict):
    """An active member has this validator key."""


class TooManyMembers(Conflict):
    """There are, or ever were, as many members as there may be."""


class LastMember(Conflict):
    """Without its last member nobody could change anything any more."""


class LastValidator(Conflict):
    """Without its last validator the consensus engine could not make another block."""


class RuleUnchanged(Conflict):
    """The rule has this value."""


def carry_out(
    change: Change, context: Context, *, proposer: str, proposal: str
) -> dict[str, bytes]:
    """What a change that the members have decided puts into the state.

    Args:
        context: that of the deciding transaction, whoever its author is.
        proposer: who stands in the records as having brought it about.
        proposal: the id of the proposal, which the records name too.

    Raises:
        Refusal: the state does not allow it, as the rules of each change say.
    """
    decided = replace(context, author=proposer, proposal=proposal)
    return _EFFECTS[type(change)](change, decided)


def _admit(change: AdmitMember, context: Context) -> dict[str, bytes]:
    listed, block = context.members, context.block
    if change.member in listed.active:
        raise MemberExists("the institution is a member")
    context.require_active(change.member)
    former = tuple(did for did in listed.former if did != change.member)
    if len(listed.active) >= MAX_MEMBERS or len(listed.active) + len(former) >= MAX_EVER:
        raise TooManyMembers(f"at most {MAX_MEMBERS} members at a time, and {MAX_EVER} ever")
    others = [_member(did, context) for did in listed.active]
    if any(other.name == change.name for other in others):
        raise MemberNameTaken("a member has this name")
    _check_validator_key(change.validator_key, others)
    member = Member(
        did=change.member,
        name=change.name,
        validator_key=change.validator_key,
        active=True,
        since_height=block.height,
        until_height=None,
        proposal=context.proposal,
        height=block.height,
        time=block.time,
    )
    return {
        member.key: member.encode(),
        MEMBERS_KEY: MemberList(
            active=(*listed.active, change.member),
            former=former,
            height=block.height,
            time=block.time,
        ).encode(),
    }


def _remove(change: RemoveMember, context: Context) -> dict[str, bytes]:
    listed, block = context.members, context.block
    member = _member(change.member, context)
    if len(listed.active) == 1:
        raise LastMember("the last member cannot be removed")
    _check_validator_left(member, None, context)
    removed = replace(
        member, active=False, until_height=block.height, height=block.height, time=block.time
    )
    return {
        member.key: removed.encode(),
        MEMBERS_KEY: MemberList(
            active=tuple(did for did in listed.active if did != member.did),
            former=(*listed.former, member.did),
            height=block.height,
            time=block.time,
        ).encode(),
    }


def _set_validator_key(change: SetValidatorKey, context: Context) -> dict[str, bytes]:
    member = _member(change.member, context)
    others = [_member(did, context) for did in context.members.active]
    _check_validator_key(change.validator_key, others)
    _check_validator_left(member, change.validator_key, context)
    changed = replace(
        member,
        validator_key=change.validator_key,
        height=context.block.height,
        time=context.block.time,
    )
    return {member.key: changed.encode()}


def _change_rule(change: ChangeRule, context: Context) -> dict[str, bytes]:
    rules, block = context.rules, context.block
    if rules.value(change.rule) == change.value:
        raise RuleUnchanged("the rule has this value")
    changed = rules.changed(change.rule, change.value, height=block.height, time=block.time)
    return {RULES_KEY: changed.encode()}


def _schedule(change: ScheduleUpgrade, context: Context) -> dict[str, bytes]:
    block = context.block
    if change.at_height <= block.height:
        raise HeightHasPassed("the height of the upgrade has passed")
    scheduled = UpgradeRecord(
        at_height=change.at_height,
        version=change.version,
        proposal=str(context.proposal),
        height=block.height,
        time=block.time,
    )
    return {UPGRADE_KEY: scheduled.encode()}


def _member(did: str, context: Context) -> Member:
    """An active member's record.

    Raises:
        MemberUnknown: it is none.
    """
    if did not in context.members.active:
        raise MemberUnknown("the institution is no active member")
    found = read_record(context.state, member_key(did), Member.parse)
    if found is None or not found.active:
        raise StateDamaged("an active member's record does not say that it is one")
    return found


def _check_validator_key(key: PublicKey | None, others: list[Member]) -> None:
    # One key for two members would count as two votes in the consensus engine.
    if key is not None and any(other.validator_key == key for other in others):
        raise ValidatorKeyTaken("a member has this validator key")


def _check_validator_left(member: Member, key: PublicKey | None, context: Context) -> None:
    """A network that has validators keeps one. One without any needs none: one operator runs it."""
    if member.validator_key is None or key is not None:
        return
    others = [_member(did, context) for did in context.members.active if did != member.did]
    if all(other.validator_key is None for other in others):
        raise LastValidator("no member with a validator key would be left")


_EFFECTS: Mapping[type, Callable[[Any, Context], dict[str, bytes]]] = {
    AdmitMember: _admit,
    RemoveMember: _remove,
    SetValidatorKey: _set_validator_key,
    ChangeRule: _change_rule,
    ScheduleUpgrade: _schedule,
    Accredit: accreditation_rules.accredit,
    SuspendAccreditation: accreditation_rules.suspend,
    ReinstateAccreditation: accreditation_rules.reinstate,
    EndAccreditation: accreditation_rules.end,
    compromise.DeclareCompromise: compromise.declare_compromise,
}

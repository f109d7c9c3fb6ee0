"""Granting, suspending, reinstating and ending accreditations."""

from dataclasses import replace

from registry.core.accreditation import (
    MAX_DEPTH,
    MAX_PER_SUBJECT,
    MAX_SUSPENSIONS,
    OPENER,
    Accreditation,
    AccreditationList,
)
from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.accreditation_history import Ending, Suspension
from registry.core.context import Context
from registry.core.records import accreditation_key, accreditations_key, read_record
from registry.core.refusals import Conflict, NotFound, NotPermitted


class MayNotAccredit(NotPermitted):
    """Nobody voted for it, and the author is no authority for every type of it at this height."""


class BeyondMandate(NotPermitted):
    """The grant would last longer than the authority's own, or stand too deep in the chain."""


class AccreditationExists(Conflict):
    """An accreditation with this id was granted before."""


class TooManyAccreditations(Conflict):
    """The subject holds as many accreditations as one may ever hold."""


class AccreditationUnknown(NotFound):
    """No accreditation has this id."""


class NotAccreditor(NotPermitted):
    """The author stands nowhere above this accreditation, or no longer does."""


class AccreditationOver(Conflict):
    """The accreditation has ended or run out; that is for ever."""


class AlreadySuspended(Conflict):
    """The accreditation is suspended."""


class NotSuspended(Conflict):
    """The accreditation is not suspended."""


class TooManySuspensions(Conflict):
    """The accreditation was suspended as often as one may be; it can still be ended."""


class HeightHasPassed(Conflict):
    """The accreditation would run out before it begins."""


def accredit(action: Accredit, context: Context) -> dict[str, bytes]:
    """Grant. By a vote, by a root that is the only member, or by an authority in its mandate.

    Raises:
        MayNotAccredit, BeyondMandate, AccreditationExists, TooManyAccreditations,
        HeightHasPassed, SubjectUnknown, SubjectDeactivated: as they say.
    """
    height = context.block.height
    if action.until_height is not None and action.until_height < height:
        raise HeightHasPassed("until_height has passed")
    above = None if context.is_decided else _mandate(action, context)
    context.require_active(action.subject)
    if context.accreditation(action.accreditation) is not None:
        raise AccreditationExists("an accreditation with this id exists")
    listed = read_record(context.state, accreditations_key(action.subject), AccreditationList.parse)
    held = listed.accreditations if listed else ()
    if len(held) >= MAX_PER_SUBJECT:
        raise TooManyAccreditations(f"the subject holds {MAX_PER_SUBJECT} accreditations")
    grant = Accreditation(
        id=action.accreditation,
        subject=action.subject,
        role=action.role,
        types=action.types,
        granted_by=context.author,
        under=above.id if above else None,
        depth=above.depth + 1 if above else 1,
        from_height=height,
        until_height=action.until_height,
        suspensions=(),
        ended=None,
        height=height,
        time=context.block.time,
        proposal=context.proposal,
    )
    return {
        accreditation_key(grant.id): grant.encode(),
        accreditations_key(grant.subject): AccreditationList(
            subject=grant.subject, accreditations=(*held, grant.id)
        ).encode(),
    }


def suspend(action: SuspendAccreditation, context: Context) -> dict[str, bytes]:
    """Suspend, by someone above.

    Raises:
        AccreditationUnknown, NotAccreditor, AccreditationOver, AlreadySuspended,
        TooManySuspensions: as they say.
    """
    grant = _changeable(action.accreditation, context)
    if grant.is_suspended(context.block.height):
        raise AlreadySuspended("the accreditation is suspended")
    if len(grant.suspensions) >= MAX_SUSPENSIONS:
        raise TooManySuspensions(f"the accreditation was suspended {MAX_SUSPENSIONS} times")
    began = Suspension(start=context.block.height, stop=None, reason=action.reason)
    return _changed(replace(grant, suspensions=(*grant.suspensions, began)), context)


def reinstate(action: ReinstateAccreditation, context: Context) -> dict[str, bytes]:
    """Reinstate, by someone above.

    Raises:
        AccreditationUnknown, NotAccreditor, AccreditationOver, NotSuspended: as they say.
    """
    grant = _changeable(action.accreditation, context)
    if not grant.suspensions or grant.suspensions[-1].stop is not None:
        raise NotSuspended("the accreditation is not suspended")
    last = replace(grant.suspensions[-1], stop=context.block.height)
    return _changed(replace(grant, suspensions=(*grant.suspensions[:-1], last)), context)


def end(action: EndAccreditation, context: Context) -> dict[str, bytes]:
    """End, by someone above.

    Raises:
        AccreditationUnknown, NotAccreditor, AccreditationOver: as they say.
    """
    grant = _changeable(action.accreditation, context)
    ending = Ending(height=context.block.height, reason=action.reason)
    return _changed(replace(grant, ended=ending), context)


def _mandate(action: Accredit, context: Context) -> Accreditation:
    """The author's accreditation under which it may grant: the first that covers every type."""
    height = context.block.height
    if action.role == OPENER:  # else one authority could grant it to as many as an order needs
        raise MayNotAccredit("who may open identities is decided by the members")
    able = [
        item
        for item in context.accreditations_of(context.author)
        if all(item.holds("authority", type, height) for type in action.types)
    ]
    if not able:
        raise MayNotAccredit("the author is no authority for every one of these types")
    for item in able:
        outlived = item.until_height is not None and (
            action.until_height is None or action.until_height > item.until_height
        )
        if item.depth < MAX_DEPTH and not outlived:
            return item
    raise BeyondMandate("the grant outlives the authority's own, or stands too deep in the chain")


def _changeable(identifier: str, context: Context) -> Accreditation:
    """The accreditation, which is not over, and above which the author stands."""
    grant = context.accreditation(identifier)
    if grant is None:
        raise AccreditationUnknown("no accreditation has this id")
    if not context.is_decided and not _stands_above(grant, context):
        raise NotAccreditor("the author stands nowhere above this accreditation")
    if grant.is_over(context.block.height):
        raise AccreditationOver("the accreditation has ended")
    return grant


def stands_above_subject(subject: str, context: Context) -> bool:
    """Whether the author stands above an accreditation of `subject`, ended ones included."""
    return any(_stands_above(grant, context) for grant in context.accreditations_of(subject))


def _stands_above(grant: Accreditation, context: Context) -> bool:
    """Whether a grant above this one is the author's, and counts in this block."""
    for _ in range(MAX_DEPTH):
        above = None if grant.under is None else context.accreditation(grant.under)
        if above is None:
            return False
        if above.subject == context.author and above.is_active(context.block.height):
            return True
        grant = above
    return False


def _changed(grant: Accreditation, context: Context) -> dict[str, bytes]:
    block = context.block
    dated = replace(grant, height=block.height, time=block.time)
    return {accreditation_key(grant.id): dated.encode()}

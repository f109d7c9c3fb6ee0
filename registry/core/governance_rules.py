"""Proposing and voting: what the members decide is carried out in the transaction that decides it.

A proposal is decided as soon as more than the quorum of the active members say yes, or so many
said no that it can no longer be reached. Votes may be changed until then. Members are counted at
each vote: who was admitted since counts, and who was removed counts no more.
"""

from dataclasses import replace

from registry.core.context import Context
from registry.core.governance_effects import carry_out
from registry.core.proposals import (
    ACCEPTED,
    EXPIRED,
    FAILED,
    OPEN,
    REJECTED,
    YES,
    CastVote,
    OpenProposal,
    Proposal,
    ProposalList,
    ProposalNumber,
    Propose,
    Tally,
    Vote,
)
from registry.core.records import (
    PROPOSALS_KEY,
    StateDamaged,
    proposal_key,
    proposal_number_key,
    read_record,
)
from registry.core.refusals import Conflict, NotFound, NotPermitted


class NotMember(NotPermitted):
    """The author is no active member of the consortium."""


class TooManyProposals(Conflict):
    """The author has as many open proposals as one member may have at a time."""


class ProposalUnknown(NotFound):
    """No proposal has this id."""


class ProposalDecided(Conflict):
    """The proposal is decided; that is for ever."""


class ProposalExpired(Conflict):
    """The time to vote on this proposal is over."""


class AlreadyVoted(Conflict):
    """The author has voted so, and the proposal is as undecided as before."""


def propose(action: Propose, context: Context) -> dict[str, bytes]:
    """Make a proposal, by an active member, whose vote for it is in it.

    A change that could not be carried out now is refused at once, as the change itself would be.

    Raises:
        NotMember, TooManyProposals: as they say.
        Refusal: the change is refused.
    """
    _require_member(context)
    block, before = context.block, _listed(context)
    over = tuple(item for item in before.open if block.time > item.expires)
    still = tuple(item for item in before.open if block.time <= item.expires)
    if sum(item.proposer == context.author for item in still) >= context.rules.open_proposals:
        raise TooManyProposals("the author has as many open proposals as one member may have")
    carry_out(action.change, context, proposer=context.author, proposal=context.transaction)
    made = Proposal(
        id=context.transaction,
        number=before.count + 1,
        proposer=context.author,
        change=action.change,
        reason=action.reason,
        votes=(Vote(member=context.author, vote=YES, height=block.height),),
        tally=Tally(yes=0, no=0, members=0),
        state=OPEN,
        failure=None,
        expires=block.time + context.rules.voting_seconds,
        made_height=block.height,
        made_time=block.time,
        decided_height=None,
        height=block.height,
        time=block.time,
    )
    counted, effects = _count(made, context)
    changes = dict(effects)
    for item in over:
        expired = replace(_existing(item.proposal, context), state=EXPIRED)
        changes |= _dated(replace(expired, decided_height=block.height), context)
    if counted.state == OPEN:
        entry = OpenProposal(proposal=made.id, proposer=made.proposer, expires=made.expires)
        still = (*still, entry)
    listed = replace(before, count=made.number, open=still, height=block.height, time=block.time)
    number = ProposalNumber(number=made.number, proposal=made.id)
    return {
        **changes,
        **_dated(counted, context),
        proposal_number_key(made.number): number.encode(),
        PROPOSALS_KEY: listed.encode(),
    }


def vote(action: CastVote, context: Context) -> dict[str, bytes]:
    """Vote, by an active member; the first time, or otherwise than before.

    A vote repeated unchanged is taken only when it decides: members may have been removed since.

    Raises:
        NotMember, ProposalUnknown, ProposalDecided, ProposalExpired, AlreadyVoted: as they say.
    """
    _require_member(context)
    block = context.block
    before = read_record(context.state, proposal_key(action.proposal), Proposal.parse)
    if before is None:
        raise ProposalUnknown("no proposal has this id")
    if before.state_at(block.time) == EXPIRED:
        raise ProposalExpired("the time to vote on this proposal is over")
    if before.state != OPEN:
        raise ProposalDecided(f"the proposal is {before.state}")
    cast = Vote(member=context.author, vote=action.vote, height=block.height)
    others = tuple(item for item in before.votes if item.member != context.author)
    counted, effects = _count(replace(before, votes=(*others, cast)), context)
    if counted.state == OPEN and before.vote_of(context.author) == action.vote:
        raise AlreadyVoted("the author has voted so")
    changes = {**effects, **_dated(counted, context)}
    if counted.state != OPEN:
        listed = _listed(context)
        still = tuple(item for item in listed.open if item.proposal != before.id)
        closed = replace(listed, open=still, height=block.height, time=block.time)
        changes[PROPOSALS_KEY] = closed.encode()
    return changes


def _count(proposal: Proposal, context: Context) -> tuple[Proposal, dict[str, bytes]]:
    """Count the votes; carry the change out when that decides for it."""
    tally = Tally.of(proposal.votes, context.members.active)
    quorum, height = context.rules.quorum, context.block.height
    proposal = replace(proposal, tally=tally)
    if quorum.is_reached(tally.yes, tally.members):
        try:
            effects = carry_out(
                proposal.change, context, proposer=proposal.proposer, proposal=proposal.id
            )
        except (NotPermitted, NotFound, Conflict) as refusal:
            # The state moved on since it was proposed. That must not undo the vote that decided.
            failed = replace(proposal, state=FAILED, failure=type(refusal).__name__)
            return replace(failed, decided_height=height), {}
        return replace(proposal, state=ACCEPTED, decided_height=height), effects
    if not quorum.is_reached(tally.members - tally.no, tally.members):
        return replace(proposal, state=REJECTED, decided_height=height), {}
    return proposal, {}


def _require_member(context: Context) -> None:
    if not context.author_is_member:
        raise NotMember("the author is no active member of the consortium")


def _listed(context: Context) -> ProposalList:
    found = read_record(context.state, PROPOSALS_KEY, ProposalList.parse)
    return found or ProposalList(count=0, open=(), height=0, time=0)


def _existing(identifier: str, context: Context) -> Proposal:
    found = read_record(context.state, proposal_key(identifier), Proposal.parse)
    if found is None:
        raise StateDamaged("a listed proposal does not exist")
    return found


def _dated(proposal: Proposal, context: Context) -> dict[str, bytes]:
    block = context.block
    return {proposal.key: replace(proposal, height=block.height, time=block.time).encode()}

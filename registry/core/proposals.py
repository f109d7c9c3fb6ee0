"""Proposals and votes: the two actions, and what the state keeps of them.

A proposal is called by the id of the transaction that made it. So a vote names exactly the words
that its voter has read, and nobody can slip other words under it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import choice, integer, integer_or_null, items, members, token
from registry.core.governance_changes import Change, read_change
from registry.core.identifiers import CODE, TRANSACTION, read_did
from registry.core.membership import MAX_EVER
from registry.core.network_record import MAX_MEMBERS
from registry.core.network_rules import MAX_OPEN_PROPOSALS
from registry.core.records import proposal_key, record_members, record_object
from registry.core.refusals import Malformed

YES, NO = "yes", "no"
OPEN, ACCEPTED, REJECTED, FAILED, EXPIRED = "open", "accepted", "rejected", "failed", "expired"
STATES = (OPEN, ACCEPTED, REJECTED, FAILED, EXPIRED)
REFUSAL = re.compile(r"[A-Z][A-Za-z]{0,63}")
MAX_OPEN = MAX_MEMBERS * MAX_OPEN_PROPOSALS

_PROPOSAL = (
    "proposal",
    "number",
    "proposer",
    "change",
    "details",
    "reason",
    "votes",
    "tally",
    "state",
    "failure",
    "expires",
    "made_height",
    "made_time",
    "decided_height",
    "height",
    "time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Ask the members for a change. Whoever proposes votes yes by it."""

    NAME: ClassVar[str] = "propose"

    change: Change
    reason: str

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "change": self.change.NAME,
            "details": self.change.to_body(),
            "reason": self.reason,
        }

    @classmethod
    def parse(cls, body: object) -> "Propose":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "body of propose", required=("change", "details", "reason"))
        return cls(
            change=read_change(found["change"], found["details"]),
            reason=token(found["reason"], "reason", CODE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """Say yes or no to a proposal, or the other than before, while it is open."""

    NAME: ClassVar[str] = "vote"

    proposal: str
    vote: str

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {"proposal": self.proposal, "vote": self.vote}

    @classmethod
    def parse(cls, body: object) -> "CastVote":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "body of vote", required=("proposal", "vote"))
        return cls(
            proposal=token(found["proposal"], "proposal", TRANSACTION),
            vote=choice(found["vote"], "vote", (YES, NO)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A member's vote as it stands now, and the height at which it was given."""

    member: str
    vote: str
    height: int

    def to_object(self) -> JsonObject:
        """The vote as it stands in the record."""
        return {"member": self.member, "vote": self.vote, "height": self.height}

    @classmethod
    def parse(cls, value: object) -> "Vote":
        """Read a vote.

        Raises:
            Malformed: another shape.
        """
        found = members(value, "vote", required=("member", "vote", "height"))
        return cls(
            member=read_did(found["member"], "member"),
            vote=choice(found["vote"], "vote", (YES, NO)),
            height=integer(found["height"], "height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The votes of active members at the last count, and how many members there were."""

    yes: int
    no: int
    members: int

    @classmethod
    def of(cls, votes: Sequence[Vote], active: Sequence[str]) -> "Tally":
        """Count; who is no member any more is not counted."""
        counted = [item.vote for item in votes if item.member in active]
        return cls(yes=counted.count(YES), no=counted.count(NO), members=len(active))

    def to_object(self) -> JsonObject:
        """The tally as it stands in the record."""
        return {"yes": self.yes, "no": self.no, "members": self.members}

    @classmethod
    def parse(cls, value: object) -> "Tally":
        """Read a tally.

        Raises:
            Malformed: another shape, or more votes than members.
        """
        found = members(value, "tally", required=("yes", "no", "members"))
        numbers = {name: integer(found[name], name, high=MAX_MEMBERS) for name in found}
        if numbers["yes"] + numbers["no"] > numbers["members"]:
            raise Malformed("a tally has more votes than members")
        return cls(**numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The record of a proposal with all its votes.

    `expires` is the last block time (Unix seconds) at which it can be voted on. `failure` names
    the refusal of a change that was voted for and could not be carried out any more.
    """

    id: str
    number: int
    proposer: str
    change: Change
    reason: str
    votes: tuple[Vote, ...]
    tally: Tally
    state: str
    failure: str | None
    expires: int
    made_height: int
    made_time: int
    decided_height: int | None
    height: int
    time: int

    @property
    def key(self) -> str:
        """State key of this record."""
        return proposal_key(self.id)

    def state_at(self, time: int) -> str:
        """Its state at a block time: one that is open runs out without a transaction."""
        return EXPIRED if self.state == OPEN and time > self.expires else self.state

    def vote_of(self, member: str) -> str | None:
        """How a member has voted."""
        return next((item.vote for item in self.votes if item.member == member), None)

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "proposal",
            proposal=self.id,
            number=self.number,
            proposer=self.proposer,
            change=self.change.NAME,
            details=self.change.to_body(),
            reason=self.reason,
            votes=[item.to_object() for item in self.votes],
            tally=self.tally.to_object(),
            state=self.state,
            failure=self.failure,
            expires=self.expires,
            made_height=self.made_height,
            made_time=self.made_time,
            decided_height=self.decided_height,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "Proposal":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, a member out of its bounds, or a state that does not
                fit the rest.
        """
        found = record_members("proposal", value, names=_PROPOSAL)
        state = choice(found["state"], "state", STATES)
        decided = integer_or_null(found["decided_height"], "decided_height")
        failure = found["failure"]
        if (decided is None) != (state == OPEN) or (failure is None) != (state != FAILED):
            raise Malformed("state of a proposal does not fit what else it says")
        return cls(
            id=token(found["proposal"], "proposal", TRANSACTION),
            number=integer(found["number"], "number", low=1),
            proposer=read_did(found["proposer"], "proposer"),
            change=read_change(found["change"], found["details"]),
            reason=token(found["reason"], "reason", CODE),
            votes=items(
                found["votes"],
                "votes",
                low=1,
                high=MAX_EVER,
                read=Vote.parse,
                unique=lambda item: item.member,
            ),
            tally=Tally.parse(found["tally"]),
            state=state,
            failure=None if failure is None else token(failure, "failure", REFUSAL),
            expires=integer(found["expires"], "expires"),
            made_height=integer(found["made_height"], "made_height"),
            made_time=integer(found["made_time"], "made_time"),
            decided_height=decided,
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProposal:
    """What the list of open proposals says about one."""

    proposal: str
    proposer: str
    expires: int

    def to_object(self) -> JsonObject:
        """The item as it stands in the record."""
        return {"proposal": self.proposal, "proposer": self.proposer, "expires": self.expires}

    @classmethod
    def parse(cls, value: object) -> "OpenProposal":
        """Read an item.

        Raises:
            Malformed: another shape.
        """
        found = members(value, "open proposal", required=("proposal", "proposer", "expires"))
        return cls(
            proposal=token(found["proposal"], "proposal", TRANSACTION),
            proposer=read_did(found["proposer"], "proposer"),
            expires=integer(found["expires"], "expires"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalList:
    """How many proposals there ever were, and which are open.

    One that has run out stays listed until the next proposal is made.
    """

    count: int
    open: tuple[OpenProposal, ...]
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "proposals",
            count=self.count,
            open=[item.to_object() for item in self.open],
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "ProposalList":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members("proposals", value, names=("count", "open", "height", "time"))
        return cls(
            count=integer(found["count"], "count", low=1),
            open=items(
                found["open"],
                "open",
                low=0,
                high=MAX_OPEN,
                read=OpenProposal.parse,
                unique=lambda item: item.proposal,
            ),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalNumber:
    """Leads from a proposal's number to its id: so all can be listed, and none left out."""

    number: int
    proposal: str

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object("proposal-number", number=self.number, proposal=self.proposal)

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "ProposalNumber":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members("proposal-number", value, names=("number", "proposal"))
        return cls(
            number=integer(found["number"], "number", low=1),
            proposal=token(found["proposal"], "proposal", TRANSACTION),
        )

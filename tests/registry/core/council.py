"""A ledger whose genesis has several members, and the short words in which they govern it."""

from dataclasses import dataclass, field

from registry.core.accreditation_actions import Accredit
from registry.core.genesis import Genesis, genesis_changes, genesis_member
from registry.core.governance_changes import AdmitMember, Change, RemoveMember
from registry.core.membership import Member, MemberList
from registry.core.proposals import CastVote, Proposal, ProposalList, Propose
from registry.core.records import (
    MEMBERS_KEY,
    PROPOSALS_KEY,
    Block,
    member_key,
    proposal_key,
)
from registry.core.transactions import parse_transaction
from tests.registry.core.actors import NETWORK, TestLedger, identifier, pair

CREATED = 1_700_000_000
FOUNDERS = ("ann", "bob", "cat")


@dataclass
class Council(TestLedger):
    """A `TestLedger` of the founders; others create a DID first. A block a second."""

    founders: tuple[str, ...] = FOUNDERS
    did: dict[str, str] = field(default_factory=dict)
    late: int = 0  # seconds by which the clock runs ahead of the height

    def __post_init__(self) -> None:
        members = tuple(
            genesis_member(network=NETWORK, name=name, keys=[pair(name).key])
            for name in self.founders
        )
        genesis = Genesis(network=NETWORK, members=members, created=CREATED)
        self.state = dict(genesis_changes(genesis))
        self.did = {member.name: member.did for member in members}
        self.root = members[0].did

    def block(self) -> Block:
        number = self.height + 1
        return Block(height=number, time=CREATED + number + self.late, index=number)

    def join(self, name: str) -> str:
        """Somebody who is no member yet gets a DID."""
        self.did[name] = self.create(name)
        return self.did[name]

    def act(self, name: str, action: object) -> str:
        """Somebody asks; the transaction's id."""
        fragment = "governance-1" if name in self.founders else "ledger-1"
        raw = self.signed(self.did[name], action, keys={fragment: pair(name)})  # type: ignore[arg-type]
        self.apply(raw)
        return parse_transaction(raw).id

    def propose(self, name: str, change: Change) -> str:
        return self.act(name, Propose(change=change, reason="treaty"))

    def vote(self, name: str, proposal: str, vote: str = "yes") -> Proposal:
        self.act(name, CastVote(proposal=proposal, vote=vote))
        return self.proposal(proposal)

    def proposal(self, proposal: str) -> Proposal:
        return Proposal.parse(self.state[proposal_key(proposal)])

    def decide(self, change: Change, *voters: str) -> Proposal:
        """The first proposes, the others say yes."""
        proposal = self.propose(voters[0], change)
        for name in voters[1:]:
            self.vote(name, proposal)
        return self.proposal(proposal)

    def member(self, name: str) -> Member:
        return Member.parse(self.state[member_key(self.did[name])])

    @property
    def active(self) -> list[str]:
        listed = MemberList.parse(self.state[MEMBERS_KEY]).active
        return [name for name, did in self.did.items() if did in listed]

    @property
    def open(self) -> list[str]:
        return [item.proposal for item in ProposalList.parse(self.state[PROPOSALS_KEY]).open]

    def admit(self, name: str, *, called: str | None = None) -> AdmitMember:
        return AdmitMember(member=self.did[name], name=called or name, validator_key=None)

    def remove(self, name: str) -> RemoveMember:
        return RemoveMember(member=self.did[name])

    def grant(self, name: str, subject: str, *, role: str = "authority") -> Accredit:
        return Accredit(
            accreditation=identifier(name),
            subject=self.did[subject],
            role=role,
            types=("degree",),
            until_height=None,
        )

"""Who governs the network and what they decided: members, rules, proposals, disclosure orders."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query

from registry.api.messages import (
    DisclosuresAnswer,
    MembersAnswer,
    ProposalsAnswer,
    RecordAnswer,
)
from registry.core.checkpoint import parse_head
from registry.core.disclosure import DisclosureCount
from registry.core.fields import MAX_INTEGER
from registry.core.membership import MemberList
from registry.core.proposals import STATES, Proposal, ProposalList, ProposalNumber
from registry.core.records import (
    DISCLOSURES_KEY,
    MEMBERS_KEY,
    PROPOSALS_KEY,
    RULES_KEY,
    disclosure_order_key,
    member_key,
    proposal_key,
    proposal_number_key,
)
from registry.core.refusals import NotFound
from registry.ledger.port import Ledger
from registry.problems import responses

MAX_LISTED = 64  # records in one answer
MAX_SEARCHED = 128  # proposals read for one answer; `before` goes on from there

_DID = r"^did:cairn:[a-z0-9-]{1,32}:[1-9A-HJ-NP-Za-km-z]{20,28}$"

Route = TypeVar("Route", bound=Callable[..., Any])
DidPath = Annotated[str, Path(pattern=_DID, description="A did:cairn identifier")]
Prove = Annotated[bool, Query(description="Answer with a proof, of absence too")]
Height = Annotated[
    int | None, Query(ge=0, le=MAX_INTEGER, description="An earlier height; newest by default")
]
Before = Annotated[
    int | None, Query(ge=1, le=MAX_INTEGER, description="Only numbers below; newest by default")
]
Limit = Annotated[int, Query(ge=1, le=MAX_LISTED)]


class NoSuchRecord(NotFound):
    """The state holds nothing under this key."""


def build_governance_router(ledger: Ledger) -> APIRouter:
    """Routes below `/registry` for what the consortium decides."""
    router = APIRouter(prefix="/registry", tags=["governance"])
    documented = responses(400, 404, 422, 503)

    def read(key: str, *, proof: bool, height: int | None) -> RecordAnswer:
        proven = ledger.read(key, prove=proof, height=height)
        if proven.value is None and not proof:
            raise NoSuchRecord("the ledger holds no such record")
        return RecordAnswer.of(proven)

    def add(path: str, summary: str) -> Callable[[Route], Route]:
        return router.get(path, responses=documented, summary=summary)

    @add("/members", "The members of the consortium")
    def read_members(proof: Prove = False, height: Height = None) -> MembersAnswer:
        """The list, and the record of every active member, all under one head."""
        listed = read(MEMBERS_KEY, proof=proof, height=height)
        at = _height_of(listed)
        active = MemberList.parse(listed.record).active if listed.record else ()
        return MembersAnswer(
            listed=listed,
            members=[read(member_key(did), proof=proof, height=at) for did in active],
        )

    @add("/members/{did}", "A member")
    def read_member(did: DidPath, proof: Prove = False, height: Height = None) -> RecordAnswer:
        """Its name, its validator key, and since and until when; also one of the past."""
        return read(member_key(did), proof=proof, height=height)

    @add("/rules", "The rules in force")
    def read_rules(proof: Prove = False, height: Height = None) -> RecordAnswer:
        """The numbers that the members may change by vote."""
        return read(RULES_KEY, proof=proof, height=height)

    @add("/proposals", "Proposals, newest first")
    def read_proposals(
        state: Annotated[
            str | None, Query(pattern=f"^({'|'.join(STATES)})$", description="All by default")
        ] = None,
        before: Before = None,
        limit: Limit = 16,
        proof: Prove = False,
        height: Height = None,
    ) -> ProposalsAnswer:
        """The list and proposals, under one head; `open` and `expired` are as of its time.

        With a proof, also the records of all numbers looked at: so none between was left out.
        """
        listed = ledger.read(PROPOSALS_KEY, prove=proof, height=height)
        head = parse_head(listed.head).claimed
        count = 0 if listed.value is None else ProposalList.parse(listed.value).count
        number = count if before is None else min(before - 1, count)
        numbers: list[RecordAnswer] = []
        found: list[RecordAnswer] = []
        last = max(0, number - MAX_SEARCHED)
        while number > last and len(found) < limit:
            pointer = read(proposal_number_key(number), proof=proof, height=head.height)
            numbers.append(pointer)
            key = proposal_key(ProposalNumber.parse(pointer.record).proposal)
            answer = read(key, proof=proof, height=head.height)
            if state is None or Proposal.parse(answer.record).state_at(head.time) == state:
                found.append(answer)
            number -= 1
        return ProposalsAnswer(
            listed=RecordAnswer.of(listed),
            numbers=numbers if proof else [],
            proposals=found,
            before=number + 1 if number > 0 else None,
        )

    @add("/proposals/{proposal}", "A proposal")
    def read_proposal(
        proposal: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """The change it asks for, every vote, and what became of it."""
        return read(proposal_key(proposal), proof=proof, height=height)

    @add("/disclosures", "Disclosure orders, newest first")
    def read_disclosures(
        before: Before = None, limit: Limit = 16, proof: Prove = False, height: Height = None
    ) -> DisclosuresAnswer:
        """The public count, and orders: which institutions, on which legal basis. Not whose."""
        listed = ledger.read(DISCLOSURES_KEY, prove=proof, height=height)
        at = parse_head(listed.head).claimed.height
        count = 0 if listed.value is None else DisclosureCount.parse(listed.value).count
        newest = count if before is None else min(before - 1, count)
        numbers = range(newest, max(0, newest - limit), -1)
        return DisclosuresAnswer(
            count=count,
            counted=RecordAnswer.of(listed),
            orders=[read(disclosure_order_key(n), proof=proof, height=at) for n in numbers],
        )

    return router


def _height_of(answer: RecordAnswer) -> int:
    return parse_head(answer.head).claimed.height

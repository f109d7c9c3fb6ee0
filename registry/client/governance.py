"""Who governs the network and what they decided, each record proven before it is believed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from registry.client.errors import NodeNotTrusted, checked
from registry.core.disclosure import DisclosureCount, DisclosureOrder
from registry.core.identifiers import read_did
from registry.core.membership import Member, MemberList
from registry.core.network_rules import NetworkRules
from registry.core.proposals import OPEN, Proposal, ProposalList, ProposalNumber
from registry.core.records import (
    DISCLOSURES_KEY,
    MEMBERS_KEY,
    PROPOSALS_KEY,
    RULES_KEY,
    UPGRADE_KEY,
    disclosure_order_key,
    member_key,
    proposal_key,
    proposal_number_key,
)
from registry.core.upgrade import UpgradeRecord

R = TypeVar("R")


class Governance:
    """Reads of one `RegistryClient`; errors are those of its other reads."""

    def __init__(self, record: Callable[[str], bytes | None]) -> None:
        """
        Args:
            record: gives the proven bytes under a state key, None for a proven absence.
        """
        self._record = record

    def members(self) -> Sequence[Member]:
        """The active members, in the order in which they joined."""
        listed = self._required(MEMBERS_KEY, MemberList.parse)
        return tuple(self._required(member_key(did), Member.parse) for did in listed.active)

    def member(self, did: str) -> Member | None:
        """One member, also a former one."""
        return self._read(member_key(read_did(did, "DID")), Member.parse)

    def rules(self) -> NetworkRules:
        """The rules in force."""
        return self._required(RULES_KEY, NetworkRules.parse)

    def upgrade(self) -> UpgradeRecord | None:
        """The software version that nodes are to run, and from which height on."""
        return self._read(UPGRADE_KEY, UpgradeRecord.parse)

    def proposal(self, identifier: str) -> Proposal | None:
        """One proposal by its id."""
        return self._read(proposal_key(identifier), Proposal.parse)

    def proposals(self) -> Iterator[Proposal]:
        """Every proposal there ever was, newest first, read as it is asked for."""
        listed = self._read(PROPOSALS_KEY, ProposalList.parse)
        for number in range(listed.count if listed else 0, 0, -1):
            pointer = self._required(proposal_number_key(number), ProposalNumber.parse)
            yield self._required(proposal_key(pointer.proposal), Proposal.parse)

    def open_proposals(self, *, time: int) -> Sequence[Proposal]:
        """The proposals that can be voted on at a time, oldest first.

        Args:
            time: Unix seconds; the newest head's is the ledger's own.
        """
        listed = self._read(PROPOSALS_KEY, ProposalList.parse)
        found = [
            self._required(proposal_key(item.proposal), Proposal.parse)
            for item in (listed.open if listed else ())
        ]
        return tuple(item for item in found if item.state_at(time) == OPEN)

    def disclosure_count(self) -> int:
        """How many disclosure orders there ever were."""
        counted = self._read(DISCLOSURES_KEY, DisclosureCount.parse)
        return counted.count if counted else 0

    def disclosure_orders(self) -> Iterator[DisclosureOrder]:
        """Every disclosure order, newest first, read as it is asked for."""
        for number in range(self.disclosure_count(), 0, -1):
            yield self._required(disclosure_order_key(number), DisclosureOrder.parse)

    def _read(self, key: str, parse: Callable[[object], R]) -> R | None:
        value = self._record(key)
        if value is None:
            return None
        with checked("a record"):
            return parse(value)

    def _required(self, key: str, parse: Callable[[object], R]) -> R:
        found = self._read(key, parse)
        if found is None:
            raise NodeNotTrusted(f"{key} is missing, which other records say is there")
        return found

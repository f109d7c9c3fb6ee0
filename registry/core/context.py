"""What a rule is given besides its action, and the reading that several rules share."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from registry.core.accreditation import Accreditation, AccreditationList
from registry.core.did_record import DidRecord
from registry.core.membership import MemberList
from registry.core.network_record import NetworkRecord
from registry.core.network_rules import NetworkRules
from registry.core.records import (
    MEMBERS_KEY,
    RULES_KEY,
    Block,
    StateDamaged,
    StateReader,
    accreditation_key,
    accreditations_key,
    did_key,
    read_record,
)
from registry.core.refusals import NotFound, NotPermitted

R = TypeVar("R")


class SubjectUnknown(NotFound):
    """An action concerns a DID that was never created."""


class SubjectDeactivated(NotPermitted):
    """An action concerns a DID that its controller has deactivated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The state before a transaction, its block, and the author whose keys signed it.

    `proposal` is set while a change is carried out that the members have decided.
    """

    state: StateReader
    block: Block
    network: NetworkRecord
    author: str
    transaction: str  # its id
    proposal: str | None = None

    @property
    def members(self) -> MemberList:
        """The members of the consortium.

        Raises:
            StateDamaged: there is no list of them.
        """
        return _required(read_record(self.state, MEMBERS_KEY, MemberList.parse))

    @property
    def rules(self) -> NetworkRules:
        """The rules in force.

        Raises:
            StateDamaged: there are none.
        """
        return _required(read_record(self.state, RULES_KEY, NetworkRules.parse))

    @property
    def author_is_member(self) -> bool:
        """Whether the author is an active member."""
        return self.author in self.members.active

    @property
    def is_decided(self) -> bool:
        """Whether the consortium itself asks: by a vote, or by a root that is its only member.

        With two members or more, no single one of them stands above everybody else.
        """
        if self.proposal is not None:
            return True
        return self.author in self.network.roots and self.members.active == (self.author,)

    def accreditation(self, identifier: str) -> Accreditation | None:
        """The accreditation with this id."""
        return read_record(self.state, accreditation_key(identifier), Accreditation.parse)

    def accreditations_of(self, subject: str) -> Iterator[Accreditation]:
        """The accreditations of a subject in the order in which they were granted.

        Raises:
            StateDamaged: the list names one that does not exist.
        """
        listed = read_record(self.state, accreditations_key(subject), AccreditationList.parse)
        for identifier in listed.accreditations if listed else ():
            found = self.accreditation(identifier)
            if found is None:
                raise StateDamaged("a listed accreditation does not exist")
            yield found

    def author_holds(self, roles: Collection[str], types: Collection[str]) -> bool:
        """Whether accreditations of the author give one of the roles for each type, in this block.

        No types at all are given to nobody.
        """
        grants = list(self.accreditations_of(self.author))
        return bool(types) and all(
            any(grant.holds(role, type, self.block.height) for grant in grants for role in roles)
            for type in types
        )

    def require_active(self, did: str) -> DidRecord:
        """The DID exists and is not deactivated.

        Raises:
            SubjectUnknown: it does not exist.
            SubjectDeactivated: it is.
        """
        record = read_record(self.state, did_key(did), DidRecord.parse)
        if record is None:
            raise SubjectUnknown("the DID that this concerns does not exist")
        if record.deactivated:
            raise SubjectDeactivated("the DID that this concerns is deactivated")
        return record


def _required(record: R | None) -> R:
    if record is None:
        raise StateDamaged("the state lacks a record that every genesis makes")
    return record

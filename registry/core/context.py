"""What a rule is given besides its action, and the reading that several rules share."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from registry.core.accreditation import Accreditation, AccreditationList
from registry.core.did_record import DidRecord
from registry.core.network_record import NetworkRecord
from registry.core.records import (
    Block,
    StateDamaged,
    StateReader,
    accreditation_key,
    accreditations_key,
    did_key,
    read_record,
)
from registry.core.refusals import NotFound, NotPermitted


class SubjectUnknown(NotFound):
    """An action concerns a DID that was never created."""


class SubjectDeactivated(NotPermitted):
    """An action concerns a DID that its controller has deactivated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The state before a transaction, its block, and the author whose keys signed it."""

    state: StateReader
    block: Block
    network: NetworkRecord
    author: str

    @property
    def author_is_root(self) -> bool:
        """Whether the author is a member of the genesis."""
        return self.author in self.network.roots

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

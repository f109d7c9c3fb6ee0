"""What a rule is given besides its action, and the reading that several rules share."""

from collections.abc import Iterator
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

    def author_holds(self, role: str, type: str) -> bool:
        """Whether an accreditation of the author gives this role for this type, in this block."""
        return any(
            item.holds(role, type, self.block.height)
            for item in self.accreditations_of(self.author)
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

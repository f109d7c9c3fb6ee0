"""Who vouches for an applicant: one port for registers, identity providers and officers.

`tests/contract/test_proofing_sources.py` holds every source to these promises.
"""

from dataclasses import dataclass, field
from typing import Protocol

from identity.core.person_name import NameNotValid
from identity.core.proofing import EvidenceKind
from identity.realname.ports import (
    NoMatch,
    PopulationRegister,
    RegisteredPerson,
    RegisterQuery,
)
from identity.realname.records import NO_MATCH, is_same_person
from registry.core.refusals import Malformed, NotPermitted

MAX_TICKET_CHARS = 64


class TicketNotValid(NotPermitted):
    """The ticket is unknown, used, expired, of another agency, or not confirmed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofed:
    """A person, and the evidence that the source itself saw or keeps."""

    person: RegisteredPerson = field(repr=False)
    evidence: tuple[EvidenceKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What the applicant states, and what she brings. Nothing of it is believed yet.

    `agency` decides whose ticket it is. No source passes it on: who asks about a person, and what
    for, is nothing that a register or an identity provider learns.
    """

    query: RegisterQuery
    agency: str
    ticket: str | None = field(default=None, repr=False)


class ProofingSource(Protocol):
    """Every source keeps these promises.

    - A person is returned only when number, birth date and name all agree with what the source
      vouches for, and never for a ticket of somebody else or of another agency.
    - A ticket proves once.
    - Nothing personal is in a URL, a log or an error; what waits is sealed in the vault.
    - No answer, a late one, or one that does not verify is `Unavailable` or refused: never a match.
    """

    @property
    def takes_claims(self) -> bool:
        """Whether evidence that the agency claims counts beside the source's own."""
        ...

    def prove(self, application: Application) -> Proofed:
        """The person.

        Raises:
            NoMatch: what is stated is not what the source vouches for.
            NotAlive: it is, and the person is dead.
            TicketNotValid: as it says.
            Unavailable: there is no trustworthy answer.
        """
        ...


class RegisterSource:
    """A population register, asked by number, name and birth date; needs no ticket."""

    takes_claims = True

    def __init__(self, register: PopulationRegister) -> None:
        self._register = register

    def prove(self, application: Application) -> Proofed:
        """As `ProofingSource.prove`."""
        if application.ticket is not None:
            raise Malformed("a register proves without a ticket")
        query = application.query
        person = self._register.lookup(query)
        # The register promises this; whom it confuses, we would register for life.
        require_same(person, query)
        return Proofed(person=person, evidence=(EvidenceKind.REGISTER_RECORD,))


def require_same(person: RegisteredPerson, query: RegisterQuery) -> None:
    """Refuse somebody whose name or birth date are not the stated ones.

    Raises:
        NoMatch: they are not.
    """
    stated = RegisteredPerson(
        family_name=query.family_name,
        given_name=query.given_name,
        birth_date=query.birth_date,
        sex=None,
        nationality=None,
        address=None,
    )
    try:
        same = is_same_person(person, stated)
    except NameNotValid:
        same = False
    if not same:
        raise NoMatch(NO_MATCH)

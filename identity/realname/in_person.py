"""Proofing before two officers: each states with her own key what she saw, and both must agree.

The first statement waits sealed in the vault; the second is compared with it. What they agree on is
a ticket for one enrolment at their agency.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from identity.core.proofing import EvidenceKind, assurance_level, claimed_evidence
from identity.realname.person_json import parse_date
from identity.realname.ports import NoMatch, RegisteredPerson, RegisterQuery
from identity.realname.proofing import Application, Proofed, TicketNotValid, require_same
from identity.realname.records import NO_MATCH, check_names
from identity.vault.ports import NothingSealed, Vault
from registry.core.encoding import base64url_encode, canonical_json, parse_json_object
from registry.core.refusals import Conflict, NotPermitted

TICKET_SECONDS = 8 * 3600  # a working day: the second officer may be at another desk
SWEPT_AT_ONCE = 100
_OWNER, _KIND = "realname", "in-person"


class SameOfficer(NotPermitted):
    """The officer who spoke first cannot be the second."""


class StatementsDiffer(Conflict):
    """The two officers did not see the same; the session is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """One session of an applicant before officers. `ref` leads to the sealed statement."""

    ticket: str
    agency: str
    ref: str
    first: str  # names of the officers
    second: str = ""
    opened_at: int  # unix seconds


class SittingStore(Protocol):
    """Keeps sessions; each change is one conditional update."""

    def add(self, sitting: Sitting) -> None:
        """Keep a new session."""
        ...

    def read(self, ticket: str) -> Sitting | None:
        """The session, unless it is over."""
        ...

    def confirm(self, ticket: str, *, officer: str) -> bool:
        """Note the second officer, unless it is the first or there is one."""
        ...

    def end(self, ticket: str) -> bool:
        """End the session; False when it was over already."""
        ...

    def old(self, *, opened_before: int, limit: int) -> list[Sitting]:
        """Sessions that are over and were never used."""
        ...


class InPersonDesk:
    """Takes the statements of officers, and keeps the promises of `ProofingSource`."""

    takes_claims = False

    def __init__(
        self,
        *,
        sittings: SittingStore,
        vault: Vault,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts; `now` gives unix seconds."""
        self._sittings = sittings
        self._vault = vault
        self._random = random
        self._now = now

    def state(
        self, query: RegisterQuery, evidence: tuple[str, ...], *, agency: str, officer: str
    ) -> str:
        """The first officer's statement; a ticket that waits for the second.

        Raises:
            NameNotValid, Malformed: no name, or evidence that is none.
            EvidenceTooWeak: it reaches no assurance level by itself.
        """
        sitting = Sitting(
            ticket="sit_" + base64url_encode(self._random(16)),
            agency=agency,
            ref=self._vault.seal(owner=_OWNER, kind=_KIND, data=_statement(query, evidence)),
            first=officer,
            opened_at=self._now(),
        )
        self._sittings.add(sitting)
        return sitting.ticket

    def confirm(
        self,
        ticket: str,
        query: RegisterQuery,
        evidence: tuple[str, ...],
        *,
        agency: str,
        officer: str,
    ) -> None:
        """The second officer's own statement, made without seeing the first.

        Raises:
            TicketNotValid: unknown, over, or of another agency.
            SameOfficer: she was the first.
            StatementsDiffer: they did not see the same; both must begin anew.
            Unavailable: vault or audit does not answer.
        """
        sitting = self._known(ticket, agency)
        if sitting.first == officer:
            raise SameOfficer("a second officer is needed")
        stated = _statement(query, evidence)
        if self._opened(sitting, actor=f"officer:{officer}") != stated:
            self._end(sitting)
            raise StatementsDiffer("the officers did not see the same; begin anew")
        if not self._sittings.confirm(ticket, officer=officer):
            raise TicketNotValid("somebody has confirmed this session")

    def prove(self, application: Application) -> Proofed:
        """As `ProofingSource.prove`."""
        sitting = self._known(application.ticket or "", application.agency)
        if not sitting.second or sitting.second == sitting.first:
            raise TicketNotValid("no second officer has confirmed this session")
        stated = parse_json_object(self._opened(sitting, actor=f"issuer:{application.agency}"))
        query = application.query
        if (stated["country"], stated["number"]) != (query.country, query.number):
            raise NoMatch(NO_MATCH)
        person = RegisteredPerson(
            family_name=stated["family_name"],
            given_name=stated["given_name"],
            birth_date=parse_date(stated["birth_date"]),
            sex=None,
            nationality=None,
            address=None,
        )
        require_same(person, query)
        if not self._end(sitting):
            raise TicketNotValid("this ticket was used")
        return Proofed(
            person=person, evidence=tuple(EvidenceKind(kind) for kind in stated["evidence"])
        )

    def sweep(self) -> None:
        """Forget what nobody came back for."""
        for sitting in self._sittings.old(
            opened_before=self._now() - TICKET_SECONDS, limit=SWEPT_AT_ONCE
        ):
            self._end(sitting)

    def _known(self, ticket: str, agency: str) -> Sitting:
        sitting = self._sittings.read(ticket)
        if sitting is None or sitting.agency != agency:
            raise TicketNotValid("there is no such session at this agency")
        if self._now() - sitting.opened_at > TICKET_SECONDS:
            self._end(sitting)
            raise TicketNotValid("the session is over")
        return sitting

    def _opened(self, sitting: Sitting, *, actor: str) -> bytes:
        try:
            return self._vault.open(sitting.ref, purpose="in-person", actor=actor)
        except NothingSealed as error:
            raise TicketNotValid("the session is over") from error

    def _end(self, sitting: Sitting) -> bool:
        self._vault.forget(sitting.ref)  # first: a session without its row can still be swept
        return self._sittings.end(sitting.ticket)


def _statement(query: RegisterQuery, evidence: tuple[str, ...]) -> bytes:
    """What an officer states, in one form: equal statements are equal bytes."""
    check_names(query.family_name, query.given_name)
    kinds = claimed_evidence(evidence)
    assurance_level(kinds)
    return canonical_json(
        {
            "country": query.country,
            "number": query.number,
            "family_name": query.family_name,
            "given_name": query.given_name,
            "birth_date": query.birth_date.isoformat(),
            "evidence": sorted(set(map(str, kinds))),
        }
    )

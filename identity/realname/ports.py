"""What the real-name service needs: a population register, and a place for its bindings."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

from identity.core.proofing import AssuranceLevel
from registry.core.refusals import Conflict, NotFound, Unavailable


class NoMatch(Conflict):
    """The population register has no such person: number, name or birth date do not agree.

    One refusal for all three, so that nobody learns from us which numbers exist.
    """


class NotAlive(Conflict):
    """The register knows the person as dead; nothing is issued in that name."""


class BindingClosed(Conflict):
    """Nothing is issued to this subject: she withdrew, or cannot act for herself now."""


class RegisterUnavailable(Unavailable):
    """The register does not answer, or its answer is not to be believed."""


class MergedAlready(Conflict):
    """One of two registrations was merged before; a merger now would go round, or lead astray."""


class AllWithdrew(Conflict):
    """Of one of two registrations nobody is left, so it cannot be merged."""


class RegistrationErased(Conflict):
    """What would be taken up again is destroyed: its term was over."""


class UnknownSubject(NotFound):
    """No person was enrolled under this subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterQuery:
    """What is asked of a register. `number` is in the normal form of its scheme."""

    country: str  # ISO 3166-1 alpha-2
    number: str = field(repr=False)
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: date = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A registered address; empty parts are unknown."""

    street_address: str = field(default="", repr=False)
    locality: str = field(default="", repr=False)
    region: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    country: str = field(default="", repr=False)
    resident_since: date | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPerson:
    """A living person as the register writes her. `sex` is `female`, `male` or `other`."""

    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: str | None = field(repr=False)
    nationality: str | None = field(repr=False)  # ISO 3166-1 alpha-2
    address: Address | None = field(repr=False)


class PopulationRegister(Protocol):
    """Every register keeps these promises; tests/contract/test_population_register.py holds each.

    - A person is returned only when number, birth date and name all agree (names as
      `identity.core.person_name` compares them) and the person is alive.
    - Nothing of the query is in a URL, a log or an error.
    - No answer, a late one, or one that does not verify is `RegisterUnavailable`: never a match.
    """

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        """The person.

        Raises:
            NoMatch: number, name and birth date do not belong together, or are unknown.
            NotAlive: they do, and the person is dead.
            RegisterUnavailable: there is no trustworthy answer.
        """
        ...


class BindingState(StrEnum):
    """Whether anything is issued to a subject."""

    ACTIVE = "active"
    INCAPACITATED = "incapacitated"  # a guardian acts for her, by a mandate
    WITHDRAWN = "withdrawn"  # she wants nothing from this agency any more; she may come back
    MERGED = "merged"  # another subject of the same agency is the same person
    DECEASED = "deceased"  # for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A proofed person as one agency knows her: an opaque subject, and nothing personal."""

    subject: str  # `prs_…`; another one at every agency
    agency: str
    assurance_level: AssuranceLevel
    created: int  # unix seconds
    person: str  # reference of her row in the vault, the same for all agencies
    state: BindingState = BindingState.ACTIVE

    @property
    def deceased(self) -> bool:
        """Whether the person was reported dead."""
        return self.state is BindingState.DECEASED


class BindingStore(Protocol):
    """Keeps bindings. A method that returns has written durably."""

    def bind(self, proposed: Binding) -> Binding:
        """Store `proposed`, unless this agency has a binding for this person already.

        Of a person who was merged, it is the binding of her survivor.

        Returns:
            The binding that is stored: of rivals for one person and agency, all get the same one.

        Raises:
            Unavailable: her registration is being erased; the next enrolment makes a new one.
        """
        ...

    def read(self, subject: str) -> Binding | None:
        """The binding of `subject`."""
        ...

    def raise_level(self, subject: str, level: AssuranceLevel) -> None:
        """Record that the person was proofed again, better than before."""
        ...

    def of_person(self, person: str) -> list[Binding]:
        """Every binding of one person, one an agency."""
        ...

    def set_state(self, person: str, state: BindingState, *, now: int) -> None:
        """Change every binding of a person that is not closed.

        Of a death it is noted when it was reported first and, when she is dead already, last.
        """
        ...

    def revive(self, person: str, *, reported_until: int) -> bool:
        """She was reported dead and lives: each binding is as it was before the report.

        A death that was reported, or reported again, after `reported_until` stays. False when
        her row was erased since, or will be, and nothing changed. Safe to repeat.
        """
        ...

    def separate(self, person: str, *, to: str, now: int) -> list[Binding]:
        """Undo `move` of `person`, whose row is now `to`: her bindings are hers again.

        With her goes what was merged into her before. One that was closed is as it was before; what
        was reported of her since, at an agency where her subject went on, holds there too. Safe to
        repeat: what has been separated already is not found any more. When the other registration
        is being erased, her bindings do not go with it, and the term of her death begins now.

        Raises:
            RegistrationErased: it is being erased, and with it her row, which is still `person`.
        """
        ...

    def absorbed_by(self, person: str) -> list[str]:
        """Registrations that were merged into `person`, by the references that they had.

        Also those that were merged into one of them before.
        """
        ...

    def other_names(self, person: str) -> list[str]:
        """As `absorbed_by`, with the references that any of them, or she, had before."""
        ...

    def survivor(self, person: str) -> str:
        """Who she is now: mergers are followed to the last registration, and so is `known_as`.

        Raises:
            MergedAlready: the mergers that are stored go round; somebody changed them by hand.
        """
        ...

    def holds(self, person: str) -> str | None:
        """Who is now whoever `person` was merged into, also after that was undone; None: nobody.

        Raises:
            MergedAlready: as `survivor`.
        """
        ...

    def known_as(self, person: str) -> str:
        """The reference that she has after mergers of hers were undone; mergers are not followed.

        Raises:
            MergedAlready: as `survivor`.
        """
        ...

    def close(self, subject: str, state: BindingState) -> None:
        """Close one binding, unless the person is dead or it ended in a merger."""
        ...

    def mark_left(self, person: str, *, now: int) -> bool:
        """Let nobody come back to a registration from which all withdrew; False when not all did.

        Her row is destroyed next. Safe to repeat.
        """
        ...

    def mark_forgotten(self, person: str, *, now: int) -> None:
        """Her row is destroyed; her bindings stay and name nobody. Safe to repeat."""
        ...

    def move(self, person: str, *, to: str, now: int) -> bool:
        """Two registrations were one person: bindings of `person` become those of `to`.

        Where an agency knows `to` already, its subject of `person` is closed as `MERGED` instead.
        Safe to repeat, also when `to` is whoever the one she was merged into was merged into since.
        False when one of the two was reported dead before, and nothing changed.

        Raises:
            AllWithdrew: every binding of one of them is withdrawn; her row may be erased.
            MergedAlready: `to` was merged itself, into `person` or somebody else; or `person` was,
                into somebody who is not `to`. Nothing changed.
        """
        ...


class IdentitySealing(Protocol):
    """Seals an identity to the institutions that may open it; `identity.opening` does."""

    def seal(self, person: str, identity: bytes, *, renew: bool) -> None:
        """Seal and keep it durably, unless there is a seal and `renew` is not asked for.

        Raises:
            Unavailable: it could not be kept; the registration does not go on.
        """
        ...

    def forget(self, person: str) -> None:
        """Destroy every seal of a person who is erased. Safe to repeat."""
        ...

"""The review queue: who only looks like somebody is decided by two people, never by a program.

A case says why it was opened and names rows and agencies by their references. Two officers with
keys of their own must say the same; when they differ, it begins anew. The agency (for the person)
may appeal: then two others decide, who had no part in it before.

What two agencies ask of one person is two cases, so that neither learns of the other's. Only of an
applicant, whose number both were shown, there is one question; there each has a name of its own for
the case.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from registry.core.encoding import base64url_encode
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted

APPEAL_SECONDS = 30 * 24 * 3600
MAX_SIMILAR = 16  # more people of one name and birth date than that are a fault of the register
MAX_LISTED = 200
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class UnderReview(Conflict):
    """Somebody like this person is registered; people decide whether it is she."""


class NoSuchCase(NotFound):
    """There is no such case, or it is not this agency's."""


class SameOfficer(NotPermitted):
    """This officer had a part in the decision already; another one is needed."""


class NotToDecide(Conflict):
    """The case is decided, or somebody decided in the meantime."""


class CarriedOut(Conflict):
    """What a case decided is done, and is not done again."""


class CaseKind(StrEnum):
    """Why a case was opened."""

    SIMILAR = "similar"  # name and birth date of a registered person, under another number
    DOUBLE = "double"  # two registrations that an agency believes to be one person's
    FALSE_DEATH = "false-death"  # whoever came says that she is the person who was reported dead


class CaseState(StrEnum):
    """Life of a case."""

    OPEN = "open"
    PROPOSED = "proposed"  # one officer has spoken
    DECIDED = "decided"
    ENDING = "ending"  # past its term: nobody can speak any more, and it is being destroyed


class Verdict(StrEnum):
    """What two officers found."""

    SAME = "same"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question. `applicant` is a sealed row; with `DOUBLE`, the registration that would end."""

    id: str
    kind: CaseKind
    agency: str
    applicant: str
    similar: tuple[str, ...]
    state: CaseState
    opened_at: int  # unix seconds
    verdict: Verdict | None = None
    target: str = ""  # of `similar`: who it is, with `SAME`
    reason: str = ""
    officers: tuple[str, ...] = ()  # who has spoken in this round
    barred: tuple[str, ...] = ()  # who spoke in an earlier one
    decided_at: int = 0
    touched_at: int = 0  # opened, spoken about, decided, appealed or carried out, whatever was last
    carried_out_at: int = 0  # when what the decision asks for was done; 0: not, or not yet
    in_effect: bool = False  # this case began to merge, or to take a death back, and undid it not
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHandle:
    """By what one agency knows a case; of whoever opened it, the case's own id."""

    id: str
    case: str
    agency: str
    asked_at: int  # unix seconds


class CaseStore(Protocol):
    """Keeps cases; a change happens only from the state in which the case was read."""

    def open(self, case: Case) -> Case:
        """Keep a new case, unless its question was asked: then that one.

        Of a `SIMILAR` applicant there is one question; of the other kinds one for each agency.
        """
        ...

    def read(self, case_id: str) -> Case | None:
        """The case."""
        ...

    def similar_of(self, applicant: str) -> Case | None:
        """The `SIMILAR` case of this applicant."""
        ...

    def add_handle(self, proposed: CaseHandle) -> CaseHandle:
        """Keep a handle, unless the agency has one of this case already: that one."""
        ...

    def handle(self, handle_id: str) -> CaseHandle | None:
        """A handle that `add_handle` kept."""
        ...

    def waiting(self, *, limit: int) -> list[Case]:
        """Cases that nobody decided yet, oldest first."""
        ...

    def change(self, before: Case, after: Case) -> bool:
        """Put `after` in place of `before`; False when another revision is there by now."""
        ...


class ReviewDesk:
    """Opens cases, takes the words of officers, and hears appeals."""

    def __init__(
        self,
        cases: CaseStore,
        *,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts; `now` gives unix seconds."""
        self._cases = cases
        self._random = random
        self._now = now

    def open(
        self, kind: CaseKind, *, agency: str, applicant: str, similar: tuple[str, ...]
    ) -> Case:
        """The case of this question, opened now or before; `handle` says how to name it."""
        now = self._now()
        return self._cases.open(
            Case(
                id=self._new_id(),
                kind=kind,
                agency=agency,
                applicant=applicant,
                similar=similar[:MAX_SIMILAR],
                state=CaseState.OPEN,
                opened_at=now,
                touched_at=now,
            )
        )

    def open_again(
        self, kind: CaseKind, *, agency: str, applicant: str, similar: tuple[str, ...]
    ) -> Case:
        """As `open`; a case that was decided before is asked again from the beginning."""
        case = self.open(kind, agency=agency, applicant=applicant, similar=similar)
        return self.reopen(case, similar=similar) if case.state is CaseState.DECIDED else case

    def handle(self, case: Case, *, agency: str) -> CaseHandle:
        """By what `agency`, which asked this question, knows the case, and since when."""
        if case.agency == agency:
            return CaseHandle(id=case.id, case=case.id, agency=agency, asked_at=case.opened_at)
        return self._cases.add_handle(
            CaseHandle(id=self._new_id(), case=case.id, agency=agency, asked_at=self._now())
        )

    def decided(self, applicant: str) -> Case | None:
        """The `SIMILAR` case of this applicant, when it is decided."""
        case = self._cases.similar_of(applicant)
        return case if case is not None and case.state is CaseState.DECIDED else None

    def reopen(self, case: Case, *, similar: tuple[str, ...]) -> Case:
        """Ask again: people turned up of whom the decision says nothing."""
        after = _again(case, similar=tuple(dict.fromkeys((*case.similar, *similar)))[:MAX_SIMILAR])
        return self._changed(case, _with(after, in_effect=False))

    def waiting(self) -> list[Case]:
        """What there is to decide, oldest first."""
        return self._cases.waiting(limit=MAX_LISTED)

    def read(self, case_id: str) -> Case:
        """The case.

        Raises:
            NoSuchCase: there is none.
        """
        case = self._cases.read(case_id)
        if case is None:
            raise NoSuchCase("there is no such case")
        return case

    def of_agency(self, handle_id: str, *, agency: str) -> Case:
        """The case that this agency knows by `handle_id`.

        Raises:
            NoSuchCase: it knows none by it.
        """
        case = self._cases.read(handle_id)
        if case is not None and case.agency == agency:
            return case
        handle = self._cases.handle(handle_id)
        if handle is None or handle.agency != agency:
            raise NoSuchCase("there is no such case")
        return self.read(handle.case)

    def decide(
        self, case_id: str, verdict: Verdict, *, target: str, reason: str, officer: str
    ) -> Case:
        """Take an officer's word. The second that says the same decides.

        Args:
            case_id: the case.
            verdict: whether it is one person.
            target: of the case's `similar`, with `SAME`; empty with `DISTINCT`.
            reason: a code for the record.
            officer: name of the officer whose access key was presented.

        Raises:
            NoSuchCase: there is none.
            SameOfficer: she spoke already, in this round or, before an appeal, in an earlier one.
            NotToDecide: it is decided, or somebody spoke at the same moment.
            Malformed: the target does not fit the verdict, or the reason is no code.
        """
        case = self.read(case_id)
        if not _CODE.fullmatch(reason):
            raise Malformed("the reason is a code of lower-case letters, digits and hyphens")
        if (target in case.similar) is not (verdict is Verdict.SAME):
            raise Malformed("one of the similar people is the target of `same`, nobody of others")
        if officer in (*case.officers, *case.barred):
            raise SameOfficer("this officer has spoken already; another one is needed")
        if case.state not in (CaseState.OPEN, CaseState.PROPOSED):
            raise NotToDecide("the case is decided, or past its term")
        if case.state is CaseState.PROPOSED and (case.verdict, case.target) != (verdict, target):
            return self._changed(case, _again(case, bar=(*case.officers, officer)))
        return self._changed(
            case,
            _with(
                case,
                state=CaseState.DECIDED if case.state is CaseState.PROPOSED else CaseState.PROPOSED,
                verdict=verdict,
                target=target,
                reason=reason,
                officers=(*case.officers, officer),
                decided_at=self._now() if case.state is CaseState.PROPOSED else 0,
            ),
        )

    def appeal(self, handle_id: str, *, agency: str) -> Case:
        """Have a decision looked at again by two officers who had no part in it.

        A merger can be undone for as long as the vault keeps what was merged, so there is no other
        term for a `DOUBLE`.

        Raises:
            NoSuchCase: there is none of this agency.
            NotToDecide: it is not decided, or was longer ago than `APPEAL_SECONDS`.
        """
        case = self.of_agency(handle_id, agency=agency)
        late = case.kind is not CaseKind.DOUBLE and self._now() - case.decided_at > APPEAL_SECONDS
        if case.state is not CaseState.DECIDED or late:
            raise NotToDecide("there is no decision to appeal against, or it is too old")
        return self._changed(case, _again(case, bar=case.officers))

    def to_carry_out(self, case_id: str) -> Case:
        """A decided case of which nobody has done yet what was decided.

        Raises:
            NoSuchCase: there is none.
            CarriedOut: it is done. What was right then may be wrong now, so it is not done again.
            NotToDecide: nobody decided.
        """
        case = self.read(case_id)
        if case.state is not CaseState.DECIDED:
            raise NotToDecide("there is no decision to carry out")
        if case.carried_out_at:
            raise CarriedOut("the decision was carried out; it is not done a second time")
        return case

    def known_as(self, case: Case, applicant: str) -> Case:
        """What the case is about has another reference from now on.

        Raises:
            NotToDecide: the case changed in the meantime.
        """
        return self._changed(case, _with(case, applicant=applicant))

    def takes_effect(self, case: Case, *, begun: bool) -> Case:
        """Note, before it does, that this case merges or takes a death back; or that it did not.

        Raises:
            NotToDecide: the case changed in the meantime.
        """
        return self._changed(case, _with(case, in_effect=begun))

    def carried_out(self, case: Case) -> Case:
        """Note that what was decided is done; after `DISTINCT` nothing of the case is in effect.

        Raises:
            NotToDecide: the case changed in the meantime.
        """
        in_effect = case.in_effect and case.verdict is Verdict.SAME
        return self._changed(case, _with(case, carried_out_at=self._now(), in_effect=in_effect))

    def _new_id(self) -> str:
        return "cas_" + base64url_encode(self._random(16))

    def _changed(self, before: Case, after: Case) -> Case:
        after = _with(after, touched_at=self._now(), revision=before.revision + 1)
        if not self._cases.change(before, after):
            raise NotToDecide("the case changed in the meantime")
        return after


def _again(case: Case, *, bar: tuple[str, ...] = (), similar: tuple[str, ...] = ()) -> Case:
    return _with(
        case,
        state=CaseState.OPEN,
        verdict=None,
        target="",
        reason="",
        officers=(),
        barred=tuple(dict.fromkeys((*case.barred, *bar))),
        similar=similar or case.similar,
        decided_at=0,
        carried_out_at=0,
    )


def _with(case: Case, **changes: object) -> Case:
    members = {name: getattr(case, name) for name in Case.__slots__}
    return Case(**{**members, **changes})

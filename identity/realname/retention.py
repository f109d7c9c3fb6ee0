"""The retention clock for people: the dead, and those about whom nobody decided.

A living person's row has no clock: she is erased when she withdraws. What is destroyed is in the
vault, whose audit has it on record before it happens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from identity.core.retention import PeopleTerms, cutoff
from identity.realname.review import Case, CaseKind
from identity.vault.ports import Vault

AT_ONCE = 500  # in one round; the next round goes on
_T = TypeVar("_T")


class DeceasedStore(Protocol):
    """What the clock asks of the bindings."""

    def deceased_before(self, time: int, *, now: int, limit: int) -> list[str]:
        """People whose death was reported before `time` and who are not erased yet.

        A death of which nobody noted the time begins its term now.
        """
        ...

    def mark_erased(self, person: str, *, now: int) -> None:
        """Her row is destroyed; her bindings stay, dead, and name nobody. Repeatable."""
        ...


class OldCases(Protocol):
    """What the clock asks of the review queue."""

    def untouched_since(self, time: int, *, limit: int) -> list[Case]:
        """Cases that nobody opened, decided or appealed since `time`, oldest first."""
        ...

    def delete(self, case_id: str) -> None:
        """Delete a case. Repeatable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePastTerm:
    """How much is past its term."""

    deceased: int = 0
    cases: int = 0


class PeopleRetention:
    """Tells what is past its term, and destroys it."""

    def __init__(
        self,
        *,
        bindings: DeceasedStore,
        cases: OldCases,
        vault: Vault,
        terms: PeopleTerms,
        forget_seals: Callable[[str], None],
    ) -> None:
        """Join the parts; `forget_seals` destroys what institutions could open of a person."""
        self._bindings = bindings
        self._cases = cases
        self._vault = vault
        self._terms = terms
        self._forget_seals = forget_seals

    def due(self, *, now: int) -> PeoplePastTerm:
        """What `destroy` would destroy now, one round of it."""
        return PeoplePastTerm(deceased=len(self._deceased(now)), cases=len(self._old_cases(now)))

    def destroy(self, *, now: int) -> PeoplePastTerm:
        """Destroy what is past its term; safe to repeat after a failure at any point.

        1. Of the dead: what institutions could open, then the row with its keys, then the mark.
        2. Of a case: the applicant who waited sealed, then the case. Of a double no row goes: it is
           a registration.

        Raises:
            Unavailable: vault or audit does not answer; the rest is destroyed the next time.
        """
        deceased, cases = self._deceased(now), self._old_cases(now)
        for person in deceased:  # 1
            self._forget_seals(person)
            self._vault.forget(person)
            self._bindings.mark_erased(person, now=now)
        for case in cases:  # 2
            if case.kind is CaseKind.SIMILAR:
                self._vault.forget(case.applicant)
            self._cases.delete(case.id)
        return PeoplePastTerm(deceased=len(deceased), cases=len(cases))

    def _deceased(self, now: int) -> list[str]:
        return _before(
            self._terms.deceased,
            now,
            lambda time: self._bindings.deceased_before(time, now=now, limit=AT_ONCE),
        )

    def _old_cases(self, now: int) -> list[Case]:
        return _before(
            self._terms.cases, now, lambda time: self._cases.untouched_since(time, limit=AT_ONCE)
        )


def _before(days: int | None, now: int, read: Callable[[int], list[_T]]) -> list[_T]:
    time = cutoff(days, now=now)
    return [] if time is None else read(time)

"""The retention clock for people: the dead, and those about whom nobody decided.

A living person's row has no clock: she is erased when she withdraws, and where that was cut short
the clock goes on with it. What is destroyed is in the
vault, whose audit has it on record before it happens. Everything is marked before it is destroyed,
and only where it still is as it was found: who is brought back in the meantime stays, and who is
marked cannot be brought back any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from identity.core.retention import DAY_SECONDS, PeopleTerms, cutoff
from identity.realname.review import Case, CaseKind
from identity.vault.ports import Vault

AT_ONCE = 500  # in one round; the next round goes on


class DeceasedStore(Protocol):
    """What the clock asks of the bindings."""

    def deceased_before(self, time: int, *, now: int, limit: int) -> list[str]:
        """People whose death was reported before `time`, who live nowhere and are not marked yet.

        A death of which nobody noted the time begins its term now.
        """
        ...

    def mark_erased(self, person: str, *, died_before: int, now: int) -> bool:
        """Let nobody bring her back from now on; False when she lives or died later after all."""
        ...

    def being_erased(self, *, limit: int) -> list[str]:
        """People who are marked, dead or gone from every agency, and whose row may be there."""
        ...

    def mark_forgotten(self, person: str, *, now: int) -> None:
        """Her row is destroyed; her bindings stay, dead, and name nobody. Repeatable."""
        ...


class OldCases(Protocol):
    """What the clock asks of the review queue."""

    def untouched_since(self, time: int, *, doubles: int, limit: int) -> list[Case]:
        """Cases with which nothing happened since `time`, and those that `end` ended; oldest first.

        A `DOUBLE` is among them when nothing happened since `doubles` either.
        """
        ...

    def end(self, case: Case) -> bool:
        """Let nobody speak about it any more; False when it is not as `case` any more."""
        ...

    def delete(self, case_id: str) -> None:
        """Delete a case that is ended. Repeatable."""
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
        forget: Callable[[str], None],
    ) -> None:
        """Join the parts; `forget` erases a person, as `Erasure.forget`."""
        self._bindings = bindings
        self._cases = cases
        self._vault = vault
        self._terms = terms
        self._forget = forget

    def due(self, *, now: int) -> PeoplePastTerm:
        """What `destroy` would destroy now, one round of it."""
        return PeoplePastTerm(deceased=len(self._deceased(now)), cases=len(self._old_cases(now)))

    def destroy(self, *, now: int) -> PeoplePastTerm:
        """Destroy what is past its term; safe to repeat after a failure at any point.

        1. Of the dead: whoever is still dead is marked, then erased. Whom an earlier round marked
           and did not erase is erased first.
        2. Of a case: it is ended, then the applicant who waited sealed goes, then the case. Of a
           double no row goes: it is a registration.

        Raises:
            Unavailable: vault or audit does not answer; the rest is destroyed the next time.
        """
        deceased = 0
        for person in self._bindings.being_erased(limit=AT_ONCE):  # 1
            deceased += self._erased(person, now)
        if (time := cutoff(self._terms.deceased, now=now)) is not None:
            for person in self._bindings.deceased_before(time, now=now, limit=AT_ONCE):
                if self._bindings.mark_erased(person, died_before=time, now=now):
                    deceased += self._erased(person, now)
        cases = sum(self._ended(case) for case in self._old_cases(now))  # 2
        return PeoplePastTerm(deceased=deceased, cases=cases)

    def _erased(self, person: str, now: int) -> int:
        self._forget(person)
        self._bindings.mark_forgotten(person, now=now)
        return 1

    def _ended(self, case: Case) -> bool:
        if not self._cases.end(case):
            return False
        if case.kind is CaseKind.SIMILAR:
            self._vault.forget(case.applicant)
        self._cases.delete(case.id)
        return True

    def _deceased(self, now: int) -> list[str]:
        time = cutoff(self._terms.deceased, now=now)
        if time is None:
            return self._bindings.being_erased(limit=AT_ONCE)
        return [
            *self._bindings.being_erased(limit=AT_ONCE),
            *self._bindings.deceased_before(time, now=now, limit=AT_ONCE),
        ]

    def _old_cases(self, now: int) -> list[Case]:
        """A merger can be appealed against while its remains are kept, so its case stays, too."""
        if (days := self._terms.cases) is None:
            return []
        return self._cases.untouched_since(
            now - days * DAY_SECONDS,
            doubles=now - max(days, self._terms.merged) * DAY_SECONDS,
            limit=AT_ONCE,
        )

"""The retention clock for people: the dead, and those about whom nobody decided."""

from pathlib import Path

import pytest

from identity.adapters.review_store import SqlCaseStore
from identity.core.life_event import LifeEventKind
from identity.core.retention import DAY_SECONDS, PeopleTerms
from identity.realname.life_events import RegistrationErased
from identity.realname.ports import NotAlive
from identity.realname.retention import PeoplePastTerm, PeopleRetention
from identity.realname.review import Verdict
from identity.vault.ports import NothingSealed, VaultRowNotOpened
from tests.identity.realname.parts import Installation, installation
from tests.identity.realname.test_review import (
    AUSTRIAN,
    GERMAN,
    OFFICER,
    Obliging,
    decide,
    enrol,
    held,
)
from tests.identity.vault.parts import NOW

TERMS = PeopleTerms(deceased=10, cases=40)


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return installation(tmp_path, register=Obliging())


def clock(place: Installation, forgotten: list[str], terms: PeopleTerms = TERMS) -> PeopleRetention:
    return PeopleRetention(
        bindings=place.bindings,
        cases=SqlCaseStore(place.bindings._engine),
        vault=place.vault,
        terms=terms,
        forget_seals=forgotten.append,
    )


def days(number: int) -> int:
    return NOW + number * DAY_SECONDS


def test_a_dead_persons_row_goes_with_its_term_and_nobody_elses(place: Installation) -> None:
    dead, living = enrol(place, GERMAN), enrol(place, AUSTRIAN, given_name="Berta")
    people = [place.real_names.binding(subject).person for subject in (dead, living)]
    place.life.report(LifeEventKind.DECEASED, dead)
    seals: list[str] = []
    retention = clock(place, seals)
    assert retention.due(now=days(10)) == PeoplePastTerm()

    assert retention.due(now=days(11)) == PeoplePastTerm(deceased=1)
    place.vault.open(people[0], purpose="p", actor="a")  # it only told
    assert retention.destroy(now=days(11)) == PeoplePastTerm(deceased=1)

    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(people[0], purpose="p", actor="a")
    assert seals == [people[0]]
    place.vault.open(people[1], purpose="p", actor="a")
    with pytest.raises(NotAlive):  # dead for good, and nameless
        place.real_names.claims(dead, names=["sex"], purpose="issue", actor=OFFICER)
    assert retention.destroy(now=days(12)) == PeoplePastTerm()  # safe to repeat
    with pytest.raises(RegistrationErased):
        place.life.revive(people[0])


def test_without_a_term_nobody_is_erased_by_a_clock(place: Installation) -> None:
    place.life.report(LifeEventKind.DECEASED, enrol(place, GERMAN))
    kept = clock(place, [], PeopleTerms())
    assert kept.destroy(now=days(100_000)) == PeoplePastTerm()


def test_a_case_that_nobody_decides_ends_with_its_applicant(place: Installation) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    retention = clock(place, [])

    assert retention.destroy(now=days(40)) == PeoplePastTerm()
    assert retention.destroy(now=days(41)) == PeoplePastTerm(cases=1)

    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(case.applicant, purpose="p", actor="a")
    assert place.review.waiting() == []
    again = held(place, AUSTRIAN)  # she may come again, and is asked about anew
    decide(place, again, Verdict.DISTINCT)
    assert enrol(place, AUSTRIAN)


def test_a_vault_that_does_not_answer_keeps_the_case(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(place, GERMAN)
    held(place, AUSTRIAN)

    def down(_ref: str) -> None:
        raise OSError("down")

    monkeypatch.setattr(place.vault, "forget", down)
    with pytest.raises(OSError, match="down"):
        clock(place, []).destroy(now=days(41))
    assert len(place.review.waiting()) == 1

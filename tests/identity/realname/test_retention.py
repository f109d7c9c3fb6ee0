"""The retention clock for people: the dead, and those about whom nobody decided."""

from pathlib import Path

import pytest

from identity.adapters.database import transaction
from identity.adapters.realname_store import RealNameBinding
from identity.adapters.review_store import SqlCaseStore
from identity.core.life_event import LifeEventKind
from identity.core.retention import DAY_SECONDS, PeopleTerms
from identity.realname.erasure import Erasure
from identity.realname.ports import BindingState, NotAlive, RegistrationErased
from identity.realname.retention import PeoplePastTerm, PeopleRetention
from identity.realname.review import Case, CaseKind, NotToDecide, Verdict
from identity.vault.ports import NothingSealed, VaultRowNotOpened, remains_of
from registry.core.refusals import Unavailable
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
        forget=Erasure(
            bindings=place.bindings, vault=place.vault, forget_seals=forgotten.append
        ).forget,
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
        place.life.revive(people[0], decided_at=days(12))


def test_a_second_report_does_not_begin_the_term_of_a_death_anew(place: Installation) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    place.life._now = lambda: days(8)
    place.life.report(LifeEventKind.DECEASED, subject)

    assert clock(place, []).destroy(now=days(11)) == PeoplePastTerm(deceased=1)


def test_who_comes_back_while_her_row_is_destroyed_is_registered_anew(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = enrol(place, GERMAN)
    forget = place.vault.forget

    def meanwhile(ref: str) -> None:
        for agency in ("civil-registry", "university"):
            with pytest.raises(Unavailable):
                enrol(place, GERMAN, agency=agency)
        forget(ref)

    with monkeypatch.context() as slow:
        slow.setattr(place.vault, "forget", meanwhile)
        place.life.withdraw(subject)

    again = enrol(place, GERMAN)
    assert again != subject
    assert place.real_names.claims(again, names=["given_name"], purpose="p", actor=OFFICER)


def test_an_erasure_that_was_cut_short_is_completed_by_the_clock(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = enrol(place, GERMAN)
    person = place.real_names.binding(subject).person

    def down(_ref: str) -> None:
        raise OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "forget", down)
        with pytest.raises(OSError, match="down"):
            place.life.withdraw(subject)
    place.vault.open(person, purpose="p", actor="a")

    assert clock(place, [], PeopleTerms()).destroy(now=days(1)) == PeoplePastTerm(deceased=1)

    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(person, purpose="p", actor="a")
    assert clock(place, [], PeopleTerms()).destroy(now=days(1)) == PeoplePastTerm()
    place.life.withdraw(subject)  # safe to repeat


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


def test_what_a_vault_did_not_forget_goes_the_next_time(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)

    def down(_ref: str) -> None:
        raise OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "forget", down)
        with pytest.raises(OSError, match="down"):
            clock(place, []).destroy(now=days(41))
    with pytest.raises(NotToDecide):  # nobody speaks about what is being destroyed
        decide(place, case, Verdict.DISTINCT)

    assert clock(place, []).destroy(now=days(41)) == PeoplePastTerm(cases=1)
    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(case.applicant, purpose="p", actor="a")


def test_who_lives_anywhere_is_not_erased(place: Installation) -> None:
    subject = enrol(place, GERMAN)
    person = place.real_names.binding(subject).person
    place.life.report(LifeEventKind.DECEASED, subject)
    elsewhere = enrol_living(place, person)
    assert clock(place, []).destroy(now=days(11)) == PeoplePastTerm()
    place.vault.open(person, purpose="p", actor="a")
    place.bindings.close(elsewhere, BindingState.WITHDRAWN)
    assert clock(place, []).destroy(now=days(11)) == PeoplePastTerm(deceased=1)


def enrol_living(place: Installation, person: str) -> str:
    """A second binding that is active, as mergers made them before they looked for the dead."""
    subject = enrol(place, AUSTRIAN, given_name="Berta", agency="university")
    with transaction(place.bindings._engine) as session:
        row = session.get(RealNameBinding, subject)
        assert row
        row.person = person
    return subject


def test_who_is_brought_back_while_the_clock_runs_stays(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = enrol(place, GERMAN)
    person = place.real_names.binding(subject).person
    place.life.report(LifeEventKind.DECEASED, subject)
    listed = place.bindings.deceased_before

    def slow(time: int, *, now: int, limit: int) -> list[str]:
        found = listed(time, now=now, limit=limit)
        place.life.revive(person, decided_at=days(11))
        return found

    monkeypatch.setattr(place.bindings, "deceased_before", slow)
    assert clock(place, []).destroy(now=days(11)) == PeoplePastTerm()
    assert place.real_names.claims(subject, names=["given_name"], purpose="p", actor=OFFICER)


def test_who_is_marked_is_not_brought_back_and_is_erased_the_next_time(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = enrol(place, GERMAN)
    person = place.real_names.binding(subject).person
    place.life.report(LifeEventKind.DECEASED, subject)

    def down(_ref: str) -> None:
        raise OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "forget", down)
        with pytest.raises(OSError, match="down"):
            clock(place, []).destroy(now=days(11))
    with pytest.raises(RegistrationErased):
        place.life.revive(person, decided_at=days(11))
    place.vault.open(person, purpose="p", actor="a")

    assert clock(place, []).due(now=days(11)) == PeoplePastTerm(deceased=1)
    assert clock(place, []).destroy(now=days(11)) == PeoplePastTerm(deceased=1)
    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(person, purpose="p", actor="a")


def test_what_was_merged_into_somebody_dead_goes_with_her(place: Installation) -> None:
    kept = enrol(place, GERMAN)
    decide(place, held(place, AUSTRIAN), Verdict.DISTINCT)
    lost = place.real_names.binding(enrol(place, AUSTRIAN)).person
    place.life.merge(lost, into=place.real_names.binding(kept).person)
    place.life.report(LifeEventKind.DECEASED, kept)
    assert place.vault.find(remains_of(lost)) is not None

    assert clock(place, []).destroy(now=days(11)).deceased == 1

    assert place.vault.find(remains_of(lost)) is None


@pytest.mark.parametrize("last", ["appeal", "word"])
def test_a_case_that_somebody_touched_is_kept(place: Installation, last: str) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    if last == "appeal":
        decide(place, case, Verdict.DISTINCT)
        place.review._now = lambda: days(25)
        place.review.appeal(case.id, agency="civil-registry")
    else:
        place.review._now = lambda: days(25)
        decide(place, case, Verdict.SAME, "ada")

    assert clock(place, []).destroy(now=days(64)) == PeoplePastTerm()
    place.vault.open(case.applicant, purpose="p", actor="a")
    assert clock(place, []).destroy(now=days(66)) == PeoplePastTerm(cases=1)


def test_a_decision_while_the_clock_runs_is_not_lost(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    retention = clock(place, [])
    listed = retention._cases.untouched_since

    def slow(time: int, *, doubles: int, limit: int) -> list[Case]:
        found = listed(time, doubles=doubles, limit=limit)
        decide(place, case, Verdict.DISTINCT)
        return found

    monkeypatch.setattr(retention._cases, "untouched_since", slow)
    assert retention.destroy(now=days(41)) == PeoplePastTerm()
    assert place.review.read(case.id).verdict is Verdict.DISTINCT
    place.vault.open(case.applicant, purpose="p", actor="a")


def test_a_merger_can_be_appealed_against_while_its_remains_are_kept(place: Installation) -> None:
    case = place.review.open(
        CaseKind.DOUBLE, agency="civil-registry", applicant="vlt_a", similar=("vlt_b",)
    )
    decide(place, case, Verdict.SAME)
    assert clock(place, []).destroy(now=days(365)) == PeoplePastTerm()
    place.review.read(case.id)
    assert clock(place, []).destroy(now=days(366)) == PeoplePastTerm(cases=1)

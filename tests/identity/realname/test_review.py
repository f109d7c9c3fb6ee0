"""Who only looks like somebody waits for two people; nothing is ever merged by a program."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest

from identity.core.life_event import LifeEvent, LifeEventKind
from identity.realname.ports import BindingClosed, NotAlive, RegisteredPerson, RegisterQuery
from identity.realname.review import (
    APPEAL_SECONDS,
    Case,
    CaseKind,
    CaseState,
    NoSuchCase,
    NotToDecide,
    SameOfficer,
    UnderReview,
    Verdict,
)
from identity.realname.service import Enrolment
from identity.vault.ports import NothingSealed, VaultRowNotOpened
from registry.core.refusals import Malformed
from tests.identity.realname.parts import Installation, installation

OFFICER = "issuer:civil-registry"
BORN = date(1990, 1, 1)


class Obliging:
    """A register that knows everybody under every number."""

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        return RegisteredPerson(
            family_name=query.family_name,
            given_name=query.given_name,
            birth_date=query.birth_date,
            sex=None,
            nationality=None,
            address=None,
        )


def stated(number: str, *, country: str = "DE", **more: object) -> Enrolment:
    members: dict[str, object] = {
        "agency": "civil-registry",
        "family_name": "Ōkami",
        "given_name": "Anna",
        "birth_date": BORN,
        "evidence": ("document", "biometric-match"),
    }
    return Enrolment(country=country, number=number, **{**members, **more})  # type: ignore[arg-type]


# Numbers of countries that tell no birth date, so that all may be one person's.
GERMAN, AUSTRIAN, BRAZILIAN = ("DE", "36574261809"), ("HR", "33392005961"), ("BR", "39053344705")


class Heard:
    def __init__(self) -> None:
        self.events: list[LifeEvent] = []

    def on_event(self, event: LifeEvent) -> None:
        self.events.append(event)


@pytest.fixture
def hook() -> Heard:
    return Heard()


@pytest.fixture
def place(tmp_path: Path, hook: Heard) -> Installation:
    return installation(tmp_path, register=Obliging(), hooks=[hook])


def enrol(place: Installation, document: tuple[str, str], **more: object) -> str:
    return place.real_names.enrol(
        evidence=stated(document[1], country=document[0], **more), actor=OFFICER
    ).subject


def held(place: Installation, document: tuple[str, str], **more: object) -> Case:
    with pytest.raises(UnderReview) as refusal:
        enrol(place, document, **more)
    (case,) = [case for case in place.review.waiting() if case.id in refusal.value.detail]
    return case


def decide(place: Installation, case: Case, verdict: Verdict, *officers: str) -> Case:
    for officer in officers or ("ada", "bob"):
        case = place.review.decide(
            case.id,
            verdict,
            target=case.similar[0] if verdict is Verdict.SAME else "",
            reason="seen-in-person",
            officer=officer,
        )
    return case


def test_a_second_document_of_one_person_waits_and_then_leads_to_her(place: Installation) -> None:
    subject = enrol(place, GERMAN)
    case = held(place, AUSTRIAN, family_name="ANNA", given_name="Ōkami")  # parts exchanged
    assert held(place, AUSTRIAN) == case  # asking again is no second case

    assert decide(place, case, Verdict.SAME, "ada").state is CaseState.PROPOSED
    held(place, AUSTRIAN)  # one officer is not enough
    decide(place, case, Verdict.SAME, "bob")

    assert enrol(place, AUSTRIAN) == enrol(place, GERMAN) == subject
    assert place.real_names.claims(
        subject, names=["issuing_country"], purpose="issue", actor=OFFICER
    ) == {"issuing_country": "DE"}  # the row stays what it was registered with


def test_somebody_else_of_the_same_name_and_day_is_registered_after_the_decision(
    place: Installation,
) -> None:
    first = enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    decide(place, case, Verdict.DISTINCT)

    second = enrol(place, AUSTRIAN)

    assert second != first
    assert enrol(place, AUSTRIAN) == second
    third = held(place, BRAZILIAN)
    assert len(third.similar) == 2
    decide(place, third, Verdict.DISTINCT)
    assert enrol(place, BRAZILIAN) not in (first, second)


def test_a_decision_says_nothing_of_who_comes_later(place: Installation) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    decide(place, case, Verdict.DISTINCT)
    other = held(place, BRAZILIAN)
    decide(place, other, Verdict.DISTINCT, "ada", "bob")
    enrol(place, BRAZILIAN)

    again = held(place, AUSTRIAN)  # there is a third one now, whom nobody compared her with

    assert again.id == case.id
    assert len(again.similar) == 2
    decide(place, again, Verdict.DISTINCT, "eve", "kim")
    enrol(place, AUSTRIAN)


def test_different_names_or_days_are_no_case(place: Installation) -> None:
    subjects = {
        enrol(place, GERMAN),
        enrol(place, AUSTRIAN, given_name="Anne"),
        enrol(place, BRAZILIAN, birth_date=date(1990, 1, 2)),
    }
    assert len(subjects) == 3
    assert place.review.waiting() == []


def test_nobody_decides_alone_and_who_differs_starts_it_anew(place: Installation) -> None:
    enrol(place, GERMAN)
    case = decide(place, held(place, AUSTRIAN), Verdict.SAME, "ada")

    with pytest.raises(SameOfficer):
        decide(place, case, Verdict.SAME, "ada")
    again = decide(place, case, Verdict.DISTINCT, "bob")  # he differs
    assert (again.state, again.verdict) == (CaseState.OPEN, None)
    for earlier in ("ada", "bob"):
        with pytest.raises(SameOfficer):
            decide(place, again, Verdict.SAME, earlier)
    assert decide(place, again, Verdict.SAME, "eve", "kim").state is CaseState.DECIDED
    with pytest.raises(NotToDecide):
        decide(place, again, Verdict.DISTINCT, "tom")


def test_an_appeal_is_heard_by_two_others(place: Installation) -> None:
    enrol(place, GERMAN)
    case = decide(place, held(place, AUSTRIAN), Verdict.SAME)

    with pytest.raises(NoSuchCase):
        place.review.appeal(case.id, agency="university")
    again = place.review.appeal(case.id, agency="civil-registry")
    with pytest.raises(NotToDecide):
        place.review.appeal(case.id, agency="civil-registry")

    for earlier in ("ada", "bob"):
        with pytest.raises(SameOfficer):
            decide(place, again, Verdict.SAME, earlier)
    decide(place, again, Verdict.DISTINCT, "eve", "kim")
    assert enrol(place, AUSTRIAN) != enrol(place, GERMAN)
    place.review._now = lambda: case.decided_at + APPEAL_SECONDS + 1
    with pytest.raises(NotToDecide):
        place.review.appeal(case.id, agency="civil-registry")


@pytest.mark.parametrize(
    ("verdict", "target", "reason"),
    [
        (Verdict.SAME, "", "seen"),
        (Verdict.SAME, "vlt_somebody", "seen"),
        (Verdict.DISTINCT, "similar", "seen"),
        (Verdict.DISTINCT, "", "It is Anna"),
    ],
)
def test_a_word_that_does_not_fit_is_refused(
    place: Installation, verdict: Verdict, target: str, reason: str
) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    target = case.similar[0] if target == "similar" else target
    with pytest.raises(Malformed):
        place.review.decide(case.id, verdict, target=target, reason=reason, officer="ada")
    assert place.review.read(case.id) == case


def test_of_officers_who_speak_at_once_one_is_told(place: Installation) -> None:
    enrol(place, GERMAN)
    case = held(place, AUSTRIAN)
    assert place.review._cases.change(case, replace(case, officers=("ada",)))
    assert not place.review._cases.change(case, replace(case, officers=("bob",)))


@pytest.mark.parametrize("rounds", [5])
def test_two_documents_at_the_same_moment_are_not_two_people(tmp_path: Path, rounds: int) -> None:
    """Neither sees the other's row before both have looked: one of them waits for people."""
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = installation(folder, register=Obliging())
        barrier = Barrier(3)

        def rival(document: tuple[str, str]) -> bool:
            barrier.wait()  # noqa: B023
            try:
                enrol(place, document)  # noqa: B023
            except UnderReview:
                return False
            return True

        with ThreadPoolExecutor(3) as pool:
            registered = list(pool.map(rival, (GERMAN, AUSTRIAN, BRAZILIAN)))
        assert sum(registered) == 1


def test_two_registrations_of_one_person_become_one(place: Installation, hook: Heard) -> None:
    kept = enrol(place, GERMAN)
    decide(place, held(place, AUSTRIAN), Verdict.DISTINCT)
    lost = enrol(place, AUSTRIAN)
    elsewhere = enrol(place, AUSTRIAN, agency="university")
    person, double = (place.real_names.binding(subject).person for subject in (kept, lost))

    case = place.review.open(
        CaseKind.DOUBLE, agency="civil-registry", applicant=double, similar=(person,)
    )
    decided = decide(place, case, Verdict.SAME)
    place.life.merge(decided.applicant, into=decided.target)
    place.life.merge(decided.applicant, into=decided.target)  # safe to repeat

    assert enrol(place, AUSTRIAN) == enrol(place, GERMAN) == kept
    assert place.real_names.binding(elsewhere).person == person
    assert enrol(place, GERMAN, agency="university") == elsewhere
    assert {(event.kind, event.subject) for event in hook.events} == {(LifeEventKind.MERGED, lost)}
    with pytest.raises(BindingClosed):
        place.real_names.claims(lost, names=["sex"], purpose="issue", actor=OFFICER)
    with pytest.raises((NothingSealed, VaultRowNotOpened)):
        place.vault.open(double, purpose="p", actor="a")


def test_loss_of_capacity_pauses_everywhere_and_its_return_goes_on(
    place: Installation, hook: Heard
) -> None:
    subjects = [enrol(place, GERMAN), enrol(place, GERMAN, agency="university")]
    place.life.report(LifeEventKind.INCAPACITATED, subjects[0])
    for subject, agency in zip(subjects, ("civil-registry", "university"), strict=True):
        with pytest.raises(BindingClosed):
            place.real_names.claims(
                subject, names=["family_name"], purpose="issue", actor=f"issuer:{agency}"
            )
    place.life.report(LifeEventKind.CAPACITY_RESTORED, subjects[1])
    assert place.real_names.claims(
        subjects[0], names=["family_name"], purpose="issue", actor=OFFICER
    )
    place.life.record_death(subjects[0])
    for kind in (LifeEventKind.INCAPACITATED, LifeEventKind.CAPACITY_RESTORED):
        with pytest.raises(NotAlive):
            place.life.report(kind, subjects[0])
    assert [event.kind for event in hook.events] == [
        kind
        for kind in (
            LifeEventKind.INCAPACITATED,
            LifeEventKind.CAPACITY_RESTORED,
            LifeEventKind.DECEASED,
        )
        for _ in subjects
    ]
    with pytest.raises(Malformed):
        place.life.report(LifeEventKind.MERGED, subjects[0])


def test_who_withdraws_everywhere_is_erased_and_may_come_back(
    place: Installation, hook: Heard
) -> None:
    subjects = [enrol(place, GERMAN), enrol(place, GERMAN, agency="university")]
    person = place.real_names.binding(subjects[0]).person

    place.life.withdraw(subjects[0])
    with pytest.raises(BindingClosed):
        place.real_names.claims(subjects[0], names=["sex"], purpose="issue", actor=OFFICER)
    assert place.vault.open(person, purpose="p", actor="a")  # the university still knows her
    assert enrol(place, GERMAN) == subjects[0]  # she came back
    for subject in subjects:
        place.life.withdraw(subject)

    with pytest.raises(NothingSealed):
        place.vault.open(person, purpose="p", actor="a")
    assert {event.kind for event in hook.events} == {LifeEventKind.WITHDRAWN}
    again = enrol(place, GERMAN)
    assert again not in subjects


def test_a_correction_is_taken_over_and_found_alike_from_then_on(
    place: Installation, hook: Heard
) -> None:
    subject = enrol(place, GERMAN)
    place.life.record_correction(
        subject, family_name="Wolf", given_name="Anna", birth_date=BORN, actor=OFFICER
    )
    assert place.real_names.claims(
        subject, names=["family_name"], purpose="issue", actor=OFFICER
    ) == {"family_name": "Wolf"}
    (event,) = hook.events
    assert event.kind is LifeEventKind.CORRECTED
    assert "birth_date" in event.changed
    held(place, AUSTRIAN, family_name="Wolf")  # alike by the new name
    enrol(place, AUSTRIAN)  # and not by the old one any more


def test_nothing_of_an_applicant_is_left_after_her_case(place: Installation) -> None:
    enrol(place, GERMAN)
    for document, verdict in ((AUSTRIAN, Verdict.DISTINCT), (BRAZILIAN, Verdict.SAME)):
        case = held(place, document)
        decide(place, case, verdict)
        enrol(place, document)
        with pytest.raises(NothingSealed):
            place.vault.open(case.applicant, purpose="p", actor="a")


class Sealing:
    """Remembers of whom it was told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def seal(self, person: str, identity: bytes, *, renew: bool) -> None:
        """Seal."""

    def forget(self, person: str) -> None:
        self.forgotten.append(person)


def test_who_is_erased_can_be_opened_by_nobody(tmp_path: Path) -> None:
    sealing = Sealing()
    place = installation(tmp_path, register=Obliging(), sealing=sealing)
    subject = enrol(place, GERMAN)
    person = place.real_names.binding(subject).person
    place.life.withdraw(subject)
    assert sealing.forgotten == [person]


def test_every_hook_hears_even_when_one_fails(place: Installation, hook: Heard) -> None:
    class Failing:
        def on_event(self, event: LifeEvent) -> None:
            raise NotToDecide("not now")

    place.life._hooks = (Failing(), hook)
    subjects = [enrol(place, GERMAN), enrol(place, GERMAN, agency="university")]
    with pytest.raises(NotToDecide):
        place.life.record_death(subjects[0])
    assert {event.subject for event in hook.events} == set(subjects)

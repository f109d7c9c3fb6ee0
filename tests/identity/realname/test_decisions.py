"""A decision is carried out once, wholly or not at all, and never on somebody of whom it is not."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from identity.core.life_event import LifeEventKind
from identity.realname.life_events import OneIsDead
from identity.realname.ports import BindingState, NotAlive
from identity.realname.review import CaseState, Verdict
from identity.vault.ports import remains_of
from tests.identity.realname import test_reversals
from tests.identity.realname.parts import Installation, installation
from tests.identity.realname.test_reversals import (
    CIVIL,
    Register,
    claims,
    false_death,
    merged,
    post,
    said,
    state,
)
from tests.identity.realname.test_review import (
    AUSTRIAN,
    BRAZILIAN,
    GERMAN,
    Heard,
    decide,
    enrol,
    held,
)
from tests.identity.vault.parts import NOW

YEAR = 366 * 86_400


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook() -> Heard:
    return Heard()


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def place(tmp_path: Path, register: Register, hook: Heard, clock: Clock) -> Installation:
    return installation(tmp_path, register=register, hooks=[hook], now=clock)


@pytest.fixture
def http(place: Installation) -> Iterator[TestClient]:
    with test_reversals.client(place) as client:
        yield client


def carry_out(http: TestClient, case: Any) -> int:
    return int(post(http, "officer:eve", f"/review/cases/{case['id']}/carry-out", {}).status_code)


def appeal(http: TestClient, case: Any) -> int:
    path = f"{CIVIL}/cases/{case['id']}/appeal"
    return int(post(http, "issuer:civil-registry", path, {}).status_code)


def forget_remains(place: Installation, case: Any) -> None:
    kept = place.vault.find(remains_of(place.review.read(case["id"]).applicant))
    assert kept
    place.vault.forget(kept)


def two_people(place: Installation, *, elsewhere: bool = False) -> dict[str, str]:
    kept = enrol(place, GERMAN)
    decide(place, held(place, AUSTRIAN), Verdict.DISTINCT)
    both = {"kept": kept, "lost": enrol(place, AUSTRIAN)}
    return both | ({"elsewhere": enrol(place, AUSTRIAN, agency="university")} if elsewhere else {})


def double(http: TestClient, subjects: dict[str, str]) -> Any:
    body = {"subject": subjects["lost"], "other": subjects["kept"]}
    return post(http, "issuer:civil-registry", f"{CIVIL}/doubles", body)


def test_an_old_decision_does_not_revive_who_died_since(
    place: Installation, http: TestClient, clock: Clock
) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    case = false_death(http, subject).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "same") == 200
    clock.now += 2 * YEAR
    place.life.report(LifeEventKind.DECEASED, subject)

    assert carry_out(http, case) == 409

    assert state(place, subject) is BindingState.DECEASED


def test_a_decision_that_waited_does_not_take_back_a_later_report(place: Installation) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    person = place.real_names.binding(subject).person
    with pytest.raises(NotAlive):
        place.life.revive(person, decided_at=NOW - 1)
    assert state(place, subject) is BindingState.DECEASED
    place.life.revive(person, decided_at=NOW)
    assert state(place, subject) is BindingState.ACTIVE


def test_a_second_report_of_a_death_is_one_of_which_the_decision_says_nothing(
    place: Installation, http: TestClient, register: Register, clock: Clock
) -> None:
    subject, elsewhere = enrol(place, GERMAN), enrol(place, GERMAN, agency="university")
    place.life.report(LifeEventKind.DECEASED, subject)
    case = false_death(http, subject).json()
    register.dead.add(date(1990, 1, 1))
    assert [said(place, http, officer, case, "same") for officer in ("ada", "bob")] == [200, 409]
    register.dead.clear()
    clock.now += 1
    place.life.report(LifeEventKind.DECEASED, elsewhere)

    assert carry_out(http, case) == 409

    assert state(place, subject) is state(place, elsewhere) is BindingState.DECEASED
    asked = false_death(http, subject).json()
    for officer in ("eve", "kim"):
        assert said(place, http, officer, asked, "same") == 200
    assert state(place, subject) is state(place, elsewhere) is BindingState.ACTIVE
    place.life.revive(place.real_names.binding(subject).person, decided_at=NOW)  # nothing is left


def test_who_enrols_anew_while_she_is_dead_comes_back_as_she_was_elsewhere(
    place: Installation, clock: Clock
) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.INCAPACITATED, subject)
    place.life.report(LifeEventKind.DECEASED, subject)
    person = place.real_names.binding(subject).person
    clock.now += YEAR
    with pytest.raises(NotAlive):
        enrol(place, GERMAN, agency="university")
    # The term counts from the report, not from whoever tries to enrol her.
    assert place.bindings.deceased_before(NOW + 1, now=clock.now, limit=9) == [person]

    place.life.revive(person, decided_at=NOW)

    states = {found.state for found in place.bindings.of_person(person)}
    assert states == {BindingState.INCAPACITATED}


def test_a_death_that_stands_again_ends_what_was_issued_to_subjects_merged_meanwhile(
    place: Installation, http: TestClient, hook: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = two_people(place, elsewhere=True)
    place.life.report(LifeEventKind.DECEASED, subjects["lost"])
    case = false_death(http, subjects["lost"]).json()
    for officer in ("ada", "bob"):
        said(place, http, officer, case, "same")
    half_merged(place, http, subjects, monkeypatch)  # before it told that `lost` ended
    assert appeal(http, case) == 200
    told = len(hook.events)

    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    heard = {event.subject for event in hook.events[told:]}
    assert heard == set(subjects.values())
    assert state(place, subjects["kept"]) is BindingState.DECEASED


@pytest.mark.parametrize("how", ["appeal", "report"])
def test_a_death_reaches_who_is_merged_in_that_moment(
    place: Installation, hook: Heard, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    subjects = two_people(place, elsewhere=True)
    kept, lost = (place.real_names.binding(subjects[name]).person for name in ("kept", "lost"))
    recorded = place.bindings.set_state

    def late(person: str, state: BindingState, *, now: int) -> None:
        monkeypatch.undo()
        place.life.merge(lost, into=kept)
        recorded(person, state, now=now)

    monkeypatch.setattr(place.bindings, "set_state", late)
    if how == "appeal":
        place.life.restore_death(lost)
    else:
        place.life.report(LifeEventKind.DECEASED, subjects["lost"])

    assert state(place, subjects["kept"]) is state(place, subjects["elsewhere"])
    assert state(place, subjects["kept"]) is BindingState.DECEASED
    dead = {event.subject for event in hook.events if event.kind is LifeEventKind.DECEASED}
    assert dead >= {subjects["kept"], subjects["elsewhere"]}


def test_on_appeal_the_death_stands_again(
    place: Installation, http: TestClient, hook: Heard
) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    case = false_death(http, subject).json()
    for officer in ("ada", "bob"):
        said(place, http, officer, case, "same")
    assert appeal(http, case) == 200
    told = len(hook.events)
    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    assert state(place, subject) is BindingState.DECEASED
    assert [event.kind for event in hook.events[told:]] == [LifeEventKind.DECEASED]


def test_who_is_reported_dead_is_merged_with_nobody(place: Installation, http: TestClient) -> None:
    subjects = two_people(place)
    case = double(http, subjects).json()
    assert said(place, http, "ada", case, "same") == 200
    place.life.report(LifeEventKind.DECEASED, subjects["lost"])

    assert said(place, http, "bob", case, "same") == 409

    assert state(place, subjects["kept"]) is BindingState.ACTIVE
    people = {place.real_names.binding(subject).person for subject in subjects.values()}
    assert len(people) == 2
    assert place.review.read(case["id"]).carried_out_at == 0


def test_a_double_of_somebody_dead_is_no_case(place: Installation, http: TestClient) -> None:
    subjects = two_people(place)
    place.life.report(LifeEventKind.DECEASED, subjects["kept"])
    assert double(http, subjects).status_code == 409
    assert place.review.waiting() == []
    with pytest.raises(OneIsDead):
        place.life.merge(
            place.real_names.binding(subjects["lost"]).person,
            into=place.real_names.binding(subjects["kept"]).person,
        )


def test_a_death_after_half_a_merger_does_not_stop_the_other_half(
    place: Installation, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = two_people(place, elsewhere=True)
    case = half_merged(place, http, subjects, monkeypatch)
    place.life.report(LifeEventKind.DECEASED, subjects["kept"])
    assert carry_out(http, case) == 200
    with pytest.raises(NotAlive):
        enrol(place, AUSTRIAN)


def half_merged(
    place: Installation,
    http: TestClient,
    subjects: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    def down(_ref: str, *, into: str) -> None:
        raise OSError(f"down before {into[:3]}")

    case = double(http, subjects).json()
    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "merge", down)
        assert said(place, http, "ada", case, "same") == 200
        assert said(place, http, "bob", case, "same") == 500
    return case


def test_half_a_merger_is_taken_apart_too(
    place: Installation, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = two_people(place, elsewhere=True)
    case = half_merged(place, http, subjects, monkeypatch)
    kept = place.real_names.binding(subjects["kept"]).person
    assert place.real_names.binding(subjects["elsewhere"]).person == kept

    assert appeal(http, case) == 200
    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    people = {name: place.real_names.binding(subject).person for name, subject in subjects.items()}
    assert people["lost"] == people["elsewhere"] != people["kept"] == kept
    assert claims(place, subjects["lost"]) == {"given_name": "Anna"}


def test_without_remains_nobody_is_told_that_it_was_undone(
    place: Installation, http: TestClient
) -> None:
    subjects, case = merged(place, http)
    assert appeal(http, case) == 200
    forget_remains(place, case)  # their term ended while officers looked
    assert said(place, http, "eve", case, "distinct") == 200

    assert said(place, http, "kim", case, "distinct") == 409

    assert state(place, subjects["lost"]) is BindingState.MERGED
    assert place.review.read(case["id"]).carried_out_at == 0


def test_an_appeal_that_could_change_nothing_is_refused(
    place: Installation, http: TestClient
) -> None:
    _, case = merged(place, http)
    forget_remains(place, case)
    assert appeal(http, case) == 409
    assert place.review.read(case["id"]).state is CaseState.DECIDED


class Third:
    """Two people of whom officers found that they are two, and a third one."""

    def __init__(self, place: Installation, http: TestClient) -> None:
        self.place, self.http = place, http
        self.subjects = two_people(place)
        self.third = enrol(place, BRAZILIAN, given_name="Cleo")
        self.case = double(http, self.subjects).json()
        for officer in ("ada", "bob"):
            assert said(place, http, officer, self.case, "distinct") == 200

    def merge(self, one: str, other: str) -> None:
        refs = [self.place.real_names.binding(subject).person for subject in (one, other)]
        self.place.life.merge(refs[0], into=refs[1])

    def appeal(self) -> Any:
        path = f"{CIVIL}/cases/{self.case['id']}/appeal"
        return post(self.http, "issuer:civil-registry", path, {})


@pytest.fixture
def three(place: Installation, http: TestClient) -> Third:
    return Third(place, http)


def test_an_appeal_for_a_merger_that_cannot_be_is_refused(
    place: Installation, three: Third
) -> None:
    kept = three.subjects["kept"]

    def refused() -> str:
        answer = three.appeal()
        assert answer.status_code == 409
        assert place.review.read(three.case["id"]).state is CaseState.DECIDED
        return str(answer.json()["type"]).removeprefix("/problems/")

    place.life.report(LifeEventKind.DECEASED, kept)
    assert refused() == "one-is-dead"
    place.life.revive(place.real_names.binding(kept).person, decided_at=NOW)
    other = enrol(place, GERMAN, agency="university")
    place.life.withdraw(kept)
    assert refused() == "binding-closed"
    place.life.withdraw(other)
    assert refused() == "binding-closed"  # as while another agency knew her


@pytest.mark.parametrize(
    ("mergers", "kind"),
    [
        ([("lost", "third")], "merged-already"),
        ([("lost", "kept")], "merged-already"),
        ([("lost", "third"), ("kept", "third")], "merged-already"),
        ([("kept", "lost")], "merged-already"),
    ],
)
def test_an_appeal_about_who_was_merged_since_is_refused(
    three: Third, mergers: list[tuple[str, str]], kind: str
) -> None:
    subjects = three.subjects | {"third": three.third}
    for one, other in mergers:
        three.merge(subjects[one], subjects[other])
    answer = three.appeal()
    assert (answer.status_code, answer.json()["type"]) == (409, f"/problems/{kind}")


def test_an_appeal_reaches_who_the_other_was_merged_into(
    place: Installation, http: TestClient, three: Third
) -> None:
    elsewhere = enrol(place, AUSTRIAN, agency="university")
    three.merge(three.subjects["kept"], three.third)
    assert three.appeal().status_code == 200
    for officer in ("eve", "kim"):
        assert said(place, http, officer, three.case, "same") == 200
    assert state(place, three.subjects["lost"]) is BindingState.MERGED
    people = {place.real_names.binding(found).person for found in (three.third, elsewhere)}
    assert len(people) == 1


def test_who_was_taken_apart_can_be_merged_again_on_appeal(
    place: Installation, http: TestClient
) -> None:
    subjects, case = merged(place, http)
    appeal(http, case)
    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200
    assert enrol(place, AUSTRIAN) == subjects["lost"]
    assert appeal(http, case) == 200

    for officer in ("tom", "una"):
        assert said(place, http, officer, case, "same") == 200

    assert enrol(place, AUSTRIAN) == enrol(place, GERMAN) == subjects["kept"]
    assert state(place, subjects["lost"]) is BindingState.MERGED


@pytest.mark.parametrize(
    ("event", "before"),
    [
        (LifeEventKind.INCAPACITATED, BindingState.INCAPACITATED),
        (LifeEventKind.WITHDRAWN, BindingState.WITHDRAWN),
    ],
)
def test_a_merger_that_is_undone_leaves_a_binding_as_it_was(
    place: Installation, http: TestClient, event: LifeEventKind, before: BindingState
) -> None:
    subjects = two_people(place, elsewhere=True)
    if event is LifeEventKind.WITHDRAWN:
        place.life.withdraw(subjects["lost"])
    else:
        place.life.report(event, subjects["lost"])
    case = double(http, subjects).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "same") == 200
    assert state(place, subjects["lost"]) is BindingState.MERGED
    appeal(http, case)
    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    assert state(place, subjects["lost"]) is before


def test_what_is_reported_during_a_merger_holds_where_it_is_undone(
    place: Installation, http: TestClient
) -> None:
    subjects, case = merged(place, http)
    place.life.report(LifeEventKind.INCAPACITATED, subjects["elsewhere"])
    appeal(http, case)
    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200
    assert state(place, subjects["lost"]) is BindingState.INCAPACITATED


def test_agencies_are_not_told_by_which_reference_another_one_could_find_her(
    place: Installation, http: TestClient, register: Register
) -> None:
    subjects = two_people(place)
    opened = double(http, subjects).json()
    key = {"Authorization": "Bearer key of issuer:civil-registry"}
    read = http.get(f"{CIVIL}/cases/{opened['id']}", headers=key).json()
    for officer in ("ada", "bob"):
        said(place, http, officer, opened, "distinct")
    appealed = post(http, "issuer:civil-registry", f"{CIVIL}/cases/{opened['id']}/appeal", {})
    place.life.report(LifeEventKind.DECEASED, subjects["kept"])
    register.dead.add(date(1990, 1, 1))
    dead = false_death(http, subjects["kept"]).json()
    for answer in (opened, read, appealed.json(), dead):
        assert set(answer) == {"id", "kind", "state", "verdict", "opened_at"}

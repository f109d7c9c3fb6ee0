"""Two agencies that compare what they are told do not find whose subjects are one person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from identity.core.life_event import LifeEventKind
from identity.realname.ports import BindingState
from identity.realname.review import UnderReview, Verdict
from tests.identity.realname import test_reversals
from tests.identity.realname.parts import Installation, installation
from tests.identity.realname.test_decisions import Clock
from tests.identity.realname.test_reversals import (
    CIVIL,
    DIGESTS,
    Register,
    claims,
    false_death,
    post,
    said,
    state,
)
from tests.identity.realname.test_review import (
    AUSTRIAN,
    BRAZILIAN,
    GERMAN,
    decide,
    enrol,
)
from tests.identity.vault.parts import NOW

AGENCIES = ("civil-registry", "university")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> Installation:
    return installation(tmp_path, register=Register(), now=clock)


@pytest.fixture
def http(place: Installation) -> Iterator[TestClient]:
    with test_reversals.client(place) as found:
        yield found


def everywhere(place: Installation, document: tuple[str, str], **names: object) -> dict[str, str]:
    """A person's subject at each agency."""
    return {agency: enrol(place, document, agency=agency, **names) for agency in AGENCIES}


def read(http: TestClient, agency: str, case: Any) -> Any:
    key = {"Authorization": f"Bearer key of issuer:{agency}"}
    return http.get(f"/issuers/{agency}/cases/{case['id']}", headers=key)


def double(http: TestClient, agency: str, subject: str, other: str) -> Any:
    body = {"subject": subject, "other": other}
    return post(http, f"issuer:{agency}", f"/issuers/{agency}/doubles", body)


def report(http: TestClient, agency: str, subject: str, kind: str, **more: str) -> Any:
    body = {"subject": subject, "kind": kind, **more}
    return post(http, f"issuer:{agency}", f"/issuers/{agency}/life-events", body)


def appeal(http: TestClient, agency: str, case: Any) -> Any:
    path = f"/issuers/{agency}/cases/{case['id']}/appeal"
    return post(http, f"issuer:{agency}", path, {})


def test_the_scopes_of_both_agencies_are_here() -> None:
    assert {f"issuer:{agency}" for agency in AGENCIES} <= set(DIGESTS)


def test_a_false_death_of_one_person_is_another_case_at_each_agency(
    place: Installation, http: TestClient, clock: Clock
) -> None:
    anna = everywhere(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, anna["university"])
    first = false_death(http, anna["university"], "university").json()
    said(place, http, "ada", first, "distinct")
    clock.now += 7

    second = false_death(http, anna["civil-registry"]).json()

    assert second["id"] != first["id"]
    assert (second["state"], second["verdict"], second["opened_at"]) == ("open", None, NOW + 7)
    assert read(http, "university", second).status_code == 404
    assert read(http, "civil-registry", first).status_code == 404
    said(place, http, "bob", first, "distinct")
    assert read(http, "civil-registry", second).json() == second
    told = read(http, "university", first).json()
    said(place, http, "ada", second, "distinct")
    false_death(http, anna["civil-registry"])
    assert read(http, "university", first).json() == told
    assert (told["state"], told["opened_at"]) == ("decided", NOW)


def test_nothing_is_told_of_another_agencys_subject(place: Installation, http: TestClient) -> None:
    anna = everywhere(place, GERMAN)
    theirs = {
        "the same person": anna["university"],
        "somebody else": enrol(place, AUSTRIAN, agency="university", given_name="Bea"),
        "somebody dead": enrol(place, BRAZILIAN, agency="university", given_name="Cleo"),
        "nobody": "prs_nobody",
    }
    place.life.report(LifeEventKind.DECEASED, theirs["somebody dead"])

    answers = [
        answer
        for subject in theirs.values()
        for pair in ((anna["civil-registry"], subject), (subject, anna["civil-registry"]))
        for answer in [double(http, "civil-registry", *pair)]
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert place.review.waiting() == []


def test_a_double_that_another_agency_asked_about_shows_in_no_answer(
    place: Installation, http: TestClient, clock: Clock
) -> None:
    anna, bea, cleo = (
        everywhere(place, document, given_name=name)
        for document, name in ((GERMAN, "Anna"), (AUSTRIAN, "Bea"), (BRAZILIAN, "Cleo"))
    )
    theirs = double(http, "university", anna["university"], bea["university"]).json()
    for officer in ("ada", "bob"):
        said(place, http, officer, theirs, "distinct")
    clock.now += 7

    # Not the first one's number, nor its verdict, nor that of her something else was asked.
    for other in (bea, cleo):
        subjects = anna["civil-registry"], other["civil-registry"]
        answer = double(http, "civil-registry", *subjects)
        if other is bea:
            assert answer.status_code == 201
            ours = answer.json()
            assert ours["id"] != theirs["id"]
            assert (ours["state"], ours["verdict"], ours["opened_at"]) == ("open", None, NOW + 7)
        else:  # its own question it knows
            assert answer.json()["type"] == "/problems/another-was-asked"
    turned = double(http, "university", anna["university"], cleo["university"])
    assert turned.json()["type"] == "/problems/another-was-asked"
    assert appeal(http, "civil-registry", theirs).status_code == 404
    assert appeal(http, "university", theirs).status_code == 200
    assert read(http, "civil-registry", ours).json() == ours


def test_who_waits_at_two_agencies_has_one_question_and_a_name_of_it_at_each(
    place: Installation, http: TestClient, clock: Clock
) -> None:
    enrol(place, GERMAN)
    names = {}
    for agency in AGENCIES:
        clock.now += 1
        for _ in range(2):  # asking again gives the same name
            with pytest.raises(UnderReview) as refusal:
                enrol(place, AUSTRIAN, agency=agency)
            name = refusal.value.detail.split("case ")[1].split(".")[0]
            assert names.setdefault(agency, {"id": name}) == {"id": name}
    (case,) = place.review.waiting()

    assert names["civil-registry"] != names["university"]
    for number, agency in enumerate(AGENCIES, 1):
        told = read(http, agency, names[agency]).json()
        assert (told["id"], told["opened_at"]) == (names[agency]["id"], NOW + number)
        others = names[AGENCIES[number % 2]]
        assert read(http, agency, others).status_code == 404
        assert appeal(http, agency, others).status_code == 404
    decide(place, case, Verdict.DISTINCT)
    assert appeal(http, "university", names["university"]).status_code == 200
    word = {"verdict": "distinct", "reason": "seen"}
    by_handle = f"/review/cases/{names['university']['id']}/decision"
    assert post(http, "officer:eve", by_handle, word).status_code == 404
    decide(place, case, Verdict.SAME, "eve", "kim")
    subjects = [enrol(place, AUSTRIAN, agency=agency) for agency in AGENCIES]
    assert subjects == [enrol(place, GERMAN, agency=agency) for agency in AGENCIES]


def test_who_came_to_one_agency_says_nothing_of_who_came_to_another(
    place: Installation, http: TestClient
) -> None:
    anna = everywhere(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, anna["university"])
    impostor = false_death(http, anna["university"], "university").json()
    herself = false_death(http, anna["civil-registry"]).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, herself, "same") == 200

    for officer in ("ada", "bob"):
        assert said(place, http, officer, impostor, "distinct") == 200

    assert state(place, anna["civil-registry"]) is BindingState.ACTIVE
    appeal(http, "civil-registry", herself)
    for officer in ("eve", "kim"):
        assert said(place, http, officer, herself, "distinct") == 200
    assert state(place, anna["civil-registry"]) is BindingState.DECEASED


def test_a_case_takes_apart_only_what_it_merged(place: Installation, http: TestClient) -> None:
    anna, bea = everywhere(place, GERMAN), everywhere(place, AUSTRIAN, given_name="Bea")
    cases = {agency: double(http, agency, bea[agency], anna[agency]).json() for agency in AGENCIES}
    for officer in ("ada", "bob"):
        assert said(place, http, officer, cases["university"], "same") == 200

    for officer in ("ada", "bob"):  # of whom a merger is not undone: they merged
        assert said(place, http, officer, cases["civil-registry"], "distinct") == 200

    assert {state(place, subject) for subject in bea.values()} == {BindingState.MERGED}
    appeal(http, "university", cases["university"])
    for officer in ("eve", "kim"):
        assert said(place, http, officer, cases["university"], "distinct") == 200
    assert {state(place, subject) for subject in bea.values()} == {BindingState.ACTIVE}
    assert claims(place, bea["civil-registry"]) == {"given_name": "Bea"}


def test_what_another_case_did_is_not_appealed_against_in_this_one(
    place: Installation, http: TestClient
) -> None:
    anna, bea = everywhere(place, GERMAN), everywhere(place, AUSTRIAN, given_name="Bea")
    cases = {agency: double(http, agency, bea[agency], anna[agency]).json() for agency in AGENCIES}
    for case in cases.values():
        for officer in ("ada", "bob"):
            assert said(place, http, officer, case, "same") == 200

    refused = appeal(http, "university", cases["university"])

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-to-decide")
    assert appeal(http, "civil-registry", cases["civil-registry"]).status_code == 200
    for officer in ("eve", "kim"):
        assert said(place, http, officer, cases["civil-registry"], "distinct") == 200
    assert {state(place, subject) for subject in bea.values()} == {BindingState.ACTIVE}


def test_a_decision_that_could_not_be_carried_out_undoes_nothing_later(
    place: Installation, http: TestClient
) -> None:
    anna, bea, cleo = (
        everywhere(place, document, given_name=name)
        for document, name in ((GERMAN, "Anna"), (AUSTRIAN, "Bea"), (BRAZILIAN, "Cleo"))
    )
    case = double(http, "civil-registry", bea["civil-registry"], anna["civil-registry"]).json()
    assert said(place, http, "ada", case, "same") == 200
    people = [place.real_names.binding(found["university"]).person for found in (bea, cleo)]
    place.life.merge(people[0], into=people[1])
    assert said(place, http, "bob", case, "same") == 409
    place.review.appeal(case["id"], agency="civil-registry")

    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    assert {state(place, subject) for subject in bea.values()} == {BindingState.MERGED}


@pytest.mark.parametrize("elsewhere", ["nobody", "living", "dead"])
def test_what_became_of_somebody_who_withdrew_is_not_told(
    place: Installation, http: TestClient, elsewhere: str
) -> None:
    anna = enrol(place, GERMAN)
    other = enrol(place, AUSTRIAN, given_name="Bea")
    if elsewhere != "nobody":
        known = enrol(place, GERMAN, agency="university")
    assert report(http, "civil-registry", anna, "withdrawn").status_code == 204
    if elsewhere == "dead":
        place.life.report(LifeEventKind.DECEASED, known)

    name = {"family_name": "Wolf", "given_name": "Anna"}
    for answer in (
        report(http, "civil-registry", anna, "incapacitated"),
        report(http, "civil-registry", anna, "deceased"),
        report(http, "civil-registry", anna, "name-changed", **name),
        report(http, "civil-registry", anna, "corrected", **name, birth_date="1990-01-01"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/binding-closed")
    assert report(http, "civil-registry", anna, "withdrawn").status_code == 204
    for pair in ((anna, other), (other, anna)):
        assert double(http, "civil-registry", *pair).status_code == 201
    if elsewhere == "living":
        assert state(place, known) is BindingState.ACTIVE
    refused = post(http, "issuer:civil-registry", f"{CIVIL}/false-deaths", {"subject": anna})
    assert refused.json()["type"] == "/problems/not-reported-dead"

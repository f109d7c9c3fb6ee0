"""What was wrong is undone by two officers: a false report of death, and a merger of two people."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.core.life_event import LifeEventKind
from identity.installation.vault_process import Officers
from identity.realname.life_routes import build_router
from identity.realname.ports import BindingState, NotAlive, RegisteredPerson, RegisterQuery
from identity.realname.review import Verdict
from identity.vault.ports import remains_of
from registry import problems
from tests.identity.realname.parts import Installation, installation
from tests.identity.realname.test_review import (
    AUSTRIAN,
    GERMAN,
    OFFICER,
    Heard,
    Obliging,
    decide,
    enrol,
    held,
)

NAMES = ("ada", "bob", "eve", "kim", "tom", "una")
SCOPES = ("issuer:civil-registry", "issuer:university", *(f"officer:{name}" for name in NAMES))
DIGESTS = {scope: access_key_digest(f"key of {scope}") for scope in SCOPES}
CIVIL = "/issuers/civil-registry"


class Register(Obliging):
    """Knows everybody; whoever is in `dead` as dead."""

    def __init__(self) -> None:
        self.dead: set[date] = set()

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        if query.birth_date in self.dead:
            raise NotAlive("dead")
        return super().lookup(query)


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def hook() -> Heard:
    return Heard()


@pytest.fixture
def place(tmp_path: Path, register: Register, hook: Heard) -> Installation:
    return installation(tmp_path, register=register, hooks=[hook])


@pytest.fixture
def http(place: Installation) -> Iterator[TestClient]:
    with client(place) as found:
        yield found


def client(place: Installation) -> TestClient:
    app = FastAPI()
    app.include_router(
        build_router(
            life=place.life,
            review=place.review,
            decisions=place.decisions,
            bindings=place.bindings,
            access=DigestAccessKeys(DIGESTS),
            officer_of=Officers(NAMES, DIGESTS),
        )
    )
    problems.install(app)
    return TestClient(app, raise_server_exceptions=False)


def post(http: TestClient, who: str, path: str, body: Any) -> Any:
    return http.post(path, json=body, headers={"Authorization": f"Bearer key of {who}"})


def said(place: Installation, http: TestClient, officer: str, case: Any, verdict: str) -> int:
    target = place.review.read(case["id"]).similar[0] if verdict == "same" else ""
    return int(
        post(
            http,
            f"officer:{officer}",
            f"/review/cases/{case['id']}/decision",
            {"verdict": verdict, "target": target, "reason": "seen-in-person"},
        ).status_code
    )


def false_death(http: TestClient, subject: str, who: str = "civil-registry") -> Any:
    return post(http, f"issuer:{who}", f"/issuers/{who}/false-deaths", {"subject": subject})


def state(place: Installation, subject: str) -> BindingState:
    return place.real_names.binding(subject).state


def claims(place: Installation, subject: str) -> Any:
    return place.real_names.claims(subject, names=["given_name"], purpose="issue", actor=OFFICER)


def test_two_officers_bring_back_who_was_reported_dead_and_one_does_not(
    place: Installation, http: TestClient, hook: Heard
) -> None:
    subject = enrol(place, GERMAN)
    elsewhere = enrol(place, GERMAN, agency="university")
    place.life.report(LifeEventKind.DECEASED, subject)
    assert state(place, elsewhere) is BindingState.DECEASED
    told = len(hook.events)

    case = false_death(http, subject).json()
    assert (case["kind"], case["state"]) == ("false-death", "open")
    assert said(place, http, "ada", case, "same") == 200
    assert state(place, subject) is BindingState.DECEASED
    assert said(place, http, "ada", case, "same") == 403
    assert said(place, http, "bob", case, "same") == 200

    assert state(place, subject) is state(place, elsewhere) is BindingState.ACTIVE
    assert claims(place, subject) == {"given_name": "Anna"}
    assert enrol(place, GERMAN) == subject
    assert hook.events[told:] == []  # nothing that was revoked comes back
    decided = place.review.read(case["id"])
    assert decided.officers == ("ada", "bob")


def test_who_is_not_she_stays_dead_and_a_second_mistake_can_be_mended_too(
    place: Installation, http: TestClient
) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    case = false_death(http, subject).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "distinct") == 200
    assert state(place, subject) is BindingState.DECEASED

    again = false_death(http, subject).json()
    assert (again["id"], again["state"]) == (case["id"], "open")
    for officer in ("ada", "bob"):
        assert said(place, http, officer, again, "same") == 200
    assert state(place, subject) is BindingState.ACTIVE


def test_the_register_must_say_that_she_lives(
    place: Installation, http: TestClient, register: Register
) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.DECEASED, subject)
    register.dead.add(date(1990, 1, 1))
    case = false_death(http, subject).json()
    assert said(place, http, "ada", case, "same") == 200
    assert said(place, http, "bob", case, "same") == 409
    assert state(place, subject) is BindingState.DECEASED

    register.dead.clear()  # the register corrected its mistake
    done = post(http, "officer:ada", f"/review/cases/{case['id']}/carry-out", {})
    assert done.status_code == 200
    assert state(place, subject) is BindingState.ACTIVE


def test_she_comes_back_as_she_was(place: Installation, http: TestClient) -> None:
    subject = enrol(place, GERMAN)
    place.life.report(LifeEventKind.INCAPACITATED, subject)
    place.life.report(LifeEventKind.DECEASED, subject)
    case = false_death(http, subject).json()
    for officer in ("ada", "bob"):
        said(place, http, officer, case, "same")
    assert state(place, subject) is BindingState.INCAPACITATED


def test_only_the_agency_of_somebody_reported_dead_may_say_so(
    place: Installation, http: TestClient
) -> None:
    subject = enrol(place, GERMAN)
    assert false_death(http, subject).status_code == 409
    assert false_death(http, subject, "university").status_code == 404
    assert post(http, "officer:ada", f"{CIVIL}/false-deaths", {"subject": subject}).is_error


def merged(place: Installation, http: TestClient) -> tuple[dict[str, str], Any]:
    """Two people whom two officers took for one, and their case."""
    subjects = {"kept": enrol(place, GERMAN)}
    decide(place, held(place, AUSTRIAN), Verdict.DISTINCT)
    subjects |= {"lost": enrol(place, AUSTRIAN)}
    subjects |= {"elsewhere": enrol(place, AUSTRIAN, agency="university")}
    case = post(
        http,
        "issuer:civil-registry",
        f"{CIVIL}/doubles",
        {"subject": subjects["lost"], "other": subjects["kept"]},
    ).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "same") == 200
    assert state(place, subjects["lost"]) is BindingState.MERGED
    assert enrol(place, AUSTRIAN) == subjects["kept"]
    return subjects, case


def test_two_others_take_apart_what_two_officers_merged(
    place: Installation, http: TestClient, hook: Heard
) -> None:
    subjects, case = merged(place, http)
    lost = place.review.read(case["id"]).applicant
    told = len(hook.events)
    assert post(http, "issuer:civil-registry", f"{CIVIL}/cases/{case['id']}/appeal", {}).is_success
    assert said(place, http, "ada", case, "distinct") == 403  # she had a part in it
    assert said(place, http, "eve", case, "distinct") == 200
    assert state(place, subjects["lost"]) is BindingState.MERGED
    assert said(place, http, "kim", case, "distinct") == 200

    assert state(place, subjects["lost"]) is BindingState.ACTIVE
    assert claims(place, subjects["lost"]) == {"given_name": "Anna"}
    assert enrol(place, AUSTRIAN) == subjects["lost"]
    assert enrol(place, GERMAN) == subjects["kept"]
    assert enrol(place, AUSTRIAN, agency="university") == subjects["elsewhere"]
    people = {name: place.real_names.binding(subject).person for name, subject in subjects.items()}
    assert people["lost"] == people["elsewhere"] != people["kept"]
    assert hook.events[told:] == []  # nothing that was revoked comes back
    done = post(http, "officer:eve", f"/review/cases/{case['id']}/carry-out", {})
    assert done.status_code == 409  # done, and not done again
    assert place.vault.find(remains_of(lost)) is None


def test_a_separation_that_was_cut_short_is_carried_out_again(
    place: Installation, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects, case = merged(place, http)
    post(http, "issuer:civil-registry", f"{CIVIL}/cases/{case['id']}/appeal", {})
    said(place, http, "eve", case, "distinct")

    def down(_person: str, *, to: str, now: int) -> None:
        raise OSError(f"down before {to[:3]} at {now}")

    with monkeypatch.context() as broken:
        broken.setattr(place.bindings, "separate", down)
        assert said(place, http, "kim", case, "distinct") == 500
    assert state(place, subjects["lost"]) is BindingState.MERGED

    assert post(http, "officer:eve", f"/review/cases/{case['id']}/carry-out", {}).is_success
    assert state(place, subjects["lost"]) is BindingState.ACTIVE
    assert enrol(place, AUSTRIAN) == subjects["lost"]


def test_who_withdraws_takes_with_her_what_was_merged_into_her(
    place: Installation, http: TestClient
) -> None:
    subjects, case = merged(place, http)
    lost = place.review.read(case["id"]).applicant
    assert place.vault.find(remains_of(lost)) is not None

    place.life.withdraw(subjects["kept"])
    place.life.withdraw(subjects["elsewhere"])

    assert place.vault.find(remains_of(lost)) is None

"""Who may report, decide and appeal over HTTP, and what nobody may."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.installation.vault_process import Officers
from identity.realname.life_routes import build_router
from identity.realname.ports import NotAlive
from registry import problems
from registry.core.refusals import NotPermitted
from tests.identity.realname.parts import LIN, PEOPLE, Installation, enrolment, installation

SCOPES = ("issuer:civil-registry", "issuer:university", "officer:eve", "officer:kim")
DIGESTS = {scope: access_key_digest(f"key of {scope}") for scope in SCOPES}
CIVIL = "/issuers/civil-registry"


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return installation(tmp_path)


@pytest.fixture
def http(place: Installation) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(
        build_router(
            life=place.life,
            review=place.review,
            decisions=place.decisions,
            bindings=place.bindings,
            access=DigestAccessKeys(DIGESTS),
            officer_of=Officers(("eve", "kim", "no-key-yet"), DIGESTS),
        )
    )
    problems.install(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def post(http: TestClient, who: str, path: str, body: Any) -> int:
    key = {"Authorization": f"Bearer key of {who}"}
    return http.post(path, json=body, headers=key).status_code


def test_an_agency_reports_what_happened_to_its_own_people_only(
    place: Installation, http: TestClient
) -> None:
    subject = place.real_names.enrol(evidence=enrolment(), actor="issuer:civil-registry").subject
    event = {"subject": subject, "kind": "deceased"}

    assert post(http, "issuer:university", f"{CIVIL}/life-events", event) == 403
    assert post(http, "officer:eve", f"{CIVIL}/life-events", event) == 403
    assert post(http, "issuer:university", "/issuers/university/life-events", event) == 404
    for kind in ("merged", "keys-lost", "resurrected"):
        other = event | {"kind": kind}
        assert post(http, "issuer:civil-registry", f"{CIVIL}/life-events", other) == 422
    assert not place.real_names.binding(subject).deceased
    assert post(http, "issuer:civil-registry", f"{CIVIL}/life-events", event) == 204
    with pytest.raises(NotAlive):
        place.real_names.enrol(evidence=enrolment(LIN), actor="issuer:civil-registry")


def test_officers_decide_and_agencies_do_not(place: Installation, http: TestClient) -> None:
    subjects = [
        place.real_names.enrol(evidence=enrolment(found), actor="issuer:civil-registry").subject
        for found in (LIN, next(p for p in PEOPLE if p.alive and p is not LIN))
    ]
    double = {"subject": subjects[0], "other": subjects[1]}
    same = {"subject": subjects[0], "other": subjects[0]}
    assert post(http, "issuer:civil-registry", f"{CIVIL}/doubles", same) == 404
    assert post(http, "issuer:civil-registry", f"{CIVIL}/doubles", double) == 201
    (case,) = place.review.waiting()
    word = {"verdict": "same", "target": case.similar[0], "reason": "seen"}
    path = f"/review/cases/{case.id}/decision"

    for who in ("issuer:civil-registry", "officer:no-key-yet", "nobody"):
        assert post(http, who, path, word) == 403
        assert http.get("/review/cases", headers={"Authorization": f"Bearer key of {who}"}).is_error
    assert post(http, "officer:eve", path, word) == 200
    assert post(http, "officer:eve", path, word) == 403
    assert len({place.bindings.read(subject).person for subject in subjects}) == 2  # type: ignore[union-attr]
    assert post(http, "officer:kim", path, word) == 200
    merged = place.bindings.read(subjects[0])
    assert merged
    assert str(merged.state) == "merged"
    assert post(http, "issuer:university", f"/issuers/university/cases/{case.id}/appeal", {}) == 404
    assert post(http, "issuer:civil-registry", f"{CIVIL}/cases/{case.id}/appeal", {}) == 200
    assert post(http, "officer:eve", path, word) == 403  # she had a part in it


def test_two_officers_with_one_key_are_refused_at_the_start() -> None:
    shared = {"officer:eve": DIGESTS["officer:eve"], "officer:kim": DIGESTS["officer:eve"]}
    with pytest.raises(NotPermitted):
        Officers(("eve", "kim"), shared)

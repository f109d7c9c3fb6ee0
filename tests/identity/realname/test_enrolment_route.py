"""The agency's way in: access, form, answers, and nothing of a person in any of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.realname.routes import build_router
from registry import problems
from tests.identity.realname.parts import LIN, installation

URL = "/issuers/civil-registry/enrolments"
KEY = {"Authorization": "Bearer key-of-the-registry"}


def body(**changes: object) -> dict[str, object]:
    """A good request, with changes; None takes a member away."""
    stated: dict[str, object] = {
        "country": LIN.country,
        "number": LIN.number,
        "family_name": LIN.person.family_name,
        "given_name": LIN.person.given_name,
        "birth_date": LIN.person.birth_date.isoformat(),
        "evidence": [{"type": "document"}, {"type": "biometric-match"}],
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    app = FastAPI()
    access = DigestAccessKeys(
        {
            "issuer:civil-registry": access_key_digest("key-of-the-registry"),
            "issuer:university": access_key_digest("key-of-the-university"),
        }
    )
    app.include_router(build_router(real_names=installation(tmp_path).real_names, access=access))
    problems.install(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_an_enrolment_answers_with_subject_and_level_alone(http: TestClient):
    answer = http.post(URL, json=body(), headers=KEY)

    assert answer.status_code == 201
    assert set(answer.json()) == {"subject", "assurance_level"}
    assert answer.json()["assurance_level"] == "IAL2"
    assert http.post(URL, json=body(), headers=KEY).json() == answer.json()


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({}, URL),
        ({"Authorization": "Bearer key-of-the-university"}, URL),
        ({"Authorization": "Bearer "}, URL),
        ({"Authorization": "Basic key-of-the-registry"}, URL),
        ({"Authorization": "key-of-the-registry"}, URL),
        (KEY, "/issuers/university/enrolments"),
        (KEY, "/issuers/nobody/enrolments"),
    ],
)
def test_only_the_agency_enrols_for_itself(http: TestClient, headers: dict[str, str], url: str):
    assert http.post(url, json=body(), headers=headers).status_code == 403
    assert http.post(URL, json=body(), headers=KEY).status_code == 201


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"number": None}, 422),
        ({"number": 110000199102030125}, 422),
        ({"number": "1" * 41}, 422),
        ({"number": ""}, 422),
        ({"number": "110000199102030126"}, 400),
        ({"country": "cn"}, 422),
        ({"country": "XX"}, 400),
        ({"family_name": "x" * 151}, 422),
        ({"given_name": ["晓雨"]}, 422),
        ({"birth_date": "1991-2-3"}, 422),
        ({"birth_date": "1991-02-30"}, 400),
        ({"birth_date": "1991-02-03T00:00:00"}, 422),
        ({"birth_date": "1991-02-04"}, 409),
        ({"evidence": []}, 422),
        ({"evidence": [{"type": "document"}] * 17}, 422),
        ({"evidence": [{"type": "register-record"}]}, 422),
        ({"evidence": [{"type": "document", "photo": "…"}]}, 422),
        ({"evidence": [{"type": "document"}]}, 403),
        ({"religion": "none of our business"}, 422),
    ],
    ids=str,
)
def test_a_bad_request_is_a_problem(http: TestClient, change: dict[str, object], status: int):
    answer = http.post(URL, json=body(**change), headers=KEY)

    assert answer.status_code in (status, 400 if status == 422 else status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert http.post(URL, json=body(), headers=KEY).status_code == 201

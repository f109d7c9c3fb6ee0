"""No answer and no log line repeats what a caller sent, and every failure is a problem."""

import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from registry import problems
from registry.core.refusals import (
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refusal,
    Unavailable,
)

CANARY = "11010519491231002X"  # a published example number; any text would do


class AlreadyAnchored(Conflict):
    """A digest is anchored once."""


class Enrolment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    evidence: dict[str, int] = {}


REFUSALS: dict[str, Refusal] = {
    "malformed": Malformed("m"),
    "not-permitted": NotPermitted("p"),
    "not-found": NotFound("f"),
    "conflict": Conflict("c"),
    "unavailable": Unavailable("u"),
    "already-anchored": AlreadyAnchored("digest was anchored at height 7"),
}


def build() -> FastAPI:
    app = FastAPI()
    problems.install(app, max_body_bytes=1000)

    @app.get("/refuse/{kind}")
    def refuse(kind: str) -> None:
        raise REFUSALS[kind]

    @app.get("/anchors")
    def anchors() -> None:
        raise AlreadyAnchored("digest was anchored at height 7")

    @app.get("/kindless")
    def kindless() -> None:
        raise Refusal(CANARY)

    @app.get("/bug")
    def bug() -> None:
        raise ValueError(f"no such person: {CANARY}")

    @app.get("/http")
    def http() -> None:
        raise HTTPException(418, detail=CANARY)

    @app.post("/enrolments")
    def enrol(body: Enrolment, country: int = 0) -> int:
        return body.number + country

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(build()) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("malformed", 400),
        ("not-permitted", 403),
        ("not-found", 404),
        ("conflict", 409),
        ("already-anchored", 409),
        ("unavailable", 503),
    ],
)
def test_each_kind_of_refusal_has_its_status(client: TestClient, kind: str, status: int) -> None:
    answer = client.get(f"/refuse/{kind}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"/problems/{kind}",
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": REFUSALS[kind].detail,
    }
    assert ("retry-after" in answer.headers) == (status == 503)


def test_the_instance_is_a_path_of_ours(client: TestClient) -> None:
    assert client.get("/anchors").json()["instance"] == "/anchors"
    assert "instance" not in client.get("/refuse/conflict").json()


def test_a_mistyped_value_does_not_come_back(client: TestClient) -> None:
    bodies = [
        {"number": CANARY},
        {CANARY: 1, "number": 1},
        {"number": 1, "evidence": {CANARY: CANARY}},
        [CANARY],
        CANARY,
    ]

    for body in bodies:
        answer = client.post("/enrolments", json=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text
        assert answer.json()["errors"]
    assert client.post("/enrolments", json={"number": 1}).status_code == 200


def test_a_fault_is_located_by_names_of_ours(client: TestClient) -> None:
    errors = client.post("/enrolments", json={"evidence": {CANARY: "x"}}).json()["errors"]

    assert {"at": "/body/number", "reason": "missing"} in errors
    assert {"at": "/body/evidence/*", "reason": "int_parsing"} in errors


def test_a_parameter_or_a_broken_body_does_not_come_back(client: TestClient) -> None:
    by_query = client.post(f"/enrolments?country={CANARY}", json={"number": 1})
    by_body = client.post(
        "/enrolments",
        content=b'{"number": ' + CANARY.encode(),
        headers={"content-type": "application/json"},
    )

    for answer in (by_query, by_body):
        assert answer.status_code == 422
        assert CANARY not in answer.text


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    missing, wrong = client.get(f"/nowhere/{CANARY}"), client.delete("/anchors")

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "GET"
    for answer in (missing, wrong, client.get("/http")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text


def test_a_bug_says_nothing_about_itself(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [client.get("/bug"), client.get("/kindless")]

    for answer in answers:
        assert answer.status_code == 500
        assert answer.json() == {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
        }
    assert CANARY not in caplog.text
    assert "ValueError" in caplog.text
    assert "test_problems.py" in caplog.text


def test_long_bodies_are_refused_whether_they_say_so_or_not(client: TestClient) -> None:
    short = b'{"number": 1}'

    def stream(size: int) -> Iterator[bytes]:
        yield short
        for _ in range(size):
            yield b" " * 100

    headers = {"content-type": "application/json"}
    assert client.post("/enrolments", content=stream(5), headers=headers).status_code == 200
    for content in (short + b" " * 1000, stream(20)):
        answer = client.post("/enrolments", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


def test_documented_answers_are_problem_details() -> None:
    documented = problems.responses(404, 503)

    assert set(documented) == {404, 503}
    assert list(documented[404]["content"]) == ["application/problem+json"]

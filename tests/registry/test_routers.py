"""Routers that are joined serve what they served apart."""

from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from httpx2 import Response

from registry.problems import install, responses
from registry.routers import join_routers


def _closed() -> None:
    raise HTTPException(403)


def _routers() -> tuple[APIRouter, APIRouter]:
    first = APIRouter(prefix="/things/{name}", tags=["things"], responses=responses(404))
    second = APIRouter(prefix="/closed", dependencies=[Depends(_closed)])

    @first.get("")
    def read(name: str, size: int = 1) -> dict[str, Any]:
        return {"name": name, "size": size}

    @first.api_route("/text", methods=["GET", "HEAD"], include_in_schema=False)
    def read_text(name: str) -> str:
        return name

    @first.post("", status_code=201)
    def write(name: str) -> str:
        return name

    @second.get("")
    def closed() -> str:
        return "open"

    return first, second


def _included() -> FastAPI:
    app, outer = FastAPI(), APIRouter()
    for router in _routers():
        outer.include_router(router)
    app.include_router(outer)
    install(app)
    return app


def _joined() -> FastAPI:
    app = FastAPI(routes=join_routers(*_routers()).routes)
    install(app)
    return app


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/things/a", "/things/a/", "/things/a/text", "/things/a?size=x", "/closed", "/none"]
)
def test_a_request_is_answered_as_if_the_routers_were_included(method: str, path: str):
    included, joined = (
        TestClient(app, follow_redirects=False).request(method, path)
        for app in (_included(), _joined())
    )

    assert (joined.status_code, joined.content) == (included.status_code, included.content)
    assert _headers(joined) == _headers(included)


def _headers(answer: Response) -> dict[str, object]:
    """Of an answer; the methods of a route are a set, told in any order."""
    allowed = {method.strip() for method in answer.headers.get("allow", "").split(",")}
    return {**answer.headers, "allow": allowed}


def test_the_document_is_the_same_too():
    document = _joined().openapi()

    assert document == _included().openapi()
    assert set(document["paths"]) == {"/things/{name}", "/closed"}


def test_what_only_an_inclusion_would_obey_is_not_lost_silently():
    with pytest.raises(AssertionError):
        join_routers(APIRouter(max_body_size=1))

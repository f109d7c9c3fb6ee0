"""One table from refusals to HTTP, and problem details (RFC 9457) for everything that goes wrong.

What a caller sent never comes back in an answer or in a log line: a mistyped national ID in the
wrong field would otherwise end up in both. Hence the replacements of FastAPI's own handlers.
"""

import logging
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.refusals import (
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refusal,
    Unavailable,
)

MAX_BODY_BYTES = 1 << 20  # 1 MiB; no operation of ours takes more, batch jobs stream
RETRY_AFTER_SECONDS = 1  # what an `Unavailable` asks its caller to wait
MAX_PROBLEM_POINTERS = 16  # faults of one request that are listed; the rest say nothing new

_log = logging.getLogger("registry.problems")

STATUS: Final[Mapping[type[Refusal], int]] = {
    Malformed: 400,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
}

_PARTS_OF_A_REQUEST = ("body", "query", "path", "header", "cookie")

_PROBLEM_SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/already-anchored"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"at": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


class ProblemResponse(JSONResponse):
    """A JSON answer of type `application/problem+json`."""

    media_type = "application/problem+json"


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal's kind; 500 for one that names no kind, which is a bug."""
    return next((status for kind, status in STATUS.items() if isinstance(refusal, kind)), 500)


def problem(
    status: int,
    *,
    kind: str = "about:blank",
    title: str | None = None,
    detail: str | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> ProblemResponse:
    """An answer in problem details form; absent members are left out."""
    content: dict[str, Any] = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        **members,
    }
    return ProblemResponse(
        {name: value for name, value in content.items() if value is not None},
        status,
        headers=dict(headers or {}),
    )


def problem_of(refusal: Refusal, instance: str | None = None) -> ProblemResponse:
    """The answer to a refusal: its class gives type, title and status, its detail is sent."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]*", type(refusal).__name__)
    status = status_of(refusal)
    return problem(
        status,
        kind="/problems/" + "-".join(words).lower(),
        title=" ".join(words).capitalize(),
        detail=refusal.detail,
        instance=instance,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None,
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: document these statuses as problem details."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {ProblemResponse.media_type: {"schema": _PROBLEM_SCHEMA}},
        }
        for status in statuses
    }


def install(app: FastAPI, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
    """Make `app` answer every failure as a problem that repeats nothing of the request.

    Args:
        app: the application; install before it serves.
        max_body_bytes: longer request bodies are answered 413 without being read to the end.
    """

    def on_refusal(request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)
        if status_of(refusal) == 500:
            _log.error("refusal of no kind: %s", type(refusal).__name__)
            return problem(500)
        return problem_of(refusal, _instance(request.scope))

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        # Its detail may quote the request; the status says enough.
        return problem(error.status_code, instance=_instance(request.scope), headers=error.headers)

    def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem(
            422,
            kind="/problems/invalid-request",
            title="Invalid request",
            detail="the request does not have the documented form",
            instance=_instance(request.scope),
            errors=_places(error.errors(), published_names(app)),
        )

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_middleware(_LastResort, max_body_bytes=max_body_bytes)


def published_names(app: FastAPI) -> frozenset[str]:
    """Every member and parameter name in the app's OpenAPI document: all that may be repeated."""
    if not isinstance(known := getattr(app.state, "published_names", None), frozenset):
        known = frozenset(
            {"body", "query", "path", "header", "cookie"} | set(_names(app.openapi()))
        )
        app.state.published_names = known
    return known


def _names(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(properties := document.get("properties"), dict):
            yield from (name for name in properties if isinstance(name, str))
        if "in" in document and isinstance(name := document.get("name"), str):
            yield name
        for value in document.values():
            yield from _names(value)
    elif isinstance(document, list):
        for value in document:
            yield from _names(value)


def _places(errors: Iterable[Any], known: frozenset[str]) -> list[dict[str, str]]:
    """Where and why, with a `*` for each name that is the caller's own and not ours."""
    places = []
    for error in list(errors)[:MAX_PROBLEM_POINTERS]:
        steps = [str(s) if isinstance(s, int) or s in known else "*" for s in error["loc"]]
        places.append({"at": "/" + "/".join(steps), "reason": str(error["type"])})
    return places


def _instance(scope: Scope) -> str | None:
    """The path, when it is one of ours; never one that the caller filled in."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and "{" not in path else None


class _LastResort:
    """Bounds request bodies, and answers 500 for a bug without saying anything about it.

    The log gets the exception's class and the places in the code. Its message stays out: drivers
    put values into theirs.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared_length(scope) > self.max_body_bytes:
            await problem(413, headers={"Connection": "close"})(scope, receive, send)
            return
        received = 0
        started = False

        async def bounded_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, bounded_receive, watched_send)
        except Exception as error:  # noqa: BLE001 - the last resort
            frames = traceback.extract_tb(error.__traceback__)
            places = " < ".join(f"{f.name}:{f.lineno} {f.filename}" for f in reversed(frames[-8:]))
            _log.error("unexpected %s at %s", type(error).__name__, places)
            if started:
                raise RuntimeError("the answer broke off") from None
            await problem(500)(scope, receive, send)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0

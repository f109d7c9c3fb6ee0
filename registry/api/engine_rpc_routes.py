"""What the engine's own light client asks when a node joins from a snapshot, and nothing else.

A node's RPC has no authentication and is bound to loopback, so a member passes three questions on,
as JSON-RPC. The answers prove themselves to a light client.
"""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from registry.api.ports import EngineRpc
from registry.core.encoding import parse_json_object
from registry.core.refusals import Malformed, NotFound, Unavailable
from registry.problems import responses

METHODS = {
    "commit": ("height",),
    "validators": ("height", "page", "per_page"),
    "consensus_params": ("height",),
}
MAX_QUESTION_BYTES = 1024

_NUMBER = re.compile(r"[0-9]{1,16}")


class NoEngine(NotFound):
    """This registry is not run by a consortium: it has no engine to ask."""


class EngineUnreadable(Unavailable):
    """The member's own node does not speak JSON-RPC now."""


def build_engine_rpc_router(engine: EngineRpc | None) -> APIRouter:
    """The route `/registry/engine-rpc`.

    Args:
        engine: the member's own node; None on any other engine, where the answer is a 404.
    """
    router = APIRouter(prefix="/registry", tags=["operation"])

    @router.post(
        "/engine-rpc",
        response_class=JSONResponse,
        responses=responses(400, 404, 413, 503),
        summary="Ask the member's node what a joining node must know",
    )
    async def ask(request: Request) -> Response:
        """JSON-RPC with the methods `commit`, `validators` and `consensus_params`."""
        if engine is None:
            raise NoEngine("this registry is not run by a consortium")
        found = parse_json_object(await _question(request), max_bytes=MAX_QUESTION_BYTES)
        method, params, number = found.get("method"), found.get("params"), found.get("id")
        if (
            not isinstance(method, str)
            or method not in METHODS
            or not isinstance(params, dict)
            or type(number) is not int
        ):
            raise Malformed("the question is none that a joining node asks")
        asked = {name: _number(params[name]) for name in METHODS[method] if params.get(name)}
        try:
            answer = parse_json_object(await run_in_threadpool(engine.ask, method, asked))
        except Malformed as error:
            raise EngineUnreadable("the member's node answers with something else") from error
        # The engine's client insists on the number that it gave.
        return JSONResponse({**answer, "id": number})

    return router


async def _question(request: Request) -> bytes:
    question = bytearray()
    async for part in request.stream():
        question += part
        if len(question) > MAX_QUESTION_BYTES:
            raise HTTPException(413)
    return bytes(question)


def _number(value: object) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise Malformed("a parameter of the question is no number")
    return text

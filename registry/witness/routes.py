"""The HTTP side of a witness: C2SP tlog-witness, `POST /add-checkpoint`."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response

from registry import problems
from registry.core.merkle_log import ConsistencyNotProven
from registry.core.refusals import NotFound
from registry.core.witnessing import MAX_REQUEST_BYTES, OldSizeStale
from registry.problems import problem, responses
from registry.witness.service import Witness

SIZE_MEDIA_TYPE = "text/x.tlog.size"


class NothingWitnessed(NotFound):
    """This witness has not co-signed a head of the log yet."""


def build_router(witness: Witness) -> APIRouter:
    """The routes of a witness."""
    router = APIRouter(tags=["witness"])

    @router.post(
        "/add-checkpoint",
        response_class=PlainTextResponse,
        responses=responses(400, 403, 404, 409, 413, 422, 503),
        summary="Ask for a co-signature",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        },
    )
    async def add_checkpoint(request: Request) -> Response:
        """A line `old <size>`, a consistency proof, an empty line, and the signed head."""
        body = await request.body()
        try:
            line = await run_in_threadpool(witness.add_checkpoint, body)
        except OldSizeStale as stale:
            # The one refusal whose body the protocol fixes: from where to prove.
            return Response(f"{stale.size}\n", 409, {"Content-Type": SIZE_MEDIA_TYPE})
        except ConsistencyNotProven as refusal:
            return problem(
                422,
                kind="/problems/consistency-not-proven",
                title="Consistency not proven",
                detail=refusal.detail,
                instance="/add-checkpoint",
            )
        return PlainTextResponse(line)

    @router.get(
        "/heads/{network}",
        response_class=PlainTextResponse,
        responses=responses(404, 422, 503),
        summary="The head co-signed last",
    )
    def read_head(network: Annotated[str, Path(pattern=r"^[a-z0-9-]{1,32}$")]) -> str:
        """With the signatures of its log; compare it with what the log itself serves."""
        note = witness.last(network)
        if note is None:
            raise NothingWitnessed("no head of this log was co-signed yet")
        return note

    @router.get("/key", response_class=PlainTextResponse, summary="The witness's key")
    def read_key() -> str:
        """As trust anchors name it; pin a copy from elsewhere."""
        return witness.key.text + "\n"

    return router


def create_app(witness: Witness) -> FastAPI:
    """A witness as an application of its own."""
    app = FastAPI(
        title="Cairn witness",
        description="Co-signs heads that fit to every head it co-signed before.",
        version="1",
        docs_url=None,
        redoc_url=None,
        routes=build_router(witness).routes,
    )
    problems.install(app, max_body_bytes=MAX_REQUEST_BYTES)
    return app

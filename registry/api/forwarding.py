"""The registry's routes for an installation that is no member: it asks members, and passes on.

What comes back proves itself to whoever pinned the network's anchor, so this process need not be
believed either. Which member answered makes no difference.
"""

from typing import Annotated
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Request, Response
from starlette.exceptions import HTTPException

from registry.api.ports import SubmissionLimit
from registry.api.routes import CREATION, LIMIT_RETRY_SECONDS, MAX_SUBMISSIONS
from registry.client.transport import Answer, Transport

MAX_TRANSACTION_BYTES = 256 << 10
_PASSED_ON = ("content-type", "cache-control", "etag", "retry-after", "location")


def build_forwarding_router(
    members: Transport, *, new_dids: SubmissionLimit | None = None
) -> APIRouter:
    """Routes below `/registry` that members answer.

    Args:
        members: who is asked.
        new_dids: bounds what one network address may create; members see this process alone.
    """
    router = APIRouter(prefix="/registry", tags=["registry"])
    waiting = CapacityLimiter(MAX_SUBMISSIONS)

    @router.post("/transactions", summary="Submit a signed transaction to the members")
    async def submit(request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_TRANSACTION_BYTES:
                raise HTTPException(413)
        if new_dids is not None and body.startswith(CREATION):
            client = request.client.host if request.client else "unknown"
            if not new_dids.admit(client):
                raise HTTPException(429, headers={"Retry-After": str(LIMIT_RETRY_SECONDS)})
        content_type = request.headers.get("content-type", "application/json")[:100]
        return _passed_on(
            await to_thread.run_sync(
                members.post,
                "/registry/transactions",
                bytes(body),
                content_type,
                limiter=waiting,
            )
        )

    @router.get("/{path:path}", summary="Ask the members")
    def ask(request: Request, path: Annotated[str, Path(max_length=2048)]) -> Response:
        query = request.url.query
        asked = "/registry/" + quote(path, safe="/:@!$&'()*+,;=-._~")
        return _passed_on(members.get(f"{asked}?{query}" if query else asked))

    return router


def _passed_on(answer: Answer) -> Response:
    headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
    return Response(answer.body, status_code=answer.status, headers=headers)

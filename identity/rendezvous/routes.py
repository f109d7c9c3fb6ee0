"""Wallets wait here. Polling is long, but no database transaction is held meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from identity.rendezvous.messages import LinkMessage, WaitMessage
from identity.rendezvous.service import RendezvousService
from registry.problems import responses

MAX_POLL_SECONDS = 10  # below the time limits of proxies
_PAUSE_SECONDS = 0.5  # between looks; a person scanning does not notice
_NO_STORE = {"Cache-Control": "no-store"}

Reference = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]


def build_router(
    service: RendezvousService, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> APIRouter:
    """Routes below `/rendezvous`."""
    router = APIRouter(prefix="/rendezvous", tags=["rendezvous"])

    @router.post("", status_code=201, responses=responses(503))
    def open_wait(response: Response) -> WaitMessage:
        """Begin to wait for the request of whoever scans the code."""
        response.headers.update(_NO_STORE)
        opened = service.open()
        return WaitMessage(
            reference=opened.reference, secret=opened.secret, expires_in=opened.expires_in
        )

    @router.get(
        "/{reference}",
        response_model=LinkMessage,
        responses={204: {"description": "Nothing yet; ask again"}, **responses(403, 404)},
    )
    async def collect(
        reference: Reference,
        authorization: Annotated[str | None, Header()] = None,
        wait: Annotated[int, Query(ge=0, le=MAX_POLL_SECONDS)] = MAX_POLL_SECONDS,
    ) -> Response:
        """The link that was left, once; 204 after `wait` seconds without one."""
        secret = (authorization or "").removeprefix("Bearer ").strip()
        for look in range(int(wait / _PAUSE_SECONDS) + 1):
            if look:
                await sleep(_PAUSE_SECONDS)
            link = await run_in_threadpool(service.collect, reference, secret)
            if link:
                return JSONResponse({"link": link}, headers=_NO_STORE)
        return Response(status_code=204, headers=_NO_STORE)

    return router

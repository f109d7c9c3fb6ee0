"""HTTP for wallets: one's own record."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from identity.issuer.person_record import OwnRecordDesk
from identity.issuer.wire import Slug
from registry.problems import responses

MAX_PRESENTATION_CHARS = 64 << 10


class RecordRequest(BaseModel):
    """An SD-JWT of this agency with no disclosures, key binding for it, and a `c_nonce`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    presentation: Annotated[str, Field(min_length=1, max_length=MAX_PRESENTATION_CHARS)]


def build_record_router(desk: OwnRecordDesk, *, clock: Callable[[], datetime]) -> APIRouter:
    """Routes below `/issuers/{agency}`."""
    router = APIRouter(prefix="/issuers/{agency}", tags=["my record"])

    @router.post("/record", responses=responses(400, 403, 404, 503))
    def read_record(agency: Slug, body: RecordRequest, response: Response) -> dict[str, Any]:
        """What was issued in one's name, and every look into one's data, with its proof."""
        response.headers["Cache-Control"] = "no-store"
        return desk.read(agency, body.presentation, now=int(clock().timestamp()))

    return router

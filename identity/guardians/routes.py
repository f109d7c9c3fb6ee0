"""HTTP for people and their guardians, below the agency. Signatures open it, no access key."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Response

from identity.guardians.messages import (
    NAME,
    ApprovalRequest,
    BeginRequest,
    CompleteAnswer,
    CompleteRequest,
    OrderAnswer,
    OrderRequest,
    RecoveryView,
    RulesAnswer,
)
from identity.guardians.service import GuardianDesk
from registry.problems import responses

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Recovery = Annotated[str, Path(pattern=NAME)]
_NO_STORE = "no-store"


def build_router(desk: GuardianDesk, *, now: Callable[[], int]) -> APIRouter:
    """Routes below `/issuers/{agency}`; `now` in unix seconds."""
    router = APIRouter(prefix="/issuers/{agency}", tags=["guardians"])

    @router.get("/guardians", responses=responses(404))
    def rules(agency: Slug) -> RulesAnswer:
        """What can be arranged here: how many guardians, and for how long they wait."""
        return RulesAnswer(**desk.rules(agency))

    @router.post("/guardians", responses=responses(400, 403, 404, 409, 503))
    def order(agency: Slug, body: OrderRequest, response: Response) -> OrderAnswer:
        """Set, replace or withdraw one's guardians, or stop a recovery: one signed order."""
        response.headers["Cache-Control"] = _NO_STORE
        return OrderAnswer(arrangement=desk.order(agency, body.credential, body.order, now=now()))

    @router.post(
        "/guardians/recoveries", status_code=201, responses=responses(400, 403, 404, 409, 503)
    )
    def begin(agency: Slug, body: BeginRequest, response: Response) -> RecoveryView:
        """Begin a recovery for a new wallet's key; guardians are then asked to approve it."""
        response.headers["Cache-Control"] = _NO_STORE
        return RecoveryView.of(desk.begin(agency, body.arrangement, body.key_proof, now=now()))

    @router.get("/guardians/recoveries/{recovery}", responses=responses(404, 503))
    def read(agency: Slug, recovery: Recovery, response: Response) -> RecoveryView:
        """How far a recovery is."""
        response.headers["Cache-Control"] = _NO_STORE
        return RecoveryView.of(desk.read(agency, recovery, now=now()))

    @router.post(
        "/guardians/recoveries/{recovery}/approvals", responses=responses(400, 403, 404, 409, 503)
    )
    def approve(
        agency: Slug, recovery: Recovery, body: ApprovalRequest, response: Response
    ) -> RecoveryView:
        """Add a guardian's approval; with enough of them the wait begins."""
        response.headers["Cache-Control"] = _NO_STORE
        return RecoveryView.of(desk.approve(agency, recovery, body.approval, now=now()))

    @router.post(
        "/guardians/recoveries/{recovery}/completion", responses=responses(400, 403, 404, 409, 503)
    )
    def complete(
        agency: Slug, recovery: Recovery, body: CompleteRequest, response: Response
    ) -> CompleteAnswer:
        """After the wait: all she held ends everywhere, and is offered to the new wallet."""
        response.headers["Cache-Control"] = _NO_STORE
        return CompleteAnswer.of(desk.complete(agency, recovery, body.key_proof, now=now()))

    return router

"""HTTP for institutions that open an identity together: the gate."""

from fastapi import APIRouter, Response

from identity.core.opening.sealed_identity import parse_sealed_identity
from identity.opening.messages import ReleaseAnswer, ReleaseRequest
from identity.opening.service import OpeningDesk
from registry.core.encoding import base64url_decode, base64url_encode
from registry.problems import responses


def build_router(desk: OpeningDesk) -> APIRouter:
    """Routes under `{base}/opening`."""
    router = APIRouter(prefix="/opening", tags=["opening"])

    @router.post("/releases", responses=responses(400, 403, 404, 503))
    def release(body: ReleaseRequest, response: Response) -> ReleaseAnswer:
        """Release the gate for an order on the ledger, after the person's notice is kept.

        Nobody is asked for a key: the proof is the order, and the answer opens nothing by itself.
        """
        response.headers["Cache-Control"] = "no-store"
        sealed = parse_sealed_identity(body.sealed)
        secret = desk.release(sealed, salt=base64url_decode(body.salt), number=body.order)
        return ReleaseAnswer(gate=base64url_encode(secret))

    return router

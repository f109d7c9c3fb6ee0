"""The root certificate of this installation, for whoever has to trust our `x5c`."""

from fastapi import APIRouter
from fastapi.responses import Response

ROOT_PATH = "/.well-known/cairn-root.pem"


def build_router(pem: bytes) -> APIRouter:
    """One address that does not change."""
    router = APIRouter(tags=["certificates"])

    @router.get(
        ROOT_PATH,
        response_class=Response,
        responses={200: {"content": {"application/x-pem-file": {}}}},
    )
    def read_root() -> Response:
        """The root that all certificates of this installation lead to, as PEM."""
        return Response(
            pem,
            media_type="application/x-pem-file",
            headers={
                "Cache-Control": "public, max-age=3600",
                "Content-Disposition": 'attachment; filename="cairn-root.pem"',
            },
        )

    return router

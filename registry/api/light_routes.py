"""What a light client asks a member of a consortium, beside heads."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from registry.api.ports import LightBlocks
from registry.core.fields import MAX_INTEGER
from registry.core.refusals import NotFound
from registry.problems import responses

MEDIA_TYPE = "application/x-protobuf"


class NoLightBlocks(NotFound):
    """This registry is not run by a consortium: its heads are signed by keys."""


class LightBlockResponse(Response):
    """The bytes of a `tendermint.types.LightBlock`."""

    media_type = MEDIA_TYPE


def build_light_router(light_blocks: LightBlocks | None) -> APIRouter:
    """Routes below `/registry/light-blocks`.

    Args:
        light_blocks: of the consortium's engine; None on any other, where each answer is a 404.
    """
    router = APIRouter(prefix="/registry/light-blocks", tags=["log"])
    documented = {
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
        **responses(404, 422, 503),
    }

    @router.get(
        "/latest",
        response_class=LightBlockResponse,
        responses=documented,
        summary="The newest light block",
    )
    def read_latest() -> Response:
        """Header, commit and validators of the newest block of the engine (`docs/proofs.md`)."""
        return _answer(light_blocks, None)

    @router.get(
        "/{height}",
        response_class=LightBlockResponse,
        responses=documented,
        summary="The light block of an engine height",
    )
    def read_light_block(
        height: Annotated[
            int, Path(ge=1, le=MAX_INTEGER, description="Height of the engine, not of the ledger")
        ],
    ) -> Response:
        """What a client needs in between, when validators have changed since it last looked."""
        return _answer(light_blocks, height)

    return router


def _answer(light_blocks: LightBlocks | None, height: int | None) -> Response:
    if light_blocks is None:
        raise NoLightBlocks("this registry is not run by a consortium")
    return LightBlockResponse(light_blocks.light_block(height))

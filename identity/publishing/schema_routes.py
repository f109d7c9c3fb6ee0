"""Serves credential types at stable addresses, to everybody and to every origin."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from identity.core.credential_types import Catalogue
from registry.core.encoding import JsonObject, canonical_json
from registry.problems import responses

# A version never changes once published, so caches may keep it for a day.
_HEADERS = {"Cache-Control": "public, max-age=86400", "Access-Control-Allow-Origin": "*"}

Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Version = Annotated[str, Path(pattern=r"^[1-9][0-9]{0,5}$")]


def build_router(catalogue: Catalogue) -> APIRouter:
    """Routes under `/schemas`."""
    router = APIRouter(prefix="/schemas", tags=["credential types"])

    @router.get("")
    def list_types() -> Response:
        """All credential types, with their names and addresses."""
        listed = [
            {
                "name": kind.name,
                "version": kind.version,
                "vct": kind.vct,
                "type": kind.vc_type,
                "schema": kind.schema_url,
                "context": kind.context_url,
                "title": kind.display["name"],
                "minimum_disclosure": list(kind.minimum_disclosure),
            }
            for kind in catalogue
        ]
        return _json({"types": listed})

    @router.get("/{name}/{version}", responses=responses(404))
    def read_type_metadata(name: Name, version: Version) -> Response:
        """SD-JWT VC type metadata; this address is the `vct`."""
        return _json(catalogue.by_name(name, version).type_metadata)

    @router.get("/{name}/{version}/schema.json", responses=responses(404))
    def read_schema(name: Name, version: Version) -> Response:
        """JSON Schema (2020-12) of the credential."""
        return _json(catalogue.by_name(name, version).schema, "application/schema+json")

    @router.get("/{name}/{version}/context.jsonld", responses=responses(404))
    def read_context(name: Name, version: Version) -> Response:
        """JSON-LD context of the credential."""
        return _json(catalogue.by_name(name, version).context, "application/ld+json")

    @router.get("/{name}/{version}/display.json", responses=responses(404))
    def read_display(name: Name, version: Version) -> Response:
        """Names, colours, labels and minimum disclosure, by language."""
        return _json(catalogue.by_name(name, version).display)

    return router


def _json(document: JsonObject, media_type: str = "application/json") -> Response:
    return Response(canonical_json(document), media_type=media_type, headers=_HEADERS)

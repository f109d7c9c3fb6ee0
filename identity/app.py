"""Makes the application that one process serves: routers, pages, and what surrounds them."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from identity.config import Settings
from identity.core.credential_types import Catalogue
from identity.issuer.routes import CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS
from identity.publishing.page_routes import mount_pages
from identity.publishing.schema_routes import build_router as build_schema_router
from identity.web import HeadMiddleware, install_edge
from registry import problems
from registry.routers import join_routers


class Application(FastAPI):
    """Its document also names the answers of whatever stands before each route."""

    def openapi(self) -> dict[str, Any]:
        """Made when it is first asked for: this takes every route apart once more."""
        if self.openapi_schema is None:
            described = FastAPI(
                title=self.title,
                description=self.description,
                version=self.version,
                responses=problems.responses(413, 422, 429, 503),
            )
            described.include_router(APIRouter(routes=self.routes))
            self.openapi_schema = described.openapi()
        return self.openapi_schema


def create_app(
    settings: Settings, *, catalogue: Catalogue, routers: Sequence[APIRouter]
) -> FastAPI:
    """Everything under one port.

    Args:
        settings: which services, limits, and whether the public base is https.
        catalogue: credential types to publish.
        routers: of the services that this process serves.
    """
    app = Application(
        title="Cairn",
        description="Digital identity and credential registry on a permissioned chain.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # Starlette would redirect to whatever the Host header says
        routes=join_routers(*routers, build_schema_router(catalogue)).routes,
    )
    problems.install(app, max_body_bytes=settings.server.max_body_bytes)
    app.add_middleware(HeadMiddleware)
    # Browser wallets of any origin call us; access is by bearer keys and proofs, never by cookies.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=list(CORS_ALLOW_HEADERS),
        expose_headers=list(CORS_EXPOSE_HEADERS),
        max_age=600,
    )
    install_edge(
        app,
        requests_per_minute=settings.server.requests_per_minute,
        https=settings.server.public_base_url.startswith("https:"),
    )
    if "wallet" in settings.server.services:
        mount_pages(app)
    return app

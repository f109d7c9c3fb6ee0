"""Serves the built pages: the citizen's wallet and the relying party's scanner."""

from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

_log = structlog.get_logger()


class PageFiles(StaticFiles):
    """Static files whose hashed assets are kept for a year, and everything else asked for anew."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file, with its cache rule."""
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):  # Starlette believes the Host header
            response = RedirectResponse(urlsplit(response.headers["Location"]).path)
        forever = "/assets/" in f"/{path}"
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if forever else "no-cache"
        )
        return response


def mount_pages(app: FastAPI) -> bool:
    """Serve what `make pages` built; False, with a line in the log, when it was not built."""
    built = Path(str(files("wallet_app"))) / "dist"
    if not built.is_dir():
        _log.warning("pages are not built", service="wallet")
        return False
    for page in sorted(folder.name for folder in built.iterdir() if folder.is_dir()):
        _go_to(app, f"/{page}")
        app.mount(f"/{page}", PageFiles(directory=built / page, html=True), name=page)

    @app.get("/", include_in_schema=False)
    def go_to_wallet() -> RedirectResponse:
        """The wallet is what most visitors look for."""
        return RedirectResponse("/wallet/")

    return True


def _go_to(app: FastAPI, page: str) -> None:
    """The address of a page without its slash leads to the page, on whatever host it was asked."""

    @app.get(page, include_in_schema=False)
    def go_to_page() -> RedirectResponse:
        return RedirectResponse(f"{page}/")

"""A plain page that lists an app's operations. It loads nothing: no script, no font, no CDN."""

from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from registry.core.encoding import JsonObject

_METHODS = ("get", "post", "put", "patch", "delete")


def install_docs(app: FastAPI, *, path: str = "/docs") -> None:
    """Serve the page at `path`; the app is made with `docs_url=None, redoc_url=None`."""

    @app.get(path, include_in_schema=False, response_class=HTMLResponse)
    def docs() -> str:
        return docs_page(app.openapi(), openapi_url=app.openapi_url or "")


def docs_page(document: JsonObject, *, openapi_url: str) -> str:
    """HTML of the operations of an OpenAPI document, grouped by tag."""
    info = document.get("info", {})
    groups: dict[str, list[str]] = {}
    for path, operations in document.get("paths", {}).items():
        for method in _METHODS:
            if operation := operations.get(method):
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(method, path, operation))
    sections = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(parts)}</section>"
        for tag, parts in groups.items()
    )
    title = escape(str(info.get("title", "API")))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title></head><body><main><h1>{title}</h1>"
        f"<p>{escape(str(info.get('description', '')))}</p>"
        f'<p>For software: <a href="{escape(openapi_url)}">OpenAPI document</a>. Errors are '
        "problem details (RFC 9457) unless a protocol has its own form.</p>"
        f"{sections}</main></body></html>"
    )


def _operation(method: str, path: str, operation: JsonObject) -> str:
    rows = "".join(
        f"<li><code>{escape(str(p.get('name')))}</code> in {escape(str(p.get('in')))}"
        f"{', required' if p.get('required') else ''}"
        f"{': ' + escape(str(p['description'])) if p.get('description') else ''}</li>"
        for p in operation.get("parameters", ())
    )
    answers = ", ".join(
        f"{escape(str(status))} {escape(str(answer.get('description', '')))}"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f"<article><h3><code>{method.upper()} {escape(path)}</code></h3>"
        f"<p><strong>{escape(str(operation.get('summary', '')))}</strong> "
        f"{escape(str(operation.get('description', '')))}</p>"
        f"{f'<ul>{rows}</ul>' if rows else ''}<p>Answers: {answers}</p></article>"
    )

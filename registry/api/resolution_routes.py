"""The HTTP binding of DID resolution: `GET /1.0/identifiers/{did}`; media types and error frames.

The frames are those of the specification and not problem details, whatever goes wrong.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import JSONResponse, Response

from registry.api.ports import WebDocuments
from registry.api.resolution import (
    DidNotFound,
    Redirect,
    RepresentationNotSupported,
    Resolver,
    error_of,
)
from registry.core.did_url import (
    DidNotValid,
    DidUrl,
    DidUrlNotValid,
    parse_did_url,
    parse_parameters,
)
from registry.core.encoding import JsonObject
from registry.core.refusals import Refusal
from registry.ledger.port import Ledger

_PATH = "/1.0/identifiers/"
RESOLUTION = "application/did-resolution"
DEREFERENCING = "application/did-url-dereferencing"
DOCUMENT = "application/did"
ERROR_BASE = "https://www.w3.org/ns/did#"

_DOCUMENTS = (DOCUMENT, "application/did+ld+json", "application/did+json")
_PROFILE = "https://w3id.org/did-resolution"
_WILDCARDS = ("*/*", "application/*")
_MAX_ACCEPT_RANGES = 32  # browsers send ten

_FRAME = {"schema": {"type": "object"}}
_ERROR_STATUSES = {
    400: "Not a DID, not a DID URL, or an option with an impossible value",
    404: "No such DID, version or part",
    406: "None of the accepted media types is to be had",
    410: "Deactivated; the document says nothing more",
    500: "What lies at the address of a did:web is no document of that DID",
    501: "A DID method that is not supported, or a did:web at a place that is not listed",
    503: "The ledger cannot answer now",
}


def build_resolution_router(ledger: Ledger, web: WebDocuments | None = None) -> APIRouter:
    """Routes of the resolver over `ledger`.

    Args:
        web: where documents of `did:web` come from; without it the method is not supported.
    """
    return build_resolver_router(
        read=lambda key: ledger.read(key, prove=False).value,
        height=lambda: ledger.health().height,
        web=web,
    )


def build_resolver_router(
    *,
    read: Callable[[str], bytes | None],
    height: Callable[[], int],
    web: WebDocuments | None = None,
) -> APIRouter:
    """Routes of the resolver over records from wherever they come.

    Args:
        read: the record under a state key.
        height: of the newest block.
        web: as `build_resolution_router`.
    """
    router = APIRouter(tags=["DID resolution"])
    resolver = Resolver(read=read, height=height, web=web)

    @router.head(_PATH + "{identifier:path}", include_in_schema=False)
    @router.get(
        _PATH + "{identifier:path}",
        summary="Resolve a DID, or dereference a DID URL",
        response_class=JSONResponse,
        responses={
            200: {
                "description": "The document, with or without its frame, as `Accept` asks",
                "content": dict.fromkeys((RESOLUTION, DEREFERENCING, *_DOCUMENTS), _FRAME),
            },
            303: {"description": "The DID URL names a place at a service; see `Location`"},
            **{
                status: {"description": text, "content": {RESOLUTION: _FRAME}}
                for status, text in _ERROR_STATUSES.items()
            },
        },
        openapi_extra={
            "parameters": [
                {
                    "name": name,
                    "in": "query",
                    "required": False,
                    "description": text,
                    "schema": {"type": "string"},
                }
                for name, text in (
                    ("versionId", "Number of a version of a did:cairn"),
                    ("versionTime", "UTC time, such as 2026-01-31T23:59:59Z"),
                    ("height", "Number of a block: the version that held at its end"),
                    ("publicKeyFormat", "Multikey (default), JsonWebKey or JsonWebKey2020"),
                    ("service", "Fragment of a service; answers 303 to its endpoint"),
                    ("relativeRef", "Relative reference at that service"),
                )
            ]
        },
    )
    def resolve(
        request: Request,
        identifier: Annotated[str, Path(description="DID or DID URL, plain or percent-encoded")],
        accept: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Read `did:cairn` from the ledger; `did:key` and `did:jwk` follow from their text.

        `did:web` is fetched, from listed places only.
        """
        return _answer(
            resolver,
            _as_sent(request, identifier),
            query=request.scope.get("query_string", b"").decode("latin-1"),
            accept=accept,
        )

    return router


def _answer(resolver: Resolver, identifier: str, *, query: str, accept: str | None) -> Response:
    dereferences = False
    try:
        kind = negotiate(accept)
        dereferences = kind == DEREFERENCING
        url = _read_url(identifier, dereferences=dereferences)
        options = _options(url, query)
        if kind is None and (url.path or url.fragment is not None or "service" in options):
            dereferences = True
        if dereferences:
            return _dereferenced(resolver, url, options)
        if url.path or url.fragment is not None:
            raise DidNotValid("a DID is asked for, not a DID URL")
        found = resolver.resolve(url.did, options)
    except Refusal as refusal:
        return _refused(refusal, dereferences=dereferences)
    status = 410 if found.deactivated else 200
    if kind in _DOCUMENTS:
        return _json(found.document, kind, status)
    frame = _resolution_frame({"contentType": RESOLUTION}, found.document, found.metadata)
    return _json(frame, RESOLUTION, status)


def _dereferenced(resolver: Resolver, url: DidUrl, options: Mapping[str, str]) -> Response:
    found = resolver.dereference(url, options)
    if isinstance(found, Redirect):
        return Response(status_code=303, headers={"Location": found.location})
    if found.deactivated:
        if url.fragment is not None:
            raise DidNotFound("the DID is deactivated")
        frame = _dereferencing_frame({"contentType": DOCUMENT}, found.document, found.metadata)
        return _json(frame, DEREFERENCING, 410)
    frame = _dereferencing_frame({"contentType": DOCUMENT}, found.document, {})
    return _json(frame, DEREFERENCING, 200)


def negotiate(accept: str | None) -> str | None:
    """The media type to answer with; None when the caller leaves it to us.

    Raises:
        RepresentationNotSupported: nothing that is accepted is to be had.
    """
    if accept is None or not accept.strip():
        return None
    ranges = accept.split(",")[:_MAX_ACCEPT_RANGES]
    weighed = [(_quality(item), -place, item) for place, item in enumerate(ranges)]
    for quality, _, item in sorted(weighed, reverse=True):
        media = item.split(";")[0].strip().lower()
        if quality <= 0:
            continue
        if media in (RESOLUTION, DEREFERENCING, *_DOCUMENTS):
            return media
        if media == "application/json+ld" or (
            media == "application/ld+json" and _PROFILE in item
        ):  # what earlier drafts of the binding asked with
            return RESOLUTION
        if media in _WILDCARDS:
            return None
    raise RepresentationNotSupported(f"answers are {RESOLUTION}, {DEREFERENCING} or {DOCUMENT}")


def _quality(media_range: str) -> float:
    for parameter in media_range.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0


def _as_sent(request: Request, decoded: str) -> str:
    """The identifier, decoded once, from the bytes of the path.

    The `%3A` before the port is part of a `did:web`. Who sends the DID plain, as it may be sent,
    sends it as it is; decoding would turn the port into a path.
    """
    raw = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
    _, found, identifier = raw.partition(_PATH)
    if not found:
        return decoded
    if identifier.startswith("did:web:") and "%25" not in identifier:
        identifier = re.sub("%3[Aa]", "%253A", identifier)
    return unquote(identifier)


def _read_url(identifier: str, *, dereferences: bool) -> DidUrl:
    """Read what stands in the path, decoded once.

    A client that encodes twice, because its library encodes as well, is understood too.
    """
    if identifier[:6].lower() == "did%3a":
        identifier = unquote(identifier)
    try:
        return parse_did_url(identifier)
    except DidUrlNotValid as error:
        if dereferences:
            raise
        raise DidNotValid("not a DID") from error


def _options(url: DidUrl, query: str) -> dict[str, str]:
    """Options of the DID URL and of the request; one of them in both places is a mistake."""
    asked = parse_parameters(query)
    options = dict(url.query)
    if options.keys() & {name for name, _ in asked}:
        raise DidUrlNotValid("an option stands in the DID URL and in the request")
    return {**options, **dict(asked)}


def _refused(refusal: Refusal, *, dereferences: bool) -> Response:
    error = error_of(refusal)
    metadata = {
        "error": {
            "type": ERROR_BASE + error.code,
            "title": error.code.replace("_", " ").capitalize(),
            "detail": refusal.detail,
        }
    }
    if dereferences:
        return _json(_dereferencing_frame(metadata, None, {}), DEREFERENCING, error.status)
    return _json(_resolution_frame(metadata, None, {}), RESOLUTION, error.status)


def _resolution_frame(
    metadata: JsonObject, document: JsonObject | None, document_metadata: JsonObject
) -> JsonObject:
    return {
        "didDocument": document,
        "didDocumentMetadata": document_metadata,
        "didResolutionMetadata": metadata,
    }


def _dereferencing_frame(
    metadata: JsonObject, content: JsonObject | None, content_metadata: JsonObject
) -> JsonObject:
    return {
        "dereferencingMetadata": metadata,
        "contentStream": content,
        "contentMetadata": content_metadata,
    }


def _json(content: JsonObject, media_type: str, status: int) -> Response:
    return JSONResponse(content, status, media_type=media_type, headers={"Vary": "Accept"})

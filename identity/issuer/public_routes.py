"""What anybody may read: metadata, status lists, receipts, batches. Nothing names a person."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from identity.core.parties import Agency
from identity.core.status_list import STATUS_TOKEN_TYP
from identity.core.status_list.cwt import STATUS_CWT_TYP
from identity.issuer.anchoring import NotAnchoredYet, Receipts
from identity.issuer.metadata import (
    issuer_metadata,
    jwt_vc_issuer,
    server_metadata,
    signed_metadata,
)
from identity.issuer.parts import IssuerParts
from identity.issuer.status import TTL_SECONDS, StatusPublisher
from identity.issuer.wire import Clock, Slug
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.refusals import NotFound
from registry.problems import problem_of, responses

_METADATA_CACHE = {"Cache-Control": "public, max-age=60"}
_STATUS_CACHE = f"public, max-age={TTL_SECONDS}"
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As the client has it"}}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_JSON_TYPES = ("application/vc+ld+json", "application/ld+json", "application/json")
_STATUS_JWT = f"application/{STATUS_TOKEN_TYP}"
_ISSUER = "openid-credential-issuer"
_DOCUMENTS: dict[str, Callable[[IssuerParts, Agency], JsonObject]] = {
    _ISSUER: lambda parts, agency: issuer_metadata(
        agency, parts.catalogue, parts.options(agency.slug)
    ),
    "oauth-authorization-server": lambda parts, agency: server_metadata(
        agency, parts.catalogue, parts.options(agency.slug).clients
    ),
    "jwt-vc-issuer": lambda _parts, agency: jwt_vc_issuer(agency),
}


class NoSuchDocument(NotFound):
    """No well-known document of that name."""


def build_public_router(
    *, parts: IssuerParts, publisher: StatusPublisher, receipts: Receipts, clock: Clock
) -> APIRouter:
    """Well-known documents in both forms, and what lies below `/issuers/{agency}`."""
    router = APIRouter(tags=["issuers"], responses=responses(404))

    @router.get(
        "/.well-known/{document}/issuers/{agency}",
        responses={
            200: {"content": {"application/json": {}, "application/jwt": {}}},
            **responses(404),
        },
    )
    @router.get("/issuers/{agency}/.well-known/{document}", include_in_schema=False)
    def read_metadata(
        request: Request,
        document: Annotated[str, Path(max_length=64)],
        agency: Annotated[str, Path(max_length=64)],
    ) -> Response:
        """Metadata: the path of the issuer follows the well-known name, or precedes it.

        The issuer's own is signed where `Accept` names `application/jwt` before JSON.
        """
        if document not in _DOCUMENTS:  # wallets look for several, and take a 404 for a no
            raise NoSuchDocument("no such well-known document is served here")
        issuer = parts.agency(agency)
        made = _DOCUMENTS[document](parts, issuer)
        headers = {**_METADATA_CACHE, "Vary": "Accept"}
        if document == _ISSUER and _prefers(
            request.headers.get("Accept", ""), "application/jwt", over="application/json"
        ):
            text = signed_metadata(made, issuer, now=clock())
            return Response(text, media_type="application/jwt", headers=headers)
        return JSONResponse(made, headers=headers)

    @router.head("/issuers/{agency}/status/{group}/token", include_in_schema=False)
    @router.get(
        "/issuers/{agency}/status/{group}/token",
        responses={200: {"content": {_STATUS_JWT: {}, STATUS_CWT_TYP: {}}}, **_UNCHANGED},
    )
    def read_status_token(agency: Slug, group: _Group, request: Request) -> Response:
        """The Token Status List of a group: as JWT, or as CWT for whoever rather has that."""
        documents = publisher.documents(agency, group, now=clock())
        if _prefers(request.headers.get("Accept", ""), STATUS_CWT_TYP, over=_STATUS_JWT):
            return _listed(request, documents.token_cwt, STATUS_CWT_TYP)
        return _listed(request, documents.token.encode("ascii"), _STATUS_JWT)

    @router.head("/issuers/{agency}/status/{group}/{purpose}", include_in_schema=False)
    @router.get("/issuers/{agency}/status/{group}/{purpose}", responses=_UNCHANGED)
    def read_status_credential(
        agency: Slug, group: _Group, purpose: Literal["revocation", "suspension"], request: Request
    ) -> Response:
        """One Bitstring Status List of a group, as a credential."""
        documents = publisher.documents(agency, group, now=clock())
        body = documents.revocation if purpose == "revocation" else documents.suspension
        return _listed(request, body, _preferred(request.headers.get("Accept", "")))

    @router.get("/issuers/{agency}/receipts/{digest}")
    def read_receipt(
        agency: Slug, digest: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
    ) -> Response:
        """The anchor receipt of a credential, for its holder to staple."""
        try:
            return JSONResponse(receipts.receipt(agency, digest), headers=_FOREVER)
        except NotAnchoredYet as refusal:
            answer = problem_of(refusal)
            answer.headers["Retry-After"] = "1"
            answer.headers["Cache-Control"] = "no-store"
            return answer

    @router.get("/issuers/{agency}/anchors/{batch}")
    def read_batch(
        agency: Slug, batch: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]
    ) -> Response:
        """All digests of a batch, so that nobody learns which one a verifier looks for."""
        digests = receipts.digests(agency, batch)
        return JSONResponse(
            {"batch": batch, "digests": [base64url_encode(digest) for digest in digests]},
            headers=_FOREVER,
        )

    return router


_Group = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]


def _listed(request: Request, body: bytes, media_type: str) -> Response:
    tag = f'"{base64url_encode(sha256(body).digest()[:16])}"'
    headers = {"Cache-Control": _STATUS_CACHE, "ETag": tag, "Vary": "Accept"}
    known = [item.strip().removeprefix("W/") for item in _tags(request)]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _prefers(accept: str, media_type: str, *, over: str) -> bool:
    """Whether a client gives `media_type` more weight than the usual one, or names it first."""
    weights: dict[str, tuple[float, int]] = {}
    for place, item in enumerate(accept.split(",")[:16]):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = (weight, -place)
    wanted = weights.get(media_type, (0.0, 0))
    usual = max(
        (weights[name] for name in (over, "application/*", "*/*") if name in weights),
        default=(0.0, -99),
    )
    return wanted[0] > 0 and wanted > usual


def _tags(request: Request) -> list[str]:
    return request.headers.get("If-None-Match", "").split(",")


def _preferred(accept: str) -> str:
    """The JSON type that a client names first; plain `application/vc` for who wants only that."""
    named = [item.partition(";")[0].strip().lower() for item in accept.split(",")]
    for media_type in named:
        if media_type in _JSON_TYPES:
            return media_type
    return "application/vc" if named == ["application/vc"] else "application/vc+ld+json"

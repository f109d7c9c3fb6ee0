"""OpenID4VCI 1.0 for wallets: offer, token, nonce, credential, notification.

Bodies are read by hand: a wallet's unknown members are ignored, a repeated parameter is refused,
and every refusal goes out in the protocol's own form.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from identity.core.oid4vci_errors import (
    InvalidCredentialRequest,
    InvalidDpopProof,
    InvalidNotificationRequest,
    InvalidRequest,
    protocol_error,
)
from identity.issuer.credential_endpoint import CredentialDesk
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import UnknownAgency
from identity.issuer.tokens import TokenDesk, parse_authorization
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.refusals import Malformed, Refusal, Unavailable

MAX_FORM_BYTES = 32 << 10
MAX_FORM_FIELDS = 32
MAX_CREDENTIAL_REQUEST_BYTES = 256 << 10  # ten key proofs of the largest size, and room
MAX_NOTIFICATION_BYTES = 8 << 10
NO_STORE = {"Cache-Control": "no-store"}

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Clock = Callable[[], datetime]


async def read_body(request: Request) -> bytes:
    """The body, at most as long as the largest that any endpoint here reads, and one byte."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CREDENTIAL_REQUEST_BYTES:
            break
    return bytes(body)


Body = Annotated[bytes, Depends(read_body)]


def build_wallet_router(
    *, offers: OfferDesk, tokens: TokenDesk, credentials: CredentialDesk, clock: Clock
) -> APIRouter:
    """Routes below `/issuers/{agency}` that wallets call."""
    router = APIRouter(prefix="/issuers/{agency}", tags=["OpenID4VCI"])

    @router.get("/offers/by-reference/{reference}")
    def read_offer(agency: Slug, reference: Annotated[str, Path(max_length=64)]) -> Response:
        """The Credential Offer behind a QR code."""
        return JSONResponse(
            offers.read_by_reference(agency, reference, now=clock()), headers=NO_STORE
        )

    @router.post("/token")
    def redeem_code(agency: Slug, request: Request, body: Body) -> Response:
        """Exchange a pre-authorized code for an access token (form-encoded)."""

        def work() -> Response:
            proofs = request.headers.getlist("DPoP")
            if len(proofs) > 1:
                raise InvalidDpopProof("more than one DPoP proof")
            answer = tokens.redeem(
                agency,
                _form(request, body),
                dpop=proofs[0] if proofs else None,
                now=clock(),
            )
            return JSONResponse(answer, headers={**NO_STORE, "Pragma": "no-cache"})

        return _in_protocol_form(work, malformed="invalid_request", denied="invalid_grant")

    @router.post("/nonce")
    def make_nonce(agency: Slug) -> Response:
        """A fresh `c_nonce` for key proofs."""
        return _in_protocol_form(
            lambda: JSONResponse({"c_nonce": tokens.nonce(agency, now=clock())}, headers=NO_STORE),
            malformed="invalid_request",
            denied="invalid_request",
        )

    @router.post("/credential")
    def issue_credential(agency: Slug, request: Request, body: Body) -> Response:
        """Issue credentials, one for each key proof."""

        def work() -> Response:
            now = clock()
            presented = parse_authorization(
                request.headers.get("Authorization"), request.headers.getlist("DPoP")
            )
            token = tokens.recognise(agency, presented, path="/credential", now=now)
            delivered = credentials.issue(agency, token, _json(request, body), now=now)
            return JSONResponse(
                {
                    "credentials": [{"credential": item} for item in delivered.credentials],
                    "notification_id": delivered.notification_id,
                },
                headers=NO_STORE,
            )

        return _in_protocol_form(
            work,
            malformed="invalid_credential_request",
            denied="credential_request_denied",
            scheme=_scheme(request),
            protected=True,
        )

    @router.post("/notification", status_code=204)
    def take_notification(agency: Slug, request: Request, body: Body) -> Response:
        """What the wallet did with the credentials it got."""

        def work() -> Response:
            presented = parse_authorization(
                request.headers.get("Authorization"), request.headers.getlist("DPoP")
            )
            token = tokens.recognise(agency, presented, path="/notification", now=clock())
            try:
                message = parse_json_object(body, max_bytes=MAX_NOTIFICATION_BYTES, max_depth=8)
            except Malformed as error:
                raise InvalidNotificationRequest(error.detail) from error
            credentials.notify(token, message)
            return Response(status_code=204, headers=NO_STORE)

        return _in_protocol_form(
            work,
            malformed="invalid_notification_request",
            denied="invalid_notification_request",
            scheme=_scheme(request),
            protected=True,
        )

    return router


def _in_protocol_form(
    work: Callable[[], Response],
    *,
    malformed: str,
    denied: str,
    scheme: str = "Bearer",
    protected: bool = False,
) -> Response:
    """Answer, or refuse as OAuth and OpenID4VCI want it."""
    try:
        return work()
    except UnknownAgency:
        raise  # there is no such issuer, so there is no protocol to speak
    except Refusal as error:
        otherwise = malformed if isinstance(error, Malformed | Unavailable) else denied
        rendered = protocol_error(error, otherwise=otherwise, scheme=scheme)
        status, headers = rendered.status, dict(rendered.headers)
        if protected and isinstance(error, InvalidDpopProof):  # RFC 9449 §7.1
            status = 401
            headers["WWW-Authenticate"] = 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"'
        return JSONResponse(rendered.body, status, headers=headers)


def _scheme(request: Request) -> str:
    """The scheme that a refused client used, to be named in the challenge."""
    header = request.headers.get("Authorization", "")
    return "DPoP" if header[:5].lower() == "dpop " else "Bearer"


def _form(request: Request, body: bytes) -> Mapping[str, str]:
    """Form parameters, each at most once (RFC 6749 §3.2)."""
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body must be application/x-www-form-urlencoded")
    if len(body) > MAX_FORM_BYTES:
        raise InvalidRequest("the form is too long")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise InvalidRequest("the form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest("a parameter comes twice")
    return {name: value for name, value in form.items() if value}


def _json(request: Request, body: bytes) -> JsonObject:
    if _media_type(request) != "application/json":
        raise InvalidCredentialRequest("the body must be application/json")
    try:
        return parse_json_object(body, max_bytes=MAX_CREDENTIAL_REQUEST_BYTES, max_depth=16)
    except Malformed as error:
        raise InvalidCredentialRequest(error.detail) from error


def _media_type(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

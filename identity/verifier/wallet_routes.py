"""OpenID4VP 1.0 for wallets: the request object, and the answer by `direct_post`.

Bodies are read by hand: a wallet's unknown parameters are ignored, a repeated one is refused, and
every refusal goes out in the protocol's own form, with a sentence that says what was wrong.
"""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from identity.core.presentation_request import REQUEST_MEDIA_TYPE
from identity.core.verification.verdict import Verdict
from identity.verifier.answer import MAX_ANSWER_BYTES
from identity.verifier.service import VerifierService
from registry.core.refusals import Malformed, NotFound, Refusal, Unavailable

MAX_FORM_BYTES = 2 * MAX_ANSWER_BYTES  # percent-encoding may grow it
MAX_FORM_FIELDS = 32
NO_STORE = {"Cache-Control": "no-store"}

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RequestId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]
_FORM = "application/x-www-form-urlencoded"
_OBJECT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "wallet_nonce": {"type": "string"},
                        "wallet_metadata": {"type": "string"},
                    },
                }
            }
        },
    }
}
_ANSWER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "vp_token": {"type": "string"},
                        "response": {"type": "string"},
                        "state": {"type": "string"},
                        "anchor_receipts": {"type": "string"},
                        "pseudonym": {"type": "string"},
                        "error": {"type": "string"},
                    },
                }
            }
        },
    }
}
_JAR: dict[int | str, dict[str, Any]] = {
    200: {"content": {REQUEST_MEDIA_TYPE: {"schema": {"type": "string"}}}},
    400: {"description": "Refused, in OAuth's form"},
    404: {"description": "No such request"},
}


class FormMalformed(Malformed):
    """The body is no form that we read."""


@dataclass(frozen=True, slots=True)
class FormBody:
    """A body as it came; it is parsed where a refusal can take the protocol's form."""

    media_type: str
    data: bytes


async def read_form_body(request: Request) -> FormBody:
    """The body, at most one chunk longer than anything that is read here."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            break
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return FormBody(media_type, bytes(body))


def parse_form(form: FormBody) -> dict[str, str]:
    """The fields of a form, each at most once; an empty body has none.

    Raises:
        FormMalformed: another media type, too long, too many fields, or one of them twice.
    """
    if not form.data:
        return {}
    if len(form.data) > MAX_FORM_BYTES:
        raise FormMalformed("the form is too long")
    if form.media_type != _FORM:
        raise FormMalformed(f"the body is not {_FORM}")
    try:
        pairs = parse_qsl(
            form.data.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise FormMalformed("the form cannot be read") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormMalformed("the form has a field twice")
    return fields


Form = Annotated[FormBody, Depends(read_form_body)]


def build_wallet_router(service: VerifierService) -> APIRouter:
    """Routes below `/verifiers/{party}` that wallets call, also from browsers elsewhere."""
    router = APIRouter(prefix="/verifiers/{party}", tags=["OpenID4VP"])

    @router.get("/requests/{request_id}/object", response_class=Response, responses=_JAR)
    def read_object(party: Slug, request_id: RequestId) -> Response:
        """The signed request object."""
        return _object(service, party, request_id, FormBody(_FORM, b""))

    @router.post(
        "/requests/{request_id}/object",
        response_class=Response,
        responses=_JAR,
        openapi_extra=_OBJECT_BODY,
    )
    def post_object(party: Slug, request_id: RequestId, form: Form) -> Response:
        """The signed request object; `wallet_nonce` is echoed, an empty body is fine."""
        return _object(service, party, request_id, form)

    @router.post(
        "/requests/{request_id}/response",
        responses={400: {"description": "Refused, or not verified"}, 404: {}},
        openapi_extra=_ANSWER_BODY,
    )
    def take_answer(party: Slug, request_id: RequestId, form: Form) -> JSONResponse:
        """The wallet's one answer."""
        try:
            taken = service.take_answer(party, request_id, parse_form(form))
        except Refusal as refusal:
            return _refused(refusal)
        if taken.verdict is None or taken.verdict.is_verified:
            body = {"redirect_uri": taken.redirect_uri} if taken.redirect_uri else {}
            return JSONResponse(body, headers=NO_STORE)
        return JSONResponse(
            {"error": "invalid_request", "error_description": _told(taken.verdict)},
            400,
            headers=NO_STORE,
        )

    return router


def _object(service: VerifierService, party: str, request_id: str, form: FormBody) -> Response:
    try:
        fields = parse_form(form)
        text = service.request_object(
            party,
            request_id,
            wallet_nonce=fields.get("wallet_nonce", ""),
            wallet_metadata=fields.get("wallet_metadata", ""),
        )
    except Refusal as refusal:
        return _refused(refusal)
    return Response(text, media_type=REQUEST_MEDIA_TYPE, headers=NO_STORE)


def _refused(refusal: Refusal) -> JSONResponse:
    """The protocol's form: OAuth error codes, and the sentence for people."""
    status, code, headers = 400, "invalid_request", dict(NO_STORE)
    if isinstance(refusal, NotFound):
        status = 404
    elif isinstance(refusal, Unavailable):
        status, code = 503, "temporarily_unavailable"
        headers["Retry-After"] = "1"
    body = {"error": code, "error_description": refusal.detail}
    return JSONResponse(body, status, headers=headers)


def _told(verdict: Verdict) -> str:
    reasons = ", ".join(f"{result.check}: {result.reason}" for result in verdict.failures)
    return f"not verified ({reasons})"

"""How wallets' endpoints read requests and write answers: forms, JSON, JWE, errors, DPoP nonces.

Bodies are read by hand: a wallet's unknown members are ignored, a repeated parameter is refused,
and every refusal goes out in the protocol's own form.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from identity.core import dpop
from identity.core.jwe import DecryptionKey, JweMalformed, JweNotDecrypted, decrypt
from identity.core.oid4vci_errors import (
    InvalidCredentialRequest,
    InvalidDpopProof,
    InvalidEncryptionParameters,
    InvalidRequest,
    UseDpopNonce,
    protocol_error,
)
from identity.issuer.client_desk import ATTESTATION_HEADER, POP_HEADER, ClientHeaders
from identity.issuer.parts import UnknownAgency
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.refusals import Malformed, Refusal, Unavailable
from registry.problems import responses

MAX_FORM_BYTES = 32 << 10
MAX_FORM_FIELDS = 32
MAX_CREDENTIAL_REQUEST_BYTES = 1 << 20  # ten key proofs of the largest size, and room
NO_STORE = {"Cache-Control": "no-store"}
JWT = "application/jwt"
_DPOP_ALGORITHMS = f'algs="{" ".join(dpop.ALGORITHMS)}"'

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Clock = Callable[[], datetime]
Nonce = Callable[[], str]

_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_FORM_TYPE = "application/x-www-form-urlencoded"


async def read_body(request: Request) -> bytes:
    """The body, at most as long as the largest that any endpoint here reads, and one byte."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CREDENTIAL_REQUEST_BYTES:
            break
    return bytes(body)


Body = Annotated[bytes, Depends(read_body)]


def protocol_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: errors of the protocol, and a problem where there is no issuer."""
    described: dict[int | str, dict[str, Any]] = {
        status: {
            "description": "Error of the protocol",
            "content": {"application/json": {"schema": _ERROR_SCHEMA}},
        }
        for status in (*statuses, 503)
    }
    return {**responses(404), **described}


def form_body(*names: str) -> dict[str, Any]:
    """For a route's `openapi_extra=`: a form that is read by hand."""
    properties = {name: {"type": "string"} for name in names}
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"content": {_FORM_TYPE: {"schema": schema}}}}


def json_body(**properties: Any) -> dict[str, Any]:
    """For a route's `openapi_extra=`: JSON, or the same as a JWE, that is read by hand."""
    schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema}, JWT: {"schema": {"type": "string"}}}
    return {"requestBody": {"content": content}}


def in_protocol_form(
    work: Callable[[], Response],
    *,
    malformed: str,
    denied: str,
    scheme: str = "Bearer",
    protected: bool = False,
    nonce: Nonce | None = None,
) -> Response:
    """Answer, or refuse as OAuth and OpenID4VCI want it.

    Args:
        work: gives the answer.
        malformed: error code for what has none of its own, and is the form of the request.
        denied: the same for everything else.
        scheme: authentication scheme to ask for when the token was refused.
        protected: whether an access token opens this endpoint.
        nonce: gives a DPoP nonce; asked when the proof needs one.
    """
    try:
        return work()
    except UnknownAgency:
        raise  # there is no such issuer, so there is no protocol to speak
    except Refusal as error:
        otherwise = malformed if isinstance(error, Malformed | Unavailable) else denied
        rendered = protocol_error(error, otherwise=otherwise, scheme=scheme)
        status, headers = rendered.status, dict(rendered.headers)
        if protected and isinstance(error, InvalidDpopProof | UseDpopNonce):  # RFC 9449 §7.1, §9
            status, code = 401, rendered.body["error"]
            headers["WWW-Authenticate"] = f'DPoP error="{code}", {_DPOP_ALGORITHMS}'
        elif protected and status == 401:  # RFC 9449 §7.1: what else is taken, for who has none
            other = "" if scheme == "DPoP" else f', DPoP error="invalid_token", {_DPOP_ALGORITHMS}'
            headers["WWW-Authenticate"] += other or f", {_DPOP_ALGORITHMS}"
        if nonce is not None and isinstance(error, InvalidDpopProof | UseDpopNonce):
            headers["DPoP-Nonce"] = nonce()
        return JSONResponse(rendered.body, status, headers=headers)


def proof_header(request: Request) -> str | None:
    """The one `DPoP` header, if there is one.

    Raises:
        InvalidDpopProof: there are more.
    """
    proofs = request.headers.getlist("DPoP")
    if len(proofs) > 1:
        raise InvalidDpopProof("more than one DPoP proof")
    return proofs[0] if proofs else None


def client_headers(request: Request) -> ClientHeaders:
    """What says which wallet this is, if anything does."""
    return ClientHeaders(
        request.headers.getlist(ATTESTATION_HEADER), request.headers.getlist(POP_HEADER)
    )


def with_nonce(request: Request, nonce: Nonce) -> dict[str, str]:
    """Headers of a good answer: never kept, and a fresh nonce for whoever uses DPoP."""
    if "DPoP" not in request.headers:
        return dict(NO_STORE)
    return {**NO_STORE, "DPoP-Nonce": nonce()}


def scheme_of(request: Request) -> str:
    """The scheme that a refused client used, to be named in the challenge."""
    header = request.headers.get("Authorization", "")
    return "DPoP" if header[:5].lower() == "dpop " else "Bearer"


def read_form(request: Request, body: bytes) -> Mapping[str, str]:
    """Form parameters, each at most once (RFC 6749 §3.2); empty ones count as left out.

    Raises:
        InvalidRequest: another content type, too long, not readable, or one comes twice.
    """
    if media_type(request) != _FORM_TYPE:
        raise InvalidRequest(f"the body must be {_FORM_TYPE}")
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


def read_message(request: Request, body: bytes, *, key: DecryptionKey | None) -> JsonObject:
    """A credential request: JSON, or a JWE with JSON in it (OpenID4VCI 1.0 §10).

    A member that is null counts as left out, as an empty one of a form does: many libraries of
    wallets write down what they have not set.

    Raises:
        InvalidCredentialRequest: another content type, or no JSON object.
        InvalidEncryptionParameters: it does not decrypt, or nothing was offered to encrypt to.
    """
    kind = media_type(request)
    if kind == JWT:
        if key is None:
            raise InvalidEncryptionParameters("this issuer offers no request encryption")
        try:
            body = decrypt(body.decode("ascii", errors="replace").strip(), key)
        except (JweMalformed, JweNotDecrypted) as error:
            raise InvalidEncryptionParameters(error.detail) from error
    elif kind != "application/json":
        raise InvalidCredentialRequest("the body must be application/json")
    try:
        message = parse_json_object(body, max_bytes=MAX_CREDENTIAL_REQUEST_BYTES, max_depth=16)
    except Malformed as error:
        raise InvalidCredentialRequest(error.detail) from error
    return {name: value for name, value in message.items() if value is not None}


def media_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

"""OpenID4VCI 1.0 for wallets: offer, token, nonce, credential (also deferred), notification."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from identity.core.jwe import DecryptionKey, JweMalformed, Recipient, encrypt, parse_recipient
from identity.core.oid4vci_errors import (
    InvalidEncryptionParameters,
    InvalidNotificationRequest,
)
from identity.issuer.client_desk import ClientDesk
from identity.issuer.credential_endpoint import CredentialDesk, Delivered, Postponed
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import IssuerParts
from identity.issuer.records import AccessToken
from identity.issuer.tokens import TokenDesk, parse_authorization
from identity.issuer.wire import (
    JWT,
    NO_STORE,
    Body,
    Clock,
    Slug,
    client_headers,
    form_body,
    in_protocol_form,
    json_body,
    proof_header,
    protocol_responses,
    read_form,
    read_message,
    scheme_of,
    with_nonce,
)
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.refusals import Malformed
from registry.problems import responses

MAX_NOTIFICATION_BYTES = 8 << 10
_TEXT = {"type": "string"}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Issued", "content": {"application/json": {}, JWT: {}}},
    202: {"description": "The agency has still to decide", "content": {"application/json": {}}},
    **protocol_responses(400, 401),
}


def build_wallet_router(
    *,
    parts: IssuerParts,
    offers: OfferDesk,
    tokens: TokenDesk,
    credentials: CredentialDesk,
    dpop: DpopDesk,
    clients: ClientDesk,
    clock: Clock,
) -> APIRouter:
    """Routes below `/issuers/{agency}` that wallets call."""
    router = APIRouter(prefix="/issuers/{agency}", tags=["OpenID4VCI"])

    def nonce_of(agency: str) -> Callable[[], str]:
        return lambda: dpop.nonce(agency, now=clock())

    def key_of(agency: str) -> DecryptionKey | None:
        return parts.options(agency).request_key

    def token_of(agency: str, request: Request, path: str) -> AccessToken:
        presented = parse_authorization(
            request.headers.get("Authorization"), request.headers.getlist("DPoP")
        )
        return tokens.recognise(agency, presented, path=path, now=clock())

    def answer(
        agency: str, request: Request, message: JsonObject, made: Delivered | Postponed, **more: str
    ) -> Response:
        """The credential response, encrypted where the wallet asked for that (§8.3, §10)."""
        headers = with_nonce(request, nonce_of(agency))
        status, content = _rendered(made, more)
        to = recipient_of(agency, message)
        if to is None:
            return JSONResponse(content, status, headers=headers)
        sealed = encrypt(canonical_json(content), to, random=parts.random)
        return Response(sealed, status, headers=headers, media_type=JWT)

    def recipient_of(agency: str, message: JsonObject) -> Recipient | None:
        """Whom the answer is for; checked before anything is issued."""
        if "credential_response_encryption" not in message:
            return None
        if key_of(agency) is None:
            raise InvalidEncryptionParameters("this issuer does not encrypt its answers")
        try:
            return parse_recipient(message["credential_response_encryption"])
        except JweMalformed as error:
            raise InvalidEncryptionParameters(error.detail) from error

    @router.get("/offers/by-reference/{reference}", responses=responses(404))
    def read_offer(agency: Slug, reference: Annotated[str, Path(max_length=64)]) -> Response:
        """The Credential Offer behind a QR code."""
        return JSONResponse(
            offers.read_by_reference(agency, reference, now=clock()), headers=NO_STORE
        )

    @router.post(
        "/token",
        responses=protocol_responses(400),
        openapi_extra=form_body("grant_type", "code", "pre-authorized_code", "tx_code"),
    )
    def redeem_code(agency: Slug, request: Request, body: Body) -> Response:
        """Exchange a code or a pre-authorized code for an access token (form-encoded)."""

        def work() -> Response:
            form = read_form(request, body)
            attested = clients.check(
                agency, client_headers(request), client_id=form.get("client_id"), now=clock()
            )
            made = tokens.redeem(
                agency, form, dpop=proof_header(request), attested=attested, now=clock()
            )
            headers = with_nonce(request, nonce_of(agency))
            return JSONResponse(made, headers={**headers, "Pragma": "no-cache"})

        return in_protocol_form(
            work, malformed="invalid_request", denied="invalid_grant", nonce=nonce_of(agency)
        )

    @router.post("/nonce", responses=protocol_responses(400))
    def make_nonce(agency: Slug) -> Response:
        """A fresh `c_nonce` for key proofs, and a DPoP nonce beside it (§7.2)."""

        def work() -> Response:
            made = {"c_nonce": tokens.nonce(agency, now=clock())}
            return JSONResponse(made, headers={**NO_STORE, "DPoP-Nonce": nonce_of(agency)()})

        return in_protocol_form(work, malformed="invalid_request", denied="invalid_request")

    protected = partial(
        in_protocol_form,
        malformed="invalid_credential_request",
        denied="credential_request_denied",
        protected=True,
    )

    @router.post(
        "/credential",
        responses=_ANSWERS,
        openapi_extra=json_body(credential_configuration_id=_TEXT, proofs={"type": "object"}),
    )
    def issue_credential(agency: Slug, request: Request, body: Body) -> Response:
        """Issue credentials, one for each proven key; 202 where the agency has to decide first."""

        def work() -> Response:
            token = token_of(agency, request, "/credential")
            message = read_message(request, body, key=key_of(agency))
            recipient_of(agency, message)
            made = credentials.issue(agency, token, message, now=clock())
            more = {"notification_id": made.notification_id} if isinstance(made, Delivered) else {}
            return answer(agency, request, message, made, **more)

        return protected(work, scheme=scheme_of(request), nonce=nonce_of(agency))

    @router.post(
        "/deferred-credential",
        responses=_ANSWERS,
        openapi_extra=json_body(transaction_id=_TEXT),
    )
    def fetch_credential(agency: Slug, request: Request, body: Body) -> Response:
        """Fetch what the agency had to decide on; 202 while it has not.

        There is no `notification_id`: a widely used client refuses it here (docs/specs.md).
        """

        def work() -> Response:
            token = token_of(agency, request, "/deferred-credential")
            message = read_message(request, body, key=key_of(agency))
            recipient_of(agency, message)
            made = credentials.fetch(agency, token, message, now=clock())
            return answer(agency, request, message, made)

        return protected(work, scheme=scheme_of(request), nonce=nonce_of(agency))

    @router.post(
        "/notification",
        status_code=204,
        responses=protocol_responses(400, 401),
        openapi_extra=json_body(notification_id=_TEXT, event=_TEXT),
    )
    def take_notification(agency: Slug, request: Request, body: Body) -> Response:
        """What the wallet did with the credentials it got."""

        def work() -> Response:
            token = token_of(agency, request, "/notification")
            try:
                message = parse_json_object(body, max_bytes=MAX_NOTIFICATION_BYTES, max_depth=8)
            except Malformed as error:
                raise InvalidNotificationRequest(error.detail) from error
            credentials.notify(token, message)
            return Response(status_code=204, headers=with_nonce(request, nonce_of(agency)))

        return in_protocol_form(
            work,
            malformed="invalid_notification_request",
            denied="invalid_notification_request",
            scheme=scheme_of(request),
            protected=True,
            nonce=nonce_of(agency),
        )

    return router


def _rendered(made: Delivered | Postponed, more: Mapping[str, str]) -> tuple[int, JsonObject]:
    if isinstance(made, Postponed):
        return 202, {"transaction_id": made.transaction_id, "interval": made.interval}
    return 200, {"credentials": [{"credential": item} for item in made.credentials], **more}

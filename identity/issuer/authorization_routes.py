"""Pushed authorization requests, and the page to which they lead.

Access is by nothing that a browser sends along by itself: every answer carries code and birth date.
The cookie binds a request to the browser that opened it, and the hidden field to our own page.
"""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from identity.core.authorization import REQUEST_SECONDS
from identity.core.offers import SECRET_CHARS, SecretMalformed, new_secret, secret_digest
from identity.core.oid4vci_errors import InvalidRequestUri
from identity.issuer.authorization_page import (
    choose_language,
    page_headers,
    render_gone,
    render_page,
    style_sheet,
)
from identity.issuer.authorizations import Answer, AuthorizationDesk
from identity.issuer.client_desk import ClientDesk
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.flow_records import Authorization
from identity.issuer.parts import IssuerParts
from identity.issuer.wire import (
    Body,
    Clock,
    Slug,
    client_headers,
    form_body,
    in_protocol_form,
    proof_header,
    protocol_responses,
    read_form,
    with_nonce,
)
from registry.core.encoding import base64url_encode
from registry.core.refusals import Refusal, Unavailable
from registry.problems import responses
from registry.routers import join_routers

COOKIE = "cairn-authorize"
AWAY_COOKIE = "cairn-authorize-away"  # agency and request, while the browser is elsewhere
RETURN_PATH = "/authorize/return"  # one for all agencies: it is registered with the provider
_HTML: dict[str, Any] = {"content": {"text/html": {}}}
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The page", **_HTML},
    303: {"description": "Back to the wallet"},
    400: {"description": "The request is unknown, ended, or open in another browser", **_HTML},
    **responses(404),
}
_Text = Annotated[str | None, Query(max_length=4096)]


def build_authorization_router(
    *,
    parts: IssuerParts,
    desk: AuthorizationDesk,
    dpop: DpopDesk,
    clients: ClientDesk,
    clock: Clock,
) -> APIRouter:
    """Routes below `/issuers/{agency}` of the authorization code flow."""
    router = APIRouter(prefix="/issuers/{agency}", tags=["OpenID4VCI"])
    returning = APIRouter(tags=["OpenID4VCI"])

    @router.post(
        "/par",
        status_code=201,
        responses=protocol_responses(400),
        openapi_extra=form_body(
            "response_type",
            "client_id",
            "redirect_uri",
            "code_challenge",
            "code_challenge_method",
            "scope",
            "issuer_state",
        ),
    )
    def push_request(agency: Slug, request: Request, body: Body) -> Response:
        """Push an authorization request (RFC 9126); the answer's `request_uri` opens the page."""

        def nonce() -> str:
            return dpop.nonce(agency, now=clock())

        def work() -> Response:
            form = read_form(request, body)
            attested = clients.check(
                agency, client_headers(request), client_id=form.get("client_id"), now=clock()
            )
            made = desk.push(
                agency,
                form,
                dpop=proof_header(request),
                attested=attested is not None,
                now=clock(),
            )
            return JSONResponse(made, 201, headers=with_nonce(request, nonce))

        return in_protocol_form(
            work, malformed="invalid_request", denied="invalid_request", nonce=nonce
        )

    @router.get("/authorize", responses=_PAGE, response_class=HTMLResponse)
    def show_page(
        agency: Slug,
        request: Request,
        client_id: _Text = None,
        request_uri: _Text = None,
        lang: _Text = None,
    ) -> Response:
        """The page on which the citizen identifies herself."""
        language = choose_language(lang, request.headers.get("Accept-Language", ""))
        browser = _browser(request, parts)
        try:
            found = desk.open(
                agency,
                request_uri or "",
                client_id=client_id or "",
                browser=browser,
                now=clock(),
            )
        except InvalidRequestUri:
            return _gone(agency, language)
        away = desk.elsewhere(agency)
        if away is not None:
            left: Response = RedirectResponse(away, 303, headers=page_headers(None))
            _keep(left, agency, COOKIE, browser, path=RETURN_PATH)
            _keep(left, agency, AWAY_COOKIE, f"{agency} {request_uri}", path=RETURN_PATH)
            return left
        shown = _page(agency, found, request_uri or "", browser=browser, language=language)
        _keep(shown, agency, COOKIE, browser, path=f"/issuers/{agency}/authorize")
        return shown

    @router.post(
        "/authorize",
        responses=_PAGE,
        response_class=HTMLResponse,
        openapi_extra=form_body("request_uri", "form", "code", "birth_date", "answer"),
    )
    def take_answers(agency: Slug, request: Request, body: Body) -> Response:
        """What the citizen typed: on to the wallet, or the page again with tries counted."""
        language = choose_language(None, request.headers.get("Accept-Language", ""))
        try:
            form = read_form(request, body)
            language = choose_language(form.get("lang"), request.headers.get("Accept-Language", ""))
            browser = request.cookies.get(COOKIE, "")
            token = _form_token(browser)
            if not token or not hmac.compare_digest(form.get("form", "").encode(), token.encode()):
                raise InvalidRequestUri("not from our page")
            uri = form.get("request_uri", "")
            found = desk.open(agency, uri, client_id=None, browser=browser, now=clock())
            if form.get("answer") == "cancel":
                return _back(desk.decline(agency, found, why="the citizen cancelled"), found)
            answer = desk.identify(agency, found, form, now=clock())
        except Unavailable:
            raise
        except Refusal:
            parts.agency(agency)
            return _gone(agency, language)
        if answer.redirect is None:
            return _page(agency, found, uri, browser=browser, language=language, wrong=True)
        return _back(answer, found)

    @returning.get(RETURN_PATH, responses=_PAGE, response_class=HTMLResponse)
    def take_return(request: Request) -> Response:
        """The browser comes back from where it identified the citizen."""
        language = choose_language(None, request.headers.get("Accept-Language", ""))
        agency, _, uri = request.cookies.get(AWAY_COOKIE, "").partition(" ")
        browser, now = request.cookies.get(COOKIE, ""), clock()
        parts.agency(agency)
        try:
            found = desk.open(agency, uri, client_id=None, browser=browser, now=now)
            answer = desk.identify(agency, found, dict(request.query_params), now=now)
            if answer.redirect is None:  # another try begins in the wallet
                answer = desk.decline(agency, found, why="not identified")
        except Unavailable:
            raise
        except Refusal:
            return _gone(agency, language)
        return _back(answer, found)

    def _keep(answer: Response, agency: str, name: str, value: str, *, path: str) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=REQUEST_SECONDS,
            path=path,
            secure=parts.agency(agency).issuer_url.startswith("https:"),
            httponly=True,
            samesite="lax",
        )

    @router.get("/authorize/style.css", responses=responses(404))
    def read_style(agency: Slug) -> Response:
        """The style of the page."""
        parts.agency(agency)
        return Response(
            style_sheet(), media_type="text/css", headers={"Cache-Control": "public, max-age=3600"}
        )

    def _page(
        agency: str,
        found: Authorization,
        request_uri: str,
        *,
        browser: str,
        language: str,
        wrong: bool = False,
    ) -> Response:
        issuer = parts.agency(agency)
        text = render_page(
            issuer,
            parts.issued_type(issuer, found.credential_type),
            found,
            request_uri=request_uri,
            form=_form_token(browser),
            language=language,
            wrong=wrong,
        )
        return HTMLResponse(text, headers=page_headers(found))

    def _gone(agency: str, language: str) -> Response:
        text = render_gone(parts.agency(agency), language=language)
        return HTMLResponse(text, 400, headers=page_headers(None))

    return join_routers(router, returning)


def _back(answer: Answer, found: Authorization) -> Response:
    assert answer.redirect is not None
    # 303: the browser must not send the form on to the wallet (RFC 9700 §4.12).
    headers = {**page_headers(found), "Location": answer.redirect}
    return Response(status_code=303, headers=headers)


def _browser(request: Request, parts: IssuerParts) -> str:
    known = request.cookies.get(COOKIE, "")
    return known if len(known) == SECRET_CHARS else new_secret(parts.random)


def _form_token(browser: str) -> str:
    """What only a page that we made for this browser can hold; nothing leads back to the cookie."""
    try:
        return base64url_encode(secret_digest("authorization-form", browser))
    except SecretMalformed:
        return ""

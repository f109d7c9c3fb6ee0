"""For relying parties: ask and fetch results, and the VC API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse

from identity.core.access import AccessKeys
from identity.core.vc_api_problems import parse_request, type_of
from identity.core.verification.verdict import Verdict
from identity.turns import Turns
from identity.verifier.messages import (
    AskedMessage,
    AskMessage,
    NotVerifiedMessage,
    PartyMessage,
    ResultMessage,
    VerdictMessage,
)
from identity.verifier.service import VerifierService
from identity.verifier.vc_problems import problems_of
from identity.verifier.wallet_routes import NO_STORE, RequestId, Slug, build_wallet_router
from registry.core.encoding import MAX_JSON_BYTES, JsonObject
from registry.core.refusals import Malformed, Refusal, Unavailable
from registry.problems import responses, status_of
from registry.routers import join_routers

# What a page or wallet of another origin sends; its own answers need nothing exposed.
CORS_ALLOW_HEADERS = ("Authorization", "Content-Type", "Accept")

Authorization = Annotated[str | None, Header()]
_VC_API: dict[int | str, dict[str, Any]] = {
    400: {"model": NotVerifiedMessage, "description": "Not verified, or malformed"}
}


class BodyMalformed(Malformed):
    """The body is not the JSON object that this operation reads."""


async def read_body(request: Request) -> bytes:
    """The body, at most one byte longer than anything that is read here."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            break
    return bytes(body)


Body = Annotated[bytes, Depends(read_body)]


def build_router(service: VerifierService, access: AccessKeys) -> APIRouter:
    """Everything below `/verifiers/{party}`."""
    return join_routers(
        build_wallet_router(service),
        _asking_router(service, access),
        _vc_api_router(service, access),
    )


def bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header, or None."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _asking_router(service: VerifierService, access: AccessKeys) -> APIRouter:
    router = APIRouter(prefix="/verifiers/{party}", tags=["verifier"])

    @router.get("", responses=responses(403, 404))
    def read_party(party: Slug, authorization: Authorization = None) -> PartyMessage:
        """Who this relying party is, and for which purposes it may ask. For its own page."""
        access.check(f"verifier:{party}", bearer(authorization))
        return PartyMessage.of(service.party(party))

    @router.post("/requests", status_code=201, responses=responses(400, 403, 404, 503))
    def ask(party: Slug, body: AskMessage, authorization: Authorization = None) -> AskedMessage:
        """Ask a wallet for what a registered purpose needs. With the party's access key."""
        access.check(f"verifier:{party}", bearer(authorization))
        return AskedMessage.of(service.open_request(party, body.to_ask(service.party(party))))

    @router.get(
        "/requests/{request_id}/result",
        response_model=ResultMessage,
        response_model_exclude_none=True,
        responses=responses(403, 404),
    )
    def read_result(
        party: Slug,
        request_id: RequestId,
        authorization: Authorization = None,
        response_code: Annotated[str | None, Query(max_length=64)] = None,
    ) -> JSONResponse:
        """State and verdict, for the holder of the result secret alone. Poll it.

        In the same device the verdict also needs the `response_code` that came with the browser.
        """
        result = service.result(
            party,
            request_id,
            presented_secret=bearer(authorization),
            response_code=response_code,
        )
        return JSONResponse(result, headers=NO_STORE)

    return router


def _vc_api_router(service: VerifierService, access: AccessKeys) -> APIRouter:
    router = APIRouter(prefix="/verifiers/{party}", tags=["VC API"], responses=responses(403, 404))

    def authorised(party: Slug, authorization: Authorization = None) -> str:
        access.check(f"verifier:{party}", bearer(authorization))
        return party

    party_of = Annotated[str, Depends(authorised)]
    turns = Turns()

    @router.post("/credentials/verify", response_model=VerdictMessage, responses=_VC_API)
    async def verify_credential(party: party_of, body: Body) -> JSONResponse:
        """Judge a credential by itself. 200 only when it is verified."""

        def work() -> JSONResponse:
            return _answer(
                body,
                _CREDENTIAL,
                lambda value, binding: service.verify_credential(party, value, binding=binding),
                verifier_url=service.party(party).verifier_url,
            )

        return await turns.run(work, size=len(body))

    @router.post("/presentations/verify", response_model=VerdictMessage, responses=_VC_API)
    async def verify_presentation(party: party_of, body: Body) -> JSONResponse:
        """Judge a presentation and every credential in it. 200 only when all are verified."""

        def work() -> JSONResponse:
            return _answer(
                body,
                _PRESENTATION,
                lambda value, binding: service.verify_presentation(party, value, binding=binding),
                verifier_url=service.party(party).verifier_url,
            )

        return await turns.run(work, size=len(body))

    @router.post("/credentials/derive", status_code=201, responses=_VC_API)
    async def derive_credential(party: party_of, body: Body) -> JSONResponse:
        """Derive what a holder shows from a base proof. For conformance suites only."""

        def work() -> JSONResponse:
            try:
                base, options = _read(body, "verifiableCredential")
                if not isinstance(base, dict):
                    raise BodyMalformed("verifiableCredential is no object")
                derived = service.derive(party, base, options)
            except Malformed as refusal:
                return _malformed(refusal)
            return JSONResponse({"verifiableCredential": derived}, 201, headers=NO_STORE)

        return await turns.run(work, size=len(body))

    return router


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What is verified: its member, its purpose, and the option and member of what is returned."""

    member: str
    purpose: str
    returns: str
    returned: str


_CREDENTIAL = _Kind(
    member="verifiableCredential",
    purpose="assertionMethod",
    returns="returnCredential",
    returned="credential",
)
_PRESENTATION = _Kind(
    member="verifiablePresentation",
    purpose="authentication",
    returns="returnPresentation",
    returned="verifiablePresentation",
)


def _answer(
    body: bytes,
    kind: _Kind,
    judge: Callable[[object, dict[str, str]], Verdict],
    *,
    verifier_url: str,
) -> JSONResponse:
    """200 with the verdict, or 400 with a problem for everything that stands against it."""
    try:
        value, options = _read(body, kind.member)
        if options.get("expectedProofPurpose", kind.purpose) != kind.purpose:
            raise BodyMalformed(f"proofs are verified for the purpose {kind.purpose} only")
        verdict = judge(value, _binding(options))
    except Unavailable:
        raise
    except Refusal as refusal:
        return _malformed(refusal)
    answer = verdict.to_json()
    if options.get(kind.returns) is True:
        answer = {**answer, kind.returned: value}
    if verdict.is_verified:
        return JSONResponse(answer, headers=NO_STORE)
    problems = problems_of(verdict, verifier_url=verifier_url)
    return JSONResponse({**answer, "problemDetails": problems}, 400, headers=NO_STORE)


def _read(body: bytes, member: str) -> tuple[dict[str, Any] | str, JsonObject]:
    """The document under `member` and the options; unknown options are the caller's business."""
    message = parse_request(body)
    value, options = message.get(member), message.get("options")
    if not isinstance(value, dict | str):
        raise BodyMalformed(f"{member} is missing")
    if options is not None and not isinstance(options, dict):
        raise BodyMalformed("options is not an object")
    return value, options or {}


def _malformed(refusal: Refusal) -> JSONResponse:
    problem = {
        "type": type_of(refusal),
        "title": "Malformed",
        "detail": refusal.detail,
    }
    return JSONResponse(
        {"verified": False, "problemDetails": [problem]},
        400 if isinstance(refusal, Malformed) else status_of(refusal),
    )


def _binding(options: JsonObject) -> dict[str, str]:
    """Expected audience and nonce, as far as the caller names them; other options are ignored.

    A set of one domain is that domain (Data Integrity 1.0 §4.4); several are not taken.
    """
    domain = options.get("domain")
    if isinstance(domain, list) and len(domain) == 1:
        (domain,) = domain
    named: JsonObject = {"audience": domain, "nonce": options.get("challenge")}
    for value in named.values():
        if value is not None and not isinstance(value, str):
            raise BodyMalformed("domain and challenge are texts")
    return {name: value for name, value in named.items() if value is not None}

"""What agencies and their systems call, with their access key: offers, status, VC API, records."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Response
from fastapi.responses import JSONResponse

from identity.core.access import AccessDenied, AccessKeys
from identity.core.vc_api_problems import parse_request, type_of
from identity.issuer.identification import CodeIdentification
from identity.issuer.messages import (
    STATUS_NAMES,
    DecisionRequest,
    IdentificationAnswer,
    IdentificationRequest,
    IssuanceAnswer,
    IssuancesAnswer,
    OfferAnswer,
    OfferRequest,
    OfferStateAnswer,
    RevokeSubjectRequest,
    StatusAnswer,
    StatusRequest,
    SubjectRequest,
    VcApiStatusRequest,
    WaitingAnswer,
)
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import UnknownAgency
from identity.issuer.records_desk import RecordDesk
from identity.issuer.reviews import ReviewDesk
from identity.issuer.status import StatusDesk
from identity.issuer.vc_api import VcApiDesk
from identity.issuer.wire import Body, Clock, Slug
from identity.turns import Turns
from registry.core.refusals import Malformed, NotPermitted, Refusal, Unavailable
from registry.problems import responses

MAX_CREDENTIAL_BYTES = 256 << 10
Name = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]


def build_agency_router(
    *,
    offers: OfferDesk,
    codes: CodeIdentification,
    reviews: ReviewDesk,
    statuses: StatusDesk,
    records: RecordDesk,
    vc_api: VcApiDesk,
    access: AccessKeys,
    clock: Clock,
) -> APIRouter:
    """Routes below `/issuers/{agency}` that open with the scope `issuer:<agency>`."""

    def authorised(
        agency: Slug, authorization: Annotated[str | None, Header(max_length=512)] = None
    ) -> str:
        access.check(f"issuer:{agency}", bearer(authorization))
        return agency

    agency_of = Annotated[str, Depends(authorised)]
    router = APIRouter(
        prefix="/issuers/{agency}", tags=["agencies"], responses=responses(400, 403, 404, 409)
    )

    @router.post("/offers", status_code=201)
    def make_offer(agency: agency_of, body: OfferRequest, response: Response) -> OfferAnswer:
        """Offer a credential to an enrolled person; the answer is shown once."""
        response.headers["Cache-Control"] = "no-store"
        return OfferAnswer.of(
            offers.make(
                agency,
                subject=body.subject,
                credential_type=body.credential_type,
                claims=body.claims,
                formats=body.formats,
                tx_code=body.tx_code,
                lifetime_seconds=body.expires_in,
                grants=body.grants,
                deferred=body.deferred,
                principal=body.principal,
                durable=body.durable,
                now=clock(),
            )
        )

    @router.post("/identification-codes", status_code=201, responses=responses(400, 401, 404))
    def make_identification_code(
        agency: agency_of, body: IdentificationRequest, response: Response
    ) -> IdentificationAnswer:
        """A code with which a person identifies herself on the authorization page; shown once."""
        response.headers["Cache-Control"] = "no-store"
        made = codes.issue(agency, body.subject, lifetime_seconds=body.expires_in, now=clock())
        return IdentificationAnswer(code=made.code, expires_in=made.expires_in)

    @router.get("/deferred", responses=responses(401, 404))
    def list_waiting(agency: agency_of) -> WaitingAnswer:
        """Credentials that wait for a decision of this agency."""
        return WaitingAnswer.of(reviews.waiting(agency, now=clock()))

    @router.post("/deferred/{offer}", status_code=204, responses=responses(400, 401, 404, 409))
    def decide(agency: agency_of, offer: Name, body: DecisionRequest) -> Response:
        """Let a waiting credential be issued, or deny it."""
        if body.decision == "issue":
            reviews.issue(
                agency,
                offer,
                claims=body.claims,
                principal=body.principal,
                durable=body.durable,
            )
        else:
            reviews.deny(agency, offer)
        return Response(status_code=204)

    @router.get("/offers/{offer}")
    def read_offer_state(agency: agency_of, offer: Name) -> OfferStateAnswer:
        """Where an offer stands."""
        state, found = offers.read(agency, offer, now=clock())
        return OfferStateAnswer.model_validate(
            {"offer": found.offer, "state": state, "expires_at": found.expires_at}
        )

    @router.delete("/offers/{offer}", status_code=204)
    def withdraw_offer(agency: agency_of, offer: Name) -> Response:
        """End an offer; its code and its tokens stop working."""
        offers.withdraw(agency, offer)
        return Response(status_code=204)

    @router.get("/issuances/{credential}")
    def read_issuance(agency: agency_of, credential: Name) -> IssuanceAnswer:
        """The record of one credential."""
        return IssuanceAnswer.of(records.read(agency, credential))

    @router.post("/issuances/search")
    def find_issuances(agency: agency_of, body: SubjectRequest) -> IssuancesAnswer:
        """Everything that was issued to one person."""
        return IssuancesAnswer(
            credentials=[IssuanceAnswer.of(item) for item in records.of(agency, body.subject)]
        )

    @router.post("/issuances/revoke-all")
    def revoke_all(agency: agency_of, body: RevokeSubjectRequest) -> list[StatusAnswer]:
        """Revoke everything that was issued to one person. Safe to repeat."""
        changed = statuses.revoke_all_of(agency, body.subject, reason=body.reason, now=clock())
        return [StatusAnswer.of(item) for item in changed]

    @router.post("/issuances/{credential}/status")
    def change_status(
        agency: agency_of, credential: Name, body: StatusRequest, response: Response
    ) -> StatusAnswer:
        """Suspend, reinstate or revoke; 202 when the ledger has still to take note."""
        change = statuses.change(
            agency, credential, STATUS_NAMES[body.status], reason=body.reason, now=clock()
        )
        response.status_code = 200 if change.published else 202
        return StatusAnswer.of(change)

    @router.post("/credentials/status")
    def change_status_vc_api(
        agency: agency_of, body: VcApiStatusRequest, response: Response
    ) -> StatusAnswer:
        """Suspend, reinstate or revoke, in the form of the VC API."""
        if not body.entries:
            raise Malformed("credentialStatus is empty")
        change = None
        for entry in body.entries[:4]:  # two purposes exist
            change = statuses.change_purpose(
                agency,
                body.credential_id,
                entry.status_purpose,
                on=body.is_set_by(entry),
                now=clock(),
            )
        if change is None:
            raise Malformed("credentialStatus is empty")
        response.status_code = 200 if change.published else 202
        return StatusAnswer.of(change)

    turns = Turns()

    @router.post("/credentials/issue", status_code=201)
    async def issue_credential(agency: agency_of, body: Body) -> Response:
        """Sign a credential that another system composed."""

        def work() -> Response:
            message = parse_request(body, max_bytes=MAX_CREDENTIAL_BYTES)
            unsigned, options = message.get("credential"), message.get("options")
            if not isinstance(unsigned, dict):
                raise Malformed("credential is missing, or no object")
            if options is not None and not isinstance(options, dict):
                raise Malformed("options is no object")
            signed = vc_api.issue(agency, unsigned, options or {}, now=clock())
            return JSONResponse({"verifiableCredential": signed}, 201)

        return await turns.run(lambda: _in_vc_api_form(work), size=len(body))

    @router.post("/credentials/derive", status_code=201)
    async def derive_credential(agency: agency_of, body: Body) -> Response:
        """Derive what its holder shows from a credential with a base proof (ecdsa-sd-2023)."""

        def work() -> Response:
            message = parse_request(body, max_bytes=MAX_CREDENTIAL_BYTES)
            base, options = message.get("verifiableCredential"), message.get("options")
            if not isinstance(base, dict):
                raise Malformed("verifiableCredential is missing, or no object")
            if options is not None and not isinstance(options, dict):
                raise Malformed("options is no object")
            derived = vc_api.derive(agency, base, options or {})
            return JSONResponse({"verifiableCredential": derived}, 201)

        return await turns.run(lambda: _in_vc_api_form(work), size=len(body))

    return router


def bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessDenied("a bearer access key is required")
    return token.strip()


def _in_vc_api_form(work: Callable[[], Response]) -> Response:
    """Answer, or say what is wrong with the credential as the VC API wants it."""
    try:
        return work()
    except (UnknownAgency, AccessDenied, Unavailable):
        raise
    except Refusal as error:
        kind = type(error).__name__
        problem = {
            "type": type_of(error),
            "title": kind,
            "detail": error.detail,
        }
        return JSONResponse(
            {"verified": False, "problemDetails": [problem]},
            403 if isinstance(error, NotPermitted) else 400,
        )

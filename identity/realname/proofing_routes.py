"""HTTP for the other ways of proofing: two officers, and a login at an identity provider."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, ConfigDict, Field

from identity.core.access import AccessKeys
from identity.core.national_id import SchemeRegistry
from identity.realname.in_person import InPersonDesk
from identity.realname.messages import ApplicantMessage
from identity.realname.oidc_login import OidcDesk
from identity.realname.person_json import parse_date
from identity.realname.ports import RegisterQuery
from identity.realname.routes import bearer
from registry.problems import responses

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
TicketPath = Annotated[str, Path(pattern=r"^sit_[A-Za-z0-9_-]{22}$")]
Bearer = Annotated[str | None, Header(alias="Authorization", max_length=512)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class TicketAnswer(_Strict):
    """A ticket: give it with the enrolment, as `ticket`."""

    ticket: str


class LoginAnswer(_Strict):
    """Where the applicant's browser goes, and the state that it brings back with a code."""

    url: str
    state: str


class LoginReturn(_Strict):
    """What the browser brought back."""

    state: Annotated[str, Field(max_length=64)]
    code: Annotated[str, Field(max_length=2048)]


def build_router(
    *,
    in_person: InPersonDesk,
    oidc: OidcDesk | None,
    schemes: SchemeRegistry,
    access: AccessKeys,
    officer_of: Callable[[str, str | None], str],
    today: Callable[[], date],
) -> APIRouter:
    """Routes under `{base}/issuers/{agency}`.

    Args:
        in_person: takes officers' statements.
        oidc: logins; None where no provider is configured.
        schemes: brings numbers to their normal form.
        access: opens the scope `issuer:<agency>`.
        officer_of: name of the agency's officer whose key is presented; raises `AccessDenied`.
        today: the day that has begun somewhere.
    """
    router = APIRouter(prefix="/issuers/{agency}", tags=["proofing"])
    refused = responses(400, 403, 409, 503)

    def agency_of(agency: Slug, authorization: Bearer = None) -> str:
        access.check(f"issuer:{agency}", bearer(authorization))
        return agency

    def officer(agency: Slug, authorization: Bearer = None) -> str:
        return officer_of(agency, bearer(authorization))

    def query_of(body: ApplicantMessage) -> RegisterQuery:
        number = schemes.parse(body.country, body.number, today=today())
        return RegisterQuery(
            country=number.country,
            number=number.number,
            family_name=body.family_name,
            given_name=body.given_name,
            birth_date=parse_date(body.birth_date),
        )

    @router.post("/sittings", status_code=201, responses=refused)
    def state(
        agency: Slug, body: ApplicantMessage, who: Annotated[str, Depends(officer)]
    ) -> TicketAnswer:
        """The first officer states whom she sees, and on which evidence."""
        kinds = tuple(item.type for item in body.evidence)
        return TicketAnswer(
            ticket=in_person.state(query_of(body), kinds, agency=agency, officer=who)
        )

    @router.post("/sittings/{ticket}/confirmation", responses=refused)
    def confirm(
        agency: Slug,
        ticket: TicketPath,
        body: ApplicantMessage,
        who: Annotated[str, Depends(officer)],
    ) -> TicketAnswer:
        """The second officer states the same, with her own key and without seeing the first."""
        kinds = tuple(item.type for item in body.evidence)
        in_person.confirm(ticket, query_of(body), kinds, agency=agency, officer=who)
        return TicketAnswer(ticket=ticket)

    if oidc is not None:
        _add_logins(router, oidc, agency_of)
    return router


def _add_logins(router: APIRouter, oidc: OidcDesk, agency_of: Callable[..., str]) -> None:
    refused = responses(400, 403, 503)

    @router.post("/logins", status_code=201, responses=refused)
    def begin(agency: Annotated[str, Depends(agency_of)]) -> LoginAnswer:
        """Begin a login; the provider does not learn which agency it is for."""
        url, made = oidc.begin(agency=agency)
        return LoginAnswer(url=url, state=made)

    @router.post("/logins/completion", responses=refused)
    def complete(agency: Annotated[str, Depends(agency_of)], body: LoginReturn) -> TicketAnswer:
        """Redeem the code; a ticket for the enrolment."""
        return TicketAnswer(ticket=oidc.complete(body.state, body.code, agency=agency))

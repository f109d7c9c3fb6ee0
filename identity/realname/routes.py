"""HTTP for agencies: enrolments. Identifiers travel in the body, never in the URL."""

from typing import Annotated

from fastapi import APIRouter, Header, Path

from identity.core.access import AccessDenied, AccessKeys
from identity.realname.messages import EnrolmentAnswer, EnrolmentRequest
from identity.realname.person_json import parse_date
from identity.realname.service import RealNames
from registry.problems import responses


def build_router(*, real_names: RealNames, access: AccessKeys) -> APIRouter:
    """Routes under `{base}`; `access` opens the scope `issuer:<agency>`."""
    router = APIRouter(tags=["enrolments"])

    @router.post(
        "/issuers/{agency}/enrolments",
        status_code=201,
        responses=responses(400, 403, 409, 503),
    )
    def enrol_person(
        agency: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")],
        body: EnrolmentRequest,
        authorization: Annotated[str | None, Header(max_length=512)] = None,
    ) -> EnrolmentAnswer:
        """Proof a person by number, name, birth date and evidence; safe to repeat."""
        scope = f"issuer:{agency}"
        access.check(scope, bearer(authorization))
        enrolment = body.to_enrolment(agency, parse_date(body.birth_date))
        return EnrolmentAnswer.of(real_names.enrol(evidence=enrolment, actor=scope))

    return router


def bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessDenied("a bearer access key is required")
    return token.strip()

"""HTTP for agencies: a lost phone. Identifiers travel in the body, never in the URL."""

from typing import Annotated

from fastapi import APIRouter, Header, Path

from identity.core.access import AccessKeys
from identity.realname.messages import EnrolmentAnswer, EnrolmentRequest, RecoveryAnswer
from identity.realname.person_json import parse_date
from identity.realname.recovery import RecoveryDesk
from identity.realname.routes import bearer
from registry.problems import responses


def build_router(*, recovery: RecoveryDesk, access: AccessKeys) -> APIRouter:
    """Routes under `{base}`; `access` opens the scope `issuer:<agency>`."""
    router = APIRouter(tags=["enrolments"])

    @router.post("/issuers/{agency}/recoveries", responses=responses(400, 403, 409, 503))
    def recover_person(
        agency: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")],
        body: EnrolmentRequest,
        authorization: Annotated[str | None, Header(max_length=512)] = None,
    ) -> RecoveryAnswer:
        """A lost phone: proof the person anew, and end all that she held, everywhere; repeatable.

        Credentials, copies, offers and tokens of every agency here. Offer her new ones afterwards.
        """
        scope = f"issuer:{agency}"
        access.check(scope, bearer(authorization))
        enrolment = body.to_enrolment(agency, parse_date(body.birth_date))
        done = recovery.recover(enrolment, actor=scope)
        known = EnrolmentAnswer.of(done.binding)
        return RecoveryAnswer(**known.model_dump(), ended=done.ended)

    return router

"""HTTP for life events (agencies) and for the review queue (officers and agencies).

An agency reports what it saw about a subject of its own, and appeals for her; officers decide. What
is personal is in bodies, and cases name people by references alone.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, ConfigDict, Field

from identity.core.access import AccessKeys
from identity.core.life_event import LifeEventKind
from identity.realname.decisions import Decisions
from identity.realname.life_events import LifeEvents
from identity.realname.messages import Name
from identity.realname.person_json import parse_date
from identity.realname.ports import Binding, BindingStore, UnknownSubject
from identity.realname.review import (
    Case,
    CaseHandle,
    CaseKind,
    CaseState,
    ReviewDesk,
    Verdict,
)
from identity.realname.routes import bearer
from registry.core.refusals import Conflict, Malformed
from registry.problems import responses

Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
CaseId = Annotated[str, Path(pattern=r"^cas_[A-Za-z0-9_-]{22}$")]
Subject = Annotated[str, Field(min_length=1, max_length=64)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Bearer = Annotated[str | None, Header(alias="Authorization", max_length=512)]


class NotReportedDead(Conflict):
    """There is no report of a death that could be false."""


class AnotherWasAsked(Conflict):
    """About this registration it was asked whether it is a third one's."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class LifeEventRequest(_Strict):
    """What happened. The name with `name-changed`, name and birth date with `corrected`."""

    subject: Subject
    kind: Literal[
        "deceased",
        "incapacitated",
        "capacity-restored",
        "name-changed",
        "corrected",
        "withdrawn",
    ]
    family_name: Name | None = None
    given_name: Name | None = None
    birth_date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None


class DoubleRequest(_Strict):
    """Two subjects of this agency that are one person, as it believes."""

    subject: Subject  # whose registration would end
    other: Subject


class FalseDeathRequest(_Strict):
    """A subject of this agency that was reported dead, and who came and lives."""

    subject: Subject


class DecisionRequest(_Strict):
    """An officer's word. `target` is one of the case's `similar`, with `same`."""

    verdict: Literal["same", "distinct"]
    target: Annotated[str, Field(max_length=32)] = ""
    reason: Code


class CaseStateAnswer(_Strict):
    """Where a case stands, for agencies: nothing by which two of them could compare people."""

    id: str
    kind: str
    state: str
    verdict: str | None
    opened_at: int

    @classmethod
    def about(cls, case: Case, handle: CaseHandle) -> "CaseStateAnswer":
        """From the case and how an agency knows it."""
        return cls(
            id=handle.id,
            kind=str(case.kind),
            state=str(case.state),
            verdict=None if case.verdict is None else str(case.verdict),
            opened_at=handle.asked_at,
        )


class CaseAnswer(CaseStateAnswer):
    """A case, by references and codes, for officers."""

    agency: str
    applicant: str
    similar: list[str]
    carried_out: bool

    @classmethod
    def of(cls, case: Case) -> "CaseAnswer":
        """From the case; nothing personal is in either."""
        return cls(
            id=case.id,
            kind=str(case.kind),
            state=str(case.state),
            verdict=None if case.verdict is None else str(case.verdict),
            opened_at=case.opened_at,
            agency=case.agency,
            applicant=case.applicant,
            similar=list(case.similar),
            carried_out=case.carried_out_at > 0,
        )


def build_router(
    *,
    life: LifeEvents,
    review: ReviewDesk,
    decisions: Decisions,
    bindings: BindingStore,
    access: AccessKeys,
    officer_of: Callable[[str | None], str],
) -> APIRouter:
    """Routes under `{base}`.

    Args:
        life: records events.
        review: the queue.
        decisions: does what the queue decides.
        bindings: whose subject is whose.
        access: opens the scope `issuer:<agency>`.
        officer_of: name of the officer whose access key is presented; raises `AccessDenied`.
    """

    def agency_of(agency: Slug, authorization: Bearer = None) -> str:
        access.check(f"issuer:{agency}", bearer(authorization))
        return agency

    def officer(authorization: Bearer = None) -> str:
        return officer_of(bearer(authorization))

    def hers(subject: str, agency: str) -> Binding:
        binding = bindings.read(subject)
        if binding is None or binding.agency != agency:
            raise UnknownSubject("nobody is enrolled under this subject")
        return binding

    def seen_by(agency: str, case: Case) -> CaseStateAnswer:
        return CaseStateAnswer.about(case, review.handle(case, agency=agency))

    router = APIRouter(tags=["life events"])
    refused = responses(400, 403, 404, 409, 503)
    agency_dep = Annotated[str, Depends(agency_of)]
    officer_dep = Annotated[str, Depends(officer)]

    @router.post("/issuers/{agency}/life-events", status_code=204, responses=refused)
    def report(agency: agency_dep, body: LifeEventRequest) -> None:
        """Record what happened; the credentials that rest on it end, pause or come back."""
        hers(body.subject, agency)
        kind, actor = LifeEventKind(body.kind), f"issuer:{agency}"
        if kind in (LifeEventKind.NAME_CHANGED, LifeEventKind.CORRECTED):
            family, given = body.family_name or "", body.given_name or ""
            if kind is LifeEventKind.NAME_CHANGED:
                life.record_new_name(
                    body.subject, family_name=family, given_name=given, actor=actor
                )
            else:
                life.record_correction(
                    body.subject,
                    family_name=family,
                    given_name=given,
                    birth_date=_date(body.birth_date),
                    actor=actor,
                )
        elif kind is LifeEventKind.WITHDRAWN:
            life.withdraw(body.subject)
        else:
            life.report(kind, body.subject)

    @router.post("/issuers/{agency}/doubles", status_code=201, responses=refused)
    def report_double(agency: agency_dep, body: DoubleRequest) -> CaseStateAnswer:
        """Two subjects of its own are one person, the agency believes; two officers decide.

        Of another agency's subject it learns nothing, so that two of them cannot compare.
        """
        ending, staying = hers(body.subject, agency), hers(body.other, agency)
        if ending.subject == staying.subject:
            raise UnknownSubject("the other subject is the same one")
        decisions.check_mergeable(ending, staying)
        case = review.open(
            CaseKind.DOUBLE, agency=agency, applicant=ending.person, similar=(staying.person,)
        )
        # Its answer is no answer to this question.
        if staying.person not in map(bindings.survivor, case.similar):
            raise AnotherWasAsked("of this subject another double was asked; ask of the other")
        return seen_by(agency, case)

    @router.post("/issuers/{agency}/false-deaths", status_code=201, responses=refused)
    def report_false_death(agency: agency_dep, body: FalseDeathRequest) -> CaseStateAnswer:
        """She lives, the agency says; two officers decide whether it is she (`same`)."""
        binding = hers(body.subject, agency)
        if not binding.deceased:
            raise NotReportedDead("this person was not reported dead")
        return seen_by(
            agency,
            review.open_again(
                CaseKind.FALSE_DEATH,
                agency=agency,
                applicant=binding.person,
                similar=(binding.person,),
            ),
        )

    @router.get("/issuers/{agency}/cases/{case}", responses=refused)
    def read_case(agency: agency_dep, case: CaseId) -> CaseStateAnswer:
        """Where a case of this agency stands."""
        return seen_by(agency, review.of_agency(case, agency=agency))

    @router.post("/issuers/{agency}/cases/{case}/appeal", responses=refused)
    def appeal(agency: agency_dep, case: CaseId) -> CaseStateAnswer:
        """Have it decided again, by two officers who had no part in it."""
        decisions.check_appealable(review.of_agency(case, agency=agency))
        return seen_by(agency, review.appeal(case, agency=agency))

    @router.get("/review/cases", responses=refused)
    def waiting(_who: officer_dep) -> list[CaseAnswer]:
        """What there is to decide, oldest first."""
        return [CaseAnswer.of(case) for case in review.waiting()]

    @router.post("/review/cases/{case}/decision", responses=refused)
    def decide(case: CaseId, who: officer_dep, body: DecisionRequest) -> CaseAnswer:
        """An officer's word; the second that says the same decides, and a double is merged."""
        decided = review.decide(
            case, Verdict(body.verdict), target=body.target, reason=body.reason, officer=who
        )
        if decided.state is CaseState.DECIDED:
            decided = decisions.carry_out(decided.id)
        return CaseAnswer.of(decided)

    @router.post("/review/cases/{case}/carry-out", responses=refused)
    def carry_out(case: CaseId, _who: officer_dep) -> CaseAnswer:
        """Do what a decision asks for, after a failure in the middle of it; never a second time."""
        return CaseAnswer.of(decisions.carry_out(case))

    return router


def _date(text: str | None) -> date:
    if text is None:
        raise Malformed("a correction names the birth date")
    return parse_date(text)

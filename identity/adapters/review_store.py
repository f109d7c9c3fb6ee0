"""The review queue, in the identity services' database: references, codes, officers' names."""

from sqlalchemy import (
    BigInteger,
    Engine,
    String,
    UniqueConstraint,
    and_,
    delete,
    false,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.realname.review import Case, CaseHandle, CaseKind, CaseState, Verdict
from registry.core.refusals import Unavailable


class ReviewCase(Base):
    """One case; lists are separated by spaces."""

    __tablename__ = "realname_case"
    __table_args__ = (
        UniqueConstraint("kind", "applicant", "asked_by", name="realname_case_question"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    agency: Mapped[str] = mapped_column(String(64))
    applicant: Mapped[str] = mapped_column(String(32))
    similar: Mapped[str] = mapped_column(String(1024))
    state: Mapped[str] = mapped_column(String(16), index=True)
    opened_at: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str | None] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(64))
    officers: Mapped[str] = mapped_column(String(256))
    barred: Mapped[str] = mapped_column(String(1024))
    decided_at: Mapped[int] = mapped_column(BigInteger)
    touched_at: Mapped[int] = mapped_column(BigInteger, index=True, server_default="0")
    carried_out_at: Mapped[int] = mapped_column(BigInteger, server_default="0")
    in_effect: Mapped[bool] = mapped_column(server_default=false())
    asked_by: Mapped[str] = mapped_column(String(64), server_default="")  # `_asked_by`
    revision: Mapped[int]


class ReviewCaseHandle(Base):
    """How another agency than the one that opened a case calls it."""

    __tablename__ = "realname_case_handle"
    __table_args__ = (UniqueConstraint("case_id", "agency"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(32))
    agency: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[int] = mapped_column(BigInteger)


class SqlCaseStore:
    """Keeps the promises of `CaseStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, case: Case) -> Case:
        """As `CaseStore.open`."""
        try:
            with transaction(self._engine) as session:
                if (found := _found(session, case)) is not None:
                    return _case(found)
                session.add(ReviewCase(id=case.id, **_columns(case)))
            return case
        except IntegrityError:  # a rival was quicker
            with transaction(self._engine) as session:
                found = _found(session, case)
            if found is None:
                raise Unavailable("the case could not be kept") from None
            return _case(found)

    def read(self, case_id: str) -> Case | None:
        """As `CaseStore.read`."""
        with transaction(self._engine) as session:
            found = session.get(ReviewCase, case_id)
        return None if found is None else _case(found)

    def similar_of(self, applicant: str) -> Case | None:
        """As `CaseStore.similar_of`."""
        row = ReviewCase
        with transaction(self._engine) as session:
            found = session.scalar(
                select(row).where(row.kind == str(CaseKind.SIMILAR), row.applicant == applicant)
            )
        return None if found is None else _case(found)

    def add_handle(self, proposed: CaseHandle) -> CaseHandle:
        """As `CaseStore.add_handle`."""
        row = ReviewCaseHandle
        hers = select(row).where(row.case_id == proposed.case, row.agency == proposed.agency)
        try:
            with transaction(self._engine) as session:
                if (found := session.scalar(hers)) is not None:
                    return _handle(found)
                session.add(
                    row(
                        id=proposed.id,
                        case_id=proposed.case,
                        agency=proposed.agency,
                        asked_at=proposed.asked_at,
                    )
                )
            return proposed
        except IntegrityError:  # a rival was quicker
            with transaction(self._engine) as session:
                found = session.scalar(hers)
            if found is None:
                raise Unavailable("the case could not be kept") from None
            return _handle(found)

    def handle(self, handle_id: str) -> CaseHandle | None:
        """As `CaseStore.handle`."""
        with transaction(self._engine) as session:
            found = session.get(ReviewCaseHandle, handle_id)
        return None if found is None else _handle(found)

    def waiting(self, *, limit: int) -> list[Case]:
        """As `CaseStore.waiting`."""
        with transaction(self._engine) as session:
            rows = session.scalars(
                select(ReviewCase)
                .where(ReviewCase.state.in_((str(CaseState.OPEN), str(CaseState.PROPOSED))))
                .order_by(ReviewCase.opened_at, ReviewCase.id)
                .limit(limit)
            ).all()
        return [_case(row) for row in rows]

    def change(self, before: Case, after: Case) -> bool:
        """As `CaseStore.change`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(ReviewCase)
                .where(ReviewCase.id == before.id, ReviewCase.revision == before.revision)
                .values({**_columns(after), "revision": before.revision + 1})
                .returning(ReviewCase.id)
            )
            return changed.first() is not None

    def untouched_since(self, time: int, *, doubles: int, limit: int) -> list[Case]:
        """As `identity.realname.retention.OldCases.untouched_since`."""
        row = ReviewCase
        # An older release on the same database does not note when it touched a case.
        noted = (row.touched_at, row.opened_at, row.decided_at)
        old = and_(*(when < time for when in noted)) & or_(
            row.kind != str(CaseKind.DOUBLE), and_(*(when < doubles for when in noted))
        )
        with transaction(self._engine) as session:
            rows = session.scalars(
                select(row)
                .where(old | (row.state == str(CaseState.ENDING)))
                .order_by(row.touched_at, row.id)
                .limit(limit)
            ).all()
        return [_case(found) for found in rows]

    def end(self, case: Case) -> bool:
        """As `identity.realname.retention.OldCases.end`."""
        with transaction(self._engine) as session:
            ended = session.scalars(
                update(ReviewCase)
                .where(
                    ReviewCase.id == case.id,
                    ReviewCase.state == str(case.state),
                    ReviewCase.revision == case.revision,
                )
                .values(state=str(CaseState.ENDING), revision=case.revision + 1)
                .returning(ReviewCase.id)
            )
            return ended.first() is not None

    def delete(self, case_id: str) -> None:
        """As `identity.realname.retention.OldCases.delete`."""
        with transaction(self._engine) as session:
            session.execute(
                delete(ReviewCase).where(
                    ReviewCase.id == case_id, ReviewCase.state == str(CaseState.ENDING)
                )
            )
            if session.get(ReviewCase, case_id) is None:
                session.execute(delete(ReviewCaseHandle).where(ReviewCaseHandle.case_id == case_id))


def _asked_by(case: Case) -> str:
    """Whose question it is; nobody's alone where every agency with that applicant asks the same."""
    return "" if case.kind is CaseKind.SIMILAR else case.agency


def _found(session: Session, case: Case) -> ReviewCase | None:
    row = ReviewCase
    return session.scalar(
        select(row).where(
            row.kind == str(case.kind),
            row.applicant == case.applicant,
            row.asked_by == _asked_by(case),
        )
    )


def _handle(row: ReviewCaseHandle) -> CaseHandle:
    return CaseHandle(id=row.id, case=row.case_id, agency=row.agency, asked_at=row.asked_at)


def _columns(case: Case) -> dict[str, object]:
    return {
        "kind": str(case.kind),
        "agency": case.agency,
        "applicant": case.applicant,
        "similar": " ".join(case.similar),
        "state": str(case.state),
        "opened_at": case.opened_at,
        "verdict": None if case.verdict is None else str(case.verdict),
        "target": case.target,
        "reason": case.reason,
        "officers": " ".join(case.officers),
        "barred": " ".join(case.barred),
        "decided_at": case.decided_at,
        "touched_at": case.touched_at,
        "carried_out_at": case.carried_out_at,
        "in_effect": case.in_effect,
        "asked_by": _asked_by(case),
        "revision": case.revision,
    }


def _case(row: ReviewCase) -> Case:
    return Case(
        id=row.id,
        kind=CaseKind(row.kind),
        agency=row.agency,
        applicant=row.applicant,
        similar=tuple(row.similar.split()),
        state=CaseState(row.state),
        opened_at=row.opened_at,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        target=row.target,
        reason=row.reason,
        officers=tuple(row.officers.split()),
        barred=tuple(row.barred.split()),
        decided_at=row.decided_at,
        touched_at=row.touched_at,
        carried_out_at=row.carried_out_at,
        in_effect=row.in_effect,
        revision=row.revision,
    )

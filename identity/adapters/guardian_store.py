"""Arrangements and recoveries by guardians, in the identity database: keys and signatures."""

from collections.abc import Collection, Sequence

from sqlalchemy import (
    BigInteger,
    Engine,
    String,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.guardians.ports import (
    PROOFED_ANEW,
    KeptArrangement,
    KeptRecovery,
    RecoveryState,
)
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.refusals import Unavailable

_UNDER_WAY = (str(RecoveryState.OPEN), str(RecoveryState.WAITING), str(RecoveryState.ENDING))
_CLOSED = (RecoveryState.COMPLETED, RecoveryState.STOPPED)


class ArrangementRow(Base):
    """What one person arranged at one agency, as she signed it."""

    __tablename__ = "guardian_arrangement"
    __table_args__ = (UniqueConstraint("subject", name="guardian_arrangement_subject"),)

    arrangement: Mapped[str] = mapped_column(String(64), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(64))
    signed_order: Mapped[str] = mapped_column(Text)
    holder_key: Mapped[str] = mapped_column(Text)  # JWK
    created: Mapped[int]


class RecoveryRow(Base):
    """One recovery; those that came to a wait stay, for the person's record tells of them."""

    __tablename__ = "guardian_recovery"

    recovery: Mapped[str] = mapped_column(String(64), primary_key=True)
    arrangement: Mapped[str] = mapped_column(String(64), index=True)
    agency: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(64))
    new_key: Mapped[str] = mapped_column(Text)  # JWK
    state: Mapped[str] = mapped_column(String(16))
    begun: Mapped[int]
    open_until: Mapped[int]
    waiting_since: Mapped[int] = mapped_column(index=True)
    closed_at: Mapped[int]
    claimed_until: Mapped[int] = mapped_column(server_default="0")  # by a call that ends things
    types: Mapped[str] = mapped_column(Text)  # separated by spaces


class ApprovalRow(Base):
    """A guardian's signature, once for each."""

    __tablename__ = "guardian_approval"

    recovery: Mapped[str] = mapped_column(String(64), primary_key=True)
    guardian: Mapped[str] = mapped_column(String(64), primary_key=True)  # thumbprint of a key
    approval: Mapped[str] = mapped_column(Text)
    came: Mapped[int]


class ChangeRow(Base):
    """That her guardians were set, changed or withdrawn; until her own record tells it."""

    __tablename__ = "guardian_change"

    arrangement: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(Text)  # JSON


class SqlGuardianStore:
    """Keeps the promises of `identity.guardians.ports.GuardianStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set_arrangement(self, kept: KeptArrangement, *, told: JsonObject) -> None:
        """As `GuardianStore.set_arrangement`."""
        try:
            with transaction(self._engine) as db:
                before = _remove(db, kept.agency, kept.subject, now=kept.created)
                state = "set" if before is None else "changed"
                db.add(_change(kept, state, now=kept.created, told=told))
                db.add(
                    ArrangementRow(
                        arrangement=kept.arrangement,
                        agency=kept.agency,
                        subject=kept.subject,
                        signed_order=kept.order,
                        holder_key=canonical_json(kept.holder).decode(),
                        created=kept.created,
                    )
                )
        except IntegrityError as error:  # she set two at once
            raise Unavailable("another arrangement of hers was being set") from error

    def withdraw(
        self, agency: str, subject: str, *, now: int, told: JsonObject = PROOFED_ANEW
    ) -> bool:
        """As `GuardianStore.withdraw`."""
        with transaction(self._engine) as db:
            gone = _remove(db, agency, subject, now=now)
            if gone is not None:
                db.add(_change(gone, "withdrawn", now=now, told=told))
        return gone is not None

    def arrangement(self, agency: str, arrangement: str) -> KeptArrangement | None:
        """As `GuardianStore.arrangement`."""
        with transaction(self._engine) as db:
            row = db.get(ArrangementRow, arrangement)
        if row is None or row.agency != agency:
            return None
        return KeptArrangement(
            arrangement=row.arrangement,
            agency=row.agency,
            subject=row.subject,
            order=row.signed_order,
            holder=parse_json_object(row.holder_key),
            created=row.created,
        )

    def begin(self, recovery: KeptRecovery, *, most: int, now: int) -> bool:
        """As `GuardianStore.begin`."""
        with transaction(self._engine) as db:
            arranged = db.get(ArrangementRow, recovery.arrangement, with_for_update=True)
            if arranged is None:
                return False
            stale = select(RecoveryRow.recovery).where(
                RecoveryRow.arrangement == recovery.arrangement,
                RecoveryRow.state == RecoveryState.OPEN,
                RecoveryRow.open_until <= now,
            )
            names = list(db.scalars(stale))
            db.execute(delete(ApprovalRow).where(ApprovalRow.recovery.in_(names)))
            db.execute(delete(RecoveryRow).where(RecoveryRow.recovery.in_(names)))
            under_way = db.scalar(
                select(func.count())
                .select_from(RecoveryRow)
                .where(
                    RecoveryRow.arrangement == recovery.arrangement,
                    RecoveryRow.state.in_(_UNDER_WAY),
                )
            )
            if (under_way or 0) >= most:
                return False
            db.add(
                RecoveryRow(
                    recovery=recovery.recovery,
                    arrangement=recovery.arrangement,
                    agency=arranged.agency,
                    subject=arranged.subject,
                    new_key=canonical_json(recovery.new_key).decode(),
                    state=recovery.state,
                    begun=recovery.begun,
                    open_until=recovery.expires,
                    waiting_since=0,
                    closed_at=0,
                    claimed_until=0,
                    types="",
                )
            )
        return True

    def recovery(self, recovery: str) -> KeptRecovery | None:
        """As `GuardianStore.recovery`."""
        with transaction(self._engine) as db:
            row = db.get(RecoveryRow, recovery)
        if row is None:
            return None
        return KeptRecovery(
            recovery=row.recovery,
            arrangement=row.arrangement,
            new_key=parse_json_object(row.new_key),
            state=RecoveryState(row.state),
            begun=row.begun,
            expires=row.open_until,
            waiting_since=row.waiting_since,
            closed_at=row.closed_at,
            types=tuple(row.types.split()),
        )

    def approve(self, recovery: str, guardian: str, approval: str, *, now: int) -> bool:
        """As `GuardianStore.approve`."""
        with transaction(self._engine) as db:
            row = db.get(RecoveryRow, recovery, with_for_update=True)
            if row is None or row.state != RecoveryState.OPEN or row.open_until <= now:
                return False
            if db.get(ApprovalRow, (recovery, guardian)) is None:
                db.add(
                    ApprovalRow(recovery=recovery, guardian=guardian, approval=approval, came=now)
                )
        return True

    def approvals(self, recovery: str) -> list[tuple[str, int]]:
        """As `GuardianStore.approvals`."""
        with transaction(self._engine) as db:
            rows = db.scalars(
                select(ApprovalRow)
                .where(ApprovalRow.recovery == recovery)
                .order_by(ApprovalRow.came, ApprovalRow.guardian)
            )
            return [(row.approval, row.came) for row in rows]

    def move(
        self, recovery: str, *, of: Collection[RecoveryState], to: RecoveryState, now: int
    ) -> bool:
        """As `GuardianStore.move`."""
        with transaction(self._engine) as db:
            row = db.get(RecoveryRow, recovery, with_for_update=True)
            if row is None or RecoveryState(row.state) not in of:
                return False
            row.state = str(to)
            if to is RecoveryState.WAITING:
                row.waiting_since = now
            if to in _CLOSED:
                row.closed_at = now
        return True

    def lapse(self, arrangement: str, *, waiting_before: int, now: int) -> None:
        """As `GuardianStore.lapse`."""
        with transaction(self._engine) as db:
            db.execute(
                update(RecoveryRow)
                .where(
                    RecoveryRow.arrangement == arrangement,
                    RecoveryRow.state == RecoveryState.WAITING,
                    RecoveryRow.waiting_since <= waiting_before,
                )
                .values(state=str(RecoveryState.STOPPED), closed_at=now)
            )

    def claim(
        self, recovery: str, *, until: int, types: Sequence[str], now: int
    ) -> tuple[str, ...] | None:
        """As `GuardianStore.claim`."""
        with transaction(self._engine) as db:
            row = db.get(RecoveryRow, recovery, with_for_update=True)
            if row is None or row.state not in (RecoveryState.WAITING, RecoveryState.ENDING):
                return None
            if row.state == RecoveryState.WAITING:
                row.state, row.types = str(RecoveryState.ENDING), " ".join(types)
            elif row.claimed_until > now:
                return None
            row.claimed_until = until
            return tuple(row.types.split())

    def release(self, recovery: str, *, claim: int) -> None:
        """As `GuardianStore.release`."""
        with transaction(self._engine) as db:
            db.execute(
                update(RecoveryRow)
                .where(RecoveryRow.recovery == recovery, RecoveryRow.claimed_until == claim)
                .values(claimed_until=0)
            )

    def finish(self, recovery: str, *, claim: int, now: int) -> bool:
        """As `GuardianStore.finish`."""
        with transaction(self._engine) as db:
            row = db.get(RecoveryRow, recovery, with_for_update=True)
            if row is None or row.state != RecoveryState.ENDING or row.claimed_until != claim:
                return False
            row.state, row.closed_at = str(RecoveryState.COMPLETED), now
        return True


def _change(
    of: KeptArrangement | ArrangementRow, state: str, *, now: int, told: JsonObject
) -> ChangeRow:
    return ChangeRow(
        arrangement=of.arrangement,
        state=state,
        agency=of.agency,
        subject=of.subject,
        changed_at=now,
        detail=canonical_json(told).decode(),
    )


def _remove(db: Session, agency: str, subject: str, *, now: int) -> ArrangementRow | None:
    """Delete her arrangement and stop what is under way, also what has begun to end."""
    row = db.scalar(
        select(ArrangementRow)
        .where(ArrangementRow.agency == agency, ArrangementRow.subject == subject)
        .with_for_update()
    )
    if row is None:
        return None
    db.execute(
        update(RecoveryRow)
        .where(
            RecoveryRow.arrangement == row.arrangement,
            RecoveryRow.state.in_(_UNDER_WAY),
        )
        .values(state=str(RecoveryState.STOPPED), closed_at=now)
    )
    db.delete(row)
    db.flush()
    return row

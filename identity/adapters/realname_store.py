"""Bindings of opaque subjects, in the database of the identity services. Nothing personal."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    String,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.core.proofing import AssuranceLevel
from identity.realname.ports import Binding, BindingState

_DEAD = str(BindingState.DECEASED)
_CLOSED = (_DEAD, str(BindingState.WITHDRAWN), str(BindingState.MERGED))


class RealNameBinding(Base):
    """One person at one agency."""

    __tablename__ = "realname_binding"
    __table_args__ = (UniqueConstraint("person", "agency"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(32), index=True)
    assurance_level: Mapped[str] = mapped_column(String(8))
    created: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    died_at: Mapped[int | None] = mapped_column(BigInteger)  # when the death was reported
    before_death: Mapped[str | None] = mapped_column(String(16))  # the state it had then
    erased_at: Mapped[int | None] = mapped_column(BigInteger)  # her row goes, its term is over
    forgotten_at: Mapped[int | None] = mapped_column(BigInteger)  # and is gone
    merged_from: Mapped[str | None] = mapped_column(String(32))  # whose it was before a merger
    merged_into: Mapped[str | None] = mapped_column(String(32))  # who she is, where both were known
    before_merge: Mapped[str | None] = mapped_column(String(16))  # the state it had before that


class SqlBindingStore:
    """Keeps the promises of `BindingStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bind(self, proposed: Binding) -> Binding:
        """As `BindingStore.bind`."""
        try:
            with transaction(self._engine) as session:
                if (found := _at_agency(session, proposed)) is not None:
                    if found.state == BindingState.WITHDRAWN:  # she came back
                        found.state = str(_state_elsewhere(session, proposed.person))
                    return _binding(found)
                session.add(
                    RealNameBinding(
                        subject=proposed.subject,
                        agency=proposed.agency,
                        person=proposed.person,
                        assurance_level=str(proposed.assurance_level),
                        created=proposed.created,
                        state=str(_state_elsewhere(session, proposed.person)),
                    )
                )
        except IntegrityError:
            pass  # where writers are not serialised, a rival was quicker
        with transaction(self._engine) as session:
            if (found := _at_agency(session, proposed)) is None:
                raise RuntimeError("a binding neither went in nor was there")
            return _binding(found)

    def read(self, subject: str) -> Binding | None:
        """As `BindingStore.read`."""
        with transaction(self._engine) as session:
            found = session.get(RealNameBinding, subject)
            return None if found is None else _binding(found)

    def raise_level(self, subject: str, level: AssuranceLevel) -> None:
        """As `BindingStore.raise_level`; never lowers one."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(
                    RealNameBinding.subject == subject,
                    RealNameBinding.assurance_level < str(level),
                )
                .values(assurance_level=str(level))
            )

    def of_person(self, person: str) -> list[Binding]:
        """As `BindingStore.of_person`."""
        with transaction(self._engine) as session:
            found = session.scalars(
                select(RealNameBinding)
                .where(RealNameBinding.person == person)
                .order_by(RealNameBinding.created, RealNameBinding.subject)
            )
            return [_binding(row) for row in found]

    def set_state(self, person: str, state: BindingState, *, now: int) -> None:
        """As `BindingStore.set_state`."""
        row, values = RealNameBinding, {"state": str(state)}
        died = {"died_at": now, "before_death": row.state} if str(state) == _DEAD else {}
        with transaction(self._engine) as session:
            session.execute(
                update(row)
                .where(row.person == person, row.state.not_in(_CLOSED))
                .values({**values, **died})
            )

    def revive(self, person: str, *, reported_until: int) -> bool:
        """As `BindingStore.revive`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            erased = session.scalar(
                select(row.subject).where(row.person == person, row.erased_at.is_not(None)).limit(1)
            )
            if erased is not None:
                return False
            session.execute(
                update(row)
                .where(
                    row.person == person,
                    row.state == _DEAD,
                    func.coalesce(row.died_at, 0) <= reported_until,
                )
                .values(
                    state=func.coalesce(row.before_death, str(BindingState.ACTIVE)),
                    died_at=None,
                    before_death=None,
                )
            )
        return True

    def separate(self, person: str, *, to: str) -> list[Binding]:
        """As `BindingStore.separate`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            theirs = session.scalars(
                select(row)
                .where((row.merged_from == person) | (row.person == person))
                .order_by(row.created, row.subject)
            ).all()
            went_on = [found for found in theirs if found.merged_from == person]
            for found in theirs:
                if found.state == BindingState.MERGED:
                    _reopened(found, went_on)
                found.person, found.merged_from, found.merged_into = to, None, None
                found.before_merge = None
            session.flush()
            return [_binding(found) for found in theirs]

    def absorbed_by(self, person: str) -> list[str]:
        """As `BindingStore.absorbed_by`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            moved = session.scalars(
                select(row.merged_from).where(row.person == person, row.merged_from.is_not(None))
            ).all()
            closed = session.scalars(select(row.person).where(row.merged_into == person)).all()
        return sorted({found for found in (*moved, *closed) if found is not None})

    def deceased_before(self, time: int, *, now: int, limit: int) -> list[str]:
        """As `identity.realname.retention.DeceasedStore.deceased_before`."""
        row = RealNameBinding
        dead = (row.state == _DEAD, row.erased_at.is_(None))
        with transaction(self._engine) as session:
            session.execute(update(row).where(*dead, row.died_at.is_(None)).values(died_at=now))
            return list(
                session.scalars(
                    select(row.person)
                    .where(*dead, row.person.not_in(select(row.person).where(_living())))
                    .group_by(row.person)
                    .having(func.max(row.died_at) < time)
                    .order_by(row.person)
                    .limit(limit)
                )
            )

    def mark_erased(self, person: str, *, died_before: int, now: int) -> bool:
        """As `identity.realname.retention.DeceasedStore.mark_erased`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            hers = session.scalars(select(row).where(row.person == person).with_for_update()).all()
            deaths = [found.died_at for found in hers if found.state == _DEAD]
            if not deaths or any(found.state not in _CLOSED for found in hers):
                return False
            if any(died is None or died >= died_before for died in deaths):
                return False
            for found in hers:
                found.erased_at = now
        return True

    def being_erased(self, *, limit: int) -> list[str]:
        """As `identity.realname.retention.DeceasedStore.being_erased`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            return list(
                session.scalars(
                    select(row.person)
                    .where(row.erased_at.is_not(None), row.forgotten_at.is_(None))
                    .group_by(row.person)
                    .order_by(row.person)
                    .limit(limit)
                )
            )

    def mark_forgotten(self, person: str, *, now: int) -> None:
        """As `identity.realname.retention.DeceasedStore.mark_forgotten`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            session.execute(
                update(row)
                .where(row.person == person, row.erased_at.is_not(None))
                .values(forgotten_at=now)
            )

    def close(self, subject: str, state: BindingState) -> None:
        """As `BindingStore.close`."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(RealNameBinding.subject == subject, RealNameBinding.state != _DEAD)
                .values(state=str(state))
            )

    def move(self, person: str, *, to: str) -> bool:
        """As `BindingStore.move`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            both = session.scalars(
                select(row).where(row.person.in_((person, to))).with_for_update()
            ).all()
            theirs = [found for found in both if found.person == person]
            there = {found.agency for found in both if found.person == to}
            begun = any(
                (found.person, found.merged_into) == (person, to)
                or (found.person, found.merged_from) == (to, person)
                for found in both
            )
            if not begun and any(found.state == _DEAD for found in both):
                return False
            for found in theirs:
                if found.agency not in there:
                    found.person, found.merged_from = to, person
                elif found.state not in (_DEAD, str(BindingState.MERGED)):
                    found.before_merge = found.state
                    found.state, found.merged_into = str(BindingState.MERGED), to
        return True


def _living() -> ColumnElement[bool]:
    return RealNameBinding.state.not_in(_CLOSED)


def _reopened(found: RealNameBinding, went_on: Sequence[RealNameBinding]) -> None:
    """Give a binding that a merger closed its state back, and what was reported of her since."""
    found.state = found.before_merge or str(BindingState.ACTIVE)
    if found.state in _CLOSED:
        return
    dead = [other for other in went_on if other.state == _DEAD]
    if dead:
        found.before_death, found.state = found.state, _DEAD
        found.died_at = max((other.died_at or 0 for other in dead), default=0) or None
    elif any(other.state == BindingState.INCAPACITATED for other in went_on):
        found.state = str(BindingState.INCAPACITATED)


def _at_agency(session: Session, proposed: Binding) -> RealNameBinding | None:
    return session.scalar(
        select(RealNameBinding).where(
            RealNameBinding.person == proposed.person, RealNameBinding.agency == proposed.agency
        )
    )


def _state_elsewhere(session: Session, person: str) -> BindingState:
    """What was reported of the person at another agency holds at this one."""
    known = set(
        session.scalars(select(RealNameBinding.state).where(RealNameBinding.person == person))
    )
    for state in (BindingState.DECEASED, BindingState.INCAPACITATED):
        if state in known:
            return state
    return BindingState.ACTIVE


def _binding(row: RealNameBinding) -> Binding:
    return Binding(
        subject=row.subject,
        agency=row.agency,
        person=row.person,
        assurance_level=AssuranceLevel(row.assurance_level),
        created=row.created,
        state=BindingState(row.state),
    )

"""Bindings of opaque subjects, in the database of the identity services. Nothing personal."""

from sqlalchemy import Engine, String, UniqueConstraint, select, update
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

    def set_state(self, person: str, state: BindingState) -> None:
        """As `BindingStore.set_state`."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(
                    RealNameBinding.person == person,
                    RealNameBinding.state.not_in(_CLOSED if state is not _DEAD else (_DEAD,)),
                )
                .values(state=str(state))
            )

    def close(self, subject: str, state: BindingState) -> None:
        """As `BindingStore.close`."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(RealNameBinding.subject == subject, RealNameBinding.state != _DEAD)
                .values(state=str(state))
            )

    def move(self, person: str, *, to: str) -> None:
        """As `BindingStore.move`."""
        with transaction(self._engine) as session:
            theirs = select(RealNameBinding.agency).where(RealNameBinding.person == to)
            there = set(session.scalars(theirs))
            for row in session.scalars(
                select(RealNameBinding).where(RealNameBinding.person == person).with_for_update()
            ):
                if row.agency not in there:
                    row.person = to
                elif row.state != _DEAD:
                    row.state = str(BindingState.MERGED)


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

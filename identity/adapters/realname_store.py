"""Bindings of opaque subjects, in the database of the identity services. Nothing personal."""

from sqlalchemy import Engine, String, UniqueConstraint, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.core.proofing import AssuranceLevel
from identity.realname.ports import Binding


class RealNameBinding(Base):
    """One person at one agency."""

    __tablename__ = "realname_binding"
    __table_args__ = (UniqueConstraint("person", "agency"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(32), index=True)
    assurance_level: Mapped[str] = mapped_column(String(8))
    created: Mapped[int]
    deceased: Mapped[bool]


class SqlBindingStore:
    """Keeps the promises of `BindingStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bind(self, proposed: Binding) -> Binding:
        """As `BindingStore.bind`."""
        try:
            with transaction(self._engine) as session:
                if (found := _at_agency(session, proposed)) is not None:
                    return _binding(found)
                session.add(
                    RealNameBinding(
                        subject=proposed.subject,
                        agency=proposed.agency,
                        person=proposed.person,
                        assurance_level=str(proposed.assurance_level),
                        created=proposed.created,
                        deceased=_is_deceased(session, proposed.person),
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

    def mark_deceased(self, person: str) -> None:
        """As `BindingStore.mark_deceased`."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(RealNameBinding.person == person)
                .values(deceased=True)
            )


def _at_agency(session: Session, proposed: Binding) -> RealNameBinding | None:
    return session.scalar(
        select(RealNameBinding).where(
            RealNameBinding.person == proposed.person, RealNameBinding.agency == proposed.agency
        )
    )


def _is_deceased(session: Session, person: str) -> bool:
    """Whether the person was reported dead at another agency."""
    return bool(
        session.scalar(
            select(RealNameBinding.subject)
            .where(RealNameBinding.person == person, RealNameBinding.deceased)
            .limit(1)
        )
    )


def _binding(row: RealNameBinding) -> Binding:
    return Binding(
        subject=row.subject,
        agency=row.agency,
        person=row.person,
        assurance_level=AssuranceLevel(row.assurance_level),
        created=row.created,
        deceased=row.deceased,
    )

"""Sealed identities and notices, in the database of the identity services."""

from sqlalchemy import Engine, LargeBinary, String, Text, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base, transaction
from identity.adapters.issuer_tables import CopyRow, IssuanceRow
from identity.adapters.realname_store import RealNameBinding, survivor
from identity.core.opening.sealed_identity import SealedIdentity, parse_sealed_identity
from identity.opening.ports import OpeningNotice
from registry.core.encoding import canonical_json, parse_json_object


class SealRow(Base):
    """A person's identity as it is sealed to the institutions; the newest one counts."""

    __tablename__ = "opening_seal"

    seal: Mapped[str] = mapped_column(String(32), primary_key=True)
    person: Mapped[str] = mapped_column(String(32), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    record: Mapped[str] = mapped_column(Text)
    sealed_at: Mapped[int]
    number: Mapped[int]  # of this person's seals; the highest is the newest


class NoticeRow(Base):
    """That an order opens a person's identity, and when she is told."""

    __tablename__ = "opening_notice"

    order_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person: Mapped[str] = mapped_column(String(32), index=True)
    legal_basis: Mapped[str] = mapped_column(String(64))
    institutions: Mapped[str] = mapped_column(Text)  # DIDs, separated by spaces
    ordered_at: Mapped[int]
    due: Mapped[int]


class SqlOpeningStore:
    """Keeps the promises of `identity.opening.ports.OpeningStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put_seal(self, person: str, sealed: SealedIdentity, *, renew: bool, now: int) -> None:
        """As `OpeningStore.put_seal`."""
        with transaction(self._engine) as db:
            newest = db.scalar(
                select(SealRow.number)
                .where(SealRow.person == person)
                .order_by(SealRow.number.desc())
                .limit(1)
            )
            if newest is not None and not renew:
                return
            db.add(
                SealRow(
                    seal=sealed.seal,
                    person=person,
                    digest=sealed.digest,
                    record=canonical_json(sealed.to_object()).decode(),
                    sealed_at=now,
                    number=(newest or 0) + 1,
                )
            )

    def seal_of_person(self, person: str) -> SealedIdentity | None:
        """As `OpeningStore.seal_of_person`."""
        with transaction(self._engine) as db:
            record = db.scalar(
                select(SealRow.record)
                .where(SealRow.person == person)
                .order_by(SealRow.number.desc())
                .limit(1)
            )
        return None if record is None else parse_sealed_identity(parse_json_object(record))

    def person_of_seal(self, seal: str, digest: bytes) -> str | None:
        """As `OpeningStore.person_of_seal`."""
        with transaction(self._engine) as db:
            row = db.get(SealRow, seal)
        return None if row is None or row.digest != digest else row.person

    def person_of_copy(self, digest: bytes) -> str | None:
        """As `OpeningStore.person_of_copy`."""
        with transaction(self._engine) as db:
            person: str | None = db.scalar(
                select(RealNameBinding.person)
                .join(IssuanceRow, IssuanceRow.subject == RealNameBinding.subject)
                .join(CopyRow, CopyRow.issuance == IssuanceRow.issuance)
                .where(CopyRow.digest == digest)
            )
            return None if person is None else survivor(db, person)

    def forget_person(self, person: str) -> None:
        """As `OpeningStore.forget_person`."""
        with transaction(self._engine) as db:
            db.execute(delete(SealRow).where(SealRow.person == person))

    def put_notice(self, notice: OpeningNotice) -> None:
        """As `OpeningStore.put_notice`."""
        try:
            with transaction(self._engine) as db:
                if db.get(NoticeRow, notice.order) is None:
                    db.add(
                        NoticeRow(
                            order_number=notice.order,
                            person=notice.person,
                            legal_basis=notice.legal_basis,
                            institutions=" ".join(notice.institutions),
                            ordered_at=notice.ordered_at,
                            due=notice.due,
                        )
                    )
        except IntegrityError:
            pass  # where writers are not serialised, a rival wrote the same notice

    def notices_of(self, person: str) -> list[OpeningNotice]:
        """As `OpeningStore.notices_of`."""
        with transaction(self._engine) as db:
            rows = db.scalars(
                select(NoticeRow).where(NoticeRow.person == person).order_by(NoticeRow.order_number)
            ).all()
        return [
            OpeningNotice(
                order=row.order_number,
                person=row.person,
                legal_basis=row.legal_basis,
                institutions=tuple(row.institutions.split()),
                ordered_at=row.ordered_at,
                due=row.due,
            )
            for row in rows
        ]

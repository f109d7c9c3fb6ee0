"""Sessions before officers and logins at a provider: references, names of officers, digests."""

from sqlalchemy import BigInteger, Engine, LargeBinary, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base, transaction
from identity.realname.in_person import Sitting
from identity.realname.oidc_login import Login


class SittingRow(Base):
    """A session before two officers."""

    __tablename__ = "realname_sitting"

    ticket: Mapped[str] = mapped_column(String(32), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    ref: Mapped[str] = mapped_column(String(32))
    first: Mapped[str] = mapped_column(String(64))
    second: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[int] = mapped_column(BigInteger)


class LoginRow(Base):
    """A login at the identity provider; its state by digest alone."""

    __tablename__ = "realname_login"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    ref: Mapped[str] = mapped_column(String(32))
    done: Mapped[bool]
    started_at: Mapped[int] = mapped_column(BigInteger)


class SqlSittingStore:
    """Keeps the promises of `SittingStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, sitting: Sitting) -> None:
        """As `SittingStore.add`."""
        members = {name: getattr(sitting, name) for name in Sitting.__slots__}
        with transaction(self._engine) as session:
            session.add(SittingRow(**members))

    def read(self, ticket: str) -> Sitting | None:
        """As `SittingStore.read`."""
        with transaction(self._engine) as session:
            row = session.get(SittingRow, ticket[:64])
        if row is None:
            return None
        return Sitting(**{name: getattr(row, name) for name in Sitting.__slots__})

    def confirm(self, ticket: str, *, officer: str) -> bool:
        """As `SittingStore.confirm`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(SittingRow)
                .where(
                    SittingRow.ticket == ticket,
                    SittingRow.first != officer,
                    SittingRow.second == "",
                )
                .values(second=officer)
                .returning(SittingRow.ticket)
            )
            return changed.first() is not None

    def end(self, ticket: str) -> bool:
        """As `SittingStore.end`."""
        with transaction(self._engine) as session:
            gone = session.scalars(
                delete(SittingRow).where(SittingRow.ticket == ticket).returning(SittingRow.ticket)
            )
            return gone.first() is not None

    def old(self, *, opened_before: int, limit: int) -> list[Sitting]:
        """As `SittingStore.old`."""
        with transaction(self._engine) as session:
            rows = session.scalars(
                select(SittingRow).where(SittingRow.opened_at < opened_before).limit(limit)
            ).all()
        return [Sitting(**{name: getattr(row, name) for name in Sitting.__slots__}) for row in rows]


class SqlLoginStore:
    """Keeps the promises of `LoginStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, login: Login) -> None:
        """As `LoginStore.add`."""
        members = {name: getattr(login, name) for name in Login.__slots__}
        with transaction(self._engine) as session:
            session.add(LoginRow(**members))

    def read(self, digest: bytes) -> Login | None:
        """As `LoginStore.read`."""
        with transaction(self._engine) as session:
            row = session.get(LoginRow, digest)
        if row is None:
            return None
        return Login(**{name: getattr(row, name) for name in Login.__slots__})

    def finish(self, digest: bytes, *, ref: str) -> bool:
        """As `LoginStore.finish`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(LoginRow)
                .where(LoginRow.digest == digest, LoginRow.done.is_(False))
                .values(done=True, ref=ref)
                .returning(LoginRow.digest)
            )
            return changed.first() is not None

    def end(self, digest: bytes) -> bool:
        """As `LoginStore.end`."""
        with transaction(self._engine) as session:
            gone = session.scalars(
                delete(LoginRow).where(LoginRow.digest == digest).returning(LoginRow.digest)
            )
            return gone.first() is not None

    def old(self, *, started_before: int, limit: int) -> list[Login]:
        """As `LoginStore.old`."""
        with transaction(self._engine) as session:
            rows = session.scalars(
                select(LoginRow).where(LoginRow.started_at < started_before).limit(limit)
            ).all()
        return [Login(**{name: getattr(row, name) for name in Login.__slots__}) for row in rows]

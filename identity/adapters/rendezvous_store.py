"""Waits in the database, for a few seconds each."""

from sqlalchemy import Engine, LargeBinary, String, delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base, transaction
from identity.rendezvous.ports import Wait


class WaitRow(Base):
    """One wallet waits."""

    __tablename__ = "rendezvous_waits"

    reference: Mapped[str] = mapped_column(String(64), primary_key=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    link: Mapped[str] = mapped_column(String(4096))
    created_at: Mapped[int] = mapped_column(index=True)
    expires_at: Mapped[int] = mapped_column(index=True)


class DatabaseWaits:
    """Keeps the promises of `WaitStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, wait: Wait, *, most: int, most_per_second: int) -> bool:
        """As `WaitStore.add`; clears away what has expired."""
        now = wait.created_at
        with transaction(self._engine) as session:
            session.execute(delete(WaitRow).where(WaitRow.expires_at <= now))
            count = select(func.count()).select_from(WaitRow)
            waiting = session.scalar(count) or 0
            recent = session.scalar(count.where(WaitRow.created_at >= now)) or 0
            if waiting >= most or recent >= most_per_second:
                return False
            session.add(
                WaitRow(
                    reference=wait.reference,
                    secret_digest=wait.secret_digest,
                    link=wait.link,
                    created_at=wait.created_at,
                    expires_at=wait.expires_at,
                )
            )
            return True

    def leave(self, reference: str, link: str, *, now: int, expires_at: int) -> bool:
        """As `WaitStore.leave`."""
        change = (
            update(WaitRow)
            .where(WaitRow.reference == reference, WaitRow.link == "", WaitRow.expires_at > now)
            .values(link=link, expires_at=expires_at)
        )
        with transaction(self._engine) as session:
            return _count(session.execute(change)) == 1

    def read(self, reference: str, *, now: int) -> Wait | None:
        """As `WaitStore.read`."""
        wanted = select(WaitRow).where(WaitRow.reference == reference, WaitRow.expires_at > now)
        with transaction(self._engine) as session:
            row = session.scalars(wanted).one_or_none()
            if row is None:
                return None
            return Wait(
                reference=row.reference,
                secret_digest=row.secret_digest,
                link=row.link,
                created_at=row.created_at,
                expires_at=row.expires_at,
            )

    def take(self, reference: str) -> bool:
        """As `WaitStore.take`."""
        gone = delete(WaitRow).where(WaitRow.reference == reference, WaitRow.link != "")
        with transaction(self._engine) as session:
            return _count(session.execute(gone)) == 1


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)

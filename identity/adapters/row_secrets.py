"""Row secrets in a SQLite file of their own, which is in no backup of the vault's database.

A destroyed secret is overwritten (`secure_delete`), and the rollback journal that held it is
removed with the transaction. What is left is the reference and the fact that it was destroyed: so a
restored database is known for what it is, and the row in it stays closed.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from sqlalchemy import BigInteger, Engine, LargeBinary, String, delete, func, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from identity.adapters.database import create_database, transaction
from identity.vault.needs import SecretState

PENDING_SECONDS = 3600  # longer than any write takes; what is older was cut short


class SecretsBase(DeclarativeBase):
    """The one table of the secrets file."""


class RowSecret(SecretsBase):
    """The secret of one version of one row. `secret` is NULL once it was destroyed."""

    __tablename__ = "row_secret"

    ref: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    settled: Mapped[bool]
    put_at: Mapped[int] = mapped_column(BigInteger)


class SqliteRowSecrets:
    """Keeps the promises of `RowSecrets`; several processes of one machine may share the file."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Open the file at `path`, or make it, readable by its owner only."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._engine: Engine = create_database(f"sqlite:///{path}")
        SecretsBase.metadata.create_all(self._engine)
        self._now = now
        # SQLite makes writers try again and again, and some never win; in one process they queue.
        self._writing = Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def put(self, ref: str, version: int, secret: bytes) -> None:
        """As `RowSecrets.put`."""
        with self._writing, transaction(self._engine) as session:
            session.execute(
                delete(RowSecret).where(
                    RowSecret.ref == ref,
                    RowSecret.version == version,
                    RowSecret.settled.is_(False),
                )
            )
            session.add(
                RowSecret(
                    ref=ref, version=version, secret=secret, settled=False, put_at=int(self._now())
                )
            )

    def settle(self, ref: str, version: int) -> None:
        """As `RowSecrets.settle`."""
        with self._writing, transaction(self._engine) as session:
            session.execute(
                update(RowSecret)
                .where(
                    RowSecret.ref == ref,
                    RowSecret.version == version,
                    RowSecret.secret.is_not(None),
                )
                .values(settled=True)
            )
            session.execute(
                delete(RowSecret).where(
                    RowSecret.ref == ref,
                    RowSecret.version < version,
                    RowSecret.secret.is_not(None),
                )
            )

    def drop(self, ref: str, version: int) -> None:
        """As `RowSecrets.drop`; what is settled stays."""
        with self._writing, transaction(self._engine) as session:
            session.execute(
                delete(RowSecret).where(
                    RowSecret.ref == ref,
                    RowSecret.version == version,
                    RowSecret.settled.is_(False),
                )
            )

    def read(self, ref: str, version: int) -> bytes | None:
        """As `RowSecrets.read`."""
        with transaction(self._engine) as session:
            if _destroyed(session, ref):
                return None
            found = session.get(RowSecret, (ref, version))
            return None if found is None else found.secret

    def destroy(self, ref: str) -> None:
        """As `RowSecrets.destroy`."""
        with self._writing, transaction(self._engine) as session:
            highest = session.scalar(
                select(func.max(RowSecret.version)).where(RowSecret.ref == ref)
            )
            session.execute(delete(RowSecret).where(RowSecret.ref == ref))
            session.add(
                RowSecret(
                    ref=ref,
                    version=highest or 0,
                    secret=None,
                    settled=True,
                    put_at=int(self._now()),
                )
            )

    def state(self, ref: str) -> SecretState | None:
        """As `RowSecrets.state`."""
        with transaction(self._engine) as session:
            hers = session.scalars(select(RowSecret).where(RowSecret.ref == ref)).all()
        return self._state(ref, hers) if hers else None

    def states(self, *, after: str, limit: int) -> list[SecretState]:
        """As `RowSecrets.states`."""
        with transaction(self._engine) as session:
            refs = session.scalars(
                select(RowSecret.ref)
                .where(RowSecret.ref > after)
                .distinct()
                .order_by(RowSecret.ref)
                .limit(limit)
            ).all()
            found = session.scalars(select(RowSecret).where(RowSecret.ref.in_(refs))).all()
        by_ref: dict[str, list[RowSecret]] = {ref: [] for ref in refs}
        for row in found:
            by_ref[row.ref].append(row)
        return [self._state(ref, hers) for ref, hers in by_ref.items()]

    def _state(self, ref: str, hers: Sequence[RowSecret]) -> SecretState:
        old = int(self._now()) - PENDING_SECONDS
        live = [row for row in hers if row.secret is not None]
        return SecretState(
            ref=ref,
            settled=max((row.version for row in live if row.settled), default=0),
            pending=tuple(row.version for row in live if not row.settled),
            stale=tuple(row.version for row in live if not row.settled and row.put_at < old),
            destroyed=len(live) < len(hers),
        )


def _destroyed(session: Session, ref: str) -> bool:
    return (
        session.scalar(
            select(RowSecret.ref).where(RowSecret.ref == ref, RowSecret.secret.is_(None)).limit(1)
        )
        is not None
    )

"""Stops of issuing, in the database: every instance obeys from the next delivery on."""

from dataclasses import dataclass

from sqlalchemy import Engine, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.core.stopping import EVERYBODY, IssuingStopped, is_resumed
from registry.core.refusals import NotFound


class NoSuchStop(NotFound):
    """There is no stop of that id that still holds."""


class StopRow(Base):
    """A stop, for one agency or for all. It stays on record when it is over."""

    __tablename__ = "issuer_stops"

    stop: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(String(64), index=True)  # slug of an agency, or `*`
    reason: Mapped[str] = mapped_column(String(64))
    began: Mapped[int]
    ended: Mapped[int | None]


class ResumptionRow(Base):
    """One person's word that a stop may end."""

    __tablename__ = "issuer_stop_resumptions"

    stop: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    signed_at: Mapped[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stop that holds; times in unix seconds."""

    stop: str
    scope: str
    reason: str
    began: int
    resumed_by: int  # how many have signed that it may end


class SqlStopStore:
    """Begins and ends stops."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, stop: str, scope: str, *, reason: str, now: int) -> str:
        """Stop issuing; the id of the stop that holds, which is an earlier one if there is one."""
        with transaction(self._engine) as db:
            known = db.scalar(
                select(StopRow.stop).where(StopRow.scope == scope, StopRow.ended.is_(None)).limit(1)
            )
            if known is not None:
                return known
            db.add(StopRow(stop=stop, scope=scope, reason=reason, began=now, ended=None))
        return stop

    def holding(self) -> list[Stop]:
        """The stops that hold, oldest first."""
        with transaction(self._engine) as db:
            rows = db.scalars(
                select(StopRow).where(StopRow.ended.is_(None)).order_by(StopRow.began)
            ).all()
            return [
                Stop(
                    stop=row.stop,
                    scope=row.scope,
                    reason=row.reason,
                    began=row.began,
                    resumed_by=len(_signers(db, row.stop)),
                )
                for row in rows
            ]

    def resume(self, stop: str, key: str, *, now: int) -> bool:
        """Note that the holder of `key` lets issuing go on; True when enough have.

        Raises:
            NoSuchStop: there is none, or it is over.
        """
        with transaction(self._engine) as db:
            row = db.get(StopRow, stop, with_for_update=True)
            if row is None or row.ended is not None:
                raise NoSuchStop("no stop of that id holds")
            if db.get(ResumptionRow, (stop, key)) is None:
                db.add(ResumptionRow(stop=stop, key=key, signed_at=now))
                db.flush()
            if not is_resumed(_signers(db, stop)):
                return False
            row.ended = now
        return True


def refuse_stopped(db: Session, agency: str) -> None:
    """Refuse while a stop holds for this agency or for all; in the caller's transaction.

    Raises:
        IssuingStopped: one does.
    """
    found = db.scalar(
        select(StopRow.stop)
        .where(StopRow.scope.in_((agency, EVERYBODY)), StopRow.ended.is_(None))
        .limit(1)
    )
    if found is not None:
        raise IssuingStopped("issuing is stopped")


def _signers(db: Session, stop: str) -> list[str]:
    return list(db.scalars(select(ResumptionRow.key).where(ResumptionRow.stop == stop)))

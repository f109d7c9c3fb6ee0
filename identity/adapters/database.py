"""One way to open a database: SQLite by default, PostgreSQL in production.

The standard library's SQLite on many machines lies inside the range of the WAL-reset corruption
(fixed in 3.51.3). A rollback journal with `synchronous=EXTRA` is not touched by it, so that is what
SQLite gets here, whatever the version; the assertion after connecting holds it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import QueuePool, StaticPool

from registry.core.refusals import Unavailable

BUSY_TIMEOUT_MS = 10_000  # how long a writer waits for another before it gives up
# A failed sync can drop pages that the kernel then calls clean: trying again would acknowledge
# what is lost. Such a database is not used again before the process is started anew.
_FAILED_SYNCS = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
_unsynced: WeakSet[Engine] = WeakSet()
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}  # also what an unreadable page becomes


class Base(DeclarativeBase):
    """Tables of the identity services. The vault has its own base and its own database."""


def create_database(url: str) -> Engine:
    """Open the database at `url` (SQLAlchemy form); two processes may open the same one.

    Raises:
        Unavailable: SQLite does not take the durable settings.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, pool_pre_ping=True, pool_size=20, max_overflow=20, hide_parameters=True
        )
    in_file = bool(parsed.database) and parsed.database != ":memory:"
    engine = create_engine(
        parsed,
        poolclass=QueuePool if in_file else StaticPool,
        hide_parameters=True,  # values never stand in an exception or a log
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        journal = cursor.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        cursor.execute("PRAGMA synchronous = EXTRA")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten, not unlinked
        synchronous = cursor.execute("PRAGMA synchronous").fetchone()[0]
        cursor.close()
        if in_file and (journal != "delete" or synchronous != 3):
            raise Unavailable("SQLite does not take the durable settings")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction lets two writers both read "not there yet".
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session in one transaction: committed at the end, rolled back on any raise.

    Raises:
        Unavailable: the database is busy, gone or full; nothing was written. Or it could not be
            synced, now or earlier: what was to be written may be there after a restart.
    """
    if engine in _unsynced:
        raise Unavailable("the database could not be synced; the process must be started again")
    session = Session(engine, expire_on_commit=False)
    try:
        with session.begin():
            yield session
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in _FAILED_SYNCS:
            _unsynced.add(engine)
        raise Unavailable("the database does not answer now") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the database connection was lost") from error
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise Unavailable("the database cannot be read") from error
        raise
    finally:
        session.close()

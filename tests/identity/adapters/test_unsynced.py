"""A database that could not be synced is not written again; one that cannot be read is told."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError

from identity.adapters.database import create_database, transaction
from registry.core.refusals import Unavailable


def broken(kind: type[sqlite3.Error], code: int) -> sqlite3.Error:
    error = kind("broken")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC])
def test_after_a_failed_sync_nothing_is_written(code: int, tmp_path: Path) -> None:
    engine = create_database(f"sqlite:///{tmp_path / 'a.db'}")
    other = create_database(f"sqlite:///{tmp_path / 'b.db'}")

    for _ in range(2):
        with pytest.raises(Unavailable), transaction(engine):
            raise OperationalError("COMMIT", None, broken(sqlite3.OperationalError, code))

    with pytest.raises(Unavailable, match="started again"), transaction(engine):
        pytest.fail("a transaction began")
    with transaction(other) as db:
        db.execute(text("SELECT 1"))
    engine.dispose()
    other.dispose()


def test_a_busy_database_is_tried_again(tmp_path: Path) -> None:
    engine = create_database(f"sqlite:///{tmp_path / 'a.db'}")

    with pytest.raises(Unavailable), transaction(engine):
        raise OperationalError("BEGIN", None, broken(sqlite3.OperationalError, sqlite3.SQLITE_BUSY))

    with transaction(engine) as db:
        db.execute(text("SELECT 1"))
    engine.dispose()


def test_an_unreadable_database_is_unavailable_and_no_crash(tmp_path: Path) -> None:
    engine = create_database(f"sqlite:///{tmp_path / 'a.db'}")

    with pytest.raises(Unavailable), transaction(engine):
        raise DatabaseError("SELECT", None, broken(sqlite3.DatabaseError, sqlite3.SQLITE_CORRUPT))
    engine.dispose()

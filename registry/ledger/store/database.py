"""One SQLite file: opened durably by one process, written in one transaction for each block.

The standard library's SQLite on many machines lies inside the range of the WAL-reset corruption
(fixed in 3.51.3), hence APSW, whose wheel carries its own; `open_database` refuses an older one.
"""

import fcntl
import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from registry.core.refusals import Conflict, Unavailable
from registry.ledger.port import LedgerDamaged

OLDEST_SQLITE = (3, 51, 3)
FORMAT = 1  # user_version; a store written by a newer release is refused
BUSY_TIMEOUT_MS = 5_000  # only a checkpoint or an auditor can be in the way
MAX_READERS = 16  # connections kept open; more readers at once open one for themselves
CHECKPOINT_PAGES = 2_000  # length of the write-ahead log, 8 MiB, after which its pages are moved
_HEADER_BYTES = 100

LEDGER_TABLES = """
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE log_nodes (
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE map_nodes (
  hash BLOB NOT NULL PRIMARY KEY,
  node BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
  key BLOB NOT NULL,
  height INTEGER NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (key, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE heads (
  height INTEGER PRIMARY KEY,
  size INTEGER NOT NULL UNIQUE,
  note BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Whose file it is, and its tables. Another program's file is not ours to write."""

    application_id: int
    tables: str = LEDGER_TABLES


class LedgerNotOpened(Unavailable):
    """The ledger file cannot be opened safely; the detail says why."""


class LedgerInUse(Conflict):
    """Another process has this ledger open. Two writers would sign two histories."""


class Database:
    """The open file: one writing connection, and reading ones that are lent out."""

    def __init__(self, path: Path, *, lock: int, writer: apsw.Connection) -> None:
        self.path = path
        self._lock = lock
        self._writer = writer
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue(MAX_READERS)
        self._closed = False
        self._log_pages = CHECKPOINT_PAGES + 1  # unknown; the first block moves what is there
        writer.set_wal_hook(self._log_grew)

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection that cannot write, to the last committed state.

        Raises:
            LedgerDamaged: SQLite finds its own structure damaged, or cannot read the file.
        """
        if self._closed:
            raise Unavailable("the ledger is closed")
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            with sqlite_damage():
                connection = connect(self.path, write=False)
        try:
            with sqlite_damage():
                yield connection
        finally:
            try:
                self._readers.put_nowait(connection)
            except queue.Full:
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """The writing connection inside a transaction: committed at the end, or rolled back.

        Only one thread may be here at a time. What SQLite raises passes through: after it, the
        caller cannot know what is on disk (a failed sync may have dropped pages the kernel then
        calls clean), and must stop writing.
        """
        if self._closed:
            raise Unavailable("the ledger is closed")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def move_pages(self) -> None:
        """Move the write-ahead log into the file once it is long enough.

        SQLite's own automatic checkpoint keeps quiet about errors; this one raises them. A full
        disk is none: every page is in the log still, and the next block tries again.
        """
        if self._log_pages > CHECKPOINT_PAGES:
            try:
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.FullError:
                return
            self._log_pages = 0

    def _log_grew(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def close(self) -> None:
        """Close every connection, then let another process in."""
        if self._closed:
            return
        self._closed = True
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                break
        self._writer.close()
        os.close(self._lock)


def open_database(path: Path, layout: Layout) -> Database:
    """Open or create the ledger file at `path` and hold it against other processes.

    Raises:
        LedgerInUse: another process holds it.
        LedgerNotOpened: SQLite is too old, or the file is not one of ours, or too new, or does not
            take the durable settings.
    """
    assert_sqlite_version()
    lock = _hold(path)
    try:
        try:
            _check_length(path)
            writer = connect(path, write=True)
            _prepare(writer, layout)
        except (apsw.Error, OSError) as error:
            raise LedgerNotOpened(
                f"{path.name} cannot be opened as a ledger file ({type(error).__name__})"
            ) from error
        return Database(path, lock=lock, writer=writer)
    except BaseException:
        os.close(lock)
        raise


def connect(path: Path, *, write: bool) -> apsw.Connection:
    """One connection with our settings."""
    flags = (
        apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
    )
    connection = apsw.Connection(os.fspath(path), flags=flags)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        # Nothing is moved behind our back: see `move_pages`.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.wal_autocheckpoint(0)
        connection.pragma("cell_size_check", True)
        connection.pragma("cache_size", -16_000 if write else -4_000)  # KiB
    except BaseException:
        connection.close()
        raise
    return connection


def assert_sqlite_version() -> None:
    """Refuse to work on a SQLite with the WAL-reset corruption.

    Raises:
        LedgerNotOpened: SQLite is older than `OLDEST_SQLITE`.
    """
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < OLDEST_SQLITE:
        raise LedgerNotOpened(
            f"SQLite {version} can corrupt a write-ahead log; use {OLDEST_SQLITE}"
        )


@contextmanager
def sqlite_damage() -> Iterator[None]:
    """Turn what SQLite raises on reading a damaged file into `LedgerDamaged`.

    A flipped bit in a row's header makes text of bytes, and then not even UTF-8.
    """
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise LedgerDamaged(f"the ledger file cannot be read ({type(error).__name__})") from error


def _check_length(path: Path) -> None:
    """Compare the file's length with the one in its header (SQLite file format §1.3.7).

    SQLite would go on until it misses a page. With a write-ahead log the pages may still be there.
    """
    wal = Path(f"{path}-wal")
    if not path.exists() or not path.stat().st_size or (wal.exists() and wal.stat().st_size):
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    page_size = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    if len(header) < _HEADER_BYTES or path.stat().st_size < pages * page_size:
        raise LedgerNotOpened(f"{path.name} is cut short")


def _prepare(writer: apsw.Connection, layout: Layout) -> None:
    """Durable settings, and the tables in a file that is still empty."""
    journal = writer.pragma("journal_mode", "wal")
    writer.pragma("synchronous", 3)  # EXTRA: as FULL with a write-ahead log, and more without
    if journal != "wal" or writer.pragma("synchronous") != 3:
        raise LedgerNotOpened("SQLite does not take the durable settings")
    writer.execute("BEGIN IMMEDIATE")
    application, version = writer.pragma("application_id"), writer.pragma("user_version")
    empty = not writer.execute("SELECT count(*) FROM sqlite_schema").get
    if empty and (application, version) == (0, 0):
        writer.execute(layout.tables)
        writer.pragma("application_id", layout.application_id)
        writer.pragma("user_version", FORMAT)
    elif application != layout.application_id:
        raise LedgerNotOpened("the file belongs to another program")
    elif version != FORMAT:
        raise LedgerNotOpened(f"the file has format {version}, this release writes {FORMAT}")
    writer.execute("COMMIT")


def _hold(path: Path) -> int:
    """Take the lock that says "this process writes here"; it falls with the process."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerNotOpened(f"{path.name}.lock cannot be opened") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LedgerInUse(f"another process has {path.name} open") from error
    except BaseException:
        os.close(lock)
        raise
    return lock


def single(connection: apsw.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    """First column of the first row, or None."""
    return connection.execute(statement, values).get

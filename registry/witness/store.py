"""The one head of each log that a witness must never forget, in a small file of its own.

Compare-and-swap under SQLite's write lock: of two requests that were judged against one head, also
in two processes, one is stored and the other is told. The file must not be restored from a backup
without a look: a witness that forgot a head could co-sign another one of the same size.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from registry.core.refusals import Conflict, Unavailable

APPLICATION_ID = 0x434E5754  # "CNWT"
FORMAT = 1
BUSY_TIMEOUT_MS = 5_000
MAX_CONFLICTS = 16  # pairs of heads kept for each log; one is enough to convict

_TABLES = """
CREATE TABLE last (network TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE conflicts (
  network TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  known TEXT NOT NULL,
  offered TEXT NOT NULL,
  PRIMARY KEY (network, known, offered)
) STRICT;
"""


class StoreMoved(Conflict):
    """Another request was first: the store holds another head than the one that was judged."""


class WitnessStoreFailed(Unavailable):
    """The store cannot be read or written; nothing is co-signed on its word."""


class WitnessStore:
    """One SQLite file; any number of threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it.

        Raises:
            WitnessStoreFailed: it is another program's, of another format, or not durable.
        """
        self._lock = threading.Lock()
        with _failures():
            self._db = apsw.Connection(os.fspath(path))
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def last(self, network: str) -> str | None:
        """The head co-signed last, as it was stored; None when there is none yet.

        Raises:
            WitnessStoreFailed: the file cannot be read.
        """
        with self._lock, _failures():
            return self._last(network)

    def swap(self, network: str, *, expected: str | None, note: str) -> None:
        """Replace the last head; on disk when this returns.

        Raises:
            StoreMoved: it is not `expected` any more; nothing changed.
            WitnessStoreFailed: it may or may not have been stored.
        """
        with self._lock, _failures(), self._writing():
            if self._last(network) != expected:
                raise StoreMoved("another request moved the last head")
            self._db.execute(
                "INSERT INTO last VALUES (?, ?) ON CONFLICT DO UPDATE SET note = excluded.note",
                (network, note),
            )

    def keep_conflict(self, network: str, *, known: str, offered: str, seen_at: int) -> None:
        """Keep two heads that a log's keys have signed for one size; the first ones stay.

        Raises:
            WitnessStoreFailed: as `swap`.
        """
        with self._lock, _failures(), self._writing():
            (count,) = next(
                self._db.execute("SELECT count(*) FROM conflicts WHERE network = ?", (network,))
            )
            if count < MAX_CONFLICTS:
                self._db.execute(
                    "INSERT OR IGNORE INTO conflicts VALUES (?, ?, ?, ?)",
                    (network, seen_at, known, offered),
                )

    def conflicts(self, network: str) -> list[tuple[str, str]]:
        """Pairs of heads, known and offered, that convict the log."""
        with self._lock, _failures():
            rows = self._db.execute(
                "SELECT known, offered FROM conflicts WHERE network = ? ORDER BY seen_at",
                (network,),
            )
            return [(str(known), str(offered)) for known, offered in rows]

    def _last(self, network: str) -> str | None:
        found = self._db.execute("SELECT note FROM last WHERE network = ?", (network,)).get
        return None if found is None else str(found)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        db = self._db
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        journal = db.pragma("journal_mode", "delete")
        db.pragma("synchronous", 3)  # EXTRA: the directory is synced too
        if journal != "delete" or db.pragma("synchronous") != 3:
            raise WitnessStoreFailed("SQLite does not take the durable settings")
        with self._writing():
            found = (db.pragma("application_id"), db.pragma("user_version"))
            if found == (0, 0) and not db.execute("SELECT count(*) FROM sqlite_schema").get:
                db.execute(_TABLES)
                db.pragma("application_id", APPLICATION_ID)
                db.pragma("user_version", FORMAT)
            elif found != (APPLICATION_ID, FORMAT):
                raise WitnessStoreFailed("the file is not the store of a witness, or too new")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise WitnessStoreFailed(f"the store failed ({type(error).__name__})") from error

"""What a monitor remembers across runs: every head it accepted, and the state behind the last.

Nothing of it is believed at the next start either: the state must give the state root of the last
head, the edge of the log its log root, and the head must be signed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.proofs import HASH_BYTES
from registry.core.refusals import Refusal, Unavailable
from registry.replay import Replay

APPLICATION_ID = 0x434E4D4F  # "CNMO"
FORMAT = 1
BUSY_TIMEOUT_MS = 5_000

_TABLES = """
CREATE TABLE last (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  network TEXT NOT NULL,
  note TEXT NOT NULL,
  edge BLOB NOT NULL,
  grown_at INTEGER NOT NULL
) STRICT;
CREATE TABLE heads (height INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class MemoryFailed(Unavailable):
    """The monitor's memory cannot be read, written, or believed."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Where the monitor stands."""

    replay: Replay
    note: str  # the last head as it was served
    grown_at: int  # Unix seconds, by the monitor's clock: when it came


class Memory:
    """One SQLite file, for one monitor."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it.

        Raises:
            MemoryFailed: it is another program's, or cannot be written.
        """
        with _failures():
            self._db = apsw.Connection(os.fspath(path))
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def load(self, trust: AnyTrustAnchor) -> Remembered | None:
        """What is remembered, checked against the last head; None before the first look.

        Raises:
            MemoryFailed: it does not fit its head, or is of another network or other keys.
        """
        with _failures():
            row = next(
                iter(self._db.execute("SELECT network, note, edge, grown_at FROM last")), None
            )
            if row is None:
                return None
            network, note, edge, grown_at = row
            state = {
                str(key): bytes(value)
                for key, value in self._db.execute("SELECT key, value FROM records")
            }
        if network != trust.network:
            raise MemoryFailed("the memory is of another network")
        hashes = [bytes(edge[at : at + HASH_BYTES]) for at in range(0, len(edge), HASH_BYTES)]
        try:
            replay = Replay.resume(trust, note=str(note), edge=hashes, state=state)
        except Refusal as refusal:
            raise MemoryFailed(f"the memory cannot be believed: {refusal.detail}") from refusal
        return Remembered(replay, str(note), int(grown_at))

    def head(self, height: int) -> str | None:
        """The head that was accepted at a height."""
        with _failures():
            found = self._db.execute("SELECT note FROM heads WHERE height = ?", (height,)).get
        return None if found is None else str(found)

    def save(
        self,
        replay: Replay,
        *,
        notes: Mapping[int, str],
        records: Sequence[str],
        grown_at: int,
    ) -> None:
        """Remember a replay that stands at the end of a block.

        Args:
            replay: its last head is the one with the greatest height in `notes`.
            notes: heads accepted since the last time, by height; at least one.
            records: keys of the records that changed since.
            grown_at: Unix seconds.

        Raises:
            MemoryFailed: it cannot be written; nothing changed.
        """
        last = notes[max(notes)]
        edge = b"".join(item for _, item in replay.log.edge)
        with _failures(), self._writing():
            self._db.executemany(
                "INSERT INTO heads VALUES (?, ?) ON CONFLICT DO UPDATE SET note = excluded.note",
                list(notes.items()),
            )
            self._db.executemany(
                "INSERT INTO records VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET value = excluded.value",
                [(key, replay.state[key]) for key in records],
            )
            self._db.execute(
                "INSERT INTO last VALUES (1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "network = excluded.network, note = excluded.note, edge = excluded.edge, "
                "grown_at = excluded.grown_at",
                (replay.trust.network, last, edge, grown_at),
            )

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
        db.pragma("synchronous", 3)  # EXTRA: what was seen once must be held against the registry
        if journal != "delete" or db.pragma("synchronous") != 3:
            raise MemoryFailed("SQLite does not take the durable settings")
        with self._writing():
            found = (db.pragma("application_id"), db.pragma("user_version"))
            if found == (0, 0) and not db.execute("SELECT count(*) FROM sqlite_schema").get:
                db.execute(_TABLES)
                db.pragma("application_id", APPLICATION_ID)
                db.pragma("user_version", FORMAT)
            elif found != (APPLICATION_ID, FORMAT):
                raise MemoryFailed("the file is not the memory of a monitor, or too new")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise MemoryFailed(f"the memory failed ({type(error).__name__})") from error

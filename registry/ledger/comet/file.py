"""The ledger file of a member: the rows of every engine, and what ties them to CometBFT's blocks.

`blocks` has a row for each ledger height: the head's six lines, and the height of the engine whose
block held the entries. A head is *sealed* once the light block that vouches for it is known, and
only then does it stand in `heads`. `engine` has one row: exactly what Info must answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.core.checkpoint import Head, parse_head_text
from registry.core.genesis import Genesis
from registry.core.refusals import Malformed
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.database import (
    LEDGER_TABLES,
    Database,
    Layout,
    LedgerNotOpened,
    open_database,
    single,
    sqlite_damage,
)
from registry.ledger.store.reading import check_log_root, checked_entries
from registry.ledger.store.rows import NodeCache, Rows
from registry.ledger.store.writing import FinishedBlock, genesis_entry, write

LAYOUT = Layout(
    application_id=0x43415243,  # "CARC"
    tables=LEDGER_TABLES
    + """
CREATE TABLE blocks (
  height INTEGER PRIMARY KEY,
  engine_height INTEGER NOT NULL UNIQUE,
  head BLOB NOT NULL
) STRICT;
CREATE INDEX state_by_height ON state (height);
CREATE TABLE engine (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  height INTEGER NOT NULL,
  app_hash BLOB NOT NULL
) STRICT;
""",
)


class RestorationBroken(LedgerNotOpened):
    """What is stored is part of a snapshot, and no ledger yet."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the last Commit left: the pair that Info answers, and the head behind the hash."""

    engine_height: int
    app_hash: bytes
    head: Head


@dataclass(frozen=True, slots=True)
class MadeHead:
    """A head of the ledger, and the height of the engine at which its entries were decided."""

    head: Head
    engine_height: int


class MemberFile:
    """The open file. Blocks and seals are written by two threads, one at a time."""

    def __init__(self, database: Database) -> None:
        """Use `open`."""
        self.database = database
        self.cache = NodeCache()
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> "MemberFile":
        """Open or create the file at `path`.

        Raises:
            LedgerInUse: another process has it open.
            LedgerNotOpened: it cannot be opened safely.
        """
        return cls(open_database(path, LAYOUT))

    def close(self) -> None:
        """Let the file go."""
        with self._turn:
            self.database.close()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Rows of the last committed state.

        Raises:
            LedgerDamaged: they cannot be read.
        """
        with self.database.reading() as db:
            yield Rows(db, self.cache)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Rows inside a transaction, committed at the end. What SQLite raises passes through."""
        with self._turn:
            with self.database.writing() as db:
                yield Rows(db, self.cache)
            self.database.move_pages()

    def recover(self, genesis: Genesis) -> Committed | None:
        """Where the file stands, after a look at what the next block builds on; None when new.

        Raises:
            LedgerNotOpened: it began with another genesis.
            LedgerDamaged: its rows do not fit each other.
        """
        with self.reading() as rows, sqlite_damage():
            row = rows.db.execute("SELECT height, app_hash FROM engine").get
            made = newest_made(rows)
            if row is None and made is None:
                return None
            if row is None or (row[0] == 0 and made and made.head.height > 0):
                raise RestorationBroken("a snapshot was being restored when the node stopped")
            if checked_entries(rows, 0, 1) != [genesis_entry(genesis).encode()]:
                raise LedgerNotOpened("the ledger began with another genesis")
            if made is None:
                raise LedgerDamaged("the newest head is missing")
            check_log_root(rows, made.head)
            return Committed(row[0], row[1], made.head)


def forget(rows: Rows) -> None:
    """Empty the ledger, for a snapshot to be restored from its beginning."""
    for table in ("entries", "log_nodes", "map_nodes", "state", "heads", "blocks", "engine"):
        rows.db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above


def begin(rows: Rows, block: FinishedBlock, app_hash: bytes) -> None:
    """Write block 0, before any block of the engine."""
    add_block(rows, block, engine_height=0)
    rows.db.execute("INSERT INTO engine (id, height, app_hash) VALUES (0, 0, ?)", (app_hash,))


def advance(
    rows: Rows, block: FinishedBlock | None, *, engine_height: int, app_hash: bytes
) -> None:
    """Write a block of the engine, which may have added nothing to the ledger."""
    if block is not None:
        add_block(rows, block, engine_height=engine_height)
    rows.db.execute(
        "UPDATE engine SET height = ?, app_hash = ? WHERE id = 0", (engine_height, app_hash)
    )


def newest_made(rows: Rows) -> MadeHead | None:
    """The newest head, sealed or not.

    Raises:
        LedgerDamaged: it cannot be read.
    """
    height = single(rows.db, "SELECT max(height) FROM blocks", ())
    return None if height is None else made_head(rows, height)


def made_head(rows: Rows, height: int) -> MadeHead | None:
    """The head of a height, sealed or not; None when there is none.

    Raises:
        LedgerDamaged: it cannot be read.
    """
    row = rows.db.execute("SELECT engine_height, head FROM blocks WHERE height = ?", (height,)).get
    return None if row is None else _made(height, *row)


def unsealed(rows: Rows, *, most: int) -> list[MadeHead]:
    """The oldest heads that no light block vouches for yet.

    Raises:
        LedgerDamaged: one cannot be read.
    """
    found = rows.db.execute(
        "SELECT height, engine_height, head FROM blocks"
        " WHERE height > coalesce((SELECT max(height) FROM heads), -1) ORDER BY height LIMIT ?",
        (most,),
    )
    return [_made(*row) for row in found]


def add_block(rows: Rows, block: FinishedBlock, *, engine_height: int) -> None:
    """Write a block of the ledger, whose head is not sealed yet."""
    write(rows, block)
    rows.db.execute(
        "INSERT INTO blocks (height, engine_height, head) VALUES (?, ?, ?)",
        (block.head.height, engine_height, block.head.text.encode("utf-8")),
    )


def _made(height: int, engine_height: object, text: object) -> MadeHead:
    try:
        head = parse_head_text(bytes(text).decode("utf-8"))  # type: ignore[call-overload]
    except (Malformed, UnicodeDecodeError, TypeError) as error:
        raise LedgerDamaged(f"the head of height {height} is damaged") from error
    if head.height != height or not isinstance(engine_height, int):
        raise LedgerDamaged(f"the head of height {height} is that of another height")
    return MadeHead(head, engine_height)

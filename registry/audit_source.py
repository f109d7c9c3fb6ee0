"""What an audit reads: through the port of any engine, or from a ledger file, in use or not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from registry.core.checkpoint import Head, parse_head
from registry.core.refusals import NotFound
from registry.ledger.port import MAX_ENTRIES, Ledger, LedgerDamaged
from registry.ledger.store.database import assert_sqlite_version, connect, sqlite_damage
from registry.ledger.store.reading import CheckedState, checked_entries
from registry.ledger.store.rows import NodeCache, Rows


class NoLedgerFile(NotFound):
    """There is no such file."""


@runtime_checkable
class AuditSource(Protocol):
    """Entries, heads and values as they are stored. Damage that shows itself may be raised."""

    def head(self, height: int | None) -> str:
        """The head of a height as checkpoint text, unverified; None for the newest."""
        ...

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """Some of the entries from `start` on, at least one if there is one, at most `count`."""
        ...

    def value(self, key: str, head: Head) -> bytes | None:
        """What is stored under `key` in the state of `head`."""
        ...

    def has_value(self, key: str, height: int, value: bytes) -> bool:
        """Whether `value` is what is stored as put under `key` at this `height`."""
        ...

    def has_log_node(self, level: int, index: int, node: bytes) -> bool:
        """Whether this hash is stored for the perfect subtree `(level, index)`."""
        ...

    def has_map_node(self, key: bytes, node: bytes) -> bool:
        """Whether this node of the state map is stored under its hash `key`."""
        ...

    def lost_place(self) -> str | None:
        """What says that something may be stored which cannot be found; None when nothing does."""
        ...


@dataclass(frozen=True, slots=True)
class PortSource:
    """Any engine, by its port."""

    ledger: Ledger

    def head(self, height: int | None) -> str:
        """As `AuditSource.head`."""
        return self.ledger.head(height)

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """As `AuditSource.entries`."""
        return self.ledger.entries(start, min(count, MAX_ENTRIES))

    def value(self, key: str, head: Head) -> bytes | None:
        """As `AuditSource.value`."""
        return self.ledger.read(key, prove=False, height=head.height).value

    def has_value(self, key: str, height: int, value: bytes) -> bool:
        """As `AuditSource.has_value`."""
        return self.ledger.read(key, prove=False, height=height).value == value

    def has_log_node(self, level: int, index: int, node: bytes) -> bool:  # noqa: ARG002
        """A port hands out no nodes; what it proves with them, it has checked."""
        return True

    def has_map_node(self, key: bytes, node: bytes) -> bool:  # noqa: ARG002
        """As `has_log_node`."""
        return True

    def lost_place(self) -> None:
        """As `has_log_node`: a port answers by its newest head, which the engine keeps twice."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of the embedded engine, read in one snapshot, without its lock."""

    rows: Rows

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["FileSource"]:
        """Open the file at `path` for reading.

        Raises:
            NoLedgerFile: there is none.
            LedgerNotOpened: SQLite is too old.
            LedgerDamaged: it cannot be read.
        """
        assert_sqlite_version()
        if not path.exists():
            raise NoLedgerFile(f"there is no file {path.name}")
        with sqlite_damage():
            db = connect(path, write=False)
            try:
                db.execute("BEGIN")
                yield cls(Rows(db, NodeCache()))
            finally:
                db.close()

    def head(self, height: int | None) -> str:
        """As `AuditSource.head`."""
        if height is None:
            height = self.rows.newest_height()
        if height is None or (note := self.rows.head(height)) is None:
            raise LedgerDamaged(f"the head of height {height} is missing")
        size = parse_head(note).claimed.tree_size
        # Row and index are two places of the file, and either may be damaged.
        if (self.rows.size_of_height(height), self.rows.height_of_size(size)) != (size, height):
            raise LedgerDamaged(f"the head of height {height} is stored under another size")
        return note

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """As `AuditSource.entries`."""
        return checked_entries(self.rows, start, min(count, MAX_ENTRIES))

    def value(self, key: str, head: Head) -> bytes | None:
        """As `AuditSource.value`, compared with the stored state map."""
        return CheckedState(self.rows, head).get(key)

    def has_value(self, key: str, height: int, value: bytes) -> bool:
        """As `AuditSource.has_value`."""
        return self.rows.value_put(key, height) == value

    def has_log_node(self, level: int, index: int, node: bytes) -> bool:
        """As `AuditSource.has_log_node`."""
        return self.rows.node(level, index) == node

    def has_map_node(self, key: bytes, node: bytes) -> bool:
        """As `AuditSource.has_map_node`."""
        return self.rows.get(key) == node

    def lost_place(self) -> str | None:
        """As `AuditSource.lost_place`: every page of the file belongs to one tree, in its order.

        One bit in a page of the heads can lead past the newest of them, and what is left is whole.
        """
        ((found,),) = self.rows.db.execute("PRAGMA integrity_check(1)")
        return None if found == "ok" else str(found)

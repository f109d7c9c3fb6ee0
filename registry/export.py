"""Writes a whole history into one file that can be checked without us; docs/export.md has the form.

One line of canonical JSON each: the trust anchor, then for each block its entries and its head,
and at the end counts and a digest. Nothing is held in memory but one answer of the source.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.core.any_trust_anchor import AnyTrustAnchor, trust_anchor_json
from registry.core.checkpoint import parse_head
from registry.core.encoding import JsonObject, canonical_json
from registry.core.refusals import Conflict, Unavailable
from registry.ledger.entries import LogEntry
from registry.ledger.port import MAX_ENTRIES, LedgerDamaged

TYPE = "cairn-export/1"
ENTRY, HEAD, END = b'{"entry":', b'{"head":', b'{"end":'


class ExportExists(Conflict):
    """There is a file of this name; an export never replaces one."""


class ExportNotWritten(Unavailable):
    """The file could not be written; nothing of it is there."""


class HistorySource(Protocol):
    """Where entries and heads come from: a ledger file, an engine, or a node over HTTP."""

    def head(self, height: int | None) -> str:
        """The head of a height as checkpoint text, unverified; None for the newest."""
        ...

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """Some of the entries from `start` on, at least one if there is one, at most `count`."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    entries: int
    heads: int
    bytes: int


def export(source: HistorySource, trust: AnyTrustAnchor, out: Path) -> Exported:
    """Write the history up to the newest head to `out`; the file is there whole, or not at all.

    Nothing is verified here but that each block ends with its head: `check_export` does the rest,
    and whoever receives the file has to do it again anyway.

    Raises:
        ExportExists: `out` is there already.
        LedgerDamaged: an entry or a head is missing, or unreadable.
        Unavailable: the source does not answer.
        ExportNotWritten: the file cannot be written.
    """
    if out.exists():
        raise ExportExists(f"{out.name} is already there")
    try:
        writer = _write(source, trust, out)
    except FileExistsError as error:
        raise ExportExists(f"{out.name} is already there") from error
    except OSError as error:
        raise ExportNotWritten(f"{out.name} cannot be written: {error.strerror}") from error
    return Exported(entries=writer.entries, heads=writer.heads, bytes=writer.file.written)


def _write(source: HistorySource, trust: AnyTrustAnchor, out: Path) -> "_Writer":
    """Write beside `out`, sync, and link into place."""
    partial = out.with_name(out.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer = _Writer(_Digesting(file))
            writer.history(source, trust)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, out)  # unlike rename, refuses to replace what is there
    finally:
        partial.unlink(missing_ok=True)
    directory = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return writer


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Digesting:
    """Counts and hashes what it passes on."""

    def __init__(self, file: _Sink) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.written = 0

    def line(self, data: bytes) -> None:
        self._file.write(data + b"\n")
        self._hash.update(data + b"\n")
        self.written += len(data) + 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


@dataclass(slots=True)
class _Writer:
    file: _Digesting
    entries: int = 0
    heads: int = 0

    def history(self, source: HistorySource, trust: AnyTrustAnchor) -> None:
        self._object({"type": TYPE, "trust_anchor": trust_anchor_json(trust)})
        newest = parse_head(source.head(None)).claimed
        block: tuple[int, int] | None = None
        while self.entries < newest.tree_size:
            wanted = min(MAX_ENTRIES, newest.tree_size - self.entries)
            batch = source.entries(self.entries, wanted)
            if not batch:
                raise LedgerDamaged(f"log entry {self.entries} is missing")
            for data in batch[:wanted]:
                entry = LogEntry.parse(data)
                at = (entry.height, entry.time)
                if block is not None and at != block:
                    self._head(source, block[0])
                block = at
                self.file.line(ENTRY + data + b"}")
                self.entries += 1
        if block is not None:
            self._head(source, block[0])
        self._object(
            {
                "end": {
                    "entries": self.entries,
                    "heads": self.heads,
                    "sha256": self.file.digest,
                }
            }
        )

    def _head(self, source: HistorySource, height: int) -> None:
        note = source.head(height)
        claimed = parse_head(note).claimed
        if (claimed.height, claimed.tree_size) != (height, self.entries):
            raise LedgerDamaged(f"the head of height {height} does not end its block")
        self._object({"head": note})
        self.heads += 1

    def _object(self, value: JsonObject) -> None:
        self.file.line(canonical_json(value))

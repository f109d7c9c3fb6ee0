"""The audit file: one JSON line a record, each with the hash of the line before it.

Several processes may append to one file; a lock on it keeps their lines apart. A line is on disk
before `record` returns. Whoever alters, drops or moves a line breaks the chain after it; dropping
lines from the end shows against the second sink, which holds the same ids.

Records past their term are cut off the beginning. The first line then says how many, and which hash
the record after them names as the one before it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from identity.vault.records import AuditRecord
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.hashing import labelled_hash, sha256
from registry.core.refusals import Conflict, Malformed, Unavailable

MAX_LINE_BYTES = 4096  # six codes of at most 128 characters, three hashes
_LABEL = "cairn/vault-audit/v1"
_TAIL_BYTES = 4 * MAX_LINE_BYTES  # the last record, and some appends after it cut short
_START = bytes(32).hex()  # what the first line names as the one before it


class AuditFileBroken(Conflict):
    """A line of the audit file does not follow from the one before it."""


class AuditFileUnusable(Unavailable):
    """The audit file cannot be written."""


class FileAuditSink:
    """Keeps the promises of `AuditSink` with an append-only, hash-chained file, mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()  # the lock on the file is the process's, not the thread's
        self._failed = False

    def record(self, entry: AuditRecord) -> None:
        """As `AuditSink.record`.

        Raises:
            AuditFileUnusable: not written; after a failed write or sync, until the restart. What
                such a failure left on disk is unknown, and a later success would not tell.
        """
        with self._lock:
            if self._failed:
                raise AuditFileUnusable("the audit file failed before")
            try:
                with _locked(self._path) as file:
                    self._append(file, entry)
            except OSError as error:
                self._failed = True
                raise AuditFileUnusable("the audit file cannot be written") from error

    def staying(self, before: int) -> set[str]:
        """Identifiers of records that are older than `before`, but come after one that is not.

        Clocks go back at times; the chain is cut at one place only.
        """
        if not self._path.is_file():
            return set()
        found = [members for line in _lines(self._path) if (members := _record_of(line))]
        first = next((at for at, m in enumerate(found) if m["time"] >= before), len(found) - 1)
        return {str(m["id"]) for m in found[max(first, 0) :] if m["time"] < before}

    def cut(self, before: int) -> None:
        """Drop the oldest records, up to the first that is not older than `before` (unix seconds).

        The newest record stays, whatever its age. The rest is written beside the file and put in
        its place, so a crash leaves the one or the other. Safe to repeat.

        Raises:
            AuditFileBroken: the chain is broken; nothing is dropped that cannot be believed.
            AuditFileUnusable: not written.
        """
        with self._lock:
            if not self._path.is_file():
                return
            try:
                with _locked(self._path):  # nobody appends meanwhile, and whoever waits looks again
                    verify_audit_file(self._path)
                    kept = _without(self._path, before)
                    if kept is not None:
                        _put_in_place(self._path, kept)
            except OSError as error:
                raise AuditFileUnusable("the audit file cannot be written") from error

    def _append(self, file: int, entry: AuditRecord) -> None:
        previous, torn, ended = _last_record(file)
        members: JsonObject = dict(entry.members()) | {"previous": previous}
        if torn:
            # A crash cut an append short: nobody was told of it, and nothing was read. The bytes
            # stay, and the chain covers them.
            members["torn"] = sha256(torn).hex()
        line = canonical_json(members | {"hash": _hash_of(members)}) + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise AuditFileUnusable("the audit record is too long")
        whole = line if ended else b"\n" + line
        if os.write(file, whole) != len(whole):
            raise OSError("short write")
        os.fsync(file)


def verify_audit_file(path: Path) -> list[str]:
    """Check the chain of an audit file from its first line on.

    Returns:
        The ids of its records, in order; compare them with the second sink.

    Raises:
        AuditFileBroken: a line was altered, dropped, moved or put in; with its number.
    """
    ids: list[str] = []
    previous, torn = _START, list[bytes]()
    for number, line in enumerate(_lines(path), start=1):
        if number == 1 and (cut := _cut_of(line)) is not None:
            previous = str(cut["after"])
            continue
        members = _record_of(line)
        if members is None:
            torn.append(line)
            continue
        expected = sha256(b"\n".join(torn)).hex() if torn else None
        if members["previous"] != previous or members.get("torn") != expected:
            raise AuditFileBroken(f"line {number} of the audit does not follow")
        previous, torn = members["hash"], []
        ids.append(members["id"])
    return ids


def read_audit_file(path: Path) -> list[AuditRecord]:
    """Every record of an audit file whose chain is whole, in order.

    Raises:
        AuditFileBroken: as `verify_audit_file`.
    """
    verify_audit_file(path)
    found = (_record_of(line) for line in _lines(path))
    return [_entry(members) for members in found if members is not None]


def last_audit_record(path: Path) -> AuditRecord | None:
    """The newest record of an audit file, or None when there is none.

    Raises:
        AuditFileUnusable: the file does not end in records.
    """
    if not path.is_file():
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    for line in reversed(tail.split(b"\n")):
        if (members := _record_of(line)) is not None:
            return _entry(members)
    if size > _TAIL_BYTES:
        raise AuditFileUnusable("the audit file does not end in records; look at it by hand")
    return None


def _entry(members: JsonObject) -> AuditRecord:
    return AuditRecord(**{name: members[name] for name in AuditRecord.__slots__})


def _without(path: Path, before: int) -> list[bytes] | None:
    """The lines of a whole file without its oldest records; None when none is that old."""
    lines = list(_lines(path))
    if not lines:  # a crash came between making the file and its first record
        return None
    dropped, first = 0, 0
    if (cut := _cut_of(lines[0])) is not None:
        dropped, first = int(cut["cut"]), 1
    records = [
        (at, members)
        for at, line in enumerate(lines[first:], start=first)
        if (members := _record_of(line)) is not None
    ]
    old = 0
    while old < len(records) - 1 and records[old][1]["time"] < before:
        old += 1
    if old == 0:
        return None
    at, last = records[old - 1]
    first_line: JsonObject = {"cut": dropped + old, "after": last["hash"]}
    told = first_line | {"hash": _hash_of(first_line)}
    return [canonical_json(told), *lines[at + 1 :]]


def _put_in_place(path: Path, lines: list[bytes]) -> None:
    beside = path.with_name(path.name + ".new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as writer:
        writer.write(b"".join(line + b"\n" for line in lines))
        writer.flush()
        os.fsync(writer.fileno())
    beside.replace(path)
    _sync_folder(path)


def _cut_of(line: bytes) -> JsonObject | None:
    """What the first line says of records that were cut off, when it is such a line."""
    try:
        members = parse_json_object(line, max_bytes=MAX_LINE_BYTES)
        claimed = members.pop("hash")
    except (Malformed, KeyError):
        return None
    if set(members) != {"cut", "after"} or claimed != _hash_of(members):
        return None
    return members


def _sync_folder(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, locked; not one that a cut has replaced while this waited for the lock."""
    while True:
        with _locked_as_it_was(path) as file:
            there = path.stat() if path.exists() else None
            if there is not None and there.st_ino == os.fstat(file).st_ino:
                yield file
                return


@contextmanager
def _locked_as_it_was(path: Path) -> Iterator[int]:
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if new:
            _sync_folder(path)
        yield file
    finally:
        os.close(file)


def _last_record(file: int) -> tuple[str, bytes, bool]:
    """Hash of the last record, what lies torn after it, and whether the file ends a line."""
    size = os.fstat(file).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(file, size - start, start)
    ended = not tail or tail.endswith(b"\n")
    lines = tail.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for at in reversed(range(len(lines))):
        if (members := _record_of(lines[at])) is not None:
            return str(members["hash"]), b"\n".join(lines[at + 1 :]), ended
    if start:
        raise AuditFileUnusable("the audit file does not end in records; look at it by hand")
    return _START, b"\n".join(lines), ended


def _record_of(line: bytes) -> JsonObject | None:
    """The members of a line that is a whole record under its own hash, else None."""
    try:
        members = parse_json_object(line, max_bytes=MAX_LINE_BYTES)
        claimed = members.pop("hash")
        if claimed != _hash_of(members) or not {"id", "previous"} <= members.keys():
            return None
    except (Malformed, KeyError):
        return None
    return members | {"hash": claimed}


def _hash_of(members: JsonObject) -> str:
    return labelled_hash(_LABEL, canonical_json(members)).hex()


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(2 * MAX_LINE_BYTES):
            yield line.rstrip(b"\n")

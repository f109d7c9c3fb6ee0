"""The audit file: a chain that shows every alteration, kept through crashes and rivals."""

import json
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import sleep

import pytest

from identity.adapters import audit_sinks
from identity.adapters.audit_sinks import (
    AuditFileBroken,
    AuditFileUnusable,
    FileAuditSink,
    verify_audit_file,
)
from identity.vault.records import AuditRecord


def entry(name: str) -> AuditRecord:
    return AuditRecord(
        id=name, time=1, action="open", ref="vlt_x", actor="issuer:a", purpose="issue"
    )


def append(path: Path, prefix: str, count: int) -> None:
    sink = FileAuditSink(path)
    for number in range(count):
        sink.record(entry(f"{prefix}{number}"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    append(file, "r", 5)
    return file


def test_records_are_chained_in_order(path: Path):
    append(path, "s", 2)  # another sink on the same file goes on where the first stopped

    assert verify_audit_file(path) == ["r0", "r1", "r2", "r3", "r4", "s0", "s1"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_single_altered_byte_shows(path: Path):
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            ids = verify_audit_file(path)
        except AuditFileBroken:
            continue
        # What hits the last line, or the end of the one before it, looks like a crash; the
        # second sink has the records that are gone.
        assert ids in (["r0", "r1", "r2", "r3"], ["r0", "r1", "r2"]), f"byte {at}"
    path.write_bytes(whole)
    assert len(verify_audit_file(path)) == 5


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: lines[1:],
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [lines[0], *lines],
        lambda lines: [*lines[:2], b'{"id":"forged","previous":"00","hash":"00"}\n', *lines[2:]],
    ],
)
def test_dropped_moved_and_forged_lines_show(path: Path, edit):
    path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))

    with pytest.raises(AuditFileBroken):
        verify_audit_file(path)


def test_a_record_cut_short_at_any_byte_is_kept_and_passed_over(path: Path):
    before = path.read_bytes()
    append(path, "torn", 1)
    whole = path.read_bytes()
    for cut in range(len(before) + 1, len(whole)):
        path.write_bytes(whole[:cut])
        append(path, "after", 1)
        ids = verify_audit_file(path)
        assert ids[:5] == ["r0", "r1", "r2", "r3", "r4"]
        # Without its line end the record is whole; short of that it never happened.
        assert ids[5:] == (["torn0", "after0"] if cut == len(whole) - 1 else ["after0"])
        assert path.read_bytes().startswith(whole[:cut])


def test_two_torn_records_in_a_row_are_covered(path: Path):
    with path.open("ab") as file:
        file.write(b'{"id":"one')
    with path.open("ab") as file:
        file.write(b'\n{"id":"two')
    append(path, "after", 1)
    assert verify_audit_file(path)[-1] == "after0"

    path.write_bytes(path.read_bytes().replace(b'{"id":"one', b'{"id":"0ne'))
    with pytest.raises(AuditFileBroken):
        verify_audit_file(path)


def test_a_file_that_ends_in_garbage_is_for_people_to_look_at(path: Path):
    with path.open("ab") as file:
        file.write(b"x" * 5 * audit_sinks.MAX_LINE_BYTES)
    with pytest.raises(AuditFileUnusable):
        append(path, "after", 1)


def test_threads_and_processes_share_one_chain(path: Path):
    sink = FileAuditSink(path)
    with (
        ThreadPoolExecutor(8) as threads,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes,
    ):
        others = [processes.submit(append, path, f"p{n}-", 20) for n in range(2)]
        list(threads.map(lambda n: sink.record(entry(f"t{n}")), range(40)))
        for other in others:
            other.result()

    ids = verify_audit_file(path)
    assert len(ids) == len(set(ids)) == 5 + 40 + 40


def test_the_lock_is_on_the_file_not_on_the_sink(path: Path, monkeypatch: pytest.MonkeyPatch):
    real = audit_sinks.canonical_json

    def slow(value: object) -> bytes:
        sleep(0.002)  # between reading the last line and writing the next
        return real(value)

    monkeypatch.setattr(audit_sinks, "canonical_json", slow)
    sinks = [FileAuditSink(path) for _ in range(4)]  # as four processes have them
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: sinks[n % 4].record(entry(f"t{n}")), range(24)))

    assert len(verify_audit_file(path)) == 5 + 24


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_after_a_failed_write_or_sync_nothing_is_acknowledged_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
):
    def fail(*_args: object) -> int:
        raise OSError("no space left")

    sink = FileAuditSink(path)
    with monkeypatch.context() as patch:
        patch.setattr(audit_sinks.os, call, fail)
        with pytest.raises(AuditFileUnusable):
            sink.record(entry("lost"))
    with pytest.raises(AuditFileUnusable):
        sink.record(entry("later"))

    append(path, "restarted", 1)
    assert verify_audit_file(path)[-1] == "restarted0"


def test_each_record_is_synced_before_it_is_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(
        audit_sinks.os, "fsync", lambda fd: (synced.append(path.stat().st_size), real(fd))[1]
    )
    sink = FileAuditSink(path)
    for number in range(3):
        sink.record(entry(str(number)))
        assert synced[-1] == path.stat().st_size
    assert len(synced) == 3


def test_a_directory_that_cannot_be_written_is_unavailable(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditFileUnusable):
        FileAuditSink(tmp_path / "file" / "audit.jsonl").record(entry("x"))


def test_lines_hold_codes_and_hashes(path: Path):
    members = json.loads(path.read_text().splitlines()[0])
    assert set(members) == {
        "id", "time", "action", "ref", "actor", "purpose", "previous", "hash",
    }  # fmt: skip

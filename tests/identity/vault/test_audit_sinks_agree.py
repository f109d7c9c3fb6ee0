"""The two audit sinks beside each other: a sink that was restored or cut shows."""

import secrets
import shutil
from pathlib import Path

import pytest

from identity.adapters.audit_sinks import AuditFileBroken, FileAuditSink
from identity.adapters.vault_store import DatabaseAuditSink
from identity.installation.vault_audit import (
    bring_audit_back,
    compare_audit,
    refuse_older_audit,
)
from identity.vault.ports import VaultRolledBack
from identity.vault.records import AuditRecord
from tests.identity.vault.parts import NOW, vault_engine


class Sinks:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "audit.jsonl"
        self.open()

    def open(self) -> None:
        self.engine = vault_engine(self.folder / "vault.db")
        self.database, self.file = DatabaseAuditSink(self.engine), FileAuditSink(self.path)

    def record(self, *, also_in_file: bool = True) -> None:
        entry = AuditRecord(
            id=secrets.token_hex(8), time=NOW, action="open", ref="vlt_x", actor="a", purpose="p"
        )
        self.database.record(entry)
        if also_in_file:
            self.file.record(entry)

    def counts(self) -> tuple[int, int, int]:
        found = compare_audit(self.database, self.path)
        return found.both, found.database_alone, found.file_alone


@pytest.fixture
def sinks(tmp_path: Path) -> Sinks:
    return Sinks(tmp_path)


def test_empty_and_equal_sinks_agree(sinks: Sinks) -> None:
    refuse_older_audit(sinks.database, sinks.path)
    for _ in range(3):
        sinks.record()
    refuse_older_audit(sinks.database, sinks.path)
    assert sinks.counts() == (3, 0, 0)


def test_a_look_that_the_file_refused_is_no_rollback(sinks: Sinks) -> None:
    sinks.record()
    sinks.record(also_in_file=False)
    refuse_older_audit(sinks.database, sinks.path)
    assert sinks.counts() == (1, 1, 0)


def test_an_older_database_is_refused_and_brought_up_to_date(sinks: Sinks) -> None:
    sinks.record()
    sinks.engine.dispose()
    shutil.copy2(sinks.folder / "vault.db", sinks.folder / "backup.db")
    sinks.open()
    sinks.record()
    sinks.record()
    sinks.engine.dispose()
    shutil.copy2(sinks.folder / "backup.db", sinks.folder / "vault.db")
    sinks.open()

    with pytest.raises(VaultRolledBack):
        refuse_older_audit(sinks.database, sinks.path)
    assert sinks.counts() == (1, 0, 2)
    assert bring_audit_back(sinks.database, sinks.path) == 2
    refuse_older_audit(sinks.database, sinks.path)
    assert sinks.counts() == (3, 0, 0)


def test_a_file_whose_end_was_cut_off_shows_in_the_comparison(sinks: Sinks) -> None:
    for _ in range(3):
        sinks.record()
    lines = sinks.path.read_bytes().splitlines(keepends=True)
    sinks.path.write_bytes(b"".join(lines[:-2]))
    assert sinks.counts() == (1, 2, 0)


def test_a_broken_file_is_not_copied_from(sinks: Sinks) -> None:
    for _ in range(3):
        sinks.record()
    lines = sinks.path.read_bytes().splitlines(keepends=True)
    sinks.path.write_bytes(b"".join((lines[0], lines[2])))
    with pytest.raises(AuditFileBroken):
        bring_audit_back(sinks.database, sinks.path)

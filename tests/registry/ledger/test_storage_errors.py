"""Errors of the disk that `tests/faults` found, each by itself."""

import errno
import os
from pathlib import Path

import apsw
import pytest

from registry.audit import audit
from registry.ledger.port import LedgerDamaged, LedgerStopped, NoSuchHead
from registry.ledger.store import database
from registry.ledger.store.database import LedgerNotOpened
from tests.registry.authors import new_did, trust_anchor
from tests.registry.ledger.conftest import OpenLedger


def test_a_failed_sync_ends_writing_even_when_it_is_for_lack_of_room(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(LedgerStopped):
            ledger.submit(new_did("a")[0])

    with pytest.raises(LedgerStopped):
        ledger.submit(new_did("a")[0])


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_a_lock_that_cannot_be_made_is_told_in_our_words(
    number: int, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", fail)
        with pytest.raises(LedgerNotOpened, match="lock"):
            open_ledger()

    open_ledger()


class FullDisk:
    """The writing connection, with no room for the pages of the write-ahead log."""

    def __init__(self, inner: apsw.Connection) -> None:
        self.inner, self.tries = inner, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def wal_checkpoint(self, **_: object) -> None:
        self.tries += 1
        raise apsw.FullError("full")


def test_pages_that_find_no_room_are_moved_later(
    path: Path, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 1)
    ledger = open_ledger()
    writer = ledger._database._writer
    full = FullDisk(writer)

    ledger._database._writer = full  # type: ignore[assignment]
    for name in "ab":
        ledger.submit(new_did(name)[0])
    assert full.tries == 2
    before = path.stat().st_size
    ledger._database._writer = writer
    ledger.submit(new_did("c")[0])

    assert path.stat().st_size > before
    assert audit(path, trust=trust_anchor()).is_clean


def test_a_damaged_index_hides_no_head(path: Path, open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for name in "abcdef":
        ledger.submit(new_did(name)[0])
    with ledger._database.writing() as db:  # the row of size 4 leaves the index, not the table
        db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
        db.pragma("writable_schema", "on")
        root = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_heads_1'"
        ).get
        db.execute(
            "INSERT INTO sqlite_schema VALUES ('table', 'bare', 'bare', ?, "
            "'CREATE TABLE bare (size, height, PRIMARY KEY (size, height)) WITHOUT ROWID')",
            (root,),
        )
        db.pragma("writable_schema", "reset")
        db.execute("DELETE FROM bare WHERE size = 4")
        assert db.changes() == 1
        db.pragma("writable_schema", "on")
        db.execute("DELETE FROM sqlite_schema WHERE name = 'bare'")
    ledger.close()
    ledger = open_ledger()

    assert ledger.inclusion(1, 3).size == 3
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match="size 4"):
            ledger.inclusion(1, 4)
    with pytest.raises(NoSuchHead):
        ledger.inclusion(1, 99)

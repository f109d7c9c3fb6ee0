"""What the embedded engine promises beyond the contract: its file, its lock, its head store."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from registry.audit import audit
from registry.core.refusals import Conflict, Unavailable
from registry.core.signed_note import verifier_key
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.embedded.engine import LedgerFull
from registry.ledger.embedded.head_store import HeadStore
from registry.ledger.port import LedgerDamaged, LedgerStopped
from registry.ledger.store import database
from registry.ledger.store.database import LedgerInUse, LedgerNotOpened
from tests.registry.authors import (
    UnsafeHeadSigner,
    genesis,
    new_did,
    trust_anchor,
)
from tests.registry.ledger.conftest import OpenLedger


def submit_some(ledger: EmbeddedLedger, names: str) -> None:
    for name in names:
        ledger.submit(new_did(name)[0])


def files_of(path: Path) -> list[Path]:
    return [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm")]


def back_up(path: Path, to: Path) -> None:
    to.mkdir()
    for file in files_of(path):
        if file.exists():
            shutil.copy(file, to / file.name)


def restore(path: Path, backup: Path) -> None:
    for file in files_of(path):
        file.unlink(missing_ok=True)
        if (backup / file.name).exists():
            shutil.copy(backup / file.name, file)


def test_sqlite_is_newer_than_the_wal_reset_corruption(monkeypatch: pytest.MonkeyPatch) -> None:
    database.assert_sqlite_version()

    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(LedgerNotOpened):
        database.assert_sqlite_version()


def test_the_writer_syncs_every_commit(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    with ledger._database.writing() as db:
        assert db.pragma("journal_mode") == "wal"
        assert db.pragma("synchronous") == 3


def test_a_ledger_goes_on_where_it_was_closed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    submit_some(ledger, "abc")
    before = ledger.head()
    ledger.close()

    again = open_ledger()

    assert again.head() == before
    submit_some(again, "d")
    assert again.health().size == 5


def test_a_second_instance_is_refused(path: Path, open_ledger: OpenLedger) -> None:
    first = open_ledger()
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from tests.registry.authors import *\n"
        "from registry.ledger.embedded import EmbeddedLedger\n"
        "from registry.ledger.store.database import LedgerInUse\n"
        "try:\n"
        "    EmbeddedLedger.open(Path(sys.argv[1]), genesis=genesis(),"
        " signer=UnsafeHeadSigner(), now=lambda: CREATED)\n"
        "except LedgerInUse:\n"
        "    print('in use')\n"
    )

    with pytest.raises(LedgerInUse):
        open_ledger()
    second = subprocess.run(
        [sys.executable, "-c", script, str(path), *sys.path],
        capture_output=True,
        text=True,
        check=True,
    )

    assert second.stdout.strip() == "in use"
    submit_some(first, "a")
    first.close()
    open_ledger()


def test_a_closed_ledger_takes_and_gives_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.close()

    with pytest.raises(LedgerStopped):
        ledger.submit(new_did("a")[0])
    with pytest.raises(Unavailable):
        ledger.read("network", prove=True)


def test_another_genesis_is_refused(open_ledger: OpenLedger) -> None:
    open_ledger().close()

    with pytest.raises(LedgerNotOpened, match="another genesis"):
        open_ledger(genesis=genesis(created=7))
    open_ledger()


def test_a_file_of_another_program_is_left_alone(path: Path, open_ledger: OpenLedger) -> None:
    foreign = apsw.Connection(str(path))
    foreign.execute("CREATE TABLE mine (a)")
    foreign.close()
    before = path.read_bytes()

    with pytest.raises(LedgerNotOpened, match="another program"):
        open_ledger()

    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT name FROM sqlite_schema").get == "mine"
    connection.close()
    assert len(path.read_bytes()) == len(before)


def test_a_newer_format_is_refused(path: Path, open_ledger: OpenLedger) -> None:
    open_ledger().close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", database.FORMAT + 1)
    connection.close()

    with pytest.raises(LedgerNotOpened, match="format"):
        open_ledger()


def test_a_key_that_is_not_ours_is_refused_and_a_replaced_one_is_known(
    open_ledger: OpenLedger,
) -> None:
    old, new = UnsafeHeadSigner(), UnsafeHeadSigner("second-head")
    ledger = open_ledger()
    submit_some(ledger, "a")
    ledger.close()

    with pytest.raises(LedgerDamaged):
        open_ledger(signer=new)
    ledger = open_ledger(signer=new, former_keys=[verifier_key(old.name, old.key)])

    submit_some(ledger, "b")
    assert "second-head" in ledger.head()
    assert "second-head" not in ledger.head(1)


def test_a_restored_backup_is_refused(path: Path, tmp_path: Path, open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    submit_some(ledger, "ab")
    ledger.close()
    back_up(path, tmp_path / "backup")
    ledger = open_ledger()
    submit_some(ledger, "c")
    ledger.close()
    back_up(path, tmp_path / "newest")

    restore(path, tmp_path / "backup")
    with pytest.raises(LedgerNotOpened, match="restored from an old backup"):
        open_ledger()

    restore(path, tmp_path / "newest")  # the untouched twin
    assert open_ledger().health().size == 4


def test_a_lost_ledger_file_is_not_begun_anew(path: Path, open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    submit_some(ledger, "a")
    ledger.close()
    for file in files_of(path):
        file.unlink(missing_ok=True)

    with pytest.raises(LedgerNotOpened, match="lost or was replaced"):
        open_ledger()


def test_a_lost_head_store_is_noticed(path: Path, open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    submit_some(ledger, "a")
    ledger.close()
    Path(f"{path}.head").unlink()

    with pytest.raises(LedgerNotOpened, match="is missing"):
        open_ledger()


def test_a_fork_of_the_same_height_is_refused(
    path: Path, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    ledger.close()
    back_up(path, tmp_path / "backup")
    store = Path(f"{path}.head").read_bytes()
    ledger = open_ledger()
    submit_some(ledger, "a")
    ledger.close()
    seen = Path(f"{path}.head").read_bytes()
    restore(path, tmp_path / "backup")
    Path(f"{path}.head").write_bytes(store)
    ledger = open_ledger()
    submit_some(ledger, "b")
    ledger.close()
    Path(f"{path}.head").write_bytes(seen)

    with pytest.raises(LedgerNotOpened, match="different heads"):
        open_ledger()


def test_a_crash_between_commit_and_publish_is_caught_up(
    path: Path, open_ledger: OpenLedger
) -> None:
    store = Path(f"{path}.head")
    ledger = open_ledger()
    submit_some(ledger, "a")
    before = store.read_bytes()
    submit_some(ledger, "b")
    newest = ledger.head()
    ledger.close()
    store.write_bytes(before)

    again = open_ledger()

    assert again.head() == newest == store.read_text()


def test_a_head_is_in_the_store_before_it_is_handed_out(
    path: Path, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    before = ledger.head()
    seen: list[bool] = []
    publish = HeadStore.publish

    def watched(store: HeadStore) -> None:
        seen.append(ledger.head() == before == store.read())
        publish(store)
        seen.append(ledger.head() == before)

    monkeypatch.setattr(HeadStore, "publish", watched)
    submit_some(ledger, "a")

    assert seen == [True, True]
    assert ledger.head() == Path(f"{path}.head").read_text() != before


def test_the_head_store_syncs_file_then_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(file: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        fsync(file)

    def watched_rename(old: Path, new: Path) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    store = HeadStore(tmp_path / "head")

    store.prepare(expected=None, head="a head")
    assert store.read() is None
    store.publish()

    assert done == ["file", "rename", "directory"]
    assert store.read() == "a head"


def failing(error: OSError) -> object:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("call", ["fsync", "write", "rename", "open"])
def test_an_io_error_ends_writing_for_good(
    call: str, path: Path, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    submit_some(ledger, "a")
    raw, _ = new_did("b")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing(OSError(errno.EIO, "broken")))
        with pytest.raises(Unavailable):
            ledger.submit(raw)

    with pytest.raises(LedgerStopped):
        ledger.submit(raw)
    assert not ledger.health().writable
    assert ledger.health().size == 2
    assert ledger.read("network", prove=True).value is not None  # reading goes on
    ledger.close()
    again = open_ledger()
    again.submit(raw)
    assert again.health().size == 3
    assert audit(path, trust=trust_anchor()).fault is None


def test_a_full_disk_refuses_and_recovers_by_itself(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    submit_some(ledger, "a")
    before = ledger.head()

    with monkeypatch.context() as full:
        full.setattr(os, "write", failing(OSError(errno.ENOSPC, "full")))
        with pytest.raises(LedgerFull):
            submit_some(ledger, "b")

    assert ledger.head() == before
    submit_some(ledger, "b")
    assert ledger.health().size == 3


def test_a_full_database_refuses_and_recovers_by_itself(
    path: Path, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    with ledger._database.writing() as db:
        pages = db.pragma("page_count")
        db.pragma("max_page_count", pages)

    with pytest.raises(LedgerFull):
        submit_some(ledger, "abcdefghijklmnop")

    size = ledger.health().size
    with ledger._database.writing() as db:
        db.pragma("max_page_count", 1 << 30)
    submit_some(ledger, "0123")
    assert ledger.health().size == size + 4
    assert audit(path, trust=trust_anchor()).fault is None


class BrokenSigner(UnsafeHeadSigner):
    """A signer whose token is gone when `gone` is set."""

    gone = False

    def sign(self, message: bytes) -> bytes:
        if self.gone:
            raise Unavailable("the token does not answer")
        return super().sign(message)


def test_without_its_signer_the_ledger_writes_nothing(open_ledger: OpenLedger) -> None:
    signer = BrokenSigner()
    ledger = open_ledger(signer=signer)
    signer.gone = True

    with pytest.raises(Unavailable, match="token"):
        submit_some(ledger, "a")

    signer.gone = False
    submit_some(ledger, "a")
    assert ledger.health().size == 2


def test_a_refusal_by_a_block_that_failed_is_not_told(open_ledger: OpenLedger) -> None:
    """A rival that lost only against an uncommitted transaction has lost against nothing."""
    signer = BrokenSigner()
    ledger = open_ledger(signer=signer)
    raw, _ = new_did("a")
    signer.gone = True

    with pytest.raises(Unavailable):
        ledger.submit(raw)
    with pytest.raises(Unavailable):
        ledger.submit(raw)

    signer.gone = False
    assert ledger.submit(raw).height == 1


def test_a_rule_that_breaks_stops_nobody_else(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("registry.ledger.embedded.engine.apply", broken)
        with pytest.raises(KeyError):
            submit_some(ledger, "a")

    submit_some(ledger, "a")
    assert ledger.health().size == 2


def test_another_writer_of_the_head_store_stops_this_one(
    path: Path, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    submit_some(ledger, "a")
    Path(f"{path}.head").write_text("something else")

    with pytest.raises(Unavailable):
        submit_some(ledger, "b")

    with pytest.raises(LedgerStopped):
        submit_some(ledger, "b")
    assert ledger.health().size == 2


def test_the_write_ahead_log_is_moved_and_stays_short(
    path: Path, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 20)
    ledger = open_ledger()

    for number in range(40):
        ledger.submit(new_did(f"author {number}")[0])

    assert Path(f"{path}-wal").stat().st_size < 400_000
    ledger.close()
    assert open_ledger().health().size == 41


def test_conflicts_are_told_apart_from_damage() -> None:
    assert issubclass(LedgerInUse, Conflict)
    assert issubclass(LedgerDamaged, Unavailable)

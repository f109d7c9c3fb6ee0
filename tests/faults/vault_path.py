"""The vault: people registered, read, changed, erased, over database, secrets and audit."""

import errno
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from identity.adapters.audit_sinks import FileAuditSink, read_audit_file
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore
from identity.installation.vault_audit import refuse_older_audit
from identity.vault.ports import NothingSealed, VaultNotAudited
from identity.vault.reconcile import Reconciler
from identity.vault.service import SealedVault
from registry.core.refusals import Refusal, Unavailable
from tests.faults.tracing import Say
from tests.identity.vault.parts import NOW, MemoryVaultKeys, vault_engine

KEYS = MemoryVaultKeys()  # children are forked, so they have the same
EARLIER, NEW = ("before-1", "before-2", "before-3"), ("a", "b", "c")


class _Vault:
    """All of it, opened from the files as a process does at its start."""

    def __init__(self, folder: Path) -> None:
        self.engine = vault_engine(folder / "vault.db")
        self.secrets = SqliteRowSecrets(folder / "secrets.db")
        self.store, self.sink = SqlVaultStore(self.engine), DatabaseAuditSink(self.engine)
        self.reconciler = Reconciler(store=self.store, secrets=self.secrets, now=lambda: NOW)
        self.reconciler.refuse_rolled_back()
        refuse_older_audit(self.sink, folder / "audit.jsonl")
        self.vault = SealedVault(
            store=self.store,
            keys=KEYS,
            secrets=self.secrets,
            audit=[self.sink, FileAuditSink(folder / "audit.jsonl")],
            random=secrets.token_bytes,
            now=lambda: NOW,
        )

    def register(self, name: str) -> str:
        """Reference, and whether it is new: `False` says that an unanswered call had done it."""
        done = self.vault.seal_once(
            identifier=name.encode(),
            owner="r",
            kind="p",
            data=name.encode(),
            likeness=[b"like " + name.encode()],
        )
        return f"{done.ref} {done.new}"

    def close(self) -> None:
        self.engine.dispose()
        self.secrets.close()


@dataclass(frozen=True)
class KeepPeople:
    """Register three people, read one, change one, erase one; then register one more."""

    name: str = "keep people in the vault"

    def files(self, folder: Path) -> list[Path]:
        names = ("vault.db", "vault.db-journal", "secrets.db", "secrets.db-journal", "audit.jsonl")
        return [folder, *(folder / name for name in names)]

    def prepare(self, folder: Path) -> None:
        place = _Vault(folder)
        refs = [place.register(name).split()[0] for name in EARLIER]
        place.vault.open(refs[0], purpose="before", actor="a")
        (folder / "refs").write_text(" ".join(refs))
        place.close()

    def work(self, folder: Path, say: Say) -> None:
        try:
            place = _Vault(folder)
        except (Unavailable, DBAPIError, OSError) as error:  # tables are made outside the stores
            say(f"closed {type(error).__name__}")
            return
        say("open")
        first, second, third = (folder / "refs").read_text().split()
        try:
            for name in NEW:
                _tried(say, f"registered {name}", lambda name=name: place.register(name))  # type: ignore[misc]
            _tried(say, "read", lambda: place.vault.open(first, purpose="p", actor="a").decode())
            _tried(say, "changed", lambda: place.vault.replace(second, data=b"changed"))
            _tried(say, "erased", lambda: place.vault.forget(third))
            for _ in range(2):  # once more: after lack of room it gets through
                _tried(say, "registered last", lambda: place.register("last"))
        except VaultNotAudited as error:
            say(f"closed {type(error).__name__}")  # a sink that failed for good
        place.close()

    def check(self, folder: Path, answers: Sequence[str]) -> None:
        place = _Vault(folder)  # whatever happened, it opens, and is not taken for a backup
        try:
            first, second, third = (folder / "refs").read_text().split()
            done = set()
            for line in answers:
                kind, *words = line.split()
                assert kind not in ("crash", "hung"), line
                if kind == "ack":
                    done.add(words[0])
                if kind == "ack" and words[0] == "registered":
                    assert place.store.read(words[2]) is not None, (
                        "an answered registration is lost"
                    )
                    assert place.register(words[1]) == f"{words[2]} False", "registered twice"
            if "read" in done:
                looks = [entry.ref for entry in read_audit_file(folder / "audit.jsonl")]
                assert looks.count(first) >= 2, "a look was answered that is not on record"
            assert place.vault.open(first, purpose="p", actor="a") == b"before-1"
            second_now = place.vault.open(second, purpose="p", actor="a")
            assert second_now in (b"before-2", b"changed")
            assert second_now == b"changed" or "changed" not in done, "an answered change is lost"
            if "erased" in done:
                assert place.store.read(third) is None
                assert place.secrets.read(third, 1) is None, "the secret of an erased row is there"
            place.vault.forget(third)  # unanswered ones may be sent again
            try:
                place.vault.open(third, purpose="p", actor="a")
                raise AssertionError("an erased row opens")
            except NothingSealed:
                pass
            refs = {place.register(name).split()[0] for name in (*NEW, "last", *EARLIER[:2])}
            assert len(refs) == 6
            assert place.reconciler.check().well == 6
        finally:
            place.close()


def _tried(say: Say, what: str, act) -> None:  # type: ignore[no-untyped-def]
    try:
        told = act()
    except VaultNotAudited as error:
        say(f"unknown {what}")
        if not _is_full(error):  # a failed sync: nothing is acknowledged after it
            raise
    except Unavailable:
        say(f"unknown {what}")
    except Refusal as error:
        say(f"crash {type(error).__name__}")
    else:
        say(f"ack {what} {told or ''}".rstrip())


def _is_full(error: BaseException | None) -> bool:
    """Whether there was no room at the bottom of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False

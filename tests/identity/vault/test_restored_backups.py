"""Erased people stay erased in every old backup, and a restored backup is known for what it is."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from identity.adapters.database import transaction
from identity.adapters.passphrases import Passphrase
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import SqlVaultStore, VaultRow
from identity.vault.ports import NothingSealed, VaultRolledBack, VaultRowNotOpened
from identity.vault.reconcile import Reconciler
from identity.vault.service import SealedVault
from tests.identity.vault.parts import NOW, MemorySink, vault_engine

PASSPHRASE = Passphrase("correct horse battery")  # stretched once for all tests


@dataclass
class Machine:
    """A vault in a folder that can be stopped, copied, restored piece by piece and started."""

    folder: Path
    clock: int = NOW

    def start(self) -> SealedVault:
        self.engine = vault_engine(self.folder / "vault.db")
        self.secrets = SqliteRowSecrets(self.folder / "secrets.db", now=lambda: self.clock)
        self.store = SqlVaultStore(self.engine)
        self.reconciler = Reconciler(store=self.store, secrets=self.secrets, now=lambda: self.clock)
        self.reconciler.refuse_rolled_back()
        return self.vault()

    def vault(self) -> SealedVault:
        return SealedVault(
            store=self.store,
            keys=FileVaultKeys.open_or_create(
                self.folder / "vault.keys", passphrase=PASSPHRASE, random=secrets.token_bytes
            ),
            secrets=self.secrets,
            audit=[MemorySink(), MemorySink()],
            random=secrets.token_bytes,
            now=lambda: self.clock,
        )

    def stop(self) -> None:
        self.engine.dispose()
        self.secrets.close()

    def copy(self, name: str) -> Path:
        there = self.folder / "backups" / secrets.token_hex(4) / name
        there.parent.mkdir(parents=True)
        return Path(shutil.copy2(self.folder / name, there))

    def restore(self, backup: Path) -> None:
        shutil.copy2(backup, self.folder / backup.name)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def register(vault: SealedVault, person: int) -> str:
    return vault.seal_once(
        identifier=b"cn|%d" % person, owner="r", kind="p", data=b"person %d" % person
    ).ref


def test_an_erased_person_is_dead_in_an_old_backup_of_the_database(machine: Machine) -> None:
    vault = machine.start()
    erased, kept = register(vault, 1), register(vault, 2)
    assert vault.open(erased, purpose="p", actor="a") == b"person 1"
    machine.stop()
    backup = machine.copy("vault.db")
    vault = machine.start()
    vault.forget(erased)
    machine.stop()

    # The thief: the old backup, and everything else that exists today, keys and passphrase too.
    machine.restore(backup)
    machine.engine = vault_engine(machine.folder / "vault.db")
    machine.secrets = SqliteRowSecrets(machine.folder / "secrets.db")
    machine.store = SqlVaultStore(machine.engine)
    vault = machine.vault()
    with transaction(machine.engine) as session:
        row = session.scalars(select(VaultRow).where(VaultRow.ref == erased)).one()
        assert row.ciphertext  # it is all there, sealed
    with pytest.raises(VaultRowNotOpened):
        vault.open(erased, purpose="p", actor="a")
    assert vault.open(kept, purpose="p", actor="a") == b"person 2"
    machine.stop()


def test_a_restored_database_with_erased_people_is_brought_up_to_date(machine: Machine) -> None:
    vault = machine.start()
    erased, kept = register(vault, 1), register(vault, 2)
    machine.stop()
    backup = machine.copy("vault.db")
    vault = machine.start()
    vault.forget(erased)
    machine.stop()
    machine.restore(backup)

    vault = machine.start()

    assert vault.find(b"cn|1") is None
    with pytest.raises(NothingSealed):
        vault.open(erased, purpose="p", actor="a")
    assert vault.find(b"cn|2") == kept
    machine.stop()


@pytest.mark.parametrize("later", ["registered", "changed"])
def test_a_database_older_than_its_secrets_is_refused(machine: Machine, later: str) -> None:
    vault = machine.start()
    first = register(vault, 1)
    machine.stop()
    backup = machine.copy("vault.db")
    vault = machine.start()
    if later == "registered":
        lost = register(vault, 2)  # with the old database she would be registered twice
    else:
        lost = first
        vault.replace(first, data=b"moved house")
    machine.stop()
    machine.restore(backup)

    with pytest.raises(VaultRolledBack):
        machine.start()
    found = machine.reconciler.accept_loss()
    assert found.lost_rows == [lost]
    machine.stop()
    vault = machine.start()  # people decided: what is lost is given up, and can be registered anew
    assert register(vault, 2)
    machine.stop()


def test_secrets_older_than_their_database_are_refused(machine: Machine) -> None:
    vault = machine.start()
    register(vault, 1)
    machine.stop()
    backup = machine.copy("secrets.db")
    vault = machine.start()
    lost = register(vault, 2)
    machine.stop()
    machine.restore(backup)

    with pytest.raises(VaultRolledBack):
        machine.start()
    assert machine.reconciler.check().lost_secrets == [lost]
    machine.stop()


def test_secrets_that_are_gone_are_refused(machine: Machine) -> None:
    vault = machine.start()
    register(vault, 1)
    machine.stop()
    (machine.folder / "secrets.db").unlink()
    with pytest.raises(VaultRolledBack):
        machine.start()
    machine.stop()


def test_database_and_secrets_of_one_time_are_fine(machine: Machine) -> None:
    vault = machine.start()
    for person in range(2100):  # more than two batches of the comparison
        if person % 100 == 0:
            register(vault, person)
    ref = register(vault, 0)
    vault.replace(ref, data=b"x")
    machine.stop()
    backups = [machine.copy(name) for name in ("vault.db", "secrets.db")]
    vault = machine.start()
    register(vault, 5000)
    machine.stop()
    for backup in backups:
        machine.restore(backup)
    machine.start()
    assert machine.reconciler.check().well == 21
    machine.stop()


CRASHES = ("put", "add", "settle", "replace", "destroy", "shred")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", CRASHES)
@pytest.mark.parametrize("action", ["register", "replace", "forget", "merge"])
def test_a_crash_at_any_step_is_healed_at_the_next_start(
    machine: Machine, action: str, step: str, after: bool
) -> None:
    vault = machine.start()
    first, second = register(vault, 1), register(vault, 2)

    class Crash(BaseException):
        """The process dies here."""

    class Crashing:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            method = getattr(self.inner, name)

            def call(*args: object, **kwargs: object) -> object:
                if name == step and not after:
                    raise Crash
                result = method(*args, **kwargs)
                if name == step:
                    raise Crash
                return result

            return call

    vault._store = Crashing(vault._store)  # type: ignore[assignment]
    vault._secrets = Crashing(vault._secrets)  # type: ignore[assignment]
    crashed = False
    try:
        if action == "register":
            register(vault, 3)
        elif action == "replace":
            vault.replace(first, data=b"newer")
        elif action == "forget":
            vault.forget(first)
        else:
            vault.merge(first, into=second)
    except Crash:
        crashed = True
    machine.stop()
    machine.clock += 2 * 3600

    vault = machine.start()

    assert vault.open(second, purpose="p", actor="a") == b"person 2"
    machine.reconciler.refuse_rolled_back()
    if action == "register":
        third = register(vault, 3)
        assert vault.open(third, purpose="p", actor="a") == b"person 3"
    elif action == "replace":
        assert vault.open(first, purpose="p", actor="a") in (b"person 1", b"newer")
    elif action == "forget":
        vault.forget(first)
        assert vault.find(b"cn|1") is None
    else:
        vault.merge(first, into=second)
        assert vault.find(b"cn|1") == second
    assert crashed or step in {"add", "replace", "destroy", "shred", "put", "settle"}
    assert machine.reconciler.check().lost_rows == []
    for state in machine.secrets.states(after="", limit=99):
        assert state.settled or state.destroyed  # nothing is left in the air
    machine.stop()

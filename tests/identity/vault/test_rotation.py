"""Keys are rotated while people register; at every moment one person has one registration."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select

from identity.adapters.database import transaction
from identity.adapters.passphrases import Passphrase
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_rotation_store import SqlRotationStore
from identity.adapters.vault_store import SqlVaultStore, VaultIndex, VaultRow
from identity.adapters.vault_tables import VaultKeyUse, VaultLikeness
from identity.vault.ports import VaultRowNotOpened
from identity.vault.rotation import KeyRotation, RotationStuck
from identity.vault.service import SealedVault
from tests.identity.vault.parts import (
    NOW,
    MemoryRowSecrets,
    MemorySink,
    vault_engine_at,
)

PASSPHRASE = Passphrase("correct horse battery")  # stretched once for all tests


class Place:
    """A database and a key file; each `process` has its own view of the keys, as processes do."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = vault_engine_at(url)
        self.sinks = [MemorySink(), MemorySink()]
        self.path = folder / "vault.keys"
        FileVaultKeys.create(self.path, passphrase=PASSPHRASE, random=secrets.token_bytes)
        self.secrets = MemoryRowSecrets()
        self.store = SqlRotationStore(self.engine)

    def keys(self) -> FileVaultKeys:
        return FileVaultKeys.open(self.path, passphrase=PASSPHRASE, random=secrets.token_bytes)

    def process(self, keys: FileVaultKeys | None = None) -> SealedVault:
        return SealedVault(
            store=SqlVaultStore(self.engine),
            keys=keys or self.keys(),
            secrets=self.secrets,
            audit=self.sinks,
            random=secrets.token_bytes,
            now=lambda: NOW,
        )

    def rotation(self) -> KeyRotation:
        keys = self.keys()
        return KeyRotation(vault=self.process(keys), keys=keys, store=self.store)

    def counts(self) -> tuple[int, int]:
        with transaction(self.engine) as session:
            rows = session.scalar(
                select(func.count()).select_from(VaultRow).where(VaultRow.forgotten_at.is_(None))
            )
            return rows or 0, session.scalar(select(func.count()).select_from(VaultIndex)) or 0

    def key_ids(self) -> set[str]:
        with transaction(self.engine) as session:
            found = set(session.scalars(select(VaultIndex.key_id)))
            return found | set(session.scalars(select(VaultLikeness.key_id)))


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Place:
    return Place(tmp_path, database_url)


def register(vault: SealedVault, person: int) -> bool:
    return vault.seal_once(
        identifier=b"cn|%d" % person,
        owner="r",
        kind="p",
        data=b"person %d" % person,
        likeness=[b"like %d" % person],
    ).new


def test_after_a_rotation_the_old_keys_are_gone_and_everybody_is_known(place: Place) -> None:
    vault = place.process()
    refs = [register(vault, person) and vault.find(b"cn|%d" % person) for person in range(20)]
    vault.forget(str(refs.pop()))
    old = place.keys()
    wrapped = SqlVaultStore(place.engine).read(str(refs[0]))
    assert wrapped

    index, wrapping = place.rotation().rotate_index(), place.rotation().rotate_wrapping()

    assert (index.rows, wrapping.rows) == (19, 19)
    assert index.destroyed == old.index_keys()
    assert wrapping.destroyed == old.wrapping_keys()
    assert place.keys().index_keys() == (index.key_id,)
    assert place.key_ids() == {index.key_id}
    for other in (vault, place.process()):  # one slept through it, one was started afterwards
        assert not any(register(other, person) for person in range(19))
        assert register(other, 19)  # forgotten: she may come back
        other.forget(str(other.find(b"cn|19")))
        assert other.open(str(refs[3]), purpose="p", actor="a") == b"person 3"
    assert place.counts() == (19, 19)
    with pytest.raises(VaultRowNotOpened):
        place.keys().unwrap(wrapped.wrapped_key, context=bytes(32))
    reindexed = [entry for entry in place.sinks[0].records if entry.action == "reindex"]
    assert len(reindexed) == 19  # each was opened for it, and that is on record
    assert place.sinks[0].records == place.sinks[1].records


def test_people_register_all_through_rotations_and_nobody_twice(place: Place) -> None:
    """Four processes register the same people again and again while keys change under them."""
    people, done = 15, Event()

    def process(number: int) -> list[int]:
        vault, mine = place.process(), []
        while not done.is_set() or number == 0:
            for person in range(people):
                if register(vault, person):
                    mine.append(person)
                found = vault.find(b"cn|%d" % person)
                assert found
                assert vault.open(found, purpose="p", actor="a") == b"person %d" % person
            if done.is_set():
                break
        return mine

    with ThreadPoolExecutor(5) as pool:
        processes = [pool.submit(process, number) for number in range(4)]
        try:
            for _ in range(2):
                place.rotation().rotate_index()
                place.rotation().rotate_wrapping()
        finally:
            done.set()
        registered = [person for future in processes for person in future.result()]

    assert sorted(registered) == list(range(people))
    assert place.counts() == (people, people)
    assert len(place.key_ids()) == 1


@pytest.mark.parametrize("moment", ["looking for keys", "about to write"])
def test_a_call_goes_on_when_keys_change_again_before_it_has_the_new_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    keys = place.keys()
    vault = place.process(keys)
    assert register(vault, 1)
    owner, name = (keys, "reload") if moment == "looking for keys" else (place.secrets, "put")
    unchanged = getattr(owner, name)
    rotations: list[str] = []

    def overtaken(*args: object) -> None:
        unchanged(*args)
        if len(rotations) < 3:
            rotations.append(place.rotation().rotate_index().key_id)

    monkeypatch.setattr(owner, name, overtaken)
    place.rotation().rotate_index()

    assert register(vault, 2)
    assert not register(vault, 1)
    assert len(set(rotations)) == 3
    assert place.key_ids() == {rotations[-1]}
    assert place.counts() == (2, 2)


@pytest.mark.parametrize("both", [False, True], ids=["wrapping", "both"])
def test_the_first_row_of_a_vault_is_not_sealed_under_keys_that_were_destroyed(
    place: Place, both: bool
) -> None:
    early, late = place.process(), place.process()  # both know the first keys only
    first = place.keys().index_keys()
    wrapping = place.rotation().rotate_wrapping()
    index = place.rotation().rotate_index().key_id if both else first[0]
    assert wrapping.destroyed

    assert register(early, 1)

    assert not register(late, 1)
    found = place.process().find(b"cn|1")
    assert found
    assert place.process().open(found, purpose="p", actor="a") == b"person 1"
    assert place.key_ids() == {index}
    assert place.store.live_keys("index") == (index,)
    assert place.store.live_keys("wrap") == (wrapping.key_id,)


STEPS = ("add_index_key", "admit_key", "not_indexed_under", "reindex", "retire_key", "destroy")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_cut_short_anywhere_is_finished_by_the_next(
    tmp_path: Path, step: str, after: bool
) -> None:
    place = Place(tmp_path, f"sqlite:///{tmp_path / 'vault.db'}")
    vault = place.process()
    assert all(register(vault, person) for person in range(5))
    keys = place.keys()

    class Cut(BaseException):
        """The process dies here."""

    class Cutting:
        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Callable[..., object]:
            method = getattr(self._inner, name)

            def call(*args: object, **kwargs: object) -> object:
                if name == step and not after:
                    raise Cut
                result = method(*args, **kwargs)
                if name == step:
                    raise Cut
                return result

            return call

    cut = KeyRotation(
        vault=place.process(keys),
        keys=Cutting(keys),  # type: ignore[arg-type]
        store=Cutting(place.store),  # type: ignore[arg-type]
    )
    with pytest.raises(Cut):
        cut.rotate_index()
    for other in (vault, place.process()):
        assert not any(register(other, person) for person in range(5))
    assert register(vault, 5)
    done = place.rotation().rotate_index()

    assert place.keys().index_keys() == (done.key_id,)
    assert place.key_ids() == {done.key_id}
    assert not any(register(place.process(), person) for person in range(6))
    assert place.counts() == (6, 6)


def test_a_row_that_does_not_open_keeps_the_old_key(place: Place) -> None:
    vault = place.process()
    assert all(register(vault, person) for person in range(3))
    broken = str(vault.find(b"cn|1"))
    place.secrets.destroy(broken)

    with pytest.raises(RotationStuck):
        place.rotation().rotate_index()

    assert len(place.keys().index_keys()) == 2
    assert not any(register(place.process(), person) for person in range(3))
    vault.forget(broken)
    assert len(place.rotation().rotate_index().destroyed) == 1


def test_without_the_audit_no_row_is_opened_for_a_rotation(place: Place) -> None:
    vault = place.process()
    assert register(vault, 1)
    place.sinks[1].failing = True
    with pytest.raises(Exception, match="audit record"):
        place.rotation().rotate_index()
    place.sinks[1].failing = False
    assert len(place.keys().index_keys()) == 2
    assert place.rotation().rotate_index().rows == 1


def test_in_a_token_the_old_keys_are_deleted(tmp_path: Path) -> None:
    from tests.softhsm import this_process_token

    keys = this_process_token().emptied().keys()
    keys.create_keys()
    engine = vault_engine_at(f"sqlite:///{tmp_path / 'vault.db'}")
    vault = SealedVault(
        store=SqlVaultStore(engine),
        keys=keys,
        secrets=SqliteRowSecrets(tmp_path / "secrets.db"),
        audit=[MemorySink(), MemorySink()],
        random=secrets.token_bytes,
        now=lambda: NOW,
    )
    assert all(register(vault, person) for person in range(5))
    before = {*keys.index_keys(), *keys.wrapping_keys()}
    rotation = KeyRotation(vault=vault, keys=keys, store=SqlRotationStore(engine))

    rotation.rotate_index()
    rotation.rotate_wrapping()

    assert len(before) == 2
    assert not before & {*keys.index_keys(), *keys.wrapping_keys()}
    assert not any(register(vault, person) for person in range(5))
    keys.close()


def test_a_retired_key_is_named_and_never_used_again(place: Place) -> None:
    vault = place.process()
    assert register(vault, 1)
    old = place.keys()
    name = old.wrapping_keys()[0]
    place.rotation().rotate_wrapping()
    with transaction(place.engine) as session:
        states = {key.key_id: key.retired for key in session.scalars(select(VaultKeyUse))}
    assert states[name] is True
    assert register(place.process(old), 2)  # sealed under the old key, told, and sealed anew
    with transaction(place.engine) as session:
        assert name not in set(session.scalars(select(VaultRow.key_id)))

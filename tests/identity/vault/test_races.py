"""One person, one registration: under threads, and under two processes on one file."""

import secrets
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from identity.adapters.database import transaction
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import SqlVaultStore, VaultIndex, VaultRow
from identity.vault.ports import Registration, VaultRowChanged
from identity.vault.service import SealedVault
from tests.identity.vault.parts import NOW, MemorySink, real_vault, vault_engine

PEOPLE, RIVALS = 12, 8


def test_of_rival_threads_one_registers_each_person(tmp_path: Path):
    vault = real_vault(tmp_path)
    barrier = Barrier(RIVALS)

    def rival(number: int) -> list[Registration]:
        barrier.wait()
        return [
            vault.seal_once(
                identifier=b"cn|%d" % person, owner="r", kind="p", data=b"rival %d" % number
            )
            for person in range(PEOPLE)
        ]

    with ThreadPoolExecutor(RIVALS) as pool:
        results = list(pool.map(rival, range(RIVALS)))

    for person in range(PEOPLE):
        seen = [result[person] for result in results]
        assert sum(registration.new for registration in seen) == 1
        assert len({registration.ref for registration in seen}) == 1
    assert_rows(tmp_path / "vault.db", PEOPLE)


def rival_process(directory: str, number: int) -> list[tuple[str, bool]]:
    path = Path(directory)
    vault = SealedVault(
        store=SqlVaultStore(vault_engine(path / "vault.db")),
        keys=FileVaultKeys.open(
            path / "keys", passphrase="correct horse battery", random=secrets.token_bytes
        ),
        secrets=SqliteRowSecrets(path / "secrets" / "rows.db"),
        audit=[MemorySink(), MemorySink()],
        random=secrets.token_bytes,
        now=lambda: NOW,
    )
    found = [
        vault.seal_once(identifier=b"cn|%d" % person, owner="r", kind="p", data=b"%d" % number)
        for person in range(PEOPLE)
    ]
    return [(registration.ref, registration.new) for registration in found]


def test_of_rival_processes_one_registers_each_person(tmp_path: Path):
    FileVaultKeys.create(
        tmp_path / "keys", passphrase="correct horse battery", random=secrets.token_bytes
    )
    vault_engine(tmp_path / "vault.db").dispose()

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(rival_process, [str(tmp_path)] * 2, range(2)))

    counts = Counter(new for result in results for _, new in result)
    assert counts == {True: PEOPLE, False: PEOPLE}
    assert [ref for ref, _ in results[0]] == [ref for ref, _ in results[1]]
    assert_rows(tmp_path / "vault.db", PEOPLE)


def assert_rows(path: Path, expected: int) -> None:
    """A refused rival leaves nothing behind: no second index, no orphaned row."""
    with transaction(vault_engine(path)) as session:
        assert session.scalar(select(func.count()).select_from(VaultRow)) == expected
        assert session.scalar(select(func.count()).select_from(VaultIndex)) == expected


def registered(vault: SealedVault, *numbers: bytes) -> str:
    ref = vault.seal_once(identifier=numbers[0], owner="r", kind="p", data=numbers[0]).ref
    for number in numbers[1:]:
        vault.attach(ref, identifier=number)
    return ref


def test_a_number_that_comes_during_a_merger_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = real_vault(tmp_path)
    kept, lost = registered(vault, b"cn|1"), registered(vault, b"cn|2")
    seal_once = vault.seal_once

    def slow(**what: Any) -> Registration:
        vault.attach(lost, identifier=b"cn|3")
        return seal_once(**what)

    with monkeypatch.context() as slowed:
        slowed.setattr(vault, "seal_once", slow)
        with pytest.raises(VaultRowChanged):
            vault.merge(lost, into=kept)
    assert vault.find(b"cn|2") == vault.find(b"cn|3") == lost
    assert vault.find(b"cn|1") == kept
    vault.open(kept, purpose="p", actor="a")

    vault.merge(lost, into=kept)  # and once more, now that it stands still

    assert {vault.find(number) for number in (b"cn|1", b"cn|2", b"cn|3")} == {kept}
    back = vault.separate(lost, merged_into=kept)  # what is kept of her is the newest
    assert vault.find(b"cn|2") == vault.find(b"cn|3") == back != kept

"""One person, one registration: under threads, and under two processes on one file."""

import secrets
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

from sqlalchemy import func, select

from identity.adapters.database import transaction
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import SqlVaultStore, VaultIndex, VaultRow
from identity.vault.ports import Registration
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

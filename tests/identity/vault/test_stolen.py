"""What a thief has who copied every database and every file, and not the token.

She knows how numbers are built, so she lists them: all 365,000 of one county and one birth year.
The index would tell her which are registered, if she could compute it. She cannot: each entry is an
HMAC under a key that never left the token, and nothing that she stole computes it for her.
"""

import hashlib
import hmac
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from identity.adapters.audit_sinks import FileAuditSink
from identity.adapters.key_files import KeyFileNotOpened
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore
from identity.core.chinese_id import _CHECK, _WEIGHTS
from identity.vault.needs import VaultKeyring
from identity.vault.service import SealedVault
from tests.canaries import CanaryScan
from tests.identity.vault.parts import NOW, vault_engine
from tests.softhsm import PIN, this_process_token

COUNTY, YEAR, PEOPLE = "110105", 1990, 12
PASSPHRASE = "correct horse battery"


def numbers() -> Iterator[str]:
    """Every number of the county and year: 365 days, 1,000 orders, one check character each."""
    day = date(YEAR, 1, 1)
    while day.year == YEAR:
        head = f"{COUNTY}{day:%Y%m%d}"
        base = sum(w * int(d) for w, d in zip(_WEIGHTS, head, strict=False))
        for order in range(1000):
            tail = f"{order:03}"
            total = base + sum(w * int(d) for w, d in zip(_WEIGHTS[14:], tail, strict=True))
            yield f"{head}{tail}{_CHECK[total % 11]}"
        day += timedelta(days=1)


ALL = list(numbers())


def test_the_thief_lists_every_number() -> None:
    assert len(ALL) == len(set(ALL)) == 365_000


def registered(folder: Path, keys: VaultKeyring) -> list[str]:
    """A vault in `folder` with some of these people in it; their numbers."""
    engine = vault_engine(folder / "vault.db")
    vault = SealedVault(
        store=SqlVaultStore(engine),
        keys=keys,
        secrets=SqliteRowSecrets(folder / "row-secrets.db"),
        audit=[FileAuditSink(folder / "audit.jsonl"), DatabaseAuditSink(engine)],
        random=secrets.token_bytes,
        now=lambda: NOW,
    )
    people = sorted(secrets.SystemRandom().sample(ALL, PEOPLE))
    for number in people:
        ref = vault.seal_once(
            identifier=f"cn.resident|{number}".encode(),
            owner="realname",
            kind="person",
            data=f'{{"number":"{number}"}}'.encode(),
            likeness=[hashlib.sha256(number.encode()).digest()],
        ).ref
        vault.open(ref, purpose="issue", actor="issuer:civil-registry")
    vault.forget(ref)
    engine.dispose()
    return people


def stolen(folder: Path, there: Path) -> set[bytes]:
    """Copy everything; the index as the thief reads it."""
    shutil.copytree(folder, there)
    with sqlite3.connect(there / "vault.db") as database:
        found = {row[0] for row in database.execute("SELECT digest FROM vault_index")}
    database.close()
    return found


def every_key_like_thing(folder: Path) -> list[bytes]:
    """Whatever in the loot could be a key: each value of each table, and what text decodes to."""
    found: set[bytes] = {b"", bytes(32)}
    for path in folder.glob("*.db"):
        with sqlite3.connect(path) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'"):
                for row in database.execute(f'SELECT * FROM "{table}"'):
                    for value in row:
                        if isinstance(value, bytes):
                            found |= {value, value[:32], value[-32:]}
                        elif isinstance(value, str):
                            found.add(value.encode())
        database.close()
    for line in (folder / "audit.jsonl").read_text().splitlines():
        found |= {bytes.fromhex(text) for text in re.findall(r'"([0-9a-f]{64})"', line)}
    return sorted(found)


# What a thief would try first: the ways in which other systems make an identifier of a number.
GUESSES: dict[str, Callable[[bytes], bytes]] = {
    "SHA-256": lambda text: hashlib.sha256(text).digest(),
    "HMAC without a key": lambda text: hmac.digest(b"", text, "sha256"),
    "HMAC under zeros": lambda text: hmac.digest(bytes(32), text, "sha256"),
}


def hits(index: set[bytes], make: Callable[[bytes], bytes]) -> list[str]:
    return [number for number in ALL if make(b"identifier|cn.resident|" + number.encode()) in index]


def test_without_the_token_no_number_comes_out(tmp_path: Path) -> None:
    keys = this_process_token().emptied().keys()
    keys.create_keys()
    folder = tmp_path / "vault"
    folder.mkdir()
    people = registered(folder, keys)

    index = stolen(folder, tmp_path / "loot")

    assert len(index) == PEOPLE - 1  # one of them was erased
    for guess, make in GUESSES.items():
        assert hits(index, make) == [], guess
    # Every key-like thing in the loot, tried on the people who are in there: a thief's best case.
    tried = every_key_like_thing(tmp_path / "loot")
    assert len(tried) > 5 * PEOPLE
    for key in tried:
        for number in people:
            for text in (number, f"cn.resident|{number}", f"identifier|cn.resident|{number}"):
                assert hmac.digest(key, text.encode(), "sha256") not in index
                assert hashlib.sha256(key + text.encode()).digest() not in index
    assert CanaryScan(people).scan_paths([tmp_path / "loot"]) == 3
    # The twin: with the token the same list finds them, so it is the key that holds and no fault.
    label = b"identifier|cn.resident|"
    found = [n for n in people if keys.blind_indices(label + n.encode())[0].digest in index]
    assert len(found) == PEOPLE - 1
    began = time.perf_counter()
    for number in ALL[:2000]:
        keys.blind_indices(label + number.encode())
    rate = 2000 / (time.perf_counter() - began)
    print(f"with this software token and its PIN: {rate:.0f} numbers a second")
    keys.close()


def test_with_a_key_file_the_passphrase_is_all_that_holds(tmp_path: Path) -> None:
    """Why production uses a token: here the loot is enough, for who knows or guesses one text."""
    folder = tmp_path / "vault"
    folder.mkdir()
    keys = FileVaultKeys.create(
        folder / "vault.keys", passphrase=PASSPHRASE, random=secrets.token_bytes
    )
    people = registered(folder, keys)
    index = stolen(folder, tmp_path / "loot")
    loot = tmp_path / "loot" / "vault.keys"

    began = time.perf_counter()
    for wrong in ("correct horse batterz", "incorrect horse battery", "password password"):
        with pytest.raises(KeyFileNotOpened):
            FileVaultKeys.open(loot, passphrase=wrong, random=secrets.token_bytes)
    guess = (time.perf_counter() - began) / 3
    opened = FileVaultKeys.open(loot, passphrase=PASSPHRASE, random=secrets.token_bytes)
    (key,) = opened._keyring.index.values()
    began = time.perf_counter()
    found = hits(index, lambda text: hmac.digest(key, text, "sha256"))
    seconds = time.perf_counter() - began

    assert set(found) < set(people)
    assert len(found) == PEOPLE - 1
    assert guess > 0.02  # 64 MiB and three passes, on whatever machine this is
    print(f"{guess:.2f} s a passphrase; {len(ALL) / seconds:.0f} numbers a second once it opens")


def test_the_key_of_the_index_cannot_be_copied_out_of_the_token() -> None:
    token = this_process_token().emptied()
    keys = token.keys()
    keys.create_keys()
    held_by = pkcs11.lib(str(token.module)).get_token(token_label=token.label)
    with held_by.open() as session:  # who has no PIN does not even see them
        assert not list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
    with held_by.open(user_pin=PIN) as session:
        held = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
        assert len(held) == 2
        for key in held:
            assert key[Attribute.SENSITIVE]
            assert key[Attribute.NEVER_EXTRACTABLE]
            with pytest.raises(pkcs11.exceptions.AttributeSensitive):
                key[Attribute.VALUE]
    keys.close()

"""One passphrase, several key files: stretched once, and each file opens by itself."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from identity.adapters import passphrases
from identity.adapters.key_files import KeyFile, KeyFileNotOpened
from identity.adapters.opening_keys import create_opening_key, open_opening_key
from identity.adapters.passphrases import Passphrase, WeakPassphrase
from identity.adapters.vault_keys import FileVaultKeys
from registry.core.keys import KeyType

TEXT = "correct horse battery staple"
WANTED = {"ledger": KeyType.ED25519}


@pytest.fixture
def stretched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, int, int, int]]:
    """Salt, passes, memory and lanes of each run of Argon2id."""
    runs: list[tuple[bytes, int, int, int]] = []
    argon2id = passphrases.hash_secret_raw

    def counted(secret: bytes, salt: bytes, *cost: Any) -> bytes:
        runs.append((salt, *cost[:3]))
        return argon2id(secret, salt, *cost)

    monkeypatch.setattr(passphrases, "hash_secret_raw", counted)
    return runs


def _make(folder: Path, passphrase: str | Passphrase) -> None:
    for name in ("a", "b"):
        KeyFile.create(folder / name, passphrase=passphrase, wanted=WANTED, random=os.urandom)
    create_opening_key(folder / "c", passphrase=passphrase, random=os.urandom)
    FileVaultKeys.create(folder / "d", passphrase=passphrase, random=os.urandom)


def _open(folder: Path, passphrase: str | Passphrase) -> None:
    for name in ("a", "b"):
        KeyFile.open(folder / name, passphrase=passphrase, wanted=WANTED)
    open_opening_key(folder / "c", passphrase=passphrase)
    FileVaultKeys.open(folder / "d", passphrase=passphrase, random=os.urandom)


def test_files_of_one_holder_share_a_salt_and_no_nonce(
    tmp_path: Path, stretched: list[tuple[bytes, int, int, int]]
):
    _make(tmp_path, Passphrase(TEXT))

    files = [json.loads(path.read_bytes()) for path in tmp_path.iterdir()]
    assert len(files) == 4
    assert len({file["salt"] for file in files}) == 1
    assert len({file["nonce"] for file in files}) == 4
    assert [cost for _, *cost in stretched] == [[3, 64 * 1024, 4]]  # as RFC 9106 §4 recommends

    _open(tmp_path, Passphrase(TEXT))
    assert len(stretched) == 2


def test_files_with_a_salt_each_open_too(
    tmp_path: Path, stretched: list[tuple[bytes, int, int, int]]
):
    """As they were made until November 2026, and as text instead of a `Passphrase` makes them."""
    _make(tmp_path, TEXT)
    assert len({salt for salt, *_ in stretched}) == 4

    _open(tmp_path, Passphrase(TEXT))
    assert len(stretched) == 8


def test_a_rotation_opens_and_writes_the_file_without_stretching_again(
    tmp_path: Path, stretched: list[tuple[bytes, int, int, int]]
):
    keys = FileVaultKeys.create(tmp_path / "d", passphrase=TEXT, random=os.urandom)
    before = json.loads((tmp_path / "d").read_bytes())

    keys.add_index_key()

    after = json.loads((tmp_path / "d").read_bytes())
    assert after["nonce"] != before["nonce"]
    assert len(stretched) == 1


def test_another_passphrase_opens_none_of_them(tmp_path: Path):
    _make(tmp_path, Passphrase(TEXT))

    wrong = Passphrase(TEXT + "x")
    for name in ("a", "b"):
        with pytest.raises(KeyFileNotOpened):
            KeyFile.open(tmp_path / name, passphrase=wrong, wanted=WANTED)
    with pytest.raises(KeyFileNotOpened):
        open_opening_key(tmp_path / "c", passphrase=wrong)
    with pytest.raises(KeyFileNotOpened):
        FileVaultKeys.open(tmp_path / "d", passphrase=wrong, random=os.urandom)


def test_a_short_passphrase_makes_no_key_and_none_is_shown():
    with pytest.raises(WeakPassphrase):
        Passphrase("short").key(bytes(16))
    assert TEXT not in repr(Passphrase(TEXT))

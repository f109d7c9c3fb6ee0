"""The key file: who may read it, what opens it, and what a rotation keeps."""

import json
import os
import secrets
from pathlib import Path

import pytest

from identity.adapters.key_files import KeyFileNotOpened, KeyFileReadable
from identity.adapters.passphrases import Passphrase, WeakPassphrase
from identity.adapters.vault_keys import FileVaultKeys
from identity.vault.ports import KeysUnavailable
from registry.core.refusals import Conflict

PASSPHRASE = Passphrase("correct horse battery")  # stretched once for all tests


def opened(path: Path, passphrase: str | Passphrase = PASSPHRASE) -> FileVaultKeys:
    return FileVaultKeys.open(path, passphrase=passphrase, random=secrets.token_bytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "vault-keys.json"
    FileVaultKeys.create(file, passphrase=PASSPHRASE, random=secrets.token_bytes)
    return file


def test_the_file_is_for_its_owner_and_opens_to_the_same_keys(path: Path):
    assert path.stat().st_mode & 0o777 == 0o600
    wrapped = opened(path).wrap(bytes(32), context=b"c")

    assert opened(path).unwrap(wrapped, context=b"c") == bytes(32)
    assert opened(path).blind_indices(b"x") == opened(path).blind_indices(b"x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int):
    os.chmod(path, mode)
    with pytest.raises(KeyFileReadable):
        opened(path)
    os.chmod(path, 0o600)
    opened(path)


def test_a_wrong_passphrase_opens_nothing(path: Path):
    with pytest.raises(KeyFileNotOpened):
        opened(path, "another horse battery")
    with pytest.raises(WeakPassphrase):
        FileVaultKeys.create(path.with_name("x"), passphrase="short", random=secrets.token_bytes)


@pytest.mark.parametrize("part", ["type", "salt", "nonce", "box"])
def test_an_altered_file_opens_nothing(path: Path, part: str):
    outer = json.loads(path.read_text())
    outer[part] = outer[part][:-2] + ("AA" if outer[part][-2:] != "AA" else "BA")
    path.write_text(json.dumps(outer))

    with pytest.raises(KeyFileNotOpened):
        opened(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"type":"cairn-vault-keys/2"}'])
def test_garbage_is_refused(path: Path, text: str):
    path.write_text(text)
    with pytest.raises(KeyFileNotOpened):
        opened(path)


def test_a_missing_file_is_refused_and_an_existing_one_is_kept(path: Path):
    with pytest.raises(KeyFileNotOpened):
        opened(path.with_name("nowhere"))
    with pytest.raises(Conflict):
        FileVaultKeys.create(path, passphrase=PASSPHRASE, random=secrets.token_bytes)


def test_another_process_finds_new_keys_when_it_looks_again(path: Path):
    old = opened(path)
    wrapped = old.wrap(bytes(32), context=b"c")
    other = opened(path)
    kek, index = other.add_wrapping_key(), other.add_index_key()

    assert old.wrap(bytes(32), context=b"c").key_id == wrapped.key_id
    old.reload()
    assert old.wrap(bytes(32), context=b"c").key_id == kek
    assert old.unwrap(wrapped, context=b"c") == bytes(32)
    assert old.index_keys()[0] == index
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_went_away_is_no_reason_to_go_on_with_other_keys(path: Path):
    keys = opened(path)
    path.unlink()
    with pytest.raises(KeysUnavailable):
        keys.reload()


def test_no_key_shows_in_a_repr(path: Path):
    keys = opened(path)
    keyring = keys._keyring
    for secret in (*keyring.index.values(), *keyring.wrapping.values()):
        assert repr(secret) not in repr(keys) + repr(keyring)

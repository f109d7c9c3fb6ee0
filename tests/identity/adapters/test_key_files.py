"""The encrypted key file: kept, opened, and refused."""

import json
import os
from pathlib import Path

import pytest

from identity.adapters.key_files import (
    KeyFile,
    KeyFileNotOpened,
    KeyFileReadable,
    write_private_file,
)
from identity.adapters.passphrases import WeakPassphrase
from registry.core.keys import KeyType, verify_signature
from registry.core.refusals import Conflict

PASSPHRASE = "correct horse battery staple"
WANTED = {"ledger": KeyType.ED25519, "jose": KeyType.P256, "long": KeyType.P384}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "agency.keys"


def make(path: Path) -> KeyFile:
    return KeyFile.create(path, passphrase=PASSPHRASE, wanted=WANTED, random=os.urandom)


def test_keys_sign_the_same_after_reopening(path: Path):
    made = make(path)

    opened = KeyFile.open(path, passphrase=PASSPHRASE, wanted=WANTED)

    for name in WANTED:
        assert opened[name].key == made[name].key
        verify_signature(made[name].key, message=b"m", signature=opened[name].sign(b"m"))


def test_a_wrong_passphrase_opens_nothing(path: Path):
    make(path)

    with pytest.raises(KeyFileNotOpened):
        KeyFile.open(path, passphrase=PASSPHRASE + "x", wanted=WANTED)


def test_a_short_passphrase_is_refused_before_anything_is_written(path: Path):
    with pytest.raises(WeakPassphrase):
        KeyFile.create(path, passphrase="short", wanted=WANTED, random=os.urandom)

    assert not path.exists()


def test_a_file_that_others_can_read_is_refused(path: Path):
    make(path)
    path.chmod(0o640)

    with pytest.raises(KeyFileReadable):
        KeyFile.open(path, passphrase=PASSPHRASE, wanted=WANTED)


def test_one_changed_byte_is_noticed(path: Path):
    make(path)
    data = bytearray(path.read_bytes())
    position = data.index(b'"box":"') + 20
    data[position] = ord("A") if data[position] != ord("A") else ord("B")
    path.write_bytes(bytes(data))

    with pytest.raises(KeyFileNotOpened):
        KeyFile.open(path, passphrase=PASSPHRASE, wanted=WANTED)


def test_the_file_holds_no_seed_in_clear_and_is_private(path: Path):
    make(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert b"seed" not in path.read_bytes()


def test_keys_are_never_overwritten(path: Path):
    make(path)

    with pytest.raises(Conflict):
        make(path)


def test_a_private_file_is_written_whole_or_not_at_all(tmp_path: Path):
    write_private_file(tmp_path / "secret", b"one")

    with pytest.raises(Conflict):
        write_private_file(tmp_path / "secret", b"two")

    assert (tmp_path / "secret").read_bytes() == b"one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret"]


def test_a_salt_of_the_wrong_length_is_a_refusal(path: Path):
    make(path)
    outer = json.loads(path.read_bytes())
    outer["salt"] = "AAAA"
    path.write_text(json.dumps(outer))

    with pytest.raises(KeyFileNotOpened):
        KeyFile.open(path, passphrase=PASSPHRASE, wanted=WANTED)

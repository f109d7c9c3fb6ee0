"""Passphrases and access keys: kept private, compared by digest, replaced whole."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from identity.adapters.access_keys import DigestAccessKeys
from identity.adapters.key_files import KeyFileReadable
from identity.adapters.secret_files import (
    issue_access_keys,
    read_access_digests,
    read_access_keys,
    read_passphrase,
)
from identity.config import DangerousSetting, Environment, KeySettings
from identity.core.access import AccessDenied
from registry.core.refusals import NotPermitted

SCOPES = ("issuer:a", "verifier:b")


def passphrase(folder: Path, environment: Environment, keys: KeySettings | None = None) -> str:
    return read_passphrase(
        keys or KeySettings(), environment=environment, folder=folder, random=os.urandom
    )


def test_a_demonstration_makes_its_passphrase_once(tmp_path: Path):
    first = passphrase(tmp_path, Environment.DEMONSTRATION)

    assert passphrase(tmp_path, Environment.DEMONSTRATION) == first
    assert (tmp_path / "passphrase").stat().st_mode & 0o777 == 0o600


def test_production_makes_no_passphrase_of_its_own(tmp_path: Path):
    with pytest.raises(NotPermitted):
        passphrase(tmp_path, Environment.PRODUCTION)

    assert list(tmp_path.iterdir()) == []


def test_a_readable_passphrase_file_is_refused(tmp_path: Path):
    path = tmp_path / "p"
    path.write_text("a long and winding passphrase")
    path.chmod(0o644)

    with pytest.raises(KeyFileReadable):
        passphrase(tmp_path, Environment.PRODUCTION, KeySettings(passphrase_file=path))


def test_a_default_passphrase_is_refused(tmp_path: Path):
    path = tmp_path / "p"
    path.write_text("changeme-changeme-changeme")
    path.chmod(0o600)

    with pytest.raises(DangerousSetting):
        passphrase(tmp_path, Environment.PRODUCTION, KeySettings(passphrase_file=path))


def test_a_set_passphrase_wins(tmp_path: Path):
    keys = KeySettings(passphrase=SecretStr("a long and winding passphrase"))

    assert passphrase(tmp_path, Environment.PRODUCTION, keys) == "a long and winding passphrase"


def test_an_access_key_opens_its_own_scope_and_no_other(tmp_path: Path):
    keys = issue_access_keys(SCOPES, folder=tmp_path, keep=False, random=os.urandom)
    access = DigestAccessKeys(read_access_digests(tmp_path))

    access.check("issuer:a", keys["issuer:a"])
    for scope, key in (
        ("issuer:a", keys["verifier:b"]),
        ("issuer:a", None),
        ("issuer:a", ""),
        ("issuer:c", keys["issuer:a"]),
    ):
        with pytest.raises(AccessDenied):
            access.check(scope, key)


def test_keys_are_kept_only_when_asked(tmp_path: Path):
    keys = issue_access_keys(SCOPES, folder=tmp_path, keep=False, random=os.urandom)

    assert read_access_keys(tmp_path) == {}
    assert all(
        key.encode() not in path.read_bytes()
        for key in keys.values()
        for path in tmp_path.iterdir()
    )


def test_a_new_access_key_ends_the_old_one(tmp_path: Path):
    old = issue_access_keys(SCOPES, folder=tmp_path, keep=True, random=os.urandom)
    new = issue_access_keys(["issuer:a"], folder=tmp_path, keep=True, random=os.urandom)
    access = DigestAccessKeys(read_access_digests(tmp_path))

    access.check("issuer:a", new["issuer:a"])
    access.check("verifier:b", old["verifier:b"])
    with pytest.raises(AccessDenied):
        access.check("issuer:a", old["issuer:a"])
    assert read_access_keys(tmp_path) == {**old, **new}

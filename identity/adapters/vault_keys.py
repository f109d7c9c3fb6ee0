"""Vault keys in an encrypted file of their own, apart from every signing key.

The file is readable by its owner only and opens with a passphrase: Argon2id (RFC 9106, second
recommended option) makes the key of an AES-256-GCM box. Key-encryption keys are rotated by adding
one; old ones stay to open old rows. The index key never changes: every blind index depends on it.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.adapters.key_files import (
    MIN_PASSPHRASE_CHARS,
    KeyFileNotOpened,
    WeakPassphrase,
    refuse_readable,
    write_private_file,
)
from identity.vault.ports import BlindIndex, VaultRowNotOpened, WrappedKey
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import Conflict, Malformed

MAX_FILE_BYTES = 1 << 16  # some hundred rotations
_KIND = "cairn-vault-keys/1"
_MEMORY_KIB, _PASSES, _LANES = 64 * 1024, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keyring:
    """Keys by id, and the ids in use."""

    wrapping: Mapping[str, bytes] = field(repr=False)
    current: str
    index_id: str
    index: bytes = field(repr=False)

    def encoded(self) -> bytes:
        return canonical_json(
            {
                "wrapping": {name: base64url_encode(key) for name, key in self.wrapping.items()},
                "current": self.current,
                "index": {"id": self.index_id, "key": base64url_encode(self.index)},
            }
        )


class FileVaultKeys:
    """Keeps the promises of `VaultKeys` with keys in memory, read from a file at the start."""

    def __init__(self, keyring: _Keyring, *, random: Callable[[int], bytes]) -> None:
        self._keyring = keyring
        self._random = random

    def __repr__(self) -> str:
        return f"FileVaultKeys(current={self._keyring.current!r})"

    @classmethod
    def create(
        cls, path: Path, *, passphrase: str, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Make new keys and write them to `path`, durably, mode 0600.

        Raises:
            Conflict: the file is already there; keys are never overwritten.
            WeakPassphrase: the passphrase is too short.
        """
        kek_id, index_id = _new_id("kek", random), _new_id("index", random)
        keyring = _Keyring(
            wrapping={kek_id: random(32)}, current=kek_id, index_id=index_id, index=random(32)
        )
        write_private_file(path, _boxed(keyring, passphrase, random))
        return cls(keyring, random=random)

    @classmethod
    def open(
        cls, path: Path, *, passphrase: str, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Open the file at `path`.

        Raises:
            KeyFileReadable: others may read it.
            KeyFileNotOpened: wrong passphrase, or the file is missing, altered or of another kind.
        """
        return cls(_read(path, passphrase), random=random)

    @classmethod
    def open_or_create(
        cls, path: Path, *, passphrase: str, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Open the file, or make it where there is none; errors as for both."""
        if not path.exists():
            try:
                return cls.create(path, passphrase=passphrase, random=random)
            except (Conflict, FileExistsError, FileNotFoundError):
                pass  # somebody else is making it; theirs counts
        return cls.open(path, passphrase=passphrase, random=random)

    @classmethod
    def rotate(
        cls, path: Path, *, passphrase: str, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Add a new key-encryption key for rows to come; errors as `open`.

        The file is replaced in one step, so a crash leaves the old or the new one.
        """
        old = _read(path, passphrase)
        kek_id = _new_id("kek", random)
        keyring = _Keyring(
            wrapping={**old.wrapping, kek_id: random(32)},
            current=kek_id,
            index_id=old.index_id,
            index=old.index,
        )
        successor = path.with_name(path.name + ".next")
        successor.unlink(missing_ok=True)
        write_private_file(successor, _boxed(keyring, passphrase, random))
        os.replace(successor, path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return cls(keyring, random=random)

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        """As `VaultKeys.wrap`; AES-256-GCM with a random nonce before the box."""
        if len(data_key) != 32:
            raise Malformed("data key is not 32 bytes long")
        key_id = self._keyring.current
        nonce = self._random(12)
        box = AESGCM(self._keyring.wrapping[key_id]).encrypt(nonce, data_key, context)
        return WrappedKey(key_id=key_id, data=nonce + box)

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """As `VaultKeys.unwrap`."""
        key = self._keyring.wrapping.get(wrapped.key_id)
        if key is None:
            raise VaultRowNotOpened("the sealed record was sealed with a key that is not here")
        try:
            return AESGCM(key).decrypt(wrapped.data[:12], wrapped.data[12:], context)
        except (InvalidTag, ValueError) as error:
            raise VaultRowNotOpened("the sealed record does not open") from error

    def blind_index(self, identifier: bytes) -> BlindIndex:
        """As `VaultKeys.blind_index`."""
        digest = hmac.new(self._keyring.index, identifier, hashlib.sha256).digest()
        return BlindIndex(key_id=self._keyring.index_id, digest=digest)


def _read(path: Path, passphrase: str) -> _Keyring:
    try:
        refuse_readable(path)
        outer = parse_json_object(path.read_bytes(), max_bytes=MAX_FILE_BYTES)
        if outer.get("type") != _KIND:
            raise Malformed("not a vault key file")
        salt, nonce, box = (
            base64url_decode(outer.get(part, "")) for part in ("salt", "nonce", "box")
        )
        if (len(salt), len(nonce)) != (16, 12):
            raise Malformed("vault key file has another salt or nonce")
        opened = AESGCM(_stretch(passphrase, salt)).decrypt(nonce, box, _KIND.encode())
        inner = parse_json_object(opened)
        keyring = _Keyring(
            wrapping={name: base64url_decode(key) for name, key in inner["wrapping"].items()},
            current=inner["current"],
            index_id=inner["index"]["id"],
            index=base64url_decode(inner["index"]["key"]),
        )
        if keyring.current not in keyring.wrapping or len(keyring.index) != 32:
            raise Malformed("vault key file lacks a key")
    except (InvalidTag, Malformed, LookupError, ValueError, TypeError, OSError) as error:
        raise KeyFileNotOpened(f"cannot open key file {path.name}") from error
    return keyring


def _boxed(keyring: _Keyring, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    salt, nonce = random(16), random(12)
    box = AESGCM(_stretch(passphrase, salt)).encrypt(nonce, keyring.encoded(), _KIND.encode())
    outer = {
        "type": _KIND,
        "salt": base64url_encode(salt),
        "nonce": base64url_encode(nonce),
        "box": base64url_encode(box),
    }
    return canonical_json(outer) + b"\n"


def _stretch(passphrase: str, salt: bytes) -> bytes:
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise WeakPassphrase(f"the passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters")
    return hash_secret_raw(
        passphrase.encode("utf-8"), salt, _PASSES, _MEMORY_KIB, _LANES, 32, Type.ID
    )


def _new_id(prefix: str, random: Callable[[int], bytes]) -> str:
    return f"{prefix}-{random(6).hex()}"

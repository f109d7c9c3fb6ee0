"""Vault keys in an encrypted file of their own, apart from every signing key.

The file is readable by its owner only and opens with a passphrase: Argon2id (RFC 9106, second
recommended option) makes the key of an AES-256-GCM box. Keys are rotated by adding one; the old one
stays until nothing depends on it any more (`identity.vault.rotation`), and is destroyed then.

The file is for demonstrations and small installations: who has file and passphrase has the keys.
With a token (`vault_token.py`) nobody has the index key, not even this process.
"""

import fcntl
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.adapters.key_files import (
    KeyFileNotOpened,
    refuse_readable,
    write_private_file,
)
from identity.adapters.passphrases import Passphrase
from identity.vault.ports import KeysUnavailable, VaultRowNotOpened
from identity.vault.records import BlindIndex, WrappedKey
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import Conflict, Malformed, NotPermitted

MAX_FILE_BYTES = 1 << 16  # some hundred rotations
_KIND = "cairn-vault-keys/2"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keyring:
    """Keys by id, the newest first in `index`; and the key-encryption key in use."""

    wrapping: Mapping[str, bytes] = field(repr=False)
    current: str
    index: Mapping[str, bytes] = field(repr=False)

    def encoded(self) -> bytes:
        return canonical_json(
            {
                "wrapping": {name: base64url_encode(key) for name, key in self.wrapping.items()},
                "current": self.current,
                "index": [[name, base64url_encode(key)] for name, key in self.index.items()],
            }
        )


class FileVaultKeys:
    """Keeps the promises of `VaultKeyring` with keys in memory, read from a file at the start."""

    def __init__(
        self,
        keyring: _Keyring,
        *,
        path: Path,
        passphrase: str | Passphrase,
        random: Callable[[int], bytes],
    ) -> None:
        self._keyring = keyring
        self._path = path
        self._passphrase = Passphrase.of(passphrase)  # a rotation writes the file anew
        self._random = random

    def __repr__(self) -> str:
        return f"FileVaultKeys(current={self._keyring.current!r})"

    @classmethod
    def create(
        cls, path: Path, *, passphrase: str | Passphrase, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Make new keys and write them to `path`, durably, mode 0600.

        Raises:
            Conflict: the file is already there; keys are never overwritten.
            WeakPassphrase: the passphrase is too short.
        """
        kek_id, index_id = _new_id("kek", random), _new_id("index", random)
        keyring = _Keyring(
            wrapping={kek_id: random(32)}, current=kek_id, index={index_id: random(32)}
        )
        opener = Passphrase.of(passphrase)
        write_private_file(path, _boxed(keyring, opener, random))
        return cls(keyring, path=path, passphrase=opener, random=random)

    @classmethod
    def open(
        cls, path: Path, *, passphrase: str | Passphrase, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Open the file at `path`.

        Raises:
            KeyFileReadable: others may read it.
            KeyFileNotOpened: wrong passphrase, or the file is missing, altered or of another kind.
        """
        opener = Passphrase.of(passphrase)
        return cls(_read(path, opener), path=path, passphrase=opener, random=random)

    @classmethod
    def open_or_create(
        cls, path: Path, *, passphrase: str | Passphrase, random: Callable[[int], bytes]
    ) -> "FileVaultKeys":
        """Open the file, or make it where there is none; errors as for both."""
        if not path.exists():
            try:
                return cls.create(path, passphrase=passphrase, random=random)
            except (Conflict, FileExistsError, FileNotFoundError):
                pass  # somebody else is making it; theirs counts
        return cls.open(path, passphrase=passphrase, random=random)

    def wrapping_keys(self) -> tuple[str, ...]:
        """As `VaultKeyring.wrapping_keys`."""
        ring = self._keyring
        return (ring.current, *(name for name in ring.wrapping if name != ring.current))

    def index_keys(self) -> tuple[str, ...]:
        """As `VaultKeyring.index_keys`."""
        return tuple(self._keyring.index)

    def add_wrapping_key(self) -> str:
        """As `VaultKeyring.add_wrapping_key`."""
        key_id = _new_id("kek", self._random)
        self._change(
            lambda ring: replace(
                ring, wrapping={**ring.wrapping, key_id: self._random(32)}, current=key_id
            )
        )
        return key_id

    def add_index_key(self) -> str:
        """As `VaultKeyring.add_index_key`."""
        key_id = _new_id("index", self._random)
        self._change(lambda ring: replace(ring, index={key_id: self._random(32), **ring.index}))
        return key_id

    def destroy(self, key_id: str) -> None:
        """As `VaultKeyring.destroy`: the file is written without the key.

        What the disk still holds of the earlier file is under the passphrase; where that is not
        enough, use a token.
        """

        def without(ring: _Keyring) -> _Keyring:
            index = {name: key for name, key in ring.index.items() if name != key_id}
            wrapping = {name: key for name, key in ring.wrapping.items() if name != key_id}
            if not index or ring.current not in wrapping:
                raise Conflict("the last index key and the current key stay")
            return replace(ring, index=index, wrapping=wrapping)

        self._change(without)

    def reload(self) -> None:
        """As `VaultKeys.reload`.

        Raises:
            KeysUnavailable: the file does not open any more.
        """
        try:
            self._keyring = _read(self._path, self._passphrase)
        except NotPermitted as error:
            raise KeysUnavailable("the vault's key file cannot be opened now") from error

    def _change(self, change: Callable[[_Keyring], _Keyring]) -> None:
        """Replace the file in one step, so a crash leaves the old or the new one."""
        lock = os.open(self._path.parent, os.O_RDONLY)  # two rotations at once lose no key
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            changed = change(_read(self._path, self._passphrase))
            successor = self._path.with_name(self._path.name + ".next")
            successor.unlink(missing_ok=True)
            write_private_file(successor, _boxed(changed, self._passphrase, self._random))
            os.replace(successor, self._path)
            os.fsync(lock)
        finally:
            os.close(lock)
        self._keyring = changed

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

    def blind_indices(self, identifier: bytes) -> tuple[BlindIndex, ...]:
        """As `VaultKeys.blind_indices`."""
        return tuple(
            BlindIndex(key_id=name, digest=hmac.new(key, identifier, hashlib.sha256).digest())
            for name, key in self._keyring.index.items()
        )


def _read(path: Path, passphrase: Passphrase) -> _Keyring:
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
        opened = AESGCM(passphrase.key(salt)).decrypt(nonce, box, _KIND.encode())
        inner = parse_json_object(opened)
        keyring = _Keyring(
            wrapping={name: base64url_decode(key) for name, key in inner["wrapping"].items()},
            current=inner["current"],
            index={name: base64url_decode(key) for name, key in inner["index"]},
        )
        keys = (*keyring.wrapping.values(), *keyring.index.values())
        if (
            keyring.current not in keyring.wrapping
            or not keyring.index
            or any(len(key) != 32 for key in keys)
        ):
            raise Malformed("vault key file lacks a key")
    except (InvalidTag, Malformed, LookupError, ValueError, TypeError, OSError) as error:
        raise KeyFileNotOpened(f"cannot open key file {path.name}") from error
    return keyring


def _boxed(keyring: _Keyring, passphrase: Passphrase, random: Callable[[int], bytes]) -> bytes:
    salt, nonce = passphrase.salt(random), random(12)
    box = AESGCM(passphrase.key(salt)).encrypt(nonce, keyring.encoded(), _KIND.encode())
    outer = {
        "type": _KIND,
        "salt": base64url_encode(salt),
        "nonce": base64url_encode(nonce),
        "box": base64url_encode(box),
    }
    return canonical_json(outer) + b"\n"


def _new_id(prefix: str, random: Callable[[int], bytes]) -> str:
    return f"{prefix}-{random(6).hex()}"

"""Private keys in an encrypted file: the default key store, and the one that needs no hardware.

One file holds the keys of one institution. The file is readable by its owner only, and useless
without the passphrase: Argon2id (RFC 9106, second recommended option) makes the key of an
AES-256-GCM box around the seeds.
"""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from argon2.exceptions import HashingError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.adapters.passphrases import Passphrase
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.refusals import Conflict, Malformed, NotPermitted

_KIND = "cairn-key-file/1"
# Orders of the groups (SEC 2 §2.4.2, §2.5.1, §2.6.1).
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER = int(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    16,
)
_P521_ORDER = int(
    "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
    16,
)


class KeyFileReadable(NotPermitted):
    """Others may read the key file; it must be mode 0600."""


class KeyFileNotOpened(NotPermitted):
    """The passphrase is wrong, or the key file was altered."""


@dataclass(frozen=True, slots=True)
class Ed25519FileKey:
    """An Ed25519 private key in memory."""

    private: ed25519.Ed25519PrivateKey
    key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.private.sign(message)


@dataclass(frozen=True, slots=True)
class P256FileKey:
    """A P-256 private key in memory."""

    private: ec.EllipticCurvePrivateKey
    key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """R‖S, 64 bytes, ECDSA with SHA-256 (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class P384FileKey:
    """A P-384 private key in memory."""

    private: ec.EllipticCurvePrivateKey
    key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """R‖S, 96 bytes, ECDSA with SHA-384 (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")


@dataclass(frozen=True, slots=True)
class P521FileKey:
    """A P-521 private key in memory; only instances for conformance runs have one."""

    private: ec.EllipticCurvePrivateKey
    key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """R‖S, 132 bytes, ECDSA with SHA-512 (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA512())))
        return r.to_bytes(66, "big") + s.to_bytes(66, "big")


FileKey = Ed25519FileKey | P256FileKey | P384FileKey | P521FileKey
_NIST: dict[KeyType, tuple[ec.EllipticCurve, int, int]] = {  # curve, order, bytes of a seed
    KeyType.P256: (ec.SECP256R1(), _P256_ORDER, 32),
    KeyType.P384: (ec.SECP384R1(), _P384_ORDER, 48),
    KeyType.P521: (ec.SECP521R1(), _P521_ORDER, 64),  # a seed of 512 bits
}


def seed_bytes(key_type: KeyType) -> int:
    """How long the seed of such a key is."""
    return 32 if key_type is KeyType.ED25519 else _NIST[key_type][2]


def key_from_seed(key_type: KeyType, seed: bytes) -> FileKey:
    """Make the private key that `seed_bytes` bytes of seed stand for.

    Raises:
        Malformed: the seed has the wrong length.
    """
    if len(seed) != seed_bytes(key_type):
        raise Malformed(f"key seed is not {seed_bytes(key_type)} bytes long")
    if key_type is KeyType.ED25519:
        edwards = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        return Ed25519FileKey(
            edwards, public_key(key_type, edwards.public_key().public_bytes_raw())
        )
    curve, order, _ = _NIST[key_type]
    nist = ec.derive_private_key(int.from_bytes(seed, "big") % (order - 1) + 1, curve)
    point = nist.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return file_key(nist, public_key(key_type, point))


def file_key(private: ec.EllipticCurvePrivateKey, public: PublicKey) -> FileKey:
    """A NIST key in memory, by the type of its public half."""
    if public.type is KeyType.P521:
        return P521FileKey(private, public)
    if public.type is KeyType.P384:
        return P384FileKey(private, public)
    return P256FileKey(private, public)


class KeyFile:
    """The keys of one institution, by name; made once, opened at every start."""

    def __init__(self, keys: Mapping[str, FileKey]) -> None:
        self._keys = dict(keys)

    def __getitem__(self, name: str) -> FileKey:
        return self._keys[name]

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        passphrase: str | Passphrase,
        wanted: Mapping[str, KeyType],
        random: Callable[[int], bytes],
    ) -> "KeyFile":
        """Make new keys and write them to `path`, durably, mode 0600.

        Args:
            path: must not exist.
            passphrase: at least `passphrases.MIN_PASSPHRASE_CHARS` characters.
            wanted: key types by name.
            random: source of random bytes.

        Raises:
            Conflict: the file is already there; keys are never overwritten.
            WeakPassphrase: the passphrase is too short.
        """
        seeds = {name: (kind, random(seed_bytes(kind))) for name, kind in wanted.items()}
        inner = canonical_json(
            {
                name: {"type": str(kind), "seed": base64url_encode(seed)}
                for name, (kind, seed) in seeds.items()
            }
        )
        opener = Passphrase.of(passphrase)
        salt, nonce = opener.salt(random), random(12)
        box = AESGCM(opener.key(salt)).encrypt(nonce, inner, _KIND.encode())
        text = canonical_json(
            {
                "type": _KIND,
                "salt": base64url_encode(salt),
                "nonce": base64url_encode(nonce),
                "box": base64url_encode(box),
            }
        )
        write_private_file(path, text + b"\n")
        return cls({name: key_from_seed(kind, seed) for name, (kind, seed) in seeds.items()})

    @classmethod
    def open(
        cls, path: Path, *, passphrase: str | Passphrase, wanted: Mapping[str, KeyType]
    ) -> "KeyFile":
        """Open the file at `path` and take the wanted keys from it.

        Raises:
            KeyFileReadable: others may read it.
            KeyFileNotOpened: wrong passphrase, altered file, or a wanted key is not in it.
        """
        refuse_readable(path)
        try:
            outer = parse_json_object(path.read_bytes(), max_bytes=1 << 16)
            if outer.get("type") != _KIND:
                raise Malformed("not a key file")
            salt, nonce, box = (
                base64url_decode(outer.get(part, "")) for part in ("salt", "nonce", "box")
            )
            inner = parse_json_object(
                AESGCM(Passphrase.of(passphrase).key(salt)).decrypt(nonce, box, _KIND.encode())
            )
            keys = {}
            for name, kind in wanted.items():
                entry = inner[name]
                if entry["type"] != kind:
                    raise Malformed(f"key {name} is of another type")
                keys[name] = key_from_seed(kind, base64url_decode(entry["seed"]))
        except (InvalidTag, HashingError, Malformed, KeyError, ValueError) as error:
            raise KeyFileNotOpened(f"cannot open key file {path.name}") from error
        return cls(keys)

    @classmethod
    def open_or_create(
        cls,
        path: Path,
        *,
        passphrase: str | Passphrase,
        wanted: Mapping[str, KeyType],
        random: Callable[[int], bytes],
    ) -> "KeyFile":
        """Open the file, or make it where there is none; errors as for both."""
        if path.exists():
            return cls.open(path, passphrase=passphrase, wanted=wanted)
        return cls.create(path, passphrase=passphrase, wanted=wanted, random=random)


def write_private_file(path: Path, data: bytes) -> None:
    """Write `data` to a new file that only its owner may read; on disk when this returns.

    Raises:
        Conflict: the file is already there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, path)  # unlike rename, refuses to replace what is there
    except FileExistsError as error:
        raise Conflict(f"{path.name} is already there") from error
    finally:
        partial.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def refuse_readable(path: Path) -> None:
    """Check that nobody but the owner can read a secret file.

    Raises:
        KeyFileReadable: group or others have any permission.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileReadable(f"{path.name} can be read by others: chmod 600 it")

"""The key of an institution that holds shares, or of the gate, in an encrypted file of its own.

It decrypts shares and does nothing else; signing keys are kept elsewhere (`key_files`).
"""

from collections.abc import Callable
from pathlib import Path

from argon2.exceptions import HashingError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.adapters.key_files import (
    KeyFileNotOpened,
    refuse_readable,
    write_private_file,
)
from identity.adapters.passphrases import Passphrase
from identity.core.opening.sealed_identity import KEY_BYTES
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import Malformed

_KIND = "cairn-opening-key/1"
_MAX_BYTES = 1 << 12


def create_opening_key(
    path: Path, *, passphrase: str | Passphrase, random: Callable[[int], bytes]
) -> bytes:
    """Make a key and write it to `path`, durably, mode 0600; its 32 private bytes.

    Raises:
        Conflict: the file is already there.
        WeakPassphrase: the passphrase is too short.
    """
    opener = Passphrase.of(passphrase)
    private, salt, nonce = random(KEY_BYTES), opener.salt(random), random(12)
    box = AESGCM(opener.key(salt)).encrypt(nonce, private, _KIND.encode())
    parts = {"salt": salt, "nonce": nonce, "box": box}
    text = {"type": _KIND, **{name: base64url_encode(value) for name, value in parts.items()}}
    write_private_file(path, canonical_json(text) + b"\n")
    return private


def open_opening_key(path: Path, *, passphrase: str | Passphrase) -> bytes:
    """The 32 private bytes in the file at `path`.

    Raises:
        KeyFileReadable: others may read it.
        KeyFileNotOpened: missing, altered, of another kind, or another passphrase.
    """
    if not path.exists():
        raise KeyFileNotOpened(f"there is no key file {path.name}")
    refuse_readable(path)
    try:
        outer = parse_json_object(path.read_bytes(), max_bytes=_MAX_BYTES)
        if outer.get("type") != _KIND:
            raise Malformed("not an opening key")
        salt, nonce, box = (base64url_decode(outer.get(n, "")) for n in ("salt", "nonce", "box"))
        private = AESGCM(Passphrase.of(passphrase).key(salt)).decrypt(nonce, box, _KIND.encode())
    except (InvalidTag, HashingError, Malformed, ValueError) as error:
        raise KeyFileNotOpened(f"cannot open key file {path.name}") from error
    if len(private) != KEY_BYTES:
        raise KeyFileNotOpened(f"cannot open key file {path.name}")
    return private

"""Signed notes: a text and the signatures under it (C2SP signed-note v1.0.0).

A verifier knows a key by name and key id, and counts distinct keys; what other keys signed is
ignored, as the specification demands. Ed25519 only (signature type 0x01).
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from registry.core.encoding import base64_decode
from registry.core.hashing import sha256
from registry.core.keys import (
    KeyType,
    PublicKey,
    SignatureNotValid,
    public_key,
    verify_signature,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed

MAX_NOTE_BYTES = 1 << 17  # 16 signatures of 5 kB, which the specification obliges us to read
MAX_SIGNATURES = 64  # lines under one note; the specification asks for at least 16
MAX_NAME_CHARS = 255  # of a key name; a DNS name is no longer

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all but the line feed
_DASH = "— "  # em dash and space open a signature line


class NoteNotSigned(NotProven):
    """Too few of the keys that count have signed the note, or one of them has not really."""


class NoteSigner(Protocol):
    """One key that signs notes, under its name.

    - `key` is an Ed25519 key, and `sign` returns the 64 bytes that verify under it.
    - `sign` raises `Unavailable` when the private key cannot be reached.
    """

    @property
    def name(self) -> str:
        """Key name, as `VerifierKey.name`."""
        ...

    @property
    def key(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign `message`, the text of a note."""
        ...


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that may sign notes, under the name it signs with."""

    name: str
    key: PublicKey

    @property
    def id(self) -> bytes:
        """The 4 bytes that name the key in a signature line, together with its name."""
        hashed = sha256(self.name.encode("utf-8") + b"\n" + _ED25519 + self.key.data)
        return hashed[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The verifier key as one string: name, key id in hex, base64 of type and key."""
        return f"{self.name}+{self.id.hex()}+{base64_text(_ED25519 + self.key.data)}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """Unverified: one signature line."""

    name: str
    key_id: bytes  # 4 bytes
    signature: bytes  # at least 1 byte

    @property
    def text(self) -> str:
        """The line as it is written, with its newline."""
        return f"{_DASH}{self.name} {base64_text(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class UnverifiedNote:
    """A note whose signatures nobody has checked yet."""

    text: str  # ends in a newline
    signatures: tuple[NoteSignature, ...]


def base64_text(data: bytes) -> str:
    """Standard, padded base64 (RFC 4648 §4), as notes use it."""
    return base64.b64encode(data).decode("ascii")


def verifier_key(name: str, key: PublicKey) -> VerifierKey:
    """Name a key.

    Raises:
        Malformed: the name is not allowed, or the key is not an Ed25519 key.
    """
    _check_name(name)
    if key.type is not KeyType.ED25519:
        raise Malformed("a note is signed with Ed25519")
    return VerifierKey(name, key)


def parse_verifier_key(text: Any) -> VerifierKey:
    """Read a verifier key from the string that `VerifierKey.text` writes.

    Raises:
        Malformed: three parts are not there, the key id is not that of name and key, the type is
            not Ed25519, or the key is not admitted.
    """
    if not isinstance(text, str) or len(text) > MAX_NAME_CHARS + 64:
        raise Malformed("verifier key is no string, or too long")
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    data = base64_decode(encoded)
    if data[:1] != _ED25519:
        raise Malformed("verifier key is not of type Ed25519")
    parsed = verifier_key(name, public_key(KeyType.ED25519, data[1:]))
    if parsed.text != text:
        raise Malformed("verifier key has another key id than its name and key give")
    return parsed


def parse_note(unverified: str | bytes) -> UnverifiedNote:
    """Read a signed note.

    Raises:
        Malformed: too long, not UTF-8, a control character, no blank line before the signatures, a
            signature line not of its form, none of them, or more than `MAX_SIGNATURES`.
    """
    note = _read_text(unverified)
    text, blank, below = note.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Malformed("note has no signatures after a blank line")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"note has more than {MAX_SIGNATURES} signatures")
    return UnverifiedNote(text + "\n", tuple(_parse_line(line) for line in lines))


def verify_note(
    note: UnverifiedNote, *, keys: Sequence[VerifierKey], threshold: int
) -> tuple[VerifierKey, ...]:
    """Check that at least `threshold` distinct keys of `keys` have signed the note.

    Steps:

    1. There is something to check: at least one key, and a threshold they can reach.
    2. A line whose name and key id belong to one of `keys` must verify under that key. One that
       does not spoils the note. Lines of other keys are ignored.
    3. Distinct public keys are counted, whatever their names and however often they signed.

    Returns:
        The keys that signed, in the order of `keys`.

    Raises:
        NoteNotSigned: any step fails.
    """
    # 1
    if not 1 <= threshold <= len({key.key for key in keys}):
        raise NoteNotSigned("no set of the known keys could have signed the note")
    # 2
    signed: set[VerifierKey] = set()
    message = note.text.encode("utf-8")
    for line in note.signatures:
        for key in keys:
            if (key.name, key.id) == (line.name, line.key_id):
                try:
                    verify_signature(key.key, message=message, signature=line.signature)
                except SignatureNotValid as error:
                    raise NoteNotSigned("a signature of a known key does not verify") from error
                signed.add(key)
    # 3
    if len({key.key for key in signed}) < threshold:
        raise NoteNotSigned(f"fewer than {threshold} of the known keys have signed")
    return tuple(key for key in keys if key in signed)


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """Sign `text` with each of `signers` and write the note.

    Raises:
        Malformed: the text does not end in a newline, holds a control character or is too long,
            or a signer's name or key is not allowed.
        SignatureNotValid: a signer's signature is not one of its key.
        Unavailable: a signer cannot reach its key.
    """
    message = _read_text(text).encode("utf-8")
    if not text.endswith("\n"):
        raise Malformed("the text of a note ends in a newline")
    lines = []
    for signer in signers:
        key = verifier_key(signer.name, signer.key)
        signature = signer.sign(message)
        verify_signature(key.key, message=message, signature=signature)
        lines.append(f"{_DASH}{key.name} {base64_text(key.id + signature)}\n")
    note = f"{text}\n{''.join(lines)}"
    parse_note(note)
    return note


def _read_text(unverified: str | bytes) -> str:
    try:
        data = unverified.encode("utf-8") if isinstance(unverified, str) else unverified
        text = data.decode("utf-8")
    except UnicodeError as error:
        raise Malformed("note is not UTF-8") from error
    if len(data) > MAX_NOTE_BYTES:
        raise Malformed(f"note is longer than {MAX_NOTE_BYTES} bytes")
    if _CONTROL.search(text):
        raise Malformed("note has a control character")
    return text


def _parse_line(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise Malformed("signature line does not begin with a dash")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    _check_name(name)
    data = base64_decode(encoded)
    if len(data) <= _KEY_ID_BYTES:
        raise Malformed("signature line has no signature")
    return NoteSignature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


def _check_name(name: str) -> None:
    if (
        not 0 < len(name) <= MAX_NAME_CHARS
        or "+" in name
        or any(char.isspace() or char < " " or "\ud800" <= char <= "\udfff" for char in name)
    ):
        raise Malformed("key name is empty, too long, or has a space or a plus sign")

"""Co-signatures of witnesses on a head: C2SP tlog-cosignature, Ed25519 (`cosignature/v1`).

A witness says with one: at this time, of all heads of this log that fit together, this is the
largest that I have seen. It is a line of the note like a signature, but of type 0x04, and it signs
a time with the text. So a witness's key can never be taken for a key that signs heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.encoding import base64_decode
from registry.core.fields import MAX_INTEGER, integer
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
from registry.core.signed_note import (
    MAX_NAME_CHARS,
    NoteSignature,
    NoteSigner,
    UnverifiedNote,
    base64_text,
    parse_note,
    verifier_key,
)

MAX_WITNESSES = 32  # each adds a line to every head; a note holds 64

_COSIGNATURE = b"\x04"
_KEY_ID_BYTES = 4
_TIME_BYTES = 8  # big-endian, before the signature
_SIGNATURE_BYTES = 64


class HeadNotWitnessed(NotProven):
    """Too few witnesses have co-signed the head, or one of them has not really."""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A key that may co-sign heads, under the name of its witness."""

    name: str
    key: PublicKey

    @property
    def id(self) -> bytes:
        """The 4 bytes that name the key in a signature line, together with its name."""
        hashed = sha256(self.name.encode("utf-8") + b"\n" + _COSIGNATURE + self.key.data)
        return hashed[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as one string: name, key id in hex, base64 of type and key."""
        return f"{self.name}+{self.id.hex()}+{base64_text(_COSIGNATURE + self.key.data)}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified co-signature."""

    key: WitnessKey
    time: int  # Unix seconds, by the witness's clock


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Whose co-signatures count, and how many a head needs."""

    keys: tuple[WitnessKey, ...]
    threshold: int  # how many distinct keys must have co-signed

    def __post_init__(self) -> None:
        """Refuse a quorum that nobody could fail, or that counts one key twice.

        Raises:
            Malformed: no keys, too many, a repeated key, or a threshold out of reach.
        """
        if not 1 <= len(self.keys) <= MAX_WITNESSES:
            raise Malformed(f"there are 1 to {MAX_WITNESSES} witnesses")
        if len({key.key for key in self.keys}) != len(self.keys):
            raise Malformed("a witness's key is named twice")
        integer(self.threshold, "threshold of witnesses", low=1, high=len(self.keys))


def witness_key(name: str, key: PublicKey) -> WitnessKey:
    """Name a witness's key.

    Raises:
        Malformed: the name is not allowed, or the key is not an Ed25519 key.
    """
    verifier_key(name, key)  # one rule for the names of all who sign notes
    return WitnessKey(name, key)


def parse_witness_key(text: object) -> WitnessKey:
    """Read a witness's key from the string that `WitnessKey.text` writes.

    Raises:
        Malformed: three parts are not there, the key id is not that of name and key, the type is
            not that of co-signatures, or the key is not admitted.
    """
    if not isinstance(text, str) or len(text) > MAX_NAME_CHARS + 64:
        raise Malformed("witness key is no string, or too long")
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    data = base64_decode(encoded)
    if data[:1] != _COSIGNATURE:
        raise Malformed("witness key is not of the type of co-signatures")
    parsed = witness_key(name, public_key(KeyType.ED25519, data[1:]))
    if parsed.text != text:
        raise Malformed("witness key has another key id than its name and key give")
    return parsed


def cosignature_message(text: str, time: int) -> bytes:
    """What a witness signs: a line that says so, the time, and the whole text of the head."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(text: str, signer: NoteSigner, *, time: int) -> str:
    """The signature line of one witness, with its newline.

    Args:
        text: text of the head, ending in a newline.
        signer: the witness's key, under its name.
        time: Unix seconds, by the witness's clock.

    Raises:
        Malformed: the signer's name or key is not allowed, or the time is out of range.
        SignatureNotValid: the signer's signature is not one of its key.
        Unavailable: the signer cannot reach its key.
    """
    key = witness_key(signer.name, signer.key)
    integer(time, "time of a co-signature", low=1)
    message = cosignature_message(text, time)
    signature = signer.sign(message)
    verify_signature(key.key, message=message, signature=signature)
    return f"— {key.name} {base64_text(key.id + time.to_bytes(_TIME_BYTES, 'big') + signature)}\n"


def verify_cosignature(text: str, line: NoteSignature, key: WitnessKey) -> Cosignature:
    """Check that `key` co-signed `text` in this line.

    Raises:
        HeadNotWitnessed: the line is another key's or has another length, the time is 0 or beyond
            2^53, or the signature does not verify.
    """
    if (line.name, line.key_id) != (key.name, key.id):
        raise HeadNotWitnessed("the co-signature is of another key")
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if len(line.signature) != _TIME_BYTES + _SIGNATURE_BYTES or not 0 < time <= MAX_INTEGER:
        raise HeadNotWitnessed("a co-signature has another length, or no time")
    try:
        verify_signature(
            key.key,
            message=cosignature_message(text, time),
            signature=line.signature[_TIME_BYTES:],
        )
    except SignatureNotValid as error:
        raise HeadNotWitnessed("the co-signature of a known witness does not verify") from error
    return Cosignature(key, time)


def verify_cosignatures(note: UnverifiedNote, witnesses: Witnesses) -> tuple[Cosignature, ...]:
    """Check that enough of the witnesses have co-signed the note.

    Steps:

    1. A line whose name and key id belong to a witness must verify under its key. One that does
       not spoils the note. Lines of other keys are ignored.
    2. Distinct public keys are counted, whatever their names and however often they signed.

    Returns:
        The newest co-signature of each witness that gave one, in the order of `witnesses.keys`.

    Raises:
        HeadNotWitnessed: any step fails.
    """
    newest: dict[WitnessKey, Cosignature] = {}
    for line in note.signatures:
        for key in witnesses.keys:
            if (key.name, key.id) == (line.name, line.key_id):  # 1
                found = verify_cosignature(note.text, line, key)
                if key not in newest or newest[key].time < found.time:
                    newest[key] = found
    if len({key.key for key in newest}) < witnesses.threshold:  # 2
        raise HeadNotWitnessed(f"fewer than {witnesses.threshold} witnesses have co-signed")
    return tuple(newest[key] for key in witnesses.keys if key in newest)


def add_cosignatures(note: str, lines: Sequence[str]) -> str:
    """The note with further signature lines under it.

    Raises:
        Malformed: the result is no note: a line of another form, or too many of them.
    """
    longer = note + "".join(lines)
    before, after = parse_note(note), parse_note(longer)
    if (after.text, len(after.signatures)) != (before.text, len(before.signatures) + len(lines)):
        raise Malformed("a line under the note is not a signature line")
    return longer

"""What is inside a sealed row, and the keys and bounds of the seal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from identity.vault.ports import VaultRowNotOpened
from identity.vault.records import SealedRow
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed

MAX_SEALED_BYTES = 256 << 10  # claims of one pending credential; a portrait does not belong here
MAX_IDENTIFIER_BYTES = 256  # scheme and number; the longest admitted number has 40 characters
MAX_IDENTIFIERS = 16  # document types of one person
MAX_LIKENESSES = 4
_FORM = 1  # the first byte; another form of the envelope gets another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The bytes of the caller, and what the vault itself must know of the row to index it again."""

    data: bytes = field(repr=False)
    identifiers: tuple[bytes, ...] = field(default=(), repr=False)
    likeness: tuple[bytes, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.data) <= MAX_SEALED_BYTES:
            raise Malformed(f"sealed data has 1 to {MAX_SEALED_BYTES} bytes")
        if len(self.identifiers) > MAX_IDENTIFIERS or len(self.likeness) > MAX_LIKENESSES:
            raise Malformed("a row has too many identifiers or likenesses")
        for value in (*self.identifiers, *self.likeness):
            if not 0 < len(value) <= MAX_IDENTIFIER_BYTES:
                raise Malformed(f"an identifier has 1 to {MAX_IDENTIFIER_BYTES} bytes")

    def encoded(self) -> bytes:
        """One byte of form, both lists with their counts and lengths, then the data."""
        return bytes([_FORM]) + _list(self.identifiers) + _list(self.likeness) + self.data


def parse_envelope(plain: bytes) -> Envelope:
    """Read what `Envelope.encoded` wrote.

    Raises:
        VaultRowNotOpened: another form, or cut short: only a fault of ours writes that.
    """
    try:
        if plain[0] != _FORM:
            raise VaultRowNotOpened("the sealed record has a form that is not known here")
        identifiers, at = _read_list(plain, 1)
        likeness, at = _read_list(plain, at)
        return Envelope(data=plain[at:], identifiers=identifiers, likeness=likeness)
    except (IndexError, Malformed) as error:
        raise VaultRowNotOpened("the sealed record is not whole") from error


def row_context(*, ref: str, owner: str, kind: str, version: int) -> bytes:
    """The associated data that binds a ciphertext and its key to one version of one row."""
    parts = (owner, kind, ref, str(version))
    return labelled_hash("cairn/vault-row/v2", *(part.encode("utf-8") for part in parts))


def seal_content(
    envelope: Envelope, *, data_key: bytes, secret: bytes, nonce: bytes, context: bytes
) -> bytes:
    """AES-256-GCM under a key for which the data key and the row secret are both needed."""
    return AESGCM(_content_key(data_key, secret, context)).encrypt(
        nonce, envelope.encoded(), context
    )


def open_content(row: SealedRow, *, data_key: bytes, secret: bytes) -> Envelope:
    """Open what `seal_content` sealed for this version of this row.

    Raises:
        VaultRowNotOpened: altered, moved, or sealed with other keys.
    """
    context = context_of(row)
    try:
        plain = AESGCM(_content_key(data_key, secret, context)).decrypt(
            row.nonce, row.ciphertext, context
        )
    except (InvalidTag, ValueError) as error:
        raise VaultRowNotOpened("the sealed record does not open") from error
    return parse_envelope(plain)


def context_of(row: SealedRow) -> bytes:
    """`row_context` of a stored row."""
    return row_context(ref=row.ref, owner=row.owner, kind=row.kind, version=row.version)


def _content_key(data_key: bytes, secret: bytes, context: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869): without the row secret the data key opens nothing."""
    return HKDF(algorithm=SHA256(), length=32, salt=secret, info=context).derive(data_key)


def _list(values: Sequence[bytes]) -> bytes:
    return bytes([len(values)]) + b"".join(len(v).to_bytes(2, "big") + v for v in values)


def _read_list(plain: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    values = []
    count, at = plain[at], at + 1
    for _ in range(count):
        length = int.from_bytes(plain[at : at + 2], "big")
        values.append(plain[at + 2 : at + 2 + length])
        at += 2 + length
    return tuple(values), at

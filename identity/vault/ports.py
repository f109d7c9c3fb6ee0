"""What the vault offers, what it needs, and the promises on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from registry.core.refusals import Conflict, NotFound, Unavailable


class NothingSealed(NotFound):
    """Nothing is stored under this reference, or it was forgotten."""


class VaultNotAudited(Unavailable):
    """The audit record could not be written, so nothing was read."""


class VaultRowNotOpened(Unavailable):
    """A stored row does not open: its key is missing, or its bytes were altered or moved."""


class VaultRowChanged(Conflict):
    """The row was replaced or forgotten by somebody else in the meantime."""


class IndexKeyChanged(Unavailable):
    """The store was indexed under another key: with this one, people would register twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key under the key-encryption key called `key_id`."""

    key_id: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindIndex:
    """Keyed digest of an identifier, 32 bytes; useless to whoever lacks the key."""

    key_id: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """One row as it is stored. `owner`, `kind`, `ref` and `version` are bound to the ciphertext."""

    ref: str
    owner: str
    kind: str
    version: int
    wrapped_key: WrappedKey
    nonce: bytes  # 12 bytes; the data key seals one version of one row and nothing else
    ciphertext: bytes
    sealed_at: int  # unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the audit: who did what to which row, why and when. Never whose row it is.

    `time` is in unix seconds; `action` is `open` or `forget`.
    """

    id: str
    time: int
    action: str
    ref: str
    actor: str
    purpose: str

    def members(self) -> Mapping[str, str | int]:
        """The record as JSON members."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where the row of an identifier is; `new` when this call put it there."""

    ref: str
    new: bool


class Vault(Protocol):
    """Keeps bytes that may hold personal data.

    - `open` reads nothing before every audit sink has the record on disk; if one fails, the answer
      is `VaultNotAudited` and nothing was read.
    - After `forget` the data key is destroyed: the row opens for nobody, whoever has the keys.
    """

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """Store `data`; returns an opaque reference.

        Raises:
            Malformed: `owner` or `kind` is no code, or `data` is empty or too long.
        """
        ...

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """The bytes behind `ref`, after the read is on the audit record.

        Raises:
            Malformed: `purpose` or `actor` is no code.
            NothingSealed: nothing is stored under `ref`, or it was forgotten.
            VaultNotAudited: the audit record could not be written.
            VaultRowNotOpened: the row was altered, or its key is gone.
        """
        ...

    def forget(self, ref: str) -> None:
        """Destroy what is behind `ref`, and its blind index. Safe to repeat.

        Raises:
            VaultNotAudited: the audit record could not be written; nothing was destroyed.
        """
        ...


class IdentityVault(Vault, Protocol):
    """The vault as the real-name service sees it: one identifier, one row, also in a race."""

    def seal_once(self, *, identifier: bytes, owner: str, kind: str, data: bytes) -> Registration:
        """Store `data` under the blind index of `identifier`, unless a row is there already.

        Index and row are written together or not at all; of rivals, exactly one is `new`.

        Raises:
            Malformed: as `Vault.seal`, or an empty identifier.
            IndexKeyChanged: the key file is not the one that this vault was made with.
        """
        ...

    def find(self, identifier: bytes) -> str | None:
        """Reference of the row under the blind index of `identifier`; reads no personal data."""
        ...

    def replace(self, ref: str, *, data: bytes) -> None:
        """Seal new bytes under `ref` as its next version; the old version's key is destroyed.

        Raises:
            NothingSealed: nothing is stored under `ref`, or it was forgotten.
            VaultRowChanged: somebody else replaced it at the same time.
        """
        ...


class VaultKeys(Protocol):
    """Holds the key-encryption keys and the index key; no key bytes pass this seam.

    - `context` is bound: a wrapped key unwraps under the context it was wrapped with, only.
    - `unwrap` finds the key by `key_id`, so rows sealed before a rotation still open.
    """

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        """Wrap a data key of 32 bytes under the current key-encryption key.

        Raises:
            Unavailable: the keys cannot be reached.
        """
        ...

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """The data key.

        Raises:
            VaultRowNotOpened: unknown `key_id`, altered bytes, or another context.
            Unavailable: the keys cannot be reached.
        """
        ...

    def blind_index(self, identifier: bytes) -> BlindIndex:
        """HMAC-SHA-256 of `identifier` under the index key."""
        ...


class VaultStore(Protocol):
    """Stores sealed rows; sees no personal data. A method that returns has written durably."""

    def add(self, row: SealedRow, *, index: BlindIndex | None) -> str:
        """Store `row`, with `index` when given, in one transaction.

        Returns:
            The reference under `index`: that of `row`, or that of the row that is there already,
            in which case nothing was written.

        Raises:
            IndexKeyChanged: the store has indices under another key; nothing was written.
        """
        ...

    def find(self, index: BlindIndex) -> str | None:
        """The reference under `index`."""
        ...

    def read(self, ref: str) -> SealedRow | None:
        """The row, or None when there is none or it was forgotten."""
        ...

    def replace(self, row: SealedRow) -> bool:
        """Put `row` in place of the version before it; False when another version is there."""
        ...

    def shred(self, ref: str, *, now: int) -> None:
        """Destroy key, nonce and ciphertext of the row, and its index. Safe to repeat."""
        ...


class AuditSink(Protocol):
    """Takes audit records. When `record` returns, the record is on disk; otherwise it raises."""

    def record(self, entry: AuditRecord) -> None:
        """Append one record."""
        ...

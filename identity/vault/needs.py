"""What the vault needs: keys, a store, row secrets, audit sinks; and what each promises."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.vault.records import AuditRecord, BlindIndex, SealedRow, WrappedKey


class VaultKeys(Protocol):
    """Holds the key-encryption keys and the index keys; no key bytes pass this seam.

    - `context` is bound: a wrapped key unwraps under the context it was wrapped with, only.
    - `unwrap` finds the key by `key_id`, so rows sealed before a rotation still open.
    - Keys that cannot be reached are `KeysUnavailable`; there is never another key instead.
    """

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        """Wrap a data key of 32 bytes under the current key-encryption key.

        Raises:
            KeysUnavailable: the keys cannot be reached.
        """
        ...

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """The data key.

        Raises:
            VaultRowNotOpened: unknown `key_id`, altered bytes, or another context.
            KeysUnavailable: the keys cannot be reached.
        """
        ...

    def blind_indices(self, identifier: bytes) -> tuple[BlindIndex, ...]:
        """HMAC-SHA-256 of `identifier` under every index key, newest key first.

        One index, or two while the index key is being rotated.

        Raises:
            KeysUnavailable: the keys cannot be reached.
        """
        ...

    def reload(self) -> None:
        """Look for keys that another process made or destroyed.

        Raises:
            KeysUnavailable: the keys cannot be reached.
        """
        ...


class VaultKeyring(VaultKeys, Protocol):
    """Keys that can be rotated. Each call is durable when it returns."""

    def wrapping_keys(self) -> tuple[str, ...]:
        """Identifiers of the key-encryption keys, the current one first."""
        ...

    def index_keys(self) -> tuple[str, ...]:
        """Identifiers of the index keys, newest first."""
        ...

    def add_wrapping_key(self) -> str:
        """Make a key-encryption key and use it from now on; its identifier."""
        ...

    def add_index_key(self) -> str:
        """Make an index key beside the one that is there; its identifier."""
        ...

    def destroy(self, key_id: str) -> None:
        """Destroy a key for good. Safe to repeat.

        Raises:
            Conflict: it is the only one of its use, or the current one.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a row: `ref` of the row that is there, or `similar` ones in its way."""

    ref: str
    similar: tuple[str, ...] = ()


class VaultStore(Protocol):
    """Stores sealed rows; sees no personal data. A method that returns has written durably.

    The store remembers which index keys are in use. Whoever brings a row must bring an index under
    each of them, or gets `IndexKeyChanged`: so uniqueness holds through a rotation, whatever
    process has heard of it. A key that was retired seals nothing more, for the same reason.
    """

    def add(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] = (),
        distinct_from: Collection[str] = (),
    ) -> Added:
        """Store `row` with its indices and likenesses, in one transaction, unless

        - a row is under one of the indices: its reference; or
        - rows other than `distinct_from` have one of the likenesses: these, and no reference.

        Raises:
            IndexKeyChanged: see above; nothing was written.
        """
        ...

    def find(self, indices: Sequence[BlindIndex]) -> str | None:
        """The reference under one of the indices.

        Raises:
            IndexKeyChanged: an index key is in use that was not brought.
        """
        ...

    def read(self, ref: str) -> SealedRow | None:
        """The row, or None when there is none or it was forgotten."""
        ...

    def replace(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] | None = None,
        absorbed: SealedRow | None = None,
        dropped: Sequence[BlindIndex] = (),
    ) -> bool:
        """Put `row` in place of the version before it; False when another version is there.

        False as well when another version of `absorbed` is there than the one given; in both cases
        nothing was written.

        In the same transaction: `indices` are added, `likeness` replaces what was there, and the
        row `absorbed` loses its indices, its likenesses and what it held. The row itself loses
        the indices `dropped`.

        Raises:
            IdentifierTaken: an index leads to a third row; nothing was written.
            IndexKeyChanged: as `add`.
        """
        ...

    def shred(self, ref: str, *, now: int) -> None:
        """Destroy key, nonce and ciphertext of the row, and its indices. Safe to repeat."""
        ...

    def was_forgotten(self, ref: str) -> bool:
        """Whether the store remembers that the row was forgotten, rather than never had it."""
        ...

    def versions(self, *, after: str, limit: int) -> list[tuple[str, int]]:
        """Reference and version of rows that hold something, by reference, beyond `after`."""
        ...


class RotationStore(Protocol):
    """What a rotation asks of the store, beside what `VaultStore` offers."""

    def live_keys(self, use: str) -> tuple[str, ...]:
        """Keys for `index` or `wrap` that the store knows to be in use."""
        ...

    def admit_key(self, key_id: str, *, use: str) -> None:
        """From now on every row comes with an index under this key too. Safe to repeat."""
        ...

    def retire_key(self, key_id: str) -> bool:
        """Nothing is sealed or indexed under this key any more; its indices are deleted.

        Returns:
            False when a row still depends on it; nothing was changed. Safe to repeat.
        """
        ...

    def not_indexed_under(self, key_id: str, *, limit: int) -> list[SealedRow]:
        """Rows with an index or a likeness under other keys and none under this one."""
        ...

    def reindex(
        self, row: SealedRow, *, indices: Sequence[BlindIndex], likeness: Sequence[BlindIndex]
    ) -> bool:
        """Add indices to a row; False when it changed meanwhile, and nothing was written."""
        ...

    def not_wrapped_under(self, key_id: str, *, limit: int) -> list[SealedRow]:
        """Rows whose data key is under another key-encryption key."""
        ...

    def rewrap(self, row: SealedRow, wrapped: WrappedKey) -> bool:
        """Exchange the wrapped key of a row; False when the row changed meanwhile."""
        ...


class RowSecrets(Protocol):
    """One secret for each version of each row, away from the database and its backups.

    A row opens with its secret and not without. Destroying one erases the row in every copy of
    the database that was ever made. A secret is put before its row is written and settled after:
    so a settled secret without its row tells that the database is older than the secrets.
    """

    def put(self, ref: str, version: int, secret: bytes) -> None:
        """Keep the secret of a version that is about to be written."""
        ...

    def settle(self, ref: str, version: int) -> None:
        """The version is written; secrets of earlier versions are destroyed."""
        ...

    def drop(self, ref: str, version: int) -> None:
        """The version was not written after all."""
        ...

    def read(self, ref: str, version: int) -> bytes | None:
        """The secret; None when there is none, or it was destroyed."""
        ...

    def destroy(self, ref: str) -> None:
        """Destroy the secrets of a row for good, and remember that it was done. Repeatable."""
        ...

    def state(self, ref: str) -> "SecretState | None":
        """What is known of one row."""
        ...

    def states(self, *, after: str, limit: int) -> list["SecretState"]:
        """What is known of each row, by reference, beyond `after`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """What the secrets say about one row. `settled` is 0 where there is none.

    `stale` are those of the `pending` versions whose write must have ended long ago.
    """

    ref: str
    settled: int
    pending: tuple[int, ...]
    stale: tuple[int, ...]
    destroyed: bool


class AuditSink(Protocol):
    """Takes audit records. When `record` returns, the record is on disk; otherwise it raises."""

    def record(self, entry: AuditRecord) -> None:
        """Append one record."""
        ...

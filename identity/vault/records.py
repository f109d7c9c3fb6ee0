"""What the vault stores and writes down; nothing here can be read without keys."""

from collections.abc import Mapping
from dataclasses import dataclass


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

    `time` is in unix seconds; `action` is a word of
    `identity.vault.service.ACTIONS`.
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

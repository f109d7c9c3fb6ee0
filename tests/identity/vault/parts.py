"""Vaults for tests: the real parts, with cheap keys and audit in plain sight."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine

from identity.adapters.audit_sinks import FileAuditSink
from identity.adapters.database import create_database
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore, VaultBase
from identity.vault.ports import (
    AuditRecord,
    BlindIndex,
    IndexKeyChanged,
    SealedRow,
    VaultRowNotOpened,
    WrappedKey,
)
from identity.vault.service import SealedVault

NOW = 1_790_000_000


class MemoryVaultKeys:
    """`VaultKeys` without a file; what the contract asks of it, the contract suite checks."""

    def __init__(self) -> None:
        self._kek, self._index = secrets.token_bytes(32), secrets.token_bytes(32)

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        nonce = secrets.token_bytes(12)
        box = AESGCM(self._kek).encrypt(nonce, data_key, context)
        return WrappedKey(key_id="kek-test", data=nonce + box)

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        if wrapped.key_id != "kek-test":
            raise VaultRowNotOpened("no such key")
        try:
            return AESGCM(self._kek).decrypt(wrapped.data[:12], wrapped.data[12:], context)
        except (InvalidTag, ValueError) as error:
            raise VaultRowNotOpened("altered") from error

    def blind_index(self, identifier: bytes) -> BlindIndex:
        digest = hmac.new(self._index, identifier, hashlib.sha256).digest()
        return BlindIndex(key_id="index-test", digest=digest)


class MemoryVaultStore:
    """`VaultStore` in a dictionary; not for more than one thread."""

    def __init__(self) -> None:
        self.rows: dict[str, SealedRow | None] = {}
        self.index: dict[bytes, str] = {}
        self.index_key: str | None = None

    def add(self, row: SealedRow, *, index: BlindIndex | None) -> str:
        if index is not None:
            if self.index_key not in (None, index.key_id):
                raise IndexKeyChanged("another key")
            self.index_key = index.key_id
            if index.digest in self.index:
                return self.index[index.digest]
            self.index[index.digest] = row.ref
        assert row.ref not in self.rows
        self.rows[row.ref] = row
        return row.ref

    def find(self, index: BlindIndex) -> str | None:
        return self.index.get(index.digest)

    def read(self, ref: str) -> SealedRow | None:
        return self.rows.get(ref)

    def replace(self, row: SealedRow) -> bool:
        old = self.rows.get(row.ref)
        if old is None or old.version != row.version - 1:
            return False
        self.rows[row.ref] = row
        return True

    def shred(self, ref: str, *, now: int) -> None:
        if ref in self.rows:
            self.rows[ref] = None
        self.index = {digest: found for digest, found in self.index.items() if found != ref}


@dataclass
class MemorySink:
    """An audit sink that can be told to fail, and what it has seen."""

    records: list[AuditRecord] = field(default_factory=list)
    failing: bool = False

    def record(self, entry: AuditRecord) -> None:
        if self.failing:
            raise OSError("disk full")
        self.records.append(entry)


def vault_engine(path: Path) -> Engine:
    """A vault database in a file, with its tables."""
    return vault_engine_at(f"sqlite:///{path}")


def vault_engine_at(url: str) -> Engine:
    """A vault database of any kind, with its tables."""
    engine = create_database(url)
    VaultBase.metadata.create_all(engine)
    return engine


def real_vault(
    directory: Path, *, keys: MemoryVaultKeys | None = None, now: Callable[[], int] = lambda: NOW
) -> SealedVault:
    """A vault over SQLite, with both real sinks, in `directory`."""
    engine = vault_engine(directory / "vault.db")
    return SealedVault(
        store=SqlVaultStore(engine),
        keys=keys or MemoryVaultKeys(),
        audit=[FileAuditSink(directory / "audit.jsonl"), DatabaseAuditSink(engine)],
        random=secrets.token_bytes,
        now=now,
    )

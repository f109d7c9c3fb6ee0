"""Vaults for tests: the real parts, with cheap keys and audit in plain sight."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine

from identity.adapters.audit_sinks import FileAuditSink
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore, VaultBase
from identity.vault.needs import Added, SecretState
from identity.vault.ports import IdentifierTaken, IndexKeyChanged, VaultRowNotOpened
from identity.vault.records import AuditRecord, BlindIndex, SealedRow, WrappedKey
from identity.vault.service import SealedVault
from registry.core.refusals import Conflict
from tests.databases import database_with

NOW = 1_790_000_000


class MemoryVaultKeys:
    """`VaultKeyring` without a file; what the contract asks of it, the contract suite checks."""

    def __init__(self) -> None:
        self._wrap = {"kek-test-1": secrets.token_bytes(32)}
        self._index = {"index-test-1": secrets.token_bytes(32)}
        self._made = 1

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        current = self.wrapping_keys()[0]
        nonce = secrets.token_bytes(12)
        box = AESGCM(self._wrap[current]).encrypt(nonce, data_key, context)
        return WrappedKey(key_id=current, data=nonce + box)

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        if wrapped.key_id not in self._wrap:
            raise VaultRowNotOpened("no such key")
        try:
            key = AESGCM(self._wrap[wrapped.key_id])
            return key.decrypt(wrapped.data[:12], wrapped.data[12:], context)
        except (InvalidTag, ValueError) as error:
            raise VaultRowNotOpened("altered") from error

    def blind_indices(self, identifier: bytes) -> tuple[BlindIndex, ...]:
        return tuple(
            BlindIndex(
                key_id=name,
                digest=hmac.new(self._index[name], identifier, hashlib.sha256).digest(),
            )
            for name in self.index_keys()
        )

    def reload(self) -> None:
        """Nobody else makes keys."""

    def wrapping_keys(self) -> tuple[str, ...]:
        return tuple(reversed(self._wrap))

    def index_keys(self) -> tuple[str, ...]:
        return tuple(reversed(self._index))

    def add_wrapping_key(self) -> str:
        return self._add(self._wrap, "kek")

    def add_index_key(self) -> str:
        return self._add(self._index, "index")

    def destroy(self, key_id: str) -> None:
        if key_id in (self.wrapping_keys()[0],) or self.index_keys() == (key_id,):
            raise Conflict("in use")
        self._wrap.pop(key_id, None)
        self._index.pop(key_id, None)

    def _add(self, keys: dict[str, bytes], use: str) -> str:
        self._made += 1
        name = f"{use}-test-{self._made}"
        keys[name] = secrets.token_bytes(32)
        return name


class MemoryVaultStore:
    """`VaultStore` in dictionaries; not for more than one thread."""

    def __init__(self) -> None:
        self.rows: dict[str, SealedRow | None] = {}
        self.index: dict[bytes, tuple[str, str]] = {}
        self.likeness: set[tuple[bytes, str]] = set()
        self.index_keys: set[str] = set()

    def add(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] = (),
        distinct_from: Collection[str] = (),
    ) -> Added:
        self._check(indices)
        if (found := self._under(indices)) is not None:
            return Added(ref=found)
        wanted = {index.digest for index in likeness}
        similar = {ref for digest, ref in self.likeness if digest in wanted} - set(distinct_from)
        if similar:
            return Added(ref="", similar=tuple(sorted(similar)))
        assert row.ref not in self.rows
        self.rows[row.ref] = row
        self._index(row.ref, indices, likeness)
        return Added(ref=row.ref)

    def find(self, indices: Sequence[BlindIndex]) -> str | None:
        if not self.index_keys <= {index.key_id for index in indices}:
            raise IndexKeyChanged("another key")
        return self._under(indices)

    def read(self, ref: str) -> SealedRow | None:
        return self.rows.get(ref)

    def replace(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] | None = None,
        absorbed: SealedRow | None = None,
        dropped: Sequence[BlindIndex] = (),
    ) -> bool:
        self._check(indices)
        old = self.rows.get(row.ref)
        if old is None or old.version != row.version - 1:
            return False
        if absorbed is not None:
            beside = self.rows.get(absorbed.ref)
            if beside is None or beside.version != absorbed.version:
                return False
        for index in indices:
            if self.index.get(index.digest, (row.ref, ""))[0] not in (
                row.ref,
                None if absorbed is None else absorbed.ref,
            ):
                raise IdentifierTaken("another row's")
        self.rows[row.ref] = row
        if absorbed is not None:
            self.shred(absorbed.ref, now=NOW)
        for index in dropped:
            if self.index.get(index.digest, ("", ""))[0] == row.ref:
                del self.index[index.digest]
        if likeness is not None:
            self.likeness = {item for item in self.likeness if item[1] != row.ref}
        self._index(row.ref, indices, likeness or ())
        return True

    def shred(self, ref: str, *, now: int) -> None:
        if ref in self.rows:
            self.rows[ref] = None
        self.index = {digest: at for digest, at in self.index.items() if at[0] != ref}
        self.likeness = {item for item in self.likeness if item[1] != ref}

    def was_forgotten(self, ref: str) -> bool:
        return ref in self.rows and self.rows[ref] is None

    def versions(self, *, after: str, limit: int) -> list[tuple[str, int]]:
        live = sorted(
            (ref, row.version) for ref, row in self.rows.items() if row is not None and ref > after
        )
        return live[:limit]

    def _check(self, indices: Sequence[BlindIndex]) -> None:
        brought = {index.key_id for index in indices}
        self.index_keys = self.index_keys or brought
        if brought and not self.index_keys <= brought:
            raise IndexKeyChanged("another key")

    def _under(self, indices: Sequence[BlindIndex]) -> str | None:
        return next((self.index[i.digest][0] for i in indices if i.digest in self.index), None)

    def _index(
        self, ref: str, indices: Sequence[BlindIndex], likeness: Sequence[BlindIndex]
    ) -> None:
        self.index |= {i.digest: (ref, i.key_id) for i in indices if i.key_id in self.index_keys}
        self.likeness |= {(index.digest, ref) for index in likeness}


class MemoryRowSecrets:
    """`RowSecrets` in a dictionary: version to secret, settled or not; None once destroyed."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, tuple[bytes, bool]] | None] = {}

    def put(self, ref: str, version: int, secret: bytes) -> None:
        rows = self.rows.setdefault(ref, {})
        assert rows is not None
        rows[version] = (secret, False)

    def settle(self, ref: str, version: int) -> None:
        rows = self.rows[ref]
        if rows is not None:
            self.rows[ref] = {
                number: (secret, number == version or settled)
                for number, (secret, settled) in rows.items()
                if number >= version
            }

    def drop(self, ref: str, version: int) -> None:
        rows = self.rows.get(ref)
        if rows is not None and not rows.get(version, (b"", True))[1]:
            del rows[version]
            if not rows:
                del self.rows[ref]

    def read(self, ref: str, version: int) -> bytes | None:
        found = (self.rows.get(ref) or {}).get(version)
        return None if found is None else found[0]

    def destroy(self, ref: str) -> None:
        self.rows[ref] = None

    def state(self, ref: str) -> SecretState | None:
        if ref not in self.rows:
            return None
        rows = self.rows[ref] or {}
        return SecretState(
            ref=ref,
            settled=max((v for v, (_, settled) in rows.items() if settled), default=0),
            pending=tuple(v for v, (_, settled) in rows.items() if not settled),
            stale=(),
            destroyed=self.rows[ref] is None,
        )

    def states(self, *, after: str, limit: int) -> list[SecretState]:
        refs = sorted(ref for ref in self.rows if ref > after)[:limit]
        return [state for ref in refs if (state := self.state(ref)) is not None]


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
    return database_with(VaultBase.metadata, url)


def real_vault(
    directory: Path, *, keys: MemoryVaultKeys | None = None, now: Callable[[], int] = lambda: NOW
) -> SealedVault:
    """A vault over SQLite, with both real sinks, in `directory`."""
    engine = vault_engine(directory / "vault.db")
    return SealedVault(
        store=SqlVaultStore(engine),
        keys=keys or MemoryVaultKeys(),
        secrets=SqliteRowSecrets(directory / "secrets" / "rows.db"),
        audit=[FileAuditSink(directory / "audit.jsonl"), DatabaseAuditSink(engine)],
        random=secrets.token_bytes,
        now=now,
    )

"""Where sealed rows, blind indices and audit records lie: a database of their own."""

from sqlalchemy import Engine, ForeignKey, LargeBinary, String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from identity.adapters.database import transaction
from identity.vault.ports import (
    AuditRecord,
    BlindIndex,
    IndexKeyChanged,
    SealedRow,
    WrappedKey,
)


class VaultBase(DeclarativeBase):
    """Tables of the vault; never in the database of the identity services."""


class VaultRow(VaultBase):
    """A sealed row, or what is left of a forgotten one: its reference, and when it went."""

    __tablename__ = "vault_row"

    ref: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(128))
    version: Mapped[int]
    sealed_at: Mapped[int]
    key_id: Mapped[str | None] = mapped_column(String(64))
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    forgotten_at: Mapped[int | None]


class VaultIndex(VaultBase):
    """One identifier, one row: the primary key is what makes it so, also between processes."""

    __tablename__ = "vault_index"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64))
    ref: Mapped[str] = mapped_column(ForeignKey("vault_row.ref"), unique=True)


class VaultAudit(VaultBase):
    """The second audit sink; the first is a file. Rows are only ever added."""

    __tablename__ = "vault_audit"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    time: Mapped[int] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(32))
    ref: Mapped[str] = mapped_column(String(32), index=True)
    actor: Mapped[str] = mapped_column(String(128))
    purpose: Mapped[str] = mapped_column(String(128))


class SqlVaultStore:
    """Keeps the promises of `VaultStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, row: SealedRow, *, index: BlindIndex | None) -> str:
        """As `VaultStore.add`."""
        try:
            with transaction(self._engine) as session:
                if index is not None:
                    _refuse_other_key(session, index)
                    if found := _ref_under(session, index):
                        return found
                session.add(_stored(row))
                session.flush()  # the index refers to the row
                if index is not None:
                    session.add(VaultIndex(digest=index.digest, key_id=index.key_id, ref=row.ref))
        except IntegrityError:
            # Where writers are not serialised, the rival was quicker between look and leap.
            if index is not None and (found := self.find(index)):
                return found
            raise
        return row.ref

    def find(self, index: BlindIndex) -> str | None:
        """As `VaultStore.find`."""
        with transaction(self._engine) as session:
            return _ref_under(session, index)

    def read(self, ref: str) -> SealedRow | None:
        """As `VaultStore.read`."""
        with transaction(self._engine) as session:
            found = session.get(VaultRow, ref)
            return None if found is None else _sealed(found)

    def replace(self, row: SealedRow) -> bool:
        """As `VaultStore.replace`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(VaultRow)
                .where(
                    VaultRow.ref == row.ref,
                    VaultRow.version == row.version - 1,
                    VaultRow.forgotten_at.is_(None),
                )
                .values(
                    version=row.version,
                    sealed_at=row.sealed_at,
                    key_id=row.wrapped_key.key_id,
                    wrapped_key=row.wrapped_key.data,
                    nonce=row.nonce,
                    ciphertext=row.ciphertext,
                )
                .returning(VaultRow.ref)
            )
            return changed.first() is not None

    def shred(self, ref: str, *, now: int) -> None:
        """As `VaultStore.shred`; SQLite overwrites what it frees (`secure_delete`)."""
        with transaction(self._engine) as session:
            session.execute(delete(VaultIndex).where(VaultIndex.ref == ref))
            session.execute(
                update(VaultRow)
                .where(VaultRow.ref == ref, VaultRow.forgotten_at.is_(None))
                .values(
                    key_id=None, wrapped_key=None, nonce=None, ciphertext=None, forgotten_at=now
                )
            )


class DatabaseAuditSink:
    """Audit records as rows, each in a transaction of its own that commits before the read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, entry: AuditRecord) -> None:
        """As `AuditSink.record`."""
        with transaction(self._engine) as session:
            session.add(VaultAudit(**entry.members()))


def _ref_under(session: Session, index: BlindIndex) -> str | None:
    return session.scalar(select(VaultIndex.ref).where(VaultIndex.digest == index.digest))


def _refuse_other_key(session: Session, index: BlindIndex) -> None:
    """One row speaks for all, since none goes in under another key than the first."""
    there = session.scalar(select(VaultIndex.key_id).limit(1))
    if there is not None and there != index.key_id:
        raise IndexKeyChanged("the vault was indexed under another key than the one given")


def _stored(row: SealedRow) -> VaultRow:
    return VaultRow(
        ref=row.ref,
        owner=row.owner,
        kind=row.kind,
        version=row.version,
        sealed_at=row.sealed_at,
        key_id=row.wrapped_key.key_id,
        wrapped_key=row.wrapped_key.data,
        nonce=row.nonce,
        ciphertext=row.ciphertext,
    )


def _sealed(found: VaultRow) -> SealedRow | None:
    key_id, wrapped, nonce, text = found.key_id, found.wrapped_key, found.nonce, found.ciphertext
    if key_id is None or wrapped is None or nonce is None or text is None:
        return None  # forgotten
    return SealedRow(
        ref=found.ref,
        owner=found.owner,
        kind=found.kind,
        version=found.version,
        wrapped_key=WrappedKey(key_id=key_id, data=wrapped),
        nonce=nonce,
        ciphertext=text,
        sealed_at=found.sealed_at,
    )

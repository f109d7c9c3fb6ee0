"""What a rotation of keys does in the vault's database; rows and indices move in small steps."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identity.adapters.database import transaction
from identity.adapters.vault_store import sealed_row
from identity.adapters.vault_tables import VaultIndex, VaultKeyUse, VaultLikeness, VaultRow
from identity.vault.records import BlindIndex, SealedRow, WrappedKey
from registry.core.refusals import NotFound


class SqlRotationStore:
    """Keeps the promises of `RotationStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def live_keys(self, use: str) -> tuple[str, ...]:
        """As `RotationStore.live_keys`."""
        with transaction(self._engine) as session:
            return tuple(
                session.scalars(
                    select(VaultKeyUse.key_id)
                    .where(VaultKeyUse.use == use, VaultKeyUse.retired.is_(False))
                    .order_by(VaultKeyUse.key_id)
                )
            )

    def admit_key(self, key_id: str, *, use: str) -> None:
        """As `RotationStore.admit_key`."""
        try:
            self._admit(key_id, use=use)
        except IntegrityError:  # the first row of the vault announced it at this very moment
            self._admit(key_id, use=use)

    def _admit(self, key_id: str, *, use: str) -> None:
        with transaction(self._engine) as session:
            # Writers hold the rows of the keys they know: this waits until they are done.
            session.scalars(
                select(VaultKeyUse).order_by(VaultKeyUse.key_id).with_for_update()
            ).all()
            if session.get(VaultKeyUse, key_id) is None:
                session.add(VaultKeyUse(key_id=key_id, use=use, retired=False))

    def retire_key(self, key_id: str) -> bool:
        """As `RotationStore.retire_key`."""
        with transaction(self._engine) as session:
            keys = session.scalars(
                select(VaultKeyUse).order_by(VaultKeyUse.key_id).with_for_update()
            ).all()
            key = next((found for found in keys if found.key_id == key_id), None)
            if key is None:
                raise NotFound("the vault knows no such key")
            if key.retired:
                return True
            if _needed(session, key, keys):
                return False
            key.retired = True
            session.execute(delete(VaultIndex).where(VaultIndex.key_id == key_id))
            session.execute(delete(VaultLikeness).where(VaultLikeness.key_id == key_id))
            return True

    def not_indexed_under(self, key_id: str, *, limit: int) -> list[SealedRow]:
        """As `RotationStore.not_indexed_under`."""
        with transaction(self._engine) as session:
            return _rows(session, _lacks(key_id), limit)

    def reindex(
        self, row: SealedRow, *, indices: Sequence[BlindIndex], likeness: Sequence[BlindIndex]
    ) -> bool:
        """As `RotationStore.reindex`."""
        with transaction(self._engine) as session:
            if not _held(session, row):
                return False
            for index in indices:
                session.merge(VaultIndex(digest=index.digest, key_id=index.key_id, ref=row.ref))
            for index in likeness:
                session.merge(VaultLikeness(digest=index.digest, key_id=index.key_id, ref=row.ref))
            return True

    def not_wrapped_under(self, key_id: str, *, limit: int) -> list[SealedRow]:
        """As `RotationStore.not_wrapped_under`."""
        with transaction(self._engine) as session:
            return _rows(session, VaultRow.key_id != key_id, limit)

    def rewrap(self, row: SealedRow, wrapped: WrappedKey) -> bool:
        """As `RotationStore.rewrap`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(VaultRow)
                .where(
                    VaultRow.ref == row.ref,
                    VaultRow.version == row.version,
                    VaultRow.key_id == row.wrapped_key.key_id,
                )
                .values(key_id=wrapped.key_id, wrapped_key=wrapped.data)
                .returning(VaultRow.ref)
            )
            return changed.first() is not None


def _lacks(key_id: str):  # type: ignore[no-untyped-def]  # a condition of SQLAlchemy
    """Rows that are indexed, or alike to others, and not under this key."""
    return or_(
        *(
            exists().where(table.ref == VaultRow.ref)
            & ~exists().where(table.ref == VaultRow.ref, table.key_id == key_id)
            for table in (VaultIndex, VaultLikeness)
        )
    )


def _needed(session: Session, key: VaultKeyUse, keys: Sequence[VaultKeyUse]) -> bool:
    """Whether a row would be lost, or could be registered twice, without this key."""
    if key.use == "wrap":
        return bool(
            session.scalar(select(VaultRow.ref).where(VaultRow.key_id == key.key_id).limit(1))
        )
    others = [
        found.key_id
        for found in keys
        if found.use == "index" and not found.retired and found is not key
    ]
    if not others:
        return True
    return any(_rows(session, _lacks(other), 1) for other in others)


def _held(session: Session, row: SealedRow) -> bool:
    """Whether the row is as it was read; it stays so until the end of the transaction."""
    return (
        session.scalar(
            select(VaultRow.ref)
            .where(
                VaultRow.ref == row.ref,
                VaultRow.version == row.version,
                VaultRow.forgotten_at.is_(None),
            )
            .with_for_update()
        )
        is not None
    )


def _rows(session: Session, condition, limit: int) -> list[SealedRow]:  # type: ignore[no-untyped-def]
    found = session.scalars(
        select(VaultRow)
        .where(condition, VaultRow.forgotten_at.is_(None))
        .order_by(VaultRow.ref)
        .limit(limit)
    )
    return [row for row in map(sealed_row, found) if row is not None]

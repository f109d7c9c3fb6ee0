"""Looks that two officers agree on, in the vault's database."""

from sqlalchemy import Engine, update

from identity.adapters.database import transaction
from identity.adapters.vault_tables import VaultException
from identity.vault.break_glass import LookRequest


class SqlLookStore:
    """Keeps the promises of `LookStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, request: LookRequest) -> None:
        """As `LookStore.add`."""
        with transaction(self._engine) as session:
            session.add(
                VaultException(
                    id=request.id,
                    ref=request.ref,
                    reason=request.reason,
                    asked_by=request.asked_by,
                    asked_at=request.asked_at,
                )
            )

    def read(self, request_id: str) -> LookRequest | None:
        """As `LookStore.read`."""
        with transaction(self._engine) as session:
            row = session.get(VaultException, request_id)
        if row is None:
            return None
        return LookRequest(
            id=row.id,
            ref=row.ref,
            reason=row.reason,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            approved_by=row.approved_by or "",
            approved_at=row.approved_at or 0,
        )

    def approve(self, request_id: str, *, officer: str, now: int, asked_after: int) -> bool:
        """As `LookStore.approve`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(VaultException)
                .where(
                    VaultException.id == request_id,
                    VaultException.asked_by != officer,
                    VaultException.approved_by.is_(None),
                    VaultException.asked_at >= asked_after,
                )
                .values(approved_by=officer, approved_at=now)
                .returning(VaultException.id)
            )
            return changed.first() is not None

    def use(self, request_id: str, *, officer: str, now: int, approved_after: int) -> bool:
        """As `LookStore.use`."""
        with transaction(self._engine) as session:
            changed = session.scalars(
                update(VaultException)
                .where(
                    VaultException.id == request_id,
                    VaultException.asked_by == officer,
                    VaultException.approved_by.is_not(None),
                    VaultException.approved_by != officer,
                    VaultException.approved_at >= approved_after,
                    VaultException.used_at.is_(None),
                )
                .values(used_at=now)
                .returning(VaultException.id)
            )
            return changed.first() is not None

"""What the vault's retention clock reads and deletes in the vault's database."""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine, delete, func, select

from identity.adapters.database import transaction
from identity.adapters.vault_tables import VaultAudit, VaultException, VaultRow

_PARAMETERS = 500  # in one statement; databases have limits, and audits grow


class SqlRetentionStore:
    """Keeps the promises of `identity.vault.retention.RetentionStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows_before(self, time: int, *, kinds: Sequence[str], limit: int) -> list[str]:
        """As `RetentionStore.rows_before`."""
        with transaction(self._engine) as session:
            return list(
                session.scalars(
                    select(VaultRow.ref)
                    .where(
                        VaultRow.kind.in_(kinds),
                        VaultRow.sealed_at < time,
                        VaultRow.forgotten_at.is_(None),
                    )
                    .order_by(VaultRow.sealed_at, VaultRow.ref)
                    .limit(limit)
                )
            )

    def looks_before(self, time: int) -> int:
        """As `RetentionStore.looks_before`."""
        with transaction(self._engine) as session:
            old = VaultException.asked_at < time
            return session.scalar(select(func.count(VaultException.id)).where(old)) or 0

    def delete_looks(self, time: int) -> None:
        """As `RetentionStore.delete_looks`."""
        with transaction(self._engine) as session:
            session.execute(delete(VaultException).where(VaultException.asked_at < time))

    def audit_before(self, time: int) -> int:
        """As `RetentionStore.audit_before`."""
        with transaction(self._engine) as session:
            old = VaultAudit.time < time
            return session.scalar(select(func.count(VaultAudit.id)).where(old)) or 0

    def delete_audit(self, time: int, *, but: Collection[str]) -> None:
        """As `RetentionStore.delete_audit`."""
        with transaction(self._engine) as session:
            old = session.scalars(select(VaultAudit.id).where(VaultAudit.time < time)).all()
            going = [record for record in old if record not in but]
            for at in range(0, len(going), _PARAMETERS):
                session.execute(
                    delete(VaultAudit).where(VaultAudit.id.in_(going[at : at + _PARAMETERS]))
                )

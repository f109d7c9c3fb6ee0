"""Anchor batches in the database."""

from sqlalchemy import Engine, select, update

from identity.adapters.database import transaction
from identity.adapters.issuer_offer_store import rows
from identity.adapters.issuer_tables import BatchRow, CopyRow
from identity.issuer.records import Batch, BatchState
from registry.core.refusals import NotFound


class SqlBatchStore:
    """Keeps the promises of `identity.issuer.stores.BatchStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_batches(self, agency: str) -> list[str]:
        """As `BatchStore.open_batches`."""
        return self._in_state(agency, BatchState.OPEN)

    def unfinished(self, agency: str) -> list[str]:
        """As `BatchStore.unfinished`."""
        return self._in_state(agency, BatchState.SEALING)

    def close(self, batch: str) -> bool:
        """As `BatchStore.close`."""
        with transaction(self._engine) as db:
            return (
                rows(
                    db,
                    update(BatchRow)
                    .where(BatchRow.batch == batch, BatchRow.state == BatchState.OPEN)
                    .values(state=BatchState.SEALING),
                )
                == 1
            )

    def read_batch(self, agency: str, batch: str) -> Batch | None:
        """As `BatchStore.read_batch`."""
        with transaction(self._engine) as db:
            row = db.get(BatchRow, batch)
        if row is None or row.agency != agency:
            return None
        return Batch(
            batch=row.batch,
            agency=row.agency,
            state=BatchState(row.state),
            count=row.count,
            opened_at=row.opened_at,
            transaction=row.transaction,
            proof_json=row.proof_json,
        )

    def digests(self, batch: str) -> list[bytes]:
        """As `BatchStore.digests`."""
        with transaction(self._engine) as db:
            return sorted(db.scalars(select(CopyRow.digest).where(CopyRow.batch == batch)))

    def credential_types(self, batch: str) -> list[str]:
        """As `BatchStore.credential_types`."""
        with transaction(self._engine) as db:
            return sorted(
                db.scalars(select(CopyRow.credential_type).where(CopyRow.batch == batch).distinct())
            )

    def store_transaction(self, batch: str, transaction_bytes: bytes) -> bytes:
        """As `BatchStore.store_transaction`."""
        with transaction(self._engine) as db:
            db.execute(
                update(BatchRow)
                .where(
                    BatchRow.batch == batch,
                    BatchRow.state == BatchState.SEALING,
                    BatchRow.transaction.is_(None),
                )
                .values(transaction=transaction_bytes)
            )
            kept = db.scalars(
                select(BatchRow.transaction).where(BatchRow.batch == batch)
            ).one_or_none()
        if kept is None:
            raise NotFound("the batch is not being sealed")
        return kept

    def finish(self, batch: str, proof_json: bytes) -> None:
        """As `BatchStore.finish`."""
        with transaction(self._engine) as db:
            db.execute(
                update(BatchRow)
                .where(BatchRow.batch == batch, BatchRow.state == BatchState.SEALING)
                .values(state=BatchState.ANCHORED, proof_json=proof_json)
            )

    def _in_state(self, agency: str, state: BatchState) -> list[str]:
        with transaction(self._engine) as db:
            return list(
                db.scalars(
                    select(BatchRow.batch)
                    .where(BatchRow.agency == agency, BatchRow.state == state)
                    .order_by(BatchRow.opened_at, BatchRow.batch)
                )
            )

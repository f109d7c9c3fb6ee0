"""Status groups, their publication and their signed documents in the database."""

import zlib
from contextlib import suppress

from sqlalchemy import Engine, or_, select, update
from sqlalchemy.exc import IntegrityError

from identity.adapters.database import transaction
from identity.adapters.issuer_offer_store import rows
from identity.adapters.issuer_tables import CopyRow, StatusDocumentRow, StatusGroupRow
from identity.issuer.records import (
    PendingLists,
    Status,
    StatusDocuments,
    StatusGroup,
    StatusLists,
)
from identity.issuer.stores import MAX_GROUP_ENTRIES


class SqlStatusStore:
    """Keeps the promises of `identity.issuer.stores.StatusStore`. Lists are stored deflated."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def has_open_group(self, agency: str, *, room: int, key: str = "") -> bool:
        """As `StatusStore.has_open_group`."""
        with transaction(self._engine) as db:
            found = db.scalars(
                select(StatusGroupRow.group_id)
                .where(
                    StatusGroupRow.agency == agency,
                    StatusGroupRow.key_id == key,
                    StatusGroupRow.closed.is_(False),
                    StatusGroupRow.version > 0,
                    StatusGroupRow.allocated + room <= MAX_GROUP_ENTRIES,
                )
                .limit(1)
            ).one_or_none()
        return found is not None

    def unpublished(self, agency: str) -> list[str]:
        """As `StatusStore.unpublished`."""
        with transaction(self._engine) as db:
            return list(
                db.scalars(
                    select(StatusGroupRow.group_id)
                    .where(StatusGroupRow.agency == agency, StatusGroupRow.version == 0)
                    .order_by(StatusGroupRow.group_id)
                )
            )

    def due(self, agency: str, *, signed_before: int) -> list[str]:
        """As `StatusStore.due`."""
        group, documents = StatusGroupRow, StatusDocumentRow
        with transaction(self._engine) as db:
            return list(
                db.scalars(
                    select(group.group_id)
                    .outerjoin(documents, documents.group_id == group.group_id)
                    .where(
                        group.agency == agency,
                        or_(
                            group.pending_version.is_not(None),
                            group.changes != group.published_changes,
                            documents.group_id.is_(None),
                            documents.version != group.version,
                            documents.signed_at < signed_before,
                        ),
                    )
                    .order_by(group.group_id)
                )
            )

    def add_group(self, agency: str, group: str, *, key: str = "") -> None:
        """As `StatusStore.add_group`."""
        with transaction(self._engine) as db:
            db.add(
                StatusGroupRow(
                    group_id=group,
                    agency=agency,
                    key_id=key,
                    closed=False,
                    allocated=0,
                    changes=0,
                    published_changes=-1,
                    version=0,
                )
            )

    def read_group(self, agency: str, group: str) -> StatusGroup | None:
        """As `StatusStore.read_group`."""
        with transaction(self._engine) as db:
            row = db.get(StatusGroupRow, group)
        if row is None or row.agency != agency:
            return None
        return StatusGroup(
            group=row.group_id,
            agency=row.agency,
            key=row.key_id,
            version=row.version,
            changes=row.changes,
            published_changes=row.published_changes,
            published=_lists(row.token_list, row.revocation_list, row.suspension_list),
            pending=_pending(row),
        )

    def published_version(self, group: str) -> int:
        """As `StatusStore.published_version`."""
        with transaction(self._engine) as db:
            version = db.scalar(
                select(StatusGroupRow.version).where(StatusGroupRow.group_id == group)
            )
        return version or 0

    def entries(self, group: str) -> dict[int, Status]:
        """As `StatusStore.entries`."""
        with transaction(self._engine) as db:
            found = db.execute(
                select(CopyRow.position, CopyRow.status).where(
                    CopyRow.group_id == group, CopyRow.status != Status.VALID
                )
            ).all()
        return {position: Status(status) for position, status in found}

    def prepare(self, group: str, pending: PendingLists) -> bool:
        """As `StatusStore.prepare`."""
        with transaction(self._engine) as db:
            return (
                rows(
                    db,
                    update(StatusGroupRow)
                    .where(
                        StatusGroupRow.group_id == group,
                        StatusGroupRow.pending_version.is_(None),
                        StatusGroupRow.version == pending.version - 1,
                    )
                    .values(
                        pending_version=pending.version,
                        pending_changes=pending.changes,
                        pending_token=zlib.compress(pending.lists.token),
                        pending_revocation=zlib.compress(pending.lists.revocation),
                        pending_suspension=zlib.compress(pending.lists.suspension),
                        pending_transaction=pending.transaction,
                    ),
                )
                == 1
            )

    def finish(self, group: str, version: int) -> None:
        """As `StatusStore.finish`."""
        row = StatusGroupRow
        with transaction(self._engine) as db:
            db.execute(
                update(row)
                .where(row.group_id == group, row.pending_version == version)
                .values(
                    version=row.pending_version,
                    published_changes=row.pending_changes,
                    token_list=row.pending_token,
                    revocation_list=row.pending_revocation,
                    suspension_list=row.pending_suspension,
                    pending_version=None,
                    pending_changes=None,
                    pending_token=None,
                    pending_revocation=None,
                    pending_suspension=None,
                    pending_transaction=None,
                )
            )

    def close_group(self, group: str) -> None:
        """As `StatusStore.close_group`."""
        with transaction(self._engine) as db:
            db.execute(
                update(StatusGroupRow).where(StatusGroupRow.group_id == group).values(closed=True)
            )

    def read_documents(self, group: str) -> StatusDocuments | None:
        """As `StatusStore.read_documents`."""
        with transaction(self._engine) as db:
            row = db.get(StatusDocumentRow, group)
        if row is None:
            return None
        of_this = (row.cwt_version, row.cwt_signed_at) == (row.version, row.signed_at)
        return StatusDocuments(
            group=row.group_id,
            version=row.version,
            token=row.token,
            token_cwt=(row.token_cwt or b"") if of_this else b"",
            revocation=row.revocation,
            suspension=row.suspension,
            signed_at=row.signed_at,
            expires_at=row.expires_at,
        )

    def put_documents(self, documents: StatusDocuments) -> None:
        """As `StatusStore.put_documents`."""
        values = {
            "version": documents.version,
            "token": documents.token,
            "token_cwt": documents.token_cwt,
            "cwt_version": documents.version,
            "cwt_signed_at": documents.signed_at,
            "revocation": documents.revocation,
            "suspension": documents.suspension,
            "signed_at": documents.signed_at,
            "expires_at": documents.expires_at,
        }
        row = StatusDocumentRow
        # PostgreSQL lets another instance store its first ones in the same moment.
        with suppress(IntegrityError), transaction(self._engine) as db:
            if db.get(row, documents.group) is None:
                db.add(row(group_id=documents.group, **values))
                return
        with transaction(self._engine) as db:
            db.execute(
                update(row)
                .where(
                    row.group_id == documents.group,
                    or_(
                        row.version < documents.version,
                        (row.version == documents.version) & (row.signed_at <= documents.signed_at),
                    ),
                )
                .values(**values)
            )


def _lists(
    token: bytes | None, revocation: bytes | None, suspension: bytes | None
) -> StatusLists | None:
    if token is None or revocation is None or suspension is None:
        return None
    return StatusLists(
        token=zlib.decompress(token),
        revocation=zlib.decompress(revocation),
        suspension=zlib.decompress(suspension),
    )


def _pending(row: StatusGroupRow) -> PendingLists | None:
    lists = _lists(row.pending_token, row.pending_revocation, row.pending_suspension)
    if (
        lists is None
        or row.pending_version is None
        or row.pending_changes is None
        or row.pending_transaction is None
    ):
        return None
    return PendingLists(
        version=row.pending_version,
        changes=row.pending_changes,
        lists=lists,
        transaction=row.pending_transaction,
    )

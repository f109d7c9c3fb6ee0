"""Presentation requests in the database; the one answer is a conditional update."""

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.engine import CursorResult

from identity.adapters.database import transaction
from identity.adapters.verifier_tables import RequestRow
from identity.core.pseudonym import Wish
from identity.verifier.ports import StoredRequest

PENDING = "pending"


class DatabaseRequests:
    """Keeps the promises of `RequestStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, request: StoredRequest, *, delete_after: int) -> None:
        """As `RequestStore.add`."""
        with transaction(self._engine) as session:
            session.add(
                RequestRow(
                    request=request.request,
                    party=request.party,
                    purpose=request.purpose,
                    query=request.query,
                    nonce=request.nonce,
                    state=request.state,
                    status=request.status,
                    secret_digest=request.secret_digest,
                    result_key=request.result_key,
                    answer_key=request.answer_key or None,
                    sealed=request.sealed,
                    client_id=request.client_id,
                    delivery=request.delivery,
                    return_to=request.return_to or None,
                    response_code=request.response_code or None,
                    pseudonym=str(request.pseudonym),
                    created_at=request.created_at,
                    expires_at=request.expires_at,
                    delete_after=delete_after,
                )
            )

    def read(self, request: str, *, party: str) -> StoredRequest | None:
        """As `RequestStore.read`."""
        wanted = select(RequestRow).where(RequestRow.request == request, RequestRow.party == party)
        with transaction(self._engine) as session:
            row = session.scalars(wanted).one_or_none()
            return None if row is None else _stored(row)

    def answer(
        self,
        request: str,
        *,
        status: str,
        sealed: bytes,
        response_code: bytes,
        now: int,
        delete_after: int,
    ) -> bool:
        """As `RequestStore.answer`."""
        change = (
            update(RequestRow)
            .where(
                RequestRow.request == request,
                RequestRow.status == PENDING,
                RequestRow.expires_at > now,
            )
            .values(
                status=status,
                sealed=sealed,
                response_code=response_code or None,
                answer_key=None,
                delete_after=delete_after,
            )
        )
        with transaction(self._engine) as session:
            return _count(session.execute(change)) == 1

    def delete_soon(self, request: str, *, delete_after: int) -> None:
        """As `RequestStore.delete_soon`."""
        change = (
            update(RequestRow)
            .where(RequestRow.request == request, RequestRow.delete_after > delete_after)
            .values(delete_after=delete_after)
        )
        with transaction(self._engine) as session:
            session.execute(change)

    def purge(self, *, now: int) -> int:
        """As `RequestStore.purge`."""
        with transaction(self._engine) as session:
            return _count(session.execute(delete(RequestRow).where(RequestRow.delete_after <= now)))


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def _stored(row: RequestRow) -> StoredRequest:
    return StoredRequest(
        request=row.request,
        party=row.party,
        purpose=row.purpose,
        query=row.query,
        nonce=row.nonce,
        state=row.state,
        status=row.status,
        secret_digest=row.secret_digest,
        result_key=row.result_key,
        answer_key=row.answer_key or b"",
        sealed=row.sealed,
        client_id=row.client_id,
        delivery=row.delivery,
        return_to=row.return_to or "",
        response_code=row.response_code or b"",
        pseudonym=Wish(row.pseudonym),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )

"""Issuances, deliveries and copies in the database, and the allocation of status and batch places.

One transaction records a delivery: the issuance, its status entries, its place in an open batch and
the anchor digests. Nothing is signed before it is committed.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identity.adapters.database import transaction
from identity.adapters.issuer_offer_store import mandate_of, rows
from identity.adapters.issuer_stop_store import refuse_stopped
from identity.adapters.issuer_tables import (
    BatchRow,
    CopyRow,
    DeliveryRow,
    IssuanceRow,
    OfferRow,
    StatusGroupRow,
    TokenRow,
)
from identity.core.issuance import (
    BACKDATE_SECONDS,
    STATUS_LIST_SIZE,
    StatusPlace,
    issued_at,
)
from identity.issuer.records import (
    BatchState,
    DeliveryState,
    Issuance,
    NewCopy,
    OfferState,
    Placement,
    Status,
)
from identity.issuer.stores import (
    MAX_BATCH_COUNT,
    MAX_GROUP_ENTRIES,
    AlreadyDelivered,
    DeliveryRequest,
    EndedRest,
    NoOpenGroup,
    StatusIsFinal,
    TooManyDeliveries,
)
from registry.core.encoding import base64url_encode
from registry.core.refusals import Unavailable


class SqlIssuanceStore:
    """Keeps the promises of `identity.issuer.stores.IssuanceStore`."""

    def __init__(self, engine: Engine, *, random: Callable[[int], bytes]) -> None:
        self._engine = engine
        self._random = random

    def record_delivery(
        self, request: DeliveryRequest, draft: Callable[[Placement], Sequence[NewCopy]]
    ) -> None:
        """As `IssuanceStore.record_delivery`."""
        try:
            self._record(request, draft)
        except IntegrityError as error:
            # PostgreSQL lets rivals run side by side; the constraints decide, the loser repeats.
            raise Unavailable("another request for the same credential was faster") from error

    def _record(
        self, request: DeliveryRequest, draft: Callable[[Placement], Sequence[NewCopy]]
    ) -> None:
        with transaction(self._engine) as db:
            refuse_stopped(db, request.agency)
            _refuse_dead_offer(db, request)
            issuance = db.get(IssuanceRow, request.issuance, with_for_update=True)
            if issuance is None:
                db.add(
                    IssuanceRow(
                        issuance=request.issuance,
                        agency=request.agency,
                        subject=request.subject,
                        credential_type=request.credential_type,
                        status=Status.VALID,
                        issued_at=request.now,
                        changed_at=request.now,
                        reason=None,
                        principal=None if request.mandate is None else request.mandate.principal,
                        durable=request.mandate is not None and request.mandate.durable,
                    )
                )
                db.flush()
            elif issuance.status != Status.VALID:
                raise AlreadyDelivered("the credential was revoked or suspended by its agency")
            else:
                self._supersede(db, request)
            # Places first: they lock the group, so rivals find the batch that the first one opened.
            places = self._allocate(db, request)
            placement = Placement(
                batch=self._join_batch(db, request) if request.anchored else "", places=places
            )
            db.add(
                DeliveryRow(
                    delivery=request.delivery,
                    issuance=request.issuance,
                    configuration=request.configuration,
                    state=DeliveryState.PENDING,
                    created_at=request.now,
                )
            )
            for copy in draft(placement):
                db.add(
                    CopyRow(
                        digest=copy.digest,
                        agency=request.agency,
                        issuance=request.issuance,
                        delivery=request.delivery,
                        format=copy.format,
                        credential_type=request.credential_type,
                        credential_id=copy.credential_id,
                        batch=placement.batch or None,
                        group_id=copy.place.group,
                        position=copy.place.index,
                        status=Status.VALID,
                    )
                )

    def record_event(self, issuance: str, delivery: str, state: DeliveryState) -> bool:
        """As `IssuanceStore.record_event`."""
        with transaction(self._engine) as db:
            row = db.get(DeliveryRow, delivery)
            if row is None or row.issuance != issuance:
                return False
            if row.state == DeliveryState.PENDING:
                row.state = state
                if state is DeliveryState.FAILED:
                    _set_status(db, CopyRow.delivery == delivery, Status.REVOKED)
        return True

    def change_status(
        self, agency: str, issuance: str, status: Status, *, reason: str | None, now: int
    ) -> list[str]:
        """As `IssuanceStore.change_status`."""
        with transaction(self._engine) as db:
            changed = rows(
                db,
                update(IssuanceRow)
                .where(
                    IssuanceRow.agency == agency,
                    IssuanceRow.issuance == issuance,
                    IssuanceRow.status.not_in((Status.REVOKED, status)),
                )
                .values(status=status, reason=reason, changed_at=now),
            )
            if changed == 0:
                row = db.get(IssuanceRow, issuance)
                if row is not None and row.status == Status.REVOKED != status:
                    raise StatusIsFinal("the credential is revoked, and revocation is final")
            else:
                _set_status(db, CopyRow.issuance == issuance, status)
            return list(
                db.scalars(select(CopyRow.group_id).where(CopyRow.issuance == issuance).distinct())
            )

    def end_all_of(
        self,
        agency: str,
        subject: str,
        status: Status,
        *,
        types: Collection[str] | None,
        reason: str,
        now: int,
    ) -> EndedRest:
        """As `IssuanceStore.end_all_of`."""
        offer_is_hers = [OfferRow.agency == agency, OfferRow.subject == subject]
        is_hers = [IssuanceRow.agency == agency, IssuanceRow.subject == subject]
        if types is not None:
            offer_is_hers.append(OfferRow.credential_type.in_(types))
            is_hers.append(IssuanceRow.credential_type.in_(types))
        with transaction(self._engine) as db:
            # Offers first: a delivery holds its offer, so it commits before this or is refused.
            dead = _end_offers(db, *offer_is_hers)
            wanted = list(db.scalars(select(IssuanceRow.issuance).where(*is_hers)))
            return _set_all(db, wanted, status, reason=reason, now=now, offers=dead, unless=status)

    def end_mandates_of(
        self,
        agency: str,
        principal: str,
        *,
        ends: Callable[[str, bool], bool],
        reason: str,
        now: int,
    ) -> EndedRest:
        """As `IssuanceStore.end_mandates_of`."""
        offer, issuance = OfferRow, IssuanceRow
        with transaction(self._engine) as db:
            # Offers first, and without looking at their state: see `end_all_of`.
            offered = db.execute(
                select(offer.offer, offer.credential_type, offer.durable).where(
                    offer.agency == agency, offer.principal == principal
                )
            ).all()
            dead = _end_offers(
                db,
                offer.offer.in_([name for name, kind, durable in offered if ends(kind, durable)]),
            )
            issued = db.execute(
                select(issuance.issuance, issuance.credential_type, issuance.durable).where(
                    issuance.agency == agency, issuance.principal == principal
                )
            ).all()
            wanted = [name for name, kind, durable in issued if ends(kind, durable)]
            return _set_all(
                db, wanted, Status.REVOKED, reason=reason, now=now, offers=dead, unless=None
            )

    def reinstate_all_of(self, agency: str, subject: str, *, reason: str, now: int) -> EndedRest:
        """As `IssuanceStore.reinstate_all_of`."""
        with transaction(self._engine) as db:
            wanted = list(
                db.scalars(
                    select(IssuanceRow.issuance).where(
                        IssuanceRow.agency == agency,
                        IssuanceRow.subject == subject,
                        IssuanceRow.status == Status.SUSPENDED,
                        IssuanceRow.reason == reason,
                    )
                )
            )
            return _set_all(db, wanted, Status.VALID, reason=None, now=now, offers=0, unless=None)

    def read_issuance(self, agency: str, issuance: str) -> Issuance | None:
        """As `IssuanceStore.read_issuance`."""
        with transaction(self._engine) as db:
            row = db.get(IssuanceRow, issuance)
        return None if row is None or row.agency != agency else _issuance(row)

    def find_issuance(self, agency: str, credential_id: str) -> str | None:
        """As `IssuanceStore.find_issuance`."""
        with transaction(self._engine) as db:
            return db.scalars(
                select(CopyRow.issuance)
                .where(CopyRow.agency == agency, CopyRow.credential_id == credential_id)
                .limit(1)
            ).one_or_none()

    def issuances_of(self, agency: str, subject: str) -> list[Issuance]:
        """As `IssuanceStore.issuances_of`."""
        with transaction(self._engine) as db:
            found = db.scalars(
                select(IssuanceRow)
                .where(IssuanceRow.agency == agency, IssuanceRow.subject == subject)
                .order_by(IssuanceRow.issued_at, IssuanceRow.issuance)
            ).all()
        return [_issuance(row) for row in found]

    def batch_of(self, agency: str, digest: bytes) -> str | None:
        """As `IssuanceStore.batch_of`."""
        with transaction(self._engine) as db:
            row = db.get(CopyRow, digest)
        return None if row is None or row.agency != agency else row.batch

    def _supersede(self, db: Session, request: DeliveryRequest) -> None:
        """Revoke earlier copies of this configuration that the wallet never confirmed."""
        earlier = db.scalars(
            select(DeliveryRow).where(
                DeliveryRow.issuance == request.issuance,
                DeliveryRow.configuration == request.configuration,
            )
        ).all()
        if any(row.state == DeliveryState.ACCEPTED for row in earlier):
            raise AlreadyDelivered("the wallet confirmed that it has this credential")
        if len(earlier) >= request.max_deliveries:
            raise TooManyDeliveries("this credential was requested too many times")
        for row in earlier:
            if row.state == DeliveryState.PENDING:
                row.state = DeliveryState.SUPERSEDED
                _set_status(db, CopyRow.delivery == row.delivery, Status.REVOKED)

    def _allocate(self, db: Session, request: DeliveryRequest) -> tuple[StatusPlace, ...]:
        """Random entries that were never used: the position says nothing about time or person."""
        count = request.copies
        group = db.scalars(
            select(StatusGroupRow)
            .where(
                StatusGroupRow.agency == request.agency,
                StatusGroupRow.key_id == request.key,
                StatusGroupRow.closed.is_(False),
                StatusGroupRow.version > 0,
                StatusGroupRow.allocated + count <= MAX_GROUP_ENTRIES,
            )
            .order_by(StatusGroupRow.group_id)
            .limit(1)
            .with_for_update()
        ).one_or_none()
        if group is None:
            raise NoOpenGroup("no status list of this agency has room")
        group.allocated += count
        chosen: dict[int, None] = {}
        while len(chosen) < count:  # the group is at most half full: two rounds on average
            drawn = {
                int.from_bytes(self._random(8), "big") % STATUS_LIST_SIZE
                for _ in range(count - len(chosen))
            }
            used = db.scalars(
                select(CopyRow.position).where(
                    CopyRow.group_id == group.group_id, CopyRow.position.in_(drawn)
                )
            )
            chosen.update(dict.fromkeys(drawn - set(used)))
        places = [StatusPlace(group=group.group_id, index=position) for position in chosen]
        return tuple(places)

    def _join_batch(self, db: Session, request: DeliveryRequest) -> str:
        """Take places in an open batch; the condition is what a sealer's UPDATE collides with."""
        candidates = db.scalars(
            select(BatchRow.batch).where(
                BatchRow.agency == request.agency,
                BatchRow.state == BatchState.OPEN,
                # one that gathers another stretch of time would date these copies to it
                BatchRow.opened_at >= _stretch_begins(request.now),
            )
        ).all()
        for batch in candidates:
            joined = rows(
                db,
                update(BatchRow)
                .where(
                    BatchRow.batch == batch,
                    BatchRow.state == BatchState.OPEN,
                    BatchRow.count + request.copies <= MAX_BATCH_COUNT,
                )
                .values(count=BatchRow.count + request.copies),
            )
            if joined == 1:
                return batch
        batch = base64url_encode(self._random(16))
        db.add(
            BatchRow(
                batch=batch,
                agency=request.agency,
                state=BatchState.OPEN,
                count=request.copies,
                opened_at=request.now,
                transaction=None,
                proof_json=None,
            )
        )
        db.flush()
        return batch


def _stretch_begins(now: int) -> int:
    """The first second whose credentials say that they were issued when those of `now` do."""
    begins = issued_at(datetime.fromtimestamp(now, UTC))
    return int(begins.timestamp()) + BACKDATE_SECONDS


def _refuse_dead_offer(db: Session, request: DeliveryRequest) -> None:
    """An offer that was ended while its wallet was served delivers nothing more.

    Where writers run side by side the lock makes whoever ends the offer wait for this delivery, and
    then end its copies as well.
    """
    offer = db.scalars(
        select(OfferRow).where(OfferRow.offer == request.issuance).with_for_update(read=True)
    ).one_or_none()
    if offer is not None and offer.state == OfferState.DEAD:
        raise AlreadyDelivered("the offer was ended by its agency")


def _end_offers(db: Session, *which: ColumnElement[bool]) -> int:
    """Offers that are not dead yet die, and their tokens with them; how many."""
    dead = list(
        db.scalars(
            update(OfferRow)
            .where(*which, OfferRow.state != OfferState.DEAD)
            .values(state=OfferState.DEAD)
            .returning(OfferRow.offer)
        )
    )
    db.execute(delete(TokenRow).where(TokenRow.offer.in_(dead)))
    return len(dead)


def _set_all(
    db: Session,
    issuances: Sequence[str],
    status: Status,
    *,
    reason: str | None,
    now: int,
    offers: int,
    unless: Status | None,
) -> EndedRest:
    """Give issuances and their copies a status; what is revoked stays revoked."""
    final = {Status.REVOKED} | ({unless} if unless is not None else set())
    changed = list(
        db.scalars(
            update(IssuanceRow)
            .where(IssuanceRow.issuance.in_(issuances), IssuanceRow.status.not_in(final))
            .values(status=status, reason=reason, changed_at=now)
            .returning(IssuanceRow.issuance)
        )
    )
    _set_status(db, CopyRow.issuance.in_(changed), status)
    groups = db.scalars(select(CopyRow.group_id).where(CopyRow.issuance.in_(issuances)).distinct())
    return EndedRest(issuances=tuple(sorted(changed)), offers=offers, groups=tuple(groups))


def _set_status(db: Session, where: object, status: Status) -> None:
    """Change copies that are not revoked, and count the change on their groups."""
    groups = list(
        db.scalars(
            select(CopyRow.group_id)
            .where(where, CopyRow.status.not_in((Status.REVOKED, status)))  # type: ignore[arg-type]
            .distinct()
        )
    )
    db.execute(
        update(CopyRow)
        .where(where, CopyRow.status.not_in((Status.REVOKED, status)))  # type: ignore[arg-type]
        .values(status=status)
    )
    db.execute(
        update(StatusGroupRow)
        .where(StatusGroupRow.group_id.in_(groups))
        .values(changes=StatusGroupRow.changes + 1)
    )


def _issuance(row: IssuanceRow) -> Issuance:
    return Issuance(
        issuance=row.issuance,
        agency=row.agency,
        subject=row.subject,
        credential_type=row.credential_type,
        status=Status(row.status),
        issued_at=row.issued_at,
        changed_at=row.changed_at,
        reason=row.reason,
        mandate=mandate_of(row),
    )

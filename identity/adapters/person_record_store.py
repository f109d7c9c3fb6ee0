"""People's own records and the publication of their heads, in the identity database."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Engine, Index, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.adapters.guardian_store import ChangeRow, RecoveryRow
from identity.adapters.issuer_tables import CopyRow, DeliveryRow, IssuanceRow
from identity.adapters.opening_store import NoticeRow
from identity.adapters.realname_store import Merger, RealNameBinding, absorbed_by, survivor
from identity.core.person_record import (
    START,
    RecordEntry,
    RecordKind,
    chained,
    record_key,
    record_value,
)
from identity.issuer.person_record import Heads, Look, Publication, Sign
from identity.issuer.records import Status
from identity.vault.records import AuditRecord
from registry.core.encoding import (
    JsonObject,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.refusals import Unavailable

_STATUS_NAMES = {Status.VALID: "valid", Status.SUSPENDED: "suspended", Status.REVOKED: "revoked"}


class EntryRow(Base):
    """One entry of a person's record at one agency; only ever added."""

    __tablename__ = "record_entry"
    __table_args__ = (
        UniqueConstraint("subject", "source"),
        Index("record_entry_agency_kind", "agency", "kind", "time"),
    )

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1
    agency: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(160))  # what it tells of; noted once
    time: Mapped[int]
    entry: Mapped[str] = mapped_column(Text)
    head: Mapped[bytes] = mapped_column(LargeBinary)  # after this entry


class HeadRow(Base):
    """A person's newest head, and how far the newest published root goes (0: not at all)."""

    __tablename__ = "record_head"
    __table_args__ = (Index("record_head_agency", "agency", "behind"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    newest_count: Mapped[int]
    newest_head: Mapped[bytes] = mapped_column(LargeBinary)
    behind: Mapped[bool]  # entries wait for the next root
    count: Mapped[int]
    head: Mapped[bytes] = mapped_column(LargeBinary)


class RootRow(Base):
    """A published root of an agency's heads, or one on its way."""

    __tablename__ = "record_root"

    agency: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    transaction: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at: Mapped[int]
    done: Mapped[bool]


class AuditedLooks:
    """Reads of rows, as `identity.issuer.person_record.Looks` tells of them."""

    def __init__(self, opened_since: Callable[[int], Sequence[AuditRecord]]) -> None:
        self._opened_since = opened_since

    def since(self, time: int) -> list[Look]:
        """As `Looks.since`; asks in pages until there are no more."""
        found: dict[str, Look] = {}
        while True:
            page = self._opened_since(time)
            new = [record for record in page if record.id not in found]
            for record in new:
                found[record.id] = Look(
                    id=record.id,
                    time=record.time,
                    person=record.ref,
                    actor=record.actor,
                    purpose=record.purpose,
                )
            if not new:
                return list(found.values())
            time = page[-1].time


class SqlRecordStore:
    """Keeps the promises of `identity.issuer.person_record.RecordStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take_note(self, agency: str, looks: Sequence[Look], *, now: int) -> int:
        """As `RecordStore.take_note`."""
        try:
            with transaction(self._engine) as db:
                since = _cursor(db, agency, now)
                found = [
                    *_registered(db, agency, since),
                    *_issued(db, agency, since),
                    *_changed(db, agency, since),
                    *_looked(db, agency, looks),
                    *_opened(db, agency, now),
                    *_recovered(db, agency, since),
                    *_arranged(db, agency),
                    *_merged(db, agency, since),
                ]
                fresh = _unknown(db, found)
                for subject, source, entry in sorted(fresh, key=lambda i: (i[2].time, i[1])):
                    _append(db, agency, subject, source, entry)
            return len(fresh)
        except IntegrityError as error:  # another instance took note of the same things
            raise Unavailable("another process was faster") from error

    def noted_until(self, agency: str) -> int:
        """As `RecordStore.noted_until`."""
        with transaction(self._engine) as db:
            newest = db.scalar(
                select(EntryRow.time)
                .where(EntryRow.agency == agency, EntryRow.kind == RecordKind.LOOK)
                .order_by(EntryRow.time.desc())
                .limit(1)
            )
        return newest or 0

    def entries(self, subject: str, *, limit: int) -> list[JsonObject]:
        """As `RecordStore.entries`."""
        with transaction(self._engine) as db:
            texts = db.scalars(
                select(EntryRow.entry)
                .where(EntryRow.subject == subject)
                .order_by(EntryRow.number)
                .limit(limit)
            ).all()
        return [parse_json_object(text) for text in texts]

    def heads(self, agency: str) -> Heads:
        """As `RecordStore.heads`."""
        with transaction(self._engine) as db:
            newest = _newest_root(db, agency)
            return Heads(
                version=newest.version if newest else 0,
                done=newest is not None and newest.done,
                values=_heads(db, agency),
            )

    def publication(self, agency: str) -> Publication | None:
        """As `RecordStore.publication`."""
        with transaction(self._engine) as db:
            row = _newest_root(db, agency)
        if row is None:
            return None
        return Publication(
            version=row.version,
            root=row.root,
            transaction=row.transaction,
            stored_at=row.stored_at,
            done=row.done,
        )

    def prepare(self, agency: str, sign: Sign, *, now: int) -> bool:
        """As `RecordStore.prepare`."""
        try:
            with transaction(self._engine) as db:
                before = _newest_root(db, agency)
                if (before is not None and not before.done) or not _move_on(db, agency):
                    return False
                version = (before.version if before else 0) + 1
                root, signed = sign(version, _heads(db, agency))
                db.add(
                    RootRow(
                        agency=agency,
                        version=version,
                        root=root,
                        transaction=signed,
                        stored_at=now,
                        done=False,
                    )
                )
        except IntegrityError:
            return False  # another process stored the next one
        return True

    def finish(self, agency: str, version: int) -> None:
        """As `RecordStore.finish`."""
        with transaction(self._engine) as db:
            row = db.get(RootRow, (agency, version))
            if row is not None:
                row.done = True

    def subject_of(self, agency: str, digest: bytes) -> str | None:
        """As `RecordStore.subject_of`."""
        with transaction(self._engine) as db:
            subject: str | None = db.scalar(
                select(IssuanceRow.subject)
                .join(CopyRow, CopyRow.issuance == IssuanceRow.issuance)
                .where(
                    CopyRow.digest == digest,
                    CopyRow.agency == agency,
                    CopyRow.status == Status.VALID,
                    IssuanceRow.status == Status.VALID,
                )
            )
        return subject


Found = tuple[str, str, RecordEntry]  # subject, source, entry


_OVERLAP_SECONDS = 600  # clocks of instances differ, and transactions end later than they begin
_AT_ONCE = 500  # parameters in one query


def _cursor(db: Session, agency: str, now: int) -> int:
    """From when on rows may have no entry yet."""
    newest = db.scalar(
        select(EntryRow.time)
        .where(EntryRow.agency == agency)
        .order_by(EntryRow.time.desc())
        .limit(1)
    )
    return min(newest or 0, now) - _OVERLAP_SECONDS


def _unknown(db: Session, found: Sequence[Found]) -> list[Found]:
    """Those that have no entry."""
    known: set[tuple[str, str]] = set()
    for start in range(0, len(found), _AT_ONCE):
        sources = {source for _, source, _ in found[start : start + _AT_ONCE]}
        rows = db.execute(
            select(EntryRow.subject, EntryRow.source).where(EntryRow.source.in_(sources))
        )
        known.update((subject, source) for subject, source in rows)
    return [item for item in found if (item[0], item[1]) not in known]


def _registered(db: Session, agency: str, since: int) -> Iterable[Found]:
    rows = db.scalars(
        select(RealNameBinding).where(
            RealNameBinding.agency == agency, RealNameBinding.created >= since
        )
    )
    for row in rows.all():
        entry = RecordEntry(kind=RecordKind.REGISTERED, time=row.created)
        yield row.subject, f"registered:{row.subject}", entry


def _issued(db: Session, agency: str, since: int) -> Iterable[Found]:
    """One entry for each delivery; the digests tell a wallet whether it holds the copies."""
    rows = db.execute(
        select(IssuanceRow, DeliveryRow, CopyRow.digest)
        .join(DeliveryRow, DeliveryRow.issuance == IssuanceRow.issuance)
        .join(CopyRow, CopyRow.delivery == DeliveryRow.delivery)
        .where(
            IssuanceRow.agency == agency,
            IssuanceRow.subject.is_not(None),
            DeliveryRow.created_at >= since,
        )
        .order_by(DeliveryRow.delivery, CopyRow.digest)
    ).all()
    made: dict[str, Found] = {}
    for issuance, delivery, digest in rows:
        if delivery.delivery not in made:
            detail = {
                "credential": issuance.issuance,
                "type": issuance.credential_type,
                "copies": [],
            }
            entry = RecordEntry(kind=RecordKind.ISSUED, time=delivery.created_at, detail=detail)
            source = f"issued:{delivery.delivery}"
            made[delivery.delivery] = (str(issuance.subject), source, entry)
        made[delivery.delivery][2].detail["copies"].append(base64url_encode(digest))
    return made.values()


def _changed(db: Session, agency: str, since: int) -> Iterable[Found]:
    rows = db.scalars(
        select(IssuanceRow).where(
            IssuanceRow.agency == agency,
            IssuanceRow.subject.is_not(None),
            IssuanceRow.changed_at >= since,
            (IssuanceRow.status != Status.VALID) | (IssuanceRow.changed_at > IssuanceRow.issued_at),
        )
    )
    for row in rows.all():
        detail: JsonObject = {
            "credential": row.issuance,
            "type": row.credential_type,
            "status": _STATUS_NAMES[Status(row.status)],
        }
        if row.reason is not None:
            detail["reason"] = row.reason
        entry = RecordEntry(kind=RecordKind.STATUS, time=row.changed_at, detail=detail)
        yield str(row.subject), f"status:{row.issuance}:{row.changed_at}:{row.status}", entry


def _looked(db: Session, agency: str, looks: Sequence[Look]) -> Iterable[Found]:
    subjects = _subjects(db, agency)
    for look in looks:
        if (subject := _subject(db, subjects, look.person)) is not None:
            detail: JsonObject = {"actor": look.actor, "purpose": look.purpose}
            entry = RecordEntry(kind=RecordKind.LOOK, time=look.time, detail=detail)
            yield subject, f"look:{look.id}", entry


def _opened(db: Session, agency: str, now: int) -> Iterable[Found]:
    """Notices that are due; before that, the order keeps her from hearing of it."""
    due = db.scalars(select(NoticeRow).where(NoticeRow.due <= now)).all()
    if not due:
        return
    subjects = _subjects(db, agency)
    for row in due:
        if (subject := _subject(db, subjects, row.person)) is not None:
            detail: JsonObject = {
                "order": row.order_number,
                "legal_basis": row.legal_basis,
                "institutions": row.institutions.split(),
            }
            entry = RecordEntry(kind=RecordKind.OPENING, time=row.ordered_at, detail=detail)
            yield subject, f"opening:{row.order_number}", entry


def _recovered(db: Session, agency: str, since: int) -> Iterable[Found]:
    """A recovery by guardians: the wait that she may stop, and how it ended."""
    rows = db.scalars(
        select(RecoveryRow).where(
            RecoveryRow.agency == agency,
            RecoveryRow.waiting_since > 0,
            (RecoveryRow.waiting_since >= since) | (RecoveryRow.closed_at >= since),
        )
    )
    for row in rows.all():
        moments = [("waiting", row.waiting_since)]
        if row.closed_at:
            moments.append((row.state, row.closed_at))
        for state, time in moments:
            detail: JsonObject = {"recovery": row.recovery, "state": state}
            entry = RecordEntry(kind=RecordKind.RECOVERY, time=time, detail=detail)
            yield row.subject, f"recovery:{row.recovery}:{state}", entry


def _arranged(db: Session, agency: str) -> Iterable[Found]:
    """Changes of her guardians; each goes when its entry is there, in one transaction."""
    for row in db.scalars(select(ChangeRow).where(ChangeRow.agency == agency)).all():
        detail: JsonObject = {"state": row.state, **parse_json_object(row.detail)}
        entry = RecordEntry(kind=RecordKind.GUARDIANS, time=row.changed_at, detail=detail)
        db.delete(row)
        yield row.subject, f"guardians:{row.arrangement}:{row.state}", entry


def _merged(db: Session, agency: str, since: int) -> Iterable[Found]:
    """Registrations that were taken for hers, also those that one of them had absorbed before."""
    rows = db.scalars(
        select(Merger).where((Merger.merged_at >= since) | (Merger.separated_at >= since))
    ).all()
    subjects = _subjects(db, agency) if rows else {}
    told: dict[tuple[str, str], Found] = {}  # of two mergers in one chain, both find the first
    for row in rows:
        if row.separated_at is None:
            names = (row.ended, *absorbed_by(db, row.ended))
            mergers = db.scalars(select(Merger).where(Merger.ended.in_(names))).all()
            found = [
                item
                for merger in mergers
                for item in _told(db, subjects, merger, "merged", merger.merged_at, row.ended)
            ]
        else:
            found = [
                item
                for person in (row.merged_into, row.ended)
                for item in _told(db, subjects, row, "separated", row.separated_at, person)
            ]
        told.update(((item[0], item[1]), item) for item in found)
    return told.values()


def _told(
    db: Session, subjects: dict[str, str], merger: Merger, state: str, time: int, person: str
) -> Iterable[Found]:
    """In the record of who `person` is now; `subject` is the one that ended at this agency.

    Of a merger before the table of mergers was made, nothing tells when it was: time 0.
    """
    if time and (subject := _subject(db, subjects, person)) is not None:
        detail: JsonObject = {"state": state}
        if (ended := subjects.get(merger.ended)) not in (None, subject):
            detail["subject"] = ended
        entry = RecordEntry(kind=RecordKind.MERGER, time=time, detail=detail)
        yield subject, f"merger:{merger.ended}:{state}:{time}", entry


def _subject(db: Session, subjects: dict[str, str], person: str) -> str | None:
    """The subject of whoever `person` is now; of herself where only she is known."""
    return subjects.get(survivor(db, person), subjects.get(person))


def _subjects(db: Session, agency: str) -> dict[str, str]:
    """Subjects at this agency by the reference of the person's row."""
    found = select(RealNameBinding.person, RealNameBinding.subject)
    rows = db.execute(found.where(RealNameBinding.agency == agency)).all()
    return {str(row[0]): str(row[1]) for row in rows}


def _append(db: Session, agency: str, subject: str, source: str, entry: RecordEntry) -> None:
    row = db.get(HeadRow, subject, with_for_update=True)
    if row is None:
        row = HeadRow(
            subject=subject,
            agency=agency,
            newest_count=0,
            newest_head=START,
            behind=True,
            count=0,
            head=START,
        )
        db.add(row)
    told = entry.to_object()
    row.newest_count += 1
    row.newest_head = chained(row.newest_head, told)
    row.behind = True
    db.add(
        EntryRow(
            subject=subject,
            number=row.newest_count,
            agency=agency,
            kind=entry.kind,
            source=source,
            time=entry.time,
            entry=canonical_json(told).decode(),
            head=row.newest_head,
        )
    )
    db.flush()


def _move_on(db: Session, agency: str) -> bool:
    """Bring every head of the agency to its newest entry; whether any moved."""
    behind = db.scalars(
        select(HeadRow).where(HeadRow.agency == agency, HeadRow.behind).with_for_update()
    ).all()
    for row in behind:
        row.count, row.head, row.behind = row.newest_count, row.newest_head, False
    db.flush()
    return bool(behind)


def _heads(db: Session, agency: str) -> dict[str, JsonObject]:
    rows = db.scalars(select(HeadRow).where(HeadRow.agency == agency, HeadRow.count > 0)).all()
    return {record_key(row.subject): record_value(count=row.count, head=row.head) for row in rows}


def _newest_root(db: Session, agency: str) -> RootRow | None:
    return db.scalar(
        select(RootRow).where(RootRow.agency == agency).order_by(RootRow.version.desc()).limit(1)
    )

"""Where sealed rows, blind indices and audit records lie: a database of their own.

Which index keys are in use is a fact of the database. A writer holds those rows (`FOR SHARE`)
while it writes, so a rotation that admits or retires a key waits for it, or it for the rotation.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identity.adapters.database import transaction
from identity.adapters.vault_tables import (
    VaultAudit,
    VaultBase,
    VaultIndex,
    VaultKeyUse,
    VaultLikeness,
    VaultRow,
)
from identity.vault.needs import Added
from identity.vault.ports import IdentifierTaken, IndexKeyChanged
from identity.vault.records import AuditRecord, BlindIndex, SealedRow, WrappedKey

__all__ = [
    "DatabaseAuditSink",
    "SqlVaultStore",
    "VaultAudit",
    "VaultBase",
    "VaultIndex",
    "VaultRow",
    "sealed_row",
]

_T = TypeVar("_T")
_TRIES = 4  # a rival who was quicker is seen at the second look; keys may be announced meanwhile


class _MovedError(Exception):
    """A row is not in the version that was read; rolls back."""


class SqlVaultStore:
    """Keeps the promises of `VaultStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] = (),
        distinct_from: Collection[str] = (),
    ) -> Added:
        """As `VaultStore.add`."""

        def write(session: Session) -> Added:
            live = _check_keys(session, row, indices)
            _one_at_a_time(session, likeness)
            if found := _ref_under(session, indices):
                return Added(ref=found)
            if similar := set(_refs_like(session, likeness)) - set(distinct_from):
                return Added(ref="", similar=tuple(sorted(similar)))
            session.add(_stored(row))
            session.flush()  # indices refer to the row
            _add_indices(session, row.ref, indices, live)
            _add_likeness(session, row.ref, likeness, live)
            return Added(ref=row.ref)

        return self._retried(write)

    def find(self, indices: Sequence[BlindIndex]) -> str | None:
        """As `VaultStore.find`."""
        with transaction(self._engine) as session:
            live = set(
                session.scalars(
                    select(VaultKeyUse.key_id).where(
                        VaultKeyUse.use == "index", VaultKeyUse.retired.is_(False)
                    )
                )
            )
            if not live <= {index.key_id for index in indices}:
                raise IndexKeyChanged("the vault was indexed under another key than the one given")
            return _ref_under(session, indices)

    def read(self, ref: str) -> SealedRow | None:
        """As `VaultStore.read`."""
        with transaction(self._engine) as session:
            found = session.get(VaultRow, ref)
            return None if found is None else sealed_row(found)

    def replace(
        self,
        row: SealedRow,
        *,
        indices: Sequence[BlindIndex] = (),
        likeness: Sequence[BlindIndex] | None = None,
        absorbed: SealedRow | None = None,
        dropped: Sequence[BlindIndex] = (),
    ) -> bool:
        """As `VaultStore.replace`."""

        def write(session: Session) -> bool:
            live = _check_keys(session, row, indices)
            if not _next_version(session, row):
                raise _MovedError
            if absorbed is not None:
                _shred(session, absorbed.ref, now=row.sealed_at, version=absorbed.version)
            session.execute(
                delete(VaultIndex).where(
                    VaultIndex.ref == row.ref,
                    VaultIndex.digest.in_([index.digest for index in dropped]),
                )
            )
            there = dict(
                session.execute(
                    select(VaultIndex.digest, VaultIndex.ref).where(
                        VaultIndex.digest.in_([index.digest for index in indices])
                    )
                ).all()
            )
            if set(there.values()) - {row.ref}:
                raise IdentifierTaken("the identifier leads to another row")
            fresh = [index for index in indices if index.digest not in there]
            _add_indices(session, row.ref, fresh, live)
            if likeness is not None:
                session.execute(delete(VaultLikeness).where(VaultLikeness.ref == row.ref))
                _add_likeness(session, row.ref, likeness, live)
            return True

        try:
            return self._retried(write)
        except _MovedError:
            return False

    def shred(self, ref: str, *, now: int) -> None:
        """As `VaultStore.shred`; SQLite overwrites what it frees (`secure_delete`)."""
        with transaction(self._engine) as session:
            _shred(session, ref, now=now)

    def was_forgotten(self, ref: str) -> bool:
        """As `VaultStore.was_forgotten`."""
        with transaction(self._engine) as session:
            found = session.get(VaultRow, ref)
            return found is not None and found.forgotten_at is not None

    def versions(self, *, after: str, limit: int) -> list[tuple[str, int]]:
        """As `VaultStore.versions`."""
        with transaction(self._engine) as session:
            by_bytes = "BINARY" if session.get_bind().dialect.name == "sqlite" else "C"
            ref = VaultRow.ref.collate(by_bytes)  # the order in which Python compares
            found = session.execute(
                select(VaultRow.ref, VaultRow.version)
                .where(ref > after, VaultRow.forgotten_at.is_(None))
                .order_by(ref)
                .limit(limit)
            )
            return [(ref, version) for ref, version in found]

    def _retried(self, write: Callable[[Session], _T]) -> _T:
        """Where writers are not serialised, a rival may be quicker between look and leap."""
        for tries in range(_TRIES):
            try:
                with transaction(self._engine) as session:
                    return write(session)
            except IntegrityError:
                if tries == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")


MAX_READS = 1_000  # audit records told at once; who wants more asks again from the last one's time


class DatabaseAuditSink:
    """Audit records as rows, each in a transaction of its own that commits before the read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, entry: AuditRecord) -> None:
        """As `AuditSink.record`."""
        with transaction(self._engine) as session:
            session.add(VaultAudit(**entry.members()))

    def ids(self) -> set[str]:
        """Identifiers of every record."""
        with transaction(self._engine) as session:
            return set(session.scalars(select(VaultAudit.id)))

    def has(self, record_id: str) -> bool:
        """Whether a record is there."""
        with transaction(self._engine) as session:
            return session.get(VaultAudit, record_id) is not None

    def opened_since(self, time: int) -> list[AuditRecord]:
        """Reads at or after `time`, oldest first, `MAX_READS` at most: for people's own records."""
        with transaction(self._engine) as session:
            found = session.scalars(
                select(VaultAudit)
                .where(VaultAudit.time >= time, VaultAudit.action.in_(("open", "break-glass")))
                .order_by(VaultAudit.time, VaultAudit.id)
                .limit(MAX_READS)
            ).all()
        return [
            AuditRecord(**{name: getattr(row, name) for name in AuditRecord.__slots__})
            for row in found
        ]


def sealed_row(found: VaultRow) -> SealedRow | None:
    """The stored row, or None when it was forgotten."""
    key_id, wrapped, nonce, ciphertext = (
        found.key_id,
        found.wrapped_key,
        found.nonce,
        found.ciphertext,
    )
    if key_id is None or wrapped is None or nonce is None or ciphertext is None:
        return None
    return SealedRow(
        ref=found.ref,
        owner=found.owner,
        kind=found.kind,
        version=found.version,
        wrapped_key=WrappedKey(key_id=key_id, data=wrapped),
        nonce=nonce,
        ciphertext=ciphertext,
        sealed_at=found.sealed_at,
    )


def _check_keys(session: Session, row: SealedRow, indices: Sequence[BlindIndex]) -> set[str]:
    """Refuse a row that lacks a key in use or comes under a retired one; the index keys in use.

    The first row of a vault announces its keys.
    """
    known = {
        key.key_id: key
        for key in session.scalars(
            select(VaultKeyUse).order_by(VaultKeyUse.key_id).with_for_update(read=True)
        )
    }
    wrap = known.get(row.wrapped_key.key_id)
    if wrap is None:
        session.add(VaultKeyUse(key_id=row.wrapped_key.key_id, use="wrap", retired=False))
    elif wrap.retired:
        raise IndexKeyChanged("the row was sealed under a key that was retired")
    brought = {index.key_id for index in indices}
    index_keys = [key for key in known.values() if key.use == "index"]
    if not index_keys:
        session.add_all(
            VaultKeyUse(key_id=key_id, use="index", retired=False) for key_id in sorted(brought)
        )
        session.flush()
        return brought
    live = {key.key_id for key in index_keys if not key.retired}
    if brought and not live <= brought:
        raise IndexKeyChanged("the vault was indexed under another key than the one given")
    session.flush()
    return live


def _one_at_a_time(session: Session, likeness: Sequence[BlindIndex]) -> None:
    """Two people who look alike and register at once: the second sees the first.

    SQLite lets one writer in; PostgreSQL needs a lock, since no constraint can say it.
    """
    if session.get_bind().dialect.name == "postgresql":
        for digest in sorted(index.digest for index in likeness):
            number = int.from_bytes(digest[:8], "big", signed=True)
            session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _ref_under(session: Session, indices: Sequence[BlindIndex]) -> str | None:
    return session.scalar(
        select(VaultIndex.ref)
        .where(VaultIndex.digest.in_([index.digest for index in indices]))
        .limit(1)
    )


def _refs_like(session: Session, likeness: Sequence[BlindIndex]) -> Sequence[str]:
    if not likeness:
        return ()
    return session.scalars(
        select(VaultLikeness.ref)
        .where(VaultLikeness.digest.in_([index.digest for index in likeness]))
        .distinct()
    ).all()


def _add_indices(session: Session, ref: str, indices: Sequence[BlindIndex], live: set[str]) -> None:
    for index in indices:
        if index.key_id in live:  # a key that its rotation has not admitted yet counts for nothing
            session.add(VaultIndex(digest=index.digest, key_id=index.key_id, ref=ref))
    session.flush()


def _add_likeness(
    session: Session, ref: str, likeness: Sequence[BlindIndex], live: set[str]
) -> None:
    for index in likeness:
        if index.key_id in live:
            session.add(VaultLikeness(digest=index.digest, key_id=index.key_id, ref=ref))
    session.flush()


def _next_version(session: Session, row: SealedRow) -> bool:
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


def _shred(session: Session, ref: str, *, now: int, version: int | None = None) -> None:
    """Destroy what a row holds; with `version`, only when that one is there.

    Raises:
        _MovedError: it is not.
    """
    there = (VaultRow.ref == ref, VaultRow.forgotten_at.is_(None))
    shredded = session.scalars(
        update(VaultRow)
        .where(*there, *(() if version is None else (VaultRow.version == version,)))
        .values(
            key_id=None,
            wrapped_key=None,
            nonce=None,
            ciphertext=None,
            forgotten_at=now,
        )
        .returning(VaultRow.ref)
    ).first()
    if version is not None and shredded is None:
        raise _MovedError
    session.execute(delete(VaultIndex).where(VaultIndex.ref == ref))
    session.execute(delete(VaultLikeness).where(VaultLikeness.ref == ref))


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

"""Bindings of opaque subjects, in the database of the identity services. Nothing personal."""

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    String,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from identity.adapters.database import Base, transaction
from identity.core.proofing import AssuranceLevel
from identity.realname.ports import AllWithdrew, Binding, BindingState, MergedAlready

_DEAD = str(BindingState.DECEASED)
_LEFT = (str(BindingState.WITHDRAWN), str(BindingState.MERGED))
_CLOSED = (_DEAD, *_LEFT)


class RealNameBinding(Base):
    """One person at one agency."""

    __tablename__ = "realname_binding"
    __table_args__ = (UniqueConstraint("person", "agency"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(32), index=True)
    assurance_level: Mapped[str] = mapped_column(String(8))
    created: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    died_at: Mapped[int | None] = mapped_column(BigInteger)  # when the death was reported first
    death_reported_at: Mapped[int | None] = mapped_column(BigInteger)  # and last
    before_death: Mapped[str | None] = mapped_column(String(16))  # the state it had then
    erased_at: Mapped[int | None] = mapped_column(BigInteger)  # her row goes, its term is over
    forgotten_at: Mapped[int | None] = mapped_column(BigInteger)  # and is gone
    merged_from: Mapped[str | None] = mapped_column(String(32))  # whose it was before any merger
    merged_into: Mapped[str | None] = mapped_column(String(32))  # who she is, where both were known
    before_merge: Mapped[str | None] = mapped_column(String(16))  # the state it had before that


class Merger(Base):
    """That a registration ended in another one; and, if two officers undid that, as whom."""

    __tablename__ = "realname_merger"

    ended: Mapped[str] = mapped_column(String(32), primary_key=True)
    merged_into: Mapped[str] = mapped_column(String(32), index=True)
    merged_at: Mapped[int] = mapped_column(BigInteger)
    separated_at: Mapped[int | None] = mapped_column(BigInteger)
    known_as: Mapped[str | None] = mapped_column(String(32), index=True)  # from then on


class SqlBindingStore:
    """Keeps the promises of `BindingStore` in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bind(self, proposed: Binding) -> Binding:
        """As `BindingStore.bind`."""
        try:
            with transaction(self._engine) as session:
                person = survivor(session, proposed.person)
                if (found := _at_agency(session, person, proposed.agency)) is not None:
                    if found.state == BindingState.WITHDRAWN:  # she came back
                        _take_over(found, _of_person(session, person))
                    return _binding(found)
                bound = RealNameBinding(
                    subject=proposed.subject,
                    agency=proposed.agency,
                    person=person,
                    assurance_level=str(proposed.assurance_level),
                    created=proposed.created,
                )
                _take_over(bound, _of_person(session, person))
                session.add(bound)
        except IntegrityError:
            pass  # where writers are not serialised, a rival was quicker
        with transaction(self._engine) as session:
            person = survivor(session, proposed.person)
            if (found := _at_agency(session, person, proposed.agency)) is None:
                raise RuntimeError("a binding neither went in nor was there")
            return _binding(found)

    def read(self, subject: str) -> Binding | None:
        """As `BindingStore.read`."""
        with transaction(self._engine) as session:
            found = session.get(RealNameBinding, subject)
            return None if found is None else _binding(found)

    def raise_level(self, subject: str, level: AssuranceLevel) -> None:
        """As `BindingStore.raise_level`; never lowers one."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(
                    RealNameBinding.subject == subject,
                    RealNameBinding.assurance_level < str(level),
                )
                .values(assurance_level=str(level))
            )

    def of_person(self, person: str) -> list[Binding]:
        """As `BindingStore.of_person`."""
        with transaction(self._engine) as session:
            found = session.scalars(
                select(RealNameBinding)
                .where(RealNameBinding.person == person)
                .order_by(RealNameBinding.created, RealNameBinding.subject)
            )
            return [_binding(row) for row in found]

    def set_state(self, person: str, state: BindingState, *, now: int) -> None:
        """As `BindingStore.set_state`."""
        with transaction(self._engine) as session:
            for found in _of_person(session, person):
                if str(state) == _DEAD and found.state not in _LEFT:
                    if found.state != _DEAD:
                        found.before_death, found.died_at = found.state, now
                    found.state, found.death_reported_at = _DEAD, now
                elif found.state not in _CLOSED:
                    found.state = str(state)

    def revive(self, person: str, *, reported_until: int) -> bool:
        """As `BindingStore.revive`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            erased = session.scalar(
                select(row.subject).where(row.person == person, row.erased_at.is_not(None)).limit(1)
            )
            if erased is not None:
                return False
            session.execute(
                update(row)
                .where(
                    row.person == person,
                    row.state == _DEAD,
                    func.coalesce(row.died_at, 0) <= reported_until,
                    func.coalesce(row.death_reported_at, 0) <= reported_until,
                )
                .values(
                    state=func.coalesce(row.before_death, str(BindingState.ACTIVE)),
                    died_at=None,
                    death_reported_at=None,
                    before_death=None,
                )
            )
        return True

    def separate(self, person: str, *, to: str, now: int) -> list[Binding]:
        """As `BindingStore.separate`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            merger = session.get(Merger, person, with_for_update=True)
            if merger is None or merger.separated_at is not None:
                return []
            absorbed = absorbed_by(session, person)
            found_here = session.scalars(
                select(row)
                .where((row.person == person) | row.merged_from.in_((person, *absorbed)))
                .order_by(row.created, row.subject)
                .with_for_update()
            ).all()
            # What was closed when somebody was merged into her stays closed: that is not undone.
            theirs = [found for found in found_here if found.person not in absorbed]
            went_on = [found for found in theirs if found.person != person]
            for found in theirs:
                if found.state == BindingState.MERGED:
                    _reopened(found, went_on)
                origin = found.merged_from or person
                found.person, found.merged_from = to, None if origin == person else origin
                found.merged_into = found.before_merge = None
            merger.separated_at, merger.known_as = now, to
            session.flush()
            return [_binding(found) for found in theirs]

    def absorbed_by(self, person: str) -> list[str]:
        """As `BindingStore.absorbed_by`."""
        with transaction(self._engine) as session:
            return sorted(absorbed_by(session, person))

    def other_names(self, person: str) -> list[str]:
        """As `BindingStore.other_names`."""
        with transaction(self._engine) as session:
            return sorted(_merged_and_other_names(session, person)[1])

    def survivor(self, person: str) -> str:
        """As `BindingStore.survivor`."""
        with transaction(self._engine) as session:
            return survivor(session, person)

    def holds(self, person: str) -> str | None:
        """As `BindingStore.holds`."""
        with transaction(self._engine) as session:
            merger = session.get(Merger, person)
            return None if merger is None else survivor(session, merger.merged_into)

    def known_as(self, person: str) -> str:
        """As `BindingStore.known_as`."""
        with transaction(self._engine) as session:
            return _followed(session, person, lambda merger: merger.known_as)

    def deceased_before(self, time: int, *, now: int, limit: int) -> list[str]:
        """As `identity.realname.retention.DeceasedStore.deceased_before`."""
        row = RealNameBinding
        dead = (row.state == _DEAD, row.erased_at.is_(None))
        with transaction(self._engine) as session:
            session.execute(update(row).where(*dead, row.died_at.is_(None)).values(died_at=now))
            return list(
                session.scalars(
                    select(row.person)
                    .where(*dead, row.person.not_in(select(row.person).where(_living())))
                    .group_by(row.person)
                    .having(func.max(row.died_at) < time)
                    .order_by(row.person)
                    .limit(limit)
                )
            )

    def mark_erased(self, person: str, *, died_before: int, now: int) -> bool:
        """As `identity.realname.retention.DeceasedStore.mark_erased`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            hers = session.scalars(select(row).where(row.person == person).with_for_update()).all()
            deaths = [found.died_at for found in hers if found.state == _DEAD]
            if not deaths or any(found.state not in _CLOSED for found in hers):
                return False
            if any(died is None or died >= died_before for died in deaths):
                return False
            for found in hers:
                found.erased_at = now
        return True

    def being_erased(self, *, limit: int) -> list[str]:
        """As `identity.realname.retention.DeceasedStore.being_erased`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            return list(
                session.scalars(
                    select(row.person)
                    .where(row.erased_at.is_not(None), row.forgotten_at.is_(None))
                    .group_by(row.person)
                    .order_by(row.person)
                    .limit(limit)
                )
            )

    def mark_forgotten(self, person: str, *, now: int) -> None:
        """As `identity.realname.retention.DeceasedStore.mark_forgotten`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            session.execute(
                update(row)
                .where(row.person == person, row.erased_at.is_not(None))
                .values(forgotten_at=now)
            )

    def close(self, subject: str, state: BindingState) -> None:
        """As `BindingStore.close`."""
        with transaction(self._engine) as session:
            session.execute(
                update(RealNameBinding)
                .where(RealNameBinding.subject == subject, RealNameBinding.state != _DEAD)
                .values(state=str(state))
            )

    def move(self, person: str, *, to: str, now: int) -> bool:
        """As `BindingStore.move`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            both = session.scalars(
                select(row).where(row.person.in_((person, to))).with_for_update()
            ).all()
            # Read after the rows are locked: of mergers that would go round, one comes last.
            if person == to or survivor(session, to) != to:
                raise MergedAlready("they are one registration, or the other one was merged")
            ends_in = survivor(session, person)
            if ends_in not in (person, to):
                raise MergedAlready("this registration was merged into another one")
            begun = ends_in == to
            if not begun and any(found.state == _DEAD for found in both):
                return False
            if not begun:
                for one in (person, to):
                    if all(b.state == BindingState.WITHDRAWN for b in both if b.person == one):
                        raise AllWithdrew("everybody of one of the two registrations withdrew")
                _note_merger(session, person, into=to, now=now)
            there = {found.agency for found in both if found.person == to}
            for found in both:
                if found.person != person or found.state == BindingState.MERGED:
                    continue
                if found.agency not in there:
                    found.person, found.merged_from = to, found.merged_from or person
                elif found.state != _DEAD:
                    found.before_merge = found.state
                    found.state, found.merged_into = str(BindingState.MERGED), to
        return True


def states_of(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """Their states by subject; nobody changes them before this transaction has ended."""
    row = RealNameBinding
    found = session.scalars(
        select(row)
        .where(row.subject.in_(subjects))
        .order_by(row.subject)  # two who lock the same two people do not wait for each other
        .with_for_update(read=True)
    )
    return {binding.subject: binding.state for binding in found}


def survivor(session: Session, person: str) -> str:
    """As `BindingStore.survivor`."""
    return _followed(session, person, lambda merger: merger.known_as or merger.merged_into)


def _followed(session: Session, person: str, onward: Callable[[Merger], str | None]) -> str:
    seen = {person}
    while (merger := session.get(Merger, person, populate_existing=True)) is not None:
        further = onward(merger)
        if further is None or further == person:  # undone before the vault did its part
            break
        if further in seen:
            raise MergedAlready("the mergers of this registration go round")
        seen.add(further)
        person = further
    return person


def absorbed_by(session: Session, person: str) -> set[str]:
    """As `BindingStore.absorbed_by`; a name that she herself had before is none of them."""
    return _merged_and_other_names(session, person)[0]


def _merged_and_other_names(session: Session, person: str) -> tuple[set[str], set[str]]:
    """Who was merged into her; and those with the names that any of them, or she, had before."""
    absorbed, seen, ahead = set[str](), {person}, {person}
    while ahead:
        merged = session.scalars(
            select(Merger.ended).where(Merger.merged_into.in_(ahead), Merger.separated_at.is_(None))
        ).all()
        renamed = session.scalars(select(Merger.ended).where(Merger.known_as.in_(ahead))).all()
        absorbed |= {*merged} - seen
        ahead = {*merged, *renamed} - seen
        seen |= ahead
    return absorbed, seen - {person}


def _note_merger(session: Session, person: str, *, into: str, now: int) -> None:
    merger = session.get(Merger, person)
    if merger is None:
        session.add(Merger(ended=person, merged_into=into, merged_at=now))
    else:  # it was undone before the vault did its part; now they are merged again
        merger.merged_into, merger.merged_at = into, now
        merger.separated_at = merger.known_as = None
    session.flush()


def _living() -> ColumnElement[bool]:
    return RealNameBinding.state.not_in(_CLOSED)


def _reopened(found: RealNameBinding, went_on: Sequence[RealNameBinding]) -> None:
    """Give a binding that a merger closed its state back, and what was reported of her since."""
    found.state = found.before_merge or str(BindingState.ACTIVE)
    if found.state not in _CLOSED:
        _take_over(found, went_on, before=found.state)


def _take_over(
    found: RealNameBinding,
    others: Sequence[RealNameBinding],
    *,
    before: str = str(BindingState.ACTIVE),
) -> None:
    """Let hold at this agency what was reported of the person at others, and when it was."""
    dead = [other for other in others if other.state == _DEAD]
    unable = str(BindingState.INCAPACITATED)
    states = [other.before_death if other in dead else other.state for other in others]
    found.state = unable if unable in states else before
    if dead:
        found.before_death, found.state = found.state, _DEAD
        found.died_at = max(other.died_at or 0 for other in dead) or None
        found.death_reported_at = max(other.death_reported_at or 0 for other in dead) or None


def _of_person(session: Session, person: str) -> Sequence[RealNameBinding]:
    """Her bindings; nobody changes them before this transaction has ended."""
    row = RealNameBinding
    return session.scalars(
        select(row).where(row.person == person).order_by(row.subject).with_for_update()
    ).all()


def _at_agency(session: Session, person: str, agency: str) -> RealNameBinding | None:
    return session.scalar(
        select(RealNameBinding).where(
            RealNameBinding.person == person, RealNameBinding.agency == agency
        )
    )


def _binding(row: RealNameBinding) -> Binding:
    return Binding(
        subject=row.subject,
        agency=row.agency,
        person=row.person,
        assurance_level=AssuranceLevel(row.assurance_level),
        created=row.created,
        state=BindingState(row.state),
    )

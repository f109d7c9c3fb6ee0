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
from identity.realname.ports import (
    AllWithdrew,
    Binding,
    BindingState,
    MergedAlready,
    RegistrationErased,
)
from registry.core.refusals import Unavailable

_DEAD = str(BindingState.DECEASED)
_LEFT = (str(BindingState.WITHDRAWN), str(BindingState.MERGED))
_CLOSED = (_DEAD, *_LEFT)
_MAX_RIVALS = 8  # mergers and bindings that come first while one is written


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
        for _ in range(_MAX_RIVALS):
            try:
                if (bound := self._bound(proposed)) is not None:
                    return bound
            except IntegrityError:
                pass  # a rival was quicker, and there was no row yet that could be locked
        raise Unavailable("the registration is being changed; try again")

    def _bound(self, proposed: Binding) -> Binding | None:
        """The binding; None when the person was merged before her rows were locked."""
        with transaction(self._engine) as session:
            person = survivor(session, proposed.person)
            hers = _locked(session, RealNameBinding.person == person)
            if survivor(session, person) != person:
                return None
            if any(found.erased_at is not None and found.state != _DEAD for found in hers):
                raise Unavailable("the registration is being erased; enrol again")
            for found in hers:
                if found.agency == proposed.agency:
                    if found.state == BindingState.WITHDRAWN:  # she came back
                        _take_over(found, hers)
                    return _binding(found)
            bound = RealNameBinding(
                subject=proposed.subject,
                agency=proposed.agency,
                person=person,
                assurance_level=str(proposed.assurance_level),
                created=proposed.created,
            )
            _take_over(bound, hers)
            session.add(bound)
            session.flush()
            return _binding(bound)

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
            for found in _locked(session, RealNameBinding.person == person):
                if str(state) == _DEAD and found.state not in _LEFT:
                    if found.state != _DEAD:
                        found.before_death, found.died_at = found.state, now
                    found.state, found.death_reported_at = _DEAD, now
                elif found.state not in _CLOSED:
                    found.state = str(state)

    def revive(self, person: str, *, reported_until: int) -> bool:
        """As `BindingStore.revive`."""
        with transaction(self._engine) as session:
            hers = _locked(session, RealNameBinding.person == person)
            if any(found.erased_at is not None for found in hers):
                return False
            for found in hers:
                reported = max(found.died_at or 0, found.death_reported_at or 0)
                if found.state == _DEAD and reported <= reported_until:
                    found.state = found.before_death or str(BindingState.ACTIVE)
                    found.died_at = found.death_reported_at = found.before_death = None
        return True

    def separate(self, person: str, *, to: str, now: int) -> list[Binding]:
        """As `BindingStore.separate`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            absorbed = absorbed_by(session, person)
            found_here = _locked(
                session, (row.person == person) | row.merged_from.in_((person, *absorbed))
            )
            merger = session.get(Merger, person, with_for_update=True)
            if merger is None or merger.separated_at is not None:
                return []
            # What was closed when somebody was merged into her stays closed: that is not undone.
            theirs = [found for found in found_here if found.person not in absorbed]
            went_on = [found for found in theirs if found.person != person]
            if to == person and any(found.erased_at is not None for found in went_on):
                raise RegistrationErased("the registration was erased; register anew")
            for found in theirs:
                if found.state == BindingState.MERGED:
                    _reopened(found, went_on)
                origin = found.merged_from or person
                found.person, found.merged_from = to, None if origin == person else origin
                found.merged_into = found.before_merge = None
                if found.erased_at is not None:  # the row that goes with its term is not hers
                    found.erased_at = found.forgotten_at = None
                    if found.state == _DEAD:
                        found.died_at = now
            merger.separated_at, merger.known_as = now, to
            session.flush()
            theirs.sort(key=lambda found: (found.created, found.subject))
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
            hers = _locked(session, row.person == person)
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

    def mark_left(self, person: str, *, now: int) -> bool:
        """As `BindingStore.mark_left`."""
        with transaction(self._engine) as session:
            hers = _locked(session, RealNameBinding.person == person)
            if any(found.state != BindingState.WITHDRAWN for found in hers):
                return False
            for found in hers:
                found.erased_at = found.erased_at or now
        return True

    def mark_forgotten(self, person: str, *, now: int) -> None:
        """As `BindingStore.mark_forgotten` and `identity.realname.retention.DeceasedStore`."""
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
                .where(
                    RealNameBinding.subject == subject,
                    RealNameBinding.state.not_in((_DEAD, str(BindingState.MERGED))),
                )
                .values(state=str(state))
            )

    def move(self, person: str, *, to: str, now: int) -> bool:
        """As `BindingStore.move`."""
        row = RealNameBinding
        with transaction(self._engine) as session:
            both = _locked(session, row.person.in_((person, to)))
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


def _locked(session: Session, which: ColumnElement[bool]) -> list[RealNameBinding]:
    """Bindings as they are now; nobody changes them, or adds one, before the transaction ended.

    Whoever adds a binding of a person locks hers first. One that was added while this waited for
    the lock is in none of the rows that were waited for, so it is looked for again.
    """
    hers = (
        select(RealNameBinding)
        .where(which)
        .order_by(RealNameBinding.subject)  # two who lock the same people do not wait in a ring
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    session.scalars(hers).all()
    return list(session.scalars(hers))


def _binding(row: RealNameBinding) -> Binding:
    return Binding(
        subject=row.subject,
        agency=row.agency,
        person=row.person,
        assurance_level=AssuranceLevel(row.assurance_level),
        created=row.created,
        state=BindingState(row.state),
    )

"""Two changes of one person's bindings at one moment come one after the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, event

from identity.adapters.database import Base, transaction
from identity.adapters.realname_store import RealNameBinding, SqlBindingStore
from identity.core.proofing import AssuranceLevel
from identity.realname.ports import Binding, BindingState, RegistrationErased
from registry.core.refusals import Unavailable
from tests.databases import database_with
from tests.identity.vault.parts import NOW

ACTIVE, DECEASED = BindingState.ACTIVE, BindingState.DECEASED
WITHDRAWN, MERGED = BindingState.WITHDRAWN, BindingState.MERGED
BEFORE_THE_COMMIT_SECONDS = 0.4  # in which a second one that waits for nobody does its work
PATIENCE_SECONDS = 30

_A, _B = TypeVar("_A"), TypeVar("_B")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database_with(Base.metadata, database_url)
    yield made
    made.dispose()


@pytest.fixture
def store(engine: Engine) -> SqlBindingStore:
    """Anna at the registry; Bea at the registry, where she withdrew, and at the hospital."""
    made = SqlBindingStore(engine)
    for person, agency in (("anna", "registry"), ("bea", "registry"), ("bea", "hospital")):
        made.bind(bound(person, agency))
    made.close("bea@registry", WITHDRAWN)
    return made


def bound(person: str, agency: str) -> Binding:
    return Binding(
        subject=f"{person}@{agency}",
        agency=agency,
        assurance_level=AssuranceLevel.IAL2,
        created=NOW,
        person=person,
    )


def overtaken(
    engine: Engine, first: Callable[[], _A], second: Callable[[], _B]
) -> tuple[_A, Future[_B]]:
    """What both gave, when `second` began after `first` had written and before it committed."""
    begun = list[Future[_B]]()
    done_already = Event()

    def about_to_commit(_connection: Any) -> None:
        if begun:
            return
        begun.append(pool.submit(second))
        begun[0].add_done_callback(lambda _: done_already.set())
        done_already.wait(BEFORE_THE_COMMIT_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        event.listen(engine, "commit", about_to_commit)
        try:
            done = first()
        finally:
            event.remove(engine, "commit", about_to_commit)
        begun[0].exception(PATIENCE_SECONDS)
    return done, begun[0]


def states(store: SqlBindingStore, person: str) -> dict[str, BindingState]:
    return {found.subject: found.state for found in store.of_person(person)}


def erased(engine: Engine) -> set[str]:
    with transaction(engine) as session:
        rows = session.query(RealNameBinding).where(RealNameBinding.erased_at.is_not(None))
        return {row.subject for row in rows}


def test_who_is_marked_for_erasure_is_not_brought_back_in_that_moment(
    engine: Engine, store: SqlBindingStore
) -> None:
    store.set_state("bea", DECEASED, now=NOW)

    marked, revived = overtaken(
        engine,
        lambda: store.mark_erased("bea", died_before=NOW + 1, now=NOW + 2),
        lambda: store.revive("bea", reported_until=NOW),
    )

    assert (marked, revived.result()) == (True, False)
    assert states(store, "bea")["bea@hospital"] is DECEASED


def test_who_is_brought_back_is_not_marked_for_erasure_in_that_moment(
    engine: Engine, store: SqlBindingStore
) -> None:
    store.set_state("bea", DECEASED, now=NOW)

    revived, marked = overtaken(
        engine,
        lambda: store.revive("bea", reported_until=NOW),
        lambda: store.mark_erased("bea", died_before=NOW + 1, now=NOW + 2),
    )

    assert (revived, marked.result()) == (True, False)
    assert states(store, "bea")["bea@hospital"] is ACTIVE
    assert erased(engine) == set()


@pytest.mark.parametrize("agency", ["registry", "university"])  # she comes back; she is new there
def test_who_is_enrolled_while_her_death_is_reported_is_dead(
    engine: Engine, store: SqlBindingStore, agency: str
) -> None:
    overtaken(
        engine,
        lambda: store.set_state("bea", DECEASED, now=NOW),
        lambda: store.bind(bound("bea", agency)),
    )

    assert states(store, "bea")[f"bea@{agency}"] is DECEASED


@pytest.mark.parametrize("agency", ["registry", "university"])
def test_a_death_that_is_reported_while_she_is_enrolled_reaches_the_new_binding(
    engine: Engine, store: SqlBindingStore, agency: str
) -> None:
    overtaken(
        engine,
        lambda: store.bind(bound("bea", agency)),
        lambda: store.set_state("bea", DECEASED, now=NOW),
    )

    assert states(store, "bea")[f"bea@{agency}"] is DECEASED


def test_who_is_enrolled_while_she_is_brought_back_lives(
    engine: Engine, store: SqlBindingStore
) -> None:
    store.set_state("bea", DECEASED, now=NOW)

    _, enrolled = overtaken(
        engine,
        lambda: store.revive("bea", reported_until=NOW),
        lambda: store.bind(bound("bea", "university")),
    )

    assert enrolled.result().state is ACTIVE


def test_who_is_enrolled_while_she_is_merged_is_bound_to_who_goes_on(
    engine: Engine, store: SqlBindingStore
) -> None:
    _, enrolled = overtaken(
        engine,
        lambda: store.move("bea", to="anna", now=NOW),
        lambda: store.bind(bound("bea", "university")),
    )

    assert enrolled.result().person == "anna"
    assert "bea@university" in states(store, "anna")


def test_a_merger_takes_along_the_binding_that_is_made_in_that_moment(
    engine: Engine, store: SqlBindingStore
) -> None:
    _, merged = overtaken(
        engine,
        lambda: store.bind(bound("bea", "university")),
        lambda: store.move("bea", to="anna", now=NOW),
    )

    assert merged.result() is True
    assert "bea@university" in states(store, "anna")


def test_a_subject_that_ends_in_a_merger_is_not_withdrawn_in_that_moment(
    engine: Engine, store: SqlBindingStore
) -> None:
    store.bind(bound("bea", "registry"))  # she came back

    overtaken(
        engine,
        lambda: store.move("bea", to="anna", now=NOW),
        lambda: store.close("bea@registry", WITHDRAWN),
    )

    assert states(store, "bea") == {"bea@registry": MERGED}


@pytest.mark.parametrize("agency", ["hospital", "university"])
def test_who_comes_back_keeps_her_row_or_is_registered_anew(
    engine: Engine, store: SqlBindingStore, agency: str
) -> None:
    store.close("bea@hospital", WITHDRAWN)

    left, enrolled = overtaken(
        engine,
        lambda: store.mark_left("bea", now=NOW),
        lambda: store.bind(bound("bea", agency)),
    )
    with pytest.raises(Unavailable):
        enrolled.result()
    assert left is True
    assert store.being_erased(limit=9) == ["bea"]

    store.close("anna@registry", WITHDRAWN)
    came, gone = overtaken(
        engine,
        lambda: store.bind(bound("anna", agency)),
        lambda: store.mark_left("anna", now=NOW),
    )
    assert came.state is ACTIVE
    assert gone.result() is False


def merged_and_dead(store: SqlBindingStore) -> None:
    assert store.move("bea", to="anna", now=NOW)
    store.set_state("anna", DECEASED, now=NOW)


@pytest.mark.parametrize("first", ["erasure", "undoing"])
def test_who_is_taken_apart_is_not_erased_with_the_other(
    engine: Engine, store: SqlBindingStore, first: str
) -> None:
    merged_and_dead(store)

    def mark() -> object:
        return store.mark_erased("anna", died_before=NOW + 1, now=NOW + 2)

    def separate() -> object:
        return store.separate("bea", to="bea-anew", now=NOW + 3)

    both = (mark, separate) if first == "erasure" else (separate, mark)
    _, later = overtaken(engine, *both)
    later.result()

    assert erased(engine) == {"anna@registry"}
    assert store.being_erased(limit=9) == ["anna"]
    assert states(store, "bea-anew")["bea@hospital"] is DECEASED
    if first == "erasure":  # there is time to say that her death is a false one
        assert store.deceased_before(NOW + 3, now=NOW + 3, limit=9) == []
    assert store.revive("bea-anew", reported_until=NOW + 3)


def test_who_goes_with_the_other_is_not_taken_apart(engine: Engine, store: SqlBindingStore) -> None:
    merged_and_dead(store)

    _, separated = overtaken(
        engine,
        lambda: store.mark_erased("anna", died_before=NOW + 1, now=NOW + 2),
        lambda: store.separate("bea", to="bea", now=NOW + 3),  # her row was never merged
    )

    with pytest.raises(RegistrationErased):
        separated.result()
    assert store.being_erased(limit=9) == ["anna"]

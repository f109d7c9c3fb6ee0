"""Recoveries by guardians are stored once, whichever database and however many processes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from identity.adapters.database import create_database, transaction
from identity.adapters.guardian_store import ChangeRow, SqlGuardianStore
from identity.guardians.ports import GuardianStore, KeptArrangement, KeptRecovery, RecoveryState
from tests.databases import migrated_database

NOW = 1_800_000_000
OPEN, WAITING, ENDING = RecoveryState.OPEN, RecoveryState.WAITING, RecoveryState.ENDING
STOPPED = RecoveryState.STOPPED


def arrangement(name: str = "arranged", subject: str = "prs_alice") -> KeptArrangement:
    return KeptArrangement(
        arrangement=name,
        agency="registrar",
        subject=subject,
        order="a.b.c",
        holder={"kty": "EC"},
        created=NOW,
    )


def recovery(name: str = "lost", arranged: str = "arranged") -> KeptRecovery:
    return KeptRecovery(
        recovery=name,
        arrangement=arranged,
        new_key={"kty": "OKP"},
        state=OPEN,
        begun=NOW,
        expires=NOW + 100,
    )


@pytest.fixture
def rivals(database_url: str) -> list[GuardianStore]:
    """Two processes on one database."""
    stores: list[GuardianStore] = [
        SqlGuardianStore(migrated_database("identity", database_url)),
        SqlGuardianStore(create_database(database_url)),
    ]
    stores[0].set_arrangement(arrangement(), told={"key": "hers"})
    assert stores[0].begin(recovery(), most=3, now=NOW)
    return stores


def test_what_was_stored_is_read_by_the_other_process(rivals: list[GuardianStore]) -> None:
    assert rivals[1].arrangement("registrar", "arranged") == arrangement()
    assert rivals[1].arrangement("university", "arranged") is None
    assert rivals[1].recovery("lost") == recovery()
    assert rivals[1].recovery("found") is None


def test_a_guardian_counts_once_among_rivals(rivals: list[GuardianStore]) -> None:
    def approve(number: int) -> bool:
        return rivals[number % 2].approve("lost", f"key-{number % 3}", f"a{number}", now=NOW)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(approve, range(12)))

    assert len(rivals[0].approvals("lost")) == 3


def test_of_a_stop_and_a_completion_one_wins(rivals: list[GuardianStore]) -> None:
    assert rivals[0].move("lost", of={OPEN}, to=WAITING, now=NOW + 1)

    def move(number: int) -> bool:
        store = rivals[number % 2]
        if number % 2:
            claimed = store.claim("lost", until=NOW + 9, types=["degree"], now=NOW + 2)
            return claimed == ("degree",)
        return store.move("lost", of={WAITING}, to=STOPPED, now=NOW + 2)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(move, range(6))) == 1
    found = rivals[0].recovery("lost")
    assert found is not None
    assert found.waiting_since == NOW + 1
    assert (found.state, found.types) in ((ENDING, ("degree",)), (STOPPED, ()))
    assert not rivals[0].approve("lost", "key", "a", now=NOW)


def test_one_call_at_a_time_ends_and_only_that_one_finishes(rivals: list[GuardianStore]) -> None:
    assert rivals[0].claim("lost", until=NOW + 9, types=["degree"], now=NOW) is None  # still open
    assert rivals[0].move("lost", of={OPEN}, to=WAITING, now=NOW)

    def claim(number: int) -> tuple[str, ...] | None:
        return rivals[number % 2].claim("lost", until=NOW + 9, types=[f"t{number}"], now=NOW)

    with ThreadPoolExecutor(6) as pool:
        (types,) = [found for found in pool.map(claim, range(6)) if found is not None]
    # Its process died; the next call goes on with what the first one saw.
    assert rivals[0].claim("lost", until=NOW + 18, types=[], now=NOW + 9) == types
    assert not rivals[1].finish("lost", claim=NOW + 9, now=NOW + 10)
    rivals[1].release("lost", claim=NOW + 9)
    assert rivals[1].claim("lost", until=NOW + 19, types=[], now=NOW + 10) is None
    rivals[0].release("lost", claim=NOW + 18)
    assert rivals[1].claim("lost", until=NOW + 20, types=[], now=NOW + 11) == types
    assert rivals[1].finish("lost", claim=NOW + 20, now=NOW + 12)
    assert not rivals[1].finish("lost", claim=NOW + 20, now=NOW + 13)
    found = rivals[0].recovery("lost")
    assert found is not None
    assert (found.state, found.closed_at) == (RecoveryState.COMPLETED, NOW + 12)


def test_what_has_begun_to_end_stops_with_its_arrangement(rivals: list[GuardianStore]) -> None:
    assert rivals[0].move("lost", of={OPEN}, to=WAITING, now=NOW)
    assert rivals[0].claim("lost", until=NOW + 9, types=[], now=NOW) == ()
    assert rivals[1].withdraw("registrar", "prs_alice", now=NOW + 1)
    assert not rivals[0].finish("lost", claim=NOW + 9, now=NOW + 2)
    found = rivals[0].recovery("lost")
    assert found is not None
    assert (found.state, found.closed_at) == (STOPPED, NOW + 1)


def test_only_what_has_waited_so_long_lapses(rivals: list[GuardianStore]) -> None:
    assert rivals[0].begin(recovery("later"), most=3, now=NOW)
    assert rivals[0].begin(recovery("open"), most=3, now=NOW)
    rivals[0].move("lost", of={OPEN}, to=WAITING, now=NOW)
    rivals[0].move("later", of={OPEN}, to=WAITING, now=NOW + 1)
    rivals[1].lapse("another", waiting_before=NOW + 5, now=NOW + 6)
    rivals[1].lapse("arranged", waiting_before=NOW, now=NOW + 6)
    states = {name: rivals[0].recovery(name) for name in ("lost", "later", "open")}
    assert {name: (row.state, row.closed_at) for name, row in states.items() if row} == {
        "lost": (STOPPED, NOW + 6),
        "later": (WAITING, 0),
        "open": (OPEN, 0),
    }


def test_a_replaced_arrangement_stops_what_was_under_way(rivals: list[GuardianStore]) -> None:
    rivals[1].set_arrangement(arrangement("newer"), told={})
    rivals[1].set_arrangement(arrangement("hers", "prs_bob"), told={})

    assert rivals[0].arrangement("registrar", "arranged") is None
    found = rivals[0].recovery("lost")
    assert found is not None
    assert found.state is STOPPED
    assert not rivals[0].begin(recovery("again"), most=3, now=NOW)
    assert rivals[0].withdraw("registrar", "prs_alice", now=NOW)
    assert not rivals[0].withdraw("registrar", "prs_alice", now=NOW)
    assert rivals[0].arrangement("registrar", "hers") is not None


def test_no_more_than_allowed_are_under_way_and_lapsed_ones_make_room(
    rivals: list[GuardianStore],
) -> None:
    def begin(number: int) -> bool:
        return rivals[number % 2].begin(recovery(f"r{number}"), most=3, now=NOW)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(begin, range(8))) == 2  # one was there
    assert rivals[0].begin(recovery("later"), most=3, now=NOW + 100)
    assert rivals[0].recovery("lost") is None


def changes(database: SqlGuardianStore) -> list[tuple[str, str, str, int, str]]:
    with transaction(database._engine) as db:
        rows = db.scalars(select(ChangeRow).order_by(ChangeRow.changed_at, ChangeRow.state))
        return [(r.arrangement, r.state, r.subject, r.changed_at, r.detail) for r in rows]


def test_every_change_is_noted_with_it_for_her_own_record(rivals: list[GuardianStore]) -> None:
    first, second = rivals
    newer = replace(arrangement("newer"), created=NOW + 1)
    second.set_arrangement(newer, told={"key": "another"})
    assert second.withdraw("registrar", "prs_alice", now=NOW + 2, told={"key": "third"})
    assert not second.withdraw("registrar", "prs_alice", now=NOW + 3, told={"key": "third"})
    second.set_arrangement(replace(arrangement("last"), created=NOW + 4), told={})
    assert second.withdraw("registrar", "prs_alice", now=NOW + 5)

    assert isinstance(first, SqlGuardianStore)
    assert changes(first) == [
        ("arranged", "set", "prs_alice", NOW, '{"key":"hers"}'),
        ("newer", "changed", "prs_alice", NOW + 1, '{"key":"another"}'),
        ("newer", "withdrawn", "prs_alice", NOW + 2, '{"key":"third"}'),
        ("last", "set", "prs_alice", NOW + 4, "{}"),
        ("last", "withdrawn", "prs_alice", NOW + 5, '{"by":"proofing"}'),
    ]

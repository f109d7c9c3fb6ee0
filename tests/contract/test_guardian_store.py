"""Recoveries by guardians are stored once, whichever database and however many processes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from identity.adapters.database import create_database
from identity.adapters.guardian_store import SqlGuardianStore
from identity.adapters.migrate import migrate
from identity.guardians.ports import GuardianStore, KeptArrangement, KeptRecovery, RecoveryState

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
    stores: list[GuardianStore] = []
    for _ in range(2):
        engine = create_database(database_url)
        migrate(engine, "identity")
        stores.append(SqlGuardianStore(engine))
    stores[0].set_arrangement(arrangement())
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
        to = ENDING if number % 2 else STOPPED
        types = ["degree"] if number % 2 else None
        return rivals[number % 2].move("lost", of={WAITING}, to=to, now=NOW + 2, types=types)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(move, range(6))) == 1
    found = rivals[0].recovery("lost")
    assert found is not None
    assert found.waiting_since == NOW + 1
    assert (found.state, found.types) in ((ENDING, ("degree",)), (STOPPED, ()))
    assert not rivals[0].approve("lost", "key", "a", now=NOW)


def test_a_replaced_arrangement_stops_what_was_under_way(rivals: list[GuardianStore]) -> None:
    rivals[1].set_arrangement(arrangement("newer"))
    rivals[1].set_arrangement(arrangement("hers", "prs_bob"))

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

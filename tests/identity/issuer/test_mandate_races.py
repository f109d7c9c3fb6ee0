"""What is reported of a person while a mandate for her is made ends it, or keeps it from being."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import OfferRow
from identity.adapters.realname_store import RealNameBinding, SqlBindingStore
from identity.core.life_event import LifeEvent, LifeEventKind
from identity.issuer.records import OfferState, Review
from identity.realname.ports import BindingState
from tests.identity.issuer.test_life_events import resting
from tests.identity.issuer.test_mandates import BOB, FACTS, GUARDIANSHIP, POWER, offered
from tests.identity.issuer.workbench import ALICE, BEARER, MemoryPersons, Workbench

CHANGED = (409, "/problems/standing-changed")
EVENTS = {
    LifeEventKind.INCAPACITATED: BindingState.INCAPACITATED,
    LifeEventKind.CAPACITY_RESTORED: BindingState.ACTIVE,
    LifeEventKind.DECEASED: BindingState.DECEASED,
}
ROUNDS = 12


class Interrupted(MemoryPersons):
    """Something happens after it was looked whether a mandate can be, before it is written."""

    meanwhile: Callable[[], None] | None = None

    def claims(self, subject: str, **asked: Any) -> Any:
        known = super().claims(subject, **asked)
        if subject == BOB and (happens := self.meanwhile) is not None:
            self.meanwhile = None
            happens()
        return known


@pytest.fixture
def persons() -> Interrupted:
    return Interrupted()


@pytest.fixture
def both(tmp_path: Path, database_url: str, persons: Interrupted) -> Iterator[Workbench]:
    """Alice and Bob, as this agency knows them; on either database."""
    bench = Workbench(tmp_path, database=database_url, persons=persons)
    bench.persons.people[BOB] = dict(FACTS)
    with transaction(bench.engine) as db:
        for subject in (ALICE, BOB):
            db.add(
                RealNameBinding(
                    subject=subject,
                    agency="registrar",
                    person=f"row of {subject}",
                    assurance_level="IAL2",
                    created=1,
                    state="active",
                )
            )
    yield bench
    bench.engine.dispose()


def reported(bench: Workbench, kind: LifeEventKind, subject: str) -> None:
    """As `LifeEvents.report` does it: first the state, then the credentials."""
    SqlBindingStore(bench.engine).set_state(f"row of {subject}", EVENTS[kind], now=2)
    resting(bench).on_event(LifeEvent(kind=kind, subject=subject, agency="registrar", time=2))


def living(bench: Workbench) -> int:
    with transaction(bench.engine) as db:
        return len(
            db.scalars(
                select(OfferRow.offer).where(
                    OfferRow.principal == BOB, OfferRow.state != OfferState.DEAD
                )
            ).all()
        )


@pytest.mark.parametrize(
    ("mandate", "before", "kind", "subject"),
    [
        (GUARDIANSHIP, LifeEventKind.INCAPACITATED, LifeEventKind.CAPACITY_RESTORED, BOB),
        (GUARDIANSHIP, LifeEventKind.INCAPACITATED, LifeEventKind.DECEASED, BOB),
        (POWER, None, LifeEventKind.INCAPACITATED, BOB),
        (POWER, None, LifeEventKind.INCAPACITATED, ALICE),  # she who would act
    ],
)
def test_a_mandate_does_not_survive_what_is_reported_while_it_is_offered(
    both: Workbench,
    persons: Interrupted,
    mandate: dict[str, Any],
    before: LifeEventKind | None,
    kind: LifeEventKind,
    subject: str,
) -> None:
    if before is not None:
        reported(both, before, BOB)
    persons.meanwhile = lambda: reported(both, kind, subject)

    assert offered(both, **mandate) == CHANGED

    assert living(both) == 0


def test_what_the_agency_supplied_for_a_mandate_that_was_refused_goes(
    both: Workbench, persons: Interrupted
) -> None:
    reported(both, LifeEventKind.INCAPACITATED, BOB)
    persons.meanwhile = lambda: reported(both, LifeEventKind.CAPACITY_RESTORED, BOB)

    assert offered(both, **GUARDIANSHIP) == CHANGED

    assert both.vault.rows == {}


def test_a_mandate_that_nothing_happens_to_is_offered(both: Workbench) -> None:
    reported(both, LifeEventKind.INCAPACITATED, BOB)

    assert offered(both, **GUARDIANSHIP) == (201, "")

    assert living(both) == 1
    reported(both, LifeEventKind.CAPACITY_RESTORED, BOB)
    assert living(both) == 0


def test_nor_does_one_that_is_decided_in_that_moment(both: Workbench, persons: Interrupted) -> None:
    reported(both, LifeEventKind.INCAPACITATED, BOB)
    body = {key: value for key, value in GUARDIANSHIP.items() if key != "principal"}
    offer = both.offer(**body, deferred=True)["credential_id"]
    persons.meanwhile = lambda: reported(both, LifeEventKind.CAPACITY_RESTORED, BOB)

    refused = both.http.post(
        f"{both.issuer}/deferred/{offer}",
        headers=BEARER,
        json={"decision": "issue", "principal": BOB},
    )

    assert (refused.status_code, refused.json()["type"]) == CHANGED
    kept = both.parts.offers.read_offer("registrar", offer)
    assert kept is not None
    assert (kept.review, kept.mandate) == (Review.WAITING, None)
    assert living(both) == 0


def test_of_a_report_and_an_offer_at_one_moment_no_mandate_is_left(
    both: Workbench, persons: Interrupted
) -> None:
    outcomes = set()
    for _ in range(ROUNDS):
        reported(both, LifeEventKind.INCAPACITATED, BOB)
        start = Barrier(2)

        def begun(start: Barrier = start) -> None:
            start.wait()

        def restored(start: Barrier = start) -> None:
            start.wait()
            reported(both, LifeEventKind.CAPACITY_RESTORED, BOB)

        persons.meanwhile = begun
        with ThreadPoolExecutor(2) as pool:
            offer, report = pool.submit(offered, both, **GUARDIANSHIP), pool.submit(restored)
            report.result()
            outcomes.add(offer.result())

        assert living(both) == 0
    assert outcomes <= {(201, ""), CHANGED}  # offered first and ended, or not offered

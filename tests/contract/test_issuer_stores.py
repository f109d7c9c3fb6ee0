"""One suite for the issuer's stores: what may happen once happens once, whoever else is there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine, update

from identity.adapters.database import create_database
from identity.adapters.issuer_batch_store import SqlBatchStore
from identity.adapters.issuer_issuance_store import SqlIssuanceStore
from identity.adapters.issuer_offer_store import SqlOfferStore
from identity.adapters.issuer_status_store import SqlStatusStore
from identity.adapters.issuer_tables import StatusDocumentRow
from identity.core.issuance import STATUS_LIST_SIZE, Format
from identity.issuer.records import (
    BatchState,
    DeliveryState,
    NewCopy,
    PendingLists,
    Placement,
    Status,
    StatusDocuments,
    StatusLists,
)
from identity.issuer.stores import (
    MAX_GROUP_ENTRIES,
    AlreadyDelivered,
    BatchStore,
    DeliveryRequest,
    IssuanceStore,
    NoOpenGroup,
    OfferStore,
    StatusIsFinal,
    StatusStore,
    TooManyDeliveries,
)
from tests.databases import migrated_database
from tests.identity.issuer.workbench import Randomness

NOW = 1_770_000_000
AGENCY, GROUP = "registrar", "group"
LISTS = StatusLists(token=b"t" * 8, revocation=b"r" * 8, suspension=b"s" * 8)
REQUEST = DeliveryRequest(
    agency=AGENCY,
    issuance="one",
    subject="prs_alice",
    credential_type="degree",
    configuration="degree-sd-jwt",
    delivery="first",
    copies=2,
    anchored=True,
    max_deliveries=3,
    now=NOW,
)


@dataclass
class Stores:
    offers: OfferStore
    issuances: IssuanceStore
    statuses: StatusStore
    batches: BatchStore


def _sql(engine: Engine, seed: bytes) -> Stores:
    return Stores(
        offers=SqlOfferStore(engine),
        issuances=SqlIssuanceStore(engine, random=Randomness(seed)),
        statuses=SqlStatusStore(engine),
        batches=SqlBatchStore(engine),
    )


@pytest.fixture
def rivals(database_url: str) -> tuple[Stores, Stores]:
    """Two processes on one database, with a published status group."""
    first = _sql(migrated_database("identity", database_url), b"one")
    pair = first, _sql(create_database(database_url), b"two")
    _publish(pair[0])
    return pair


@pytest.fixture
def stores(rivals: tuple[Stores, Stores]) -> Stores:
    return rivals[0]


def _pending(version: int, changes: int = 0) -> PendingLists:
    return PendingLists(version=version, changes=changes, lists=LISTS, transaction=b"tx")


def _publish(stores: Stores, group: str = GROUP) -> None:
    stores.statuses.add_group(AGENCY, group)
    assert stores.statuses.prepare(group, _pending(1))
    stores.statuses.finish(group, 1)


class Drafts:
    """Makes copies for a placement, each with its own digest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.placement: Placement | None = None

    def __call__(self, placement: Placement) -> Sequence[NewCopy]:
        self.placement = placement
        return [
            NewCopy(
                digest=f"{self.name}-{number}".encode().ljust(32, b"."),
                format=Format.SD_JWT_VC,
                credential_id=None,
                place=place,
            )
            for number, place in enumerate(placement.places)
        ]


def test_a_nonce_is_used_once_among_rivals(rivals: tuple[Stores, Stores]) -> None:
    rivals[0].offers.add_nonce(AGENCY, "c-nonce", b"n" * 32, expires_at=NOW + 10)

    def use(number: int) -> bool:
        return rivals[number % 2].offers.use_nonces(AGENCY, "c-nonce", [b"n" * 32], now=NOW)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(use, range(16)))

    assert sorted(outcomes) == [False] * 15 + [True]


@pytest.mark.parametrize(
    ("agency", "purpose", "now"),
    [("university", "c-nonce", NOW), (AGENCY, "dpop-jti", NOW), (AGENCY, "c-nonce", NOW + 10)],
)
def test_a_nonce_serves_its_agency_its_purpose_and_its_time(
    stores: Stores, agency: str, purpose: str, now: int
) -> None:
    stores.offers.add_nonce(AGENCY, "c-nonce", b"n" * 32, expires_at=NOW + 10)

    assert not stores.offers.use_nonces(agency, purpose, [b"n" * 32], now=now)

    assert stores.offers.use_nonces(AGENCY, "c-nonce", [b"n" * 32], now=NOW)


def test_an_identifier_that_a_client_chose_is_claimed_once(stores: Stores) -> None:
    outcomes = [
        stores.offers.claim_nonce(AGENCY, "dpop-jti", b"j" * 32, expires_at=NOW) for _ in range(2)
    ]

    assert outcomes == [True, False]


def test_of_rivals_that_claim_one_identifier_one_gets_it(rivals: tuple[Stores, Stores]) -> None:
    def claim(number: int) -> bool:
        return rivals[number % 2].offers.claim_nonce(AGENCY, "jti", b"j" * 32, expires_at=NOW)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(claim, range(16)))

    assert sorted(outcomes) == [False] * 15 + [True]


def test_a_draft_that_fails_records_nothing(stores: Stores) -> None:
    def fail(_placement: Placement) -> Sequence[NewCopy]:
        raise RuntimeError("no claims")

    with pytest.raises(RuntimeError):
        stores.issuances.record_delivery(REQUEST, fail)

    assert stores.issuances.read_issuance(AGENCY, "one") is None
    assert stores.batches.open_batches(AGENCY) == []


def test_rivals_get_places_that_nobody_else_has(rivals: tuple[Stores, Stores]) -> None:
    drafts = [Drafts(f"d{number}") for number in range(20)]

    def record(number: int) -> None:
        rivals[number % 2].issuances.record_delivery(
            replace(REQUEST, issuance=f"i{number}", delivery=f"d{number}"), drafts[number]
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(20)))

    placements = [draft.placement for draft in drafts if draft.placement is not None]
    places = [place for placement in placements for place in placement.places]
    assert len(set(places)) == 40
    assert all(0 <= place.index < STATUS_LIST_SIZE for place in places)
    assert len({placement.batch for placement in placements}) == 1
    (batch,) = rivals[0].batches.open_batches(AGENCY)
    assert len(rivals[1].batches.digests(batch)) == 40
    read = rivals[0].batches.read_batch(AGENCY, batch)
    assert read is not None
    assert read.count == 40


def test_an_index_that_is_taken_is_never_handed_out_again(database_url: str) -> None:
    stores = _sql(migrated_database("identity", database_url), b"x")
    _publish(stores)
    engine = create_database(database_url)
    places = iter([5, 5, 5, 6])  # the second copy draws the first one's place twice more
    other = SqlIssuanceStore(
        engine,
        random=lambda size: next(places).to_bytes(size, "big") if size == 8 else b"b" * size,
    )
    first, second = Drafts("a"), Drafts("b")
    other.record_delivery(replace(REQUEST, copies=1), first)

    other.record_delivery(replace(REQUEST, issuance="two", delivery="second", copies=1), second)

    assert first.placement is not None
    assert second.placement is not None
    assert [first.placement.places[0].index, second.placement.places[0].index] == [5, 6]


def test_a_group_that_is_unpublished_closed_or_full_gives_no_places(database_url: str) -> None:
    stores = _sql(migrated_database("identity", database_url), b"x")
    stores.statuses.add_group(AGENCY, "unpublished")
    _publish(stores, "closed")
    stores.statuses.close_group("closed")

    assert not stores.statuses.has_open_group(AGENCY, room=1)
    with pytest.raises(NoOpenGroup):
        stores.issuances.record_delivery(REQUEST, Drafts("a"))

    _publish(stores, "open")
    assert stores.statuses.has_open_group(AGENCY, room=MAX_GROUP_ENTRIES)
    assert not stores.statuses.has_open_group(AGENCY, room=MAX_GROUP_ENTRIES + 1)
    assert not stores.statuses.has_open_group("university", room=1)


def test_unconfirmed_copies_of_the_same_configuration_are_superseded(stores: Stores) -> None:
    stores.issuances.record_delivery(REQUEST, Drafts("a"))
    stores.issuances.record_delivery(
        replace(REQUEST, delivery="other", configuration="degree-ldp-vc"), Drafts("b")
    )

    stores.issuances.record_delivery(replace(REQUEST, delivery="second"), Drafts("c"))

    assert list(stores.statuses.entries(GROUP).values()) == [Status.REVOKED] * 2
    assert not stores.issuances.record_event("two", "second", DeliveryState.ACCEPTED)
    assert stores.issuances.record_event("one", "second", DeliveryState.ACCEPTED)
    with pytest.raises(AlreadyDelivered):
        stores.issuances.record_delivery(replace(REQUEST, delivery="third"), Drafts("d"))


def test_the_first_answer_about_a_delivery_stays(stores: Stores) -> None:
    stores.issuances.record_delivery(REQUEST, Drafts("a"))
    stores.issuances.record_event("one", "first", DeliveryState.ACCEPTED)

    assert stores.issuances.record_event("one", "first", DeliveryState.FAILED)

    assert stores.statuses.entries(GROUP) == {}


def test_deliveries_are_bounded(stores: Stores) -> None:
    for number in range(3):
        stores.issuances.record_delivery(
            replace(REQUEST, delivery=f"d{number}"), Drafts(f"d{number}")
        )

    with pytest.raises(TooManyDeliveries):
        stores.issuances.record_delivery(replace(REQUEST, delivery="d3"), Drafts("d3"))


def test_revocation_is_final_and_another_agency_changes_nothing(stores: Stores) -> None:
    stores.issuances.record_delivery(REQUEST, Drafts("a"))

    def change(status: Status, agency: str = AGENCY) -> None:
        stores.issuances.change_status(agency, "one", status, reason=None, now=NOW)

    change(Status.REVOKED, "university")
    assert stores.statuses.entries(GROUP) == {}
    change(Status.REVOKED)
    for status in (Status.VALID, Status.SUSPENDED):
        with pytest.raises(StatusIsFinal):
            change(status)
    assert set(stores.statuses.entries(GROUP).values()) == {Status.REVOKED}
    group = stores.statuses.read_group(AGENCY, GROUP)
    assert group is not None
    assert group.changes == 1


def test_one_publication_at_a_time_in_unbroken_order(rivals: tuple[Stores, Stores]) -> None:
    first, second = rivals
    assert not first.statuses.prepare(GROUP, _pending(3))
    assert first.statuses.prepare(GROUP, _pending(2))

    assert not second.statuses.prepare(GROUP, _pending(2))
    second.statuses.finish(GROUP, 3)
    second.statuses.finish(GROUP, 2)
    second.statuses.finish(GROUP, 2)

    group = first.statuses.read_group(AGENCY, GROUP)
    assert group is not None
    assert (group.version, group.pending, group.published) == (2, None, LISTS)


def test_signed_lists_never_go_back_to_an_older_version(stores: Stores) -> None:
    new = StatusDocuments(
        group=GROUP,
        version=2,
        token="new",
        token_cwt=b"new",
        revocation=b"{}",
        suspension=b"{}",
        expires_at=NOW + 9,
        signed_at=NOW,
    )
    stores.statuses.put_documents(new)

    stores.statuses.put_documents(replace(new, version=1, token="old", signed_at=NOW + 5))
    stores.statuses.put_documents(replace(new, token="older", signed_at=NOW - 5))

    assert stores.statuses.read_documents(GROUP) == new


@pytest.mark.parametrize("later", [{"version": 3}, {"signed_at": NOW + 5}])
def test_a_cwt_is_of_the_lists_beside_it_or_not_there(
    stores: Stores, database_url: str, later: dict[str, int]
) -> None:
    kept = StatusDocuments(
        group=GROUP,
        version=2,
        token="kept",
        token_cwt=b"kept",
        revocation=b"{}",
        suspension=b"{}",
        expires_at=NOW + 9,
        signed_at=NOW,
    )
    stores.statuses.put_documents(kept)
    engine = create_database(database_url)
    with engine.begin() as db:  # as a release that knows no CWT does on the same database
        db.execute(update(StatusDocumentRow).values(token="newer", **later))
    engine.dispose()

    read = stores.statuses.read_documents(GROUP)

    assert read is not None
    assert (read.token, read.token_cwt) == ("newer", b"")
    again = replace(read, token_cwt=b"newer")
    stores.statuses.put_documents(again)
    assert stores.statuses.read_documents(GROUP) == again


def test_a_batch_goes_one_way_and_keeps_its_first_transaction(
    rivals: tuple[Stores, Stores],
) -> None:
    rivals[0].issuances.record_delivery(REQUEST, Drafts("a"))
    (batch,) = rivals[0].batches.open_batches(AGENCY)

    closed = [store.batches.close(batch) for store in rivals]
    kept = [
        store.batches.store_transaction(batch, raw)
        for store, raw in zip(rivals, (b"first", b"second"), strict=True)
    ]
    for store in rivals:
        store.batches.finish(batch, b"{}")

    assert closed == [True, False]
    assert kept == [b"first", b"first"]
    read = rivals[1].batches.read_batch(AGENCY, batch)
    assert read is not None
    assert read.state is BatchState.ANCHORED
    assert rivals[0].batches.read_batch("university", batch) is None
    digests = rivals[0].batches.digests(batch)
    assert digests == sorted(digests)

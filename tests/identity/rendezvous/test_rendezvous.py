"""Where a wallet waits: for seconds, for one link, for nobody else."""

import pytest

from identity.adapters.database import Base, create_database
from identity.adapters.rendezvous_store import DatabaseWaits
from identity.rendezvous.ports import Wait
from identity.rendezvous.service import (
    LinkNotAllowed,
    NobodyWaits,
    NotYourWait,
    RendezvousService,
    TooManyWait,
)
from tests.identity.verifier.stage import Randomness

LINK = "openid4vp://?client_id=x"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(database_url):
    engine = create_database(database_url)
    Base.metadata.create_all(engine)
    return DatabaseWaits(engine)


@pytest.fixture
def service(store, clock):
    return RendezvousService(store, now=clock, random=Randomness())


def test_a_link_is_handed_over_once(service):
    wait = service.open()
    assert service.collect(wait.reference, wait.secret) == ""

    service.post(wait.reference, LINK)

    assert service.collect(wait.reference, wait.secret) == LINK
    with pytest.raises(NobodyWaits):
        service.collect(wait.reference, wait.secret)


def test_references_have_128_random_bits_and_expire_after_30_seconds(service, clock):
    wait = service.open()
    assert (len(wait.reference), wait.expires_in) == (22, 30)
    clock.now += 30

    with pytest.raises(NobodyWaits):
        service.post(wait.reference, LINK)
    with pytest.raises(NobodyWaits):
        service.collect(wait.reference, wait.secret)


def test_a_second_link_is_refused(service):
    wait = service.open()
    service.post(wait.reference, LINK)

    with pytest.raises(NobodyWaits):
        service.post(wait.reference, LINK + "&other")
    assert service.collect(wait.reference, wait.secret) == LINK


def test_a_link_left_in_the_last_second_can_still_be_collected(service, clock):
    wait = service.open()
    clock.now += 29
    service.post(wait.reference, LINK)
    clock.now += 10

    assert service.collect(wait.reference, wait.secret) == LINK


@pytest.mark.parametrize("secret", [None, "", "AAAA", "not base64!"])
def test_who_photographs_the_code_collects_nothing(service, secret):
    wait = service.open()
    service.post(wait.reference, LINK)

    with pytest.raises(NotYourWait):
        service.collect(wait.reference, secret)
    assert service.collect(wait.reference, wait.secret) == LINK


@pytest.mark.parametrize("link", ["https://evil.example", "javascript:x", "", LINK + "x" * 5000])
def test_only_presentation_requests_are_left(service, link):
    wait = service.open()

    with pytest.raises(LinkNotAllowed):
        service.post(wait.reference, link)


def _wait(number: int, now: int) -> Wait:
    return Wait(
        reference=f"r{number}", secret_digest=b"", link="", created_at=now, expires_at=now + 30
    )


def test_the_number_of_waits_is_bounded_and_expired_ones_make_room(store):
    for number in range(3):
        assert store.add(_wait(number, number), most=3, most_per_second=9)

    assert not store.add(_wait(9, 3), most=3, most_per_second=9)
    assert store.add(_wait(9, 30), most=3, most_per_second=9)


def test_the_rate_of_new_waits_is_bounded(store, clock, monkeypatch):
    assert store.add(_wait(1, 5), most=9, most_per_second=1)
    assert not store.add(_wait(2, 5), most=9, most_per_second=1)
    assert store.add(_wait(2, 6), most=9, most_per_second=1)

    monkeypatch.setattr(store, "add", lambda *_arguments, **_options: False)
    with pytest.raises(TooManyWait):
        RendezvousService(store, now=clock, random=Randomness()).open()

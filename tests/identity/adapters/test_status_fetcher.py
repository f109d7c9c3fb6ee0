"""Lists are at most 15 s old and never another version's; batches are whole or nothing."""

import json

import pytest

from identity.adapters.database import Base, create_database
from identity.adapters.status_fetcher import CachingBatches, CachingStatusLists
from identity.adapters.trust_cache import DatabaseSeenVersions
from identity.verifier.ports import OlderThanSeen
from registry.core.encoding import base64url_encode
from registry.core.refusals import Unavailable


class Web:
    """Stands for both ways: our own documents begin with `own:`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[str] = []
        self.body = b"list"

    def local(self, url: str, accept: str) -> bytes | None:
        return b"own" if url.startswith("own:") else None

    def get(self, url: str, *, accept: str) -> bytes:
        self.asked.append(url)
        return self.body


@pytest.fixture
def web():
    return Web()


@pytest.fixture
def lists(web):
    return CachingStatusLists(local=web.local, remote=web, clock=lambda: web.now)


def test_a_list_is_kept_for_less_than_15_seconds(lists, web):
    lists.fetch("u", accept="a", version_key=b"1")
    web.now += 14.9
    lists.fetch("u", accept="a", version_key=b"1")
    assert len(web.asked) == 1
    web.now += 0.1

    lists.fetch("u", accept="a", version_key=b"1")

    assert len(web.asked) == 2


def test_a_list_of_another_version_is_fetched_at_once(lists, web):
    lists.fetch("u", accept="a", version_key=b"1")

    lists.fetch("u", accept="a", version_key=b"2")

    assert len(web.asked) == 2


def test_a_list_that_proved_wrong_is_forgotten(lists, web):
    lists.fetch("u", accept="a", version_key=b"1")
    lists.forget("u", version_key=b"1")

    lists.fetch("u", accept="a", version_key=b"1")

    assert len(web.asked) == 2


def test_our_own_lists_need_no_network(lists, web):
    assert lists.fetch("own:u", accept="a", version_key=b"1") == b"own"
    assert web.asked == []


def test_the_number_of_kept_lists_is_bounded(lists):
    for number in range(200):
        lists.fetch(f"u{number}", accept="a", version_key=b"")

    assert len(lists._cached) == 64


def test_a_batch_is_asked_for_by_its_id_alone_and_once(web):
    digests = [bytes([n]) * 32 for n in range(3)]
    web.body = json.dumps(
        {"batch": "b", "digests": [base64url_encode(digest) for digest in digests]}
    ).encode()
    batches = CachingBatches(local=web.local, remote=web)

    assert batches.digests("https://i", "b") == tuple(digests)
    assert batches.digests("https://i", "b") == tuple(digests)
    assert web.asked == ["https://i/anchors/b"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"batch":"other","digests":[]}',
        b'{"batch":"b"}',
        b'{"batch":"b","digests":[7]}',
        b'{"batch":"b","digests":["!"]}',
    ],
)
def test_what_is_no_batch_is_no_answer(web, body):
    web.body = body

    with pytest.raises(Unavailable):
        CachingBatches(local=web.local, remote=web).digests("https://i", "b")


def test_the_newest_version_is_remembered_over_instances_and_restarts(tmp_path):
    engine = create_database(f"sqlite:///{tmp_path / 's.db'}")
    Base.metadata.create_all(engine)
    first, second = DatabaseSeenVersions(engine), DatabaseSeenVersions(engine)
    first.remember("u", 3)
    second.remember("u", 5)

    first.remember("u", 5)
    with pytest.raises(OlderThanSeen):
        second.remember("u", 4)
    with pytest.raises(OlderThanSeen):
        DatabaseSeenVersions(engine).remember("u", 3)
    first.remember("v", 1)
    first.remember("u", 6)

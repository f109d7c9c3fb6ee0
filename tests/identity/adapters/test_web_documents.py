"""did:web documents: ours without a socket, listed ones bounded and remembered, others never."""

import socket
import time

import pytest

from identity.adapters.bounded_fetch import (
    AllowedPlace,
    BoundedFetcher,
    FetchFailed,
    PlaceNotAllowed,
)
from identity.adapters.web_documents import (
    KEEP_FAILURE_SECONDS,
    KEEP_SECONDS,
    MAX_AT_ONCE,
    FetchedWebDocuments,
)
from registry.api.submission_limit import NewDidLimit, network_of_client
from registry.core.did_web import WebPlaceNotListed
from registry.core.refusals import Unavailable

URL = "https://other.example/did.json"


class ScriptedFetcher:
    """Gives `answer`, or raises it, and counts."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked = 0

    def get(self, url: str, *, accept: str) -> bytes:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def documents(remote: object, seconds: list[float]) -> FetchedWebDocuments:
    return FetchedWebDocuments(
        local=lambda url, _: b"ours" if url.startswith("http://127.0.0.1:8000/issuers/") else None,
        remote=remote,  # type: ignore[arg-type]
        public_base_url="http://127.0.0.1:8000",
        clock=lambda: seconds[0],
    )


def test_our_own_document_needs_no_connection() -> None:
    remote = ScriptedFetcher(PlaceNotAllowed("no"))

    assert documents(remote, [0.0]).fetch("https://127.0.0.1:8000/issuers/u/did.json") == b"ours"
    assert remote.asked == 0


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://listed.example:8443/did.json",
        "https://listed.example.evil.example/did.json",
        "https://127.0.0.1:8000/elsewhere/did.json",
        "https://169.254.169.254/did.json",
    ],
)
def test_what_is_not_listed_is_refused_without_a_connection(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it looked outside")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(socket, "socket", never)
    place = AllowedPlace(origin="https://listed.example", networks=("192.0.2.0/24",))
    remote = BoundedFetcher([place], clock=lambda: 0.0)

    with pytest.raises(WebPlaceNotListed):
        documents(remote, [0.0]).fetch(url)


def test_an_answer_is_remembered_for_a_while() -> None:
    remote, seconds = ScriptedFetcher(b"theirs"), [0.0]
    web = documents(remote, seconds)

    assert web.fetch(URL) == web.fetch(URL) == b"theirs"
    assert remote.asked == 1
    seconds[0] = KEEP_SECONDS + 1
    web.fetch(URL)
    assert remote.asked == 2


def test_a_failure_is_remembered_for_a_shorter_while() -> None:
    remote, seconds = ScriptedFetcher(FetchFailed("no")), [0.0]
    web = documents(remote, seconds)

    for _ in range(3):
        with pytest.raises(Unavailable):
            web.fetch(URL)
    assert remote.asked == 1
    seconds[0] = KEEP_FAILURE_SECONDS + 1
    remote.answer = b"theirs"
    assert web.fetch(URL) == b"theirs"


def test_few_are_fetched_at_once() -> None:
    class Waiting:
        depth = 0

        def get(self, url: str, *, accept: str) -> bytes:
            Waiting.depth += 1
            web.fetch(f"https://other.example/{Waiting.depth}/did.json")  # while this one waits
            return b"never"

    web = documents(Waiting(), [0.0])

    with pytest.raises(Unavailable):
        web.fetch(URL)
    assert Waiting.depth == MAX_AT_ONCE


def test_new_dids_are_counted_by_network() -> None:
    limit = NewDidLimit(2)

    assert [limit.admit("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limit.admit("192.0.2.2")
    assert [limit.admit(f"2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert limit.admit("2001:db8:0:1::1")


def test_the_turn_of_the_hour_lets_nobody_through(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [3600.0 * 500_000 - 1]
    monkeypatch.setattr(time, "time", lambda: seconds[0])
    limit = NewDidLimit(2)

    assert [limit.admit("192.0.2.1") for _ in range(3)] == [True, True, False]
    seconds[0] += 60
    assert not limit.admit("192.0.2.1")
    seconds[0] += 3600
    assert limit.admit("192.0.2.1")


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_the_network_of_a_client(client: str, network: str) -> None:
    assert network_of_client(client) == network

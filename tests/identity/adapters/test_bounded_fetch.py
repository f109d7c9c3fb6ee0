"""The one way out: listed origins, listed addresses, bounded time and size, no redirects."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from identity.adapters.bounded_fetch import (
    AllowedPlace,
    BoundedFetcher,
    FetchFailed,
    PlaceNotAllowed,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@contextmanager
def server(*pieces: bytes, pause: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """Answers one connection with `pieces`; yields its origin and what it received."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            if data := connection.recv(4096):
                received.append(data)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        if thread.is_alive():  # nobody came: wake it
            with contextlib.suppress(OSError):
                socket.create_connection(listener.getsockname()).close()
        thread.join(6)
        listener.close()


def fetcher(origin: str, *, networks: tuple[str, ...] = ("127.0.0.0/8",), **options):
    place = AllowedPlace(origin=origin, networks=networks)
    return BoundedFetcher([place], clock=time.monotonic, **{"timeout_seconds": 1.0, **options})


def test_a_listed_place_is_asked_for_the_media_type():
    with server(OK) as (origin, received):
        body = fetcher(origin).get(f"{origin}/status/1?x=y", accept="application/statuslist+jwt")

    assert body == b"hello"
    assert received[0].startswith(b"GET /status/1?x=y HTTP/1.1\r\n")
    assert b"Accept: application/statuslist+jwt\r\n" in received[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("http:", "https:"),
        lambda url: url.replace("127.0.0.1", "localhost"),
        lambda url: url.replace("http://", "http://127.0.0.1@"),
        lambda url: url.replace("http://", "http://user:pw@"),
        lambda url: url.replace("127.0.0.1", "[::1]"),
        lambda url: url + "#fragment",
        lambda _url: "http://169.254.169.254/latest",
        lambda _url: "file:///etc/passwd",
        lambda _url: "",
    ],
)
def test_no_byte_goes_to_a_place_that_is_not_listed(change):
    with server(OK) as (origin, received), pytest.raises(PlaceNotAllowed):
        fetcher(origin).get(change(f"{origin}/x"), accept="*/*")

    assert received == []


def test_no_byte_goes_to_an_address_outside_the_listed_networks():
    with server(OK) as (origin, received), pytest.raises(PlaceNotAllowed):
        fetcher(origin, networks=("203.0.113.0/24",)).get(f"{origin}/x", accept="*/*")

    assert received == []


def test_a_name_that_now_resolves_elsewhere_is_refused(monkeypatch):
    def rebound(*_arguments, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)

    with pytest.raises(PlaceNotAllowed):
        fetcher("http://lists.example", networks=("203.0.113.0/24",)).get(
            "http://lists.example/x", accept="*/*"
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
    ],
)
def test_anything_but_a_whole_200_is_a_failure(answer):
    with server(answer) as (origin, _), pytest.raises(FetchFailed):
        fetcher(origin).get(f"{origin}/x", accept="*/*")


def test_too_long_a_body_is_cut_off():
    with server(OK) as (origin, _), pytest.raises(FetchFailed):
        fetcher(origin, max_bytes=4).get(f"{origin}/x", accept="*/*")


def _dripped(head: bytes, where: str) -> list[bytes]:
    if where == "header":
        return [head, *[b"X: y\r\n"] * 60]
    return [head, b"\r\n", *[b"x"] * 60]


@pytest.mark.parametrize("where", ["header", "body"])
def test_one_byte_at_a_time_does_not_outlast_the_limit(where):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n"
    started = time.monotonic()

    with server(*_dripped(head, where), pause=0.05) as (origin, _), pytest.raises(FetchFailed):
        fetcher(origin, timeout_seconds=0.3).get(f"{origin}/x", accept="*/*")

    assert time.monotonic() - started < 3


def test_nobody_there_is_a_failure():
    with pytest.raises(FetchFailed):
        fetcher("http://127.0.0.1:9").get("http://127.0.0.1:9/x", accept="*/*")


@pytest.mark.parametrize("origin", ["ftp://x", "https://", "https://x/path", "x"])
def test_an_allowed_place_is_an_origin_with_networks(origin):
    with pytest.raises(PlaceNotAllowed):
        AllowedPlace(origin=origin, networks=("127.0.0.0/8",))
    with pytest.raises(PlaceNotAllowed):
        AllowedPlace(origin="https://x", networks=())

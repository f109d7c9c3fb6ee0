"""The HTTP transport against a real server on loopback, and the in-process one beside it."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from registry.client import AsgiTransport, HttpTransport, Transport
from registry.client.transport import MAX_ANSWER_BYTES, NodeUnreachable


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Echoes method, path, query and body length; a few paths misbehave."""
    if scope["type"] != "http":
        return
    message = await receive()
    status, headers = 200, [(b"content-type", b"text/plain"), (b"x-served", b"yes")]
    text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()}"
    body = text.encode() + b" %d" % len(message.get("body", b""))
    if scope["path"] == "/moved":
        status, headers = 302, [(b"location", b"/elsewhere")]
    if scope["path"] == "/long":
        body = b"x" * (MAX_ANSWER_BYTES + 1)
    if scope["path"] == "/broken":
        raise ValueError("broken")
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(params=["http", "asgi"])
def transport(request: pytest.FixtureRequest, port: int) -> Iterator[Transport]:
    made: HttpTransport | AsgiTransport
    if request.param == "http":
        made = HttpTransport(f"http://127.0.0.1:{port}/")
    else:
        made = AsgiTransport(application)
    yield made
    made.close()


def test_get_and_post(transport: Transport) -> None:
    got = transport.get("/a%20b?key=did%2Fx&proof=true")
    posted = transport.post("/transactions", b"12345")

    assert got.status == 200
    assert got.body == b"GET /a b key=did%2Fx&proof=true 0"
    assert got.headers["x-served"] == "yes"
    assert posted.body == b"POST /transactions  5"


def test_a_redirect_is_an_answer_and_not_followed(transport: Transport) -> None:
    answer = transport.get("/moved")

    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")


def test_an_endless_answer_is_cut_off(transport: Transport) -> None:
    with pytest.raises(NodeUnreachable):
        transport.get("/long")


def test_a_node_that_breaks_is_no_answer(transport: Transport) -> None:
    try:
        answer = transport.get("/broken")
    except NodeUnreachable:
        return
    assert answer.status == 500


def test_nobody_there() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    free = listener.getsockname()[1]
    listener.close()
    transport = HttpTransport(f"http://127.0.0.1:{free}", timeout_seconds=1)

    with pytest.raises(NodeUnreachable):
        transport.get("/registry/head")
    transport.close()


def test_a_silent_node_is_given_up() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        transport = HttpTransport(
            f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.2
        )

        with pytest.raises(NodeUnreachable):
            transport.get("/registry/head")
        transport.close()


def test_a_node_that_drips_is_given_up() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                try:
                    for _ in range(100):
                        connection.sendall(b"x")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        transport = HttpTransport(
            f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.2
        )
        began = time.monotonic()

        with pytest.raises(NodeUnreachable):
            transport.get("/registry/head")

        assert time.monotonic() - began < 3
        transport.close()
        thread.join()


def test_the_environment_sends_nothing_astray(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    transport = HttpTransport(f"http://127.0.0.1:{port}")

    assert transport.get("/x").status == 200
    transport.close()

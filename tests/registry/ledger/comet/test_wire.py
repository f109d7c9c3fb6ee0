"""The messages and the socket, as the engine speaks them; strangers get a closed door."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from registry.ledger.comet.server import MAX_CONNECTIONS, SocketServer
from registry.ledger.comet.wire import (
    MAX_MESSAGE_BYTES,
    FrameBroken,
    new_message,
    read_messages,
    write_message,
)


def test_bytes_are_those_of_the_specification() -> None:
    # Written by hand after protobuf's encoding: tag, length, value.
    finalize = new_message(
        "RequestFinalizeBlock", txs=[b"ab", b""], height=300, time={"seconds": 1, "nanos": 2}
    )
    request = new_message("Request", finalize_block=finalize)

    assert finalize.SerializeToString().hex() == "0a0261620a00" + "28ac02" + "320408011002"
    assert request.SerializeToString().hex() == "a2010f" + finalize.SerializeToString().hex()
    assert new_message("Response", flush={}).SerializeToString().hex() == "1a00"
    answer = new_message("ResponseInfo", last_block_height=7, last_block_app_hash=b"\1\2")
    assert answer.SerializeToString().hex() == "20072a020102"


def test_fields_that_we_do_not_know_are_passed_over() -> None:
    known = new_message("RequestCheckTx", tx=b"x").SerializeToString()

    read = list(read_messages(io.BytesIO(framed(known + b"\xf8\x07\x01")), "RequestCheckTx"))

    assert [message.tx for message in read] == [b"x"]


def framed(data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([len(data)]) + data


def test_long_messages_have_long_lengths() -> None:
    stream = io.BytesIO()
    sent = new_message("RequestCheckTx", tx=bytes(70_000))
    write_message(stream, sent)
    write_message(stream, new_message("RequestCheckTx", tx=b"next"))
    stream.seek(0)

    first, second = read_messages(stream, "RequestCheckTx")

    assert (len(first.tx), second.tx) == (70_000, b"next")


@pytest.mark.parametrize(
    "data",
    [
        b"\x05ab",  # ends inside the message
        b"\x80",  # ends inside the length
        b"\xff" * 11,  # a length without end
        b"\xff\xff\xff\xff\x7f",  # 32 GiB
        (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big").replace(b"\x00", b"\x81"),
        b"\x02\xff\xff",  # no protobuf
    ],
)
def test_broken_frames_are_told_from_the_end_of_the_stream(data: bytes) -> None:
    with pytest.raises(FrameBroken):
        list(read_messages(io.BytesIO(data), "Request"))
    assert list(read_messages(io.BytesIO(b""), "Request")) == []


# --- the socket


class Engine:
    """Asks as CometBFT does: requests, then a flush, then the answers in order."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rwb")
        self.answers = read_messages(self.stream, "Response")  # type: ignore[arg-type]

    def ask(self, **requests: Any) -> list[str]:
        for kind, request in requests.items():
            write_message(self.stream, new_message("Request", **{kind: request}))  # type: ignore[arg-type]
        write_message(self.stream, new_message("Request", flush={}))  # type: ignore[arg-type]
        self.stream.flush()
        found = []
        while not found or found[-1] not in ("flush", "exception"):
            found.append(next(self.answers).WhichOneof("value"))
        return found

    def close(self) -> None:
        with suppress(OSError):  # what was still to be written, to somebody who went away
            self.stream.close()
        self.socket.close()


class Handler:
    """Echoes; can be made to wait, or to fail."""

    def __init__(self) -> None:
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.failures: list[BaseException] = []

    def __call__(self, kind: str, request: Any) -> Any:
        if kind == "commit":
            self.busy.set()
            assert self.go_on.wait(10)
            return new_message("ResponseCommit")
        if kind == "query":
            raise ValueError("with a secret in it")
        return new_message("ResponseEcho", message=request.message)


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def path(tmp_path: Path, handler: Handler) -> Iterator[Path]:
    place = tmp_path / ("long" * 25) / "abci.sock"  # longer than a socket's address may be
    place.parent.mkdir()
    server = SocketServer(place, handler, on_failure=handler.failures.append)
    yield place
    handler.go_on.set()
    server.close()
    assert not place.exists()


def connect(path: Path, tmp_path: Path) -> Engine:
    link = tmp_path / "s"
    if not link.exists():
        link.symlink_to(path)
    return Engine(link)


def test_answers_come_in_order_and_flushes_are_answered(path: Path, tmp_path: Path) -> None:
    engine = connect(path, tmp_path)

    assert engine.ask(echo={"message": "a"}) == ["echo", "flush"]
    assert engine.ask() == ["flush"]
    engine.close()


def test_one_connection_does_not_wait_for_another(
    path: Path, tmp_path: Path, handler: Handler
) -> None:
    consensus, mempool = connect(path, tmp_path), connect(path, tmp_path)
    told: list[list[str]] = []
    thread = threading.Thread(target=lambda: told.append(consensus.ask(commit={})))
    thread.start()
    assert handler.busy.wait(10)

    assert mempool.ask(echo={"message": "b"}) == ["echo", "flush"]

    handler.go_on.set()
    thread.join()
    assert told == [["commit", "flush"]]
    consensus.close()
    mempool.close()


def test_what_fails_inside_is_told_as_an_exception_without_its_words(
    path: Path, tmp_path: Path, handler: Handler
) -> None:
    engine = connect(path, tmp_path)
    write_message(engine.stream, new_message("Request", query={}))  # type: ignore[arg-type]
    engine.stream.flush()

    answer = next(engine.answers)

    assert answer.WhichOneof("value") == "exception"
    assert answer.exception.error == "ValueError"
    assert engine.stream.read(1) == b""  # and the connection is closed
    assert [type(error) for error in handler.failures] == [ValueError]
    engine.close()


def test_a_kind_that_we_do_not_know_stops_the_node(
    path: Path, tmp_path: Path, handler: Handler
) -> None:
    engine = connect(path, tmp_path)
    engine.stream.write(framed(b"\xaa\x01\x00"))  # InsertTx, which only an own mempool asks
    engine.stream.flush()

    assert next(engine.answers).WhichOneof("value") == "exception"
    assert len(handler.failures) == 1
    engine.close()


def test_garbage_closes_its_connection_and_no_other(
    path: Path, tmp_path: Path, handler: Handler
) -> None:
    good, bad = connect(path, tmp_path), connect(path, tmp_path)
    bad.stream.write(b"\xff" * 40)
    bad.stream.flush()

    assert bad.stream.read(1) == b""
    assert good.ask(echo={"message": "still here"}) == ["echo", "flush"]
    assert handler.failures == []
    good.close()
    bad.close()


def test_connections_are_bounded_and_come_free(path: Path, tmp_path: Path) -> None:
    engines = [connect(path, tmp_path) for _ in range(MAX_CONNECTIONS)]
    for engine in engines:
        assert engine.ask() == ["flush"]
    one_too_many = connect(path, tmp_path)
    assert one_too_many.socket.recv(1) == b""
    one_too_many.close()

    engines.pop().close()
    deadline = time.monotonic() + 10
    while True:
        again = connect(path, tmp_path)
        try:
            assert again.ask() == ["flush"]
            break
        except (StopIteration, OSError):
            assert time.monotonic() < deadline
        finally:
            again.close()
    for engine in engines:
        engine.close()


def test_nobody_else_can_reach_the_socket(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0

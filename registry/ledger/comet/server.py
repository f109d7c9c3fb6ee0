"""The socket on which CometBFT asks the application: four connections, answers in order on each.

Every connection has a thread, because questions of the mempool and of readers must be answered
while a block is being executed. An error inside the application is told to the engine as an
exception, upon which the node stops: going on would mean to disagree with everybody else.
"""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from registry.ledger.comet.wire import FrameBroken, new_message, read_messages, write_message

MAX_CONNECTIONS = 8  # the engine opens four; twice that while it starts again
SOCKET_BYTES = 100  # longest path that `sockaddr_un` takes, with room

BUFFER_BYTES = 1 << 16

Handler = Callable[[str, Any], Any]  # kind of request and request -> response


class SocketServer:
    """Serves one application on a Unix socket that only this user can reach."""

    def __init__(
        self, path: Path, handler: Handler, *, on_failure: Callable[[BaseException], None]
    ) -> None:
        """
        Args:
            path: where to listen; a socket that is left over there is replaced.
            handler: answers; what it raises stops the node.
            on_failure: told of what the handler raised.
        """
        self._path = path
        self._handler = handler
        self._on_failure = on_failure
        self._listener = _listen(path)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [threading.Thread(target=self._accept, name="abci-accept", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening, end the connections, and wait for the answers under way."""
        with self._lock:
            self._closed = True
            open_now = list(self._connections)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in open_now:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._path.unlink(missing_ok=True)

    @property
    def is_connected(self) -> bool:
        """Whether the engine holds its connections."""
        return len(self._connections) > 0

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed or len(self._connections) >= MAX_CONNECTIONS:
                    connection.close()
                    continue
                self._connections.add(connection)
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="abci", daemon=True
                )
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb", buffering=BUFFER_BYTES) as stream:
                for request in read_messages(stream, "Request"):
                    kind = request.WhichOneof("value")
                    if kind == "flush":
                        write_message(stream, new_message("Response", flush={}))
                        stream.flush()
                    elif not self._answer(stream, kind, request):
                        return
        except (FrameBroken, OSError):
            pass  # the engine connects again, or ends
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _answer(self, stream: Any, kind: str | None, request: Any) -> bool:
        """Write the answer; False when the handler failed."""
        try:
            if kind is None:
                raise FrameBroken("a request of a kind that this application does not know")
            response = new_message(
                "Response", **{kind: self._handler(kind, getattr(request, kind))}
            )
        except BaseException as error:  # noqa: BLE001 - whatever it is, the node must not go on
            self._on_failure(error)
            reason = new_message("ResponseException", error=type(error).__name__)
            write_message(stream, new_message("Response", exception=reason))
            stream.flush()
            return False
        write_message(stream, response)
        return True


def _listen(path: Path) -> socket.socket:
    """A listening socket at `path`, however long that is.

    Raises:
        OSError: the directory is missing or not ours.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if len(os.fsencode(path)) <= SOCKET_BYTES:
            listener.bind(os.fspath(path))
        else:  # the kernel's limit is on the text of the path, not on the place
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                listener.bind(f"/proc/self/fd/{directory}/{path.name}")
            finally:
                os.close(directory)
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener

"""A small reverse proxy, as one stands before an installation of several processes."""

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class FrontDoor:
    """Sends a request on by the beginning of its path; several places take turns.

    `routes` may be changed while it stands; `taken` counts the requests of each place.
    """

    def __init__(self, port: int) -> None:
        self.routes: dict[str, Sequence[str]] = {}
        self.taken: dict[str, int] = {}
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self.base = f"http://127.0.0.1:{port}"
        self.port = port

    def place_for(self, path: str) -> str | None:
        """Where this request goes."""
        fitting = [prefix for prefix in self.routes if path.startswith(prefix)]
        if not fitting:
            return None
        places = self.routes[max(fitting, key=len)]
        with self._lock:
            place = places[next(self._turns) % len(places)]
            self.taken[place] = self.taken.get(place, 0) + 1
        return place


@contextmanager
def standing(door: FrontDoor) -> Iterator[FrontDoor]:
    """Serve until the block ends."""
    client = httpx2.Client(timeout=30, trust_env=False, follow_redirects=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            place = door.place_for(self.path)
            if place is None:
                self._answer(404, {}, b"no such place")
                return
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _HOP_BY_HOP
            }
            try:
                answer = client.request(
                    self.command, place + self.path, headers=headers, content=body
                )
            except httpx2.HTTPError:
                self._answer(502, {}, b"nobody there")
                return
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in _HOP_BY_HOP
            }
            self._answer(answer.status_code, kept, answer.content)

        do_GET = do_POST = _pass_on  # noqa: N815 - as the library names them

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", door.port), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
        client.close()

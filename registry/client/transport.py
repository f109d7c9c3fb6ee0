"""How the client reaches a node: over HTTP, or inside one process without a socket."""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import unquote

import httpx2
from starlette.types import ASGIApp, Message, Scope

from registry.core.refusals import Unavailable

MAX_ANSWER_BYTES = 8 << 20  # the longest answer asked for holds a schema and its proof, 600 KiB
TIMEOUT_SECONDS = 5.0
SUBMIT_SECONDS = 25.0  # with a transaction: longer than a member's own patience with its block


class NodeUnreachable(Unavailable):
    """The node does not answer, or not in a form that can be read."""


class Answer(NamedTuple):
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """One node. Every transport may be used from any thread, and promises:

    - `path` begins with a slash and may have a query; no redirect is followed.
    - `NodeUnreachable` is raised when no whole answer came in time. After a `post` that says
      nothing about what became of it.
    """

    def get(self, path: str) -> Answer:
        """GET `path`."""
        ...

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """POST `body` to `path`."""
        ...


class HttpTransport:
    """A node behind a base URL."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        post_seconds: float | None = None,
    ) -> None:
        """
        Args:
            base_url: of the node.
            timeout_seconds: patience with an answer.
            post_seconds: patience with the answer to a `post`, when it is another: a transaction
                is answered when the members have decided it.
        """
        self._timeout_seconds = timeout_seconds
        self._post_seconds = timeout_seconds if post_seconds is None else post_seconds
        # No proxies and no credentials from the environment: the address alone decides.
        self._client = httpx2.Client(
            base_url=base_url.rstrip("/"),
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json, text/plain"},
        )

    def get(self, path: str) -> Answer:
        """As `Transport.get`."""
        return self._send(self._client.build_request("GET", path), self._timeout_seconds)

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """As `Transport.post`."""
        return self._send(
            self._client.build_request(
                "POST",
                path,
                content=body,
                headers={"Content-Type": content_type},
                timeout=self._post_seconds,
            ),
            self._post_seconds,
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _send(self, request: httpx2.Request, seconds: float) -> Answer:
        # The client's own time-out starts anew with every byte that drips in.
        deadline = time.monotonic() + 2 * seconds
        try:
            response = self._client.send(request, stream=True)
            try:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise NodeUnreachable("the node's answer is too long")
                    if time.monotonic() > deadline:
                        raise NodeUnreachable("the node does not answer in time")
            finally:
                response.close()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise NodeUnreachable(f"the node does not answer ({type(error).__name__})") from error
        return Answer(response.status_code, dict(response.headers.items()), bytes(body))


class AsgiTransport:
    """An ASGI application in this process, on an event loop and a thread of its own.

    The loop is its own, so a caller that blocks a thread of another loop cannot starve the app
    that it waits for.
    """

    def __init__(self, app: ASGIApp, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._app = app
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="registry-node", daemon=True)
        self._thread.start()

    def get(self, path: str) -> Answer:
        """As `Transport.get`."""
        return self._send("GET", path, b"", [])

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """As `Transport.post`."""
        headers = [
            (b"content-type", content_type.encode("ascii")),
            (b"content-length", str(len(body)).encode("ascii")),
        ]
        return self._send("POST", path, body, headers)

    def close(self) -> None:
        """Stop the loop; answers under way are given up."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            # Worker threads of the app live as long as this task, not as one request.
            self._loop.run_until_complete(self._stop.wait())
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        finally:
            self._loop.close()

    def _send(
        self, method: str, path: str, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> Answer:
        if self._closed:
            raise NodeUnreachable("the transport is closed")
        call = asyncio.run_coroutine_threadsafe(self._call(method, path, body, headers), self._loop)
        try:
            return call.result(self._timeout_seconds)
        except TimeoutError as error:
            call.cancel()
            raise NodeUnreachable("the node does not answer in time") from error
        except NodeUnreachable:
            raise
        except Exception as error:
            raise NodeUnreachable(f"the node failed ({type(error).__name__})") from error

    async def _call(
        self, method: str, path: str, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> Answer:
        raw_path, _, query = path.partition("?")
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(b"host", b"registry.internal"), *headers],
            "client": None,
            "server": ("registry.internal", 80),
            "state": {},
        }
        unread = [body]
        started: dict[str, Message] = {}
        received = bytearray()

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started["start"] = message
            elif message["type"] == "http.response.body":
                received.extend(message.get("body", b""))
                if len(received) > MAX_ANSWER_BYTES:
                    raise NodeUnreachable("the node's answer is too long")

        await self._app(scope, receive, send)
        start = started["start"]
        names = {name.decode("latin-1"): v.decode("latin-1") for name, v in start["headers"]}
        return Answer(start["status"], names, bytes(received))

"""What a monitor asks a registry over HTTP. Nothing that comes back is believed here."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from registry.client.transport import Answer, NodeUnreachable, Transport
from registry.core.encoding import MAX_JSON_DEPTH, JsonObject, canonical_json, parse_json_object
from registry.core.fields import items
from registry.core.merkle_log import MAX_PATH
from registry.core.proofs import parse_path
from registry.core.refusals import Malformed
from registry.core.signed_note import MAX_NOTE_BYTES
from registry.ledger.port import MAX_ENTRIES

T = TypeVar("T")

_FRAME_DEPTH = 4  # the answer around an entry


class Node:
    """One registry. Every method raises `NodeUnreachable` when there is no answer to be read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def head(self, height: int | None = None) -> str:
        """The head of a height as it is served; None for the newest."""
        query = "" if height is None else f"?height={height}"
        return _text(self._get(f"/registry/head{query}"))

    def cosigned_head(self) -> str | None:
        """The newest head with its quorum of witnesses; None while there is none."""
        answer = self._transport.get("/registry/head?cosigned=true")
        if answer.status in (404, 503):
            return None
        return _text(_good(answer))

    def heads(self, start: int, count: int) -> Sequence[str]:
        """Heads from height `start` on."""
        found = self._object("/registry/log/heads", start=start, count=min(count, MAX_ENTRIES))
        return _items(found.get("heads"), "heads", _note)[:count]

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """Log entries from `start` on, each as the canonical JSON that its leaf is about."""
        found = self._object("/registry/log/entries", start=start, count=min(count, MAX_ENTRIES))
        return _items(found.get("entries"), "entries", canonical_json)[:count]

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """The path that is said to lead from one log size to another."""
        return self._path("/registry/log/consistency", first=first, second=second)

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """The path that is said to lead from an entry to the root of a log size."""
        return self._path("/registry/log/inclusion", index=index, size=size)

    def light_block(self, height: int) -> bytes:
        """The light block of an engine height, as it is served."""
        return self._get(f"/registry/light-blocks/{height}").body

    def _path(self, path: str, **query: int) -> Sequence[bytes]:
        try:
            return parse_path(self._object(path, **query).get("path"), most=MAX_PATH)
        except Malformed as error:
            raise NodeUnreachable(f"the node's proof cannot be read: {error.detail}") from error

    def _object(self, path: str, **query: int) -> JsonObject:
        answer = self._get(f"{path}?{urlencode(query)}")
        try:
            return parse_json_object(
                answer.body, max_bytes=len(answer.body), max_depth=MAX_JSON_DEPTH + _FRAME_DEPTH
            )
        except Malformed as error:
            raise NodeUnreachable(f"the node's answer cannot be read: {error.detail}") from error

    def _get(self, path: str) -> Answer:
        return _good(self._transport.get(path))


def _good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise NodeUnreachable(f"the node answers {answer.status}")
    return answer


def _items(value: object, where: str, read: Callable[[object], T]) -> Sequence[T]:
    try:
        return items(value, where, low=0, high=MAX_ENTRIES, read=read)
    except Malformed as error:
        raise NodeUnreachable(f"the node's answer cannot be read: {error.detail}") from error


def _note(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a head is no string")
    return value


def _text(answer: Answer) -> str:
    if len(answer.body) > MAX_NOTE_BYTES:
        raise NodeUnreachable("the node's head is too long")
    return answer.body.decode("utf-8", errors="replace")  # a wrong byte fails as a signature does

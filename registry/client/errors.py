"""What a client makes of an answer that it cannot believe, and of a refusal by the node."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from registry.client.transport import Answer, NodeUnreachable
from registry.core.encoding import parse_json_object
from registry.core.proofs import NotProven
from registry.core.refusals import (
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refusal,
    Unavailable,
)

MAX_DETAIL_CHARS = 300

# The client's half of the table in `registry.problems`.
_KINDS: dict[int, type[Refusal]] = {
    400: Malformed,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    413: Malformed,
    415: Malformed,
    422: Malformed,
}


class NodeNotTrusted(Unavailable):
    """The node's answer proves nothing, or contradicts what was proven before.

    Nothing is known then, so this is no answer about the record. It may be an old node, a restored
    backup, or a fork; the cause stands in `__cause__`.
    """


@contextmanager
def checked(what: str) -> Iterator[None]:
    """Turn whatever fails while an answer is checked into `NodeNotTrusted`."""
    try:
        yield
    except (NotProven, Malformed, Conflict, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, Refusal) else "not UTF-8"
        raise NodeNotTrusted(f"{what} is not proven: {detail}") from error


def refusal_of(answer: Answer) -> Refusal:
    """The refusal that a problem answer stands for: its kind by the status, in the node's words."""
    kind = _KINDS.get(answer.status)
    if kind is None:
        return NodeUnreachable(f"the node answers {answer.status}")
    try:
        detail = parse_json_object(answer.body).get("detail")
    except Malformed:
        detail = None
    if not isinstance(detail, str) or not re.fullmatch(r"[^\x00-\x1f]+", detail):
        detail = f"the node refuses with {answer.status}"
    return kind(detail[:MAX_DETAIL_CHARS])

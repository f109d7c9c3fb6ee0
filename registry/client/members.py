"""One transport over several members: whoever answers will do, since none of them is believed.

What the client reads proves itself, and a submission is safe to repeat; so a member that dies, or
that says it cannot, is passed over, also in the middle of a submission. The one that answered last
is asked first the next time: members are a moment apart, and one reader should see one of them.
"""

import threading
from collections.abc import Callable, Sequence

from registry.client.transport import Answer, NodeUnreachable, Transport

_PASSED_OVER = frozenset({502, 503, 504})  # this member cannot; another one may


class NoMemberAnswers(NodeUnreachable):
    """Not one of the members answers."""


class MembersTransport:
    """As `Transport`, over the members of a consortium; any number of threads."""

    def __init__(self, members: Sequence[Transport]) -> None:
        """
        Args:
            members: at least one.
        """
        if not members:
            raise ValueError("there are no members to ask")
        self._members = tuple(members)
        self._first = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> Answer:
        """As `Transport.get`, from the first member that answers."""
        return self._ask(lambda member: member.get(path))

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """As `Transport.post`. What is posted must be safe to repeat, as a transaction is."""
        return self._ask(lambda member: member.post(path, body, content_type))

    @property
    def count(self) -> int:
        """How many members there are."""
        return len(self._members)

    @property
    def members(self) -> tuple[Transport, ...]:
        """Each of them, for whoever compares what they show."""
        return self._members

    def pass_over(self) -> None:
        """Ask another member first from now on: what this one answered could not be proven."""
        with self._lock:
            self._first = (self._first + 1) % len(self._members)

    def _ask(self, call: Callable[[Transport], Answer]) -> Answer:
        first = self._first
        refused: Answer | None = None
        for step in range(len(self._members)):
            at = (first + step) % len(self._members)
            try:
                answer = call(self._members[at])
            except NodeUnreachable:
                continue
            if answer.status in _PASSED_OVER:
                refused = refused or answer
                continue
            if at != first:
                with self._lock:
                    self._first = at
            return answer
        if refused is not None:
            return refused
        raise NoMemberAnswers("no member of the consortium answers")

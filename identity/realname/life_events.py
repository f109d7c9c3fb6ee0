"""What happens to people after their enrolment, and who is told."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class LifeEventKind(StrEnum):
    """Events that change what may be issued, or what was issued."""

    DECEASED = "deceased"
    NAME_CHANGED = "name-changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEvent:
    """Something happened to the person behind `subject`; says what, never to whom."""

    kind: LifeEventKind
    subject: str
    agency: str
    time: int  # unix seconds


class LifeEventHook(Protocol):
    """Is told of life events, one subject at a time; an issuer revokes or issues anew.

    An event is told after it is recorded, and again when it is reported again, so that a hook
    which failed gets another chance: hooks must not mind repetitions.
    """

    def on_event(self, event: LifeEvent) -> None:
        """Act on `event`; what it raises reaches whoever reported the event."""
        ...

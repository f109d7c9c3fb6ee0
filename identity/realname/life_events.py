"""Who is told of what happens to people after their enrolment."""

from typing import Protocol

from identity.core.life_event import LifeEvent, LifeEventKind

__all__ = ["LifeEvent", "LifeEventHook", "LifeEventKind"]


class LifeEventHook(Protocol):
    """Is told of life events, one subject at a time; an issuer revokes or suspends.

    An event is told after it is recorded, and again when it is reported again, so that a hook
    which failed gets another chance: hooks must not mind repetitions.
    """

    def on_event(self, event: LifeEvent) -> None:
        """Act on `event`; what it raises reaches whoever reported the event."""
        ...

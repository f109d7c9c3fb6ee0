"""What can happen to an accreditation after it was granted: suspensions, and one ending."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject
from registry.core.fields import integer, integer_or_null, members, token
from registry.core.identifiers import CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Heights at which an accreditation does not count: from `start` to before `stop`."""

    start: int
    stop: int | None  # None: it lasts
    reason: str

    def to_object(self) -> JsonObject:
        """The suspension as it stands in the record."""
        return {"from": self.start, "to": self.stop, "reason": self.reason}

    @classmethod
    def parse(cls, value: object) -> "Suspension":
        """Read a suspension.

        Raises:
            Malformed: another shape, or heights out of order.
        """
        found = members(value, "suspension", required=("from", "to", "reason"))
        start = integer(found["from"], "from")
        return cls(
            start=start,
            stop=integer_or_null(found["to"], "to", low=start),
            reason=token(found["reason"], "reason", CODE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """From this height on the accreditation does not count, for ever."""

    height: int
    reason: str

    def to_object(self) -> JsonObject:
        """The ending as it stands in the record."""
        return {"height": self.height, "reason": self.reason}

    @classmethod
    def parse(cls, value: object) -> "Ending":
        """Read an ending.

        Raises:
            Malformed: another shape.
        """
        found = members(value, "ended", required=("height", "reason"))
        return cls(
            height=integer(found["height"], "height"),
            reason=token(found["reason"], "reason", CODE),
        )

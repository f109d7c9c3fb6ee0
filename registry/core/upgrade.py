"""The upgrade that the members scheduled last."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import integer, token
from registry.core.governance_changes import SOFTWARE_VERSION
from registry.core.identifiers import TRANSACTION
from registry.core.records import record_members, record_object


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRecord:
    """From `at_height` on, nodes run `version`, as the members decided in `proposal`."""

    at_height: int
    version: str
    proposal: str
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "upgrade",
            at_height=self.at_height,
            version=self.version,
            proposal=self.proposal,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "UpgradeRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "upgrade", value, names=("at_height", "version", "proposal", "height", "time")
        )
        return cls(
            at_height=integer(found["at_height"], "at_height", low=1),
            version=token(found["version"], "version", SOFTWARE_VERSION),
            proposal=token(found["proposal"], "proposal", TRANSACTION),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )

"""The upgrade that the members scheduled last."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import integer, token
from registry.core.governance_changes import SOFTWARE_VERSION
from registry.core.identifiers import TRANSACTION
from registry.core.records import (
    UPGRADE_KEY,
    StateReader,
    read_record,
    record_members,
    record_object,
)
from registry.core.refusals import Unavailable


class UpgradeNeeded(Unavailable):
    """The members decided that from this height on nodes run a later version than this one."""


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


def verify_version(state: StateReader, *, height: int, version: str) -> None:
    """Check that this version of the software may make the block of this height.

    A release keeps the rules of all earlier heights, so a later version than the scheduled one may
    run, before the height and after it: its own changes begin where the members schedule them.

    Args:
        state: the state before the block.
        height: of the block that is to be made.
        version: of this software, as three numbers with dots.

    Raises:
        UpgradeNeeded: it is older than what was scheduled for this height.
    """
    scheduled = read_record(state, UPGRADE_KEY, UpgradeRecord.parse)
    if scheduled is None or height < scheduled.at_height:
        return
    if version_numbers(version) < version_numbers(scheduled.version):
        raise UpgradeNeeded(
            f"the members scheduled version {scheduled.version} from height "
            f"{scheduled.at_height} on; this is {version}: install that version and start again"
        )


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison.

    Raises:
        Malformed: not three numbers with dots.
    """
    return tuple(int(part) for part in token(version, "version", SOFTWARE_VERSION).split("."))

"""A key that fell into wrong hands: from which height on nothing that it signed counts.

Rotating a key ends it from now on. A theft is noticed later than it happens, so this record reaches
back: credentials anchored at `from_height` or later that the key signed are refused, those anchored
before stay good, because the ledger dates them. The height can be moved down when more is known,
never up: nothing that was refused comes back.
"""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.accreditation_rules import stands_above_subject
from registry.core.context import Context
from registry.core.encoding import JsonObject, canonical_json
from registry.core.fields import integer, items, members, token
from registry.core.identifiers import CODE, FRAGMENT, read_did
from registry.core.records import (
    compromise_key,
    did_fragment_key,
    read_record,
    record_members,
    record_object,
)
from registry.core.refusals import Conflict, NotFound, NotPermitted

MAX_KEYS = 64  # of one DID, ever


class MayNotDeclareCompromise(NotPermitted):
    """The author is neither the holder of the key nor above it, and nobody voted for it."""


class KeyNeverHeld(NotFound):
    """The DID never had a key of that name."""


class CompromiseKnown(Conflict):
    """The key counts as compromised from that height on, or from an earlier one, already."""


class CompromiseInFuture(Conflict):
    """The height lies beyond this block: a key that will be stolen is to be rotated."""


class TooManyCompromises(Conflict):
    """As many keys of this DID were declared as one may ever hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareCompromise:
    """From `from_height` on, nothing signed with key `fragment` of `subject` counts."""

    NAME: ClassVar[str] = "declare-compromise"

    subject: str
    fragment: str
    from_height: int
    reason: str

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "subject": self.subject,
            "fragment": self.fragment,
            "from_height": self.from_height,
            "reason": self.reason,
        }

    @classmethod
    def parse(cls, body: object) -> "DeclareCompromise":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body,
            "body of declare-compromise",
            required=("subject", "fragment", "from_height", "reason"),
        )
        return cls(
            subject=read_did(found["subject"], "subject"),
            fragment=token(found["fragment"], "fragment", FRAGMENT),
            from_height=integer(found["from_height"], "from_height"),
            reason=token(found["reason"], "reason", CODE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromisedKey:
    """One key in the record of its DID."""

    fragment: str
    from_height: int
    reason: str
    height: int  # of the declaration

    def to_object(self) -> JsonObject:
        """The entry as it stands in the record."""
        return {
            "fragment": self.fragment,
            "from_height": self.from_height,
            "reason": self.reason,
            "height": self.height,
        }

    @classmethod
    def parse(cls, value: object) -> "CompromisedKey":
        """Read an entry.

        Raises:
            Malformed: another shape.
        """
        found = members(
            value, "compromised key", required=("fragment", "from_height", "reason", "height")
        )
        return cls(
            fragment=token(found["fragment"], "fragment", FRAGMENT),
            from_height=integer(found["from_height"], "from_height"),
            reason=token(found["reason"], "reason", CODE),
            height=integer(found["height"], "height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromisedKeys:
    """The record of one DID: its keys that fell into wrong hands, by name."""

    subject: str
    keys: tuple[CompromisedKey, ...]
    height: int
    time: int

    def from_height(self, fragment: str) -> int | None:
        """From which height on the key counts for nothing; None when nobody declared it."""
        return next((key.from_height for key in self.keys if key.fragment == fragment), None)

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "compromise",
            subject=self.subject,
            keys=[key.to_object() for key in self.keys],
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "CompromisedKeys":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members("compromise", value, names=("subject", "keys", "height", "time"))
        return cls(
            subject=read_did(found["subject"], "subject"),
            keys=items(
                found["keys"],
                "keys",
                low=1,
                high=MAX_KEYS,
                read=CompromisedKey.parse,
                unique=lambda item: item.fragment,
            ),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def declare_compromise(action: DeclareCompromise, context: Context) -> dict[str, bytes]:
    """Declare, by the DID itself, by someone above one of its accreditations, or by vote.

    Raises:
        MayNotDeclareCompromise, KeyNeverHeld, CompromiseKnown, CompromiseInFuture,
        TooManyCompromises: as they say.
    """
    own = context.author == action.subject
    if not own and not context.is_decided and not stands_above_subject(action.subject, context):
        raise MayNotDeclareCompromise("the author neither holds the key nor stands above it")
    if context.state.get(did_fragment_key(action.subject, action.fragment)) is None:
        raise KeyNeverHeld("the DID never had a key of that name")
    block = context.block
    if action.from_height > block.height:
        raise CompromiseInFuture("from_height lies in the future")
    key = compromise_key(action.subject)
    known = read_record(context.state, key, CompromisedKeys.parse)
    others = known.keys if known else ()
    before = known.from_height(action.fragment) if known else None
    if before is not None and before <= action.from_height:
        raise CompromiseKnown("the key counts for nothing from that height on already")
    others = tuple(item for item in others if item.fragment != action.fragment)
    if len(others) >= MAX_KEYS:
        raise TooManyCompromises(f"{MAX_KEYS} keys of this DID were declared")
    declared = CompromisedKey(
        fragment=action.fragment,
        from_height=action.from_height,
        reason=action.reason,
        height=block.height,
    )
    keys = sorted((*others, declared), key=lambda item: item.fragment)
    record = CompromisedKeys(
        subject=action.subject, keys=tuple(keys), height=block.height, time=block.time
    )
    return {key: record.encode()}

"""A version of a DID in the state, and how to find the version that held at a height."""

from collections.abc import Callable
from dataclasses import dataclass

from registry.core.did import (
    DETAIL_MEMBERS,
    OPTIONAL_DETAIL_MEMBERS,
    PURPOSES,
    RECOVERY,
    DidDetails,
    read_key,
)
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import boolean, choice, integer
from registry.core.identifiers import read_did
from registry.core.keys import PublicKey
from registry.core.records import MAX_RECORD_BYTES, record_members, record_object
from registry.core.refusals import Malformed, Unavailable

_NUMBERS = ("version", "created_height", "created_time", "height", "time")


class VersionMissing(Unavailable):
    """A version of a DID that must exist was not to be had; nothing is decided without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DidRecord:
    """One version of a DID. The same bytes stand under its own key and, while newest, the DID's.

    `height` and `time` say when this version began; it lasts until the next one begins. A
    deactivated DID has no keys, and no version after it.
    """

    did: str
    version: int
    created_height: int
    created_time: int
    height: int
    time: int
    deactivated: bool
    details: DidDetails

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "did",
            did=self.did,
            deactivated=self.deactivated,
            **{name: getattr(self, name) for name in _NUMBERS},
            **self.details.to_members(),
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "DidRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members` and `DidDetails.parse`, numbers out of order, keys after
                deactivation or none before.
        """
        if isinstance(value, bytes):
            data, value = value, parse_json_object(value, max_bytes=MAX_RECORD_BYTES)
            if canonical_json(value) != data:
                raise Malformed("record is not canonical JSON")
        optional = (
            [name for name in OPTIONAL_DETAIL_MEMBERS if name in value]
            if isinstance(value, dict)
            else []
        )
        found = record_members(
            "did", value, names=("did", "deactivated", *_NUMBERS, *DETAIL_MEMBERS, *optional)
        )
        numbers = {name: integer(found[name], name) for name in _NUMBERS}
        deactivated = boolean(found["deactivated"], "deactivated")
        details = DidDetails.parse(found, may_be_empty=deactivated)
        if deactivated and details != DidDetails(verification_methods=()):
            raise Malformed("a deactivated DID says something")
        if numbers["version"] < 1 or numbers["created_height"] > numbers["height"]:
            raise Malformed("version or heights of a DID are out of order")
        return cls(
            did=read_did(found["did"], "did"), deactivated=deactivated, details=details, **numbers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentRecord:
    """That a fragment of a DID names this key, for this purpose, and never another.

    The purpose of a recovery key is `recovery`.
    """

    key: PublicKey
    purpose: str
    height: int

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(
            record_object(
                "did-fragment",
                publicKeyMultibase=self.key.multikey,
                purpose=self.purpose,
                height=self.height,
            )
        )

    @classmethod
    def parse(cls, value: object) -> "FragmentRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, a key that is not admitted, or an unknown purpose.
        """
        found = record_members(
            "did-fragment", value, names=("publicKeyMultibase", "purpose", "height")
        )
        return cls(
            key=read_key(found["publicKeyMultibase"]),
            purpose=choice(found["purpose"], "purpose", (*PURPOSES, RECOVERY)),
            height=integer(found["height"], "height"),
        )


def version_at(
    height: int, *, newest: DidRecord, read_version: Callable[[int], DidRecord | None]
) -> DidRecord | None:
    """The version of a DID that held at the end of block `height`; None before its creation.

    Reads about log2(versions) records. Of several versions in one block, the last one held.

    Args:
        newest: the newest version.
        read_version: reads an earlier version by its number.

    Raises:
        VersionMissing: an earlier version is missing or is of another DID or number.
    """
    if newest.height <= height:
        return newest
    if newest.created_height > height:
        return None
    low, high = 1, newest.version  # version `low` began by `height`, version `high` after it
    best: DidRecord | None = None
    while high - low > 1 or best is None:
        middle = (low + high) // 2
        found = read_version(middle)
        if found is None or found.did != newest.did or found.version != middle:
            raise VersionMissing("an earlier version of the DID is missing")
        if found.height <= height:
            low, best = middle, found
        elif middle == 1:
            raise VersionMissing("the versions of the DID are out of order")
        else:
            high = middle
    return best

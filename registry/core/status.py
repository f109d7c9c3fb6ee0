"""Published status lists: a digest and a version for each URI, so that an old list is known as old.

A suspended issuer's lists stand still. The lists of an issuer whose accreditation ended may still
be brought up to date, or what it issued could never be revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from registry.core.context import Context
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, members, octets, token, url
from registry.core.identifiers import GROUP, read_did
from registry.core.records import (
    read_record,
    record_members,
    record_object,
    status_key,
    status_list_key,
)
from registry.core.refusals import Conflict, Malformed, NotPermitted

MAX_LISTS = 8  # in one group; the three forms of one list, and room


class MayNotPublishStatus(NotPermitted):
    """The author is no issuer, or is suspended, or would open a group after its accreditation."""


class StatusVersionConflict(Conflict):
    """The version is not the one after the version that is published."""


class StatusListTaken(Conflict):
    """The URI belongs to another issuer or to another group."""


class StatusListDropped(Conflict):
    """A list of the version before is missing; a list once published is never given up."""


def _read_lists(value: object) -> dict[str, bytes]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_LISTS:
        raise Malformed(f"lists is not an object of 1 to {MAX_LISTS} members")
    return {
        url(uri, "URI of a status list"): octets(digest, "digest of a status list", size=32)
        for uri, digest in value.items()
    }


def _lists_object(lists: Mapping[str, bytes]) -> JsonObject:
    return {uri: base64url_encode(digest) for uri, digest in lists.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishStatus:
    """Publish the next version of all lists of a group: URI -> SHA-256 of the unpacked list."""

    NAME: ClassVar[str] = "publish-status"

    group: str
    version: int
    lists: Mapping[str, bytes]

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "group": self.group,
            "version": self.version,
            "lists": _lists_object(self.lists),
        }

    @classmethod
    def parse(cls, body: object) -> "PublishStatus":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(body, "body of publish-status", required=("group", "version", "lists"))
        return cls(
            group=token(found["group"], "group", GROUP),
            version=integer(found["version"], "version", low=1),
            lists=_read_lists(found["lists"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusGroupRecord:
    """The newest version of an issuer's group of lists."""

    issuer: str
    group: str
    version: int
    lists: Mapping[str, bytes]
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "status",
            issuer=self.issuer,
            group=self.group,
            version=self.version,
            lists=_lists_object(self.lists),
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "StatusGroupRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "status", value, names=("issuer", "group", "version", "lists", "height", "time")
        )
        return cls(
            issuer=read_did(found["issuer"], "issuer"),
            group=token(found["group"], "group", GROUP),
            version=integer(found["version"], "version", low=1),
            lists=_read_lists(found["lists"]),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRecord:
    """The newest version of the list at one URI."""

    issuer: str
    group: str
    uri: str
    digest: bytes
    version: int
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "status-list",
            issuer=self.issuer,
            group=self.group,
            uri=self.uri,
            digest=base64url_encode(self.digest),
            version=self.version,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "StatusRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "status-list",
            value,
            names=("issuer", "group", "uri", "digest", "version", "height", "time"),
        )
        return cls(
            issuer=read_did(found["issuer"], "issuer"),
            group=token(found["group"], "group", GROUP),
            uri=url(found["uri"], "uri"),
            digest=octets(found["digest"], "digest", size=32),
            version=integer(found["version"], "version", low=1),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def publish_status(action: PublishStatus, context: Context) -> dict[str, bytes]:
    """Publish, by the issuer of the group.

    Raises:
        MayNotPublishStatus, StatusVersionConflict, StatusListTaken, StatusListDropped: as they
            say.
    """
    author, block = context.author, context.block
    key = status_key(author, action.group)
    before = read_record(context.state, key, StatusGroupRecord.parse)
    _check_may_publish(context, opens_group=before is None)
    if action.version != (before.version + 1 if before else 1):
        raise StatusVersionConflict("the version is not the next one")
    if before and not before.lists.keys() <= action.lists.keys():
        raise StatusListDropped("a list of the version before is missing")
    group = StatusGroupRecord(
        issuer=author,
        group=action.group,
        version=action.version,
        lists=action.lists,
        height=block.height,
        time=block.time,
    )
    changes = {key: group.encode()}
    for uri, digest in action.lists.items():
        list_key = status_list_key(uri)
        holder = read_record(context.state, list_key, StatusRecord.parse)
        if holder and (holder.issuer, holder.group) != (author, action.group):
            raise StatusListTaken("the URI belongs to another issuer or group")
        changes[list_key] = StatusRecord(
            issuer=author,
            group=action.group,
            uri=uri,
            digest=digest,
            version=action.version,
            height=block.height,
            time=block.time,
        ).encode()
    return changes


def _check_may_publish(context: Context, *, opens_group: bool) -> None:
    height = context.block.height
    grants = [g for g in context.accreditations_of(context.author) if g.role == "issuer"]
    if opens_group:
        able = any(grant.is_active(height) for grant in grants)
    else:
        able = any(not grant.is_suspended(height) for grant in grants)
    if not able:
        raise MayNotPublishStatus("the author is not accredited to publish status lists")

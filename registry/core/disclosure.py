"""Disclosure orders: that institutions opened an identity together, on a public count.

The record says which institutions, on which legal basis, and the how-manieth it was. It does not
say whose: nothing of the person, of a credential or of a case is in it. `reference` is 16 random
bytes by which the institutions find the order in their own files. `commitment` is a salted hash of
the one sealed identity that the order opens: who holds the salt can check that, nobody else learns
anything, not even whether two orders concern one person.
"""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.accreditation import OPENER
from registry.core.context import Context
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, items, members, octets, token
from registry.core.identifiers import CODE, read_did, read_id
from registry.core.records import (
    DISCLOSURES_KEY,
    disclosure_order_key,
    read_record,
    record_members,
    record_object,
)
from registry.core.refusals import Conflict, NotPermitted

MAX_INSTITUTIONS = 15  # a transaction has 16 signatures; one spare for a second key of the author
COMMITMENT_BYTES = 32
MAX_NOTICE_DAYS = 180  # how long an order may keep the person from hearing of it


_BODY = ("number", "reference", "legal_basis", "institutions", "commitment", "notice_days")


class MayNotDisclose(NotPermitted):
    """An institution behind the order is neither a member nor accredited to open, or not named."""


class TooFewInstitutions(NotPermitted):
    """Fewer distinct institutions stand behind the order than the rules demand."""


class DisclosureCountConflict(Conflict):
    """The number is not the one after the orders that are recorded."""


def _read_institutions(value: object, *, low: int) -> tuple[str, ...]:
    return items(
        value,
        "institutions",
        low=low,
        high=MAX_INSTITUTIONS,
        read=lambda item: read_did(item, "institution"),
        unique=lambda item: item,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDisclosure:
    """Record order number `number`. Every institution named signs, the author among them.

    `commitment` is 32 bytes (module docstring); the person is told after `notice_days`.
    """

    NAME: ClassVar[str] = "record-disclosure"

    number: int
    reference: str
    legal_basis: str
    institutions: tuple[str, ...]
    commitment: bytes
    notice_days: int

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {
            "number": self.number,
            "reference": self.reference,
            "legal_basis": self.legal_basis,
            "institutions": list(self.institutions),
            "commitment": base64url_encode(self.commitment),
            "notice_days": self.notice_days,
        }

    @classmethod
    def parse(cls, body: object) -> "RecordDisclosure":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
        """
        found = members(
            body,
            "body of record-disclosure",
            required=_BODY,
        )
        return cls(
            number=integer(found["number"], "number", low=1),
            reference=read_id(found["reference"], "reference"),
            legal_basis=token(found["legal_basis"], "legal_basis", CODE),
            institutions=_read_institutions(found["institutions"], low=1),
            commitment=octets(found["commitment"], "commitment", size=COMMITMENT_BYTES),
            notice_days=integer(found["notice_days"], "notice_days", high=MAX_NOTICE_DAYS),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureOrder:
    """The record of one order."""

    number: int
    reference: str
    legal_basis: str
    institutions: tuple[str, ...]
    commitment: bytes
    notice_days: int
    height: int
    time: int

    @property
    def notice_time(self) -> int:
        """When the person is told, in Unix seconds."""
        return self.time + self.notice_days * 86_400

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "disclosure-order",
            number=self.number,
            reference=self.reference,
            legal_basis=self.legal_basis,
            institutions=list(self.institutions),
            commitment=base64url_encode(self.commitment),
            notice_days=self.notice_days,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "DisclosureOrder":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members(
            "disclosure-order",
            value,
            names=(*_BODY, "height", "time"),
        )
        return cls(
            number=integer(found["number"], "number", low=1),
            reference=read_id(found["reference"], "reference"),
            legal_basis=token(found["legal_basis"], "legal_basis", CODE),
            institutions=_read_institutions(found["institutions"], low=2),
            commitment=octets(found["commitment"], "commitment", size=COMMITMENT_BYTES),
            notice_days=integer(found["notice_days"], "notice_days", high=MAX_NOTICE_DAYS),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureCount:
    """How many orders there ever were. Orders 1 to `count` are all in the state."""

    count: int
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object("disclosures", count=self.count, height=self.height, time=self.time)

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "DisclosureCount":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members("disclosures", value, names=("count", "height", "time"))
        return cls(
            count=integer(found["count"], "count", low=1),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def record_disclosure(action: RecordDisclosure, context: Context) -> dict[str, bytes]:
    """Record, by enough distinct institutions, each a member or accredited to open.

    That each of them signed, `verify_authorship` has checked.

    Raises:
        MayNotDisclose, TooFewInstitutions, DisclosureCountConflict: as they say.
    """
    named, block = set(action.institutions), context.block
    if context.author not in named:
        raise MayNotDisclose("the author is not among the institutions behind the order")
    if len(named) < context.rules.disclosure_signers:
        raise TooFewInstitutions(
            f"at least {context.rules.disclosure_signers} institutions must stand behind an order"
        )
    if not all(_may_open(institution, context) for institution in action.institutions):
        raise MayNotDisclose("an institution is neither a member nor accredited to open")
    before = read_record(context.state, DISCLOSURES_KEY, DisclosureCount.parse)
    if action.number != (before.count + 1 if before else 1):
        raise DisclosureCountConflict("the number is not the next one of the public count")
    order = DisclosureOrder(
        number=action.number,
        reference=action.reference,
        legal_basis=action.legal_basis,
        institutions=tuple(sorted(named)),
        commitment=action.commitment,
        notice_days=action.notice_days,
        height=block.height,
        time=block.time,
    )
    count = DisclosureCount(count=action.number, height=block.height, time=block.time)
    return {disclosure_order_key(order.number): order.encode(), DISCLOSURES_KEY: count.encode()}


def _may_open(institution: str, context: Context) -> bool:
    return institution in context.members.active or any(
        grant.role == OPENER and grant.is_active(context.block.height)
        for grant in context.accreditations_of(institution)
    )

"""Who may issue what, from height to height, and by whose word: a chain that ends at a root.

A grant is judged at the height at which it was made. When an authority is suspended or ends, it can
grant no more; what it granted before stays until it is ended itself (docs/transactions.md).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise

from registry.core.accreditation_history import Ending, Suspension
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import choice, integer, integer_or_null, items, token
from registry.core.identifiers import TRANSACTION, read_did, read_id, read_type
from registry.core.records import record_members, record_object
from registry.core.refusals import Malformed

OPENER = "opener"  # may stand behind disclosure orders; granted by the members alone
ROLES = ("authority", "issuer", "registrar", OPENER)
MAX_TYPES = 64
MAX_DEPTH = 4  # root -> ministry -> province -> agency; a verifier walks the whole chain
MAX_SUSPENSIONS = 64
MAX_PER_SUBJECT = 256

_NAMES = (
    "accreditation",
    "subject",
    "role",
    "types",
    "granted_by",
    "under",
    "depth",
    "from_height",
    "until_height",
    "suspensions",
    "ended",
    "height",
    "time",
)


def read_types(value: object, where: str) -> tuple[str, ...]:
    """1 to 64 different names of credential types.

    Raises:
        Malformed: it is not.
    """
    return items(
        value,
        where,
        low=1,
        high=MAX_TYPES,
        read=lambda item: read_type(item, where),
        unique=lambda item: item,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accreditation:
    """The record of one grant and of all that happened to it.

    `under` is the accreditation by which an authority granted it, None for a grant by a root or
    by a vote of the members; `depth` is 1 for such a grant and one more for each authority
    between. `until_height` is the last height at which it counts.
    """

    id: str
    subject: str
    role: str
    types: tuple[str, ...]
    granted_by: str
    under: str | None
    depth: int
    from_height: int
    until_height: int | None
    suspensions: tuple[Suspension, ...]
    ended: Ending | None
    height: int  # of the last change
    time: int
    proposal: str | None = None  # by which the members granted it; `granted_by` proposed it

    def covers(self, type: str, height: int) -> bool:
        """Whether the subject may issue credentials of `type` at `height`, by this grant alone."""
        return self.holds("issuer", type, height)

    def holds(self, role: str, type: str, height: int) -> bool:
        """Whether the grant gives this role for this type at `height`.

        A change counts for its whole block: what is suspended or ended in block 7 does not hold at
        height 7, whatever stood before it in the block.
        """
        return self.role == role and type in self.types and self.is_active(height)

    def is_active(self, height: int) -> bool:
        """Whether the grant counts at `height`."""
        if height < self.from_height or self.is_over(height):
            return False
        return not self.is_suspended(height)

    def is_suspended(self, height: int) -> bool:
        """Whether a suspension lies over `height`."""
        return any(
            item.start <= height and (item.stop is None or height < item.stop)
            for item in self.suspensions
        )

    def is_over(self, height: int) -> bool:
        """Whether the grant has ended, or run out, by `height`."""
        if self.ended is not None and height >= self.ended.height:
            return True
        return self.until_height is not None and height > self.until_height

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        by_vote = {} if self.proposal is None else {"proposal": self.proposal}
        return record_object(
            "accreditation",
            **by_vote,
            accreditation=self.id,
            subject=self.subject,
            role=self.role,
            types=list(self.types),
            granted_by=self.granted_by,
            under=self.under,
            depth=self.depth,
            from_height=self.from_height,
            until_height=self.until_height,
            suspensions=[item.to_object() for item in self.suspensions],
            ended=None if self.ended is None else self.ended.to_object(),
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "Accreditation":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, a member out of its bounds, suspensions out of order, or
                a depth that does not fit `under`.
        """
        found = record_members("accreditation", value, names=_NAMES, optional=("proposal",))
        suspensions = items(
            found["suspensions"],
            "suspensions",
            low=0,
            high=MAX_SUSPENSIONS,
            read=Suspension.parse,
        )
        for earlier, later in pairwise(suspensions):
            if earlier.stop is None or later.start < earlier.stop:
                raise Malformed("suspensions are out of order")
        depth = integer(found["depth"], "depth", low=1, high=MAX_DEPTH)
        under = None if found["under"] is None else read_id(found["under"], "under")
        if (under is None) != (depth == 1):
            raise Malformed("depth of an accreditation does not fit who granted it")
        proposal = None
        if "proposal" in found:
            proposal = token(found["proposal"], "proposal", TRANSACTION)
            if under is not None:
                raise Malformed("an accreditation was granted by the members or by an authority")
        return cls(
            id=read_id(found["accreditation"], "accreditation"),
            subject=read_did(found["subject"], "subject"),
            role=choice(found["role"], "role", ROLES),
            types=read_types(found["types"], "types"),
            granted_by=read_did(found["granted_by"], "granted_by"),
            under=under,
            depth=depth,
            from_height=integer(found["from_height"], "from_height"),
            until_height=integer_or_null(found["until_height"], "until_height"),
            suspensions=suspensions,
            ended=None if found["ended"] is None else Ending.parse(found["ended"]),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
            proposal=proposal,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccreditationList:
    """All accreditations of a subject, by id, in the order in which they were granted."""

    subject: str
    accreditations: tuple[str, ...]

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(
            record_object(
                "accreditations", subject=self.subject, accreditations=list(self.accreditations)
            )
        )

    @classmethod
    def parse(cls, value: object) -> "AccreditationList":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, or a member out of its bounds.
        """
        found = record_members("accreditations", value, names=("subject", "accreditations"))
        return cls(
            subject=read_did(found["subject"], "subject"),
            accreditations=items(
                found["accreditations"],
                "accreditations",
                low=1,
                high=MAX_PER_SUBJECT,
                read=lambda item: read_id(item, "accreditation"),
                unique=lambda item: item,
            ),
        )


def is_accredited(
    issuer: str,
    type: str,
    height: int,
    *,
    accreditations: Iterable[Accreditation],
    read: Callable[[str], Accreditation | None],
    roots: Collection[str],
) -> bool:
    """Whether `issuer` may issue `type` at `height`, by a chain of grants that ends at a root.

    Each grant above must have given its holder the authority over the type at the height at which
    the holder used it, and is not asked about later heights.

    Args:
        accreditations: the issuer's own; those of others count for nothing.
        read: reads an accreditation by its id.
        roots: DIDs that the caller trusts without further proof.
    """
    return any(
        item.subject == issuer and item.covers(type, height) and _reaches_root(item, read, roots)
        for item in accreditations
    )


def _reaches_root(
    grant: Accreditation, read: Callable[[str], Accreditation | None], roots: Collection[str]
) -> bool:
    for _ in range(MAX_DEPTH):
        if grant.under is None:
            # A vote is the root itself: no state that obeys the rules names one that was not held.
            return grant.proposal is not None or grant.granted_by in roots
        above = read(grant.under)
        if (
            above is None
            or above.id != grant.under
            or above.subject != grant.granted_by
            or above.depth != grant.depth - 1
            or not set(grant.types) <= set(above.types)
            or not above.is_active(grant.from_height)
            or above.role != "authority"
        ):
            return False
        grant = above
    return False


def accreditation_id(data: bytes) -> str:
    """The id made of 16 random bytes."""
    return base64url_encode(data)

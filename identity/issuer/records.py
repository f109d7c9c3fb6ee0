"""What the issuer keeps: no personal data, and no secret that works for whoever reads it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from identity.core.issuance import Format, StatusPlace, configuration_id
from identity.core.mandate import Mandate


class OfferState(StrEnum):
    """Life of an offer."""

    OFFERED = "offered"
    REDEEMED = "redeemed"
    DEAD = "dead"  # too many wrong transaction codes, or withdrawn by the agency


class Review(StrEnum):
    """Whether the agency has still to decide about a credential."""

    NONE = "none"
    WAITING = "waiting"
    READY = "ready"
    DENIED = "denied"


class Status(IntEnum):
    """Status of a copy, as the Token Status List writes it (§7.1)."""

    VALID = 0
    REVOKED = 1
    SUSPENDED = 2


class DeliveryState(StrEnum):
    """Life of one credential response."""

    PENDING = "pending"  # answered; the wallet has not said what became of it
    ACCEPTED = "accepted"
    FAILED = "failed"  # the wallet could not keep it; its copies are revoked
    SUPERSEDED = "superseded"  # the wallet asked again; its copies are revoked


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A credential offered to a person. `claims_ref` leads into the vault."""

    offer: str
    agency: str
    subject: str
    credential_type: str
    formats: tuple[Format, ...]
    reference_digest: bytes
    code_digest: bytes
    tx_digest: bytes | None
    claims_ref: str | None
    state: OfferState
    created_at: int
    expires_at: int
    issuer_state_digest: bytes | None = None  # None: no authorization code grant
    pre_authorized: bool = True
    review: Review = Review.NONE
    dpop_thumbprint: str | None = None  # the one key it is for; None: whoever has the code
    mandate: Mandate | None = None

    @property
    def configurations(self) -> tuple[str, ...]:
        """Identifiers of the credential configurations that are offered."""
        return tuple(configuration_id(self.credential_type, form) for form in self.formats)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token, by its digest, and the offer that it stands for."""

    digest: bytes
    offer: Offer
    configurations: tuple[str, ...]  # what it covers: of the offer, no more than was authorized
    with_identifiers: bool  # the token response named credential identifiers
    dpop_thumbprint: str | None  # the key it is bound to (RFC 9449 §6)
    expires_at: int
    client_id: str | None = None  # None: pre-authorized, anonymous


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where new copies go: a batch that is still open, and a status entry for each."""

    batch: str
    places: tuple[StatusPlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCopy:
    """A copy as it is recorded before it is signed."""

    digest: bytes
    format: Format
    credential_id: str | None
    place: StatusPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuance:
    """One logical credential: what was issued to whom, all its copies together.

    `subject` is opaque; it is None for credentials that outside systems had signed.
    """

    issuance: str
    agency: str
    subject: str | None
    credential_type: str
    status: Status
    issued_at: int
    changed_at: int
    reason: str | None
    mandate: Mandate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusGroup:
    """A group of status entries and the publication of its lists.

    `published` is what the ledger has; `pending` is a publication whose transaction is signed and
    stored, but not known to be final.
    """

    group: str
    agency: str
    key: str  # verification method of the key that signs its credentials
    version: int  # of the published lists; 0 = none yet
    changes: int  # counts changes of entries
    published_changes: int  # value of `changes` that the published lists include
    published: "StatusLists | None"
    pending: "PendingLists | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLists:
    """The uncompressed lists of one group."""

    token: bytes  # 2 bits an entry
    revocation: bytes  # 1 bit an entry
    suspension: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLists:
    """A publication on its way to the ledger."""

    version: int
    changes: int
    lists: StatusLists
    transaction: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDocuments:
    """The signed lists of one group, ready to be served."""

    group: str
    version: int
    token: str
    token_cwt: bytes  # the same list as COSE_Sign1; empty where an older release stored the others
    revocation: bytes  # JSON
    suspension: bytes
    expires_at: int
    signed_at: int


class BatchState(StrEnum):
    """Life of an anchor batch."""

    OPEN = "open"
    SEALING = "sealing"  # closed to newcomers; its transaction may be stored and even final
    ANCHORED = "anchored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An anchor batch. `proof_json` is set once it is anchored."""

    batch: str
    agency: str
    state: BatchState
    count: int
    opened_at: int
    transaction: bytes | None
    proof_json: bytes | None

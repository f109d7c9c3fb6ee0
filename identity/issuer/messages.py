"""What agencies and systems send to the issuer, and what they get. Wallets' messages are in routes:
their protocol wants unknown members ignored and errors in its own form."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from identity.core.issuance import Format
from identity.issuer.flow_records import Waiting
from identity.issuer.identification import DEFAULT_CODE_SECONDS, MAX_CODE_SECONDS
from identity.issuer.offers import DEFAULT_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS, MadeOffer
from identity.issuer.records import Issuance, Status
from identity.issuer.status import StatusChange

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9:._-]+$")]
Grant = Literal["pre-authorized_code", "authorization_code"]
StatusName = Literal["valid", "suspended", "revoked"]
STATUS_NAMES: dict[StatusName, Status] = {
    "valid": Status.VALID,
    "suspended": Status.SUSPENDED,
    "revoked": Status.REVOKED,
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Lenient(BaseModel):
    """VC API: clients add members of their own."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class OfferRequest(_Strict):
    """Offer a credential to a person that was enrolled before."""

    subject: Identifier
    credential_type: Code
    claims: Annotated[dict[str, Any], Field(max_length=64)] = {}
    tx_code: bool = True
    formats: Annotated[list[Format], Field(max_length=4)] = []
    grants: Annotated[list[Grant], Field(min_length=1, max_length=2)] = ["pre-authorized_code"]
    deferred: bool = False  # issue only after a decision of the agency
    principal: Identifier | None = None  # of a mandate: the subject for whom the holder acts
    durable: bool = False  # a power of attorney that outlives the principal's capacity
    expires_in: Annotated[int, Field(ge=60, le=MAX_LIFETIME_SECONDS)] = DEFAULT_LIFETIME_SECONDS


class OfferAnswer(BaseModel):
    """A new offer. `credential_id` names the credential in later status changes.

    Show `offer_uri` as QR code or link; give `tx_code` to the person by another way.
    """

    offer: str
    credential_id: str
    credential_offer: dict[str, Any]
    credential_offer_uri: str
    offer_uri: str
    offer_uri_by_value: str
    tx_code: str | None
    identification_code: str | None  # for the authorization page, where that grant is offered
    expires_in: int

    @classmethod
    def of(cls, made: MadeOffer) -> "OfferAnswer":
        """From a made offer."""
        return cls(
            offer=made.offer,
            credential_id=made.offer,
            credential_offer=made.document,
            credential_offer_uri=made.url,
            offer_uri=made.link,
            offer_uri_by_value=made.link_by_value,
            tx_code=made.tx_code,
            identification_code=made.identification_code,
            expires_in=made.expires_in,
        )


class IdentificationRequest(_Strict):
    """A code for a person that was enrolled before."""

    subject: Identifier
    expires_in: Annotated[int, Field(ge=60, le=MAX_CODE_SECONDS)] = DEFAULT_CODE_SECONDS


class IdentificationAnswer(BaseModel):
    """The code; give it to the person at the counter or by letter, never with the offer."""

    code: str
    expires_in: int


class WaitingCredential(BaseModel):
    """One credential that waits; `requested` says whether a wallet has asked for it."""

    offer: str
    subject: str
    credential_type: str
    created_at: int
    requested: bool


class WaitingAnswer(BaseModel):
    """What waits for the agency, oldest first."""

    waiting: list[WaitingCredential]

    @classmethod
    def of(cls, found: Sequence[Waiting]) -> "WaitingAnswer":
        """From the records."""
        return cls(
            waiting=[
                WaitingCredential(
                    offer=item.offer,
                    subject=item.subject,
                    credential_type=item.credential_type,
                    created_at=item.created_at,
                    requested=item.requested,
                )
                for item in found
            ]
        )


class DecisionRequest(_Strict):
    """What the agency decides about a waiting credential, and what it adds to it."""

    decision: Literal["issue", "deny"]
    claims: Annotated[dict[str, Any], Field(max_length=64)] = {}
    principal: Identifier | None = None  # as in an offer
    durable: bool = False


class OfferStateAnswer(BaseModel):
    """Where an offer stands, and the credential once it is issued."""

    offer: str
    state: Literal["offered", "redeemed", "dead", "expired"]
    expires_at: int


class IssuanceAnswer(BaseModel):
    """One line of the record of issuance."""

    credential_id: str
    credential_type: str
    status: StatusName
    issued_at: int
    changed_at: int
    reason: str | None

    @classmethod
    def of(cls, issuance: Issuance) -> "IssuanceAnswer":
        """From the record."""
        return cls(
            credential_id=issuance.issuance,
            credential_type=issuance.credential_type,
            status=status_name(issuance.status),
            issued_at=issuance.issued_at,
            changed_at=issuance.changed_at,
            reason=issuance.reason,
        )


class IssuancesAnswer(BaseModel):
    """Everything that was issued to one person by this agency."""

    credentials: list[IssuanceAnswer]


class SubjectRequest(_Strict):
    """Names a person; in the body, so that no URL tells."""

    subject: Identifier


class RevokeSubjectRequest(_Strict):
    """Revoke everything of a person, after a lost phone for example."""

    subject: Identifier
    reason: Code = "keys-lost"


class StatusRequest(_Strict):
    """Plain form of a status change."""

    status: StatusName
    reason: Code | None = None


class StatusEntryRequest(_Lenient):
    """One entry of a VC API status request."""

    type: Literal["BitstringStatusListEntry", "BitstringStatusList"] = "BitstringStatusListEntry"
    status_purpose: Annotated[Literal["revocation", "suspension"], Field(alias="statusPurpose")]
    status: Literal["0", "1"] | bool | None = None


class VcApiStatusRequest(_Lenient):
    """`POST credentials/status` of the VC API. All copies of the credential change together.

    VCALM has the new `status` beside `credentialStatus`, older drafts within each entry, and the
    clients of test suites nowhere: they mean to set it.
    """

    credential_id: Annotated[str, Field(alias="credentialId", min_length=1, max_length=1024)]
    credential_status: Annotated[
        list[StatusEntryRequest] | StatusEntryRequest, Field(alias="credentialStatus")
    ]
    status: Literal["0", "1"] | bool | None = None

    @property
    def entries(self) -> list[StatusEntryRequest]:
        """The entries; one may come without its array."""
        found = self.credential_status
        return found if isinstance(found, list) else [found]

    def is_set_by(self, entry: StatusEntryRequest) -> bool:
        """Whether the entry is to be set, or else cleared."""
        own = self.status if entry.status is None else entry.status
        return own in (None, "1", True)


class StatusAnswer(BaseModel):
    """The new status. `published` is False while the ledger does not answer; it will follow."""

    credential_id: Annotated[str, Field(serialization_alias="credentialId")]
    status: StatusName
    published: bool

    @classmethod
    def of(cls, change: StatusChange) -> "StatusAnswer":
        """From a change."""
        return cls(
            credential_id=change.issuance,
            status=status_name(change.status),
            published=change.published,
        )


def status_name(status: Status) -> StatusName:
    """The word for a status."""
    return next(name for name, value in STATUS_NAMES.items() if value is status)

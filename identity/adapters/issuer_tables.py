"""Tables of the issuer. Secrets are kept as digests, pending claims as a vault reference."""

from sqlalchemy import Index, LargeBinary, String, Text, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from identity.adapters.database import Base

_ID = String(64)


class OfferRow(Base):
    """An offer that was made and has not been cleared away."""

    __tablename__ = "issuer_offers"
    __table_args__ = (UniqueConstraint("issuer_state_digest", name="issuer_offers_issuer_state"),)

    offer: Mapped[str] = mapped_column(_ID, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    subject: Mapped[str] = mapped_column(String(128))
    credential_type: Mapped[str] = mapped_column(_ID)
    formats: Mapped[str] = mapped_column(String(64))  # separated by spaces
    reference_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    code_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    tx_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    tries: Mapped[int]
    claims_ref: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    issuer_state_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    pre_authorized: Mapped[bool] = mapped_column(server_default=true())
    review: Mapped[str] = mapped_column(String(16), server_default="none")
    dpop_thumbprint: Mapped[str | None] = mapped_column(_ID)
    # Of a mandate: the subject for whom the holder would act, at the same agency
    principal: Mapped[str | None] = mapped_column(String(128), index=True)
    durable: Mapped[bool] = mapped_column(server_default=false())


class TokenRow(Base):
    """An access token."""

    __tablename__ = "issuer_tokens"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    offer: Mapped[str] = mapped_column(_ID, index=True)
    # Separated by spaces. Empty in tokens of an older version, which covered the whole offer.
    configurations: Mapped[str] = mapped_column(Text, server_default="")
    with_identifiers: Mapped[bool]
    dpop_thumbprint: Mapped[str | None] = mapped_column(_ID)
    expires_at: Mapped[int] = mapped_column(index=True)
    client_id: Mapped[str | None] = mapped_column(String(512))


class NonceRow(Base):
    """A nonce that may be used once. `purpose` keeps key proofs and DPoP proofs apart."""

    __tablename__ = "issuer_nonces"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    agency: Mapped[str] = mapped_column(_ID)
    expires_at: Mapped[int] = mapped_column(index=True)


class AuthorizationRow(Base):
    """A pushed authorization request, the browser that shows its page, and its code."""

    __tablename__ = "issuer_authorizations"

    request_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    client_id: Mapped[str] = mapped_column(String(512))
    redirect_uri: Mapped[str] = mapped_column(Text)
    state: Mapped[str | None] = mapped_column(Text)
    code_challenge: Mapped[str] = mapped_column(_ID)
    credential_type: Mapped[str] = mapped_column(_ID)
    configurations: Mapped[str] = mapped_column(Text)  # separated by spaces
    with_identifiers: Mapped[bool]
    offer: Mapped[str | None] = mapped_column(_ID)
    dpop_thumbprint: Mapped[str | None] = mapped_column(_ID)
    attested: Mapped[bool] = mapped_column(server_default=false())
    browser_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    stage: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int]
    code_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    code_expires_at: Mapped[int | None]
    granted_offer: Mapped[str | None] = mapped_column(_ID)
    expires_at: Mapped[int] = mapped_column(index=True)


class IdentificationRow(Base):
    """A code that an agency handed to a person, so that she can identify herself on our page."""

    __tablename__ = "issuer_identification_codes"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    subject: Mapped[str] = mapped_column(String(128), index=True)
    tries: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)


class DeferredRow(Base):
    """A deferred transaction: which keys wait for which credential."""

    __tablename__ = "issuer_deferred"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    offer: Mapped[str] = mapped_column(_ID, index=True)
    configuration: Mapped[str] = mapped_column(String(128))
    keys: Mapped[str] = mapped_column(Text)
    fetched: Mapped[bool]
    expires_at: Mapped[int] = mapped_column(index=True)


class IssuanceRow(Base):
    """The record of issuance: one row for each logical credential; never deleted."""

    __tablename__ = "issuer_issuances"

    issuance: Mapped[str] = mapped_column(_ID, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    subject: Mapped[str | None] = mapped_column(String(128), index=True)
    credential_type: Mapped[str] = mapped_column(_ID)
    status: Mapped[int]
    issued_at: Mapped[int]
    changed_at: Mapped[int]
    reason: Mapped[str | None] = mapped_column(_ID)
    principal: Mapped[str | None] = mapped_column(String(128), index=True)  # as in the offer
    durable: Mapped[bool] = mapped_column(server_default=false())


class DeliveryRow(Base):
    """One credential response: a set of copies that the wallet got together."""

    __tablename__ = "issuer_deliveries"

    delivery: Mapped[str] = mapped_column(_ID, primary_key=True)  # the notification_id
    issuance: Mapped[str] = mapped_column(_ID, index=True)
    configuration: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int]


class CopyRow(Base):
    """One signed copy. Rows stay: a status index must never be used again."""

    __tablename__ = "issuer_copies"
    __table_args__ = (
        UniqueConstraint("group_id", "position"),
        Index("issuer_copies_changed", "group_id", "status"),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID)
    issuance: Mapped[str] = mapped_column(_ID, index=True)
    delivery: Mapped[str] = mapped_column(_ID, index=True)
    format: Mapped[str] = mapped_column(String(16))
    credential_type: Mapped[str] = mapped_column(_ID)
    credential_id: Mapped[str | None] = mapped_column(String(1024), index=True)
    batch: Mapped[str | None] = mapped_column(_ID, index=True)
    group_id: Mapped[str] = mapped_column(_ID)
    position: Mapped[int]
    status: Mapped[int]


class StatusGroupRow(Base):
    """A group of status entries, what the ledger has of it, and what is on its way there."""

    __tablename__ = "issuer_status_groups"

    group_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID, index=True)
    # Verification method of the key that signs its credentials; '' in rows that are older than this
    key_id: Mapped[str] = mapped_column(String(512), server_default="")
    closed: Mapped[bool]  # no new entries
    allocated: Mapped[int]
    changes: Mapped[int]
    published_changes: Mapped[int]
    version: Mapped[int]
    token_list: Mapped[bytes | None] = mapped_column(LargeBinary)
    revocation_list: Mapped[bytes | None] = mapped_column(LargeBinary)
    suspension_list: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_version: Mapped[int | None]
    pending_changes: Mapped[int | None]
    pending_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_revocation: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_suspension: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_transaction: Mapped[bytes | None] = mapped_column(LargeBinary)


class StatusDocumentRow(Base):
    """The signed lists of a group, as they are served."""

    __tablename__ = "issuer_status_documents"

    group_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    version: Mapped[int]
    token: Mapped[str]
    token_cwt: Mapped[bytes | None] = mapped_column(LargeBinary)  # null in older ones
    # Releases that know no CWT change the rest of the row and leave that one as it was.
    cwt_version: Mapped[int | None]
    cwt_signed_at: Mapped[int | None]
    revocation: Mapped[bytes] = mapped_column(LargeBinary)
    suspension: Mapped[bytes] = mapped_column(LargeBinary)
    signed_at: Mapped[int]
    expires_at: Mapped[int]


class BatchRow(Base):
    """An anchor batch; its digests are the copies that name it."""

    __tablename__ = "issuer_batches"

    batch: Mapped[str] = mapped_column(_ID, primary_key=True)
    agency: Mapped[str] = mapped_column(_ID, index=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    count: Mapped[int]
    opened_at: Mapped[int]
    transaction: Mapped[bytes | None] = mapped_column(LargeBinary)
    proof_json: Mapped[bytes | None] = mapped_column(LargeBinary)

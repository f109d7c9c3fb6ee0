"""Offers, access tokens and nonces in the database. Every single use is one conditional UPDATE."""

import hmac
from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, Executable, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import IssuanceRow, NonceRow, OfferRow, TokenRow
from identity.adapters.realname_store import states_of
from identity.core.issuance import Format
from identity.core.mandate import Mandate
from identity.core.offers import MAX_TX_CODE_TRIES
from identity.issuer.records import AccessToken, Offer, OfferState, Review
from identity.issuer.stores import Standing, StandingChanged


class SqlOfferStore:
    """Keeps the promises of `identity.issuer.stores.OfferStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def standing(self, subjects: Collection[str]) -> Standing:
        """As `OfferStore.standing`."""
        with transaction(self._engine) as db:
            return dict.fromkeys(subjects) | states_of(db, subjects)

    def add_offer(self, offer: Offer, *, standing: Standing) -> None:
        """As `OfferStore.add_offer`."""
        with transaction(self._engine) as db:
            check_standing(db, standing)
            db.add(offer_row(offer))

    def replace_offer(self, old: str, offer: Offer, *, now: int) -> bool:
        """As `OfferStore.replace_offer`."""
        with transaction(self._engine) as db:
            # Locked first and asked afterwards: whoever issues from it holds it meanwhile, and a
            # condition of one statement would not see what was issued while that waited.
            row = db.get(OfferRow, old, with_for_update=True)
            if row is None or row.agency != offer.agency or row.state == OfferState.DEAD:
                return False
            if row.expires_at <= now or db.get(IssuanceRow, old) is not None:
                return False
            row.state = OfferState.DEAD
            db.execute(delete(TokenRow).where(TokenRow.offer == old))
            db.add(offer_row(offer))
        return True

    def read_offer(self, agency: str, offer: str) -> Offer | None:
        """As `OfferStore.read_offer`."""
        return self._one(OfferRow.agency == agency, OfferRow.offer == offer)

    def offer_by_reference(self, agency: str, digest: bytes) -> Offer | None:
        """As `OfferStore.offer_by_reference`."""
        return self._one(OfferRow.agency == agency, OfferRow.reference_digest == digest)

    def offer_by_code(self, agency: str, digest: bytes) -> Offer | None:
        """As `OfferStore.offer_by_code`."""
        return self._one(OfferRow.agency == agency, OfferRow.code_digest == digest)

    def offer_by_issuer_state(self, agency: str, digest: bytes) -> Offer | None:
        """As `OfferStore.offer_by_issuer_state`."""
        return self._one(OfferRow.agency == agency, OfferRow.issuer_state_digest == digest)

    def withdraw(self, agency: str, offer: str) -> bool:
        """As `OfferStore.withdraw`."""
        with transaction(self._engine) as db:
            changed = rows(
                db,
                update(OfferRow)
                .where(OfferRow.agency == agency, OfferRow.offer == offer)
                .values(state=OfferState.DEAD),
            )
            db.execute(delete(TokenRow).where(TokenRow.offer == offer))
        return changed == 1

    def open_offers_for(
        self, agency: str, subject: str, thumbprint: str, *, now: int
    ) -> list[Offer]:
        """As `OfferStore.open_offers_for`."""
        with transaction(self._engine) as db:
            found = db.scalars(
                select(OfferRow)
                .where(
                    OfferRow.agency == agency,
                    OfferRow.subject == subject,
                    OfferRow.dpop_thumbprint == thumbprint,
                    OfferRow.state != OfferState.DEAD,
                    OfferRow.expires_at > now,
                    ~exists().where(IssuanceRow.issuance == OfferRow.offer),
                )
                .order_by(OfferRow.created_at, OfferRow.offer)
            )
            return [_offer(row) for row in found]

    def redeem(
        self,
        agency: str,
        code_digest: bytes,
        *,
        tx_digest: bytes | None,
        token: AccessToken,
        now: int,
    ) -> bool:
        """As `OfferStore.redeem`."""
        with transaction(self._engine) as db:
            # The try is counted before the code is compared: parallel guesses queue up here.
            counted = rows(
                db,
                update(OfferRow)
                .where(
                    OfferRow.agency == agency,
                    OfferRow.code_digest == code_digest,
                    OfferRow.state == OfferState.OFFERED,
                    OfferRow.pre_authorized,
                    OfferRow.expires_at > now,
                    OfferRow.tries < MAX_TX_CODE_TRIES,
                )
                .values(tries=OfferRow.tries + 1),
            )
            if counted != 1:
                return False
            row = db.scalars(
                select(OfferRow)
                .where(OfferRow.code_digest == code_digest)
                .execution_options(populate_existing=True)
            ).one()
            if not _same(row.tx_digest, tx_digest):
                if row.tries >= MAX_TX_CODE_TRIES:
                    row.state = OfferState.DEAD
                return False
            row.state = OfferState.REDEEMED
            db.add(token_row(token, offer=row.offer))
            return True

    def read_token(self, agency: str, digest: bytes, *, now: int) -> AccessToken | None:
        """As `OfferStore.read_token`."""
        with transaction(self._engine) as db:
            found = db.execute(
                select(TokenRow, OfferRow)
                .join(OfferRow, OfferRow.offer == TokenRow.offer)
                .where(
                    TokenRow.digest == digest,
                    TokenRow.expires_at > now,
                    OfferRow.agency == agency,
                    OfferRow.state == OfferState.REDEEMED,
                )
            ).one_or_none()
        if found is None:
            return None
        token, offer = found[0], _offer(found[1])
        return AccessToken(
            digest=token.digest,
            offer=offer,
            configurations=tuple(token.configurations.split()) or offer.configurations,
            with_identifiers=token.with_identifiers,
            dpop_thumbprint=token.dpop_thumbprint,
            expires_at=token.expires_at,
            client_id=token.client_id,
        )

    def add_nonce(self, agency: str, purpose: str, digest: bytes, *, expires_at: int) -> None:
        """As `OfferStore.add_nonce`."""
        with transaction(self._engine) as db:
            db.add(NonceRow(digest=digest, purpose=purpose, agency=agency, expires_at=expires_at))

    def has_nonce(self, agency: str, purpose: str, digest: bytes, *, now: int) -> bool:
        """As `OfferStore.has_nonce`."""
        with transaction(self._engine) as db:
            row = db.get(NonceRow, digest)
        return (
            row is not None
            and (row.purpose, row.agency) == (purpose, agency)
            and row.expires_at > now
        )

    def use_nonces(
        self, agency: str, purpose: str, digests: Collection[bytes], *, now: int
    ) -> bool:
        """As `OfferStore.use_nonces`."""
        wanted = set(digests)
        with transaction(self._engine) as db:
            used = rows(
                db,
                delete(NonceRow).where(
                    NonceRow.digest.in_(wanted),
                    NonceRow.purpose == purpose,
                    NonceRow.agency == agency,
                    NonceRow.expires_at > now,
                ),
            )
            if used != len(wanted):
                db.rollback()  # one bad nonce must not burn the good ones beside it
                return False
        return True

    def claim_nonce(self, agency: str, purpose: str, digest: bytes, *, expires_at: int) -> bool:
        """As `OfferStore.claim_nonce`."""
        try:
            with transaction(self._engine) as db:
                if db.get(NonceRow, digest) is not None:
                    return False
                db.add(
                    NonceRow(digest=digest, purpose=purpose, agency=agency, expires_at=expires_at)
                )
        except IntegrityError:  # PostgreSQL lets rivals run side by side; the other was faster
            return False
        return True

    def expired_claims(self, *, now: int, limit: int) -> list[tuple[str, str]]:
        """As `OfferStore.expired_claims`."""
        with transaction(self._engine) as db:
            found = db.execute(
                select(OfferRow.offer, OfferRow.claims_ref)
                .where(OfferRow.claims_ref.is_not(None), *_finished(now))
                .limit(limit)
            ).all()
        return [(offer, ref) for offer, ref in found if ref is not None]

    def drop_claims(self, offer: str) -> None:
        """As `OfferStore.drop_claims`."""
        with transaction(self._engine) as db:
            db.execute(update(OfferRow).where(OfferRow.offer == offer).values(claims_ref=None))

    def delete_expired(self, *, now: int) -> None:
        """As `OfferStore.delete_expired`."""
        with transaction(self._engine) as db:
            db.execute(delete(NonceRow).where(NonceRow.expires_at <= now))
            db.execute(delete(OfferRow).where(OfferRow.claims_ref.is_(None), *_finished(now)))
            db.execute(delete(TokenRow).where(TokenRow.expires_at <= now))

    def _one(self, *where: Any) -> Offer | None:
        with transaction(self._engine) as db:
            row = db.scalars(select(OfferRow).where(*where)).one_or_none()
        return None if row is None else _offer(row)


def check_standing(db: Session, standing: Standing) -> None:
    """As `OfferStore.add_offer` has it, for this transaction: their states stay until its end.

    Raises:
        StandingChanged: somebody stands otherwise.
    """
    if standing and dict.fromkeys(standing) | states_of(db, standing) != standing:
        raise StandingChanged("something was reported of one of these people; try again")


def rows(db: Session, statement: Executable) -> int:
    """Run an UPDATE or DELETE; the number of rows it changed."""
    return cast("CursorResult[Any]", db.execute(statement)).rowcount


def _finished(now: int) -> tuple[Any, ...]:
    """An offer whose code and tokens are all beyond use."""
    alive = select(TokenRow.offer).where(TokenRow.expires_at > now)
    return OfferRow.expires_at <= now, OfferRow.offer.not_in(alive)


def _same(stored: bytes | None, presented: bytes | None) -> bool:
    if stored is None or presented is None:
        return stored is presented
    return hmac.compare_digest(stored, presented)


def offer_row(offer: Offer) -> OfferRow:
    """A row for a new offer."""
    return OfferRow(
        offer=offer.offer,
        agency=offer.agency,
        subject=offer.subject,
        credential_type=offer.credential_type,
        formats=" ".join(offer.formats),
        reference_digest=offer.reference_digest,
        code_digest=offer.code_digest,
        tx_digest=offer.tx_digest,
        tries=0,
        claims_ref=offer.claims_ref,
        state=offer.state,
        created_at=offer.created_at,
        expires_at=offer.expires_at,
        issuer_state_digest=offer.issuer_state_digest,
        pre_authorized=offer.pre_authorized,
        review=offer.review,
        dpop_thumbprint=offer.dpop_thumbprint,
        principal=None if offer.mandate is None else offer.mandate.principal,
        durable=offer.mandate is not None and offer.mandate.durable,
    )


def mandate_of(row: OfferRow | IssuanceRow) -> Mandate | None:
    """For whom the holder acts, where the row is a mandate's."""
    if row.principal is None:
        return None
    return Mandate(principal=row.principal, durable=row.durable)


def token_row(token: AccessToken, *, offer: str) -> TokenRow:
    """A row for a new token of an offer."""
    return TokenRow(
        digest=token.digest,
        offer=offer,
        configurations=" ".join(token.configurations),
        with_identifiers=token.with_identifiers,
        dpop_thumbprint=token.dpop_thumbprint,
        expires_at=token.expires_at,
        client_id=token.client_id,
    )


def _offer(row: OfferRow) -> Offer:
    return Offer(
        offer=row.offer,
        agency=row.agency,
        subject=row.subject,
        credential_type=row.credential_type,
        formats=tuple(Format(name) for name in row.formats.split()),
        reference_digest=row.reference_digest,
        code_digest=row.code_digest,
        tx_digest=row.tx_digest,
        claims_ref=row.claims_ref,
        state=OfferState(row.state),
        created_at=row.created_at,
        expires_at=row.expires_at,
        issuer_state_digest=row.issuer_state_digest,
        pre_authorized=row.pre_authorized,
        review=Review(row.review),
        dpop_thumbprint=row.dpop_thumbprint,
        mandate=mandate_of(row),
    )

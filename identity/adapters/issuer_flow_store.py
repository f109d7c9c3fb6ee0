"""Authorization requests, identification codes and deferred transactions in the database."""

from typing import Any

from sqlalchemy import Engine, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from identity.adapters.database import transaction
from identity.adapters.issuer_offer_store import check_standing, offer_row, rows, token_row
from identity.adapters.issuer_tables import (
    AuthorizationRow,
    DeferredRow,
    IdentificationRow,
    OfferRow,
    TokenRow,
)
from identity.core.mandate import Mandate
from identity.issuer.flow_records import Authorization, Deferred, Stage, Waiting
from identity.issuer.records import AccessToken, Offer, OfferState, Review
from identity.issuer.stores import Standing

KEEP_USED_SECONDS = 3600  # how long a used code is recognised when it comes again


class SqlAuthorizationStore:
    """Keeps the promises of `identity.issuer.flow_stores.AuthorizationStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, authorization: Authorization) -> None:
        """As `AuthorizationStore.add`."""
        with transaction(self._engine) as db:
            db.add(
                AuthorizationRow(
                    request_digest=authorization.request_digest,
                    agency=authorization.agency,
                    client_id=authorization.client_id,
                    redirect_uri=authorization.redirect_uri,
                    state=authorization.state,
                    code_challenge=authorization.code_challenge,
                    credential_type=authorization.credential_type,
                    configurations=" ".join(authorization.configurations),
                    with_identifiers=authorization.with_identifiers,
                    offer=authorization.offer,
                    dpop_thumbprint=authorization.dpop_thumbprint,
                    attested=authorization.attested,
                    browser_digest=None,
                    stage=authorization.stage,
                    tries=0,
                    code_digest=None,
                    code_expires_at=None,
                    granted_offer=None,
                    expires_at=authorization.expires_at,
                )
            )

    def open(
        self, agency: str, request_digest: bytes, *, browser: bytes, now: int
    ) -> Authorization | None:
        """As `AuthorizationStore.open`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            mine = rows(
                db,
                update(row)
                .where(
                    row.request_digest == request_digest,
                    row.agency == agency,
                    row.stage == Stage.PUSHED,
                    row.expires_at > now,
                    or_(row.browser_digest.is_(None), row.browser_digest == browser),
                )
                .values(browser_digest=browser),
            )
            if mine != 1:
                return None
            found = db.get(row, request_digest, populate_existing=True)
        return None if found is None else _authorization(found)

    def count_try(self, request_digest: bytes, *, most: int) -> bool:
        """As `AuthorizationStore.count_try`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            counted = rows(
                db,
                update(row)
                .where(
                    row.request_digest == request_digest,
                    row.stage == Stage.PUSHED,
                    row.tries < most,
                )
                .values(tries=row.tries + 1),
            )
        return counted == 1

    def grant(
        self,
        request_digest: bytes,
        *,
        code_digest: bytes,
        new_offer: Offer | None,
        offer: str,
        expires_at: int,
    ) -> bool:
        """As `AuthorizationStore.grant`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            granted = rows(
                db,
                update(row)
                .where(row.request_digest == request_digest, row.stage == Stage.PUSHED)
                .values(
                    stage=Stage.GRANTED,
                    code_digest=code_digest,
                    code_expires_at=expires_at,
                    granted_offer=offer,
                ),
            )
            if granted != 1:
                return False
            if new_offer is not None:
                db.add(offer_row(new_offer))
        return True

    def end(self, request_digest: bytes) -> bool:
        """As `AuthorizationStore.end`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            ended = rows(
                db,
                update(row)
                .where(row.request_digest == request_digest, row.stage == Stage.PUSHED)
                .values(stage=Stage.ENDED),
            )
        return ended == 1

    def by_code(self, agency: str, code_digest: bytes) -> Authorization | None:
        """As `AuthorizationStore.by_code`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            found = db.scalars(
                select(row).where(row.agency == agency, row.code_digest == code_digest)
            ).one_or_none()
        return None if found is None else _authorization(found)

    def exchange(self, agency: str, code_digest: bytes, *, token: AccessToken, now: int) -> bool:
        """As `AuthorizationStore.exchange`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            used = rows(
                db,
                update(row)
                .where(
                    row.agency == agency,
                    row.code_digest == code_digest,
                    row.stage == Stage.GRANTED,
                    row.code_expires_at > now,
                )
                .values(stage=Stage.USED, expires_at=now + KEEP_USED_SECONDS),
            )
            if used != 1:
                return False
            redeemed = rows(
                db,
                update(OfferRow)
                .where(
                    OfferRow.offer == token.offer.offer,
                    OfferRow.agency == agency,
                    OfferRow.state == OfferState.OFFERED,
                    OfferRow.expires_at > now,
                )
                .values(state=OfferState.REDEEMED),
            )
            if redeemed != 1:
                return False  # the code is used up with it: its offer has ended
            db.add(token_row(token, offer=token.offer.offer))
        return True

    def revoke(self, agency: str, code_digest: bytes) -> None:
        """As `AuthorizationStore.revoke`."""
        row = AuthorizationRow
        with transaction(self._engine) as db:
            offers = select(row.granted_offer).where(
                row.agency == agency, row.code_digest == code_digest, row.stage == Stage.USED
            )
            db.execute(delete(TokenRow).where(TokenRow.offer.in_(offers)))

    def add_identification(
        self, agency: str, subject: str, digest: bytes, *, expires_at: int
    ) -> None:
        """As `AuthorizationStore.add_identification`."""
        row = IdentificationRow
        with transaction(self._engine) as db:
            db.execute(delete(row).where(row.agency == agency, row.subject == subject))
            db.add(
                row(digest=digest, agency=agency, subject=subject, tries=0, expires_at=expires_at)
            )

    def try_identification(self, agency: str, digest: bytes, *, most: int, now: int) -> str | None:
        """As `AuthorizationStore.try_identification`."""
        row = IdentificationRow
        with transaction(self._engine) as db:
            counted = rows(
                db,
                update(row)
                .where(
                    row.digest == digest,
                    row.agency == agency,
                    row.expires_at > now,
                    row.tries < most,
                )
                .values(tries=row.tries + 1),
            )
            if counted != 1:
                return None
            return db.scalars(select(row.subject).where(row.digest == digest)).one_or_none()

    def use_identification(self, agency: str, digest: bytes) -> bool:
        """As `AuthorizationStore.use_identification`."""
        row = IdentificationRow
        with transaction(self._engine) as db:
            return rows(db, delete(row).where(row.digest == digest, row.agency == agency)) == 1


class SqlDeferredStore:
    """Keeps the promises of `identity.issuer.flow_stores.DeferredStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, deferred: Deferred, *, most: int) -> bool:
        """As `DeferredStore.add`."""
        row = DeferredRow
        try:
            with transaction(self._engine) as db:
                db.scalars(  # the offer's row makes parallel requests queue up
                    select(OfferRow).where(OfferRow.offer == deferred.offer).with_for_update()
                ).one_or_none()
                count = select(func.count()).select_from(row).where(row.offer == deferred.offer)
                if (db.scalar(count) or 0) >= most:
                    return False
                db.add(
                    row(
                        digest=deferred.digest,
                        agency=deferred.agency,
                        offer=deferred.offer,
                        configuration=deferred.configuration,
                        keys=deferred.keys,
                        fetched=False,
                        expires_at=deferred.expires_at,
                    )
                )
        except IntegrityError:
            return False
        return True

    def read(self, agency: str, digest: bytes, *, offer: str, now: int) -> Deferred | None:
        """As `DeferredStore.read`."""
        with transaction(self._engine) as db:
            row = db.get(DeferredRow, digest)
        if row is None or (row.agency, row.offer) != (agency, offer):
            return None
        if row.fetched or row.expires_at <= now:
            return None
        return Deferred(
            digest=row.digest,
            agency=row.agency,
            offer=row.offer,
            configuration=row.configuration,
            keys=row.keys,
            expires_at=row.expires_at,
        )

    def take(self, digest: bytes) -> bool:
        """As `DeferredStore.take`."""
        row = DeferredRow
        with transaction(self._engine) as db:
            taken = update(row).where(row.digest == digest, row.fetched.is_(False))
            return rows(db, taken.values(fetched=True)) == 1

    def put_back(self, digest: bytes) -> None:
        """As `DeferredStore.put_back`."""
        with transaction(self._engine) as db:
            db.execute(
                update(DeferredRow).where(DeferredRow.digest == digest).values(fetched=False)
            )

    def waiting(self, agency: str, *, now: int, limit: int) -> list[Waiting]:
        """As `DeferredStore.waiting`."""
        asked = exists().where(DeferredRow.offer == OfferRow.offer)
        alive = exists().where(TokenRow.offer == OfferRow.offer, TokenRow.expires_at > now)
        with transaction(self._engine) as db:
            found = db.execute(
                select(OfferRow, asked)
                .where(
                    OfferRow.agency == agency,
                    OfferRow.review == Review.WAITING,
                    OfferRow.state != OfferState.DEAD,
                    or_(OfferRow.expires_at > now, alive),
                )
                .order_by(OfferRow.created_at, OfferRow.offer)
                .limit(limit)
            ).all()
        return [
            Waiting(
                offer=row.offer,
                subject=row.subject,
                credential_type=row.credential_type,
                created_at=row.created_at,
                requested=bool(requested),
            )
            for row, requested in found
        ]

    def decide(
        self,
        agency: str,
        offer: str,
        review: Review,
        *,
        claims_ref: str | None,
        mandate: Mandate | None = None,
        standing: Standing,
    ) -> bool:
        """As `DeferredStore.decide`."""
        values: dict[str, Any] = {"review": review}
        if claims_ref is not None:
            values["claims_ref"] = claims_ref
        if mandate is not None:
            values |= {"principal": mandate.principal, "durable": mandate.durable}
        with transaction(self._engine) as db:
            check_standing(db, standing)
            decided = rows(
                db,
                update(OfferRow)
                .where(
                    OfferRow.agency == agency,
                    OfferRow.offer == offer,
                    OfferRow.review == Review.WAITING,
                )
                .values(**values),
            )
        return decided == 1

    def reopen(self, agency: str, offer: str) -> None:
        """As `DeferredStore.reopen`."""
        with transaction(self._engine) as db:
            db.execute(
                update(OfferRow)
                .where(
                    OfferRow.agency == agency,
                    OfferRow.offer == offer,
                    OfferRow.review == Review.READY,
                    OfferRow.principal.is_(None),
                )
                .values(review=Review.WAITING)
            )

    def delete_expired(self, *, now: int) -> None:
        """As `DeferredStore.delete_expired`."""
        with transaction(self._engine) as db:
            for row in (DeferredRow, AuthorizationRow, IdentificationRow):
                db.execute(delete(row).where(row.expires_at <= now))


def _authorization(row: AuthorizationRow) -> Authorization:
    return Authorization(
        request_digest=row.request_digest,
        agency=row.agency,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        state=row.state,
        code_challenge=row.code_challenge,
        credential_type=row.credential_type,
        configurations=tuple(row.configurations.split()),
        with_identifiers=row.with_identifiers,
        offer=row.offer,
        dpop_thumbprint=row.dpop_thumbprint,
        attested=row.attested,
        browser_digest=row.browser_digest,
        stage=Stage(row.stage),
        tries=row.tries,
        granted_offer=row.granted_offer,
        expires_at=row.expires_at,
    )

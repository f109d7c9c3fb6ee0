"""Joins recovery by guardians to the issuer and to the registrations."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.guardian_store import SqlGuardianStore
from identity.adapters.person_record_store import SqlRecordStore
from identity.adapters.realname_store import SqlBindingStore
from identity.core.claim_rules import missing_from_agency
from identity.core.mandate import is_mandate
from identity.core.offers import SecretMalformed, secret_digest
from identity.guardians.routes import build_router
from identity.guardians.service import GuardianDesk
from identity.issuer.offers import MAX_LIFETIME_SECONDS, NoSuchOffer, OfferDesk
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Status
from identity.realname.ports import BindingState
from identity.realname.recovery import EndsAll, end_everywhere
from registry.core.encoding import JsonObject


class IssuersPeople:
    """Keeps the promises of `identity.guardians.ports.People`."""

    def __init__(self, engine: Engine, parts: IssuerParts, ending: EndsAll) -> None:
        self._parts = parts
        self._records = SqlRecordStore(engine)
        self._bindings = SqlBindingStore(engine)
        self._ending = ending
        self._offers = OfferDesk(parts)

    def issuer_url(self, agency: str) -> str:
        """As `People.issuer_url`."""
        return self._parts.agency(agency).issuer_url

    def subject_of(self, agency: str, digest: bytes) -> str | None:
        """As `People.subject_of`."""
        return self._records.subject_of(agency, digest)

    def use_nonce(self, agency: str, nonce: str, *, now: int) -> bool:
        """As `People.use_nonce`."""
        try:
            digest = secret_digest("c-nonce", nonce)
        except SecretMalformed:
            return False
        return self._parts.offers.use_nonces(agency, "c-nonce", {digest}, now=now)

    def is_active(self, subject: str) -> bool:
        """As `People.is_active`."""
        binding = self._bindings.read(subject)
        return binding is not None and binding.state is BindingState.ACTIVE

    def offerable(self, agency: str, subject: str) -> list[str]:
        """As `People.offerable`."""
        names = dict.fromkeys(
            item.credential_type
            for item in self._parts.issuances.issuances_of(agency, subject)
            if item.status is Status.VALID
        )
        issued = self._parts.agency(agency).credential_types
        kinds = [self._parts.catalogue.by_name(name) for name in names if name in issued]
        return [
            kind.name
            for kind in kinds
            if not is_mandate(kind.name, kind.claims) and not missing_from_agency(kind, {})
        ]

    def end_everywhere(self, subject: str) -> int:
        """As `People.end_everywhere`."""
        binding = self._bindings.read(subject)
        if binding is None:
            return 0
        return end_everywhere(self._bindings.of_person(binding.person), self._ending)

    def offer(
        self, agency: str, subject: str, credential_type: str, *, key: str, now: int
    ) -> JsonObject:
        """As `People.offer`; the code comes with it, for the new key has just been proven."""
        return self._offered(agency, subject, credential_type, key=key, now=now)

    def _offered(
        self,
        agency: str,
        subject: str,
        credential_type: str,
        *,
        key: str,
        now: int,
        in_place_of: str | None = None,
    ) -> JsonObject:
        made = self._offers.make(
            agency,
            subject=subject,
            credential_type=credential_type,
            claims={},
            formats=(),
            tx_code=True,
            lifetime_seconds=MAX_LIFETIME_SECONDS,
            now=datetime.fromtimestamp(now, UTC),
            dpop_thumbprint=key,
            in_place_of=in_place_of,
        )
        return {
            "credential_type": credential_type,
            "credential_id": made.offer,
            "offer_uri": made.link,
            "tx_code": made.tx_code,
            "expires_in": made.expires_in,
        }

    def offer_again(self, agency: str, subject: str, *, key: str, now: int) -> list[JsonObject]:
        """As `People.offer_again`."""
        made = []
        for old in self._parts.offers.open_offers_for(agency, subject, key, now=now):
            with suppress(NoSuchOffer):  # another call was faster: what it made is her offer
                made.append(
                    self._offered(
                        agency,
                        subject,
                        old.credential_type,
                        key=key,
                        now=now,
                        in_place_of=old.offer,
                    )
                )
        return made

    def take_back(self, agency: str, offers: Sequence[JsonObject]) -> None:
        """As `People.take_back`."""
        for offer in offers:
            self._parts.offers.withdraw(agency, str(offer["credential_id"]))


def build_guardians(
    engine: Engine,
    *,
    parts: IssuerParts,
    ending: EndsAll,
    random: Callable[[int], bytes],
    now: Callable[[], int],
    min_wait_seconds: int,
) -> APIRouter:
    """Routes below `/issuers/{agency}/guardians`."""
    people = IssuersPeople(engine, parts, ending)
    desk = GuardianDesk(
        SqlGuardianStore(engine), people, random=random, min_wait_seconds=min_wait_seconds
    )
    return build_router(desk, now=now)

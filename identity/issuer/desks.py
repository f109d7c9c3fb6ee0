"""Everything that the issuer's routes call."""

from collections.abc import Mapping
from dataclasses import dataclass

from identity.issuer.anchoring import Receipts
from identity.issuer.authorizations import AuthorizationDesk
from identity.issuer.client_desk import ClientDesk
from identity.issuer.credential_endpoint import CredentialDesk
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.identification import (
    CitizenIdentification,
    CodeIdentification,
    IdentificationByAgency,
)
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import IssuerParts
from identity.issuer.records_desk import RecordDesk
from identity.issuer.reviews import ReviewDesk
from identity.issuer.status import StatusDesk, StatusPublisher
from identity.issuer.tokens import TokenDesk
from identity.issuer.vc_api import VcApiDesk, VcApiProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """One desk a task; all of them work with the same parts."""

    parts: IssuerParts
    offers: OfferDesk
    tokens: TokenDesk
    credentials: CredentialDesk
    authorizations: AuthorizationDesk
    dpop: DpopDesk
    clients: ClientDesk
    codes: CodeIdentification
    reviews: ReviewDesk
    statuses: StatusDesk
    records: RecordDesk
    vc_api: VcApiDesk
    publisher: StatusPublisher
    receipts: Receipts

    @classmethod
    def open(
        cls,
        parts: IssuerParts,
        publisher: StatusPublisher,
        *,
        profiles: Mapping[str, VcApiProfile] | None = None,
        identification: Mapping[str, CitizenIdentification] | None = None,
    ) -> "Desks":
        """Open them all.

        Args:
            parts: what the services are made of.
            publisher: shared with the worker, so that both see one cache of documents.
            profiles: how VC API instances sign; an agency without one signs its own types.
            identification: how citizens identify themselves, by agency; by a code of it otherwise.
        """
        dpop, codes = DpopDesk(parts), CodeIdentification(parts)
        return cls(
            parts=parts,
            offers=OfferDesk(parts),
            tokens=TokenDesk(parts, dpop),
            credentials=CredentialDesk(parts, publisher),
            authorizations=AuthorizationDesk(
                parts, dpop, IdentificationByAgency(codes, identification or {})
            ),
            dpop=dpop,
            clients=ClientDesk(parts),
            codes=codes,
            reviews=ReviewDesk(parts),
            statuses=StatusDesk(parts, publisher),
            records=RecordDesk(parts),
            vc_api=VcApiDesk(parts, publisher, profiles=profiles),
            publisher=publisher,
            receipts=Receipts(parts),
        )

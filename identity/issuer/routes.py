"""All routes of the issuer."""

from collections.abc import Mapping

from fastapi import APIRouter

from identity.core.access import AccessKeys
from identity.issuer.agency_routes import build_agency_router
from identity.issuer.anchoring import Receipts
from identity.issuer.authorization_routes import build_authorization_router
from identity.issuer.authorizations import AuthorizationDesk
from identity.issuer.client_desk import ATTESTATION_HEADER, POP_HEADER, ClientDesk
from identity.issuer.credential_endpoint import CredentialDesk
from identity.issuer.dpop_desk import DpopDesk
from identity.issuer.identification import (
    CitizenIdentification,
    CodeIdentification,
    IdentificationByAgency,
)
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import IssuerParts
from identity.issuer.public_routes import build_public_router
from identity.issuer.records_desk import RecordDesk
from identity.issuer.reviews import ReviewDesk
from identity.issuer.status import StatusDesk, StatusPublisher
from identity.issuer.tokens import TokenDesk
from identity.issuer.vc_api import VcApiDesk, VcApiProfile
from identity.issuer.wallet_routes import build_wallet_router
from identity.issuer.wire import Clock
from registry.routers import join_routers

# What a browser wallet of another origin sends and reads (openid4vc.md §1, "CORS").
CORS_ALLOW_HEADERS = (
    *("Authorization", "DPoP", "Content-Type", "Accept", "If-None-Match"),
    *(ATTESTATION_HEADER, POP_HEADER),
)
CORS_EXPOSE_HEADERS = ("DPoP-Nonce", "WWW-Authenticate", "ETag", "Retry-After")


def build_router(
    *,
    parts: IssuerParts,
    publisher: StatusPublisher,
    access: AccessKeys,
    clock: Clock,
    profiles: Mapping[str, VcApiProfile] | None = None,
    identification: Mapping[str, CitizenIdentification] | None = None,
) -> APIRouter:
    """Routes for wallets, agencies and everybody.

    Args:
        parts: what the services are made of.
        publisher: shared with the worker, so that both see one cache of documents.
        access: opens the scopes `issuer:<agency>`.
        clock: current time, aware and in UTC.
        profiles: how VC API instances sign; an agency without one signs its own types.
        identification: how citizens identify themselves, by agency; by a code of it otherwise.
    """
    offers, dpop, codes = OfferDesk(parts), DpopDesk(parts), CodeIdentification(parts)
    clients = ClientDesk(parts)
    return join_routers(
        build_wallet_router(
            parts=parts,
            offers=offers,
            tokens=TokenDesk(parts, dpop),
            credentials=CredentialDesk(parts, publisher),
            dpop=dpop,
            clients=clients,
            clock=clock,
        ),
        build_authorization_router(
            parts=parts,
            desk=AuthorizationDesk(
                parts, dpop, IdentificationByAgency(codes, identification or {})
            ),
            dpop=dpop,
            clients=clients,
            clock=clock,
        ),
        build_agency_router(
            offers=offers,
            codes=codes,
            reviews=ReviewDesk(parts),
            statuses=StatusDesk(parts, publisher),
            records=RecordDesk(parts),
            vc_api=VcApiDesk(parts, publisher, profiles=profiles),
            access=access,
            clock=clock,
        ),
        build_public_router(
            parts=parts, publisher=publisher, receipts=Receipts(parts), clock=clock
        ),
    )

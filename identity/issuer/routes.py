"""All routes of the issuer."""

from collections.abc import Mapping

from fastapi import APIRouter

from identity.core.access import AccessKeys
from identity.issuer.agency_routes import build_agency_router
from identity.issuer.anchoring import Receipts
from identity.issuer.credential_endpoint import CredentialDesk
from identity.issuer.offers import OfferDesk
from identity.issuer.parts import IssuerParts
from identity.issuer.public_routes import build_public_router
from identity.issuer.records_desk import RecordDesk
from identity.issuer.status import StatusDesk, StatusPublisher
from identity.issuer.tokens import TokenDesk
from identity.issuer.vc_api import VcApiDesk, VcApiProfile
from identity.issuer.wallet_routes import Clock, build_wallet_router

# What a browser wallet of another origin sends and reads (openid4vc.md §1, "CORS").
CORS_ALLOW_HEADERS = ("Authorization", "DPoP", "Content-Type", "Accept", "If-None-Match")
CORS_EXPOSE_HEADERS = ("DPoP-Nonce", "WWW-Authenticate", "ETag", "Retry-After")


def build_router(
    *,
    parts: IssuerParts,
    publisher: StatusPublisher,
    access: AccessKeys,
    clock: Clock,
    profiles: Mapping[str, VcApiProfile] | None = None,
) -> APIRouter:
    """Routes for wallets, agencies and everybody.

    Args:
        parts: what the services are made of.
        publisher: shared with the worker, so that both see one cache of documents.
        access: opens the scopes `issuer:<agency>`.
        clock: current time, aware and in UTC.
        profiles: how VC API instances sign; an agency without one signs its own types.
    """
    router = APIRouter()
    offers = OfferDesk(parts)
    router.include_router(
        build_wallet_router(
            offers=offers,
            tokens=TokenDesk(parts),
            credentials=CredentialDesk(parts, publisher),
            clock=clock,
        )
    )
    router.include_router(
        build_agency_router(
            offers=offers,
            statuses=StatusDesk(parts, publisher),
            records=RecordDesk(parts),
            vc_api=VcApiDesk(parts, publisher, profiles=profiles),
            access=access,
            clock=clock,
        )
    )
    router.include_router(
        build_public_router(parts=parts, publisher=publisher, receipts=Receipts(parts), clock=clock)
    )
    return router

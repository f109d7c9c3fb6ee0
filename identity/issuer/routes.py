"""All routes of the issuer."""

from fastapi import APIRouter

from identity.core.access import AccessKeys
from identity.issuer.agency_routes import build_agency_router
from identity.issuer.authorization_routes import build_authorization_router
from identity.issuer.client_desk import ATTESTATION_HEADER, POP_HEADER
from identity.issuer.desks import Desks
from identity.issuer.public_routes import build_public_router
from identity.issuer.wallet_routes import build_wallet_router
from identity.issuer.wire import Clock
from registry.routers import join_routers

# What a browser wallet of another origin sends and reads (openid4vc.md §1, "CORS").
CORS_ALLOW_HEADERS = (
    *("Authorization", "DPoP", "Content-Type", "Accept", "If-None-Match"),
    *(ATTESTATION_HEADER, POP_HEADER),
)
CORS_EXPOSE_HEADERS = ("DPoP-Nonce", "WWW-Authenticate", "ETag", "Retry-After")


def build_router(desks: Desks, *, access: AccessKeys, clock: Clock) -> APIRouter:
    """Routes for wallets, agencies and everybody.

    Args:
        desks: what the routes call, and nothing before there is a request.
        access: opens the scopes `issuer:<agency>`.
        clock: current time, aware and in UTC.
    """
    return join_routers(
        build_wallet_router(
            parts=desks.parts,
            offers=desks.offers,
            tokens=desks.tokens,
            credentials=desks.credentials,
            dpop=desks.dpop,
            clients=desks.clients,
            clock=clock,
        ),
        build_authorization_router(
            parts=desks.parts,
            desk=desks.authorizations,
            dpop=desks.dpop,
            clients=desks.clients,
            clock=clock,
        ),
        build_agency_router(
            offers=desks.offers,
            codes=desks.codes,
            reviews=desks.reviews,
            statuses=desks.statuses,
            records=desks.records,
            vc_api=desks.vc_api,
            access=access,
            clock=clock,
        ),
        build_public_router(
            parts=desks.parts, publisher=desks.publisher, receipts=desks.receipts, clock=clock
        ),
    )

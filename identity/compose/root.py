"""Opening everything in order: the registry, the databases, then the services that are wanted."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from identity.adapters.certificate_store import SqlCertificates
from identity.app import create_app
from identity.compose.access import open_access
from identity.compose.founding import found, is_founder
from identity.compose.issuing import add_issuer
from identity.compose.ledger import client_of, founding_client, open_registry, watch_forks
from identity.compose.site import Composition, Site
from identity.compose.verifying import add_verifier
from identity.config import Settings
from identity.core.certificates import to_pem
from identity.installation.certificates import CertificateDesk, Certified, open_root
from identity.installation.databases import open_identity_database
from identity.publishing.root_routes import build_router as build_root_router
from registry.api.docs_page import install_docs
from registry.client.members import MembersTransport

RENEW_SECONDS = 3600.0  # how often certificates are looked after


def compose(
    settings: Settings,
    *,
    random: Callable[[int], bytes],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Composition:
    """Open everything that `settings` names and join it.

    Args:
        settings: judged by `refuse_dangerous` already.
        random: source of random bytes.
        clock: current time, aware and in UTC.

    Raises:
        Refusal: a store, a key file or the ledger cannot be opened; nothing is left open.
    """
    site = Site.prepare(settings, random=random, clock=clock)
    try:
        return _join(site)
    except BaseException:
        site.close()
        raise


def _join(site: Site) -> Composition:
    """Open, found, join."""
    transport, trust = open_registry(site)
    registry = client_of(site, transport, trust)
    if isinstance(transport, MembersTransport):
        watch_forks(site, registry, transport)
    if site.serves("issuer") and is_founder(site):
        found(site, founding_client(site, transport, trust))
    access = open_access(site)
    if site.serves("issuer") or site.serves("verifier"):
        engine = open_identity_database(site.settings, site.folder)
        site.closers.append(engine.dispose)
        certified = _open_certificates(site, engine)
        site.every(RENEW_SECONDS, "certificates", certified.renew_due)
        if site.serves("issuer"):
            add_issuer(site, engine, registry, access, certified)
        if site.serves("verifier"):
            add_verifier(site, engine, registry, trust, access, certified)
    app = create_app(site.settings, catalogue=site.catalogue, routers=site.routers)
    install_docs(app)
    return Composition(
        settings=site.settings,
        folder=site.folder,
        trust=trust,
        app=app,
        workers=site.workers,
        closers=site.closers,
        instances=site.instances,
    )


def _open_certificates(site: Site, engine: Engine) -> Certified:
    root = open_root(
        site.ring,
        network=site.settings.ledger.network,
        country=site.settings.server.country,
        may_make=is_founder(site),
        now=site.clock(),
    )
    if root is not None:
        site.routers.append(build_root_router(to_pem(root.certificate)))
    desk = CertificateDesk(root, SqlCertificates(engine), random=site.random)
    return Certified(desk, site.settings, clock=site.clock)

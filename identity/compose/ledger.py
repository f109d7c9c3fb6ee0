"""The registry: this process's own ledger, one elsewhere, or the members of a consortium."""

import logging
import time
from dataclasses import replace

from identity.adapters.bounded_fetch import BoundedFetcher
from identity.adapters.web_documents import FetchedWebDocuments
from identity.compose.site import Site
from identity.installation import parties
from registry.api.app import create_app as create_registry_app
from registry.api.forwarding import build_forwarding_router
from registry.api.resolution_routes import build_resolution_router, build_resolver_router
from registry.api.routes import build_router as build_registry_router
from registry.api.submission_limit import NewDidLimit
from registry.client import AsgiTransport, HttpTransport, RegistryClient, Transport
from registry.client.forks import ForkSeen, ForkWatch
from registry.client.members import MembersTransport
from registry.client.transport import SUBMIT_SECONDS
from registry.client.trust_store import FileTrustStore
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.cosignature import parse_witness_key
from registry.core.did_web import MAX_DOCUMENT_BYTES
from registry.core.refusals import Malformed
from registry.ledger.embedded.engine import EmbeddedLedger
from registry.witness.collector import Collector, WitnessEndpoint
from registry.witness.cosigned import CosignedHeadStore

_log = logging.getLogger("identity.compose")

SEAL_SECONDS = 0.5  # how often batches are sealed and status lists looked after
FORK_SECONDS = 10.0  # how often members are compared
WITNESS_SECONDS = 3.0  # patience with one witness


def open_registry(site: Site) -> tuple[Transport, AnyTrustAnchor]:
    """How the registry is reached, and the trust anchor that its answers are verified under.

    Raises:
        Refusal: the ledger, its keys or the trust anchor cannot be opened.
    """
    settings = site.settings
    if settings.ledger.engine == "consortium":
        return _open_consortium(site)
    if not site.serves("registry"):
        if settings.ledger.registry_url is None or settings.ledger.trust_anchor is None:
            raise Malformed(
                "without the registry in this process, ledger.registry_url and "
                "ledger.trust_anchor are needed"
            )
        remote = HttpTransport(settings.ledger.registry_url, post_seconds=SUBMIT_SECONDS)
        site.closers.append(remote.close)
        return remote, parties.read_trust_anchor(settings.ledger.trust_anchor)
    genesis = parties.open_genesis(site.ring, settings, now=site.seconds)
    trust = parties.open_trust_anchor(site.ring, settings, genesis)
    ledger = EmbeddedLedger.open(
        site.folder.ledger,
        genesis=genesis,
        signer=parties.open_head_key(site.ring, settings),
        now=site.seconds,
        head_store=site.folder.head_store,
    )
    site.closers.append(ledger.close)
    cosigned = _open_witnesses(site, ledger, trust)
    local = AsgiTransport(create_registry_app(ledger, trust, cosigned=cosigned))
    site.closers.append(local.close)
    per_hour = settings.ledger.new_dids_per_hour
    site.routers.append(
        build_registry_router(
            ledger,
            trust,
            new_dids=NewDidLimit(per_hour) if per_hour else None,
            cosigned=cosigned,
        )
    )
    site.routers.append(build_resolution_router(ledger, _web_documents(site)))
    return local, trust


def client_of(site: Site, transport: Transport, trust: AnyTrustAnchor) -> RegistryClient:
    """A client that verifies every answer."""
    return RegistryClient(
        transport, trust, time.monotonic, random=site.random, store=site.trust_store
    )


def founding_client(site: Site, transport: Transport, trust: AnyTrustAnchor) -> RegistryClient:
    """Founding reads what it has just written, which no witness can have seen yet.

    The ledger in this process is its own; one elsewhere is believed under its witnesses only.
    """
    if site.serves("registry"):
        trust = replace(trust, witnesses=None)
    return client_of(site, transport, trust)


def watch_forks(site: Site, registry: RegistryClient, members: MembersTransport) -> None:
    """Compare, in the background, what we believe with what each member shows."""
    watch = ForkWatch(
        registry.head_trust,
        members.members,
        evidence=site.folder.fork_evidence,
        clock=time.time,
    )

    def look() -> None:
        registry.follow()
        try:
            watch.look()
        except ForkSeen as fork:
            _log.critical("%s; the evidence is in %s", fork.detail, fork.evidence.name)

    site.every(FORK_SECONDS, "forks", look)


def _open_consortium(site: Site) -> tuple[Transport, AnyTrustAnchor]:
    """Several members are asked and none is believed; who asks here is passed on to them."""
    ledger = site.settings.ledger
    if ledger.trust_anchor is None:
        raise Malformed("a consortium needs ledger.trust_anchor")
    trust = parties.read_trust_anchor(ledger.trust_anchor)
    parties.publish_trust_anchor(site.ring, trust)
    remotes = [HttpTransport(url, post_seconds=SUBMIT_SECONDS) for url in ledger.members]
    site.closers += [remote.close for remote in remotes]
    members = MembersTransport(remotes)
    site.trust_store = FileTrustStore(site.folder.followed_anchor)
    site.closers.append(site.trust_store.close)
    if site.serves("registry"):
        registry = client_of(site, members, trust)
        per_hour = ledger.new_dids_per_hour
        site.routers.append(
            build_forwarding_router(members, new_dids=NewDidLimit(per_hour) if per_hour else None)
        )
        site.routers.append(
            build_resolver_router(
                read=registry.record, height=registry.height, web=_web_documents(site)
            )
        )
    return members, trust


def _open_witnesses(
    site: Site,
    ledger: EmbeddedLedger,
    trust: AnyTrustAnchor,
) -> CosignedHeadStore | None:
    """Have every head co-signed, where the trust anchor names witnesses."""
    if trust.witnesses is None:
        return None
    store = CosignedHeadStore(site.folder.cosigned_heads, trust)
    site.closers.append(store.close)
    endpoints = []
    for witness in site.settings.ledger.witnesses:
        transport = HttpTransport(witness.url, timeout_seconds=WITNESS_SECONDS)
        site.closers.append(transport.close)
        endpoints.append(WitnessEndpoint(parse_witness_key(witness.key), transport))
    collector = Collector(ledger=ledger, trust=trust, witnesses=endpoints, store=store)
    site.closers.append(collector.close)
    site.every(SEAL_SECONDS, "witnesses", lambda: _once(collector))
    return store


def _web_documents(site: Site) -> FetchedWebDocuments:
    """Documents of did:web, our own and others'."""
    return FetchedWebDocuments(
        local=lambda url, accept: site.read_own(url, accept),
        remote=BoundedFetcher(site.places(), clock=time.monotonic, max_bytes=MAX_DOCUMENT_BYTES),
        public_base_url=site.settings.server.public_base_url,
        clock=time.monotonic,
    )


def _once(collector: Collector) -> None:
    collector.run_once()

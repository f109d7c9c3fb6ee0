"""Joins the verifier: relying parties with their policies, evidence, requests, rendezvous."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.bounded_fetch import AllowedPlace, BoundedFetcher
from identity.adapters.rendezvous_store import DatabaseWaits
from identity.adapters.status_fetcher import CachingBatches, CachingStatusLists, LocalRead
from identity.adapters.trust_cache import DatabaseSeenVersions
from identity.adapters.verifier_ledger import VerifierLedger
from identity.adapters.verifier_store import DatabaseRequests
from identity.adapters.web_documents import FetchedWebDocuments
from identity.adapters.web_names import DocumentNames
from identity.core.access import AccessKeys
from identity.core.credential_types import Catalogue
from identity.core.jsonld import ContextStore
from identity.core.parties import RelyingParty
from identity.core.verification.case import World
from identity.core.verification.policy import Policy
from identity.rendezvous.routes import build_router as build_rendezvous_router
from identity.rendezvous.service import RendezvousService
from identity.verifier.evidence import EvidenceReader
from identity.verifier.routes import build_router
from identity.verifier.service import Verifier, VerifierService
from registry.client import RegistryClient
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.did_web import MAX_DOCUMENT_BYTES
from registry.core.encoding import JsonObject
from registry.routers import join_routers


@dataclass(frozen=True, slots=True)
class VerifierParts:
    """The verifier's routes, and the piece of background work it has."""

    router: APIRouter
    purge: Callable[[], None]


def build_verifier(
    *,
    parties: Sequence[RelyingParty],
    policies: Mapping[str, Policy],
    places: Sequence[AllowedPlace],
    local: LocalRead,
    public_base_url: str,
    catalogue: Catalogue,
    schemas: Mapping[str, JsonObject],
    contexts: ContextStore,
    trust: AnyTrustAnchor,
    certificate_roots: Sequence[bytes],
    engine: Engine,
    registry: RegistryClient,
    access: AccessKeys,
    random: Callable[[int], bytes],
    clock: Callable[[], datetime],
) -> VerifierParts:
    """Everything below `/verifiers` and `/rendezvous`.

    Args:
        policies: by slug of the party; every party has one.
        places: origins from which other installations' lists may be fetched.
        schemas: of others, by the `id` that a `credentialSchema` has.
        certificate_roots: DER of roots that count for `trusted_authorities` in DCQL.
        local: reads our own published documents without the network.
        public_base_url: what our own addresses begin with.
    """
    remote = BoundedFetcher(places, clock=time.monotonic)
    ledger = VerifierLedger(registry)
    requests = DatabaseRequests(engine)
    waits = RendezvousService(
        DatabaseWaits(engine), now=lambda: int(clock().timestamp()), random=random
    )
    service = VerifierService(
        {party.slug: Verifier(party=party, policy=policies[party.slug]) for party in parties},
        registry=ledger,
        evidence=EvidenceReader(
            registry=ledger,
            status_lists=CachingStatusLists(local=local, remote=remote, clock=time.monotonic),
            batches=CachingBatches(local=local, remote=remote),
            seen_versions=DatabaseSeenVersions(engine),
            catalogue=catalogue,
            web_names=DocumentNames(
                FetchedWebDocuments(
                    local=local,
                    remote=BoundedFetcher(
                        places, clock=time.monotonic, max_bytes=MAX_DOCUMENT_BYTES
                    ),
                    public_base_url=public_base_url,
                    clock=time.monotonic,
                )
            ),
        ),
        requests=requests,
        rendezvous=waits,
        world=World(
            contexts=contexts,
            catalogue=catalogue,
            trust=trust,
            schemas=schemas,
            certificate_roots=tuple(certificate_roots),
        ),
        now=clock,
        random=random,
        trust=lambda: registry.trust,
    )
    router = join_routers(build_router(service, access), build_rendezvous_router(waits))

    def purge() -> None:
        requests.purge(now=int(clock().timestamp()))

    return VerifierParts(router=router, purge=purge)

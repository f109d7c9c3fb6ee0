"""The issuer's side: vault, proofing, real names, agencies, and their background work."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine

from identity.adapters.own_documents import OwnDocuments
from identity.adapters.person_record_store import AuditedLooks
from identity.adapters.secret_files import read_access_digests
from identity.adapters.status_fetcher import LocalRead
from identity.compose.site import Site
from identity.core.access import AccessKeys
from identity.core.parties import Agency
from identity.installation import conformance, parties
from identity.installation.agency_options import open_options
from identity.installation.certificates import Certified
from identity.installation.guardians import build_guardians
from identity.installation.issuing import IssuerService, build_issuer
from identity.installation.opening import GATE_KEYS, build_opening
from identity.installation.real_names import (
    Proofing,
    build_identification,
    build_life_events,
    build_proofing,
    build_real_names,
    build_recovery,
    build_register,
    build_review,
)
from identity.installation.retention import ROUND_SECONDS, build_people_retention
from identity.installation.vault_process import Officers, officer_at, open_vault, reach_vault
from identity.publishing.did_routes import build_router as build_did_router
from identity.realname.ports import IdentitySealing, PopulationRegister
from identity.realname.review import ReviewDesk
from identity.realname.routes import build_router as build_realname_router
from identity.realname.service import RealNames
from identity.vault.ports import IdentityVault
from identity.vault.records import AuditRecord
from registry import problems
from registry.client import AsgiTransport, RegistryClient
from registry.core.did_web import web_did
from registry.core.refusals import Refusal
from registry.routers import join_routers

_log = logging.getLogger("identity.compose")

SEAL_SECONDS = 0.5  # how often batches are sealed and status lists looked after
RECORD_SECONDS = 2.0  # how often people's own records take note of what happened
PURGE_SECONDS = 10.0  # how often expired requests are deleted


def add_issuer(
    site: Site,
    engine: Engine,
    registry: RegistryClient,
    access: AccessKeys,
    certified: Certified,
) -> None:
    """Add real names, the agencies and what they publish, with their background work."""
    opening = build_opening(
        site.settings.opening,
        engine=engine,
        gate_file=site.folder.keys / GATE_KEYS,
        passphrase=site.passphrase,
        registry=registry,
        random=site.random,
        now=site.seconds,
    )
    people = _open_people(site, engine, access, opening.sealer)
    agencies = tuple(
        certified.agency(agency) for agency in parties.open_agencies(site.ring, site.settings)
    )
    issuer = _open_agencies(site, engine, registry, access, agencies, people)
    documents = build_did_router(
        dids={
            agency.slug: (agency.did, name)
            for agency in agencies
            if (name := web_did(agency.issuer_url)) is not None
        },
        resolve=registry.resolve,
    )
    site.routers += [
        *opening.routers,
        build_realname_router(real_names=people.real_names, access=access),
        people.proofing.router,
        *_lives(site, engine, access, people, issuer, opening.sealer),
        issuer.router,
        documents,
    ]
    site.every(SEAL_SECONDS, "issuer", lambda: issuer.worker.run_once(site.clock()))
    site.every(RECORD_SECONDS, "records", lambda: issuer.keeper.run_once(site.seconds()))
    site.read_own = _own_documents(site, issuer.router, documents)


@dataclass(frozen=True, slots=True)
class _People:
    """What is known of persons, and who may ask."""

    vault: IdentityVault
    looks: Callable[[int], list[AuditRecord]]
    register: PopulationRegister
    proofing: Proofing
    review: ReviewDesk
    real_names: RealNames


def _open_people(
    site: Site, engine: Engine, access: AccessKeys, sealing: IdentitySealing | None
) -> _People:
    vault, looks = _open_vault(site)
    register, client = build_register(
        site.settings.population_register, random=site.random, now=site.seconds
    )
    if client is not None:
        site.closers.append(client.close)
    digests = read_access_digests(site.folder.secrets)
    officers = {
        agency.slug: Officers(agency.officers, digests, under=f"officer:{agency.slug}/")
        for agency in site.settings.agencies
    }
    proofing = build_proofing(
        site.settings,
        engine=engine,
        vault=vault,
        register=register,
        access=access,
        officer_of=lambda agency, presented: officer_at(officers, agency, presented),
        random=site.random,
        now=site.seconds,
    )
    site.closers.extend(proofing.closers)
    site.every(PURGE_SECONDS, "proofing", proofing.sweep)
    if site.settings.retention.scheduled:
        clock = build_people_retention(site.settings.retention, engine=engine, vault=vault)
        site.every(
            ROUND_SECONDS, "retention", lambda: _destroyed(clock.destroy(now=site.seconds()))
        )
    review = build_review(engine, random=site.random, now=site.seconds)
    real_names = build_real_names(
        engine=engine,
        review=review,
        vault=vault,
        sources=proofing.sources,
        random=site.random,
        now=site.seconds,
        sealing=sealing,
    )
    return _People(vault, looks, register, proofing, review, real_names)


def _open_agencies(
    site: Site,
    engine: Engine,
    registry: RegistryClient,
    access: AccessKeys,
    agencies: tuple[Agency, ...],
    people: _People,
) -> IssuerService:
    issuer = build_issuer(
        agencies=(
            *agencies,
            *conformance.open_status_agencies(site.ring, site.settings, site.instances),
        ),
        catalogue=site.catalogue,
        contexts=site.contexts,
        country=site.settings.server.country,
        engine=engine,
        registry=registry,
        real_names=people.real_names,
        vault=people.vault,
        access=access,
        random=site.random,
        clock=site.clock,
        profiles={instance.settings.slug: instance.profile for instance in site.instances},
        options=open_options(site.ring, site.settings),
        gathers=site.settings.gathers,
        looks=AuditedLooks(people.looks),
        identification=build_identification(site.settings, people.proofing, people.real_names),
    )
    with suppress(Refusal):  # a ledger that is away now must not keep verifying from starting
        issuer.worker.prepare(site.clock())
    return issuer


def _lives(
    site: Site,
    engine: Engine,
    access: AccessKeys,
    people: _People,
    issuer: IssuerService,
    sealing: IdentitySealing | None,
) -> list[APIRouter]:
    """What happens to people after their registration: events, a lost phone, guardians."""
    digests = read_access_digests(site.folder.secrets)
    return [
        build_life_events(
            engine,
            vault=people.vault,
            register=people.register,
            review=people.review,
            hooks=[issuer.resting],
            sealing=sealing,
            access=access,
            officer_of=Officers(site.settings.vault.officers, digests),
            now=site.seconds,
        ),
        build_recovery(
            engine,
            real_names=people.real_names,
            ending=issuer.resting,
            access=access,
            now=site.seconds,
        ),
        build_guardians(
            engine,
            parts=issuer.parts,
            ending=issuer.resting,
            random=site.random,
            now=site.seconds,
            min_wait_seconds=site.settings.issuing.guardian_min_wait_seconds,
        ),
    ]


def _own_documents(site: Site, *routers: APIRouter) -> LocalRead:
    """Our own documents, read without leaving the process."""
    app = FastAPI(routes=join_routers(*routers).routes)
    problems.install(app)
    own = AsgiTransport(app)
    site.closers.append(own.close)
    return OwnDocuments(own, public_base_url=site.settings.server.public_base_url)


def _open_vault(site: Site) -> tuple[IdentityVault, Callable[[int], list[AuditRecord]]]:
    """In its own process where the settings say so, else in this one; and who read what."""
    if site.settings.vault.address is not None:
        remote, client = reach_vault(site.settings.vault, site.folder)
        site.closers.append(client.close)
        return remote, remote.opened_since
    parts = open_vault(
        site.settings,
        site.folder,
        passphrase=site.passphrase,
        random=site.random,
        now=site.seconds,
    )
    site.closers.append(parts.close)
    if site.settings.retention.scheduled:
        site.every(
            ROUND_SECONDS,
            "vault-retention",
            lambda: _destroyed(parts.retention.destroy(now=site.seconds())),
        )
    return parts.vault, parts.opened_since


def _destroyed(past: object) -> None:
    """Say in the log how much a retention clock destroyed: counts alone."""
    counts = {name: getattr(past, name) for name in getattr(past, "__slots__", ())}
    if any(counts.values()):
        _log.info("destroyed what was past its term: %s", counts)

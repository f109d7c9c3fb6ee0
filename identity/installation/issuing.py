"""Joins the issuer: agencies, stores, vault, registry, background work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.issuer_batch_store import SqlBatchStore
from identity.adapters.issuer_flow_store import SqlAuthorizationStore, SqlDeferredStore
from identity.adapters.issuer_issuance_store import SqlIssuanceStore
from identity.adapters.issuer_offer_store import SqlOfferStore
from identity.adapters.issuer_status_store import SqlStatusStore
from identity.adapters.person_record_store import SqlRecordStore
from identity.core.access import AccessKeys
from identity.core.credential_types import Catalogue
from identity.core.jsonld import ContextStore
from identity.core.parties import Agency
from identity.core.person_record import MAX_ENTRIES
from identity.issuer.anchoring import Sealer
from identity.issuer.desks import Desks
from identity.issuer.identification import CitizenIdentification
from identity.issuer.life_events import RestingCredentials
from identity.issuer.parts import AgencyOptions, IssuerParts
from identity.issuer.person_record import Looks, OwnRecordDesk, RecordKeeper
from identity.issuer.record_routes import build_record_router
from identity.issuer.routes import build_router
from identity.issuer.status import StatusPublisher
from identity.issuer.vc_api import VcApiProfile
from identity.issuer.worker import IssuerWorker
from identity.realname.service import RealNames
from identity.vault.ports import IdentityVault
from registry.client import RegistryClient
from registry.routers import join_routers


@dataclass(frozen=True, slots=True)
class IssuerService:
    """The issuer's routes, its background work, and what ends everything of one person."""

    router: APIRouter
    worker: IssuerWorker
    resting: RestingCredentials
    keeper: RecordKeeper
    parts: IssuerParts


def build_issuer(
    *,
    agencies: Sequence[Agency],
    catalogue: Catalogue,
    contexts: ContextStore,
    country: str,
    engine: Engine,
    registry: RegistryClient,
    real_names: RealNames,
    vault: IdentityVault,
    access: AccessKeys,
    random: Callable[[int], bytes],
    clock: Callable[[], datetime],
    profiles: Mapping[str, VcApiProfile],
    options: Mapping[str, AgencyOptions],
    gathers: bool,
    looks: Looks,
    identification: Mapping[str, CitizenIdentification],
) -> IssuerService:
    """Everything below `/issuers`, and the rounds of its worker.

    `profiles` are the instances for conformance runs, by slug; empty everywhere else.
    """
    parts = IssuerParts(
        agencies={agency.slug: agency for agency in agencies},
        catalogue=catalogue,
        contexts=contexts,
        network=registry.network,
        issuing_country=country,
        random=random,
        offers=SqlOfferStore(engine),
        issuances=SqlIssuanceStore(engine, random=random),
        statuses=SqlStatusStore(engine),
        batches=SqlBatchStore(engine),
        authorizations=SqlAuthorizationStore(engine),
        deferred=SqlDeferredStore(engine),
        registry=registry,
        persons=real_names,
        vault=vault,
        agency_options=options,
        gathers=gathers,
    )
    publisher = StatusPublisher(parts)
    records = SqlRecordStore(engine)
    desks = Desks.open(parts, publisher, profiles=profiles, identification=identification)
    router = build_router(desks, access=access, clock=clock)
    own_records = OwnRecordDesk(parts, records, limit=MAX_ENTRIES)
    return IssuerService(
        router=join_routers(router, build_record_router(own_records, clock=clock)),
        worker=IssuerWorker(parts, Sealer(parts), publisher),
        resting=RestingCredentials(parts, desks.statuses, clock=clock),
        keeper=RecordKeeper(parts, records, looks),
        parts=parts,
    )

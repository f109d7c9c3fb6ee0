"""The composition root: the one place that joins ports to adapters and services to each other.

Nothing else may import the registry's engine or API; see docs/decisions/0004 and 0013.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine

from identity.adapters.access_keys import DigestAccessKeys, UnsafeOpenAccess
from identity.adapters.bounded_fetch import AllowedPlace, BoundedFetcher
from identity.adapters.certificate_store import SqlCertificates
from identity.adapters.own_documents import OwnDocuments
from identity.adapters.person_record_store import AuditedLooks
from identity.adapters.schema_files import (
    load_catalogue,
    load_context_store,
    load_foreign_schemas,
)
from identity.adapters.secret_files import issue_access_keys, read_access_digests, read_passphrase
from identity.adapters.status_fetcher import LocalRead
from identity.adapters.web_documents import FetchedWebDocuments
from identity.adapters.worker import Worker
from identity.app import create_app
from identity.config import Environment, Settings, VerifierSettings
from identity.consortium import OFFICE_KEYS, Assembly, open_local_members
from identity.core.access import AccessKeys
from identity.core.certificates import to_pem
from identity.core.signing import NamedSigner
from identity.core.verification.policy import (
    Policy,
    Rule,
    Trust,
    conformance_policy,
    proof_only_policy,
    strict_policy,
    weakened_policy,
)
from identity.core.verification.verdict import Check
from identity.installation import conformance, parties
from identity.installation.agency_options import open_options
from identity.installation.certificates import CertificateDesk, Certified, open_root, read_roots
from identity.installation.conformance import Instance
from identity.installation.databases import open_identity_database
from identity.installation.folder import DataFolder
from identity.installation.guardians import build_guardians
from identity.installation.issuing import build_issuer
from identity.installation.key_ring import KeyRing
from identity.installation.opening import GATE_KEYS, build_opening
from identity.installation.real_names import (
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
from identity.installation.verifying import build_verifier
from identity.publishing.did_routes import build_router as build_did_router
from identity.publishing.root_routes import build_router as build_root_router
from identity.realname.ports import IdentitySealing
from identity.realname.routes import build_router as build_realname_router
from identity.vault.ports import IdentityVault
from identity.vault.records import AuditRecord
from registry import problems
from registry.api.app import create_app as create_registry_app
from registry.api.docs_page import install_docs
from registry.api.forwarding import build_forwarding_router
from registry.api.resolution_routes import build_resolution_router, build_resolver_router
from registry.api.routes import build_router as build_registry_router
from registry.api.submission_limit import NewDidLimit
from registry.client import AsgiTransport, HttpTransport, RegistryClient, Transport
from registry.client.forks import ForkSeen, ForkWatch
from registry.client.members import MembersTransport
from registry.client.transport import SUBMIT_SECONDS
from registry.client.trust_store import FileTrustStore
from registry.consortium.local_network import LocalNetwork
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.cosignature import parse_witness_key
from registry.core.did_web import MAX_DOCUMENT_BYTES, web_did
from registry.core.refusals import Malformed, Refusal, Unavailable
from registry.ledger.embedded.engine import EmbeddedLedger
from registry.witness.collector import Collector, WitnessEndpoint
from registry.witness.cosigned import CosignedHeadStore

_log = logging.getLogger("identity.compose")

SEAL_SECONDS = 0.5  # how often batches are sealed and status lists looked after
FORK_SECONDS = 10.0  # how often members are compared
RECORD_SECONDS = 2.0  # how often people's own records take note of what happened
WITNESS_SECONDS = 3.0  # patience with one witness
RENEW_SECONDS = 3600.0  # how often certificates are looked after
PURGE_SECONDS = 10.0  # how often expired requests are deleted


@dataclass(slots=True)
class Composition:
    """A running installation: an application, its background work, and what to close."""

    settings: Settings
    folder: DataFolder
    trust: AnyTrustAnchor
    app: FastAPI
    workers: list[Worker] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)
    instances: tuple[Instance, ...] = ()  # for outside test suites; only in conformance

    def start(self) -> None:
        """Begin the background work."""
        for worker in self.workers:
            worker.start()

    def close(self) -> None:
        """End the background work, then close stores; every closer runs."""
        for worker in self.workers:
            worker.stop()
        for close in reversed(self.closers):
            with suppress(Exception):
                close()


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
    builder = _Builder(settings, random=random, clock=clock)
    try:
        return builder.build()
    except BaseException:
        for close in reversed(builder.closers):
            with suppress(Exception):
                close()
        raise


class _Builder:
    """Opens things in order and remembers how to close them."""

    def __init__(
        self,
        settings: Settings,
        *,
        random: Callable[[int], bytes],
        clock: Callable[[], datetime],
    ) -> None:
        self.closers: list[Callable[[], None]] = []
        self._settings = settings
        self._services = frozenset(settings.server.services)
        self._random = random
        self._clock = clock
        self._folder = DataFolder(settings.server.data_dir)
        self._folder.make()
        self._trust_store: FileTrustStore | None = None  # only a consortium is followed
        self._passphrase = read_passphrase(
            settings.keys,
            environment=settings.server.environment,
            folder=self._folder.secrets,
            random=random,
        )
        self._ring = KeyRing(self._folder, self._passphrase, random)
        self._instances = conformance.open_instances(settings)
        self._catalogue = load_catalogue(settings.schema_base)
        self._contexts = load_context_store(self._catalogue)
        self._read_own: LocalRead = _nothing_is_ours

    def build(self) -> Composition:
        """Open, join, found."""
        routers: list[APIRouter] = []
        workers: list[Worker] = []
        transport, trust = self._open_registry(routers, workers)
        registry = self._client(transport, trust)
        if isinstance(transport, MembersTransport):
            workers.append(self._fork_watch(registry, transport))
        if "issuer" in self._services and self._is_founder:
            self._found(self._founding_client(transport, trust))
        access = self._open_access()
        engine: Engine | None = None
        if self._services & {"issuer", "verifier"}:
            engine = open_identity_database(self._settings, self._folder)
            self.closers.append(engine.dispose)
            certified = self._open_certificates(routers, engine)
            workers.append(
                Worker("certificates", certified.renew_due, interval_seconds=RENEW_SECONDS)
            )
        if "issuer" in self._services and engine is not None:
            opening = build_opening(
                self._settings.opening,
                engine=engine,
                gate_file=self._folder.keys / GATE_KEYS,
                passphrase=self._passphrase,
                registry=registry,
                random=self._random,
                now=self._seconds,
            )
            routers += opening.routers
            self._add_issuer(routers, workers, engine, registry, access, certified, opening.sealer)
        if "verifier" in self._services and engine is not None:
            self._add_verifier(routers, workers, engine, registry, trust, access, certified)
        app = create_app(self._settings, catalogue=self._catalogue, routers=routers)
        install_docs(app)
        return Composition(
            settings=self._settings,
            folder=self._folder,
            trust=trust,
            app=app,
            workers=workers,
            closers=self.closers,
            instances=self._instances,
        )

    def _open_certificates(self, routers: list[APIRouter], engine: Engine) -> Certified:
        root = open_root(
            self._ring,
            network=self._settings.ledger.network,
            country=self._settings.server.country,
            may_make=self._is_founder,
            now=self._clock(),
        )
        if root is not None:
            routers.append(build_root_router(to_pem(root.certificate)))
        desk = CertificateDesk(root, SqlCertificates(engine), random=self._random)
        return Certified(desk, self._settings, clock=self._clock)

    def _found(self, registry: RegistryClient) -> None:
        """Put on the ledger what is missing there; the folder holds the root member's key."""
        away = () if "registry" in self._services else (Unavailable,)
        with suppress(*away):  # a start while the ledger is away goes on with what was founded
            parties.found(
                self._ring,
                self._settings,
                network=self._settings.ledger.network,
                root=self._root_signer(registry),
                registry=registry,
                catalogue=self._catalogue,
                more_agencies=conformance.status_agencies(self._settings),
            )

    @property
    def _is_founder(self) -> bool:
        """Whether keys that may found lie here: the root member's, or a local network's."""
        return self._settings.ledger.local_network is not None or parties.may_found(self._ring)

    def _root_signer(self, registry: RegistryClient) -> NamedSigner:
        """Who accredits and registers: the only member, or an office that the members voted for."""
        path = self._settings.ledger.local_network
        if path is None:
            genesis = parties.open_genesis(self._ring, self._settings, now=self._seconds)
            return parties.open_root_member(self._ring, genesis)
        network = LocalNetwork(path)
        members = open_local_members(network, random=self._random)
        assembly = Assembly(registry, self._settings.ledger.network, members)
        types = [kind.name for kind in self._catalogue]
        return assembly.found_office(self._ring.open("office", OFFICE_KEYS), types)

    def _founding_client(self, transport: Transport, trust: AnyTrustAnchor) -> RegistryClient:
        """Founding reads what it has just written, which no witness can have seen yet.

        The ledger in this process is its own; one elsewhere is believed under its witnesses only.
        """
        if "registry" in self._services:
            trust = replace(trust, witnesses=None)
        return self._client(transport, trust)

    def _client(self, transport: Transport, trust: AnyTrustAnchor) -> RegistryClient:
        return RegistryClient(
            transport, trust, time.monotonic, random=self._random, store=self._trust_store
        )

    def _fork_watch(self, registry: RegistryClient, members: MembersTransport) -> Worker:
        """Compare what we believe with what each member shows."""
        watch = ForkWatch(
            registry.head_trust,
            members.members,
            evidence=self._folder.fork_evidence,
            clock=time.time,
        )

        def look() -> None:
            registry.follow()
            _look_for_forks(watch)

        return Worker("forks", look, interval_seconds=FORK_SECONDS)

    def _open_witnesses(
        self, ledger: EmbeddedLedger, trust: AnyTrustAnchor, workers: list[Worker]
    ) -> CosignedHeadStore | None:
        """Have every head co-signed, where the trust anchor names witnesses."""
        if trust.witnesses is None:
            return None
        store = CosignedHeadStore(self._folder.cosigned_heads, trust)
        self.closers.append(store.close)
        endpoints = []
        for witness in self._settings.ledger.witnesses:
            transport = HttpTransport(witness.url, timeout_seconds=WITNESS_SECONDS)
            self.closers.append(transport.close)
            endpoints.append(WitnessEndpoint(parse_witness_key(witness.key), transport))
        collector = Collector(ledger=ledger, trust=trust, witnesses=endpoints, store=store)
        self.closers.append(collector.close)
        workers.append(Worker("witnesses", lambda: _once(collector), interval_seconds=SEAL_SECONDS))
        return store

    def _open_registry(
        self, routers: list[APIRouter], workers: list[Worker]
    ) -> tuple[Transport, AnyTrustAnchor]:
        settings = self._settings
        if settings.ledger.engine == "consortium":
            return self._open_consortium(routers)
        if "registry" not in self._services:
            if settings.ledger.registry_url is None or settings.ledger.trust_anchor is None:
                raise Malformed(
                    "without the registry in this process, ledger.registry_url and "
                    "ledger.trust_anchor are needed"
                )
            remote = HttpTransport(settings.ledger.registry_url, post_seconds=SUBMIT_SECONDS)
            self.closers.append(remote.close)
            return remote, parties.read_trust_anchor(settings.ledger.trust_anchor)
        genesis = parties.open_genesis(self._ring, settings, now=self._seconds)
        trust = parties.open_trust_anchor(self._ring, settings, genesis)
        ledger = EmbeddedLedger.open(
            self._folder.ledger,
            genesis=genesis,
            signer=parties.open_head_key(self._ring, settings),
            now=self._seconds,
            head_store=self._folder.head_store,
        )
        self.closers.append(ledger.close)
        cosigned = self._open_witnesses(ledger, trust, workers)
        local = AsgiTransport(create_registry_app(ledger, trust, cosigned=cosigned))
        self.closers.append(local.close)
        per_hour = settings.ledger.new_dids_per_hour
        routers.append(
            build_registry_router(
                ledger,
                trust,
                new_dids=NewDidLimit(per_hour) if per_hour else None,
                cosigned=cosigned,
            )
        )
        routers.append(build_resolution_router(ledger, self._web_documents()))
        return local, trust

    def _web_documents(self) -> FetchedWebDocuments:
        return FetchedWebDocuments(
            local=lambda url, accept: self._read_own(url, accept),
            remote=BoundedFetcher(
                self._places(), clock=time.monotonic, max_bytes=MAX_DOCUMENT_BYTES
            ),
            public_base_url=self._settings.server.public_base_url,
            clock=time.monotonic,
        )

    def _open_consortium(self, routers: list[APIRouter]) -> tuple[Transport, AnyTrustAnchor]:
        """Several members are asked and none is believed; who asks here is passed on to them."""
        ledger = self._settings.ledger
        if ledger.trust_anchor is None:
            raise Malformed("a consortium needs ledger.trust_anchor")
        trust = parties.read_trust_anchor(ledger.trust_anchor)
        parties.publish_trust_anchor(self._ring, trust)
        remotes = [HttpTransport(url, post_seconds=SUBMIT_SECONDS) for url in ledger.members]
        self.closers += [remote.close for remote in remotes]
        members = MembersTransport(remotes)
        self._trust_store = FileTrustStore(self._folder.followed_anchor)
        self.closers.append(self._trust_store.close)
        if "registry" in self._services:
            registry = self._client(members, trust)
            per_hour = ledger.new_dids_per_hour
            routers.append(
                build_forwarding_router(
                    members, new_dids=NewDidLimit(per_hour) if per_hour else None
                )
            )
            routers.append(
                build_resolver_router(
                    read=registry.record, height=registry.height, web=self._web_documents()
                )
            )
        return members, trust

    def _open_access(self) -> AccessKeys:
        settings = self._settings
        scopes = [f"issuer:{agency.slug}" for agency in settings.agencies]
        scopes += [f"verifier:{verifier.slug}" for verifier in settings.verifiers]
        scopes += [f"officer:{name}" for name in settings.vault.officers]
        scopes += [
            f"officer:{agency.slug}/{name}"
            for agency in settings.agencies
            for name in agency.officers
        ]
        secrets = self._folder.secrets
        missing = [scope for scope in scopes if scope not in read_access_digests(secrets)]
        if missing and settings.server.environment is not Environment.PRODUCTION:
            issue_access_keys(missing, folder=secrets, keep=True, random=self._random)
        open_scopes = {f"issuer:{agency.slug}" for agency in settings.agencies if agency.open}
        open_scopes |= {f"verifier:{party.slug}" for party in settings.verifiers if party.open}
        open_scopes |= {f"issuer:{instance.settings.slug}" for instance in self._instances}
        closed = DigestAccessKeys(read_access_digests(secrets))
        return _PartlyOpen(closed, frozenset(open_scopes)) if open_scopes else closed

    def _add_issuer(
        self,
        routers: list[APIRouter],
        workers: list[Worker],
        engine: Engine,
        registry: RegistryClient,
        access: AccessKeys,
        certified: Certified,
        sealing: IdentitySealing | None,
    ) -> None:
        vault, looks = self._open_vault(workers)
        register, client = build_register(
            self._settings.population_register, random=self._random, now=self._seconds
        )
        if client is not None:
            self.closers.append(client.close)
        digests = read_access_digests(self._folder.secrets)
        officers = {
            agency.slug: Officers(agency.officers, digests, under=f"officer:{agency.slug}/")
            for agency in self._settings.agencies
        }
        proofing = build_proofing(
            self._settings,
            engine=engine,
            vault=vault,
            register=register,
            access=access,
            officer_of=lambda agency, presented: officer_at(officers, agency, presented),
            random=self._random,
            now=self._seconds,
        )
        self.closers.extend(proofing.closers)
        workers.append(Worker("proofing", proofing.sweep, interval_seconds=PURGE_SECONDS))
        if self._settings.retention.scheduled:
            people = build_people_retention(self._settings.retention, engine=engine, vault=vault)
            workers.append(
                Worker(
                    "retention",
                    lambda: _destroyed(people.destroy(now=self._seconds())),
                    interval_seconds=ROUND_SECONDS,
                )
            )
        review = build_review(engine, random=self._random, now=self._seconds)
        real_names = build_real_names(
            engine=engine,
            review=review,
            vault=vault,
            sources=proofing.sources,
            random=self._random,
            now=self._seconds,
            sealing=sealing,
        )
        agencies = tuple(
            certified.agency(agency) for agency in parties.open_agencies(self._ring, self._settings)
        )
        issuer = build_issuer(
            agencies=(
                *agencies,
                *conformance.open_status_agencies(self._ring, self._settings, self._instances),
            ),
            catalogue=self._catalogue,
            contexts=self._contexts,
            country=self._settings.server.country,
            engine=engine,
            registry=registry,
            real_names=real_names,
            vault=vault,
            access=access,
            random=self._random,
            clock=self._clock,
            profiles={instance.settings.slug: instance.profile for instance in self._instances},
            options=open_options(self._ring, self._settings),
            gathers=self._settings.gathers,
            looks=AuditedLooks(looks),
            identification=build_identification(self._settings, proofing, real_names),
        )
        with suppress(Refusal):  # a ledger that is away now must not keep verifying from starting
            issuer.worker.prepare(self._clock())
        documents = build_did_router(
            dids={
                agency.slug: (agency.did, name)
                for agency in agencies
                if (name := web_did(agency.issuer_url)) is not None
            },
            resolve=registry.resolve,
        )
        routers += [
            build_realname_router(real_names=real_names, access=access),
            proofing.router,
            build_life_events(
                engine,
                vault=vault,
                register=register,
                review=review,
                hooks=[issuer.resting],
                sealing=sealing,
                access=access,
                officer_of=Officers(self._settings.vault.officers, digests),
                now=self._seconds,
            ),
            build_recovery(
                engine,
                real_names=real_names,
                ending=issuer.resting,
                access=access,
                now=self._seconds,
            ),
            build_guardians(
                engine,
                parts=issuer.parts,
                ending=issuer.resting,
                random=self._random,
                now=self._seconds,
                min_wait_seconds=self._settings.issuing.guardian_min_wait_seconds,
            ),
            issuer.router,
            documents,
        ]
        workers.append(
            Worker(
                "issuer",
                lambda: issuer.worker.run_once(self._clock()),
                interval_seconds=SEAL_SECONDS,
            )
        )
        workers.append(
            Worker(
                "records",
                lambda: issuer.keeper.run_once(self._seconds()),
                interval_seconds=RECORD_SECONDS,
            )
        )
        own_app = FastAPI()
        problems.install(own_app)
        own_app.include_router(issuer.router)
        own_app.include_router(documents)
        own = AsgiTransport(own_app)
        self.closers.append(own.close)
        base = self._settings.server.public_base_url
        self._read_own = OwnDocuments(own, public_base_url=base)

    def _open_vault(
        self, workers: list[Worker]
    ) -> tuple[IdentityVault, Callable[[int], list[AuditRecord]]]:
        """In its own process where the settings say so, else in this one; and who read what."""
        if self._settings.vault.address is not None:
            remote, client = reach_vault(self._settings.vault, self._folder)
            self.closers.append(client.close)
            return remote, remote.opened_since
        parts = open_vault(
            self._settings,
            self._folder,
            passphrase=self._passphrase,
            random=self._random,
            now=self._seconds,
        )
        self.closers.append(parts.close)
        if self._settings.retention.scheduled:
            workers.append(
                Worker(
                    "vault-retention",
                    lambda: _destroyed(parts.retention.destroy(now=self._seconds())),
                    interval_seconds=ROUND_SECONDS,
                )
            )
        return parts.vault, parts.opened_since

    def _add_verifier(
        self,
        routers: list[APIRouter],
        workers: list[Worker],
        engine: Engine,
        registry: RegistryClient,
        trust: AnyTrustAnchor,
        access: AccessKeys,
        certified: Certified,
    ) -> None:
        asking = tuple(
            certified.party(party)
            for party in parties.open_relying_parties(self._ring, self._settings)
        )
        verifier = build_verifier(
            parties=asking,
            policies={party.slug: policy_of(party) for party in self._settings.verifiers},
            places=self._places(),
            local=self._read_own,
            public_base_url=self._settings.server.public_base_url,
            certificate_roots=read_roots(self._folder.root_certificate),
            catalogue=self._catalogue,
            schemas=load_foreign_schemas(self._settings.foreign_schemas.files),
            contexts=self._contexts,
            trust=trust,
            engine=engine,
            registry=registry,
            access=access,
            random=self._random,
            clock=self._clock,
        )
        documents = build_did_router(
            dids={
                party.slug: (party.did, name)
                for party in asking
                if (name := web_did(party.verifier_url)) is not None
            },
            resolve=registry.resolve,
            kind="verifiers",
        )
        routers += [verifier.router, documents]
        workers.append(Worker("verifier", verifier.purge, interval_seconds=PURGE_SECONDS))

    def _places(self) -> list[AllowedPlace]:
        return [
            AllowedPlace(origin=place.origin, networks=place.networks)
            for place in self._settings.places
        ]

    def _seconds(self) -> int:
        return int(self._clock().timestamp())


class _PartlyOpen:
    """Access keys for most scopes, and conformance instances that ask for none."""

    def __init__(self, closed: AccessKeys, open_scopes: frozenset[str]) -> None:
        self._closed = closed
        self._open = UnsafeOpenAccess()
        self._open_scopes = open_scopes

    def check(self, scope: str, presented: str | None) -> None:
        """As `AccessKeys.check`."""
        keys = self._open if scope in self._open_scopes else self._closed
        keys.check(scope, presented)


def policy_of(verifier: VerifierSettings) -> Policy:
    """The policy of a relying party: strict, unless a conformance configuration says otherwise."""
    if verifier.policy.kind == "conformance":
        return conformance_policy(verifier.slug)
    if verifier.policy.kind == "proof-only":
        return proof_only_policy(verifier.slug)
    waived = {Check(name): Rule.WAIVED for name in verifier.policy.waived}
    trusted = frozenset(verifier.policy.trusted_issuers)
    if not waived:
        return strict_policy(verifier.slug, trusted_keys=trusted)
    return weakened_policy(
        verifier.slug,
        weaker=waived,
        trusted_issuers=Trust.ANY_ACCREDITED,
        trusted_keys=trusted,
        dangerous_because="waived by a conformance configuration",
    )


def _look_for_forks(watch: ForkWatch) -> None:
    try:
        watch.look()
    except ForkSeen as fork:
        _log.critical("%s; the evidence is in %s", fork.detail, fork.evidence.name)


def _once(collector: Collector) -> None:
    collector.run_once()


def _destroyed(past: object) -> None:
    """Say in the log how much a retention clock destroyed: counts alone."""
    counts = {name: getattr(past, name) for name in getattr(past, "__slots__", ())}
    if any(counts.values()):
        _log.info("destroyed what was past its term: %s", counts)


def _nothing_is_ours(_url: str, _accept: str) -> bytes | None:
    return None

"""An issuer on a database file with everything around it in memory, and a wallet to talk to it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.adapters.database import Base
from identity.adapters.issuer_batch_store import SqlBatchStore
from identity.adapters.issuer_flow_store import SqlAuthorizationStore, SqlDeferredStore
from identity.adapters.issuer_issuance_store import SqlIssuanceStore
from identity.adapters.issuer_offer_store import SqlOfferStore
from identity.adapters.issuer_status_store import SqlStatusStore
from identity.adapters.key_files import key_from_seed
from identity.adapters.schema_files import load_catalogue, load_contexts
from identity.config import AgencySettings
from identity.core.certificates import NO_CERTIFICATES, CertificateChain
from identity.core.jose import parse_compact
from identity.core.jsonld import ContextStore
from identity.core.jwe import DecryptionKey
from identity.core.parties import Agency
from identity.core.signing import NamedSigner
from identity.installation.founding import Founder, FoundingRegistry, Method
from identity.issuer.anchoring import Sealer
from identity.issuer.desks import Desks
from identity.issuer.parts import AgencyOptions, IssuerParts
from identity.issuer.routes import build_router
from identity.issuer.status import StatusPublisher
from identity.issuer.vc_api import VcApiProfile
from identity.issuer.worker import IssuerWorker
from identity.realname.ports import BindingClosed
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType
from registry.core.refusals import NotFound
from registry.problems import install
from tests.databases import database_with
from tests.identity.issuer.ledger_in_memory import GOVERNANCE, NETWORK, MemoryRegistry
from tests.identity.issuer.wallet_side import ALICE, WalletSide
from tests.lent import Lent

BASE = "https://id.example"
ACCESS_KEY = "an access key that nobody else has"
BEARER = {"Authorization": f"Bearer {ACCESS_KEY}"}
START = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
ALICE_FACTS = {
    "family_name": "Kestrel",
    "given_name": "Alice",
    "birth_date": "2004-02-29",
    "sex": "female",
    "nationality": "CN",
    "assurance_level": "IAL2",
    "locality": "Riverton",
    "country": "CN",
}
CATALOGUE = load_catalogue(f"{BASE}/schemas")
CONTEXTS = ContextStore(load_contexts(CATALOGUE))
REQUEST_KEY = DecryptionKey(ec.derive_private_key(2**200 + 7, ec.SECP256R1()))
REGISTRAR_TYPES = (
    "resident-identity",
    "residence",
    "degree",
    "driving-licence",
    "guardianship",
    "power-of-attorney",
)


class Randomness:
    """Bytes that look random, differ between calls, and are the same in every run."""

    def __init__(self, seed: bytes = b"seed") -> None:
        self._seed, self._count = seed, 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        label = self._seed + self._count.to_bytes(8, "big")
        return hashlib.shake_256(label).digest(size)


class MemoryPersons:
    """Keeps the promises of `PersonClaims`; remembers who read what."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {ALICE: dict(ALICE_FACTS)}
        self.reads: list[tuple[str, tuple[str, ...], str, str]] = []
        self.closed: dict[str, bool] = {}  # by subject: whether it is for incapacity alone

    def claims(
        self,
        subject: str,
        *,
        names: Iterable[str],
        purpose: str,
        actor: str,
        incapacitated: bool = False,
    ) -> Mapping[str, Any]:
        wanted = tuple(names)
        self.reads.append((subject, wanted, purpose, actor))
        if subject not in self.people:
            raise NotFound("nobody was enrolled under this subject")
        if subject in self.closed and not (incapacitated and self.closed[subject]):
            raise BindingClosed("nothing is issued to this subject now")
        known = self.people[subject]
        return {name: known[name] for name in wanted if name in known}


class MemoryVault:
    """Keeps the promises of `Vault`."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.forgotten: list[str] = []

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        assert all((owner, kind, data))
        ref = f"row-{len(self.rows) + len(self.forgotten)}"
        self.rows[ref] = data
        return ref

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        assert all((purpose, actor))
        if ref not in self.rows:
            raise NotFound("nothing is sealed under this reference")
        return self.rows[ref]

    def forget(self, ref: str) -> None:
        self.rows.pop(ref, None)
        self.forgotten.append(ref)


@dataclass
class Clock:
    """A clock that moves when a test says so."""

    value: datetime = START

    def __call__(self) -> datetime:
        return self.value

    def forward(self, **amount: float) -> None:
        self.value += timedelta(**amount)


class Crash(BaseException):
    """The process dies here: nothing may catch it."""


class Crashing:
    """Wraps a port; the call that `plan` names dies before, or after, it took effect."""

    def __init__(self, inner: Any, plan: "CrashPlan") -> None:
        self._inner, self._plan = inner, plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self._plan.step(name, before=True)
            result = method(*args, **kwargs)
            self._plan.step(name, before=False)
            return result

        return call


@dataclass
class CrashPlan:
    """Dies at point number `at`; each call has a point before it and one after it."""

    at: int | None = None
    seen: int = 0
    names: list[str] = field(default_factory=list)

    def step(self, name: str, *, before: bool) -> None:
        self.seen += 1
        self.names.append(f"{'before' if before else 'after'} {name}")
        if self.at == self.seen:
            raise Crash(self.names[-1])


def _application(parts: Mapping[str, Any]) -> FastAPI:
    desks = Desks(**{part.name: parts[part.name] for part in fields(Desks)})
    access = DigestAccessKeys({"issuer:registrar": access_key_digest(ACCESS_KEY)})
    app = FastAPI(routes=build_router(desks, access=access, clock=parts["clock"]).routes)
    install(app)
    return app


_LENT = Lent(_application, (*(part.name for part in fields(Desks)), "clock"))


class Workbench(WalletSide):
    """One issuer process. Two of them on one folder are two instances."""

    def __init__(
        self,
        folder: Path,
        *,
        registry: MemoryRegistry | None = None,
        clock: Clock | None = None,
        persons: MemoryPersons | None = None,
        vault: MemoryVault | None = None,
        seed: bytes = b"seed",
        plan: CrashPlan | None = None,
        profiles: Mapping[str, VcApiProfile] | None = None,
        options: AgencyOptions | None = None,
        database: str | None = None,
        certificates: CertificateChain = NO_CERTIFICATES,
        gathers: bool = False,
    ) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.registry = registry or MemoryRegistry(int(START.timestamp()))
        self.persons = persons or MemoryPersons()
        self.vault = vault or MemoryVault()
        self.random = Randomness(seed)
        self.engine = database_with(
            Base.metadata, database or f"sqlite:///{folder / 'identity.db'}"
        )
        self.agency = replace(
            make_agency(self.registry, "registrar", REGISTRAR_TYPES), certificates=certificates
        )
        self.other = make_agency(self.registry, "university", ("degree",))
        self.options = options or AgencyOptions(request_key=REQUEST_KEY)
        plan = plan or CrashPlan()
        self.plan = plan
        self.parts = IssuerParts(
            agencies={"registrar": self.agency, "university": self.other},
            catalogue=CATALOGUE,
            contexts=CONTEXTS,
            network=NETWORK,
            issuing_country="CN",
            random=self.random,
            offers=Crashing(SqlOfferStore(self.engine), plan),
            issuances=Crashing(SqlIssuanceStore(self.engine, random=self.random), plan),
            statuses=Crashing(SqlStatusStore(self.engine), plan),
            batches=Crashing(SqlBatchStore(self.engine), plan),
            authorizations=Crashing(SqlAuthorizationStore(self.engine), plan),
            deferred=Crashing(SqlDeferredStore(self.engine), plan),
            registry=Crashing(self.registry, plan),
            persons=self.persons,
            vault=Crashing(self.vault, plan),
            agency_options={"registrar": self.options},
            gathers=gathers,
        )
        self.publisher = StatusPublisher(self.parts)
        self.sealer = Sealer(self.parts)
        self.worker = IssuerWorker(self.parts, self.sealer, self.publisher)
        self.profiles = profiles
        self.issuer = f"{BASE}/issuers/registrar"
        self.bearer = BEARER

    @cached_property
    def http(self) -> TestClient:
        """The application; borrowed when a test first speaks HTTP."""
        desks = Desks.open(self.parts, self.publisher, profiles=self.profiles)
        behind = {part.name: getattr(desks, part.name) for part in fields(desks)}
        return _LENT.borrow({**behind, "clock": self.clock}, base_url=BASE)

    def restarted(self, *, plan: CrashPlan | None = None, seed: bytes = b"again") -> "Workbench":
        """Another process on the same database and the same neighbours."""
        self.engine.dispose()
        return Workbench(
            self.folder,
            registry=self.registry,
            clock=self.clock,
            persons=self.persons,
            vault=self.vault,
            seed=seed,
            plan=plan,
        )


def make_agency(
    registry: FoundingRegistry, slug: str, types: tuple[str, ...], *, root: str | None = None
) -> Agency:
    """An agency with a DID and an accreditation on the ledger; repeatable."""

    def key(kind: KeyType, name: str) -> Any:
        return key_from_seed(kind, hashlib.sha256(f"{slug} {name}".encode()).digest())

    ledger = key(KeyType.ED25519, "ledger")
    data_integrity = key(KeyType.ED25519, "di")
    jose = key(KeyType.P256, "jose")
    url = f"{BASE}/issuers/{slug}"
    if root is None:
        assert isinstance(registry, MemoryRegistry)
        root = registry.root
    founder = Founder(registry, network=NETWORK, root=NamedSigner(GOVERNANCE, root))
    did = founder.create_did(
        [
            Method("ledger-1", ledger, "capabilityInvocation"),
            Method("di-1", data_integrity, "assertionMethod"),
            Method("jose-1", jose, "assertionMethod"),
        ],
        also_known_as=[url],
    )
    founder.accredit(
        did, AgencySettings(slug=slug, name={"en": "Registrar", "zh": "登记处"}, types=types)
    )
    if isinstance(registry, MemoryRegistry):
        registry.submitted.clear()
    return Agency(
        slug=slug,
        name={"en": "Registrar", "zh": "登记处"},
        did=did,
        issuer_url=url,
        credential_types=types,
        ledger=NamedSigner(ledger, f"{did}#ledger-1"),
        data_integrity=NamedSigner(data_integrity, f"{did}#di-1"),
        jose=NamedSigner(jose, f"{did}#jose-1"),
    )


def payload_of(credential: str) -> JsonObject:
    """Payload of an SD-JWT, not verified."""
    return parse_compact(credential.split("~", 1)[0]).claims

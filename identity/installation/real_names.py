"""Joins the vault, the population register and the bindings."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx2
from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.embedded_register import EmbeddedRegister, invented_people
from identity.adapters.guardian_store import SqlGuardianStore
from identity.adapters.http_register import CircuitBreaker, HttpRegister, register_client
from identity.adapters.oidc_provider import OidcProvider, ProviderClient
from identity.adapters.proofing_store import SqlLoginStore, SqlSittingStore
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.stdnum_schemes import standard_schemes
from identity.config import RegisterSettings, Settings
from identity.core.access import AccessKeys
from identity.core.proofing import claimed_evidence
from identity.issuer.identification import CitizenIdentification, NotIdentified
from identity.realname.decisions import Decisions
from identity.realname.in_person import InPersonDesk
from identity.realname.life_events import LifeEventHook, LifeEvents
from identity.realname.life_routes import build_router as build_life_router
from identity.realname.oidc_login import OidcDesk
from identity.realname.ports import IdentitySealing, PopulationRegister
from identity.realname.proofing import ProofingSource, RegisterSource
from identity.realname.proofing_routes import build_router as build_proofing_router
from identity.realname.provider_identification import ProviderIdentification
from identity.realname.recovery import EndsAll, RecoveryDesk
from identity.realname.recovery_routes import build_router as build_recovery_router
from identity.realname.review import ReviewDesk
from identity.realname.service import RealNames
from identity.vault.ports import IdentityVault
from registry.core.keys import parse_multikey
from registry.core.refusals import Malformed

BREAKER_FAILURES, BREAKER_PAUSE_SECONDS = 5, 30.0


def build_real_names(
    *,
    engine: Engine,
    vault: IdentityVault,
    sources: Mapping[str, ProofingSource],
    random: Callable[[int], bytes],
    now: Callable[[], int],
    review: ReviewDesk,
    sealing: IdentitySealing | None,
) -> RealNames:
    """Enrolment and verified facts."""
    return RealNames(
        schemes=standard_schemes(),
        sources=sources,
        vault=vault,
        bindings=SqlBindingStore(engine),
        random=random,
        now=now,
        review=review,
        sealing=sealing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofing:
    """The ways of proofing, and the routes that the other ways need."""

    sources: Mapping[str, ProofingSource]
    router: APIRouter
    closers: tuple[Callable[[], None], ...]
    oidc: OidcDesk | None
    sweep: Callable[[], None]  # forgets sessions and logins that nobody came back for


def build_identification(
    settings: Settings, proofing: Proofing, real_names: RealNames
) -> Mapping[str, CitizenIdentification]:
    """How citizens identify themselves at each agency that does not do it by its own codes.

    Raises:
        Malformed: an agency names the provider, and none is configured.
    """
    chosen = [agency.slug for agency in settings.agencies if agency.identification == "provider"]
    if chosen and proofing.oidc is None:
        raise Malformed("agencies.identification: provider needs [identity_provider]")
    if proofing.oidc is None:
        return {}
    provider = ProviderIdentification(proofing.oidc, real_names, refused=NotIdentified)
    return dict.fromkeys(chosen, provider)


def build_proofing(
    settings: Settings,
    *,
    engine: Engine,
    vault: IdentityVault,
    register: PopulationRegister,
    access: AccessKeys,
    officer_of: Callable[[str, str | None], str],
    random: Callable[[int], bytes],
    now: Callable[[], int],
) -> Proofing:
    """The register, two officers, and an identity provider where one is configured.

    Raises:
        Malformed: the provider's settings name no place, or evidence that is none.
    """
    schemes = standard_schemes()

    def today() -> date:
        return (datetime.fromtimestamp(now(), UTC) + timedelta(hours=14)).date()

    in_person = InPersonDesk(sittings=SqlSittingStore(engine), vault=vault, random=random, now=now)
    sources: dict[str, ProofingSource] = {
        "register": RegisterSource(register),
        "in-person": in_person,
    }
    oidc: OidcDesk | None = None
    closers: list[Callable[[], None]] = []
    if (provider := settings.identity_provider) is not None:
        client = register_client()
        closers.append(client.close)
        secret = provider.client_secret
        oidc = OidcDesk(
            provider=OidcProvider(
                ProviderClient(
                    issuer=provider.issuer,
                    client_id=provider.client_id,
                    client_secret=None if secret is None else secret.get_secret_value(),
                    redirect_uri=provider.redirect_uri,
                    country=provider.country,
                    number_claim=provider.number_claim,
                ),
                client=client,
                breaker=CircuitBreaker(
                    failures=BREAKER_FAILURES,
                    pause_seconds=BREAKER_PAUSE_SECONDS,
                    clock=time.monotonic,
                ),
                now=now,
            ),
            evidence={acr: claimed_evidence(kinds) for acr, kinds in provider.evidence.items()},
            normal_number=lambda country, number: (
                schemes.parse(country, number, today=today()).number
            ),
            logins=SqlLoginStore(engine),
            vault=vault,
            random=random,
            now=now,
        )
        sources["oidc"] = oidc
    router = build_proofing_router(
        in_person=in_person,
        oidc=oidc,
        schemes=schemes,
        access=access,
        officer_of=officer_of,
        today=today,
    )

    def sweep() -> None:
        in_person.sweep()
        if oidc is not None:
            oidc.sweep()

    return Proofing(sources=sources, router=router, closers=tuple(closers), oidc=oidc, sweep=sweep)


def build_review(
    engine: Engine, *, random: Callable[[int], bytes], now: Callable[[], int]
) -> ReviewDesk:
    """The queue of cases that two officers decide."""
    return ReviewDesk(SqlCaseStore(engine), random=random, now=now)


def build_life_events(
    engine: Engine,
    *,
    vault: IdentityVault,
    register: PopulationRegister,
    review: ReviewDesk,
    hooks: Sequence[LifeEventHook],
    sealing: IdentitySealing | None,
    access: AccessKeys,
    officer_of: Callable[[str | None], str],
    now: Callable[[], int],
) -> APIRouter:
    """Routes for what happens to people, and for the officers' decisions."""
    bindings = SqlBindingStore(engine)
    life = LifeEvents(
        schemes=standard_schemes(),
        register=register,
        vault=vault,
        bindings=bindings,
        now=now,
        hooks=hooks,
        sealing=sealing,
    )
    return build_life_router(
        life=life,
        review=review,
        decisions=Decisions(life=life, review=review, bindings=bindings, vault=vault),
        bindings=bindings,
        access=access,
        officer_of=officer_of,
    )


def build_recovery(
    engine: Engine,
    *,
    real_names: RealNames,
    ending: EndsAll,
    access: AccessKeys,
    now: Callable[[], int],
) -> APIRouter:
    """Routes for lost phones."""
    desk = RecoveryDesk(
        real_names=real_names,
        bindings=SqlBindingStore(engine),
        ending=ending,
        arrangements=SqlGuardianStore(engine),
        now=now,
    )
    return build_recovery_router(recovery=desk, access=access)


def build_register(
    settings: RegisterSettings, *, random: Callable[[int], bytes], now: Callable[[], int]
) -> tuple[PopulationRegister, httpx2.Client | None]:
    """The population register, and the HTTP client to close when there is one.

    Raises:
        Malformed: an HTTP register without its address or key.
    """
    if settings.kind == "embedded":
        return EmbeddedRegister(invented_people()), None
    if settings.url is None or settings.public_key is None:
        raise Malformed("population_register: http needs its url and its public key")
    client = register_client()
    register = HttpRegister(
        url=settings.url,
        key=parse_multikey(settings.public_key),
        client=client,
        breaker=CircuitBreaker(
            failures=BREAKER_FAILURES, pause_seconds=BREAKER_PAUSE_SECONDS, clock=time.monotonic
        ),
        random=random,
        now=now,
    )
    return register, client

"""Joins the vault, the population register and the bindings."""

import time
from collections.abc import Callable, Sequence

import httpx2
from fastapi import APIRouter
from sqlalchemy import Engine

from identity.adapters.embedded_register import EmbeddedRegister, invented_people
from identity.adapters.http_register import CircuitBreaker, HttpRegister, register_client
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.stdnum_schemes import standard_schemes
from identity.config import RegisterSettings
from identity.core.access import AccessKeys
from identity.realname.life_events import LifeEventHook, LifeEvents
from identity.realname.life_routes import build_router as build_life_router
from identity.realname.ports import IdentitySealing, PopulationRegister
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
    register: PopulationRegister,
    random: Callable[[int], bytes],
    now: Callable[[], int],
    review: ReviewDesk,
    sealing: IdentitySealing | None,
) -> RealNames:
    """Enrolment and verified facts."""
    return RealNames(
        schemes=standard_schemes(),
        register=register,
        vault=vault,
        bindings=SqlBindingStore(engine),
        random=random,
        now=now,
        review=review,
        sealing=sealing,
    )


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
        life=life, review=review, bindings=bindings, access=access, officer_of=officer_of
    )


def build_recovery(
    engine: Engine, *, real_names: RealNames, ending: EndsAll, access: AccessKeys
) -> APIRouter:
    """Routes for lost phones."""
    desk = RecoveryDesk(real_names=real_names, bindings=SqlBindingStore(engine), ending=ending)
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

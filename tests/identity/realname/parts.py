"""Real-name services for tests, over the real vault and stores."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from identity.adapters.database import Base
from identity.adapters.embedded_register import (
    EmbeddedRegister,
    InventedPerson,
    invented_people,
)
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.stdnum_schemes import standard_schemes
from identity.realname.decisions import Decisions
from identity.realname.life_events import LifeEventHook, LifeEvents
from identity.realname.ports import IdentitySealing, PopulationRegister
from identity.realname.proofing import RegisterSource
from identity.realname.review import ReviewDesk
from identity.realname.service import Enrolment, RealNames
from identity.vault.service import SealedVault
from tests.databases import database_with
from tests.identity.vault.parts import NOW, MemoryVaultKeys, real_vault

PEOPLE = invented_people()
SCHEMES = standard_schemes()
LIN = PEOPLE[0]


@dataclass
class Installation:
    """One set of stores in a directory, and the service over them."""

    real_names: RealNames
    vault: SealedVault
    bindings: SqlBindingStore
    review: ReviewDesk
    life: LifeEvents
    decisions: Decisions


def identity_engine(path: Path) -> Engine:
    """An identity database in a file, with its tables."""
    return database_with(Base.metadata, f"sqlite:///{path}")


def installation(
    directory: Path,
    *,
    register: PopulationRegister | None = None,
    keys: MemoryVaultKeys | None = None,
    hooks: Sequence[LifeEventHook] = (),
    sealing: IdentitySealing | None = None,
    now: int | Callable[[], int] = NOW,
) -> Installation:
    """The service as an installation has it, in `directory`."""
    clock = now if callable(now) else lambda: now
    vault = real_vault(directory, keys=keys, now=clock)
    bindings = SqlBindingStore(identity_engine(directory / "identity.db"))
    review = ReviewDesk(SqlCaseStore(bindings._engine), random=secrets.token_bytes, now=clock)
    asked = register or EmbeddedRegister(PEOPLE)
    life = LifeEvents(
        schemes=SCHEMES,
        register=asked,
        vault=vault,
        bindings=bindings,
        now=clock,
        hooks=hooks,
        sealing=sealing,
    )
    return Installation(
        real_names=RealNames(
            schemes=SCHEMES,
            sources={"register": RegisterSource(asked)},
            vault=vault,
            bindings=bindings,
            random=secrets.token_bytes,
            now=clock,
            review=review,
        ),
        vault=vault,
        bindings=bindings,
        review=review,
        life=life,
        decisions=Decisions(life=life, review=review, bindings=bindings, vault=vault),
    )


def enrolment(found: InventedPerson = LIN, **changes: object) -> Enrolment:
    """What an officer of the civil registry states about somebody invented."""
    person = found.person
    stated: dict[str, object] = {
        "agency": "civil-registry",
        "country": found.country,
        "number": found.number,
        "family_name": person.family_name,
        "given_name": person.given_name,
        "birth_date": person.birth_date,
        "evidence": ("document", "biometric-match"),
    }
    return Enrolment(**{**stated, **changes})  # type: ignore[arg-type]

"""Real-name services for tests, over the real vault and stores."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from identity.adapters.database import Base, create_database
from identity.adapters.embedded_register import (
    EmbeddedRegister,
    InventedPerson,
    invented_people,
)
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.adapters.stdnum_schemes import standard_schemes
from identity.realname.life_events import LifeEventHook, LifeEvents
from identity.realname.ports import PopulationRegister
from identity.realname.proofing import RegisterSource
from identity.realname.review import ReviewDesk
from identity.realname.service import Enrolment, RealNames
from identity.vault.service import SealedVault
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


def identity_engine(path: Path) -> Engine:
    """An identity database in a file, with its tables."""
    engine = create_database(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    return engine


def installation(
    directory: Path,
    *,
    register: PopulationRegister | None = None,
    keys: MemoryVaultKeys | None = None,
    hooks: Sequence[LifeEventHook] = (),
    now: int = NOW,
) -> Installation:
    """The service as an installation has it, in `directory`."""
    vault = real_vault(directory, keys=keys, now=lambda: now)
    bindings = SqlBindingStore(identity_engine(directory / "identity.db"))
    review = ReviewDesk(SqlCaseStore(bindings._engine), random=secrets.token_bytes, now=lambda: now)
    asked = register or EmbeddedRegister(PEOPLE)
    return Installation(
        real_names=RealNames(
            schemes=SCHEMES,
            sources={"register": RegisterSource(asked)},
            vault=vault,
            bindings=bindings,
            random=secrets.token_bytes,
            now=lambda: now,
            review=review,
        ),
        vault=vault,
        bindings=bindings,
        review=review,
        life=LifeEvents(
            schemes=SCHEMES,
            register=asked,
            vault=vault,
            bindings=bindings,
            now=lambda: now,
            hooks=hooks,
        ),
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

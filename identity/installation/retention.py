"""Joins the retention clocks: terms from the settings, stores, vault."""

from sqlalchemy import Engine

from identity.adapters.opening_store import SqlOpeningStore
from identity.adapters.realname_store import SqlBindingStore
from identity.adapters.review_store import SqlCaseStore
from identity.config import RetentionSettings
from identity.core.retention import PeopleTerms, VaultTerms
from identity.realname.erasure import Erasure
from identity.realname.retention import PeopleRetention
from identity.vault.ports import IdentityVault

ROUND_SECONDS = 86_400.0  # how often a clock that is scheduled looks


def vault_terms(settings: RetentionSettings) -> VaultTerms:
    """What the vault's own process destroys, and when."""
    return VaultTerms(
        leftovers=settings.leftovers,
        merged=settings.merged,
        looks=settings.looks,
        audit=settings.audit,
    )


def build_people_retention(
    settings: RetentionSettings, *, engine: Engine, vault: IdentityVault
) -> PeopleRetention:
    """The clock for people, over the identity database and the vault."""
    bindings = SqlBindingStore(engine)
    return PeopleRetention(
        bindings=bindings,
        cases=SqlCaseStore(engine),
        vault=vault,
        terms=PeopleTerms(deceased=settings.deceased, cases=settings.cases, merged=settings.merged),
        forget=Erasure(
            bindings=bindings, vault=vault, forget_seals=SqlOpeningStore(engine).forget_person
        ).forget,
    )

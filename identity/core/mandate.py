"""Mandates end by themselves: what happens to either person in one, and what it means. Pure.

A mandate is between two people: the representative, who holds the credential, and the principal,
for whom she acts. (An organisation's mandate has a representative alone.)

| event | happens to the principal | happens to the representative |
| --- | --- | --- |
| `deceased`, `withdrawn`, `merged` | ends | ends |
| `incapacitated` | a power of attorney ends, unless it is durable; a guardianship stays | ends |
| `capacity-restored` | a guardianship ends; a power of attorney stays | stays |
| `name-changed`, `corrected` | ends where it tells what changed | the same |
| `keys-lost` | stays: it is not in her wallet | ends |

"Ends" is a revocation, for good: who is able to act again gives a new one. What merges is a
registration; where an agency knew one of the two only, its subject goes on, and so does a mandate.
"""

from collections.abc import Collection
from dataclasses import dataclass

from identity.core.life_event import LifeEventKind
from registry.core.refusals import Conflict, Malformed

MANDATES = frozenset({"guardianship", "power-of-attorney", "organisation-mandate"})
PRINCIPAL = "principal_"  # prefix of claims that tell for whom the representative acts
ENDED = "mandate-ended"  # for the record; her own record does not tell her what befell the other
_GUARDIANSHIP = "guardianship"
_ALWAYS = frozenset({LifeEventKind.DECEASED, LifeEventKind.WITHDRAWN, LifeEventKind.MERGED})


class PrincipalMissing(Malformed):
    """Nobody is named for whom the representative acts."""


class MandateNotPossible(Conflict):
    """These two people cannot have such a mandate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """For whom a credential lets its holder act.

    `durable`: the principal wished that it outlives her own capacity. For powers of attorney.
    """

    principal: str  # subject at the agency that issues it
    durable: bool = False


def needs_principal(claims: Collection[str]) -> bool:
    """Whether a type with these claims is a mandate for a person."""
    return any(name.startswith(PRINCIPAL) for name in claims)


def principal_names(claims: Collection[str]) -> tuple[str, ...]:
    """What such a type tells of the principal, as her own registration calls it."""
    return tuple(name.removeprefix(PRINCIPAL) for name in claims if name.startswith(PRINCIPAL))


def is_mandate(credential_type: str, claims: Collection[str]) -> bool:
    """Whether the type is a mandate, for a person or for an organisation."""
    return credential_type in MANDATES or needs_principal(claims)


def may_be_incapacitated(credential_type: str) -> bool:
    """Whether the principal need not be able to act: a guardian is appointed, not chosen."""
    return credential_type == _GUARDIANSHIP


def check_mandate(
    credential_type: str,
    claims: Collection[str],
    *,
    representative: str,
    principal: str | None,
    durable: bool,
) -> Mandate | None:
    """The mandate of a credential that is about to be offered; None for a type that is none.

    Args:
        credential_type: its name.
        claims: the type's claims.
        representative: subject of whoever gets it.
        principal: subject of whom she acts for.
        durable: whether it outlives the principal's capacity.

    Raises:
        PrincipalMissing: the type is a mandate for a person, and nobody is named.
        MandateNotPossible: somebody would act for herself.
        Malformed: a principal or a durability that the type does not have.
    """
    if not needs_principal(claims):
        if principal is not None or durable:
            raise Malformed("this credential type is no mandate for a person")
        return None
    if principal is None:
        raise PrincipalMissing("principal is missing: for whom the holder acts")
    if principal == representative:
        raise MandateNotPossible("nobody acts for herself")
    if durable and may_be_incapacitated(credential_type):
        raise Malformed("only a power of attorney is durable; a guardianship needs no such word")
    return Mandate(principal=principal, durable=durable)


def ends_with_principal(
    event: LifeEventKind,
    credential_type: str,
    claims: Collection[str],
    *,
    durable: bool,
    changed: Collection[str] = (),
) -> bool:
    """Whether a mandate ends when `event` happens to the principal; the table above.

    Args:
        event: what happened.
        credential_type: name of the mandate's type.
        claims: the type's claims.
        durable: as `Mandate.durable`.
        changed: claims about the principal that are no longer true, by her registration's names.
    """
    if event in _ALWAYS:
        return True
    if event is LifeEventKind.INCAPACITATED:
        return not durable and not may_be_incapacitated(credential_type)
    if event is LifeEventKind.CAPACITY_RESTORED:
        return may_be_incapacitated(credential_type)
    return any(f"{PRINCIPAL}{name}" in claims for name in changed)

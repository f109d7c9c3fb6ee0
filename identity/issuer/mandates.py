"""Who acts for whom: checked when a mandate is offered, and again when it is issued."""

from identity.core.claim_rules import ClaimsIncomplete
from identity.core.credential_types import CredentialType
from identity.core.mandate import (
    PRINCIPAL,
    Mandate,
    check_mandate,
    may_be_incapacitated,
    needs_principal,
    principal_names,
)
from identity.issuer.parts import IssuerParts
from registry.core.encoding import JsonObject


def named_mandate(
    parts: IssuerParts,
    slug: str,
    kind: CredentialType,
    *,
    representative: str,
    principal: str | None,
    durable: bool,
) -> Mandate | None:
    """The mandate of an offer, whose principal this agency knows; None when it is no mandate.

    Raises:
        PrincipalMissing, MandateNotPossible, Malformed: as `check_mandate`.
        NotFound: this agency enrolled no such principal.
        NotAlive, BindingClosed: the principal is dead, withdrew, or cannot give such a power.
    """
    mandate = check_mandate(
        kind.name,
        kind.claims,
        representative=representative,
        principal=principal,
        durable=durable,
    )
    if mandate is not None:
        _read(parts, slug, kind, mandate, names=(), purpose="offer")
    return mandate


def principal_claims(
    parts: IssuerParts, slug: str, kind: CredentialType, mandate: Mandate | None
) -> JsonObject:
    """What a mandate tells of its principal, from her registration; empty for other types.

    The look at her row is on the audit record, and so in her own record, as `mandate`.

    Raises:
        ClaimsIncomplete: nobody was named for whom the holder acts.
        NotAlive, BindingClosed: the principal died, withdrew, or lost capacity since the offer.
    """
    if not needs_principal(kind.claims):
        return {}
    if mandate is None:
        raise ClaimsIncomplete("the agency named nobody for whom the holder acts")
    names = principal_names(kind.claims)
    known = _read(parts, slug, kind, mandate, names=names, purpose="mandate")
    return {f"{PRINCIPAL}{name}": value for name, value in known.items()}


def _read(
    parts: IssuerParts,
    slug: str,
    kind: CredentialType,
    mandate: Mandate,
    *,
    names: tuple[str, ...],
    purpose: str,
) -> JsonObject:
    known = parts.persons.claims(
        mandate.principal,
        names=names,
        purpose=purpose,
        actor=f"issuer:{slug}",
        incapacitated=may_be_incapacitated(kind.name),
    )
    return {name: known[name] for name in names if name in known}

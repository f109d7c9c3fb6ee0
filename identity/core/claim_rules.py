"""Which claims a credential carries, where each comes from, and what is computed at issuing.

A claim has one source. Facts about the person come from her verified registration, ages are
computed from the birth date, and the rest is what the agency says. An agency cannot overrule a
registered fact by sending another one along.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from identity.core.credential_types import CredentialType
from identity.core.mandate import PRINCIPAL
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.refusals import Conflict, Malformed

REGISTERED = frozenset(
    {
        "family_name",
        "given_name",
        "birth_date",
        "sex",
        "nationality",
        "assurance_level",
        "street_address",
        "locality",
        "region",
        "postal_code",
    }
)  # only ever from the person's registration
PREFERABLY_REGISTERED = frozenset({"country", "issuing_country", "resident_since"})
MAX_CLAIMS_BYTES = 32 << 10  # of canonical JSON; the largest of our types stays below 4 KiB

_AGE = re.compile(r"age_over_([1-9][0-9]{0,2})")


class ClaimsNotAccepted(Malformed):
    """The agency's claims do not fit the credential type."""


class ClaimsIncomplete(Conflict):
    """The person's registration does not give what this credential type requires."""


def age_over(birth_date: date, years: int, *, on: date) -> bool:
    """Whether a person is at least `years` old on the day `on`.

    Somebody born on 29 February completes a year on 1 March of a common year, so nobody is ever
    declared older than she is.
    """
    before_birthday = (on.month, on.day) < (birth_date.month, birth_date.day)
    return on.year - birth_date.year - before_birthday >= years


def day_begun_everywhere(now: datetime) -> date:
    """The latest calendar day that has begun in every time zone (UTC-12 is the last)."""
    return (now - timedelta(hours=12)).date()


def registered_names(kind: CredentialType) -> tuple[str, ...]:
    """Claims of `kind` to read from the person's registration, in the order of display."""
    wanted = {name for name in kind.claims if name in REGISTERED | PREFERABLY_REGISTERED}
    if _ages(kind):
        wanted.add("birth_date")
    return tuple(sorted(wanted))


def check_agency_claims(kind: CredentialType, claims: Mapping[str, Any]) -> JsonObject:
    """Check what an agency supplies when it makes an offer.

    Raises:
        ClaimsNotAccepted: too large, unknown to the type, computed, registered elsewhere, or not
            as the type's JSON Schema has it. The text names claims, never their values.
    """
    supplied = dict(claims)
    if len(canonical_json(supplied)) > MAX_CLAIMS_BYTES:
        raise ClaimsNotAccepted(f"claims are longer than {MAX_CLAIMS_BYTES} bytes")
    for name in supplied:
        if name not in kind.claims:
            raise ClaimsNotAccepted(f"credential type {kind.name} has no such claim")
        if name in REGISTERED:
            raise ClaimsNotAccepted(f"{name} comes from the person's registration")
        if name.startswith(PRINCIPAL):
            raise ClaimsNotAccepted(f"{name} comes from the registration of the principal")
        if _AGE.fullmatch(name):
            raise ClaimsNotAccepted(f"{name} is computed from the birth date")
    _validate(_without_required(kind), supplied)
    return supplied


def check_claims(kind: CredentialType, subject: Mapping[str, Any]) -> None:
    """Check the whole subject of a credential that another system composed.

    Raises:
        ClaimsNotAccepted: it does not fit the type's JSON Schema. Values are not repeated.
    """
    if len(canonical_json(dict(subject))) > MAX_CLAIMS_BYTES:
        raise ClaimsNotAccepted(f"claims are longer than {MAX_CLAIMS_BYTES} bytes")
    _validate(kind.claims_schema, dict(subject))


def missing_from_agency(kind: CredentialType, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Required claims that only the agency can supply, and did not."""
    return tuple(
        name
        for name in kind.required
        if name not in claims
        and name not in REGISTERED | PREFERABLY_REGISTERED
        and not name.startswith(PRINCIPAL)
        and not _AGE.fullmatch(name)
    )


def complete_claims(
    kind: CredentialType,
    *,
    registered: Mapping[str, Any],
    supplied: Mapping[str, Any],
    now: datetime,
) -> JsonObject:
    """The claims of one credential, in the order of display.

    Args:
        kind: the credential type.
        registered: facts from the person's registration; wins over `supplied`.
        supplied: what the agency sent, checked by `check_agency_claims`, what the installation
            adds, and what the registration of a mandate's principal says; claims that the type does
            not have are left out.
        now: time of issuing, aware.

    Raises:
        ClaimsIncomplete: a required claim is nowhere, the birth date is unusable, or the result
            does not fit the type's schema.
    """
    values = {**supplied, **{k: v for k, v in registered.items() if v is not None}}
    for name, years in _ages(kind):
        if (birth_date := _birth_date(registered)) is not None:
            values[name] = age_over(birth_date, years, on=day_begun_everywhere(now))
    claims = {name: values[name] for name in kind.claims if name in values}
    for name in kind.required:
        if name not in claims:
            raise ClaimsIncomplete(f"nothing is known for the required claim {name}")
    try:
        _validate(kind.claims_schema, claims)
    except ClaimsNotAccepted as error:
        raise ClaimsIncomplete(error.detail) from error
    return claims


def _ages(kind: CredentialType) -> tuple[tuple[str, int], ...]:
    matches = ((name, _AGE.fullmatch(name)) for name in kind.claims)
    return tuple((name, int(match.group(1))) for name, match in matches if match)


def _birth_date(registered: Mapping[str, Any]) -> date | None:
    text = registered.get("birth_date")
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        # The cause would carry the text, and the text is personal data.
        raise ClaimsIncomplete("the registered birth date is no date") from None


def _without_required(kind: CredentialType) -> JsonObject:
    return {name: part for name, part in kind.claims_schema.items() if name != "required"}


def _validate(schema: JsonObject, claims: JsonObject) -> None:
    error: ValidationError | None = next(
        _validator(canonical_json(schema)).iter_errors(claims), None
    )
    if error is not None:
        # Path and keyword only: the library's message quotes the value.
        where = ".".join(str(step) for step in error.absolute_path) or "claims"
        raise ClaimsNotAccepted(f"{where}: does not satisfy `{error.validator}` of the schema")


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(
        parse_json_object(schema), format_checker=Draft202012Validator.FORMAT_CHECKER
    )

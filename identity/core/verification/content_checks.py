"""Checks of what is said: it fits the published schema, and it holds now."""

from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from identity.core.json_schema import NotJudged, check_schema_of
from identity.core.verification.case import Case
from identity.core.verification.failure import CannotTell, CheckFailed, NothingToCheck
from identity.core.verification.policy import Rule
from identity.core.verification.trust_checks import type_of
from identity.core.verification.verdict import Check
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.hashing import sha256
from registry.core.refusals import Refusal

MAX_SCHEMAS = 8  # that one credential may name; ours name one


def check_schema(case: Case) -> str:
    """The credential fits its schema: that of its published type, or those that it names.

    A policy that requires the check knows no other types than the published ones.
    """
    if case.policy.rules[Check.SCHEMA] is Rule.REQUIRED:
        return _check_published(case)
    return _check_named(case)


def _check_published(case: Case) -> str:
    """The type is published, its schema is the one on the ledger, and the claims fit it.

    1. The credential names a type of the catalogue.
    2. The digest of our copy of its schema is the one on the ledger.
    3. A schema that the credential itself names is that one.
    4. The claims fit. What a holder may keep to herself may be missing; what is there must fit.
    """
    credential, kind = case.credential, type_of(case)  # 1
    if isinstance(case.evidence.schema_digest, Refusal):
        raise case.evidence.schema_digest
    schema = canonical_json(kind.schema)
    if sha256(schema) != case.evidence.schema_digest:  # 2
        raise CheckFailed("schema_not_on_ledger", "the ledger has another schema for this type")
    if credential.format.is_w3c:
        named = credential.root.get("credentialSchema", [])
        for entry in named if isinstance(named, list) else [named]:
            if not isinstance(entry, dict) or entry.get("id") != kind.schema_url:  # 3
                raise CheckFailed("other_schema", "the credential names another schema")
        fits = _validator(schema).is_valid(credential.root)  # 4
    else:
        claims = canonical_json(kind.claims_schema)
        fits = _selective_validator(claims).is_valid(credential.claims)
    if not fits:
        # The validator's own message would repeat the value.
        raise CheckFailed("claims_do_not_fit", "the claims do not fit the schema of their type")
    return f"the claims fit {kind.name} {kind.version}"


def _check_named(case: Case) -> str:
    """The credential fits each schema that it names and that we have (VC JSON Schema 1.0).

    Nothing is fetched. A schema that is not here, or is in an unknown dialect, is not judged; one
    that does not fit is a "no" whatever the others are.
    """
    credential = case.credential
    named = credential.root.get("credentialSchema", [])
    entries = named if isinstance(named, list) else [named]
    if not credential.format.is_w3c or not entries:
        raise NothingToCheck("schema_missing", "the credential names no schema")
    if len(entries) > MAX_SCHEMAS:
        raise CheckFailed("too_many_schemas", f"a credential names at most {MAX_SCHEMAS} schemas")
    known = {kind.schema_url: kind.schema for kind in case.world.catalogue}
    known.update(case.world.schemas)
    missing = ""
    for entry in entries:
        identifier = entry.get("id") if isinstance(entry, dict) else None
        document = known.get(identifier) if isinstance(identifier, str) else None
        if document is None:
            missing = "a schema that the credential names is not here"
            continue
        try:
            check_schema_of(credential.root, entry, document)
        except NotJudged as reason:
            missing = reason.detail
    if missing:
        raise CannotTell("schema_not_judged", missing)
    return "fits the schemas that it names"


def check_validity(case: Case) -> str:
    """The credential is valid now, give or take the clock skew."""
    credential, now = case.credential, case.now_seconds
    skew = case.policy.clock_skew_seconds
    starts = [time for time in (credential.issued_at, credential.not_before) if time is not None]
    if not starts and credential.expires_at is None:
        raise NothingToCheck("validity_missing", "the credential has no validity period")
    if any(start > now + skew for start in starts):
        raise CheckFailed("not_yet_valid", "the credential is not valid yet")
    if credential.expires_at is not None and credential.expires_at <= now - skew:
        raise CheckFailed("expired", "the credential has expired")
    return "within the validity period"


@lru_cache(maxsize=64)  # one entry for each published schema
def _validator(schema: bytes) -> Any:
    return Draft202012Validator(
        parse_json_object(schema), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


@lru_cache(maxsize=64)
def _selective_validator(schema: bytes) -> Any:
    relaxed = _without_required(parse_json_object(schema))
    return Draft202012Validator(relaxed, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _without_required(schema: JsonObject) -> JsonObject:
    """The schema with no member required, at any depth of plain properties and items."""
    relaxed = {name: value for name, value in schema.items() if name != "required"}
    if isinstance(relaxed.get("properties"), dict):
        relaxed["properties"] = {
            name: _without_required(value) if isinstance(value, dict) else value
            for name, value in relaxed["properties"].items()
        }
    if isinstance(relaxed.get("items"), dict):
        relaxed["items"] = _without_required(relaxed["items"])
    return relaxed

"""The form of credentials and presentations: VC Data Model 2.0 (sections 4 and 5), and 1.1.

Form only. Whether a proof verifies, a date has come, or an issuer may be trusted is decided
elsewhere; here stands what makes a document a credential at all.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from identity.core import jsonld
from identity.core.date_time import NotValidNow, parse_date_time_stamp
from identity.core.jsonld import ContextStore
from identity.core.rdf_canon import is_absolute_iri, is_language_tag
from identity.core.status_list import parse_bitstring_entries
from registry.core.encoding import JsonObject, base64_decode, multibase_decode
from registry.core.refusals import Malformed

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"

MAX_ENTRIES = 128  # subjects, statuses, credentials in a presentation, ...

_DATES = ("validFrom", "validUntil", "issuanceDate", "expirationDate")
# Members whose values name their kind (§4.10 to §5.6); `id` is a URL where there is one.
_TYPED = (
    "credentialStatus",
    "credentialSchema",
    "termsOfUse",
    "evidence",
    "refreshService",
    "renderMethod",
    "confidenceMethod",
)
_SRI_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
# Multihash codes with their lengths (https://www.w3.org/TR/cid-1.0/#multihash).
_MULTIHASHES = {b"\x12\x20": hashlib.sha256, b"\x20\x30": hashlib.sha384}


class CredentialMalformed(Malformed):
    """The document is not a credential as the data model has it."""


class PresentationMalformed(Malformed):
    """The document is not a presentation as the data model has it."""


def check_credential(document: JsonObject, *, contexts: ContextStore) -> None:
    """Check the form of a credential, secured or not, of data model 2.0 or 1.1.

    Raises:
        CredentialMalformed: a rule of the data model is broken.
        JsonLdRefused, ContextNotKnown: an undefined term or type, a relative URL, ...
        StatusListMalformed, NotADateTimeStamp: in `credentialStatus`, in a date.
    """
    check_plain_credential(document)
    _check_related_resources(document, contexts)
    jsonld.check_lossless(document, contexts)


def check_plain_credential(document: JsonObject) -> None:
    """As `check_credential`, of a document that is plain JSON to its readers (`jwt_vc_json`).

    Its terms are those of the published schema, so nothing is expanded.
    """
    refuse = CredentialMalformed
    _check_head(document, "VerifiableCredential", refuse)
    _check_issuer(document.get("issuer"))
    for subject in _objects(document.get("credentialSubject"), "credentialSubject", refuse):
        if not subject:
            raise refuse("credentialSubject has an empty object")
        _check_id(subject, "credentialSubject", refuse)
    _check_dates(document)
    for name in _TYPED:
        if name in document:
            _check_typed(document[name], name, refuse)
    for schema in _entries(document.get("credentialSchema", [])):
        if "id" not in schema:
            raise refuse("credentialSchema has no id")
    _check_texts(document, refuse)
    parse_bitstring_entries(document)


def check_presentation(document: JsonObject, *, contexts: ContextStore) -> None:
    """Check the form of a presentation; its credentials are for `check_credential`, one by one.

    Raises:
        PresentationMalformed: a rule of the data model is broken.
        JsonLdRefused, ContextNotKnown: as `check_credential`, anywhere in the document.
    """
    refuse = PresentationMalformed
    check_plain_presentation(document)
    if document.get("verifiableCredential", []) != []:  # a presentation may hold none
        for credential in _objects(
            document["verifiableCredential"], "verifiableCredential", refuse
        ):
            if not credential:
                raise refuse("verifiableCredential has an empty object")
    if "termsOfUse" in document:
        _check_typed(document["termsOfUse"], "termsOfUse", refuse)
    jsonld.check_lossless(document, contexts)


def check_plain_presentation(document: JsonObject) -> None:
    """Check the head and the holder of a presentation that is plain JSON (`jwt_vc_json`).

    Raises:
        PresentationMalformed: a rule of the data model is broken.
    """
    refuse = PresentationMalformed
    _check_head(document, "VerifiablePresentation", refuse)
    if "holder" in document:
        holder = document["holder"]
        if not _is_url(holder.get("id") if isinstance(holder, dict) else holder):
            raise refuse("holder is neither a URL nor an object with one")


def check_validity(document: JsonObject, *, now: datetime, leeway_seconds: int) -> None:
    """Check `validFrom` and `validUntil`, or `issuanceDate` and `expirationDate`, against `now`.

    Args:
        document: a credential that passed `check_credential`.
        now: aware.
        leeway_seconds: allowance for clocks that differ, both ways.

    Raises:
        NotValidNow: not valid yet, or not any more.
    """
    leeway = timedelta(seconds=leeway_seconds)
    for name in ("validFrom", "issuanceDate"):
        if name in document and parse_date_time_stamp(document[name]) > now + leeway:
            raise NotValidNow("credential is not valid yet")
    for name in ("validUntil", "expirationDate"):
        if name in document and parse_date_time_stamp(document[name]) <= now - leeway:
            raise NotValidNow("credential has expired")


def issuer_of(document: JsonObject) -> str:
    """The issuer's identifier, whether `issuer` is a string or an object."""
    issuer = document.get("issuer")
    identifier = issuer.get("id") if isinstance(issuer, dict) else issuer
    if not isinstance(identifier, str):
        raise CredentialMalformed("credential has no issuer")
    return identifier


def types_of(document: JsonObject) -> tuple[str, ...]:
    """`type` as a tuple, whether it is a string or an array."""
    kinds = document.get("type")
    return tuple(kind for kind in _listed(kinds) if isinstance(kind, str))


def _check_head(document: Any, kind: str, refuse: type[Malformed]) -> None:
    """`@context`, `type` and `id` (§4.3 to §4.5)."""
    if not isinstance(document, dict):
        raise refuse("document is not an object")
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts:
        raise refuse("@context is missing or not an array")
    if contexts[0] not in (CREDENTIALS_V1, CREDENTIALS_V2):
        raise refuse("@context does not begin with a base context")
    for context in contexts:
        if not isinstance(context, dict) and not _is_url(context):
            raise refuse("@context has an item that is neither a URL nor an object")
    kinds = _listed(document.get("type"))
    if kind not in kinds or not all(isinstance(entry, str) and entry for entry in kinds):
        raise refuse(f"type does not contain {kind}, or has something that is no type")
    _check_id(document, "document", refuse)


def _check_issuer(issuer: Any) -> None:
    if isinstance(issuer, dict):
        if not _is_url(issuer.get("id")):
            raise CredentialMalformed("issuer has no id, or one that is not a URL")
        _check_texts(issuer, CredentialMalformed)
    elif not _is_url(issuer):
        raise CredentialMalformed("issuer is missing or not a URL")


def _check_dates(document: JsonObject) -> None:
    moments = {name: parse_date_time_stamp(document[name]) for name in _DATES if name in document}
    for start in ("validFrom", "issuanceDate"):
        for end in ("validUntil", "expirationDate"):
            if start in moments and end in moments and moments[start] > moments[end]:
                raise CredentialMalformed(f"{start} is after {end}")


def _check_typed(value: Any, name: str, refuse: type[Malformed]) -> None:
    for entry in _objects(value, name, refuse):
        kinds = _listed(entry.get("type"))
        if not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
            raise refuse(f"{name} has no type")
        _check_id(entry, name, refuse)


def _check_texts(document: Mapping[str, Any], refuse: type[Malformed]) -> None:
    """`name` and `description`: text, or language value objects (§4.6, §11.1)."""
    for name in ("name", "description"):
        if name in document:
            for value in _listed(document[name]):
                if not isinstance(value, str) and not _is_language_value(value):
                    raise refuse(f"{name} is neither text nor a language value object")


def _is_language_value(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("@value"), str)
        and set(value) <= {"@value", "@language", "@direction"}
        and ("@language" not in value or is_language_tag(value["@language"]))
        and value.get("@direction", "ltr") in ("ltr", "rtl")
    )


def _check_related_resources(document: JsonObject, contexts: ContextStore) -> None:
    """`relatedResource` (§5.3): named once, with a digest, which is right where we can tell."""
    if "relatedResource" not in document:
        return
    seen = set()
    for entry in _objects(document["relatedResource"], "relatedResource", CredentialMalformed):
        identifier = entry.get("id")
        if not _is_url(identifier) or identifier in seen:
            raise CredentialMalformed("relatedResource has no id, or one twice")
        seen.add(identifier)
        if not any(_listed(entry.get(name, [])) for name in ("digestSRI", "digestMultibase")):
            raise CredentialMalformed("relatedResource has no digest")
        resource = contexts.published(str(identifier))
        for value in _several(entry.get("digestSRI", [])):
            for expression in value.split():
                _check_sri(expression, resource)
        for value in _several(entry.get("digestMultibase", [])):
            _check_multibase_digest(value, resource)


def _several(digests: Any) -> list[str]:
    """One digest or more: a text may have several, and so may an array (§5.3)."""
    values = _listed(digests)
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise CredentialMalformed("relatedResource has a digest that is no text")
    return values


def _check_sri(value: str, resource: bytes | None) -> None:
    algorithm, _, encoded = value.partition("-")
    if algorithm not in _SRI_HASHES:
        raise CredentialMalformed("digestSRI has no hash that we know")
    hasher = _SRI_HASHES[algorithm]
    size: int = hasher().digest_size
    # The Recommendation's own example writes base64 with the `M` of multibase before it.
    if encoded.startswith("M") and len(encoded) == 1 + 4 * ((size + 2) // 3):
        encoded = encoded[1:]
    digest = base64_decode(encoded)
    if len(digest) != size:
        raise CredentialMalformed("digestSRI has the wrong length")
    if resource is not None and not hmac.compare_digest(hasher(resource).digest(), digest):
        raise CredentialMalformed("digestSRI is not that of the resource")


def _check_multibase_digest(value: str, resource: bytes | None) -> None:
    data = multibase_decode(value)
    # Widely circulated examples leave the multihash header out; taken only where it can be checked.
    if resource is not None and hmac.compare_digest(hashlib.sha256(resource).digest(), data):
        return
    hasher = _MULTIHASHES.get(data[:2])
    if hasher is None or len(data) != 2 + hasher().digest_size:
        raise CredentialMalformed("digestMultibase is no multihash that we know")
    if resource is not None and not hmac.compare_digest(hasher(resource).digest(), data[2:]):
        raise CredentialMalformed("digestMultibase is not that of the resource")


def _objects(value: Any, name: str, refuse: type[Malformed]) -> list[JsonObject]:
    """One object or several; nothing at all is a refusal."""
    entries = _listed(value)
    if not entries or len(entries) > MAX_ENTRIES:
        raise refuse(f"{name} is missing, empty, or too long")
    if not all(isinstance(entry, dict) for entry in entries):
        raise refuse(f"{name} is neither an object nor an array of objects")
    return entries


def _check_id(entry: Mapping[str, Any], name: str, refuse: type[Malformed]) -> None:
    if "id" in entry and not _is_url(entry["id"]):
        raise refuse(f"id of {name} is not a single URL")


def _entries(value: Any) -> list[JsonObject]:
    return [entry for entry in _listed(value) if isinstance(entry, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_url(value: object) -> bool:
    """Whether `value` is an absolute URL; one of the web names a host, and a port that exists."""
    if not isinstance(value, str) or not is_absolute_iri(value):
        return False
    if not value.lower().startswith(("http:", "https:")):
        return True
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False

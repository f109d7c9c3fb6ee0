"""Digital Credentials Query Language: the question a relying party asks (OpenID4VP 1.0 §6, §7).

Parsing is strict about what the specification names, and ignores members it does not name (§6).
Whether an answer satisfies a query is judged in `identity.core.dcql_answer`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

PathElement = str | int | None
ClaimPath = tuple[PathElement, ...]
ClaimValue = str | int | bool

MAX_CREDENTIAL_QUERIES = 16  # one consent screen; ours ask for one or two
MAX_CLAIM_QUERIES = 64  # the largest credential type has a dozen claims
MAX_ALTERNATIVES = 32  # claim_sets, set options, values, vct_values: each bounded alike
MAX_PATH_LENGTH = 16
MAX_TEXT_CHARS = 2048  # ids, names, type URLs

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CredentialFormat(StrEnum):
    """Credential format identifiers (OpenID4VP 1.0 Appendix B) that we can verify."""

    SD_JWT_VC = "dc+sd-jwt"
    LDP_VC = "ldp_vc"
    JWT_VC_JSON = "jwt_vc_json"
    MSO_MDOC = "mso_mdoc"

    @property
    def is_w3c(self) -> bool:
        """A format of the W3C data model: claims stand under `credentialSubject`."""
        return self in (CredentialFormat.LDP_VC, CredentialFormat.JWT_VC_JSON)


AKI = "aki"  # the one trust framework of §6.1.1 that can be judged from a credential by itself


class QueryMalformed(Malformed):
    """The query is not DCQL, or asks in a format that is not verified here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimQuery:
    """One wanted claim; `values` empty means any value."""

    id: str
    path: ClaimPath
    values: tuple[ClaimValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedAuthority:
    """A kind of trust framework, and the members of it that will do."""

    type: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialQuery:
    """One wanted credential.

    `types` holds the alternatives of `meta`: one-element tuples of `vct` for SD-JWT VC, the doctype
    for mdoc, and for W3C credentials sets of types, all of them wanted: expanded IRIs for ldp_vc,
    plain names for jwt_vc_json (Appendix B.1.1, B.2.3, B.3.5).
    """

    id: str
    format: CredentialFormat
    multiple: bool
    types: tuple[tuple[str, ...], ...]
    trusted_authorities: tuple[TrustedAuthority, ...]
    requires_holder_binding: bool
    claims: tuple[ClaimQuery, ...]
    claim_sets: tuple[tuple[str, ...], ...]

    @property
    def paths(self) -> tuple[ClaimPath, ...]:
        """Every path that may be asked for, in all alternatives."""
        return tuple(claim.path for claim in self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSetQuery:
    """Combinations of credential queries, one of which answers a use case."""

    options: tuple[tuple[str, ...], ...]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DcqlQuery:
    """A whole query. `credential_sets` empty means that every credential is wanted."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSetQuery, ...]


def parse_dcql(value: object) -> DcqlQuery:
    """Read a query from parsed JSON.

    Raises:
        QueryMalformed: anything that §6 does not allow, or over our bounds.
    """
    members = _object(value, "dcql_query")
    credentials = tuple(
        _parse_credential(item)
        for item in _array(members.get("credentials"), "credentials", MAX_CREDENTIAL_QUERIES)
    )
    ids = [query.id for query in credentials]
    if len(set(ids)) != len(ids):
        raise QueryMalformed("two credential queries have one id")
    sets: tuple[CredentialSetQuery, ...] = ()
    if "credential_sets" in members:
        sets = tuple(
            _parse_set(item, frozenset(ids))
            for item in _array(members["credential_sets"], "credential_sets", MAX_ALTERNATIVES)
        )
    return DcqlQuery(credentials=credentials, credential_sets=sets)


def refuse_unjudged_authorities(query: DcqlQuery) -> None:
    """Ask for no trust framework that is not judged here, rather than take every answer for a no.

    Raises:
        QueryMalformed: a trusted authority of another type than `aki`.
    """
    for wanted in query.credentials:
        for authority in wanted.trusted_authorities:
            if authority.type != AKI:
                raise QueryMalformed(
                    f"trusted_authorities of type {authority.type[:64]} are not judged here; name "
                    "the key identifiers of the certificates instead (aki)"
                )


def _parse_credential(value: object) -> CredentialQuery:
    members = _object(value, "credential query")
    try:
        credential_format = CredentialFormat(_text(members.get("format"), "format"))
    except ValueError as error:
        raise QueryMalformed("the format is not verified here") from error
    claims: tuple[ClaimQuery, ...] = ()
    if "claims" in members:
        claims = tuple(
            _parse_claim(item) for item in _array(members["claims"], "claims", MAX_CLAIM_QUERIES)
        )
    if credential_format is CredentialFormat.MSO_MDOC and not all(
        len(claim.path) == 2 and all(isinstance(part, str) for part in claim.path)
        for claim in claims
    ):
        raise QueryMalformed("a path into an mdoc is a namespace and an element (§7.2)")
    ids = [claim.id for claim in claims if claim.id]
    if len(set(ids)) != len(ids):
        raise QueryMalformed("two claims have one id")
    if len({claim.path for claim in claims}) != len(claims):
        raise QueryMalformed("one claim is asked for twice")
    claim_sets: tuple[tuple[str, ...], ...] = ()
    if "claim_sets" in members:
        if len(ids) != len(claims) or not claims:
            raise QueryMalformed("claim_sets need claims that have ids")
        claim_sets = tuple(
            _parse_references(item, frozenset(ids), "claim_sets")
            for item in _array(members["claim_sets"], "claim_sets", MAX_ALTERNATIVES)
        )
    authorities: tuple[TrustedAuthority, ...] = ()
    if "trusted_authorities" in members:
        authorities = tuple(
            _parse_authority(item)
            for item in _array(
                members["trusted_authorities"], "trusted_authorities", MAX_ALTERNATIVES
            )
        )
    return CredentialQuery(
        id=_id(members.get("id"), "credential query"),
        format=credential_format,
        multiple=_flag(members, "multiple", default=False),
        types=_parse_meta(members.get("meta"), credential_format),
        trusted_authorities=authorities,
        requires_holder_binding=_flag(
            members, "require_cryptographic_holder_binding", default=True
        ),
        claims=claims,
        claim_sets=claim_sets,
    )


def _parse_meta(value: object, credential_format: CredentialFormat) -> tuple[tuple[str, ...], ...]:
    meta = _object(value, "meta")
    if credential_format is CredentialFormat.SD_JWT_VC:
        names = _array(meta.get("vct_values"), "vct_values", MAX_ALTERNATIVES)
        return tuple((_text(name, "vct_values"),) for name in names)
    if credential_format is CredentialFormat.MSO_MDOC:
        return ((_text(meta.get("doctype_value"), "doctype_value"),),)
    return tuple(
        tuple(
            _text(name, "type_values") for name in _array(option, "type_values", MAX_ALTERNATIVES)
        )
        for option in _array(meta.get("type_values"), "type_values", MAX_ALTERNATIVES)
    )


def _parse_claim(value: object) -> ClaimQuery:
    members = _object(value, "claim query")
    path = []
    for element in _array(members.get("path"), "path", MAX_PATH_LENGTH):
        is_index = isinstance(element, int) and not isinstance(element, bool) and element >= 0
        if element is not None and not is_index:
            _text(element, "path")
        path.append(element)
    values: list[ClaimValue] = []
    if "values" in members:
        for item in _array(members["values"], "values", MAX_ALTERNATIVES):
            if not isinstance(item, str | int):
                raise QueryMalformed("values are strings, integers or booleans")
            values.append(item)
    return ClaimQuery(
        id=_id(members["id"], "claim query") if "id" in members else "",
        path=tuple(path),
        values=tuple(values),
    )


def _parse_authority(value: object) -> TrustedAuthority:
    members = _object(value, "trusted authority")
    return TrustedAuthority(
        type=_text(members.get("type"), "type"),
        values=tuple(
            _text(item, "values")
            for item in _array(members.get("values"), "values", MAX_ALTERNATIVES)
        ),
    )


def _parse_set(value: object, ids: frozenset[str]) -> CredentialSetQuery:
    members = _object(value, "credential set query")
    return CredentialSetQuery(
        options=tuple(
            _parse_references(item, ids, "options")
            for item in _array(members.get("options"), "options", MAX_ALTERNATIVES)
        ),
        required=_flag(members, "required", default=True),
    )


def _parse_references(value: object, ids: frozenset[str], name: str) -> tuple[str, ...]:
    references = tuple(_id(item, name) for item in _array(value, name, MAX_CLAIM_QUERIES))
    if not ids.issuperset(references):
        raise QueryMalformed(f"{name} names something that is not there")
    return references


def _object(value: object, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise QueryMalformed(f"{name} is not an object")
    return value


def _array(value: object, name: str, most: int) -> list[Any]:
    if not isinstance(value, list) or not value or len(value) > most:
        raise QueryMalformed(f"{name} is not an array of 1 to {most} items")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT_CHARS:
        raise QueryMalformed(f"{name} holds something that is no text of 1 to {MAX_TEXT_CHARS}")
    return value


def _id(value: object, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise QueryMalformed(f"an id in {name} is not letters, digits, _ and -, at most 64")
    return value


def _flag(members: JsonObject, name: str, *, default: bool) -> bool:
    value = members.get(name, default)
    if not isinstance(value, bool):
        raise QueryMalformed(f"{name} is not a boolean")
    return value

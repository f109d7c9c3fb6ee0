"""What a request may ask: the query of a purpose, or a query of the relying party's own.

Both are held to the registration on the ledger. A query of one's own is read back into types and
claims first, so that no spelling of DCQL gets around what was registered.
"""

from collections.abc import Collection, Mapping

from identity.core.credential_types import Catalogue, CredentialType
from identity.core.dcql import (
    ClaimPath,
    CredentialFormat,
    CredentialQuery,
    DcqlQuery,
    QueryMalformed,
)
from identity.core.parties import AskedCredential, Purpose, RelyingParty
from identity.core.pseudonym import Wish
from identity.core.verification.proof import VC_IRI, type_iri
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed, NotPermitted
from registry.core.relying_party import RelyingParty as Registration

_VC = "VerifiableCredential"
_CREDENTIAL_MEMBERS = frozenset(
    {
        "id",
        "format",
        "multiple",
        "meta",
        "trusted_authorities",
        "require_cryptographic_holder_binding",
        "claims",
        "claim_sets",
    }
)


class AsksTooMuch(NotPermitted):
    """The relying party asks for more than is registered on the ledger for this purpose."""


class PurposeUnknown(NotPermitted):
    """The relying party has no such purpose."""


def purpose_of(party: RelyingParty, code: str) -> Purpose:
    """The configured purpose called `code`.

    Raises:
        PurposeUnknown: there is none.
    """
    for purpose in party.purposes:
        if purpose.code == code:
            return purpose
    raise PurposeUnknown("this relying party has no such purpose")


def refuse_over_asking(purpose: Purpose, registration: Registration | None) -> Registration:
    """Hold a purpose to what the ledger says about the relying party; returns the registration.

    Raises:
        AsksTooMuch: it is not registered, not for this purpose, or not for one of the claims.
    """
    found = _registered(purpose.code, registration)
    for asked in purpose.credentials:
        for path in asked.claims:
            _refuse_unregistered(found, purpose.code, asked.type, path)
    return found


def refuse_over_query(
    query: DcqlQuery, *, purpose: str, registration: Registration | None, catalogue: Catalogue
) -> Registration:
    """Hold a query to what the ledger says about the relying party; returns the registration.

    Every alternative counts: each type that would do, and each claim of each claim set.

    Raises:
        AsksTooMuch: as `refuse_over_asking`, or a credential of a type that is not registered.
        UnknownCredentialType: a type that nobody publishes here.
        QueryMalformed: a claim that is none of the subject's.
    """
    found = _registered(purpose, registration)
    for wanted in query.credentials:
        for name in asked_types(wanted, catalogue):
            types = [
                asked.type
                for item in found.purposes
                if item.purpose == purpose
                for asked in item.credentials
            ]
            if name not in types:
                raise AsksTooMuch("a credential type is not registered for this purpose")
            for path in wanted.paths:
                _refuse_unregistered(found, purpose, name, subject_path(wanted.format, path))
    return found


def refuse_unregistered_pseudonym(
    wish: Wish, *, purpose: str, registration: Registration | None
) -> None:
    """Hold the wish to know a wallet again to what the ledger says about the relying party.

    Raises:
        AsksTooMuch: there is such a wish, and it is not registered for this purpose.
    """
    if wish is not Wish.NONE and not _registered(purpose, registration).may_recognise(purpose):
        raise AsksTooMuch("a pseudonym is not registered on the ledger for this purpose")


def refuse_unknown_members(query: JsonObject) -> None:
    """Refuse what DCQL of version 1.0 does not name in a query of a party's own.

    Readers ignore such members, and so does our judgement of it. A wallet that knows more than we
    do could take one as a wish for more than was registered.

    Raises:
        QueryMalformed: with the name of the member.
    """
    _known(query, {"credentials", "credential_sets"})
    for item in _objects(query.get("credential_sets")):
        _known(item, {"options", "required"})
    for asked in _objects(query.get("credentials")):
        _known(asked, _CREDENTIAL_MEMBERS)
        for meta in _objects([asked.get("meta")]):
            _known(meta, {"vct_values", "type_values", "doctype_value"})
        for claim in _objects(asked.get("claims")):
            _known(claim, {"id", "path", "values", "intent_to_retain"})
        for authority in _objects(asked.get("trusted_authorities")):
            _known(authority, {"type", "values"})


def build_query(
    purpose: Purpose, catalogue: Catalogue, credential_format: CredentialFormat
) -> JsonObject:
    """The DCQL query of a purpose; the id of each credential query is the type's name.

    Raises:
        Malformed: the purpose asks for nothing.
        UnknownCredentialType: it asks for a type that is not published.
    """
    if not purpose.credentials or not all(asked.claims for asked in purpose.credentials):
        raise Malformed("a purpose asks for something")
    return {
        "credentials": [
            _credential_query(asked, purpose.require, catalogue, credential_format)
            for asked in purpose.credentials
        ]
    }


def asked_types(wanted: CredentialQuery, catalogue: Catalogue) -> tuple[str, ...]:
    """Names of the published types that would answer `wanted`, one for each alternative.

    Raises:
        UnknownCredentialType, QueryMalformed: an alternative is no published type.
    """
    return tuple(_named(wanted.format, option, catalogue).name for option in wanted.types)


def subject_path(credential_format: CredentialFormat, path: ClaimPath) -> ClaimPath:
    """The path of a claim below its subject, as registrations write it.

    Raises:
        QueryMalformed: it is no claim about the subject.
    """
    if credential_format is CredentialFormat.SD_JWT_VC:
        return path
    if credential_format is CredentialFormat.MSO_MDOC:
        return path[1:]
    if path[0] != "credentialSubject" or len(path) < 2:
        raise QueryMalformed("only claims under credentialSubject may be asked for")
    return path[1:]


def _known(members: JsonObject, names: Collection[str]) -> None:
    for name in members:
        if name not in names:
            raise QueryMalformed(f"DCQL knows no {name[:64]} there")


def _objects(value: object) -> list[JsonObject]:
    """The objects in an array; what is none is refused by `parse_dcql`."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _named(
    credential_format: CredentialFormat, option: tuple[str, ...], catalogue: Catalogue
) -> CredentialType:
    if credential_format is CredentialFormat.SD_JWT_VC:
        return catalogue.by_vct(option[0])
    for kind in catalogue:
        if credential_format is CredentialFormat.MSO_MDOC and option == (kind.doctype,):
            return kind
        known = {VC_IRI, type_iri(kind.context, kind.vc_type)}
        if credential_format is CredentialFormat.JWT_VC_JSON:
            known = {_VC, kind.vc_type}
        particular = known - {VC_IRI, _VC}
        if set(option) <= known and particular & set(option):
            return kind
    raise QueryMalformed("the query names no type that is published here")


def _registered(purpose: str, registration: Registration | None) -> Registration:
    if registration is None:
        raise AsksTooMuch("the relying party is not registered on the ledger")
    if registration.purpose(purpose) is None:
        raise AsksTooMuch("the purpose is not registered on the ledger")
    return registration


def _refuse_unregistered(
    registration: Registration, purpose: str, type_name: str, path: ClaimPath
) -> None:
    """A registered path covers itself and what lies below it."""
    if not any(
        registration.may_ask(purpose=purpose, type=type_name, claim=path[:length])
        for length in range(1, len(path) + 1)
    ):
        raise AsksTooMuch("a claim is not registered on the ledger for this purpose")


def _credential_query(
    asked: AskedCredential,
    require: Mapping[str, str | int | bool],
    catalogue: Catalogue,
    credential_format: CredentialFormat,
) -> JsonObject:
    kind = catalogue.by_name(asked.type)
    prefix: list[str] = []
    if credential_format.is_w3c:
        prefix = ["credentialSubject"]
    elif credential_format is CredentialFormat.MSO_MDOC:
        prefix = [kind.doctype]
    claims: list[JsonObject] = []
    for path in asked.claims:
        claim: JsonObject = {"path": [*prefix, *path]}
        if len(path) == 1 and path[0] in require:
            claim["values"] = [require[str(path[0])]]
        claims.append(claim)
    return {
        "id": asked.type,
        "format": str(credential_format),
        "meta": _meta(kind, credential_format),
        "claims": claims,
    }


def _meta(kind: CredentialType, credential_format: CredentialFormat) -> JsonObject:
    if credential_format is CredentialFormat.SD_JWT_VC:
        return {"vct_values": [kind.vct]}
    if credential_format is CredentialFormat.MSO_MDOC:
        return {"doctype_value": kind.doctype}
    if credential_format is CredentialFormat.JWT_VC_JSON:
        return {"type_values": [[_VC, kind.vc_type]]}
    return {"type_values": [[VC_IRI, type_iri(kind.context, kind.vc_type)]]}

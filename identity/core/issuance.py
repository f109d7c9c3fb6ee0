"""A copy of a credential, before it is signed: content, salt, status entry and anchor digest.

What is said is decided here, from values alone. Signing comes later, after the digest is on disk,
so that no signed credential ever exists without a place in an anchor batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from identity.core import jose, sd_jwt, sd_jwt_vc
from identity.core.certificates import with_x5c
from identity.core.credential_digest import SALT_BYTES, AnchorClaim, credential_digest
from identity.core.credential_types import CredentialType
from identity.core.data_integrity import add_proof
from identity.core.jsonld import ContextStore
from identity.core.key_proof import ProvenKey
from identity.core.mdoc import DraftMdoc, draft_mdoc, sign_mdoc
from identity.core.parties import Agency
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.refusals import NotFound

BACKDATE_SECONDS = 10  # clocks of verifiers run behind ours by seconds
CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
# Credentials carry the beginning of the stretch in which they were issued. All copies, of all
# people, of one stretch say the same; a second would tie the copies of one citizen together.
STRETCH_SECONDS = 300
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
CRYPTOSUITE = "eddsa-rdfc-2022"
STATUS_LIST_SIZE = 131_072  # entries; the least that Bitstring Status List §2.1 allows


class Format(StrEnum):
    """Credential formats, by their OpenID4VCI identifier."""

    SD_JWT_VC = "dc+sd-jwt"
    LDP_VC = "ldp_vc"
    JWT_VC_JSON = "jwt_vc_json"
    MSO_MDOC = "mso_mdoc"


DEFAULT_FORMATS = (Format.SD_JWT_VC, Format.LDP_VC)  # of an offer that names none
_SUFFIX = {
    Format.SD_JWT_VC: "sd-jwt",
    Format.LDP_VC: "ldp-vc",
    Format.JWT_VC_JSON: "jwt-vc",
    Format.MSO_MDOC: "mdoc",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPlace:
    """Position of one copy in the status lists of a group."""

    group: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedCopy:
    """One copy, complete but for its signature."""

    format: Format
    content: JsonObject
    digest: bytes  # anchor digest, 32 bytes
    credential_id: str | None  # `id` of a W3C credential
    disclosures: tuple[str, ...]  # of an SD-JWT VC
    mdoc: DraftMdoc | None = None


def configuration_id(type_name: str, kind: Format) -> str:
    """The key in `credential_configurations_supported`."""
    return f"{type_name}-{_SUFFIX[kind]}"


def parse_configuration_id(text: str) -> tuple[str, Format]:
    """Type name and format of a configuration identifier.

    Raises:
        NotFound: no such form.
    """
    for kind, suffix in _SUFFIX.items():
        if text.endswith(f"-{suffix}") and len(text) > len(suffix) + 1:
            return text.removesuffix(f"-{suffix}"), kind
    raise NotFound("no such credential configuration")


def status_uri(issuer_url: str, group: str, which: str) -> str:
    """Address of a status list: `token`, `revocation` or `suspension`."""
    return f"{issuer_url}/status/{group}/{which}"


def issued_at(now: datetime) -> datetime:
    """When a credential that is issued now says it was issued: the beginning of the stretch."""
    seconds = int(now.timestamp()) - BACKDATE_SECONDS
    return datetime.fromtimestamp(seconds - seconds % STRETCH_SECONDS, UTC)


def expiry(now: datetime, validity: timedelta) -> datetime:
    """End of the validity: the midnight (UTC) after `now + validity`.

    Whole days say less about the moment of issuing, which would tie copies together.
    """
    end = now + validity
    return datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(days=1)


def status_entries(issuer_url: str, place: StatusPlace) -> list[JsonObject]:
    """`credentialStatus` of a W3C credential: one entry for each purpose."""
    return [
        {
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "statusListIndex": str(place.index),
            "statusListCredential": status_uri(issuer_url, place.group, purpose),
        }
        for purpose in ("revocation", "suspension")
    ]


def token_status(issuer_url: str, place: StatusPlace) -> JsonObject:
    """`status` of an SD-JWT VC or an mdoc."""
    uri = status_uri(issuer_url, place.group, "token")
    return {"status_list": {"idx": place.index, "uri": uri}}


def draft_copy(
    kind: Format,
    *,
    agency: Agency,
    credential_type: CredentialType,
    claims: Mapping[str, Any],
    holder: ProvenKey,
    place: StatusPlace,
    batch: str,
    network: str,
    now: datetime,
    expires: datetime,
    random: Callable[[int], bytes],
) -> UnsignedCopy:
    """Compose one copy with its own salt, disclosures and status entry."""
    anchor = AnchorClaim(salt=random(SALT_BYTES), batch=batch, network=network)
    started = issued_at(now)
    if kind is Format.MSO_MDOC:
        return _draft_mdoc(
            agency=agency,
            credential_type=credential_type,
            claims=claims,
            holder=holder,
            place=place,
            anchor=anchor,
            started=started,
            expires=expires,
            random=random,
        )
    if kind is Format.SD_JWT_VC:
        sd_payload, disclosures = sd_jwt.make_disclosures(
            dict(claims),
            random=random,
            # How many claims there are would tell people apart: everybody shows as many digests.
            decoys=max(0, len(credential_type.claims) - len(claims)),
        )
        content = sd_jwt_vc.vc_payload(
            issuer=agency.issuer_url,
            vct=credential_type.vct,
            holder_key=holder.key,
            issued_at=int(started.timestamp()),
            expires_at=int(expires.timestamp()),
            sd_payload=sd_payload,
            status=token_status(agency.issuer_url, place),
            anchor=anchor.to_json(vcdm=False),
        )
        return UnsignedCopy(
            format=kind,
            content=content,
            digest=credential_digest(content, anchor.salt),
            credential_id=None,
            disclosures=tuple(disclosures),
        )
    credential_id = UUID(bytes=random(16), version=4).urn
    if kind is Format.JWT_VC_JSON:
        return _draft_jwt_vc(
            agency=agency,
            credential_type=credential_type,
            claims=claims,
            holder=holder,
            place=place,
            anchor=anchor,
            credential_id=credential_id,
            started=started,
            expires=expires,
        )
    document: JsonObject = {
        "@context": [CREDENTIALS_V2, credential_type.context_url],
        "id": credential_id,
        "type": ["VerifiableCredential", credential_type.vc_type],
        "issuer": agency.did,
        "validFrom": timestamp(started),
        "validUntil": timestamp(expires),
        "credentialSchema": {"id": credential_type.schema_url, "type": "JsonSchema"},
        "credentialStatus": status_entries(agency.issuer_url, place),
        "credentialSubject": {"id": holder.did, **claims},
        "anchor": anchor.to_json(vcdm=True),
    }
    return UnsignedCopy(
        format=kind,
        content=document,
        digest=credential_digest(document, anchor.salt),
        credential_id=credential_id,
        disclosures=(),
    )


def _draft_mdoc(
    *,
    agency: Agency,
    credential_type: CredentialType,
    claims: Mapping[str, Any],
    holder: ProvenKey,
    place: StatusPlace,
    anchor: AnchorClaim,
    started: datetime,
    expires: datetime,
    random: Callable[[int], bytes],
) -> UnsignedCopy:
    """A mobile document; the holder's key must be of P-256, as its metadata say."""
    made = draft_mdoc(
        doctype=credential_type.doctype,
        claims=claims,
        device_key=holder.key,
        issued_at=int(started.timestamp()),
        expires_at=int(expires.timestamp()),
        status=token_status(agency.issuer_url, place),
        anchor=anchor.to_json(vcdm=False),
        random=random,
    )
    return UnsignedCopy(
        format=Format.MSO_MDOC,
        content=made.content,
        digest=credential_digest(made.content, anchor.salt),
        credential_id=None,
        disclosures=(),
        mdoc=made,
    )


def _draft_jwt_vc(
    *,
    agency: Agency,
    credential_type: CredentialType,
    claims: Mapping[str, Any],
    holder: ProvenKey,
    place: StatusPlace,
    anchor: AnchorClaim,
    credential_id: str,
    started: datetime,
    expires: datetime,
) -> UnsignedCopy:
    """The document of version 1.1 that a `vc` claim holds (VCDM 1.1 §6.3.1)."""
    document: JsonObject = {
        "@context": [CREDENTIALS_V1, credential_type.context_url],
        "id": credential_id,
        "type": ["VerifiableCredential", credential_type.vc_type],
        "issuer": agency.web_did or agency.did,
        "issuanceDate": timestamp(started),
        "expirationDate": timestamp(expires),
        "credentialSchema": {"id": credential_type.schema_url, "type": "JsonSchema"},
        "credentialStatus": [  # version 1.1 wants an id (§4.9)
            {"id": f"{entry['statusListCredential']}#{entry['statusListIndex']}", **entry}
            for entry in status_entries(agency.issuer_url, place)
        ],
        "credentialSubject": {"id": holder.did, **claims},
        "anchor": anchor.to_json(vcdm=True),
    }
    return UnsignedCopy(
        format=Format.JWT_VC_JSON,
        content=document,
        digest=credential_digest(document, anchor.salt),
        credential_id=credential_id,
        disclosures=(),
    )


def _sign_jwt_vc(copy: UnsignedCopy, *, agency: Agency) -> str:
    """Registered claims repeat what the document says, as its readers expect."""
    document = copy.content
    started, expires = (
        int(datetime.fromisoformat(document[name]).timestamp())
        for name in ("issuanceDate", "expirationDate")
    )
    _, _, fragment = agency.jose.verification_method.partition("#")
    return jose.sign_compact(
        header={"typ": "JWT", "kid": f"{document['issuer']}#{fragment}"},
        payload={
            "iss": document["issuer"],
            "sub": document["credentialSubject"]["id"],
            "jti": document["id"],
            "nbf": started,
            "iat": started,
            "exp": expires,
            "vc": document,
        },
        signer=agency.jose,
    )


def sign_copy(
    copy: UnsignedCopy, *, agency: Agency, contexts: ContextStore, now: datetime
) -> str | JsonObject:
    """Sign a copy: a compact SD-JWT, or a document with its proof."""
    if copy.format is Format.SD_JWT_VC:
        return sd_jwt.issue_sd_jwt(
            payload=copy.content,
            disclosures=copy.disclosures,
            header=with_x5c(
                {"typ": sd_jwt_vc.TYP, "kid": agency.jose.verification_method},
                agency.certificates,
            ),
            signer=agency.jose,
        )
    if copy.mdoc is not None:
        chain = agency.certificates.current()
        return base64url_encode(sign_mdoc(copy.mdoc, signer=agency.jose, chain=chain))
    if copy.format is Format.JWT_VC_JSON:
        return _sign_jwt_vc(copy, agency=agency)
    return add_proof(
        copy.content,
        signer=agency.data_integrity,
        cryptosuite=CRYPTOSUITE,
        created=issued_at(now),
        purpose="assertionMethod",
        contexts=contexts,
    )


def timestamp(moment: datetime) -> str:
    """An XML Schema dateTimeStamp in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

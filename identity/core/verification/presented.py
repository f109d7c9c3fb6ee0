"""What was presented, taken apart. Nothing in this file believes a word of it.

`hints` says where evidence may be found: which DID, which list, which batch. The service reads
those; the checks then compare what was read with what the signature covers, so a lying hint leads
to a "no" and never to another yes.
"""

from dataclasses import dataclass
from typing import Any

from identity.core import mdoc, sd_jwt, status_list
from identity.core.credential_digest import AnchorClaim, anchor_claim, credential_digest
from identity.core.dcql import CredentialFormat
from identity.core.mdoc import Handover, UnverifiedDocument
from identity.core.sd_jwt import UnverifiedSdJwt
from identity.core.verification import envelopes
from identity.core.verification.envelopes import Envelope
from identity.core.verification.times import read_time
from registry.core.encoding import JsonObject, base64url_decode
from registry.core.refusals import Malformed, Refusal

MAX_SD_JWT_CHARS = 256 << 10  # a portrait of 100 kB in base64, twice over
MAX_CREDENTIALS = 8  # in one verifiable presentation; ours have one
MAX_STATUS_ENTRIES = 4  # ours have two


class PresentationMalformed(Malformed):
    """Not a credential or presentation in a format that is verified here."""


class ProofNotThere(PresentationMalformed):
    """There is no proof, or none that says under which key it is to be verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSdJwtVc:
    """An SD-JWT VC, with its key binding if it has one."""

    sd_jwt: UnverifiedSdJwt
    payload: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedLinkedData:
    """A W3C credential with Data Integrity proofs, and the presentation it came in, if any."""

    credential: JsonObject
    presentation: JsonObject | Envelope | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedEnveloped:
    """A W3C credential secured from outside, and the presentation it came in, if any.

    `format` is `jwt_vc_json` for the bare JWT of data model 1.1, else `ldp_vc`.
    """

    envelope: Envelope
    presentation: JsonObject | Envelope | None
    format: CredentialFormat = CredentialFormat.LDP_VC

    @property
    def credential(self) -> JsonObject:
        """The credential in the envelope."""
        return self.envelope.document


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedMdoc:
    """A mobile document in a device response, and the request that it is to be an answer to."""

    document: UnverifiedDocument
    handover: Handover


Unverified = UnverifiedSdJwtVc | UnverifiedLinkedData | UnverifiedEnveloped | UnverifiedMdoc


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Where evidence may be found.

    Args:
        format: format of the credential.
        method: verification method of the issuer's key.
        did: DID of that method.
        types: `vct`, or the short names of a W3C credential's types.
        anchor: where it says it is anchored, or why that cannot be read.
        digest: its anchor digest; empty when there is no readable anchor.
        status_uris: lists that its status is in.
        issued_at: unix seconds, when it says so; tells which version of the DID to read.
    """

    format: CredentialFormat
    method: str
    did: str
    types: tuple[str, ...]
    anchor: AnchorClaim | Refusal
    digest: bytes
    status_uris: tuple[str, ...]
    issued_at: int | None


def parse_sd_jwt_vc(text: object) -> UnverifiedSdJwtVc:
    """Take an SD-JWT VC apart.

    Raises:
        Malformed: no text, too long, or not an SD-JWT.
    """
    if not isinstance(text, str) or len(text) > MAX_SD_JWT_CHARS:
        raise PresentationMalformed("an SD-JWT VC is a text of bounded length")
    parsed = sd_jwt.parse_sd_jwt(text)
    return UnverifiedSdJwtVc(sd_jwt=parsed, payload=parsed.jws.claims)


def parse_linked_credential(
    value: object, *, presentation: JsonObject | Envelope | None = None
) -> UnverifiedLinkedData | UnverifiedEnveloped:
    """Take a W3C credential, with embedded proof or enveloped.

    Args:
        presentation: the verifiable presentation that holds it, if any.

    Raises:
        Malformed: no object, or an envelope without a credential in it.
    """
    if not isinstance(value, dict):
        raise PresentationMalformed("a W3C credential is an object")
    if envelopes.CREDENTIAL in names_of(value.get("type")):
        envelope = envelopes.open_envelope(value, envelopes.CREDENTIAL)
        return UnverifiedEnveloped(envelope=envelope, presentation=presentation)
    return UnverifiedLinkedData(credential=value, presentation=presentation)


def parse_linked_presentation(
    value: object,
) -> tuple[UnverifiedLinkedData | UnverifiedEnveloped, ...]:
    """Take a W3C presentation apart into its credentials, at least one.

    Raises:
        PresentationMalformed: as `open_presentation`, or no credential in it.
    """
    presentation = open_presentation(value)
    credentials = credentials_in(presentation)
    if not credentials:
        raise PresentationMalformed("the presentation holds no credential")
    return credentials


def open_presentation(value: object) -> JsonObject | Envelope:
    """A W3C presentation as it is, or the envelope around it.

    Raises:
        Malformed: no object, or an envelope without a presentation in it.
    """
    if not isinstance(value, dict):
        raise PresentationMalformed("a W3C presentation is an object")
    if envelopes.PRESENTATION in names_of(value.get("type")):
        return envelopes.open_envelope(value, envelopes.PRESENTATION)
    return value


def credentials_in(
    presentation: JsonObject | Envelope,
) -> tuple[UnverifiedLinkedData | UnverifiedEnveloped, ...]:
    """The credentials that a presentation holds.

    Raises:
        PresentationMalformed: too many, one that is no object, or one that is not enveloped within
            an envelope.
    """
    enveloped = isinstance(presentation, Envelope)
    document = presentation.document if isinstance(presentation, Envelope) else presentation
    held = document.get("verifiableCredential", [])
    values = held if isinstance(held, list) else [held]
    if len(values) > MAX_CREDENTIALS:
        raise PresentationMalformed(f"a presentation holds at most {MAX_CREDENTIALS} credentials")
    credentials = tuple(
        parse_linked_credential(credential, presentation=presentation) for credential in values
    )
    if enveloped and not all(isinstance(item, UnverifiedEnveloped) for item in credentials):
        raise PresentationMalformed("an enveloped presentation holds enveloped credentials")
    return credentials


def parse_jwt_presentation(
    value: object,
) -> tuple[UnverifiedLinkedData | UnverifiedEnveloped, ...]:
    """Take a presentation of data model 1.1 as a bare JWT apart into its credentials.

    Raises:
        PresentationMalformed: no credential in it, too many, or one that is no JWT.
        Malformed: no JWT.
    """
    presentation = envelopes.open_jwt(value, member="vp")
    held = presentation.document.get("verifiableCredential", [])
    values = held if isinstance(held, list) else [held]
    if not 1 <= len(values) <= MAX_CREDENTIALS:
        raise PresentationMalformed(f"a presentation holds 1 to {MAX_CREDENTIALS} credentials")
    return tuple(
        UnverifiedEnveloped(
            envelope=envelopes.open_jwt(text, member="vc"),
            presentation=presentation,
            format=CredentialFormat.JWT_VC_JSON,
        )
        for text in values
    )


def parse_mdoc(value: object, *, handover: Handover) -> UnverifiedMdoc:
    """Take a device response apart: base64url text (OpenID4VP 1.0, B.2.5).

    Raises:
        Malformed: no text, too long, or no device response with one document.
    """
    if not isinstance(value, str) or len(value) > 2 * mdoc.MAX_MDOC_BYTES:
        raise PresentationMalformed("a device response is a base64url text of bounded length")
    return UnverifiedMdoc(
        document=mdoc.parse_device_response(base64url_decode(value)), handover=handover
    )


def parse_presentation(
    value: object, credential_format: CredentialFormat, *, handover: Handover | None = None
) -> tuple[Unverified, ...]:
    """Take one entry of a `vp_token` apart, in the format that was asked for.

    Args:
        handover: the request that it answers; a mobile document cannot be judged without.

    Raises:
        Malformed: it is not in that format.
    """
    if credential_format is CredentialFormat.SD_JWT_VC:
        return (parse_sd_jwt_vc(value),)
    if credential_format is CredentialFormat.MSO_MDOC:
        if handover is None:
            raise PresentationMalformed("a mobile document answers a request, and there is none")
        return (parse_mdoc(value, handover=handover),)
    if credential_format is CredentialFormat.JWT_VC_JSON:
        credentials = parse_jwt_presentation(value)
    else:
        credentials = parse_linked_presentation(value)
    if len(credentials) != 1:
        raise PresentationMalformed("a presentation in a vp_token holds one credential")
    return credentials


def hints(unverified: Unverified) -> Hints:
    """Where evidence about `unverified` may be found.

    Raises:
        Malformed: it names no key, or its status cannot be read.
    """
    if isinstance(unverified, UnverifiedSdJwtVc):
        payload = unverified.payload
        reference = status_list.parse_token_reference(payload)
        uris: tuple[str, ...] = (reference.uri,) if reference else ()
        return _hints(
            credential_format=CredentialFormat.SD_JWT_VC,
            method=_method_of(unverified.sd_jwt.jws.header.get("kid"), payload.get("iss")),
            types=(payload.get("vct"),),
            content=payload,
            uris=uris,
            issued_at=payload.get("iat"),
        )
    if isinstance(unverified, UnverifiedMdoc):
        signed = unverified.document.issuer_signed
        content = signed.security_object.content
        listed = status_list.parse_token_reference(content)
        return _hints(
            credential_format=CredentialFormat.MSO_MDOC,
            method=_method_of(signed.key_id, None),
            types=(signed.security_object.doctype,),
            content=content,
            uris=(listed.uri,) if listed else (),
            issued_at=signed.security_object.signed_at,
        )
    credential = unverified.credential
    content, credential_format = credential, CredentialFormat.LDP_VC
    if isinstance(unverified, UnverifiedEnveloped):
        content, since = unverified.envelope.signed, _begins(unverified)
        named = unverified.envelope.key_id
        credential_format = unverified.format
    else:
        proof = _first_proof(credential)
        named, since = proof.get("verificationMethod"), proof.get("created")
    entries = status_list.parse_bitstring_entries(credential)
    return _hints(
        credential_format=credential_format,
        method=_method_of(named, _issuer_id(credential)),
        types=names_of(credential.get("type")),
        content=content,
        uris=tuple(dict.fromkeys(entry.uri for entry in entries)),
        issued_at=_seconds(since),
    )


def names_of(value: object) -> tuple[Any, ...]:
    """The `type` member of a W3C document as a tuple."""
    return tuple(value) if isinstance(value, list) else (value,)


def _hints(
    *,
    credential_format: CredentialFormat,
    method: str,
    types: tuple[Any, ...],
    content: JsonObject,
    uris: tuple[str, ...],
    issued_at: object,
) -> Hints:
    if len(uris) > MAX_STATUS_ENTRIES:
        raise PresentationMalformed(f"a credential has at most {MAX_STATUS_ENTRIES} statuses")
    if not all(isinstance(name, str) for name in types):
        raise PresentationMalformed("types are texts")
    anchor: AnchorClaim | Refusal
    digest = b""
    try:
        anchor = anchor_claim(content)
        digest = credential_digest(content, anchor.salt)
    except Refusal as refusal:
        anchor = refusal
    return Hints(
        format=credential_format,
        method=method,
        did=method.partition("#")[0],
        types=types,
        anchor=anchor,
        digest=digest,
        status_uris=uris,
        issued_at=issued_at if isinstance(issued_at, int) else None,
    )


def _method_of(named: object, issuer: object) -> str:
    """The DID URL of the issuer's key; a relative `kid` belongs to a DID in `iss`."""
    if isinstance(named, str) and named.startswith("#") and isinstance(issuer, str):
        named = issuer + named
    if not isinstance(named, str) or not named.startswith("did:") or len(named) > 2048:
        raise ProofNotThere("the issuer's key is not named by a DID URL")
    return named


def _begins(unverified: UnverifiedEnveloped) -> object:
    """The date that an enveloped credential begins with, by either version of the data model."""
    credential = unverified.credential
    return credential.get("validFrom") or credential.get("issuanceDate")


def _issuer_id(credential: JsonObject) -> object:
    issuer = credential.get("issuer")
    return issuer.get("id") if isinstance(issuer, dict) else issuer


def _seconds(text: object) -> int | None:
    try:
        return read_time(text)
    except Refusal:
        return None


def _first_proof(document: JsonObject) -> JsonObject:
    """The first proof; with several, each must verify, and the first names the issuer's key."""
    proof = document.get("proof")
    if isinstance(proof, list) and proof:
        proof = proof[0]
    if not isinstance(proof, dict):
        raise ProofNotThere("the credential has no proof")
    return proof

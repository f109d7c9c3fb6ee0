"""VC API: other systems have their credentials signed (`credentials/issue`).

An agency signs credentials of its own types only; each gets a status entry and an anchor like any
other. Instances for conformance runs sign whatever is well-formed, unchanged.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.claim_rules import check_claims
from identity.core.credential_digest import ANCHOR, SALT_BYTES, AnchorClaim, credential_digest
from identity.core.credential_types import CredentialType
from identity.core.data_integrity import add_proof
from identity.core.issuance import CREDENTIALS_V2, CRYPTOSUITE, Format, status_entries
from identity.core.parties import Agency
from identity.core.signing import Signer
from identity.core.vcdm import check_credential
from identity.issuer.parts import IssuerParts, TypeNotIssued
from identity.issuer.records import NewCopy, Placement
from identity.issuer.status import StatusPublisher
from identity.issuer.stores import DeliveryRequest, NoOpenGroup
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.refusals import Conflict, Malformed

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
MAX_ID_CHARS = 1024


class CredentialNotIssuable(Malformed):
    """The credential is well-formed, but not one that this agency signs as it is."""


class CredentialIdTaken(Conflict):
    """A credential with this `id` was issued before; its status could not be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VcApiProfile:
    """How one instance signs. The default is an agency: its own types, its own key."""

    signer: Signer | None = None  # None: the agency's Data Integrity key
    issuer: str | None = None  # None: the agency's DID
    cryptosuite: str = CRYPTOSUITE
    any_type: bool = False  # conformance only: sign every well-formed credential
    add_status: bool = False  # with `any_type`: add a BitstringStatusListEntry


class VcApiDesk:
    """Signs credentials for outside systems."""

    def __init__(
        self,
        parts: IssuerParts,
        publisher: StatusPublisher,
        *,
        profiles: Mapping[str, VcApiProfile] | None = None,
    ) -> None:
        self._parts = parts
        self._publisher = publisher
        self._profiles = dict(profiles or {})

    def issue(
        self, slug: str, unsigned: JsonObject, options: Mapping[str, Any], *, now: datetime
    ) -> JsonObject:
        """Secure a credential; every member comes back unchanged, what is added is added.

        Raises:
            Malformed: not a credential, or data would be lost in JSON-LD processing.
            CredentialNotIssuable, TypeNotIssued: not one for this agency.
            CredentialIdTaken: its `id` was used before.
        """
        parts = self._parts
        agency = parts.agency(slug)
        profile = self._profiles.get(slug, VcApiProfile())
        document = _with_proof_context(copy.deepcopy(unsigned))
        issuer = profile.issuer or agency.did
        if "proof" in document:
            raise CredentialNotIssuable("the credential has a proof already")
        if _issuer_id(document) != issuer:
            raise CredentialNotIssuable(f"issuer must be {issuer}")
        check_credential(document, contexts=parts.contexts)
        if profile.any_type:
            if profile.add_status:
                document = self._record(agency, document, None, now=now)
        else:
            document = self._record(agency, document, self._own_type(agency, document), now=now)
        pointers = options.get("mandatoryPointers")
        return add_proof(
            document,
            signer=profile.signer or agency.data_integrity,
            cryptosuite=profile.cryptosuite,
            created=now,
            purpose="assertionMethod",
            contexts=parts.contexts,
            options=None if pointers is None else {"mandatoryPointers": pointers},
        )

    def _own_type(self, agency: Agency, document: JsonObject) -> CredentialType:
        """The agency's credential type of `document`, whose claims fit its schema."""
        types, contexts = document.get("type"), document.get("@context")
        if not isinstance(types, list) or not isinstance(contexts, list):
            raise CredentialNotIssuable("type and @context must be arrays")
        kind = self._parts.catalogue.by_vc_type(types)
        if kind.name not in agency.credential_types:
            raise TypeNotIssued("this agency does not issue that credential type")
        if set(types) != {"VerifiableCredential", kind.vc_type}:
            raise CredentialNotIssuable("the credential has types beside the agency's own")
        if contexts != [CREDENTIALS_V2, kind.context_url]:
            raise CredentialNotIssuable(f"@context must be {CREDENTIALS_V2}, {kind.context_url}")
        for name in (ANCHOR, "credentialStatus"):
            if name in document:
                raise CredentialNotIssuable(f"{name} is added by the agency")
        subject = document["credentialSubject"]
        if not isinstance(subject, dict):
            raise CredentialNotIssuable("the credential must have one subject")
        check_claims(kind, subject)
        identifier = document.get("id")
        if identifier is not None and self._parts.issuances.find_issuance(agency.slug, identifier):
            raise CredentialIdTaken("a credential with this id was issued before")
        return kind

    def _record(
        self, agency: Agency, document: JsonObject, kind: CredentialType | None, *, now: datetime
    ) -> JsonObject:
        """Give the credential a status entry, and an anchor when it is of a type of ours."""
        parts = self._parts
        identifier = document.get("id")
        if isinstance(identifier, str) and len(identifier) > MAX_ID_CHARS:
            raise Malformed(f"id is longer than {MAX_ID_CHARS} characters")
        salt = parts.random(SALT_BYTES)
        recorded: list[JsonObject] = []

        def draft(placement: Placement) -> Sequence[NewCopy]:
            (place,) = placement.places
            entries = status_entries(agency.issuer_url, place)
            content = {**document, "credentialStatus": _joined(document, entries)}
            if kind is not None:
                claim = AnchorClaim(salt=salt, batch=placement.batch, network=parts.network)
                content[ANCHOR] = claim.to_json(vcdm=True)
            recorded[:] = [content]
            return [
                NewCopy(
                    digest=credential_digest(content, salt),
                    format=Format.LDP_VC,
                    credential_id=identifier,
                    place=place,
                )
            ]

        request = DeliveryRequest(
            agency=agency.slug,
            issuance=base64url_encode(parts.random(16)),
            subject=None,
            credential_type=kind.name if kind is not None else "",
            configuration="vc-api",
            delivery=base64url_encode(parts.random(16)),
            copies=1,
            anchored=kind is not None,
            max_deliveries=1,
            now=int(now.timestamp()),
        )
        try:
            parts.issuances.record_delivery(request, draft)
        except NoOpenGroup:
            self._publisher.ensure_open_group(agency.slug, room=1, now=now)
            parts.issuances.record_delivery(request, draft)
        return recorded[0]


def _joined(document: JsonObject, entries: list[JsonObject]) -> list[JsonObject]:
    """Our status entries after those that the credential came with."""
    present = document.get("credentialStatus", [])
    return [*(present if isinstance(present, list) else [present]), *entries]


def _with_proof_context(document: JsonObject) -> JsonObject:
    """A VCDM 1.1 document gets the context that defines `DataIntegrityProof`; 2.0 has it."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or CREDENTIALS_V1 not in contexts[:1]:
        return document
    if DATA_INTEGRITY_V2 in contexts:
        return document
    return {**document, "@context": [*contexts, DATA_INTEGRITY_V2]}


def _issuer_id(document: JsonObject) -> object:
    issuer = document.get("issuer")
    return issuer.get("id") if isinstance(issuer, dict) else issuer

"""VC API: other systems have their credentials signed (`credentials/issue`).

An agency signs credentials of its own types only; each gets a status entry and an anchor like any
other. Instances for conformance runs sign whatever is well-formed; see `identity.issuer.securing`.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.claim_rules import check_claims
from identity.core.credential_digest import ANCHOR, SALT_BYTES, AnchorClaim, credential_digest
from identity.core.credential_types import CredentialType
from identity.core.data_integrity.bbs_2023 import BbsSigner
from identity.core.deriving import derive
from identity.core.issuance import CREDENTIALS_V2, CRYPTOSUITE, Format, status_entries
from identity.core.jsonld import ContextStore
from identity.core.mandate import needs_principal
from identity.core.parties import Agency
from identity.core.signing import Signer
from identity.core.vcdm import check_credential
from identity.issuer.parts import IssuerParts, TypeNotIssued
from identity.issuer.records import NewCopy, Placement
from identity.issuer.securing import secure, with_proof_context
from identity.issuer.status import StatusPublisher
from identity.issuer.stores import DeliveryRequest, NoOpenGroup
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.refusals import Conflict, Malformed

MAX_ID_CHARS = 1024


class CredentialNotIssuable(Malformed):
    """The credential is well-formed, but not one that this agency signs as it is."""


class CredentialIdTaken(Conflict):
    """A credential with this `id` was issued before; its status could not be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VcApiProfile:
    """How an instance for conformance runs signs: every well-formed credential, of any type.

    Args:
        signer: the key of the instance.
        issuer: the DID that its credentials must name as issuer.
        securing: a cryptosuite, or `vc+jwt`, `vc+sd-jwt`, `vc+cose` for an envelope.
        add_status: add status entries; the instance is an agency then.
    """

    signer: Signer | BbsSigner
    issuer: str
    securing: str
    add_status: bool = False


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
        contexts = self._parts.contexts.for_request()
        profile = self._profiles.get(slug)
        if profile is not None:
            return self._issue_any(slug, profile, unsigned, options, contexts=contexts, now=now)
        agency = self._parts.agency(slug)
        document = _checked(unsigned, issuer=agency.did, contexts=contexts)
        name = _name_of(document, options)
        kind = self._own_type(agency, document, name)
        document = self._record(agency, document, kind, name, now=now)
        return secure(
            document,
            signer=agency.data_integrity,
            securing=CRYPTOSUITE,
            options=options,
            contexts=contexts,
            random=self._parts.random,
            now=now,
        )

    def derive(self, slug: str, base: JsonObject, options: Mapping[str, Any]) -> JsonObject:
        """What its holder shows of a credential with a base proof; any instance derives.

        Raises:
            Malformed: no base proof, or pointers that lead nowhere.
            UnknownAgency: no such instance.
        """
        if slug not in self._profiles:
            self._parts.agency(slug)
        contexts = self._parts.contexts.for_request()
        return derive(base, options, contexts=contexts, random=self._parts.random)

    def _issue_any(
        self,
        slug: str,
        profile: VcApiProfile,
        unsigned: JsonObject,
        options: Mapping[str, Any],
        *,
        contexts: ContextStore,
        now: datetime,
    ) -> JsonObject:
        document = _checked(unsigned, issuer=profile.issuer, contexts=contexts)
        if profile.add_status:
            agency = self._parts.agency(slug)
            document = self._record(agency, document, None, _name_of(document, options), now=now)
        return secure(
            document,
            signer=profile.signer,
            securing=profile.securing,
            options=options,
            contexts=contexts,
            random=self._parts.random,
            now=now,
        )

    def _own_type(self, agency: Agency, document: JsonObject, name: str | None) -> CredentialType:
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
        for member in (ANCHOR, "credentialStatus"):
            if member in document:
                raise CredentialNotIssuable(f"{member} is added by the agency")
        subject = document["credentialSubject"]
        if not isinstance(subject, dict):
            raise CredentialNotIssuable("the credential must have one subject")
        check_claims(kind, subject)
        if needs_principal(kind.claims):  # it could not end with whom it is for
            raise CredentialNotIssuable("a mandate for a person is offered, naming both people")
        if name is not None and self._parts.issuances.find_issuance(agency.slug, name):
            raise CredentialIdTaken("a credential with this id was issued before")
        return kind

    def _record(
        self,
        agency: Agency,
        document: JsonObject,
        kind: CredentialType | None,
        name: str | None,
        *,
        now: datetime,
    ) -> JsonObject:
        """Give the credential a status entry, and an anchor when it is of a type of ours."""
        parts = self._parts
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
                    credential_id=name,
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
            key=agency.jose.verification_method,
        )
        try:
            parts.issuances.record_delivery(request, draft)
        except NoOpenGroup:
            self._publisher.ensure_open_group(agency.slug, room=1, now=now)
            parts.issuances.record_delivery(request, draft)
        return recorded[0]


def _checked(unsigned: JsonObject, *, issuer: str, contexts: ContextStore) -> JsonObject:
    """A copy of the credential, which is well-formed and names `issuer`."""
    document = with_proof_context(copy.deepcopy(unsigned))
    if "proof" in document:
        raise CredentialNotIssuable("the credential has a proof already")
    if _issuer_id(document) != issuer:
        raise CredentialNotIssuable(f"issuer must be {issuer}")
    check_credential(document, contexts=contexts)
    return document


def _name_of(document: JsonObject, options: Mapping[str, Any]) -> str | None:
    """By what requests about its status name the credential: `id`, or VCALM's `credentialId`."""
    name = document.get("id", options.get("credentialId"))
    if name is None:
        return None
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID_CHARS:
        raise Malformed(f"id or credentialId is no text of 1 to {MAX_ID_CHARS} characters")
    return name


def _joined(document: JsonObject, entries: list[JsonObject]) -> list[JsonObject]:
    """Our status entries after those that the credential came with."""
    present = document.get("credentialStatus", [])
    return [*(present if isinstance(present, list) else [present]), *entries]


def _issuer_id(document: JsonObject) -> object:
    issuer = document.get("issuer")
    return issuer.get("id") if isinstance(issuer, dict) else issuer

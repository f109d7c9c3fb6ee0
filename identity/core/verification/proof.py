"""The check of the issuer's proof, and what may be believed once it has passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from identity.core import data_integrity, mdoc, sd_jwt_vc, vcdm
from identity.core.bbs.keys import BbsPublicKey
from identity.core.credential_types import Catalogue
from identity.core.dcql import CredentialFormat
from identity.core.jsonld import ContextStore
from identity.core.verification.did_documents import (
    IssuerDocument,
    bbs_key_of,
    find_bbs_key,
    find_key,
    is_self_describing,
    key_of,
)
from identity.core.verification.envelopes import (
    issued_at,
    numeric_date,
    stated_in,
    verify_envelope,
)
from identity.core.verification.presented import (
    Hints,
    Unverified,
    UnverifiedEnveloped,
    UnverifiedLinkedData,
    UnverifiedMdoc,
    UnverifiedSdJwtVc,
    names_of,
)
from identity.core.verification.times import read_time
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey
from registry.core.refusals import Refusal

VC_IRI = "https://www.w3.org/2018/credentials#VerifiableCredential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A credential whose proof verified. Only `prove` makes one.

    Args:
        methods: verification methods of every proof.
        issuer: who the credential says issued it: a DID, or an https URL.
        types: the `vct`, or the short names of its types.
        content: what is anchored: the JWT payload, or the W3C credential without its proof; where
            something may be disclosed, with digests in its place.
        root: where DCQL paths start: processed payload, or the W3C credential.
        claims: disclosed claims about the subject, without its identifier.
        subject: `credentialSubject.id` of a W3C credential; empty for SD-JWT VC.
        holder_key: the key in `cnf`; None for W3C credentials, whose subject is a DID.
        stated: audience and nonce that the credential's own proof is bound to.
        issued_at, not_before, expires_at: unix seconds, None when the credential does not say.
    """

    format: CredentialFormat
    methods: tuple[str, ...]
    issuer: str
    types: tuple[str, ...]
    content: JsonObject
    root: JsonObject
    claims: JsonObject
    subject: str
    holder_key: PublicKey | None
    stated: Mapping[str, str]
    issued_at: int | None
    not_before: int | None
    expires_at: int | None


def prove(
    unverified: Unverified,
    *,
    hints: Hints,
    documents: Sequence[IssuerDocument] | Refusal,
    contexts: ContextStore,
    now: datetime,
) -> Proven:
    """Verify the issuer's proof over a credential.

    Whether the key may speak for the issuer is the check `issuer`; here it only has to be the key
    that is named, as the DID documents have it.

    Args:
        unverified: the credential.
        hints: what it says about itself; `hints.method` names the key.
        documents: versions of the document of `hints.did`, or why there are none.
        contexts: the JSON-LD contexts that exist.
        now: aware, UTC.

    Raises:
        Refusal: the proof does not verify, or the credential is not well-formed.
    """
    if isinstance(documents, Refusal):
        raise documents
    if isinstance(unverified, UnverifiedSdJwtVc):
        return _prove_sd_jwt(unverified, method=hints.method, documents=documents)
    if isinstance(unverified, UnverifiedMdoc):
        return _prove_mdoc(unverified, method=hints.method, documents=documents)
    if isinstance(unverified, UnverifiedEnveloped):
        return _prove_enveloped(
            unverified, method=hints.method, documents=documents, contexts=contexts, now=now
        )
    return _prove_linked(unverified, documents=documents, contexts=contexts, now=now)


def expanded_types(proven: Proven, catalogue: Catalogue) -> frozenset[str]:
    """Type identifiers as DCQL compares them: the `vct`, or IRIs for the published W3C types."""
    if proven.format is not CredentialFormat.LDP_VC:
        return frozenset(proven.types)
    iris = {kind.vc_type: type_iri(kind.context, kind.vc_type) for kind in catalogue}
    iris["VerifiableCredential"] = VC_IRI
    return frozenset(iris[name] for name in proven.types if name in iris)


def type_iri(context: JsonObject, vc_type: str) -> str:
    """The IRI that a JSON-LD context gives to a type; empty when it gives none."""
    terms = context.get("@context", {})
    entries = terms if isinstance(terms, list) else [terms]
    for entry in entries:
        definition = entry.get(vc_type) if isinstance(entry, dict) else None
        if isinstance(definition, dict):
            definition = definition.get("@id")
        if isinstance(definition, str):
            return definition
    return ""


def _prove_sd_jwt(
    unverified: UnverifiedSdJwtVc, *, method: str, documents: Sequence[IssuerDocument]
) -> Proven:
    credential = sd_jwt_vc.verify_sd_jwt_vc(unverified.sd_jwt, key=find_key(documents, method))
    return Proven(
        format=CredentialFormat.SD_JWT_VC,
        methods=(method,),
        issuer=credential.issuer,
        types=(credential.vct,),
        content=credential.sd_jwt.payload,
        root=credential.sd_jwt.claims,
        claims=credential.claims,
        subject="",
        holder_key=credential.holder_key,
        stated={},
        issued_at=credential.issued_at,
        not_before=credential.not_before,
        expires_at=credential.expires_at,
    )


def _prove_mdoc(
    unverified: UnverifiedMdoc, *, method: str, documents: Sequence[IssuerDocument]
) -> Proven:
    """A mobile document: the issuer's signature, and a digest of it for each element shown."""
    issuer_signed = unverified.document.issuer_signed
    mdoc.verify_issuer_signed(issuer_signed, key=find_key(documents, method))
    signed = issuer_signed.security_object
    root: JsonObject = {}
    for element in issuer_signed.elements:
        root.setdefault(element.name_space, {})[element.name] = element.value
    return Proven(
        format=CredentialFormat.MSO_MDOC,
        methods=(method,),
        issuer=method.partition("#")[0],
        types=(signed.doctype,),
        content=signed.content,
        root=root,
        claims=root.get(signed.doctype, {}),
        subject="",
        holder_key=signed.device_key,
        stated={},
        issued_at=signed.signed_at,
        not_before=signed.valid_from,
        expires_at=signed.valid_until,
    )


def _prove_linked(
    unverified: UnverifiedLinkedData,
    *,
    documents: Sequence[IssuerDocument],
    contexts: ContextStore,
    now: datetime,
) -> Proven:
    credential = unverified.credential
    vcdm.check_credential(credential, contexts=contexts)
    stated = stated_binding(credential.get("proof"))

    def resolve(method: str, _purpose: str) -> PublicKey:
        if is_self_describing(method):
            return key_of(method)
        return find_key(documents, method)

    def resolve_bbs(method: str, _purpose: str) -> BbsPublicKey:
        if is_self_describing(method):
            return bbs_key_of(method)
        return find_bbs_key(documents, method)

    proofs = data_integrity.verify_proofs(
        credential,
        purpose="assertionMethod",
        resolve_key=resolve,
        resolve_bbs_key=resolve_bbs,
        contexts=contexts,
        now=now,
        domain=stated.get("audience"),
        challenge=stated.get("nonce"),
    )
    created = [int(proof.created.timestamp()) for proof in proofs if proof.created]
    return _proven_w3c(
        credential,
        content={name: value for name, value in credential.items() if name != "proof"},
        methods=tuple(proof.verification_method for proof in proofs),
        stated=stated,
        issued_at=min(created) if created else None,
    )


def _prove_enveloped(
    unverified: UnverifiedEnveloped,
    *,
    method: str,
    documents: Sequence[IssuerDocument],
    contexts: ContextStore,
    now: datetime,
) -> Proven:
    """An enveloped credential: the signature, the form, and dates of both the claims and it."""
    envelope = unverified.envelope
    verify_envelope(envelope, key=find_key(documents, method), now=int(now.timestamp()))
    if envelope.is_plain:
        vcdm.check_plain_credential(envelope.document)
    else:
        vcdm.check_credential(envelope.document, contexts=contexts)
    claims = envelope.claims
    proven = _proven_w3c(
        envelope.document,
        content=envelope.signed,
        methods=(method,),
        stated=stated_in(envelope),
        issued_at=issued_at(claims),
    )
    proven = replace(proven, format=unverified.format)
    # The JWT's own dates are promises of the issuer as well; the narrower period counts.
    ends = [numeric_date(claims, "exp"), proven.expires_at]
    begins = [numeric_date(claims, "nbf"), proven.not_before]
    return replace(
        proven,
        expires_at=min((end for end in ends if end is not None), default=None),
        not_before=max((begin for begin in begins if begin is not None), default=None),
    )


def _proven_w3c(
    credential: JsonObject,
    *,
    content: JsonObject,
    methods: tuple[str, ...],
    stated: Mapping[str, str],
    issued_at: int | None,
) -> Proven:
    starts = _time_of(credential, "validFrom", "issuanceDate")
    subject = credential.get("credentialSubject")
    # Several subjects have no single holder; claims of theirs are not handed on as one person's.
    alone = subject if isinstance(subject, dict) else {}
    return Proven(
        format=CredentialFormat.LDP_VC,
        methods=methods,
        issuer=_id_of(credential.get("issuer")),
        types=tuple(names_of(credential.get("type"))),
        content=content,
        root=credential,
        claims={name: value for name, value in alone.items() if name != "id"},
        subject=_id_of(alone),
        holder_key=None,
        stated=stated,
        issued_at=starts if issued_at is None else issued_at,
        not_before=starts,
        expires_at=_time_of(credential, "validUntil", "expirationDate"),
    )


def stated_binding(proof: object) -> dict[str, str]:
    """Audience and nonce that Data Integrity proofs name; compared, never believed.

    Those of a set count only where all of its proofs name the same.
    """
    listed = proof if isinstance(proof, list) else [proof]
    proofs = [one for one in listed if isinstance(one, dict)]
    if not proofs or len(proofs) != len(listed):
        return {}
    stated = {}
    for name, member in (("audience", "domain"), ("nonce", "challenge")):
        values = [
            _sole(one.get(member)) if member == "domain" else one.get(member) for one in proofs
        ]
        if isinstance(values[0], str) and all(value == values[0] for value in values):
            stated[name] = values[0]
    return stated


def _sole(domain: Any) -> Any:
    """A text is a set of just that text (Data Integrity 1.0 §4.4)."""
    return domain[0] if isinstance(domain, list) and len(domain) == 1 else domain


def _id_of(value: Any) -> str:
    name = value.get("id", "") if isinstance(value, dict) else value
    return name if isinstance(name, str) else ""


def _time_of(credential: JsonObject, *names: str) -> int | None:
    for name in names:
        if name in credential:
            return read_time(credential[name])
    return None

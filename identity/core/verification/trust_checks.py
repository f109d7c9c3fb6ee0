"""Checks of who issued: the key belongs to the issuer, the ledger accredits it, and anchors it."""

from collections.abc import Sequence

from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.credential_types import CredentialType
from identity.core.dcql import CredentialFormat
from identity.core.verification.case import Case
from identity.core.verification.did_documents import (
    IssuerDocument,
    also_known_as,
    is_allowed,
    is_self_describing,
)
from identity.core.verification.failure import CheckFailed
from identity.core.verification.policy import Rule, Trust
from identity.core.verification.verdict import Check
from registry.core.accreditation import is_accredited
from registry.core.receipt import VerifiedAnchor, verify_receipt
from registry.core.refusals import Refusal


def check_proof(case: Case) -> str:
    """The issuer's signature covers the credential as it was shown."""
    if isinstance(case.proven, Refusal):
        raise case.proven
    return "the issuer's proof verifies"


def check_issuer(case: Case) -> str:
    """The key that signed belongs to the issuer that the credential names, for this purpose.

    1. Every proof is by a key of one DID, the one whose documents were read.
    2. A version of its document that held between issuing and anchoring allows the key for
       `assertionMethod`. Keys may rotate in between; a key given up before issuing is nobody's.
    3. The issuer is that DID, or a URL that the DID document claims in `alsoKnownAs`.
    4. A DID that is its own document says nothing about who is behind it, so such an issuer is
       trusted by name or not at all.
    5. The ledger does not declare the key stolen at the height of the anchor; without an anchor
       that the policy demands, nobody knows the height, and a stolen key counts for nothing.
    """
    credential, documents = case.credential, case.evidence.documents
    if isinstance(documents, Refusal):
        raise documents
    held = _held_at_issuing(documents, case)
    for method in credential.methods:
        did = method.partition("#")[0]
        if did != case.hints.did:  # 1
            raise CheckFailed("other_signer", "a proof is by a key of another DID")
        if not is_allowed(held, method, "assertionMethod"):  # 2
            raise CheckFailed(
                "method_not_authorized", "the key was not one for signing credentials at that time"
            )
    if credential.issuer != case.hints.did and not (
        credential.issuer.startswith(("https://", "http://", "did:web:"))
        and credential.issuer in also_known_as(held)
    ):  # 3
        raise CheckFailed("issuer_not_bound", "the key's DID does not claim the issuer's name")
    if is_self_describing(case.hints.did):  # 4
        trusted = case.policy.trusted_keys
        if not (trusted is Trust.ANY_KEY or _is_among(case.hints.did, trusted)):
            raise CheckFailed("issuer_not_trusted", "the policy does not name this key as issuer")
    else:
        _check_not_stolen(case)  # 5
    return "the key belongs to the issuer"


def _check_not_stolen(case: Case) -> None:
    compromised = case.evidence.compromised
    if isinstance(compromised, Refusal):
        raise compromised
    since = [compromised[name] for name in case.credential.methods if name in compromised]
    if not since:
        return
    if case.policy.rules[Check.ANCHOR] is Rule.REQUIRED and _anchored(case).height < min(since):
        return
    raise CheckFailed("key_compromised", "the ledger declares the key stolen at that time")


def check_accreditation(case: Case) -> str:
    """The ledger accredited the issuer for this type, in a chain to a root, when it was anchored.

    A policy that waives the anchor is answered for the newest height.
    """
    evidence = case.evidence.accreditation
    name = type_of(case).name
    if isinstance(evidence, Refusal):
        raise evidence
    height = evidence.newest_height
    if case.policy.rules[Check.ANCHOR] is Rule.REQUIRED:
        try:
            height = _anchored(case).height
        except Refusal as refusal:
            raise CheckFailed(
                "height_unknown", "without a valid anchor nobody knows when it was issued"
            ) from refusal
    if not is_accredited(
        case.hints.did,
        name,
        height,
        accreditations=evidence.own,
        read=evidence.above.get,
        roots=case.world.trust.roots,
    ):
        raise CheckFailed("not_accredited", "the issuer was not accredited for this type then")
    return f"the issuer was accredited at height {height}"


def check_anchor(case: Case) -> str:
    """The ledger proves that the issuer anchored this content when it says it issued it.

    1. The digest is recomputed from the content; the receipt proves it under a signed head.
    2. Network and batch are those that the content names.
    3. The batch is the issuer's own, and is declared for this type.
    4. The block is not before issuing, and not later than the policy allows.
    """
    anchored = _anchored(case)  # 1
    claim = anchor_claim(case.credential.content)
    if claim.network != case.world.trust.network or claim.batch != anchored.batch:  # 2
        raise CheckFailed("other_batch", "the receipt is for another batch than the credential's")
    if anchored.issuer != case.hints.did:  # 3
        raise CheckFailed("other_issuer", "the batch was anchored by another issuer")
    if type_of(case).name not in anchored.types:
        raise CheckFailed("other_type", "the batch is not declared for this type of credential")
    issued_at = case.credential.issued_at  # 4
    if issued_at is None:
        raise CheckFailed("issuing_undated", "the credential does not say when it was issued")
    if anchored.time < issued_at - case.policy.clock_skew_seconds:
        raise CheckFailed("anchored_before_issuing", "the block is older than the credential")
    if anchored.time > issued_at + case.policy.max_anchor_delay_seconds:
        raise CheckFailed("anchored_too_late", "the block is too long after issuing")
    return f"anchored at height {anchored.height}"


def type_of(case: Case) -> CredentialType:
    """The published type of the credential.

    Raises:
        UnknownCredentialType: it names none that we publish.
    """
    credential = case.credential
    if credential.format is CredentialFormat.SD_JWT_VC:
        return case.world.catalogue.by_vct(credential.types[0])
    if credential.format is CredentialFormat.MSO_MDOC:
        return case.world.catalogue.by_doctype(credential.types[0])
    return case.world.catalogue.by_vc_type(credential.types)


def _anchored(case: Case) -> VerifiedAnchor:
    receipt = case.evidence.receipt
    if isinstance(receipt, Refusal):
        raise receipt
    content = case.credential.content
    digest = credential_digest(content, anchor_claim(content).salt)
    return verify_receipt(receipt, digest=digest, anchor=case.world.trust, now=case.now_seconds)


def _held_at_issuing(documents: Sequence[IssuerDocument], case: Case) -> list[IssuerDocument]:
    issued_at = case.credential.issued_at
    if issued_at is None:  # the anchor check refuses that; without it, only today's version counts
        return [version for version in documents if version.end is None]
    start = issued_at - case.policy.clock_skew_seconds
    end = issued_at + case.policy.max_anchor_delay_seconds
    return [version for version in documents if version.held_within(start, end)]


def _is_among(did: str, trusted: frozenset[str] | Trust) -> bool:
    return isinstance(trusted, frozenset) and did in trusted

"""Checks of the answer against the question: by the holder, for us, now, and what we asked."""

from typing import Any

from identity.core import haip
from identity.core.dcql import CredentialFormat
from identity.core.dcql_answer import Candidate, keep_only, matches
from identity.core.verification.authorities import authorities_of
from identity.core.verification.case import AnyCredential, Case
from identity.core.verification.did_documents import is_self_describing
from identity.core.verification.failure import CheckFailed, NothingToCheck
from identity.core.verification.holder import Freshness, binding_of, verify_holder
from identity.core.verification.policy import Rule, Trust
from identity.core.verification.presented import UnverifiedMdoc, UnverifiedSdJwtVc
from identity.core.verification.proof import expanded_types
from identity.core.verification.verdict import Check
from registry.core.encoding import JsonObject

_BOUND_TO = ("audience", "nonce")


def check_holder_binding(case: Case) -> str:
    """Whoever presents the credential controls the key that it was issued to."""
    verify_holder(
        case.unverified,
        case.credential,
        contexts=case.world.contexts,
        freshness=Freshness(
            now=case.now,
            max_age_seconds=case.policy.max_presentation_age_seconds,
            skew_seconds=case.policy.clock_skew_seconds,
            needs_date=isinstance(case.expectation.query, AnyCredential)
            or case.policy.rules[Check.AUDIENCE] is not Rule.REQUIRED,
            accepts_anybody=case.policy.accepts_unbound_holders,
        ),
    )
    return "presented by its holder"


def check_audience(case: Case) -> str:
    """The presentation was made for this relying party and this request.

    Under a policy that requires it, both audience and nonce are expected; otherwise those that the
    caller names.
    """
    expected = case.expectation.binding
    if case.policy.rules[Check.AUDIENCE] is Rule.REQUIRED and set(expected) != set(_BOUND_TO):
        raise CheckFailed("nothing_expected", "the request named no audience and nonce")
    if not expected:
        raise NothingToCheck("nothing_expected", "no audience or nonce was expected")
    stated = binding_of(case.unverified, case.credential)
    for name in _BOUND_TO:
        if name in expected and stated.get(name) != expected[name]:
            raise CheckFailed(f"other_{name}", f"the presentation is for another {name}")
    return "made for this request"


def check_policy(case: Case) -> str:
    """The relying party trusts this issuer, got what it asked for, and the values that decide."""
    trusted = case.policy.trusted_issuers
    if not is_self_describing(case.hints.did) and not (
        trusted in (Trust.ANY_ACCREDITED, Trust.ANY_DID)
        or (isinstance(trusted, frozenset) and case.hints.did in trusted)
    ):
        raise CheckFailed("issuer_not_trusted", "the policy does not name this issuer")
    query = case.expectation.query
    if isinstance(query, AnyCredential):
        return "nothing particular was asked"
    if case.expectation.haip:
        _check_profile(case)
    matches(query, candidate_of(case))
    claims = subject_of(case)
    for name, value in case.expectation.require.items():
        # A relying party may ask two credentials; the one that was asked for the claim decides.
        if name in asked_names(case) and not (
            type(claims.get(name)) is type(value) and claims.get(name) == value
        ):
            raise CheckFailed("condition_not_met", f"{name} is not as this purpose demands")
    return "answers what was asked"


def _check_profile(case: Case) -> None:
    unverified = case.unverified
    if isinstance(unverified, UnverifiedSdJwtVc):
        haip.check_signing_header(unverified.sd_jwt.jws.header)
    elif not (isinstance(unverified, UnverifiedMdoc) and unverified.document.issuer_signed.chain):
        raise haip.ProfileNotKept("HAIP: the credential names its key by x5c or x5chain")


def candidate_of(case: Case) -> Candidate:
    """The credential as a DCQL query sees it."""
    credential = case.credential
    return Candidate(
        format=credential.format,
        types=expanded_types(credential, case.world.catalogue),
        credential=credential.root,
        is_holder_bound=bool(binding_of(case.unverified, credential)),
        authorities=authorities_of(case),
    )


def asked_names(case: Case) -> frozenset[str]:
    """Names of the claims that the query asks for."""
    query = case.expectation.query
    if isinstance(query, AnyCredential):
        return frozenset()
    start = _subject_depth(query.format)
    names = [path[start] for path in query.paths if len(path) > start]
    return frozenset(name for name in names if isinstance(name, str))


def subject_of(case: Case) -> JsonObject:
    """What was disclosed about the subject and asked for; the rest is not kept."""
    query, credential = case.expectation.query, case.credential
    if isinstance(query, AnyCredential):
        return credential.claims
    kept: Any = keep_only(query.paths, credential.root)
    if query.format.is_w3c:
        kept = kept.get("credentialSubject", {})
    elif query.format is CredentialFormat.MSO_MDOC:
        kept = kept.get(credential.types[0], {})  # our elements stand in one name space
    return kept if isinstance(kept, dict) else {}


def _subject_depth(credential_format: CredentialFormat) -> int:
    """Below `credentialSubject`, or below the name space of an mdoc."""
    return 0 if credential_format is CredentialFormat.SD_JWT_VC else 1

"""Which certificate authorities stand behind a credential's issuer (OpenID4VP 1.0 §6.1.1.1)."""

from identity.core.certificate_chains import authority_key_ids, key_of_leaf, verify_chain
from identity.core.certificates import MAX_CHAIN
from identity.core.dcql import AKI
from identity.core.verification.case import Case
from identity.core.verification.did_documents import find_key
from identity.core.verification.presented import UnverifiedMdoc, UnverifiedSdJwtVc
from registry.core.encoding import base64_decode
from registry.core.refusals import Malformed, Refusal


def authorities_of(case: Case) -> frozenset[tuple[str, str]]:
    """`aki` entries of the issuer's chain; none when it leads to no root that we trust.

    A chain that nobody vouches for could name any authority, so only a verified one counts, and
    only when its leaf is for the key that signed the credential.
    """
    if isinstance(case.evidence.documents, Refusal):
        return frozenset()
    try:
        certificates = verify_chain(
            _chain_of(case), roots=case.world.certificate_roots, now=case.now
        )
        signer = find_key(case.evidence.documents, case.credential.methods[0])
        if key_of_leaf(certificates[0]) != signer:
            return frozenset()
    except Refusal:
        return frozenset()
    return frozenset((AKI, identifier) for identifier in authority_key_ids(certificates))


def _chain_of(case: Case) -> tuple[bytes, ...]:
    unverified = case.unverified
    if isinstance(unverified, UnverifiedMdoc):
        return unverified.document.issuer_signed.chain
    if not isinstance(unverified, UnverifiedSdJwtVc):
        return ()
    chain = unverified.sd_jwt.jws.header.get("x5c", [])
    if not isinstance(chain, list) or len(chain) > MAX_CHAIN:
        raise Malformed("x5c is no chain")
    if not all(isinstance(item, str) for item in chain):
        raise Malformed("x5c holds texts")
    return tuple(base64_decode(item) for item in chain)

"""`resolve_bbs_key` for `did:key`, and a verification with it."""

from datetime import UTC, datetime

from identity.core.bbs.keys import BbsPublicKey, parse_bbs_did_key
from identity.core.data_integrity import VerifiedProof, verify_proofs
from registry.core.encoding import JsonObject
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import resolve_did_key

NOW = datetime(2026, 5, 1, 13, 14, 15, tzinfo=UTC)


def resolve_bbs_did_key(method: str, _purpose: str) -> BbsPublicKey:
    """For `did:key:X#X`."""
    did, _, fragment = method.partition("#")
    key = parse_bbs_did_key(did)
    assert fragment == key.multikey
    return key


def verify(document: JsonObject) -> list[VerifiedProof]:
    """Verify a credential whose issuer has any did:key, BBS ones too."""
    return verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=resolve_did_key,
        resolve_bbs_key=resolve_bbs_did_key,
        contexts=bundled(),
        now=NOW,
        domain=None,
        challenge=None,
    )

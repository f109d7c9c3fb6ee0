"""Data Integrity 1.0: signatures first; bodies follow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey

ResolveKey = Callable[[str, str], PublicKey]  # (verification method, purpose); raises Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    proof: JsonObject
    verification_method: str
    key: PublicKey
    cryptosuite: str
    created: datetime | None


def add_proof(
    document: JsonObject,
    *,
    signer: Signer,
    cryptosuite: str,
    created: datetime,
    purpose: str,
    contexts: ContextStore,
    options: JsonObject | None = None,  # id, expires, domain, challenge, nonce, previousProof
) -> JsonObject:
    raise NotImplementedError


def verify_proofs(
    document: JsonObject,
    *,
    purpose: str,
    resolve_key: ResolveKey,
    contexts: ContextStore,
    now: datetime,
    domain: str | None,  # None: this kind of proof is not bound to one
    challenge: str | None,
) -> list[VerifiedProof]:
    """Every proof of the set or chain verifies, or a Refusal. No proof at all is a Refusal."""
    raise NotImplementedError

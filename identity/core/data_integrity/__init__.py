"""Verifiable Credential Data Integrity 1.0 (https://www.w3.org/TR/vc-data-integrity/)."""

from identity.core.data_integrity.disclosure import add_base_proof, add_bbs_base_proof, derive_proof
from identity.core.data_integrity.proofs import (
    MAX_PROOFS,
    ResolveKey,
    VerifiedProof,
    add_proof,
    verify_proofs,
)
from identity.core.data_integrity.suite import ProofMalformed, ProofNotValid
from identity.core.data_integrity.suites import CRYPTOSUITES, CryptosuiteNotKnown

__all__ = [
    "CRYPTOSUITES",
    "MAX_PROOFS",
    "CryptosuiteNotKnown",
    "ProofMalformed",
    "ProofNotValid",
    "ResolveKey",
    "VerifiedProof",
    "add_base_proof",
    "add_bbs_base_proof",
    "add_proof",
    "derive_proof",
    "verify_proofs",
]

"""Problem details of the VC API, by the types that the specifications define.

A `type` is a URL (VCDM 2.0 §7.2). Where no specification names what went wrong, it is one of ours;
`reason` is our own code in any case, for whoever tells our reasons apart.
"""

from collections.abc import Mapping

from identity.core.vc_api_problems import (
    MALFORMED_VALUE_ERROR,
    SECURITY_PROBLEMS,
    VCDM_PROBLEMS,
)
from identity.core.verification.verdict import PROOF_FAILED, Check, CheckResult, Verdict
from registry.core.encoding import JsonObject

_STATUS_LIST = "https://www.w3.org/ns/credentials/status-list#"  # Bitstring Status List 1.0 §3.5

_PROOF_VERIFICATION_ERROR = f"{SECURITY_PROBLEMS}PROOF_VERIFICATION_ERROR"
_STATUS_RETRIEVAL_ERROR = f"{_STATUS_LIST}STATUS_RETRIEVAL_ERROR"
_STATUS_VERIFICATION_ERROR = f"{_STATUS_LIST}STATUS_VERIFICATION_ERROR"

# By check and reason; `*` is every other reason of that check.
_TYPES: Mapping[Check, Mapping[str, str]] = {
    Check.PROOF: {
        "credential_malformed": MALFORMED_VALUE_ERROR,
        "presentation_malformed": MALFORMED_VALUE_ERROR,
        "envelope_malformed": MALFORMED_VALUE_ERROR,
        "status_list_malformed": MALFORMED_VALUE_ERROR,
        "not_a_date_time_stamp": MALFORMED_VALUE_ERROR,
        "json_ld_refused": f"{SECURITY_PROBLEMS}PROOF_TRANSFORMATION_ERROR",
        "context_not_known": f"{SECURITY_PROBLEMS}PROOF_TRANSFORMATION_ERROR",
        "dataset_not_canonicalised": f"{SECURITY_PROBLEMS}PROOF_TRANSFORMATION_ERROR",
        "*": _PROOF_VERIFICATION_ERROR,
    },
    Check.ISSUER: {"*": _PROOF_VERIFICATION_ERROR},
    Check.HOLDER_BINDING: {
        "presentation_malformed": MALFORMED_VALUE_ERROR,
        "json_ld_refused": f"{SECURITY_PROBLEMS}PROOF_TRANSFORMATION_ERROR",
        "context_not_known": f"{SECURITY_PROBLEMS}PROOF_TRANSFORMATION_ERROR",
        "*": _PROOF_VERIFICATION_ERROR,
    },
    Check.AUDIENCE: {
        "other_audience": f"{SECURITY_PROBLEMS}INVALID_DOMAIN_ERROR",
        "other_nonce": f"{SECURITY_PROBLEMS}INVALID_CHALLENGE_ERROR",
    },
    Check.VALIDITY: {"*": f"{VCDM_PROBLEMS}RANGE_ERROR"},
    Check.STATUS: {
        "fetch_failed": _STATUS_RETRIEVAL_ERROR,
        "place_not_allowed": _STATUS_RETRIEVAL_ERROR,
        "own_document_missing": _STATUS_RETRIEVAL_ERROR,
        "unavailable": _STATUS_RETRIEVAL_ERROR,
        "status_not_read": _STATUS_RETRIEVAL_ERROR,
        "status_list_too_short": f"{_STATUS_LIST}STATUS_LIST_LENGTH_ERROR",
        "status_index_out_of_range": f"{VCDM_PROBLEMS}RANGE_ERROR",
        "*": _STATUS_VERIFICATION_ERROR,
    },
}


def problems_of(verdict: Verdict, *, verifier_url: str) -> list[JsonObject]:
    """What stands against a verdict of "no", each with its type; never empty.

    Checks that were not made because the proof failed are listed among the checks and not here:
    nothing is known to be wrong with what they are about.

    Args:
        verdict: "no".
        verifier_url: absolute, `…/verifiers/{party}`; types of our own begin like it.
    """
    causes = [result for result in verdict.failures if result.reason != PROOF_FAILED]
    return [_problem_of(result, verifier_url) for result in causes or verdict.failures]


def _problem_of(result: CheckResult, verifier_url: str) -> JsonObject:
    known = _TYPES.get(result.check, {})
    base = verifier_url.rpartition("/verifiers/")[0]
    own = f"{base}/problems/{result.reason.replace('_', '-')}"
    return {
        "type": known.get(result.reason) or known.get("*") or own,
        "title": f"{result.check} failed",
        "detail": result.detail,
        "reason": result.reason,
    }

"""The one answer of a verification: named checks, and a yes only when every one of them says yes.

A check that is absent, was skipped or raised is a "no". Nothing here can be built so that fewer
checks make it easier to pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry.core.encoding import JsonObject


class Check(StrEnum):
    """The named checks, in the order in which they are reported."""

    PROOF = "proof"
    ISSUER = "issuer"
    ACCREDITATION = "accreditation"
    SCHEMA = "schema"
    VALIDITY = "validity"
    STATUS = "status"
    ANCHOR = "anchor"
    HOLDER_BINDING = "holder_binding"
    AUDIENCE = "audience"
    POLICY = "policy"


class Outcome(StrEnum):
    """What a check says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


PASSED = "passed"
WAIVED_BY_POLICY = "waived_by_policy"
NOT_PRESENT = "not_present"  # only under a policy that says so in as many words
INDETERMINATE = "indeterminate"  # likewise: what is needed to judge is not here
CHECK_RAISED = "check_raised"
CHECK_ABSENT = "check_absent"
PROOF_FAILED = "proof_failed"  # not looked at, since nothing is proven
_EXCUSED = frozenset({WAIVED_BY_POLICY, NOT_PRESENT, INDETERMINATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said. `reason` is a stable code; `detail` is a sentence, no personal data."""

    check: Check
    outcome: Outcome
    reason: str
    detail: str

    @property
    def is_fine(self) -> bool:
        """Passed, or excused by the policy in as many words."""
        if self.outcome is Outcome.NOT_APPLICABLE:
            return self.reason in _EXCUSED
        return self.outcome is Outcome.PASSED

    def to_json(self) -> JsonObject:
        """The form in which every endpoint reports a check."""
        return {
            "check": str(self.check),
            "outcome": str(self.outcome),
            "reason": self.reason,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCredential:
    """What a relying party may keep: the type, the issuer and the claims it asked for."""

    query: str  # id of the credential query it answers; empty outside OpenID4VP
    type: str
    issuer: str
    claims: JsonObject

    def to_json(self) -> JsonObject:
        """Without the query id when there was no query."""
        named = {"query": self.query} if self.query else {}
        return {**named, "type": self.type, "issuer": self.issuer, "claims": self.claims}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a verification. Made by `conclude` alone."""

    results: tuple[CheckResult, ...]
    credentials: tuple[VerifiedCredential, ...]
    verified_at: datetime
    pseudonym: str = ""  # of the wallet at this relying party; empty when there is none

    @property
    def is_verified(self) -> bool:
        """Every named check is here exactly once and is fine, and the proof itself passed."""
        return _all_fine(self.results)

    def result(self, check: Check) -> CheckResult:
        """What `check` said; a failed result with reason `check_absent` when it is missing."""
        for result in self.results:
            if result.check is check:
                return result
        return _absent(check)

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that say no, in reporting order."""
        return tuple(result for result in self.results if not result.is_fine)

    def to_json(self) -> JsonObject:
        """The one shape of a verification answer; `pseudonym` where there is one."""
        named = {"pseudonym": self.pseudonym} if self.pseudonym else {}
        return {
            "verified": self.is_verified,
            "checks": [result.to_json() for result in self.results],
            "credentials": [credential.to_json() for credential in self.credentials],
            "verified_at": self.verified_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **named,
        }


def conclude(
    results: Sequence[CheckResult],
    *,
    credentials: Sequence[VerifiedCredential],
    verified_at: datetime,
    pseudonym: str = "",
) -> Verdict:
    """Combine check results into a verdict.

    Checks of several credentials are joined by name: one failure fails the name. Names that nobody
    answered are added as failures. Claims and pseudonym are handed on only when everything is fine;
    a "no" never carries what it was said about.

    Args:
        results: at least one per check; the order does not matter.
        credentials: what was verified, released only with a yes.
        verified_at: aware, UTC.
        pseudonym: as verified; empty when there is none.
    """
    joined = tuple(_join(check, [r for r in results if r.check is check]) for check in Check)
    if not _all_fine(joined):
        return Verdict(results=joined, credentials=(), verified_at=verified_at)
    return Verdict(
        results=joined,
        credentials=tuple(credentials),
        verified_at=verified_at,
        pseudonym=pseudonym,
    )


def _join(check: Check, results: Sequence[CheckResult]) -> CheckResult:
    if not results:
        return _absent(check)
    for result in results:
        if not result.is_fine:
            return result
    # A mix of "passed" and "excused" is reported as excused: the weaker statement is the true one.
    for result in results:
        if result.outcome is not Outcome.PASSED:
            return result
    return results[0]


def _absent(check: Check) -> CheckResult:
    return CheckResult(
        check=check,
        outcome=Outcome.FAILED,
        reason=CHECK_ABSENT,
        detail="the check was not made",
    )


def _all_fine(results: Sequence[CheckResult]) -> bool:
    if sorted(result.check for result in results) != sorted(Check):
        return False
    proof = next(result for result in results if result.check is Check.PROOF)
    return proof.outcome is Outcome.PASSED and all(result.is_fine for result in results)

"""The one pipeline: every credential, whatever its format and whoever asks, goes through `judge`.

`CHECKS` is the whole of it. A name without an entry is a "no"; an entry that raises is a "no".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from identity.core.dcql import DcqlQuery
from identity.core.dcql_answer import satisfies
from identity.core.pseudonym import (
    PseudonymExpectation,
    PseudonymForAnother,
    PseudonymMissing,
    verify_pseudonym,
)
from identity.core.verification.asking_checks import (
    asked_names,
    candidate_of,
    check_audience,
    check_holder_binding,
    check_policy,
    subject_of,
)
from identity.core.verification.case import Case, Evidence, Expectation, World
from identity.core.verification.content_checks import check_schema, check_validity
from identity.core.verification.did_documents import is_self_describing, sole_key_of
from identity.core.verification.envelopes import Envelope
from identity.core.verification.failure import (
    CannotTell,
    CheckFailed,
    NothingToCheck,
    reason_of,
)
from identity.core.verification.holder import binding_of_presentation, prove_presentation
from identity.core.verification.mandates import check_together
from identity.core.verification.policy import Policy, Rule
from identity.core.verification.presented import Hints, Unverified
from identity.core.verification.proof import Proven, prove
from identity.core.verification.status_check import check_status
from identity.core.verification.trust_checks import (
    check_accreditation,
    check_anchor,
    check_issuer,
    check_proof,
    type_of,
)
from identity.core.verification.verdict import (
    CHECK_RAISED,
    INDETERMINATE,
    NOT_PRESENT,
    PASSED,
    PROOF_FAILED,
    WAIVED_BY_POLICY,
    Check,
    CheckResult,
    Outcome,
    Verdict,
    VerifiedCredential,
    conclude,
)
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey
from registry.core.refusals import Refusal

# A check returns a sentence that says what holds, or raises a Refusal.
CHECKS: dict[Check, Callable[[Case], str]] = {
    Check.PROOF: check_proof,
    Check.ISSUER: check_issuer,
    Check.ACCREDITATION: check_accreditation,
    Check.SCHEMA: check_schema,
    Check.VALIDITY: check_validity,
    Check.STATUS: check_status,
    Check.ANCHOR: check_anchor,
    Check.HOLDER_BINDING: check_holder_binding,
    Check.AUDIENCE: check_audience,
    Check.POLICY: check_policy,
}


def open_case(
    unverified: Unverified,
    *,
    hints: Hints,
    evidence: Evidence,
    expectation: Expectation,
    policy: Policy,
    world: World,
    now: datetime,
) -> Case:
    """Put a credential and everything gathered about it together, and try its proof."""
    proven: Proven | Refusal
    try:
        proven = prove(
            unverified,
            hints=hints,
            documents=evidence.documents,
            contexts=world.contexts,
            now=now,
        )
    except Refusal as refusal:
        proven = refusal
    except Exception:  # noqa: BLE001 - a proof that cannot be brought to an end is no proof
        proven = CheckFailed(CHECK_RAISED, "the check did not come to an end")
    return Case(
        unverified=unverified,
        hints=hints,
        proven=proven,
        evidence=evidence,
        expectation=expectation,
        policy=policy,
        world=world,
        now=now,
    )


def judge(cases: Sequence[Case], *, now: datetime) -> Verdict:
    """Judge credentials that were presented together; one "no" is a "no" to all of them."""
    results = [result for case in cases for result in run_checks(case)]
    try:
        _check_people(cases)
    except Refusal as refusal:
        results.insert(0, _failed(Check.POLICY, refusal))
    return conclude(results, credentials=_credentials(cases, {}), verified_at=now)


def judge_bare(
    presentation: JsonObject | Envelope,
    *,
    expectation: Expectation,
    policy: Policy,
    world: World,
    now: datetime,
) -> Verdict:
    """Judge a presentation that holds no credential: its form, its proof, whom it was made for.

    It says nothing about anybody, so only a policy that takes unbound holders, for conformance
    runs, has a yes for it. There is no yes without a proof.
    """
    results: dict[Check, CheckResult] = {
        check: _excused(check, NOT_PRESENT, "there is no credential") for check in Check
    }
    try:
        if not policy.accepts_unbound_holders:
            raise CheckFailed("no_credential", "the presentation holds no credential")
        prove_presentation(
            presentation,
            contexts=world.contexts,
            now=now,
            skew_seconds=policy.clock_skew_seconds,
        )
        sentence = "the holder's proof verifies"
        results[Check.PROOF] = CheckResult(
            check=Check.PROOF, outcome=Outcome.PASSED, reason=PASSED, detail=sentence
        )
        stated = binding_of_presentation(presentation)
        for name, value in expectation.binding.items():
            if stated.get(name) != value:
                results[Check.AUDIENCE] = _failed(
                    Check.AUDIENCE,
                    CheckFailed(f"other_{name}", f"the presentation is for another {name}"),
                )
    except Refusal as refusal:
        results[Check.PROOF] = _failed(Check.PROOF, refusal)
    except Exception:  # noqa: BLE001 - a proof that cannot be brought to an end is no proof
        results[Check.PROOF] = _raised(Check.PROOF)
    return conclude(list(results.values()), credentials=(), verified_at=now)


def judge_answer(
    query: DcqlQuery,
    answer: Mapping[str, Sequence[Case]],
    *,
    unverified_pseudonym: object,
    expected: PseudonymExpectation,
    now: datetime,
) -> Verdict:
    """Judge the answer to a whole query, credential by credential and as a set.

    A pseudonym that does not hold is a "no" to everything beside it.

    Args:
        query: what was asked.
        answer: cases by the id of the credential query they answer.
        unverified_pseudonym: what came beside the presentations; None when nothing did.
        expected: what a pseudonym has to fit.
        now: aware, UTC.
    """
    cases = [case for group in answer.values() for case in group]
    results = [result for case in cases for result in run_checks(case)]
    try:
        _check_set(query, answer)
    except Refusal as refusal:
        results.insert(0, _failed(Check.POLICY, refusal))
    pseudonym = ""
    try:
        pseudonym = verify_pseudonym(
            unverified_pseudonym, expected=expected, holder_keys=_holder_keys(cases)
        )
    except PseudonymMissing as refusal:
        results.insert(0, _failed(Check.POLICY, refusal))
    except PseudonymForAnother as refusal:
        results.insert(0, _failed(Check.AUDIENCE, refusal))
    except Refusal as refusal:
        results.insert(0, _failed(Check.HOLDER_BINDING, refusal))
    except Exception:  # noqa: BLE001 - a check that raises says no, whatever it raised
        results.insert(0, _raised(Check.HOLDER_BINDING))
    names = {id(case): query_id for query_id, group in answer.items() for case in group}
    return conclude(
        results,
        credentials=_credentials(cases, names),
        verified_at=now,
        pseudonym=pseudonym,
    )


def refuse(refusal: Refusal, *, now: datetime, failed: Check = Check.PROOF) -> Verdict:
    """The verdict about something that was not, or could not even be, taken apart."""
    results = [_failed(failed, refusal)]
    results += [
        _failed(check, CheckFailed(PROOF_FAILED, "not looked at: there is no such credential"))
        for check in Check
        if check is not failed
    ]
    return conclude(results, credentials=(), verified_at=now)


def run_checks(case: Case) -> list[CheckResult]:
    """Make every check that the table has, each as the policy says."""
    return [_run(check, case) for check in Check if check in CHECKS]


def _run(check: Check, case: Case) -> CheckResult:
    rule = case.policy.rules[check]
    if rule is Rule.WAIVED:
        return _excused(check, WAIVED_BY_POLICY, "the policy waives this check")
    try:
        sentence = CHECKS[check](case)
    except NothingToCheck as nothing:
        if rule is Rule.IF_PRESENT:
            reason = INDETERMINATE if isinstance(nothing, CannotTell) else NOT_PRESENT
            return _excused(check, reason, nothing.detail)
        return _failed(check, nothing)
    except Refusal as refusal:
        return _failed(check, refusal)
    except Exception:  # noqa: BLE001 - a check that raises says no, whatever it raised
        return _raised(check)
    if not isinstance(sentence, str) or not sentence:
        return _raised(check)
    return CheckResult(check=check, outcome=Outcome.PASSED, reason=PASSED, detail=sentence)


def _check_set(query: DcqlQuery, answer: Mapping[str, Sequence[Case]]) -> None:
    """The answer as a whole: every required set is there, and every deciding claim was seen."""
    for group in answer.values():
        for case in group:
            case.credential  # noqa: B018 - raises when its proof failed: no set of nothing
    satisfies(query, {name: [candidate_of(c) for c in group] for name, group in answer.items()})
    cases = [case for group in answer.values() for case in group]
    _check_people(cases)
    for case in cases:
        for name in case.expectation.require:
            if not any(name in asked_names(other) for other in cases):
                raise CheckFailed("condition_not_met", f"{name} was not shown")


def _check_people(cases: Sequence[Case]) -> None:
    """A mandate and what is shown beside it are about one person; a failed proof says no itself."""
    proven = [case for case in cases if not isinstance(case.proven, Refusal)]
    check_together([(_type_name(case), subject_of(case)) for case in proven])


def _holder_keys(cases: Sequence[Case]) -> list[PublicKey]:
    """Keys that the credentials are bound to; a failed proof says no itself."""
    keys = []
    for case in cases:
        if isinstance(case.proven, Refusal):
            continue
        if case.proven.holder_key is not None:
            keys.append(case.proven.holder_key)
        elif is_self_describing(case.proven.subject):
            keys.append(sole_key_of(case.proven.subject))
    return keys


def _credentials(cases: Sequence[Case], names: Mapping[int, str]) -> list[VerifiedCredential]:
    kept = []
    for case in cases:
        if isinstance(case.proven, Refusal):
            continue
        kept.append(
            VerifiedCredential(
                query=names.get(id(case), ""),
                type=_type_name(case),
                issuer=case.hints.did,
                claims=subject_of(case),
            )
        )
    return kept


def _type_name(case: Case) -> str:
    try:
        return type_of(case).name
    except Refusal:
        return case.credential.types[-1]


def _failed(check: Check, refusal: Refusal) -> CheckResult:
    return CheckResult(
        check=check, outcome=Outcome.FAILED, reason=reason_of(refusal), detail=refusal.detail
    )


def _raised(check: Check) -> CheckResult:
    return CheckResult(
        check=check,
        outcome=Outcome.FAILED,
        reason=CHECK_RAISED,
        detail="the check did not come to an end",
    )


def _excused(check: Check, reason: str, detail: str) -> CheckResult:
    return CheckResult(check=check, outcome=Outcome.NOT_APPLICABLE, reason=reason, detail=detail)

"""Nothing said is a no; a weaker policy has to give its reason."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from identity.core.verification.policy import (
    Policy,
    PolicyNotUsable,
    Rule,
    Trust,
    conformance_policy,
    for_credentials,
    proof_only_policy,
    strict_policy,
    weakened_policy,
)
from identity.core.verification.verdict import (
    Check,
    CheckResult,
    Outcome,
    Verdict,
    VerifiedCredential,
    conclude,
)

NOW = datetime(2026, 9, 21, tzinfo=UTC)
SHOWN = VerifiedCredential(query="q", type="degree", issuer="did:x", claims={"a": 1})


def result(check: Check, outcome: Outcome = Outcome.PASSED, reason: str = "passed") -> CheckResult:
    return CheckResult(check=check, outcome=outcome, reason=reason, detail="said")


def verdict(results: list[CheckResult]) -> Verdict:
    return conclude(results, credentials=[SHOWN], verified_at=NOW)


ALL = [result(check) for check in Check]


def test_all_ten_passed_is_yes():
    assert len(Check) == 10
    assert verdict(ALL).is_verified
    assert verdict(ALL).credentials == (SHOWN,)


def test_nothing_at_all_is_no():
    assert not verdict([]).is_verified
    assert not Verdict(results=(), credentials=(SHOWN,), verified_at=NOW).is_verified


@pytest.mark.parametrize("missing", list(Check))
def test_one_absent_is_no(missing: Check):
    partial = verdict([item for item in ALL if item.check is not missing])

    assert not partial.is_verified
    assert partial.credentials == ()
    assert partial.result(missing).reason == "check_absent"


@pytest.mark.parametrize("failed", list(Check))
def test_one_failure_among_several_credentials_is_no(failed: Check):
    spoiled = verdict([*ALL, *ALL, result(failed, Outcome.FAILED, "why"), *ALL])

    assert not spoiled.is_verified
    assert [(r.check, r.reason) for r in spoiled.failures] == [(failed, "why")]


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("reason", ["", "passed", "because", "check_absent"])
def test_not_applicable_needs_an_excuse_of_the_policy(check: Check, reason: str):
    excused = [r for r in ALL if r.check is not check]

    assert not verdict([*excused, result(check, Outcome.NOT_APPLICABLE, reason)]).is_verified


def test_the_proof_is_never_excused():
    rest = [r for r in ALL if r.check is not Check.PROOF]
    waived = result(Check.PROOF, Outcome.NOT_APPLICABLE, "waived_by_policy")

    assert not verdict([*rest, waived]).is_verified


def test_the_weaker_statement_is_the_one_reported():
    waived = result(Check.STATUS, Outcome.NOT_APPLICABLE, "waived_by_policy")

    assert verdict([*ALL, waived]).result(Check.STATUS) == waived


def test_results_that_did_not_come_from_conclude_are_held_to_the_same():
    twice = (*ALL, ALL[0])

    assert not Verdict(results=twice, credentials=(), verified_at=NOW).is_verified


def test_the_answer_has_one_shape():
    body = verdict(ALL).to_json()

    assert set(body) == {"verified", "checks", "credentials", "verified_at"}
    assert [item["check"] for item in body["checks"]] == [str(check) for check in Check]
    assert body["verified_at"] == "2026-09-21T00:00:00Z"


def test_the_strict_policy_requires_everything():
    policy = strict_policy("bar")

    assert set(policy.rules.values()) == {Rule.REQUIRED}
    assert not policy.is_weakened
    with pytest.raises(TypeError):
        policy.rules[Check.STATUS] = Rule.WAIVED  # type: ignore[index]


def test_an_empty_or_partial_policy_is_refused():
    whole = strict_policy("bar")
    for rules in ({}, {Check.PROOF: Rule.REQUIRED}):
        with pytest.raises(PolicyNotUsable):
            replace(whole, rules=rules)
    with pytest.raises(PolicyNotUsable):
        replace(whole, trusted_issuers=frozenset(), trusted_keys=frozenset())


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("rule", [Rule.WAIVED, Rule.IF_PRESENT])
def test_weakening_needs_a_reason_and_never_touches_the_proof(check: Check, rule: Rule):
    def weaker(because: str) -> Policy:
        return weakened_policy(
            "x",
            weaker={check: rule},
            trusted_issuers=Trust.ANY_ACCREDITED,
            trusted_keys=frozenset(),
            dangerous_because=because,
        )

    with pytest.raises(PolicyNotUsable):
        weaker("  ")
    if check is Check.PROOF:
        with pytest.raises(PolicyNotUsable):
            weaker("because")
    else:
        assert weaker("because").is_weakened


def test_open_trust_needs_a_reason_too():
    whole = strict_policy("bar")
    for change in (
        {"trusted_keys": Trust.ANY_KEY},
        {"accepts_off_ledger_status": True},
        {"accepts_unbound_holders": True},
    ):
        with pytest.raises(PolicyNotUsable):
            replace(whole, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_time_bounds_have_bounds(seconds: int):
    with pytest.raises(PolicyNotUsable):
        replace(strict_policy("bar"), max_anchor_delay_seconds=seconds)


def test_the_ready_made_weak_policies_say_why():
    for policy in (
        proof_only_policy("x"),
        conformance_policy("x"),
        for_credentials(strict_policy("x")),
    ):
        assert policy.is_weakened
        assert policy.dangerous_because

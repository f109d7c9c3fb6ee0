"""The verifier as these tests use it: the one pipeline, with nothing behind it but keys.

The policy is strict about everything that a signature can carry: proof, issuer, validity, holder
and audience. What only a ledger knows is waived here and tried in `strict_kinds`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from identity.core.verification.case import Evidence, World
from identity.core.verification.did_documents import self_description
from identity.core.verification.failure import CheckFailed
from identity.core.verification.policy import Policy, Rule, for_credentials, weakened_policy
from identity.core.verification.presented import Hints
from identity.core.verification.verdict import Check, Verdict
from identity.verifier.records import RecordJudge, take_credential
from registry.core.refusals import Refusal, Unavailable
from tests.identity.core.contexts import bundled
from tests.identity.verifier.stage import CATALOGUE, Stage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BINDING = {"audience": "https://bar.example", "nonce": "n-0S6_WzA2Mj"}
_NOT_HERE = Unavailable("not here")


class KeysAlone:
    """Evidence: a DID that describes itself, and nothing else."""

    def on_ledger(self, hints: Hints) -> Hints:
        return hints

    def gather(self, hints: Hints, *, stapled: Any, policy: Policy) -> Evidence:
        documents: Any
        try:
            documents = (self_description(hints.method),)
        except Refusal:
            documents = CheckFailed("issuer_unknown", "nobody knows that DID")
        return Evidence(
            documents=documents,
            accreditation=_NOT_HERE,
            schema_digest=_NOT_HERE,
            statuses={},
            receipt=_NOT_HERE,
        )


def policy_for(issuers: frozenset[str]) -> Policy:
    """Strict, for these issuers, without a ledger."""
    waived = (Check.ACCREDITATION, Check.SCHEMA, Check.STATUS, Check.ANCHOR)
    return weakened_policy(
        "adversary",
        # A credential without dates is odd but legal; one with dates is judged by them.
        weaker={**dict.fromkeys(waived, Rule.WAIVED), Check.VALIDITY: Rule.IF_PRESENT},
        trusted_issuers=frozenset(),
        trusted_keys=issuers,
        dangerous_because="no ledger here",
    )


class Judge:
    """Judges credentials by themselves, and presentations made for `BINDING`."""

    def __init__(self, issuers: frozenset[str]) -> None:
        world = World(contexts=bundled(), catalogue=CATALOGUE, trust=Stage().world.trust)
        self._records = RecordJudge(evidence=KeysAlone(), world=world)  # type: ignore[arg-type]
        self._policy = policy_for(issuers)
        self._alone = for_credentials(self._policy)

    def credential(self, value: object, binding: Mapping[str, str] | None = None) -> Verdict:
        return self._records.judge(
            lambda: take_credential(value),
            stapled=None,
            policy=self._alone,
            binding=binding or {},
            now=NOW,
        )

    def presentation(self, value: object) -> Verdict:
        return self._records.judge_presentation(
            value, policy=self._policy, binding=BINDING, now=NOW
        )


def reason(verdict: Verdict) -> str:
    """The first check that says no, and why: `proof:signature_not_valid`."""
    first = verdict.failures[0]
    return f"{first.check}:{first.reason}"

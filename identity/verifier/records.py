"""Judges a credential or presentation by itself, with nobody at the counter."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from identity.core.verification import pipeline, presented
from identity.core.verification.case import AnyCredential, Case, Expectation, World
from identity.core.verification.policy import Policy
from identity.core.verification.presented import Unverified
from identity.core.verification.verdict import Verdict
from identity.verifier.evidence import EvidenceReader
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import verify_head
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.light_client.verification import NotEnoughTrust, TrustExpired
from registry.core.receipt import AnchorReceipt
from registry.core.refusals import Refusal


def take_credential(value: object) -> tuple[Unverified, ...]:
    """An SD-JWT VC text, or a W3C credential.

    Raises:
        Malformed: neither.
    """
    if isinstance(value, str):
        return (presented.parse_sd_jwt_vc(value),)
    return (presented.parse_linked_credential(value),)


def take_presentation(value: object) -> tuple[Unverified, ...]:
    """An SD-JWT VC with key binding, or a W3C presentation.

    Raises:
        Malformed: neither.
    """
    if isinstance(value, str):
        return (presented.parse_sd_jwt_vc(value),)
    return presented.parse_linked_presentation(value)


class RecordJudge:
    """Gathers evidence about what was presented, and judges it."""

    def __init__(
        self,
        *,
        evidence: EvidenceReader,
        world: World,
        trust: Callable[[], AnyTrustAnchor] | None = None,
    ) -> None:
        """
        Args:
            evidence: reads what a verdict needs.
            world: what is known beforehand; its trust anchor is the pinned one.
            trust: what has become of the pinned anchor; None where nothing moves it on.
        """
        self._evidence = evidence
        self._world = world
        self._trust = trust or (lambda: world.trust)

    def for_request(self) -> "RecordJudge":
        """This judge for one request: what may be spent on it is bounded as a whole."""
        world = replace(self._world, contexts=self._world.contexts.for_request())
        return RecordJudge(evidence=self._evidence, world=world, trust=self._trust)

    def case(
        self,
        unverified: Unverified,
        *,
        stapled: AnchorReceipt | Refusal | None,
        expectation: Expectation,
        policy: Policy,
        now: datetime,
    ) -> Case:
        """What there is to judge about one credential."""
        hints = self._evidence.on_ledger(presented.hints(unverified))
        stapled = self._renewed(stapled, now)
        evidence = self._evidence.gather(hints, stapled=stapled, policy=policy)
        return pipeline.open_case(
            unverified,
            hints=hints,
            evidence=evidence,
            expectation=expectation,
            policy=policy,
            # Reading the evidence may have moved the trust on, to where a fresh receipt stands.
            world=replace(self._world, trust=self._trust()),
            now=now,
        )

    def _renewed(
        self, stapled: AnchorReceipt | Refusal | None, now: datetime
    ) -> AnchorReceipt | Refusal | None:
        """The receipt; under a new head when a consortium's validators have left the old one."""
        trust = self._trust()
        if isinstance(stapled, AnchorReceipt) and isinstance(trust, ConsortiumAnchor):
            try:
                verify_head(stapled.head, trust, now=int(now.timestamp()))
            except (NotEnoughTrust, TrustExpired):
                return self._evidence.renewed(stapled)
            except Refusal:
                pass  # a false one; the anchor check names the reason
        return stapled

    def judge(
        self,
        take: Callable[[], tuple[Unverified, ...]],
        *,
        stapled: AnchorReceipt | Refusal | None,
        policy: Policy,
        binding: Mapping[str, str],
        now: datetime,
    ) -> Verdict:
        """One verdict over everything taken from a record; what cannot be read is a "no".

        Args:
            take: reads the record; `take_credential` or `take_presentation` of it.
            stapled: the anchor receipt that came along, why it cannot be read, or None.
            policy: what must pass.
            binding: expected `audience` and `nonce`, as far as the caller names them.
            now: aware, in UTC.
        """
        expectation = _nothing_particular(binding)
        try:
            cases = [
                self.case(
                    unverified, stapled=stapled, expectation=expectation, policy=policy, now=now
                )
                for unverified in take()
            ]
        except Refusal as refusal:
            return pipeline.refuse(refusal, now=now)
        return pipeline.judge(cases, now=now)

    def judge_presentation(
        self, value: object, *, policy: Policy, binding: Mapping[str, str], now: datetime
    ) -> Verdict:
        """As `judge`, of a presentation; one without credentials is judged by itself.

        Args:
            value: an SD-JWT VC with key binding, or a W3C presentation, enveloped or not.
            policy: what must pass.
            binding: expected `audience` and `nonce`, as far as the caller names them.
            now: aware, in UTC.
        """
        try:
            opened = None if isinstance(value, str) else presented.open_presentation(value)
            is_bare = opened is not None and not presented.credentials_in(opened)
        except Refusal as refusal:
            return pipeline.refuse(refusal, now=now)
        if opened is not None and is_bare:
            return pipeline.judge_bare(
                opened,
                expectation=_nothing_particular(binding),
                policy=policy,
                world=self._world,
                now=now,
            )
        return self.judge(
            lambda: take_presentation(value),
            stapled=None,
            policy=policy,
            binding=binding,
            now=now,
        )


def _nothing_particular(binding: Mapping[str, str]) -> Expectation:
    return Expectation(query=AnyCredential(), require={}, binding=binding)

"""What a relying party insists on. Everything is said; nothing unsaid is skipped.

The usual policy is `strict_policy`: all ten checks required, any issuer that the ledger accredits.
Anything weaker has to give its reason in `dangerous_because`, which start-up reports and operators
read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from types import MappingProxyType

from identity.core.verification.verdict import Check
from registry.core.refusals import Malformed

CLOCK_SKEW_SECONDS = 60  # peers' clocks differ by seconds; see contracts, section 4
# A credential is dated to the beginning of a stretch of 5 minutes, its batch may be gathered to the
# end of it; the rest is for an outage of the ledger.
MAX_ANCHOR_DELAY_SECONDS = 900
MAX_PRESENTATION_AGE_SECONDS = 300  # as long as a presentation request lives


class PolicyNotUsable(Malformed):
    """The policy leaves a check unsaid, or weakens one without giving its reason."""


class Rule(StrEnum):
    """What a policy says about one check."""

    REQUIRED = "required"
    IF_PRESENT = "if_present"  # checked when the credential has it; dangerous
    WAIVED = "waived"  # not made at all; dangerous


class Trust(Enum):
    """Sets of issuers that cannot be listed."""

    ANY_ACCREDITED = "any issuer that the ledger accredits for the type"
    ANY_KEY = "any did:key issuer; conformance runs only"
    ANY_DID = "any issuer; the accreditation check decides, or nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one relying party insists on.

    Args:
        name: appears in logs and start-up reports.
        rules: one rule for every check.
        trusted_issuers: DIDs on the ledger, or `Trust.ANY_ACCREDITED`.
        trusted_keys: `did:key` issuers trusted by name; `Trust.ANY_KEY` is dangerous.
        clock_skew_seconds: how far clocks may differ.
        max_anchor_delay_seconds: from issuing to the block that anchors it.
        max_presentation_age_seconds: age of a holder's proof.
        accepts_unbound_holders: whoever signs a presentation will do, at any time; dangerous.
        accepts_off_ledger_status: go by status lists that the ledger does not know; dangerous.
        dangerous_because: why something is not required; empty means nothing is weakened.
    """

    name: str
    rules: Mapping[Check, Rule]
    trusted_issuers: frozenset[str] | Trust
    trusted_keys: frozenset[str] | Trust
    clock_skew_seconds: int
    max_anchor_delay_seconds: int
    max_presentation_age_seconds: int
    accepts_unbound_holders: bool
    accepts_off_ledger_status: bool
    dangerous_because: str

    def __post_init__(self) -> None:
        if set(self.rules) != set(Check):
            raise PolicyNotUsable("a policy says something about every check, and nothing else")
        if self.rules[Check.PROOF] is not Rule.REQUIRED:
            raise PolicyNotUsable("the proof is never waived")
        if not self.trusted_issuers and not self.trusted_keys:
            raise PolicyNotUsable("a policy that trusts no issuer can only say no")
        if self.trusted_issuers is Trust.ANY_KEY or self.trusted_keys is Trust.ANY_ACCREDITED:
            raise PolicyNotUsable("that kind of trust does not fit that kind of issuer")
        if self.is_weakened and not self.dangerous_because.strip():
            raise PolicyNotUsable("a policy that weakens a check gives its reason")
        for seconds in (
            self.clock_skew_seconds,
            self.max_anchor_delay_seconds,
            self.max_presentation_age_seconds,
        ):
            if not 0 < seconds <= 86_400:
                raise PolicyNotUsable("time bounds lie between a second and a day")
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))

    @property
    def is_weakened(self) -> bool:
        """Something is not required, or unnamed keys are trusted."""
        return (
            any(rule is not Rule.REQUIRED for rule in self.rules.values())
            or self.trusted_keys is Trust.ANY_KEY
            or self.accepts_unbound_holders
            or self.accepts_off_ledger_status
        )


def strict_policy(
    name: str,
    *,
    trusted_issuers: frozenset[str] | Trust = Trust.ANY_ACCREDITED,
    trusted_keys: frozenset[str] = frozenset(),
) -> Policy:
    """Every check required. What a relying party gets when it says nothing else."""
    return weakened_policy(
        name,
        weaker={},
        trusted_issuers=trusted_issuers,
        trusted_keys=trusted_keys,
        dangerous_because="",
    )


def for_credentials(policy: Policy) -> Policy:
    """The policy for a credential by itself: there is no holder to ask, and mostly no audience.

    For systems that check records. Whoever stands at the counter is not proven to be the subject.
    """
    rules = {**policy.rules, Check.HOLDER_BINDING: Rule.WAIVED, Check.AUDIENCE: Rule.IF_PRESENT}
    return replace(
        policy,
        rules=rules,
        dangerous_because=policy.dangerous_because
        or "a credential by itself proves nothing about who presents it",
    )


def proof_only_policy(name: str) -> Policy:
    """Judges signatures and form. For conformance suites; never for a decision about a person.

    Validity is waived: the specifications' own vectors expire.
    """
    weaker: dict[Check, Rule] = {check: Rule.WAIVED for check in Check if check is not Check.PROOF}
    weaker[Check.STATUS] = Rule.IF_PRESENT
    weaker[Check.HOLDER_BINDING] = Rule.IF_PRESENT
    weaker[Check.AUDIENCE] = Rule.IF_PRESENT
    return weakened_policy(
        name,
        weaker=weaker,
        trusted_issuers=Trust.ANY_DID,
        trusted_keys=Trust.ANY_KEY,
        accepts_unbound_holders=True,
        accepts_off_ledger_status=True,
        dangerous_because="published test vectors have issuers that no ledger knows",
    )


def conformance_policy(name: str) -> Policy:
    """Of the issuer's key, valid now, not revoked, fitting the schemas that are here."""
    weaker = {
        **proof_only_policy(name).rules,
        Check.ISSUER: Rule.REQUIRED,
        Check.VALIDITY: Rule.IF_PRESENT,
        Check.SCHEMA: Rule.IF_PRESENT,
    }
    return weakened_policy(
        name,
        weaker=weaker,
        trusted_issuers=Trust.ANY_DID,
        trusted_keys=Trust.ANY_KEY,
        accepts_unbound_holders=True,
        accepts_off_ledger_status=True,
        dangerous_because="conformance suites use issuers that no ledger knows",
    )


def weakened_policy(
    name: str,
    *,
    weaker: Mapping[Check, Rule],
    trusted_issuers: frozenset[str] | Trust,
    trusted_keys: frozenset[str] | Trust,
    dangerous_because: str,
    accepts_unbound_holders: bool = False,
    accepts_off_ledger_status: bool = False,
) -> Policy:
    """Required throughout, except for `weaker`.

    Raises:
        PolicyNotUsable: something is weaker and no reason is given.
    """
    return Policy(
        name=name,
        rules={**dict.fromkeys(Check, Rule.REQUIRED), **weaker},
        trusted_issuers=trusted_issuers,
        trusted_keys=trusted_keys,
        clock_skew_seconds=CLOCK_SKEW_SECONDS,
        max_anchor_delay_seconds=MAX_ANCHOR_DELAY_SECONDS,
        max_presentation_age_seconds=MAX_PRESENTATION_AGE_SECONDS,
        accepts_unbound_holders=accepts_unbound_holders,
        accepts_off_ledger_status=accepts_off_ledger_status,
        dangerous_because=dangerous_because,
    )

"""From a header that is trusted to one that is not yet: the light client's rules.

CometBFT's specification calls them adjacent and skipping verification (`spec/light-client`). They
hold as long as less than a third of a set's voting power has misbehaved within the trusting period
after it was elected.
"""

from dataclasses import dataclass

from registry.core.fields import integer
from registry.core.light_client.commit import CommittedBlock, power_of, verify_commit
from registry.core.light_client.light_block import (
    NANOSECONDS,
    LightBlock,
    ValidatorSet,
    parse_chain_id,
    parse_time,
)
from registry.core.proofs import NotProven, are_hashes
from registry.core.refusals import Conflict, Malformed

MAX_TRUSTING_SECONDS = 10 * 366 * 86_400  # ten years; a key is hardly kept safe for longer
MAX_DRIFT_SECONDS = 3_600


class TrustExpired(NotProven):
    """What is trusted is older than the trusting period: nothing can be told from it any more."""


class HeaderFromTheFuture(NotProven):
    """The header is later than the reader's clock and the drift allowed."""


class HeaderBackDated(NotProven):
    """Height and time of the header do not lie on that side of the trusted one where they must."""


class HeaderNotTrusted(NotProven):
    """The header is of another chain, or of other validators than the trusted header announces."""


class NotEnoughTrust(NotProven):
    """Too few of the trusted validators have signed: a header in between may help."""


class ChainForked(Conflict):
    """Two headers of one height, both signed: validators have broken the chain. Keep both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedBlock:
    """What a reader keeps of a header that it trusts."""

    height: int
    hash: bytes  # of the header, 32 bytes
    time: int  # nanoseconds since 1970
    validators: ValidatorSet  # who signed it, or who signs the next one
    next_validators_hash: bytes  # of those who sign the next one, 32 bytes

    def __post_init__(self) -> None:
        """Hold every field to its range.

        Raises:
            Malformed: one is out of range.
        """
        integer(self.height, "height", low=1)
        parse_time(self.time)
        if not are_hashes(self.hash, self.next_validators_hash):
            raise Malformed("a hash of a trusted header has not 32 bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class LightRules:
    """How long a header is trusted on a chain, and how far its clocks may be apart."""

    chain_id: str
    trusting_seconds: int  # from the time in a trusted header
    drift_seconds: int  # how far a header may be ahead of the reader's clock

    def __post_init__(self) -> None:
        """Hold every field to its range.

        Raises:
            Malformed: one is out of range.
        """
        parse_chain_id(self.chain_id)
        integer(self.trusting_seconds, "trusting period", low=1, high=MAX_TRUSTING_SECONDS)
        integer(self.drift_seconds, "clock drift", high=MAX_DRIFT_SECONDS)


def verify_trust_is_fresh(trusted: TrustedBlock, rules: LightRules, *, now: int) -> None:
    """Check that the trusting period of a header has not ended.

    Args:
        now: nanoseconds since 1970.

    Raises:
        TrustExpired: it has.
    """
    if trusted.time + rules.trusting_seconds * NANOSECONDS <= now:
        raise TrustExpired(f"trust in engine height {trusted.height} has expired")


def verify_later(
    unverified: LightBlock, trusted: TrustedBlock, rules: LightRules, *, now: int
) -> CommittedBlock:
    """Check that a light block comes after a trusted header, on the same chain.

    Steps:

    1. The trusted header is still within its trusting period.
    2. The new header is of the same chain, and not from the future.
    3. It is higher than the trusted one, and later.
    4. `verify_commit`: more than two thirds of its own validators have signed it.
    5. If it is the next one, its validators are those that the trusted header announces; otherwise
       more than a third of the trusted validators have signed it.

    Args:
        unverified: as `parse_light_block` made it.
        trusted: what the reader trusts.
        rules: of the chain, from the trust anchor.
        now: nanoseconds since 1970, by the reader's clock.

    Raises:
        TrustExpired: step 1 fails.
        HeaderNotTrusted: another chain; or the next header has other validators than announced.
        HeaderFromTheFuture: it is later than `now` and the drift.
        HeaderBackDated: step 3 fails.
        HeaderNotCommitted, TooFewSigned: step 4 fails.
        NotEnoughTrust: it is not the next one, and too few of the trusted have signed.
    """
    header = unverified.header
    _verify_frame(unverified, trusted, rules, now=now)  # 1, 2
    # 3
    if header.height <= trusted.height or header.time <= trusted.time:
        raise HeaderBackDated("the header is not higher and later than the trusted one")
    committed = verify_commit(unverified)  # 4
    # 5
    if header.height == trusted.height + 1:
        if header.validators_hash != trusted.next_validators_hash:
            raise HeaderNotTrusted("the next header has other validators than announced")
    elif 3 * power_of(committed.signers, trusted.validators) <= trusted.validators.power:
        raise NotEnoughTrust("not more than a third of the trusted validators have signed")
    return committed


def verify_not_later(
    unverified: LightBlock, trusted: TrustedBlock, rules: LightRules, *, now: int
) -> CommittedBlock:
    """Check that a light block is the trusted one, or one before it on the same chain.

    The specification goes back only along the chain of hashes, which a receipt cannot carry. Here
    more than two thirds of the *trusted* validators must have signed the earlier header: they would
    not have signed a false one before, as little as afterwards (decision 0025). Steps:

    1. and 2. as `verify_later`.
    3. It is lower than the trusted one, and earlier; or as high, and the same.
    4. `verify_commit`.
    5. If it is lower, more than two thirds of the trusted validators have signed it.

    Args:
        unverified, trusted, rules, now: as `verify_later`.

    Raises:
        TrustExpired, HeaderNotTrusted, HeaderFromTheFuture, HeaderNotCommitted, TooFewSigned: as
            `verify_later`.
        HeaderBackDated: it is higher, or lower and yet not earlier.
        ChainForked: it has the trusted height and is another header, and more than a third of the
            trusted validators have signed it.
        NotEnoughTrust: step 5 fails.
    """
    header = unverified.header
    _verify_frame(unverified, trusted, rules, now=now)  # 1, 2
    # 3
    same = header.height == trusted.height
    if header.height > trusted.height or (not same and header.time >= trusted.time):
        raise HeaderBackDated("the header is not lower and earlier than the trusted one")
    committed = verify_commit(unverified)  # 4
    shared = power_of(committed.signers, trusted.validators)
    if same:
        if committed.hash == trusted.hash:
            return committed
        if 3 * shared <= trusted.validators.power:  # anybody can invent validators that sign
            raise HeaderNotTrusted("another header than the trusted one, of other validators")
        raise ChainForked(f"two signed headers at engine height {header.height}")
    if 3 * shared <= 2 * trusted.validators.power:  # 5
        raise NotEnoughTrust("not more than two thirds of the trusted validators have signed")
    return committed


def _verify_frame(
    unverified: LightBlock, trusted: TrustedBlock, rules: LightRules, *, now: int
) -> None:
    """Steps 1 and 2 of `verify_later`."""
    verify_trust_is_fresh(trusted, rules, now=now)  # 1
    # 2
    if unverified.header.chain_id != rules.chain_id:
        raise HeaderNotTrusted("the header is of another chain")
    if unverified.header.time >= now + rules.drift_seconds * NANOSECONDS:
        raise HeaderFromTheFuture("the header is from the future")


def trusted_block(committed: CommittedBlock) -> TrustedBlock:
    """What to keep of a light block that `verify_later` or `verify_not_later` returned.

    Raises:
        Malformed: its header announces no validators: the chain ends there.
    """
    header = committed.block.header
    return TrustedBlock(
        height=header.height,
        hash=committed.hash,
        time=header.time,
        validators=committed.block.validators,
        next_validators_hash=header.next_validators_hash,
    )

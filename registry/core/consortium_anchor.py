"""The trust anchor of a consortium: headers that a reader trusts, and the rules to go on from them.

It is the same thing at both ends of its life. Pinned once, it holds one header; a reader that stays
online moves it forward (`advanced`) and keeps what it has become. So changes of the validators need
no new anchor, as long as the reader looks within the trusting period.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.core.cosignature import Witnesses
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.fields import choice, integer, items, members, octets
from registry.core.identifiers import network_of, read_did
from registry.core.keys import parse_multikey
from registry.core.light_client.commit import CommittedBlock, verify_commit
from registry.core.light_client.light_block import (
    MAX_VALIDATORS,
    NANOSECONDS,
    LightBlock,
    Validator,
    ValidatorSet,
    parse_chain_id,
)
from registry.core.light_client.verification import (
    LightRules,
    NotEnoughTrust,
    TrustedBlock,
    TrustExpired,
    trusted_block,
    verify_later,
    verify_not_later,
    verify_trust_is_fresh,
)
from registry.core.network import parse_network_name
from registry.core.proofs import HASH_BYTES
from registry.core.refusals import Malformed
from registry.core.trust_anchor import MAX_ROOTS, parse_witnesses, witnesses_json

TYPE = "cairn-consortium-anchor/1"

MAX_TRUSTED = 16  # headers kept: one for each validator set of the trusting period

DEFAULT_TRUSTING_SECONDS = 90 * 86_400  # how long members who left must keep their keys safe
DEFAULT_DRIFT_SECONDS = 60  # phones are seldom right to the second


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsortiumAnchor:
    """The network and its chain, the headers that are trusted, and where accreditation begins."""

    network: str
    rules: LightRules
    trusted: tuple[TrustedBlock, ...]  # by rising height; the last one is where the reader stands
    roots: tuple[str, ...]  # DIDs of the genesis members
    witnesses: Witnesses | None = None  # None: heads need no co-signature

    def __post_init__(self) -> None:
        """Refuse an anchor that trusts nothing.

        Raises:
            Malformed: no trusted header or too many, not by rising height and time; no roots, a
                repeated root, or one that is no DID of this network.
        """
        parse_network_name(self.network)
        if not 1 <= len(self.trusted) <= MAX_TRUSTED:
            raise Malformed(f"trust anchor needs 1 to {MAX_TRUSTED} trusted headers")
        for one, other in zip(self.trusted, self.trusted[1:], strict=False):
            if one.height >= other.height or one.time >= other.time:
                raise Malformed("trusted headers do not rise in height and time")
        if not 1 <= len(self.roots) <= MAX_ROOTS or len(set(self.roots)) != len(self.roots):
            raise Malformed(f"trust anchor needs 1 to {MAX_ROOTS} different roots")
        if any(network_of(root) != self.network for root in self.roots):
            raise Malformed("a root is not a DID of the network")

    @property
    def newest(self) -> TrustedBlock:
        """The newest trusted header."""
        return self.trusted[-1]

    def verify(self, unverified: LightBlock, *, now: int) -> CommittedBlock:
        """Check a light block against the trusted headers next to it.

        That is `verify_later` from the nearest one below, and when this does not suffice,
        `verify_not_later` from the nearest one at its height or above.

        Args:
            unverified: as `parse_light_block` made it.
            now: nanoseconds since 1970.

        Raises:
            NotProven, ChainForked: as these two. When neither suffices, the reason is that of the
                one below.
        """
        height = unverified.header.height
        below = [block for block in self.trusted if block.height < height]
        above = [block for block in self.trusted if block.height >= height]
        if not below or (above and above[0].height == height):
            return verify_not_later(unverified, above[0], self.rules, now=now)
        try:
            return verify_later(unverified, below[-1], self.rules, now=now)
        except (NotEnoughTrust, TrustExpired):
            if not above:
                raise
            return verify_not_later(unverified, above[0], self.rules, now=now)

    def advanced(self, committed: CommittedBlock, *, now: int) -> "ConsortiumAnchor":
        """The anchor after a light block that `verify` returned; the same when it is no later one.

        A header takes the place of the newest one when its validators are the same, since it proves
        all that the older one did. Otherwise both stay, until the older one's trusting period ends.

        Args:
            now: nanoseconds since 1970.

        Raises:
            Malformed: the header announces no validators.
        """
        if committed.block.header.height <= self.newest.height:
            return self
        fresh = trusted_block(committed)
        kept = [block for block in self.trusted[:-1] if _is_fresh(block, self.rules, now)]
        if fresh.validators != self.newest.validators:
            kept.append(self.newest)
        return replace(self, trusted=(*kept, fresh)[-MAX_TRUSTED:])

    def follow(self, chain: Sequence[LightBlock], *, now: int) -> "ConsortiumAnchor":
        """The anchor after a chain of light blocks, each verified from those before.

        Args:
            chain: unverified, by rising height.
            now: nanoseconds since 1970.

        Raises:
            NotProven, ChainForked: as `verify`.
        """
        anchor = self
        for block in chain:
            anchor = anchor.advanced(anchor.verify(block, now=now), now=now)
        return anchor


def first_anchor(
    *,
    network: str,
    block: LightBlock,
    roots: Sequence[str],
    trusting_seconds: int = DEFAULT_TRUSTING_SECONDS,
    drift_seconds: int = DEFAULT_DRIFT_SECONDS,
    witnesses: Witnesses | None = None,
) -> ConsortiumAnchor:
    """The anchor that a member hands out: it trusts one light block, which the member has checked.

    Args:
        network: name of the network.
        block: any light block of its chain; the first one proves the heads of all time.
        roots: DIDs of the genesis members.
        trusting_seconds: how long a header is trusted; decided by the consortium.
        drift_seconds: how far a header may be ahead of a reader's clock.
        witnesses: whose co-signatures a head needs; None for nobody's.

    Raises:
        HeaderNotCommitted, TooFewSigned: the block's own validators have not decided it.
        Malformed: as `ConsortiumAnchor`.
    """
    return ConsortiumAnchor(
        network=network,
        rules=LightRules(
            chain_id=block.header.chain_id,
            trusting_seconds=trusting_seconds,
            drift_seconds=drift_seconds,
        ),
        trusted=(trusted_block(verify_commit(block)),),
        roots=tuple(roots),
        witnesses=witnesses,
    )


def parse_consortium_anchor(value: object) -> ConsortiumAnchor:
    """Read a consortium's anchor from its JSON form.

    Raises:
        Malformed: a member is missing, unknown or not of its form, or as `ConsortiumAnchor`.
    """
    found = members(
        value,
        "trust anchor",
        required=("type", "network", "chain", "trusted", "roots"),
        optional=("witnesses",),
    )
    choice(found["type"], "type", [TYPE])
    chain = members(
        found["chain"],
        "chain",
        required=("id", "trusting_period_seconds", "clock_drift_seconds"),
    )
    return ConsortiumAnchor(
        network=parse_network_name(found["network"]),
        rules=LightRules(
            chain_id=parse_chain_id(chain["id"]),
            trusting_seconds=integer(chain["trusting_period_seconds"], "trusting period"),
            drift_seconds=integer(chain["clock_drift_seconds"], "clock drift"),
        ),
        trusted=items(
            found["trusted"], "trusted headers", low=1, high=MAX_TRUSTED, read=_parse_trusted
        ),
        roots=items(
            found["roots"], "roots", low=1, high=MAX_ROOTS, read=lambda item: read_did(item, "root")
        ),
        witnesses=parse_witnesses(found["witnesses"]) if "witnesses" in found else None,
    )


def consortium_anchor_json(anchor: ConsortiumAnchor) -> JsonObject:
    """The JSON form of a consortium's anchor; `parse_consortium_anchor` reads it."""
    result: JsonObject = {
        "type": TYPE,
        "network": anchor.network,
        "chain": {
            "id": anchor.rules.chain_id,
            "trusting_period_seconds": anchor.rules.trusting_seconds,
            "clock_drift_seconds": anchor.rules.drift_seconds,
        },
        "trusted": [_trusted_json(block) for block in anchor.trusted],
        "roots": list(anchor.roots),
    }
    if anchor.witnesses is not None:
        result["witnesses"] = witnesses_json(anchor.witnesses)
    return result


def _parse_trusted(value: object) -> TrustedBlock:
    found = members(
        value,
        "trusted header",
        required=("height", "hash", "time", "nanoseconds", "validators", "next_validators_hash"),
    )
    nanoseconds = integer(found["nanoseconds"], "nanoseconds", high=NANOSECONDS - 1)
    return TrustedBlock(
        height=integer(found["height"], "height", low=1),
        hash=octets(found["hash"], "hash", size=HASH_BYTES),
        time=integer(found["time"], "time") * NANOSECONDS + nanoseconds,
        validators=ValidatorSet(
            items(
                found["validators"],
                "validators",
                low=1,
                high=MAX_VALIDATORS,
                read=_parse_validator,
            )
        ),
        next_validators_hash=octets(
            found["next_validators_hash"], "next validators hash", size=HASH_BYTES
        ),
    )


def _parse_validator(value: object) -> Validator:
    found = members(value, "validator", required=("key", "power"))
    return Validator(parse_multikey(found["key"]), integer(found["power"], "power", low=1))


def _trusted_json(block: TrustedBlock) -> JsonObject:
    seconds, nanoseconds = divmod(block.time, NANOSECONDS)
    return {
        "height": block.height,
        "hash": base64url_encode(block.hash),
        "time": seconds,
        "nanoseconds": nanoseconds,
        "validators": [
            {"key": item.key.multikey, "power": item.power} for item in block.validators.validators
        ],
        "next_validators_hash": base64url_encode(block.next_validators_hash),
    }


def _is_fresh(block: TrustedBlock, rules: LightRules, now: int) -> bool:
    try:
        verify_trust_is_fresh(block, rules, now=now)
    except TrustExpired:
        return False
    return True

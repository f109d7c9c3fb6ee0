"""The first trust anchor of a network: it follows from the genesis and block 1, from any node.

The head of the genesis carries the light block of the engine's height 1. Its validators are those
of the genesis, which every member compared with the others; so no node need be believed.
"""

from collections.abc import Callable
from dataclasses import replace

from registry.client.trust import HeadTrust
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, parse_head
from registry.core.consortium_anchor import (
    DEFAULT_DRIFT_SECONDS,
    DEFAULT_TRUSTING_SECONDS,
    ConsortiumAnchor,
)
from registry.core.consortium_head import read_evidence
from registry.core.genesis import Genesis, genesis_changes
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.verification import LightRules, TrustExpired, trusted_block
from registry.core.proofs import NotProven
from registry.core.refusals import Refusal
from registry.core.sparse_map import map_changes, map_root
from registry.core.validators import POWER


class NotTheGenesis(NotProven):
    """The head is not that of this genesis, or other validators than its members have signed it."""


def first_anchor(genesis: Genesis, unverified: str) -> ConsortiumAnchor:
    """The anchor of a network from its genesis and the sealed head of height 0.

    Raises:
        Malformed: no head, or no light block under it.
        NotTheGenesis: it is another head, or signed by others.
        NotProven: the light block is not signed by more than two thirds.
    """
    head = parse_head(unverified)
    _verify_genesis_head(head.claimed, genesis)
    block = read_evidence(head)
    committed = verify_commit(block)
    expected = {
        (member.validator_key, POWER)
        for member in genesis.members
        if member.validator_key is not None
    }
    if {(item.key, item.power) for item in block.validators.validators} != expected:
        raise NotTheGenesis("others than the members of the genesis have signed its head")
    return ConsortiumAnchor(
        network=genesis.network,
        rules=LightRules(
            chain_id=genesis.network,
            trusting_seconds=DEFAULT_TRUSTING_SECONDS,
            drift_seconds=DEFAULT_DRIFT_SECONDS,
        ),
        trusted=(trusted_block(committed),),
        roots=tuple(member.did for member in genesis.members),
    )


def served_anchor(
    pinned: AnyTrustAnchor,
    light_block: Callable[[int | None], bytes],
    *,
    clock: Callable[[], float],
) -> Callable[[], AnyTrustAnchor]:
    """What a member hands out: its anchor, moved on to the newest block of its own node.

    A reader who pins the anchor of the first block after years would pin one that has expired.

    Args:
        pinned: the member's own anchor.
        light_block: of an engine height of its own node; None for the newest.
        clock: Unix seconds.
    """
    followed = HeadTrust(pinned, clock=clock, fetch=light_block)

    def served() -> AnyTrustAnchor:
        nonlocal followed
        try:
            followed.follow(light_block(None))
        except TrustExpired:  # it was away for longer; its own node is what it believes anyway
            assert isinstance(pinned, ConsortiumAnchor)
            newest = trusted_block(verify_commit(parse_light_block(light_block(None))))
            fresh = replace(pinned, trusted=(newest,))
            followed = HeadTrust(fresh, clock=clock, fetch=light_block)
        except Refusal:
            pass  # the node is away, or between two blocks: what was followed still holds
        return followed.anchor

    return served


def _verify_genesis_head(head: Head, genesis: Genesis) -> None:
    root = map_root(map_changes(genesis_changes(genesis)))
    if (head.network, head.height, head.tree_size, head.state_root) != (
        genesis.network,
        0,
        1,
        root,
    ):
        raise NotTheGenesis("the head is not that of the genesis")

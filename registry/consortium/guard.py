"""Whether this member's validator key may sign: not when it has signed more than it remembers.

`priv_validator_state.json` is all that keeps a node from voting twice. A folder restored from a
copy remembers too little, and would vote again at heights where the key has voted already, which
every other node takes for treason. Light blocks of the other members, and of the member's own
ledger, carry the key's votes and cannot be forged: they tell.
"""

from collections.abc import Callable, Iterable
from functools import partial

from registry.core.checkpoint import parse_head
from registry.core.consortium_head import read_evidence
from registry.core.keys import PublicKey
from registry.core.light_client.commit import verify_commit
from registry.core.light_client.light_block import LightBlock, Validator
from registry.core.light_client.parsing import parse_light_block
from registry.core.proofs import NotProven
from registry.core.refusals import Conflict, Malformed


class KeySignedElsewhere(Conflict):
    """The validator key has signed what this node does not remember; it must not start."""


def verify_key_may_sign(
    key: PublicKey, *, remembered: int, heads: Iterable[str], light_blocks: Iterable[bytes] = ()
) -> None:
    """Check that nothing carries a vote of `key` above the height that its node remembers.

    Args:
        key: of this member's node.
        remembered: the greatest height in its `priv_validator_state.json`.
        heads: sealed heads, also from nodes that may lie; what is none is passed over.
        light_blocks: of the engine's newest heights, likewise: empty blocks are in no head.

    Raises:
        KeySignedElsewhere: there is such a vote.
    """
    address = Validator(key, 1).address
    looks: list[Callable[[], LightBlock]] = [
        *(partial(_evidence_of, head) for head in heads),
        *(partial(parse_light_block, block) for block in light_blocks),
    ]
    for look in looks:
        try:
            committed = verify_commit(look())
        except (Malformed, NotProven):
            continue
        height = committed.block.header.height
        if address in committed.signers and height > remembered:
            raise KeySignedElsewhere(
                f"the validator key has signed height {height}, but priv_validator_state.json "
                f"knows only {remembered}: this folder was restored from a copy. Make a new key "
                "and have it voted in; this one must not sign again"
            )


def _evidence_of(head: str) -> LightBlock:
    return read_evidence(parse_head(head))

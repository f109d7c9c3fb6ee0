"""Makes the light blocks that the browser's code is held to: `wallet_app/tests/vectors/light.json`.

`python -m tests.registry.core.light_client.make_browser_vectors` writes them; the test beside it
rebuilds and compares them, and says yes and no to the same ones, for the same reasons.
"""

import json
from pathlib import Path
from typing import Any

from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.checkpoint import Head
from registry.core.consortium_anchor import ConsortiumAnchor, first_anchor
from registry.core.consortium_head import app_hash, write_consortium_head
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.light_client.commit import HeaderNotCommitted, TooFewSigned
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import LightBlock
from registry.core.light_client.verification import (
    ChainForked,
    HeaderBackDated,
    HeaderFromTheFuture,
    HeaderNotTrusted,
    NotEnoughTrust,
    TrustExpired,
)
from registry.core.receipt import build_receipt, receipt_json
from registry.core.refusals import Refusal
from registry.core.sparse_map import EMPTY, map_changes, prove, update
from tests.registry.core.heads import NETWORK, ROOT_DID
from tests.registry.core.light_client.chain import (
    BLOCK_SECONDS,
    START,
    Step,
    block_of,
    members,
    time_of,
)
from tests.registry.core.light_client.test_verification import EARLIER, FAR, NEXT, REFUSED
from tests.registry.core.make_browser_vectors import BATCH, DIGESTS, RECORDS, TREE

FILE = Path(__file__).resolve().parents[4] / "wallet_app" / "tests" / "vectors" / "light.json"

FOUR = members(1, 2, 3, 4)
NOW = START + BLOCK_SECONDS * 40  # Unix seconds
SETS = [[step, step + 1, step + 2, step + 3] for step in range(1, 8)]

# Made once with a point of order 8 added to R: verifiers that multiply by the cofactor accept it.
LOW_ORDER_PART = {
    "key": "17ffad8068dc0de9935d36636f3ad1b5de6de3413b12388e453b05f2a4c1d3db",
    "message": "010203",
    "signature": "6999d5cb5126005c325892f1c6eab824b310708befff12fbaf45dda050cb12f0"
    "e3258479a775a3e680930a1e3a59a5fb555bcf2a3bbf31a3cf83fab49748b60b",
}

REASONS: dict[type[Refusal], str] = {
    HeaderNotCommitted: "not-committed",
    TooFewSigned: "too-few-signed",
    TrustExpired: "trust-expired",
    HeaderFromTheFuture: "from-the-future",
    HeaderBackDated: "back-dated",
    HeaderNotTrusted: "not-trusted",
    NotEnoughTrust: "not-enough-trust",
    ChainForked: "forked",
}


def anchor_at(height: int) -> ConsortiumAnchor:
    """An anchor that trusts that height of the invented chain, signed by four."""
    block = block_of(Step(height, FOUR, FOUR), signers=(1, 2, 3, 4))
    return first_anchor(network=NETWORK, block=block, roots=(ROOT_DID,))


def text_of(block: LightBlock) -> str:
    """A light block in JSON."""
    return base64url_encode(light_block_bytes(block))


def note_of(head: Head, height: int, seeds: list[int], *, time: int | None = None) -> str:
    """A head that those validators have signed."""
    validators = members(*seeds)
    step = Step(height, validators, validators, app_hash=app_hash(head), time=time)
    return write_consortium_head(head, light_block_bytes(block_of(step, signers=seeds)))


def cases() -> list[JsonObject]:
    """Light blocks beside the trusted height 10, and what is said of them; None is a yes."""
    found: list[tuple[str, LightBlock, str | None]] = [
        ("the next one", NEXT, None),
        ("a far one", FAR, None),
        ("an earlier one", EARLIER, None),
        ("the trusted one", block_of(Step(10, FOUR, FOUR), signers=(1, 3, 4)), None),
        (
            "another one at the trusted height",
            block_of(Step(10, FOUR, FOUR, app_hash=b"\1" * 32), signers=(1, 2, 3)),
            "forked",
        ),
        (
            "an earlier one of others",
            block_of(Step(5, members(1, 2, 9), FOUR), signers=(1, 2, 9)),
            "not-enough-trust",
        ),
    ]
    for why, (reason, make) in REFUSED.items():
        if why != "the trusted height":  # that is judged as not later
            found.append((why, make(), REASONS[reason]))
    return [{"why": why, "block": text_of(block), "reason": reason} for why, block, reason in found]


def build() -> JsonObject:
    """All vectors, as the file holds them."""
    root, nodes = update(
        EMPTY, map_changes({key: canonical_json(record) for key, record in RECORDS.items()}), {}
    )
    head = Head(
        network=NETWORK,
        tree_size=13,
        log_root=bytes(range(32)),
        height=12,
        time=START + 3,
        state_root=root,
    )
    receipt = build_receipt(
        digest=DIGESTS[3],
        index=3,
        path=TREE.path(3),
        batch=BATCH,
        proof=prove(root, BATCH.key, nodes),
        head=note_of(head, 20, SETS[0]),
    )
    chain = [_chain_block(height, head) for height in range(2, 31)]
    followed = anchor_at(1).follow(chain, now=time_of(40))
    return {
        "note": "Made by tests/registry/core/light_client/make_browser_vectors.py; do not edit.",
        "now": NOW,
        "anchor": trust_anchor_json(anchor_at(10)),
        "oldest_anchor": trust_anchor_json(anchor_at(1)),
        "cases": cases(),
        "head": {"text": note_of(head, 20, SETS[0]), "size": 13},
        "receipt": {"digest": base64url_encode(DIGESTS[3]), "receipt": receipt_json(receipt)},
        "chain": {str(block.header.height): text_of(block) for block in chain},
        "head_of_others": note_of(head, 30, SETS[-1]),
        "low_order_part": LOW_ORDER_PART,
        "followed_anchor": trust_anchor_json(followed),
    }


def _seeds_at(height: int) -> list[int]:
    """Who signs at a height: one changes every three heights, until all are others."""
    return SETS[min((height - 2) // 3, len(SETS) - 1)]


def _chain_block(height: int, head: Head) -> LightBlock:
    seeds, following = _seeds_at(height), _seeds_at(height + 1)
    proven = app_hash(head) if height == 30 else bytes(32)
    step = Step(height, members(*seeds), members(*following), app_hash=proven)
    return block_of(step, signers=seeds)


def written(vectors: Any) -> str:
    """The text of the file."""
    return json.dumps(vectors, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(build()), encoding="utf-8")

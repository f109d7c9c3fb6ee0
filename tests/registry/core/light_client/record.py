"""Records headers, commits and heads from a network of our own: `recorded.json` of the browser.

`python -m tests.registry.core.light_client.record` runs four real members, stops one on the way so
that some commits lack a vote, and writes what they said. Both implementations are held to it.
"""

import base64
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.checkpoint import parse_head
from registry.core.consortium_anchor import first_anchor
from registry.core.light_client.encodings import (
    header_hash,
    validators_hash,
)
from registry.core.light_client.parsing import parse_light_block
from tests.comet_network import network
from tests.registry.authors import NETWORK, new_did

FILE = Path(__file__).resolve().parents[4] / "wallet_app" / "tests" / "vectors" / "recorded.json"


def record() -> dict[str, Any]:
    """What four members said, as the file holds it."""
    with tempfile.TemporaryDirectory() as folder, network(Path(folder), 4) as nodes:
        ledger = nodes[0].ledger
        for number in range(4):
            ledger.submit(new_did(f"recorded {number}")[0])
        nodes[3].stop()
        for number in range(4, 8):
            ledger.submit(new_did(f"recorded {number}")[0])
        newest = parse_light_block(ledger.light_block(None)).header.height
        blocks = [ledger.light_block(height) for height in range(1, newest + 1)]
        first = parse_light_block(blocks[0])
        roots = [member.did for member in nodes[0].genesis.members]
        heads = [ledger.head(height) for height in range(ledger.health().height + 1)]
    return {
        "note": "Recorded by tests/registry/core/light_client/record.py; do not edit.",
        "now": int(time.time()),
        "anchor": trust_anchor_json(first_anchor(network=NETWORK, block=first, roots=roots)),
        "light_blocks": [_block_json(data) for data in blocks],
        "heads": [
            {
                "height": parse_head(text).claimed.height,
                "size": parse_head(text).claimed.tree_size,
                "text": text,
            }
            for text in heads
        ],
    }


def _block_json(data: bytes) -> dict[str, Any]:
    block = parse_light_block(data)
    return {
        "height": block.header.height,
        "hash": header_hash(block.header).hex().upper(),
        "validators_hash": validators_hash(block.validators).hex().upper(),
        "block": base64.b64encode(data).decode("ascii"),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(record(), indent=1) + "\n", encoding="utf-8")

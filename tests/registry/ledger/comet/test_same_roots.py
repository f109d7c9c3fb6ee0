"""The same transactions in the same blocks give the same roots, whichever engine ordered them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path

import pytest

from registry.core.checkpoint import Head, parse_head
from registry.core.encoding import canonical_json
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.entries import LogEntry
from registry.ledger.port import Ledger
from tests.comet_network import cometbft, network
from tests.registry.authors import UnsafeHeadSigner, new_did


def blocks_of(ledger: Ledger) -> Iterator[tuple[int, int, list[bytes]]]:
    """Height, time and transactions of every block after the genesis."""
    size = ledger.health().size
    entries = [
        LogEntry.parse(raw)
        for start in range(1, size, 256)
        for raw in ledger.entries(start, min(256, size - start))
    ]
    for (height, seconds), group in groupby(entries, key=lambda entry: (entry.height, entry.time)):
        yield height, seconds, [canonical_json(entry.transaction) for entry in group]


def submit_as_one_block(ledger: EmbeddedLedger, transactions: list[bytes]) -> None:
    """Queue everything before the writer may begin, in this order."""
    threads = [threading.Thread(target=ledger.submit, args=(raw,)) for raw in transactions]
    with ledger._turn:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(ledger._queue) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()


def claimed(ledger: Ledger, height: int) -> Head:
    return parse_head(ledger.head(height)).claimed


@pytest.mark.parametrize("program", ["cometbft", "cometbft-0.38"])
def test_both_engines_agree_on_every_head(program: str, tmp_path: Path) -> None:
    raws = [new_did(f"author {number}")[0] for number in range(60)]
    with network(tmp_path, 4, program=cometbft(program)) as nodes:
        for raw in raws[:3]:
            nodes[0].ledger.submit(raw)
        with ThreadPoolExecutor(12) as pool:
            submitted = [
                pool.submit(nodes[number % 4].ledger.submit, raw) for number, raw in enumerate(raws)
            ]
            heights = [item.result().height for item in submitted]
        for node in nodes:
            node.ready(max(heights))
        engine = nodes[3].ledger
        blocks = list(blocks_of(engine))
        now = 0

        embedded = EmbeddedLedger.open(
            tmp_path / "embedded.db",
            genesis=nodes[0].genesis,
            signer=UnsafeHeadSigner(),
            now=lambda: now,
        )
        with closing(embedded):
            for _, now, transactions in blocks:  # noqa: B007 - the clock above reads it
                submit_as_one_block(embedded, transactions)

            assert len(blocks) == embedded.health().height
            assert any(len(transactions) > 1 for _, _, transactions in blocks)
            assert embedded.health().size == 61
            for height in range(len(blocks) + 1):
                assert claimed(embedded, height) == claimed(engine, height)
                assert claimed(nodes[1].ledger, height) == claimed(engine, height)

"""Submitters who meet share a block, and so the three syncs that it costs."""

import os
import threading
import time

import pytest

from tests.registry.authors import new_did
from tests.registry.ledger.conftest import OpenLedger

SUBMITTERS = 8
EACH = 6


def test_submitters_who_meet_share_blocks(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, each waited for the turn to see his answer, and every block held one transaction."""
    ledger = open_ledger()
    raws = [[new_did(f"{who} {n}")[0] for n in range(EACH)] for who in range(SUBMITTERS)]
    sync = os.fsync

    def slow(file: int) -> None:  # so that the others surely come while a block is written
        time.sleep(0.02)
        sync(file)

    monkeypatch.setattr(os, "fsync", slow)

    def submit(own: list[bytes]) -> None:
        for raw in own:
            ledger.submit(raw)

    threads = [threading.Thread(target=submit, args=(own,)) for own in raws]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    health = ledger.health()
    assert health.size == 1 + SUBMITTERS * EACH
    assert health.height <= SUBMITTERS * EACH // 2


def test_a_submitter_gets_through_when_nobody_tells_him(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    waiting = threading.Thread(target=ledger.submit, args=(new_did("a")[0],))

    with ledger._turn:  # as `close` does: it tells nobody
        waiting.start()
        time.sleep(0.05)
    waiting.join(timeout=10)

    assert not waiting.is_alive()
    assert ledger.health().size == 2

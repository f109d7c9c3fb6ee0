"""Kill -9 at any moment: what was acknowledged is there, and the audit is clean.

The operating system's cache outlives the process, so this shows the order of writes and recovery,
not that syncs are there; `test_embedded` breaks each sync for that.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from registry.audit import audit
from registry.core.checkpoint import verify_head
from registry.core.records import transaction_key
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import CREATED, UnsafeHeadSigner, genesis, trust_anchor
from tests.registry.core.heads import NOW

ROUNDS = 12

WRITER = """
import sys, threading
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from tests.registry.authors import CREATED, UnsafeHeadSigner, genesis, new_did
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.store import database

database.CHECKPOINT_PAGES = 50  # so that many a kill falls into a checkpoint
ledger = EmbeddedLedger.open(
    Path(sys.argv[1]), genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
)
lock = threading.Lock()
print("ready", flush=True)

def work(worker):
    for number in range(100_000):
        receipt = ledger.submit(new_did(f"{sys.argv[2]} {worker} {number}")[0])
        with lock:
            print(receipt.tx_id, receipt.height, receipt.index, flush=True)

threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
for thread in threads:
    thread.start()
"""


def run_and_kill(path: Path, round_number: int, seconds: float) -> list[tuple[str, int, int]]:
    """What a writer acknowledged before it was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(round_number), *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    output, _ = writer.communicate()
    lines = output.splitlines(keepends=True)
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(tx_id, int(height), int(index)) for tx_id, height, index in whole]


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    moments = random.Random(11)
    acknowledged: list[tuple[str, int, int]] = []
    sizes = [1]

    for round_number in range(ROUNDS):
        acknowledged += run_and_kill(path, round_number, moments.uniform(0.0, 0.4))
        report = audit(path, trust=trust_anchor())
        assert report.fault is None
        ledger = EmbeddedLedger.open(
            path, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
        )
        try:
            head = verify_head(ledger.head(), trust_anchor(), now=NOW)
            assert head.tree_size >= sizes[-1]
            sizes.append(head.tree_size)
            for tx_id, height, index in acknowledged:
                assert ledger.read(transaction_key(tx_id), prove=True).value is not None
                receipt = ledger.receipt(tx_id)
                assert receipt is not None
                assert (receipt.height, receipt.index) == (height, index)
        finally:
            ledger.close()

    assert len(acknowledged) > 4 * ROUNDS  # the writer was killed at work, not before it began
    assert sizes[-1] - 1 >= len(acknowledged)

"""The registry at 10^3, 10^5 and 10^6 records: transactions, proofs, receipts."""

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.big_ledger import BATCH, batch_record, make_ledger, open_ledger, record_key
from bench.measure import Figure, measure, measure_total
from registry.core.encoding import canonical_json
from registry.core.genesis import genesis_changes
from registry.core.merkle_log import verify_consistency, verify_inclusion
from registry.core.receipt import (
    AnchorReceipt,
    BatchTree,
    build_receipt,
    parse_receipt,
    receipt_json,
    verify_receipt,
)
from registry.core.records import Block
from registry.core.sparse_map import prove, verify_map_proof
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.store.rows import NodeCache, Rows
from tests.registry.authors import CREATED, genesis, new_did, trust_anchor

SIZES = (1_000, 100_000, 1_000_000)
SUBMITTERS = 16
DURABLE_SECONDS = 3.0
PREPARED = 6_000  # signed transactions; whoever is faster stops early


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured at one size."""

    records: int
    rates: dict[str, Figure]
    receipt_bytes: int
    file_bytes: int
    seconds_to_open: float


def measure_registry(sizes: tuple[int, ...] = SIZES) -> Iterator[Figures]:
    """Measure one size after the other, in a temporary folder."""
    raws = [new_did(f"bench {number}")[0] for number in range(PREPARED)]
    for records in sizes:
        folder = Path(tempfile.mkdtemp(prefix="cairn-bench-"))
        try:
            yield _at(records, folder / "ledger.db", raws)
        finally:
            shutil.rmtree(folder)


def _at(records: int, path: Path, raws: list[bytes]) -> Figures:
    ledger = make_ledger(path, records)
    ledger.close()
    began = time.perf_counter()
    ledger = open_ledger(path)
    seconds_to_open = time.perf_counter() - began
    try:
        receipt = _receipt(ledger)
        rates = {
            **_rules(raws),
            **_proofs(ledger, records),
            **_receipts(receipt),
        }
        used = 0
        for name, submitters in (
            ("transactions, durable, 1 submitter", 1),
            (f"transactions, durable, {SUBMITTERS} submitters", SUBMITTERS),
        ):
            part = raws[used : used + PREPARED // 2]
            used += len(part)
            rates[name] = measure_total(lambda part=part, n=submitters: _submit(ledger, part, n))  # type: ignore[misc]
        return Figures(
            records=records,
            rates=rates,
            receipt_bytes=len(canonical_json(receipt_json(receipt))),
            file_bytes=path.stat().st_size,
            seconds_to_open=seconds_to_open,
        )
    finally:
        ledger.close()


def _rules(raws: list[bytes]) -> dict[str, Figure]:
    """Parse, check the signature, and decide; the state is a dictionary."""
    state = dict(genesis_changes(genesis()))

    def one(number: int) -> None:
        transaction = parse_transaction(raws[number % len(raws)])
        apply(transaction, state=state, block=Block(height=1, time=CREATED, index=1))

    return {"transactions, rules alone": measure(one)}


def _proofs(ledger: EmbeddedLedger, records: int) -> dict[str, Figure]:
    chance = random.Random(1)
    keys = [record_key(chance.randrange(records - 1)) for _ in range(20_000)]
    head = ledger._newest.head
    size = head.tree_size
    proven = [ledger.read(key, prove=True) for key in keys[:2000]]
    included = [
        ledger.inclusion(index, size) for index in chance.sample(range(size), min(size, 1000))
    ]
    consistent = ledger.consistency(ledger.inclusion(0, 1).size, size)
    first_root = ledger.inclusion(0, 1).leaf

    def check_map(number: int) -> None:
        found = proven[number % len(proven)]
        assert found.proof is not None
        verify_map_proof(found.proof, key=found.key, value=found.value, root=head.state_root)

    def check_log(number: int) -> None:
        found = included[number % len(included)]
        verify_inclusion(
            leaf=found.leaf,
            index=found.index,
            tree_size=size,
            path=found.path,
            root=head.log_root,
        )

    def check_consistency(_number: int) -> None:
        verify_consistency(
            first=1,
            second=size,
            first_root=first_root,
            second_root=head.log_root,
            path=consistent.path,
        )

    with ledger._database.reading() as db:
        cold = Rows(db, NodeCache())
        cold_reads = measure(lambda number: prove(head.state_root, keys[number % len(keys)], cold))
    return {
        "map proofs made, nothing cached": cold_reads,
        "records read with proof, and checked": measure(
            lambda number: ledger.read(keys[number % len(keys)], prove=True)
        ),
        "absences proven and checked": measure(
            lambda number: ledger.read(f"tx/absent-{number}", prove=True)
        ),
        "map proofs checked": measure(check_map),
        "log inclusions proven and checked": measure(
            lambda number: ledger.inclusion(number * 7919 % size, size)
        ),
        "log inclusions checked": measure(check_log),
        "log consistencies checked": measure(check_consistency),
    }


def _receipt(ledger: EmbeddedLedger) -> AnchorReceipt:
    batch, tree = batch_record(), BatchTree(BATCH)
    found = ledger.read(batch.key, prove=True)
    assert found.proof is not None
    return build_receipt(
        digest=BATCH[500],
        index=500,
        path=tree.path(500),
        batch=batch,
        proof=found.proof,
        head=found.head,
    )


def _receipts(receipt: AnchorReceipt) -> dict[str, Figure]:
    form, anchor = receipt_json(receipt), trust_anchor()
    return {
        "receipts parsed and checked": measure(
            lambda _: verify_receipt(parse_receipt(form), digest=BATCH[500], anchor=anchor, now=0)
        )
    }


def _submit(ledger: EmbeddedLedger, raws: list[bytes], submitters: int) -> tuple[int, float]:
    """How many were acknowledged, and in how many seconds."""
    done = [0] * submitters
    ends = time.perf_counter() + DURABLE_SECONDS

    def work(worker: int) -> None:
        for raw in raws[worker::submitters]:
            if time.perf_counter() >= ends:
                return
            ledger.submit(raw)
            done[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(submitters)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done), time.perf_counter() - began

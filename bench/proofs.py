"""How fast proofs are made and checked. Run: python -m bench.proofs [log entries, default 10^6]

Prints one line for each figure: what, how many, median and 99th percentile in milliseconds, or the
seconds of one run. Memory only; the embedded engine adds its reads of SQLite.
"""

import statistics
import sys
import time
from collections.abc import Callable

from registry.core.log_tree import LogTree, WholeTree
from registry.core.merkle_log import leaf_hash, verify_consistency, verify_inclusion
from registry.core.receipt import BatchTree
from registry.core.sparse_map import EMPTY, map_changes, prove, update, verify_map_proof

ROUNDS = 1000
MAP_RECORDS = 50_000
BATCH = 10_000


def each(name: str, run: Callable[[int], object]) -> None:
    """Time `run(0)` up to `run(ROUNDS - 1)`, one by one."""
    times = []
    for number in range(ROUNDS):
        begin = time.perf_counter()
        run(number)
        times.append(1000 * (time.perf_counter() - begin))
    p99 = statistics.quantiles(times, n=100)[98]
    print(f"{name}: {ROUNDS} times, median {statistics.median(times):.3f} ms, p99 {p99:.3f} ms")


def once(name: str, run: Callable[[], object]) -> None:
    """Time one run."""
    begin = time.perf_counter()
    run()
    print(f"{name}: {time.perf_counter() - begin:.2f} s")


def bench_log(size: int) -> None:
    """Proofs from one large log."""
    tree = LogTree(WholeTree([leaf_hash(n.to_bytes(4, "big")) for n in range(size)]), size)
    root, step = tree.root(), size // ROUNDS

    def inclusion(number: int) -> None:
        index = number * step
        verify_inclusion(
            leaf=tree.leaf(index),
            index=index,
            tree_size=size,
            path=tree.inclusion_path(index),
            root=root,
        )

    def consistency(number: int) -> None:
        first = 1 + number * step
        verify_consistency(
            first=first,
            second=size,
            first_root=tree.root(first),
            second_root=root,
            path=tree.consistency_path(first),
        )

    each(f"inclusion in a log of {size}, proved and verified", inclusion)
    each(f"consistency with a log of {size}, proved and verified", consistency)


def bench_map() -> None:
    """Proofs from one large state, and a block on top of it."""
    root, nodes = update(EMPTY, map_changes({f"r/{n}": b"" for n in range(MAP_RECORDS)}), {})

    def presence(number: int) -> None:
        key = f"r/{number}"
        verify_map_proof(prove(root, key, nodes), key=key, value=b"", root=root)

    def absence(number: int) -> None:
        key = f"absent/{number}"
        verify_map_proof(prove(root, key, nodes), key=key, value=None, root=root)

    each(f"presence in a map of {MAP_RECORDS}, proved and verified", presence)
    each(f"absence from a map of {MAP_RECORDS}, proved and verified", absence)
    each(
        f"block of 10 records on a map of {MAP_RECORDS}",
        lambda number: update(
            root, map_changes({f"b/{number}/{n}": b"" for n in range(10)}), nodes
        ),
    )


def bench_batch() -> None:
    """All paths of one batch of credentials."""
    digests = [number.to_bytes(32, "big") for number in range(BATCH)]

    def paths() -> None:
        tree = BatchTree(digests)
        for index in range(BATCH):
            tree.path(index)

    once(f"root and all paths of a batch of {BATCH}", paths)


if __name__ == "__main__":
    bench_batch()
    bench_map()
    bench_log(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

"""Batches of credentials: root and all paths, and one path checked, at up to the largest batch."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.measure import Figure, measure
from registry.core.hashing import sha256
from registry.core.merkle_log import leaf_hash, verify_inclusion
from registry.core.receipt import BatchTree

SIZES = (1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """What was measured at one size."""

    count: int
    seconds_for_all_paths: float
    checked: Figure


def measure_batches() -> Iterator[BatchFigures]:
    """Measure one size after the other."""
    for count in SIZES:
        digests = [sha256(number.to_bytes(4, "big")) for number in range(count)]
        began = time.perf_counter()
        tree = BatchTree(digests)
        paths = [tree.path(index) for index in range(count)]
        spent = time.perf_counter() - began
        root = tree.root

        def check(
            number: int,
            digests: list[bytes] = digests,
            paths: list[tuple[bytes, ...]] = paths,
            root: bytes = root,
        ) -> None:
            index = number % len(digests)
            verify_inclusion(
                leaf=leaf_hash(digests[index]),
                index=index,
                tree_size=len(digests),
                path=paths[index],
                root=root,
            )

        yield BatchFigures(count, spent, measure(check))

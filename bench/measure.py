"""How often something can be done in a second, beside a floor measured in the same moments.

The machine may be shared, so a floor is measured between the parts of every figure: the ratio holds
still where the figure does not.
"""

import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECONDS = 1.5  # for each figure; long enough to see past a hiccup
PARTS = 5  # the median of so many is the figure
FLOOR_SECONDS = 0.1  # beside each part

Run = Callable[[int], object]
Clock = Callable[[], float]

_PAGE = bytes(4096)
_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_PUBLIC, _SIGNATURE = _PRIVATE.public_key(), _PRIVATE.sign(_PAGE[:200])


@dataclass(frozen=True, slots=True)
class Figure:
    """What is done in a second, and how many of the floor would take as long as one."""

    per_second: float
    verifications: float


def hash_a_page(_number: int) -> object:
    """The first floor: SHA-256 of 4 KiB."""
    return hashlib.sha256(_PAGE).digest()


def verify_a_signature(_number: int) -> object:
    """The second floor: one Ed25519 verification."""
    return _PUBLIC.verify(_SIGNATURE, _PAGE[:200])


def measure(
    run: Run,
    *,
    seconds: float = SECONDS,
    floor: Run = verify_a_signature,
    clock: Clock = time.perf_counter,
) -> Figure:
    """How often `run(0)`, `run(1)`, … can be done in a second.

    Args:
        seconds: spent on it, by `clock`.
        floor: measured beside each part.
        clock: `time.process_time` counts processor time, of every thread, instead of time.
    """
    run(0)
    number, rates, ratios = 1, [], []
    for _ in range(PARTS):
        beside = _part(floor, 0, FLOOR_SECONDS, clock)[0]
        per_second, number = _part(run, number, seconds / PARTS, clock)
        rates.append(per_second)
        ratios.append(beside / per_second)
    return Figure(statistics.median(rates), statistics.median(ratios))


def measure_total(run: Callable[[], tuple[int, float]]) -> Figure:
    """The same for something that runs by itself: `run` gives how many and in how many seconds."""
    before = _part(verify_a_signature, 0, 3 * FLOOR_SECONDS)[0]
    done, spent = run()
    after = _part(verify_a_signature, 0, 3 * FLOOR_SECONDS)[0]
    return Figure(done / spent, (before + after) / 2 * spent / done)


def _part(
    run: Run, number: int, seconds: float, clock: Clock = time.perf_counter
) -> tuple[float, int]:
    began, first = clock(), number
    while (spent := clock() - began) < seconds:
        run(number)
        number += 1
    return (number - first) / spent, number

"""Every parser a few hundred times, without coverage guidance; `make fuzz` runs 50,000 with it."""

import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.__main__ import command
from tests.fuzz.corpus import seeds
from tests.fuzz.names import NAMES
from tests.fuzz.targets import TARGETS, run

SEED, EXECUTIONS = 20261126, 250
_PIECES = (
    *(b'"', b"{", b"[", b"]", b"}", b",", b":", b"~", b".", b"=", b"\\u0000", b"\\ud800", b"\xff"),
    *(b"9" * 400, b"null", b"-0", b"1e999", b"\x00", b"\x9f", b"\xbf", b"\x5f", b"\xd8\x23", b"#"),
)


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """A few bytes flipped, cut, doubled or put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[at : at + rng.randrange(1, 30)]
        elif kind == 2:
            changed[at:at] = rng.choice(_PIECES)
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randrange(1, 60)]
        elif at < len(changed):
            changed[at] = rng.randrange(256)
    return bytes(changed)


def test_every_target_has_seeds_and_a_name():
    assert set(NAMES) == set(TARGETS)
    assert len(NAMES) >= 40
    assert all(seeds(name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_refusals_leave_a_parser(name: str):
    rng, answers = random.Random(f"{SEED} {name}"), Counter[str]()
    held = seeds(name)
    for data in held:
        answers[run(name, data)] += 1

    for number in range(EXECUTIONS):
        data = spoilt(held[number % len(held)], rng)
        try:
            answers[run(name, data)] += 1
        except Exception as error:
            raise AssertionError(f"seed {SEED} input {number} of {name}: {data!r}") from error

    print(f"{name}: {sum(answers.values())} executions, {dict(answers.most_common(5))}")
    assert sum(answers.values()) == EXECUTIONS + len(held)


@pytest.mark.parametrize("name", ["compact-jws", "cbor"])
def test_the_coverage_guided_runner_runs(name: str, tmp_path: Path):
    (tmp_path / "corpus").mkdir()

    done = subprocess.run(
        command(name, 300, 1, tmp_path), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert "stat::number_of_executed_units: 3" in done.stderr

"""A part of `make faults`: every k-th storage call and power cut, and 80 flipped bits."""

import json
import subprocess
import sys

import pytest

from tests.faults.tracing import strace

EVERY = 61
SECONDS = 900  # half a minute on a calm machine


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_storage_that_fails_breaks_no_promise() -> None:
    """In a process of its own, which has one thread and may fork."""
    if strace() is None:
        pytest.skip("strace is missing")

    run = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--json", "--every", str(EVERY), "--flips", "80"],
        capture_output=True,
        text=True,
        timeout=SECONDS - 30,
        check=False,
    )

    assert run.stdout, run.stderr
    counts = json.loads(run.stdout.splitlines()[-1])
    assert counts["failures"] == []
    assert run.returncode == 0
    assert all(counts["mistakes"].values())  # each missing sync turned the power cuts red
    print(json.dumps(counts, indent=2))

"""A part of `make faults`: four real members halt, part, and stop one of them that lies."""

import os
import subprocess
import sys

import pytest

from tests.comet_network import cometbft
from tests.faults.consortium.hosts import missing_tools

SCENARIOS = ("two killed", "parted 3-1", "other rules")
SECONDS = 600  # a minute on a calm machine


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_four_members_keep_their_promises_while_they_and_their_network_fall() -> None:
    cometbft()
    if (reason := missing_tools()) is not None:
        pytest.skip(reason)
    chosen = [word for name in SCENARIOS for word in ("--only", name)]

    run = subprocess.run(
        [sys.executable, "-m", "tests.faults.consortium", "--rounds", "1", *chosen],
        capture_output=True,
        text=True,
        timeout=SECONDS - 30,
        check=False,
        env=os.environ,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith(f"{len(SCENARIOS)} rounds on four members")

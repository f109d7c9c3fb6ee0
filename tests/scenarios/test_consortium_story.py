"""The whole story on four real CometBFT processes with four applications, each a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.comet_network import cometbft
from tests.scenarios.installation import DEMO, ROOT

TITLES = 8
SECONDS = 240


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demonstration_runs_on_a_consortium(tmp_path: Path) -> None:
    cometbft()  # skips where there is none

    told = subprocess.run(
        [
            *(sys.executable, "-m", "identity.cli", "demo", "--config", str(DEMO)),
            *("--ledger", "consortium", "--keep", str(tmp_path)),
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.count("http://127.0.0.1:") == 4
    for number in range(1, TITLES + 1):
        assert f"\n{number}. " in told.stdout
    assert "audit clean on all 4 members, with one head" in told.stdout
    for member in range(1, 5):
        log = (tmp_path / "consortium" / f"member-{member}" / "logs" / "node.log").read_text()
        assert "CONSENSUS FAILURE" not in log
    assert not list(tmp_path.glob("consortium/member-*/node/abci.sock"))  # nothing runs any more

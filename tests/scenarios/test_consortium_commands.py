"""`cairn consortium init`, `up`, `status`, `down`: a local network that leaves nothing behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from registry.consortium.local_network import LocalNetwork, health_of
from tests.comet_network import cometbft
from tests.scenarios.installation import ROOT

SECONDS = 60.0


def cairn(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "identity.cli", "consortium", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.slow
def test_a_local_network_is_founded_run_shown_and_ended(tmp_path: Path) -> None:
    cometbft()
    folder = str(tmp_path / "network")

    made = cairn("init", "--members", "1", "--data", folder)
    assert "network local of 1 members" in made.stdout, made.stderr
    assert "do not survive" in made.stdout
    again = cairn("init", "--members", "1", "--data", folder)
    assert (again.returncode, "NetworkExists" in again.stderr) == (2, True)
    silent = cairn("status", "--data", folder)
    assert (silent.returncode, "does not answer" in silent.stdout) == (1, True)
    assert "not running" in cairn("down", "--data", folder).stdout

    running = subprocess.Popen(
        [sys.executable, "-m", "identity.cli", "consortium", "up", "--data", folder],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        (api,) = LocalNetwork(Path(folder)).apis()
        deadline = time.monotonic() + SECONDS
        while health_of(api) is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)

        shown = cairn("status", "--data", folder)
        assert shown.returncode == 0
        assert "height 0, 1 entries" in shown.stdout
        assert "takes transactions" in shown.stdout
        assert "NetworkRuns" in cairn("up", "--data", folder).stderr
        assert "has ended" in cairn("down", "--data", folder).stdout
        assert running.wait(SECONDS) == 0
    finally:
        running.kill()
        running.wait()
    assert health_of(api) is None
    assert not list(Path(folder).glob("member-*/node/abci.sock"))

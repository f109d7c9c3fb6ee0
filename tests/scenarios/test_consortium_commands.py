"""`cairn consortium init`, `up`, `status`, `down`: a local network that leaves nothing behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from registry.consortium.local_network import LocalNetwork, health_of
from tests.comet_network import cometbft
from tests.scenarios.installation import ROOT

SECONDS = 120.0


def cairn(*arguments: str, group: str = "consortium") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "identity.cli", group, *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_scheduled_upgrade_stops_older_software_with_a_sentence(tmp_path: Path) -> None:
    cometbft()
    folder = tmp_path / "network"
    cairn("init", "--members", "1", "--data", str(folder))
    network = LocalNetwork(folder)
    member, (api,) = network.folders[0], network.apis()
    signing = [
        *("--author", member.genesis().members[0].did),
        *("--keys", str(member.keys / "governance.keys")),
        *("--passphrase-file", str(folder / "secrets" / "passphrase")),
        *("--base", api, "--trust", str(member.trust_anchor_file)),
    ]
    told = tmp_path / "told"
    with told.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "identity.cli", "consortium", "up", "--data", str(folder)],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while health_of(api) is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)

        scheduled = cairn("propose-upgrade", "2", "9.9.9", *signing, group="member")
        assert "accepted" in scheduled.stdout, scheduled.stderr
        refused = cairn("propose-rule", "voting-seconds", "3600", *signing, group="member")

        assert refused.returncode == 2
        assert running.wait(SECONDS) == 0  # nobody is left to be run
    finally:
        running.kill()
        running.wait()
    text = told.read_text("utf-8")
    assert "MemberStopped: the members scheduled version 9.9.9 from height 2 on" in text
    assert "member-1: stopped, and is not started again" in text

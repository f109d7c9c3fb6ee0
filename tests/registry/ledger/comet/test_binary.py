"""Which `cometbft` may run: below the floor of its line, and beside the known lines, none."""

from pathlib import Path

import pytest

from registry.ledger.comet.binary import (
    VARIABLE,
    CometBftTooOld,
    NoCometBft,
    check_version,
    find_cometbft,
    verify_version,
)
from tests.comet_network import cometbft


@pytest.mark.parametrize("version", ["0.39.2", "0.39.4", "0.38.23", "0.38.25", "v0.39.10+dirty"])
def test_maintained_versions_run(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    "version",
    ["0.39.1", "0.38.22", "0.37.18", "0.40.0", "1.0.1", "2.0.0", "", "0.39", "hello", "0.39.4\n0"],
)
def test_others_are_refused(version: str) -> None:
    with pytest.raises(CometBftTooOld):
        check_version(version)


def test_a_program_says_its_version_itself(tmp_path: Path) -> None:
    old = tmp_path / "cometbft"
    old.write_text("#!/bin/sh\necho 0.39.1\n")
    old.chmod(0o755)

    with pytest.raises(CometBftTooOld, match=r"0\.39\.1 does not run here"):
        verify_version(old)
    assert verify_version(cometbft()) == "0.39.4"
    assert verify_version(cometbft("cometbft-0.38")) == "0.38.25"


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}

    with pytest.raises(NoCometBft, match="make cometbft"):
        find_cometbft(tmp_path / "cometbft", environment=nowhere)
    with pytest.raises(NoCometBft):
        find_cometbft(environment={**nowhere, VARIABLE: str(tmp_path / "other")})
    with pytest.raises(NoCometBft):
        verify_version(tmp_path / "cometbft")

"""A scheduled upgrade stops older software at its height, and nothing else."""

import pytest

from registry.core.records import UPGRADE_KEY
from registry.core.refusals import Malformed
from registry.core.upgrade import UpgradeNeeded, UpgradeRecord, verify_version

SCHEDULED = UpgradeRecord(at_height=10, version="1.10.0", proposal="0" * 64, height=3, time=5)
STATE = {UPGRADE_KEY: SCHEDULED.encode()}


@pytest.mark.parametrize("version", ["1.9.9", "0.99.99", "1.2.0"])
def test_an_older_version_stops_at_the_height_and_says_so(version: str) -> None:
    verify_version(STATE, height=9, version=version)

    for height in (10, 11, 1000):
        with pytest.raises(UpgradeNeeded, match=r"1\.10\.0 from height 10"):
            verify_version(STATE, height=height, version=version)


@pytest.mark.parametrize("version", ["1.10.0", "1.10.1", "2.0.0"])
def test_the_scheduled_version_and_later_ones_go_on(version: str) -> None:
    for height in (9, 10, 11):
        verify_version(STATE, height=height, version=version)


def test_without_a_schedule_every_version_runs() -> None:
    verify_version({}, height=10**6, version="0.0.1")


def test_a_version_has_three_numbers() -> None:
    with pytest.raises(Malformed):
        verify_version(STATE, height=10, version="1.10")

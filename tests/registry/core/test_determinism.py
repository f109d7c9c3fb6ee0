"""The same transactions give the same state, bit for bit, wherever and however Python runs."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.core.transactions import ACTIONS, parse_transaction
from tests.registry.core.actors import TestLedger
from tests.registry.core.story import story

REPOSITORY = Path(__file__).parents[3]

# Fixed when the formats were; a change here changes the formats of every network.
STATE = "82c893cd140f65ffdbf1d84cb7935b8832915f931cc4de25b06ac6f1b72caa7f"


def state_digest() -> str:
    """SHA-256 over all records of the told story, in the order of their keys."""
    ledger = TestLedger()
    for data in story():
        ledger.apply(data)
    hasher = hashlib.sha256()
    for key in sorted(ledger.state):
        hasher.update(key.encode() + b"\0" + ledger.state[key] + b"\0")
    return hasher.hexdigest()


def test_the_story_has_every_action() -> None:
    told = {parse_transaction(data).payload.action.NAME for data in story()}

    assert told == set(ACTIONS)


def test_the_state_is_the_one_of_always() -> None:
    assert state_digest() == STATE


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
        {"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai"},
        {"PYTHONHASHSEED": "4242", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"},
        {"PYTHONHASHSEED": "random", "LC_ALL": "zh_CN.GB18030", "TZ": "XXX-14:30"},
        {"PYTHONHASHSEED": "7", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "2", "LANG": "de_DE"},
    ],
    ids=lambda environment: environment["PYTHONHASHSEED"],
)
def test_seed_locale_and_time_zone_change_nothing(environment: dict[str, str]) -> None:
    program = (
        "import locale\n"
        "try:\n    locale.setlocale(locale.LC_ALL, '')\n"
        "except locale.Error:\n    pass\n"
        "from tests.registry.core.test_determinism import state_digest\n"
        "print(state_digest())\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert answer.stdout.strip() == STATE, answer.stderr

"""The second start: quick, with everything kept; and what must not start at all."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.core.checkpoint import Head
from tests.scenarios.installation import Held, Installation, person
from tests.scenarios.showing import show

TIMES_ITS_IMPORTS = 5  # what a second start may cost beside importing the program
QUIET_SECONDS = 12.0  # a root of the records is published every ten
ATTEMPTS = 3  # a busy machine counts what it did for others too; the best of them counts


@pytest.fixture(scope="module")
def lived_in(make_installation: Callable[..., Installation]) -> Held:
    """An installation with a past, running."""
    installation = make_installation()
    installation.start()
    return installation.issue(person(0))


def test_sigterm_ends_in_order_and_everything_is_kept(lived_in: Held) -> None:
    here = lived_in.installation
    keys, trust = here.keys, here.trust
    head = _quiet_head(here)
    receipt = lived_in.wallet.receipt(lived_in.copies[0])
    assert here.stop() == 0

    here.start()

    assert (here.keys, here.trust) == (keys, trust)
    now = here.audit()
    assert now.is_clean, now.fault
    assert now.head == head  # a start founds nothing twice
    assert lived_in.wallet.receipt(lived_in.copies[0]) == receipt
    assert show(here, lived_in.wallet, lived_in.copies[0]).verified
    assert here.enrol(person(0)) == here.enrol(person(0))


def test_the_second_start_does_little_beside_importing_the_program(lived_in: Held) -> None:
    here = lived_in.installation
    seen = []
    for _ in range(ATTEMPTS):
        floor = _cpu_seconds_of_imports()
        here.restart()
        seen.append((here.cpu_seconds(), floor))
        if seen[-1][0] < TIMES_ITS_IMPORTS * floor:
            return
    pytest.fail(f"processor time of starts, and of the imports alone: {seen} s")


def _cpu_seconds_of_imports() -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", "import identity.cli.up"], check=True)
    after = os.times()
    return (
        after.children_user
        + after.children_system
        - (before.children_user + before.children_system)
    )


def test_a_second_process_on_the_same_ledger_refuses(
    lived_in: Held, make_installation: Callable[..., Installation]
) -> None:
    here = lived_in.installation
    before = _quiet_head(here)
    rival = make_installation(here.folder, environment=_own_log(here.folder))
    exit_ = rival.refuses_to_start()
    assert exit_.code == 2, exit_.text
    assert "LedgerInUse" in exit_.text or "LedgerLocked" in exit_.text, exit_.text
    assert "Traceback" not in exit_.text
    assert here.audit().head == before
    assert show(here, lived_in.wallet, lived_in.copies[0]).verified


def _quiet_head(here: Installation) -> Head | None:
    """The head once no worker adds to the ledger any more."""
    head, since = here.audit().head, time.monotonic()
    while time.monotonic() < since + QUIET_SECONDS:
        time.sleep(0.2)
        newest = here.audit().head
        if newest != head:
            head, since = newest, time.monotonic()
    return head


def _own_log(folder: Path) -> dict[str, str]:
    return {"CAIRN_SERVER__LOG_FILE": str(folder / "rival.log")}


@pytest.fixture(scope="module")
def snapshot(lived_in: Held, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of `lived_in`, copied while nothing ran."""
    here = lived_in.installation
    here.stop()
    taken = tmp_path_factory.mktemp("snapshot") / "copy"
    shutil.copytree(here.folder, taken)
    here.start()
    return taken


@pytest.fixture
def copied(
    lived_in: Held,
    snapshot: Path,
    make_installation: Callable[..., Installation],
    tmp_path: Path,
) -> Installation:
    """The data of `lived_in` in another folder, not running. It may be damaged."""
    shutil.copytree(snapshot, tmp_path / "copy")
    # Its URLs are those under which it was founded, and it listens elsewhere.
    return make_installation(tmp_path / "copy", public_base=lived_in.installation.base)


def refused(installation: Installation, *names: str) -> str:
    """It ends with exit code 2 and one clear line that has one of the names."""
    exit_ = installation.refuses_to_start()
    assert exit_.code == 2, exit_.text
    assert "Traceback" not in exit_.text
    assert any(name in exit_.text for name in names), exit_.text
    return exit_.text


def test_another_public_base_url_refuses(copied: Installation) -> None:
    copied.start()  # the twin: the same folder under its own base
    copied.stop()
    copied.public_base = "http://127.0.0.1:1"
    assert "public_base_url" in refused(copied, "FoundedElsewhere")


def test_a_readable_key_file_refuses(copied: Installation) -> None:
    keys = sorted(copied.data.keys.iterdir())
    assert len(keys) >= 6
    for path in keys:
        assert path.stat().st_mode & 0o777 == 0o600
    (chosen,) = (path for path in keys if path.name == "issuer-civil-registry.keys")
    os.chmod(chosen, 0o640)
    refused(copied, "KeyFileReadable")
    os.chmod(chosen, 0o600)
    copied.start()


@pytest.mark.parametrize("name", ["passphrase", "access-digests.json", "access-keys.json"])
def test_a_readable_secret_refuses(copied: Installation, name: str) -> None:
    path = copied.data.secrets / name
    assert path.stat().st_mode & 0o777 == 0o600
    os.chmod(path, 0o604)
    if name == "access-keys.json":  # kept for the printed links; never read otherwise
        copied.environment = {}
    refused(copied, "KeyFileReadable")


def test_a_wrong_passphrase_refuses(copied: Installation) -> None:
    copied.environment = {"CAIRN_KEYS__PASSPHRASE": "another sentence nobody knows"}
    text = refused(copied, "KeyFileNotOpened")
    assert "another sentence" not in text


def test_a_ledger_from_an_old_backup_refuses(lived_in: Held, tmp_path: Path) -> None:
    """The head store remembers what the restored ledger has forgotten."""
    here = lived_in.installation
    ledger = here.data.ledger.parent
    here.stop()
    shutil.copytree(ledger, tmp_path / "old")
    here.start()
    here.issue(person(1))
    here.stop()
    shutil.copytree(ledger, tmp_path / "new")
    for backup, is_fine in (("old", False), ("new", True)):
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / backup, ledger)
        if is_fine:
            here.start()
        else:
            assert "old backup" in refused(here, "LedgerNotOpened")
    assert show(here, lived_in.wallet, lived_in.copies[0]).verified

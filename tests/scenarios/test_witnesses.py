"""Witnesses as processes beside an installation: pending, never anchored, until the quorum."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from identity.demo.story import Story
from registry.core.checkpoint import parse_head, verify_head
from tests.registry.core.heads import NOW
from tests.scenarios.installation import DEMO, ROOT, Installation, free_port, person

NAMES = ("court.example/witness", "university.example/witness", "press.example/witness")
PATIENCE_SECONDS = 30.0


class WitnessProcess:
    """`cairn witness` in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._config = folder / "witness.toml"
        self._config.write_text(
            f'[witness]\nname = "{name}"\ndata = "{folder / "data"}"\nport = {self.port}\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def key(self) -> str:
        return cairn("witness", "--config", str(self._config), "--show-key").stdout.strip()

    def start(self, trust: Path) -> None:
        command = ("witness", "--config", str(self._config), "--trust", str(trust))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "identity.cli", *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/key", trust_env=False).is_success
        except httpx2.HTTPError:
            return False


def cairn(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "identity.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.1)


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[list[WitnessProcess]]:
    made = []
    for number, name in enumerate(NAMES):
        folder = tmp_path / f"witness-{number}"
        folder.mkdir()
        made.append(WitnessProcess(folder, name))
    yield made
    for witness in made:
        witness.stop()


@pytest.mark.slow
def test_an_installation_under_witnesses(
    tmp_path: Path,
    witnesses: list[WitnessProcess],
    make_installation: Callable[..., Installation],
) -> None:
    config = tmp_path / "witnessed.toml"
    tables = "".join(
        f'\n[[ledger.witnesses]]\nkey = "{witness.key()}"\n'
        f'url = "http://127.0.0.1:{witness.port}"\n'
        for witness in witnesses
    )
    config.write_text(DEMO.read_text("utf-8") + tables, "utf-8")
    here = make_installation(config=config)
    here.start()
    assert here.trust.witnesses is not None
    assert here.trust.witnesses.threshold == 2
    anchor = here.data.trust_anchor

    def cosigned() -> httpx2.Response:
        return here.http.get(f"{here.base}/registry/head", params={"cosigned": "true"})

    def newest() -> str:
        return here.http.get(f"{here.base}/registry/head").text

    def is_caught_up() -> bool:
        answer = cosigned()
        return answer.is_success and parse_head(answer.text).claimed == parse_head(newest()).claimed

    # one witness is no quorum
    witnesses[0].start(anchor)
    time.sleep(2.0)
    assert cosigned().status_code == 503
    assert "pending" in cosigned().text

    # two are: the story runs, every receipt in it lies under a co-signed head
    witnesses[1].start(anchor)
    until(is_caught_up)
    for _ in Story(here.stage(person(0))).tell():
        assert here.audit().is_clean
    until(is_caught_up)
    verified = verify_head(cosigned().text, here.trust, now=NOW)

    # from outside: monitor, export, and the check of it
    state = tmp_path / "monitor.db"
    look = ("monitor", here.base, "--trust", str(anchor), "--state", str(state), "--once", "--json")
    seen = cairn(*look)
    assert seen.returncode == 0, seen.stderr
    told = json.loads(seen.stdout)
    assert told["outcome"] == "clean"
    assert told["height"] >= verified.height
    exported = tmp_path / "history.export"
    done = cairn("export", "--data", str(here.data.root), "--out", str(exported))
    assert done.returncode == 0, done.stderr
    assert cairn("export", "--data", str(here.data.root), "--out", str(exported)).returncode == 2

    # the quorum is lost: what is new stays pending, what was witnessed stays
    witnesses[1].stop()
    offer = here.offer(here.enrol(person(1)))
    copies = here.wallet().accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
    time.sleep(2.0)
    assert here.wallet().receipt(copies[0]) is None
    assert parse_head(newest()).claimed.height > parse_head(cosigned().text).claimed.height
    witnesses[2].start(anchor)
    until(is_caught_up)
    here.anchored(here.wallet(), copies[0])

    # the check of an export needs neither the installation nor its witnesses
    last = verify_head(cosigned().text, here.trust, now=NOW)
    again = cairn(*look)
    assert json.loads(again.stdout)["witnessed_height"] >= last.height
    for witness in witnesses:
        witness.stop()
    here.stop()
    checked = cairn("check-export", str(exported), "--trust", str(anchor))
    assert checked.returncode == 0, checked.stdout
    assert "witnessed up to height" in checked.stdout
    gone = cairn(*look)
    assert gone.returncode == 2
    assert "NodeUnreachable" in gone.stderr
    data = bytearray(exported.read_bytes())
    data[len(data) // 2] ^= 1
    exported.write_bytes(data)
    broken = cairn("check-export", str(exported), "--trust", str(anchor))
    assert broken.returncode == 1
    assert "FAULT after" in broken.stdout

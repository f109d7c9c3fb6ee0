"""`cairn export`, `check-export`, `monitor`, `witness`: exit codes, files, what is printed."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from identity.cli.main import app
from identity.cli.witness import load
from registry.client.transport import NodeUnreachable
from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.checkpoint import verify_unwitnessed_head
from registry.core.cosignature import parse_witness_key
from registry.core.encoding import canonical_json, parse_json_object
from registry.core.refusals import Malformed
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import CREATED, genesis, new_did, trust_anchor
from tests.registry.core.heads import NOW
from tests.registry.histories import SIGNER, honest
from tests.registry.monitor.test_monitor import FakeRegistry

RUN = CliRunner()


@pytest.fixture
def trust(tmp_path: Path) -> str:
    path = tmp_path / "trust-anchor.json"
    path.write_bytes(canonical_json(trust_anchor_json(trust_anchor())))
    return str(path)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(honest(3))


@pytest.fixture
def url(registry: FakeRegistry) -> Iterator[str]:
    """The fake registry behind a real socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = registry.get(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_export_and_check(tmp_path: Path, trust: str) -> None:
    ledger = EmbeddedLedger.open(
        tmp_path / "ledger.db", genesis=genesis(), signer=SIGNER, now=lambda: CREATED
    )
    try:
        ledger.submit(new_did("alice")[0])
        out = tmp_path / "history"
        made = RUN.invoke(
            app,
            [
                "export",
                "--out",
                str(out),
                "--ledger",
                str(tmp_path / "ledger.db"),
                "--trust",
                trust,
            ],
        )
    finally:
        ledger.close()
    assert made.exit_code == 0, made.output
    assert made.output.startswith("exported: 2 entries, 2 heads")

    checked = RUN.invoke(app, ["check-export", str(out), "--trust", trust])
    assert checked.exit_code == 0
    assert checked.output.startswith("clean: 2 entries, height 1")
    out.write_bytes(out.read_bytes().replace(b'"height":1', b'"height":7'))
    broken = RUN.invoke(app, ["check-export", str(out), "--trust", trust])
    assert broken.exit_code == 1
    assert broken.output.startswith("FAULT after 1 good entries: line 4:")


def monitor(url: str, trust: str, folder: Path, *more: str) -> tuple[int, dict[str, object]]:
    state = str(folder / "monitor.db")
    arguments = ["monitor", url, "--trust", trust, "--state", state, "--once", "--json", *more]
    result = RUN.invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.output)


def test_a_monitor_is_content_and_then_cries_out(
    tmp_path: Path, trust: str, url: str, registry: FakeRegistry
) -> None:
    code, told = monitor(url, trust, tmp_path)
    assert (code, told["outcome"], told["height"]) == (0, "clean", 3)
    seen = registry.log.heads[3]
    registry.log = honest(2)
    registry.log.block(new_did("mallory")[0])

    code, told = monitor(url, trust, tmp_path, "--evidence", str(tmp_path / "evidence"))

    assert (code, told["outcome"], told["kind"]) == (3, "alarm", "fork")
    (file,) = (tmp_path / "evidence").iterdir()
    assert told["evidence"] == str(file)
    evidence = parse_json_object(file.read_bytes())
    assert evidence["heads"] == [seen, registry.log.heads[3]]
    one, other = (
        verify_unwitnessed_head(note, trust_anchor(), now=NOW) for note in evidence["heads"]
    )
    assert one.height == other.height
    assert one != other

    assert monitor(url, trust, tmp_path, "--evidence", str(tmp_path / "evidence"))[0] == 3
    assert len(list((tmp_path / "evidence").iterdir())) == 2  # nothing was replaced


def test_a_monitor_tells_people_too(tmp_path: Path, trust: str, url: str) -> None:
    state = str(tmp_path / "monitor.db")

    clean = RUN.invoke(app, ["monitor", url, "--trust", trust, "--state", state, "--once"])
    stalled = RUN.invoke(
        app,
        ["monitor", url, "--trust", trust, "--state", state, "--once", "--stalled-after", "1"],
    )

    assert (clean.exit_code, clean.output.split(",")[0]) == (0, "clean: height 3")
    # The heads are of another year than the clock of this machine, before it or after it.
    assert stalled.exit_code in (0, 3)
    assert stalled.output.startswith(("clean", "ALARM: kind stalled"))


def test_a_registry_that_is_away_is_no_alarm(tmp_path: Path, trust: str) -> None:
    with pytest.raises(NodeUnreachable):
        monitor("http://127.0.0.1:1", trust, tmp_path)


# --- witness


def test_the_key_of_a_witness_is_made_once_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    arguments = ["witness", "--name", "court.example/w", "--data", str(folder), "--show-key"]

    shown = [RUN.invoke(app, arguments).output.strip() for _ in range(2)]

    assert shown[0] == shown[1]
    assert parse_witness_key(shown[0]).name == "court.example/w"
    assert os.stat(folder / "witness.keys").st_mode & 0o077 == 0


def test_options_win_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "witness.toml"
    config.write_text('[witness]\nname = "a"\nport = 9000\ntrust = ["x.json"]\n')

    settings = load(config, {"port": 9001})

    assert (settings.name, settings.port, settings.trust) == ("a", 9001, (Path("x.json"),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[witness]\n",
        '[witness]\nname = ""\n',
        '[witness]\nname = "a"\nport = 0\n',
        '[witness]\nname = "a"\nmore = 1\n',
        "not TOML",
    ],
)
def test_other_settings_are_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "witness.toml"
    config.write_text(text)

    with pytest.raises(Malformed):
        load(config, {})
    with pytest.raises(Malformed):
        load(tmp_path / "missing.toml", {})


def test_a_witness_of_nothing_does_not_start(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["witness", "--name", "a", "--data", str(tmp_path / "w")])

    assert isinstance(result.exception, Malformed)

"""`cairn check-receipt` and `cairn follow`: exit codes, files, what is printed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from identity.cli.main import app
from registry.core.any_trust_anchor import parse_trust_anchor, trust_anchor_json
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import canonical_json
from registry.core.refusals import Conflict, Malformed
from tests.registry.authors import trust_anchor
from tests.registry.client.consortium import Consortium, Member
from tests.registry.client.test_client import running
from tests.registry.core.light_client.make_browser_vectors import FILE

RUN = CliRunner()
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))


def written(path: Path, value: object) -> str:
    path.write_bytes(canonical_json(value))
    return str(path)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.cli.receipt.time.time", lambda: VECTORS["now"])


def test_a_receipt_is_proven_offline_and_for_nothing_else(tmp_path: Path) -> None:
    receipt = written(tmp_path / "receipt.json", VECTORS["receipt"]["receipt"])
    trust = written(tmp_path / "anchor.json", VECTORS["anchor"])
    digest = VECTORS["receipt"]["digest"]

    good = RUN.invoke(app, ["check-receipt", receipt, "--digest", digest, "--trust", trust])
    other = RUN.invoke(app, ["check-receipt", receipt, "--digest", "A" * 43, "--trust", trust])

    assert good.exit_code == 0, good.output
    assert "anchored at height 6" in good.output
    assert "degree, residence" in good.output
    assert other.exit_code == 1
    assert "NOT PROVEN: AnchorNotProven" in other.output


def test_a_receipt_of_validators_who_left_is_not_proven(tmp_path: Path) -> None:
    form = VECTORS["receipt"]["receipt"] | {"head": VECTORS["head_of_others"]}
    receipt = written(tmp_path / "receipt.json", form)
    digest = ["--digest", VECTORS["receipt"]["digest"]]
    outcomes = []

    for name in ("oldest_anchor", "followed_anchor"):
        trust = written(tmp_path / f"{name}.json", VECTORS[name])
        outcomes.append(RUN.invoke(app, ["check-receipt", receipt, *digest, "--trust", trust]))

    assert "NOT PROVEN: NotEnoughTrust" in outcomes[0].output
    assert outcomes[1].exit_code == 0, outcomes[1].output


@pytest.mark.parametrize(
    "arguments", [[], ["--digest", "x", "--credential", "y"], ["--digest", "x"]]
)
def test_what_to_check_is_named_once(tmp_path: Path, arguments: list[str]) -> None:
    trust = written(tmp_path / "anchor.json", VECTORS["anchor"])

    result = RUN.invoke(app, ["check-receipt", "none.json", *arguments, "--trust", trust])

    assert isinstance(result.exception, Malformed)


@pytest.fixture
def member(tmp_path: Path) -> Iterator[tuple[Member, str]]:
    """A member of an invented consortium behind a real socket."""
    ledger, inner = running(tmp_path / "ledger.db")
    made = Member(inner, Consortium(every=7), newest=60)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = made.get(self.path)
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
    yield made, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    inner.close()
    ledger.close()


def test_a_consortium_is_followed_into_a_file(tmp_path: Path, member: tuple[Member, str]) -> None:
    made, url = member
    trust = written(tmp_path / "anchor.json", trust_anchor_json(made.consortium.anchor()))
    out = tmp_path / "now.json"
    arguments = ["--base", f"http://127.0.0.1:9,{url}", "--trust", trust, "--out", str(out)]

    result = RUN.invoke(app, ["follow", *arguments])

    assert result.exit_code == 0, result.output
    moved = parse_trust_anchor(json.loads(out.read_text()))
    assert isinstance(moved, ConsortiumAnchor)
    assert moved.newest.height == 60
    assert (tmp_path / "anchor.json.followed.db").exists()  # the pinned file stays as it was
    assert json.loads(Path(trust).read_text())["trusted"][0]["height"] == 1


def test_an_operators_anchor_is_not_followed(tmp_path: Path) -> None:
    ledger, inner = running(tmp_path / "ledger.db")
    trust = written(tmp_path / "anchor.json", trust_anchor_json(trust_anchor()))
    inner.close()
    ledger.close()

    result = RUN.invoke(
        app, ["follow", "--base", "http://127.0.0.1:9", "--trust", trust, "--out", "never.json"]
    )

    assert result.exit_code != 0
    assert not isinstance(result.exception, Conflict)  # nobody answers there

"""Both retention clocks by hand: they tell first, and destroy when they are told to."""

import secrets
import time
from pathlib import Path

from typer.testing import CliRunner

from identity.adapters.secret_files import read_passphrase
from identity.cli.main import app
from identity.config import load_settings
from identity.core.retention import DAY_SECONDS
from identity.installation.folder import DataFolder
from identity.installation.vault_process import open_vault

DEMO = Path(__file__).resolve().parents[3] / "deploy" / "demo.toml"


def leave_behind(data: Path, *, days: int) -> None:
    """Seal a row as a session of officers does, so many days ago."""
    settings = load_settings(DEMO, server={"data_dir": data})
    folder = DataFolder(data)
    folder.make()
    parts = open_vault(
        settings,
        folder,
        passphrase=read_passphrase(
            settings.keys,
            environment=settings.server.environment,
            folder=folder.secrets,
            random=secrets.token_bytes,
        ),
        random=secrets.token_bytes,
        now=lambda: int(time.time()) - days * DAY_SECONDS,
    )
    parts.vault.seal(owner="realname", kind="in-person", data=b"a statement")
    parts.close()


def test_the_commands_tell_first_and_destroy_when_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    leave_behind(data, days=40)
    leave_behind(data, days=20)

    def run(*words: str) -> str:
        there = ["--config", str(DEMO), "--data", str(data)]
        done = CliRunner().invoke(app, [*words, *there])
        assert done.exit_code == 0, done.output
        return done.output

    assert run("vault", "retention").startswith("past their term: 1 leftovers,")
    assert run("vault", "retention").startswith("past their term: 1 leftovers,")
    assert run("vault", "retention", "--destroy").startswith("destroyed: 1 leftovers,")
    assert run("vault", "retention", "--destroy").startswith("destroyed: 0 leftovers,")
    assert "1 rows are well" in run("vault", "check")
    assert run("retention") == (
        "past their term: rows of 0 dead people, 0 cases of the review queue\n"
    )

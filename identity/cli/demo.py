"""`cairn demo`: the story in a throw-away folder."""

import secrets
import socket
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from identity.cli.telling import tell
from identity.cli.up import Running, open_log
from identity.compose import compose
from identity.config import load_settings
from identity.demo.story import StoryFailed
from registry.audit import audit

_DEMO = Path(str(files("identity"))).parent / "deploy" / "demo.toml"


def demo(
    config: Annotated[Path, typer.Option(help="TOML file with all settings")] = _DEMO,
    keep: Annotated[Path | None, typer.Option(help="Keep the data in this folder")] = None,
) -> None:
    """Tell the story step by step; a step that fails ends it with exit code 2."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="cairn-demo-") as folder:
        port = _free_port()
        settings = load_settings(
            config,
            server={
                "data_dir": keep or Path(folder),
                "log_file": (keep or Path(folder)) / "cairn.log",
                "port": port,
                "public_base_url": f"http://127.0.0.1:{port}",
            },
        )
        open_log(settings)
        running = Running(compose(settings, random=secrets.token_bytes))
        try:
            running.start()
            tell(running.composition, console)
        finally:
            running.close()
        report = audit(running.composition.folder.ledger, trust=running.composition.trust)
        if not report.is_clean:
            raise StoryFailed(f"audit: {report.fault}")
        console.print(
            f"audit clean: {report.entries} entries replayed, {report.records} records compared"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""`cairn demo`: the story in a throw-away folder."""

import secrets
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from identity.cli.ledger_choice import LedgerChoice, audit_members, running_consortium
from identity.cli.output import open_log
from identity.cli.telling import tell
from identity.cli.up import Running
from identity.compose import Composition, compose
from identity.config import Settings, load_settings
from identity.consortium import make_ports
from identity.demo.story import StoryFailed
from registry.audit import audit
from registry.consortium.local_network import LocalNetwork

_DEMO = Path(str(files("identity"))).parent / "deploy" / "demo.toml"


def demo(
    config: Annotated[Path, typer.Option(help="TOML file with all settings")] = _DEMO,
    keep: Annotated[Path | None, typer.Option(help="Keep the data in this folder")] = None,
    ledger: Annotated[
        LedgerChoice, typer.Option(help="consortium: on four members with a node each")
    ] = LedgerChoice.EMBEDDED,
) -> None:
    """Tell the story step by step; a step that fails ends it with exit code 2."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="cairn-demo-") as folder:
        (port,) = make_ports(1)
        server: dict[str, object] = {
            "data_dir": keep or Path(folder),
            "log_file": (keep or Path(folder)) / "cairn.log",
            "port": port,
            "public_base_url": f"http://127.0.0.1:{port}",
        }
        settings = load_settings(config, server=server)
        open_log(settings)
        if ledger is LedgerChoice.CONSORTIUM:
            with running_consortium(settings, quiet=True) as section:
                console.print(f"four members answer: {', '.join(section['members'])}")
                composition = _tell(load_settings(config, server=server, ledger=section), console)
            network = LocalNetwork(section["local_network"])
            entries, records = audit_members(network.folders, composition.trust)
            console.print(
                f"audit clean on all {len(network.folders)} members, with one head: "
                f"{entries} entries replayed, {records} records compared"
            )
            return
        composition = _tell(settings, console)
        report = audit(composition.folder.ledger, trust=composition.trust)
        if not report.is_clean:
            raise StoryFailed(f"audit: {report.fault}")
        console.print(
            f"audit clean: {report.entries} entries replayed, {report.records} records compared"
        )


def _tell(settings: Settings, console: Console) -> Composition:
    """Serve, tell the story, and end."""
    running = Running(compose(settings, random=secrets.token_bytes))
    try:
        running.start()
        tell(running.composition, console)
    finally:
        running.close()
    return running.composition

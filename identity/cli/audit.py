"""`cairn audit`: replay the ledger and recompute every root."""

from pathlib import Path
from typing import Annotated

import typer

from identity.installation.folder import DataFolder
from identity.installation.parties import read_trust_anchor
from registry.audit import audit


def audit_ledger(
    data: Annotated[Path, typer.Option(help="Data folder of the installation")] = Path("data"),
    ledger: Annotated[Path | None, typer.Option(help="Ledger file, over the folder's")] = None,
    trust: Annotated[Path | None, typer.Option(help="Pinned trust anchor, over its")] = None,
) -> None:
    """Replay the ledger, also one in use; exit code 1 when anything does not fit."""
    folder = DataFolder(data)
    report = audit(ledger or folder.ledger, trust=read_trust_anchor(trust or folder.trust_anchor))
    if report.fault is not None:
        typer.echo(f"FAULT after {report.entries} good entries: {report.fault}")
        raise typer.Exit(1)
    typer.echo(
        f"clean: {report.entries} entries, height {report.height}, {report.records} records; "
        "every root recomputed, every head signed"
    )

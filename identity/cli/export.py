"""`cairn export` and `cairn check-export`: the whole history in one file, and its judge."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from identity.installation.folder import DataFolder
from identity.installation.parties import read_trust_anchor
from registry.audit_source import FileSource
from registry.check_export import check_export
from registry.export import HistorySource, export
from registry.witness.cosigned import CosignedHeadStore, WithCosignatures


def export_history(
    out: Annotated[Path, typer.Option(help="File to write; it must not be there yet")],
    data: Annotated[Path, typer.Option(help="Data folder of the installation")] = Path("data"),
    ledger: Annotated[Path | None, typer.Option(help="Ledger file, over the folder's")] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust anchor to put in")] = None,
) -> None:
    """Write trust anchor, genesis, entries and heads to one file, also of a ledger in use."""
    folder = DataFolder(data)
    anchor = read_trust_anchor(trust or folder.trust_anchor)
    with FileSource.open(ledger or folder.ledger) as source, ExitStack() as opened:
        history: HistorySource = source
        if anchor.witnesses is not None and folder.cosigned_heads.exists():
            store = CosignedHeadStore(folder.cosigned_heads, anchor)
            opened.callback(store.close)
            history = WithCosignatures(source, store)
        written = export(history, anchor, out)
    typer.echo(
        f"exported: {written.entries} entries, {written.heads} heads, {written.bytes} bytes; "
        f"check it with: cairn check-export {out.name} --trust FILE"
    )


def check_exported(
    file: Annotated[Path, typer.Argument(help="File that `cairn export` wrote")],
    trust: Annotated[Path, typer.Option(help="Trust anchor from another hand than the file")],
) -> None:
    """Replay an export without network or database; exit code 1 and the first fault, or clean."""
    report = check_export(file, trust=read_trust_anchor(trust))
    if report.fault is not None:
        typer.echo(f"FAULT after {report.entries} good entries: {report.fault}")
        raise typer.Exit(1)
    assert report.head is not None
    typer.echo(
        f"clean: {report.entries} entries, height {report.head.height}, {report.records} records; "
        "every root recomputed, every head signed"
    )
    if report.witnessed is not None:
        typer.echo(f"witnessed up to height {report.witnessed.height}")

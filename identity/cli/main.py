"""The `cairn` command and its parts."""

import sys
from typing import NoReturn

import typer

from identity.cli import (
    access,
    agency_desk,
    audit,
    conformance,
    consortium,
    demo,
    did,
    export,
    governance,
    guardian,
    issuer,
    monitor,
    offer,
    opening,
    receipt,
    request,
    stop,
    up,
    vault,
    verify,
    witness,
)
from identity.cli.positions import MAY_BEGIN_WITH_A_DASH
from registry.core.refusals import Refusal

app = typer.Typer(
    name="cairn",
    help="Digital identity and credential registry on a permissioned chain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("verify")(verify.verify)
app.command("offer")(offer.offer)
app.command("identify")(agency_desk.identify)
app.command("waiting")(agency_desk.waiting)
app.command("decide", context_settings=MAY_BEGIN_WITH_A_DASH)(agency_desk.decide)
app.command("request")(request.request)
app.command("audit")(audit.audit_ledger)
app.command("export")(export.export_history)
app.command("check-export")(export.check_exported)
app.command("monitor")(monitor.monitor)
app.command("check-receipt")(receipt.check_receipt)
app.command("follow")(receipt.follow)
app.command("witness")(witness.witness)
app.command("access-key")(access.access_key)
app.add_typer(vault.app, name="vault")
app.add_typer(did.app, name="did")
app.add_typer(conformance.app, name="conformance")
app.add_typer(consortium.app, name="consortium")
app.add_typer(issuer.app, name="issuer")
app.add_typer(governance.app, name="member")
app.add_typer(opening.app, name="opening")
app.add_typer(guardian.app, name="guardian")
app.command("vote", context_settings=MAY_BEGIN_WITH_A_DASH)(governance.vote)
app.command("stop-issuing")(stop.stop_issuing)
app.command("stops")(stop.stops)
app.command("resume", context_settings=MAY_BEGIN_WITH_A_DASH)(stop.resume)
app.command("resumer-key")(stop.resumer_key)
app.command("proposals")(governance.proposals)


def main() -> NoReturn:
    """Run a command; a refusal is one clear line and exit code 2, never a traceback."""
    try:
        app()
    except Refusal as refusal:
        print(f"cairn: {type(refusal).__name__}: {refusal.detail}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)

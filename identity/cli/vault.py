"""`cairn vault`: the vault's own process, and what its operators do."""

import secrets
import signal
import socket
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import structlog
import typer
import uvicorn

from identity.adapters.secret_files import read_access_digests
from identity.adapters.worker import Worker
from identity.cli.key_access import passphrase_of_folder
from identity.cli.output import open_log
from identity.config import Settings, load_settings, refuse_weak_vault
from identity.installation.folder import DataFolder
from identity.installation.retention import ROUND_SECONDS
from identity.installation.vault_audit import bring_audit_back, compare_audit
from identity.installation.vault_process import (
    Officers,
    VaultParts,
    build_vault_app,
    issue_vault_keys,
    open_vault,
)
from identity.vault.retention import PastTerm
from registry.core.refusals import Malformed, NotPermitted

_log = structlog.get_logger()
app = typer.Typer(help="The vault: serve it, rotate its keys, check and repair it.")
Config = Annotated[Path | None, typer.Option(help="TOML file with all settings")]
Data = Annotated[Path | None, typer.Option(help="Data folder, over the file's")]


class TwoPeopleNeeded(NotPermitted):
    """One officer's key, or the same one twice."""


@app.command("serve")
def serve(config: Config = None, data: Data = None) -> None:
    """Serve the vault on `vault.address` until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    settings, folder = _settings(config, data)
    if settings.vault.address is None:
        raise Malformed("vault.address is not set")
    open_log(settings)
    issue_vault_keys(settings, folder, random=secrets.token_bytes)
    parts = _opened(settings, folder)
    listener = _listen(settings.vault.address)
    clock = Worker(
        "vault-retention",
        lambda: _destroyed(parts.retention.destroy(now=int(time.time()))),
        interval_seconds=ROUND_SECONDS,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            build_vault_app(settings, folder, parts),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    try:
        if settings.retention.scheduled:
            clock.start()
        typer.echo(f"the vault serves on {settings.vault.address}")
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        clock.stop()
        listener.close()
        parts.close()


@app.command("rotate-index")
def rotate_index(config: Config = None, data: Data = None) -> None:
    """Replace the key of the blind index, while the vault works; the old key is destroyed."""
    parts = _opened(*_settings(config, data))
    try:
        done = parts.rotation.rotate_index()
    finally:
        parts.close()
    typer.echo(f"{done.rows} rows are under {done.key_id}; destroyed: {len(done.destroyed)} keys")


@app.command("rotate-keys")
def rotate_keys(config: Config = None, data: Data = None) -> None:
    """Replace the key-encryption key, wrap every data key anew, destroy the old one."""
    parts = _opened(*_settings(config, data))
    try:
        done = parts.rotation.rotate_wrapping()
    finally:
        parts.close()
    typer.echo(f"{done.rows} rows are under {done.key_id}; destroyed: {len(done.destroyed)} keys")


@app.command("check")
def check(config: Config = None, data: Data = None) -> None:
    """Compare database, row secrets and both audit sinks; heal what a crash left."""
    settings, folder = _settings(config, data)
    parts = _opened(settings, folder, check=False)
    try:
        found = parts.reconciler.check()
        audit = compare_audit(parts.audit, folder.vault_audit)
    finally:
        parts.close()
    typer.echo(
        f"{found.well} rows are well, {len(found.healed)} were healed, "
        f"{len(found.lost_rows)} rows and {len(found.lost_secrets)} secrets are lost"
    )
    typer.echo(
        f"{audit.both} looks are in both audit sinks, {audit.database_alone} in the database alone "
        f"(refused, or the file was cut), {audit.file_alone} in the file alone"
    )
    if found.is_rolled_back or audit.file_alone:
        raise typer.Exit(1)


@app.command("retention")
def retention(
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Destroy it; else only say what is past its term")
    ] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """What of the vault is past its term, as the settings have it; --destroy destroys it."""
    parts = _opened(*_settings(config, data))
    now = int(time.time())
    try:
        past = parts.retention.destroy(now=now) if destroy else parts.retention.due(now=now)
    finally:
        parts.close()
    typer.echo(
        f"{'destroyed' if destroy else 'past their term'}: {past.leftovers} leftovers, "
        f"{past.merged} merged rows, "
        f"{past.looks} looks, {past.audit} audit records"
    )


@app.command("accept-loss")
def accept_loss(
    first: Annotated[Path, typer.Option(help="File with the access key of one officer")],
    second: Annotated[Path, typer.Option(help="File with the access key of another")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Give up rows that a restored backup lost. Two officers decide it, each with her own key."""
    settings, folder = _settings(config, data)
    officer_of = Officers(settings.vault.officers, read_access_digests(folder.secrets))
    names = {officer_of(path.read_text("utf-8").strip()) for path in (first, second)}
    if len(names) != 2:
        raise TwoPeopleNeeded("two officers are needed, each with her own access key")
    parts = _opened(settings, folder, check=False)
    try:
        brought = bring_audit_back(parts.audit, folder.vault_audit)
        found = parts.reconciler.accept_loss()
    finally:
        parts.close()
    typer.echo(f"given up: {len(found.lost_rows)} rows, {len(found.lost_secrets)} secrets")
    typer.echo(f"brought back into the database: {brought} records of looks")


def _settings(config: Path | None, data: Path | None) -> tuple[Settings, DataFolder]:
    server: dict[str, object] = {} if data is None else {"data_dir": data}
    settings = load_settings(config, server=server)
    refuse_weak_vault(settings)
    folder = DataFolder(settings.server.data_dir)
    folder.make()
    return settings, folder


def _opened(settings: Settings, folder: DataFolder, *, check: bool = True) -> VaultParts:
    return open_vault(
        settings,
        folder,
        passphrase=passphrase_of_folder(settings, folder),
        random=secrets.token_bytes,
        now=lambda: int(time.time()),
        check=check,
    )


def _listen(address: str) -> socket.socket:
    """A socket that only this user reaches: a file of mode 0600, or loopback."""
    if address.startswith("unix:/"):
        path = Path(address.removeprefix("unix:"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o660)  # the group of the identity services may connect; they need the key too
        return listener
    parts = urlsplit(address)
    if parts.hostname not in ("127.0.0.1", "::1") or parts.port is None:
        raise Malformed("vault.address is unix:/… or a port of 127.0.0.1")
    family = socket.AF_INET6 if parts.hostname == "::1" else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((parts.hostname, parts.port))
    return listener


def _destroyed(past: PastTerm) -> None:
    """Counts alone, where there is something to say."""
    if past != PastTerm():
        _log.info("destroyed what was past its term", leftovers=past.leftovers, merged=past.merged)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt

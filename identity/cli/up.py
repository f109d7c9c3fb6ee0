"""`cairn up`: serve the services that the configuration names."""

import secrets
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Annotated

import qrcode
import typer
import uvicorn
from rich.console import Console

from identity.adapters.secret_files import read_access_keys
from identity.cli.instances import print_instances
from identity.cli.ledger_choice import LedgerChoice, running_consortium
from identity.cli.offer import make_offer, print_offer
from identity.cli.output import open_log
from identity.cli.telling import tell
from identity.compose import Composition, compose
from identity.config import Environment, Settings, load_settings
from registry.core.refusals import Unavailable

START_SECONDS = 20.0


class NotStarted(Unavailable):
    """The server did not begin to answer."""


def up(
    config: Annotated[Path | None, typer.Option(help="TOML file with all settings")] = None,
    story: Annotated[
        bool, typer.Option("--story", help="Tell the story once, before serving on")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Data folder, over the file's")] = None,
    port: Annotated[int | None, typer.Option(help="Port, over the file's")] = None,
    ledger: Annotated[
        LedgerChoice | None, typer.Option(help="consortium: run four members beside the services")
    ] = None,
) -> None:
    """Serve; Ctrl-C or SIGTERM ends it, after what is under way is answered."""
    signal.signal(signal.SIGTERM, _interrupt)
    server_settings: dict[str, object] = {}
    if data is not None:
        server_settings["data_dir"] = data
    if port is not None:
        server_settings["port"] = port
        server_settings["public_base_url"] = f"http://127.0.0.1:{port}"
    settings = load_settings(config, server=server_settings)
    open_log(settings)
    if ledger is LedgerChoice.CONSORTIUM:
        with running_consortium(settings, quiet=True) as section:
            _serve(load_settings(config, server=server_settings, ledger=section), story=story)
    else:
        _serve(settings, story=story)


def _serve(settings: Settings, *, story: bool) -> None:
    console = Console(highlight=False)
    running = Running(compose(settings, random=secrets.token_bytes))
    try:
        running.start()
        marker = running.composition.folder.story_told
        if story and not marker.exists():
            tell(running.composition, console)
            marker.touch()
        elif story:
            console.print("The story was told here before; its data is kept.")
        print_addresses(running.composition, console)
        if story:
            print_first_card(running.composition, console)
        console.print("serving; Ctrl-C ends it")
        running.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.close()


def _interrupt(_signal: int, _frame: object) -> None:
    """A service manager's SIGTERM ends the process as Ctrl-C does."""
    raise KeyboardInterrupt


class Running:
    """A composition behind a listening socket, served on a thread of its own."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        server = composition.settings.server
        self._socket = _listen(server.host, server.port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                composition.app,
                log_config=None,
                access_log=False,  # paths hold identifiers; our own log names route templates
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=5,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="cairn-http", daemon=True)

    def start(self) -> None:
        """Serve, and return when the first request would be answered.

        Raises:
            NotStarted: the server does not come up in time.
        """
        self.composition.start()
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise NotStarted("the server did not start")
            time.sleep(0.01)

    def wait(self) -> None:
        """Until the server ends."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def close(self) -> None:
        """Stop serving, finish what is under way, close the stores."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(10.0)
        self.composition.close()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise NotStarted(f"port {port} on {host} is taken: {error.strerror}") from error
    return listener


def print_addresses(composition: Composition, console: Console) -> None:
    """What to open, and a code for the phone."""
    settings = composition.settings
    base = settings.server.public_base_url
    console.print()
    print_instances(composition, console)
    if "wallet" in settings.server.services:
        console.print(f"  wallet           [bold]{base}/wallet/[/bold]")
    if settings.server.environment is not Environment.PRODUCTION:
        keys = read_access_keys(composition.folder.secrets)
        for verifier in settings.verifiers:
            key = keys.get(f"verifier:{verifier.slug}")
            if key and not verifier.open and "verifier" in settings.server.services:
                console.print(
                    f"  {verifier.slug:<16} {base}/scan/#party={verifier.slug}&key={key}",
                    soft_wrap=True,
                )
        for agency in settings.agencies:
            key = keys.get(f"issuer:{agency.slug}")
            if key and "issuer" in settings.server.services:
                console.print(
                    f"  {agency.slug:<16} {base}/issuers/{agency.slug}  access key {key}",
                    soft_wrap=True,
                )
    console.print(f"  operations       {base}/docs")
    if "wallet" in settings.server.services:
        code = qrcode.QRCode(border=2, error_correction=qrcode.ERROR_CORRECT_L)
        code.add_data(f"{base}/wallet/")
        console.print("\n  the wallet, for the phone:")
        code.print_ascii(out=console.file, invert=True)


def print_first_card(composition: Composition, console: Console) -> None:
    """An offer for an invented person, so that whoever just started can try the wallet."""
    settings = composition.settings
    issuers = {agency.slug for agency in settings.agencies if "resident-identity" in agency.types}
    if settings.population_register.kind != "embedded" or not issuers:
        return
    agency = min(issuers)
    made = make_offer(
        settings.server.public_base_url,
        agency=agency,
        key=read_access_keys(composition.folder.secrets)[f"issuer:{agency}"],
        credential_type="resident-identity",
        person=1,
    )
    console.print("\n  a first card, for an invented person:")
    print_offer(made, settings.server.public_base_url, console)

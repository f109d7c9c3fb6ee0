"""`cairn consortium`: a local network of members, and the real thing, one member at a time."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from identity.cli import ceremony
from identity.cli.output import print_line
from identity.consortium import make_local_network
from registry.client.transport import HttpTransport
from registry.consortium.local_network import (
    MAX_LOCAL_MEMBERS,
    LocalNetwork,
    health_of,
    wait_until_ready,
)
from registry.consortium.supervisor import NotReady, Supervisor
from registry.core.checkpoint import parse_head
from registry.core.refusals import Conflict, NotFound, Refusal

START_SECONDS = 60.0
STOP_SECONDS = 40.0

app = typer.Typer(
    help="A network that several institutions run together, on CometBFT.", no_args_is_help=True
)

app.command("contribute")(ceremony.contribute)
app.command("assemble")(ceremony.assemble_network)
app.command("check")(ceremony.check)
app.command("bundle")(ceremony.bundle)
app.command("join")(ceremony.join)
app.command("run")(ceremony.run)
app.command("key")(ceremony.key)

Folder = Annotated[Path, typer.Option("--data", help="Folder of the local network")]
DEFAULT = Path("data/consortium")


class NoNetworkHere(NotFound):
    """There is no local network in this folder."""


class NetworkRuns(Conflict):
    """The network of this folder is running."""


@app.command("init")
def init(
    members: Annotated[
        int, typer.Option(min=1, max=MAX_LOCAL_MEMBERS, help="How many members")
    ] = 4,
    name: Annotated[str, typer.Option(help="Name of the network")] = "local",
    data: Folder = DEFAULT,
) -> None:
    """Found a network whose members all live on this machine; for trying things out."""
    network = LocalNetwork(data)
    genesis = make_local_network(network, name=name, members=members)
    typer.echo(f"network {genesis.network} of {members} members, genesis {genesis.digest.hex()}")
    if members < 4:
        typer.echo("fewer than four members do not survive the failure of one")
    typer.echo(f"run it with: cairn consortium up --data {data}")


@app.command("up")
def up(data: Folder = DEFAULT) -> None:
    """Run all members of the local network; Ctrl-C or `cairn consortium down` ends them."""
    network = _network(data)
    if _running_pid(network) is not None:
        raise NetworkRuns("the network is running; `cairn consortium status` shows it")
    supervisor = Supervisor([folder.root for folder in network.folders], tell=print_line)
    signal.signal(signal.SIGTERM, _interrupt)
    network.pid_file.write_text(f"{os.getpid()}\n", "ascii")
    supervisor.start()
    try:
        if not wait_until_ready(network.apis(), seconds=START_SECONDS):
            print_line("not all members answer yet; still trying")
        else:
            print_line("all members answer; Ctrl-C ends them")
        supervisor.wait()
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.stop()
        network.pid_file.unlink(missing_ok=True)


@app.command("status")
def status(data: Folder = DEFAULT) -> None:
    """Where each member of the local network stands; exit code 1 when one does not answer."""
    network = _network(data)
    silent = 0
    for folder in network.folders:
        settings = folder.settings()
        api = f"http://{settings.api_host}:{settings.api_port}"
        health = health_of(api)
        if health is None:
            silent += 1
            typer.echo(f"{folder.root.name}  {settings.name:<28} does not answer at {api}")
            continue
        writable = "takes transactions" if health.get("writable") else "does not take transactions"
        typer.echo(
            f"{folder.root.name}  {settings.name:<28} height {health.get('height')}, "
            f"{health.get('size')} entries, state {_state_of(api)}, {writable}, {api}"
        )
    if silent:
        raise typer.Exit(1)


@app.command("down")
def down(data: Folder = DEFAULT) -> None:
    """End the local network that `cairn consortium up` runs."""
    network = _network(data)
    pid = _running_pid(network)
    if pid is None:
        typer.echo("the network is not running")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _running_pid(network) is not None:
        if time.monotonic() > deadline:
            raise NotReady(f"process {pid} does not end")
        time.sleep(0.1)
    typer.echo("the network has ended")


def _network(data: Path) -> LocalNetwork:
    network = LocalNetwork(data)
    if not network.exists:
        raise NoNetworkHere(f"no network in {data}; `cairn consortium init` founds one")
    return network


def _running_pid(network: LocalNetwork) -> int | None:
    """The process that runs the network, if it still does."""
    try:
        pid = int(network.pid_file.read_text("ascii"))
        # Another program may have got the number since.
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if b"consortium" in command or b"up" in command else None


def _state_of(api: str) -> str:
    """The beginning of the state root that a member shows."""
    transport = HttpTransport(api, timeout_seconds=2.0)
    try:
        with suppress(Refusal):
            return parse_head(transport.get("/registry/head").body).claimed.state_root.hex()[:12]
        return "?"
    finally:
        transport.close()


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt

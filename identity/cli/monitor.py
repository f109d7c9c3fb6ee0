"""`cairn monitor`: follow a registry from outside and cry out at a lie."""

import json
import os
import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.cli.remote_registry import followed_beside
from identity.installation.parties import read_trust_anchor
from registry.client import HttpTransport
from registry.client.transport import NodeUnreachable
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.monitor.alarm import Alarm
from registry.monitor.follow import Monitor, Sighting
from registry.monitor.memory import Memory
from registry.monitor.node import Node

ALARM = 3  # exit code


def monitor(
    url: Annotated[str, typer.Argument(help="Base URL of the installation")],
    trust: Annotated[Path, typer.Option(help="Trust anchor from another hand than the registry")],
    state: Annotated[Path, typer.Option(help="File in which the monitor remembers")],
    once: Annotated[bool, typer.Option("--once", help="Look once and exit")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between looks")] = 10.0,
    stalled_after: Annotated[
        int | None,
        typer.Option(min=1, help="Cry out when nothing new comes for so many seconds"),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Folder for evidence; beside the state by default")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each look")] = False,
) -> None:
    """Download, replay and compare without end; exit code 3 and an evidence file at a lie."""
    anchor = read_trust_anchor(trust)
    transport = HttpTransport(url)
    memory = Memory(state)
    followed = followed_beside(trust, anchor)
    follower = Monitor(
        trust=anchor,
        node=Node(transport),
        memory=memory,
        now=_now,
        random=secrets.token_bytes,
        stalled_after_seconds=stalled_after,
        followed=followed,
    )
    try:
        while True:
            try:
                _tell(_seen(follower.look()), as_json=as_json)
            except NodeUnreachable as refusal:
                if once:
                    raise
                _tell({"outcome": "unreachable", "detail": refusal.detail}, as_json=as_json)
            if once:
                return
            time.sleep(interval)
    except Alarm as alarm:
        path = _write_evidence(alarm, anchor, evidence or state.parent)
        told = {"outcome": "alarm", "kind": str(alarm.kind), "detail": alarm.detail}
        _tell({**told, "evidence": str(path)}, as_json=as_json)
        raise typer.Exit(ALARM) from alarm
    except KeyboardInterrupt:
        pass
    finally:
        memory.close()
        if followed is not None:
            followed.close()
        transport.close()


def _seen(sighting: Sighting) -> dict[str, Any]:
    told = {
        "outcome": "clean",
        "height": sighting.head.height,
        "size": sighting.head.tree_size,
        "time": sighting.head.time,
        "new_entries": sighting.new_entries,
    }
    if sighting.witnessed_height is not None:
        told["witnessed_height"] = sighting.witnessed_height
    return told


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
        return
    outcome = str(told.pop("outcome"))
    rest = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())
    typer.echo(f"{outcome.upper() if outcome == 'alarm' else outcome}: {rest}")


def _write_evidence(alarm: Alarm, anchor: AnyTrustAnchor, folder: Path) -> Path:
    """Write it durably to a name of its own; earlier evidence is never replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    seen_at = _now()
    data = alarm.encode(network=anchor.network, seen_at=seen_at)
    number = 0
    while True:
        name = f"evidence-{anchor.network}-{alarm.kind}-{seen_at}-{number}.json"
        try:
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return folder / name


def _now() -> int:
    return int(time.time())

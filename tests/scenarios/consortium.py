"""Institutions that found and run a network by the commands of the runbook, each in its folder."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.client import HttpTransport, RegistryClient
from registry.client.members import MembersTransport
from registry.consortium.local_network import health_of
from registry.core.any_trust_anchor import AnyTrustAnchor, parse_trust_anchor
from registry.core.encoding import parse_json_object
from tests.ports import free_ports
from tests.scenarios.installation import ROOT

SECONDS = 60.0


@dataclass
class Institution:
    """One member or observer: its folder, and the process that `cairn consortium run` is."""

    name: str
    folder: Path
    p2p: int
    rpc: int
    api_port: int
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, root: Path, name: str) -> "Institution":
        p2p, rpc, api = free_ports(3)
        folder = root / name.lower().replace(" ", "-")
        institution = cls(name, folder, p2p, rpc, api)
        institution.environment = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "300",
            "CAIRN_KEYS__PASSPHRASE": secrets.token_urlsafe(24),
        }
        return institution

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.p2p}"

    @property
    def where(self) -> list[str]:
        return [
            *("--data", str(self.folder), "--listen", self.address, "--external", self.address),
            *("--api-listen", f"127.0.0.1:{self.api_port}", "--rpc-port", str(self.rpc)),
            "--local",
        ]

    def cairn(self, *arguments: str, fails: bool = False) -> str:
        """Run a command as this institution's operator; what it printed."""
        ran = subprocess.run(
            [sys.executable, "-m", "identity.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def start(self) -> None:
        log = (self.folder / "run.log").open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "identity.cli"),
                *("consortium", "run", "--data", str(self.folder)),
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()

    def stop(self) -> int | None:
        """SIGTERM, and how it ended."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS)
        self.process = None
        return code

    def ended(self) -> tuple[int, str]:
        """Wait for it to end by itself; its code and what it said."""
        assert self.process is not None
        code = self.process.wait(SECONDS)
        self.process = None
        return code, self.output()

    def output(self) -> str:
        return (self.folder / "run.log").read_text("utf-8")

    def height(self) -> int:
        health = health_of(self.api)
        return -1 if health is None else int(str(health["height"]))

    def wait_height(self, height: int) -> None:
        deadline = time.monotonic() + SECONDS
        while self.height() < height:
            assert time.monotonic() < deadline, f"{self.name}: {self.output()}"
            time.sleep(0.05)

    def anchor(self) -> AnyTrustAnchor:
        return parse_trust_anchor(
            parse_json_object((self.folder / "trust-anchor.json").read_bytes())
        )


@contextmanager
def client_of(*institutions: Institution) -> Iterator[RegistryClient]:
    """Asks these members and believes none; pinned to the first one's anchor."""
    transports = [HttpTransport(item.api, timeout_seconds=30.0) for item in institutions]
    try:
        yield RegistryClient(
            MembersTransport(transports),
            institutions[0].anchor(),
            time.monotonic,
            random=secrets.token_bytes,
        )
    finally:
        for transport in transports:
            transport.close()


def validators_of(institution: Institution) -> set[str]:
    """Addresses that signed the newest block of the engine, as the member shows it."""
    transport = HttpTransport(institution.api)
    question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "commit", "params": {}})
    answer = json.loads(transport.post("/registry/engine-rpc", question.encode()).body)
    transport.close()
    votes = answer["result"]["signed_header"]["commit"]["signatures"]
    return {vote["validator_address"] for vote in votes if vote["block_id_flag"] == 2}

"""Hosts on one machine: a network namespace for each member, joined by a bridge.

Everything is made inside a network, mount and process namespace that `enter` makes first, so it
is gone with this process whatever happens, and nothing outside can be reached from inside.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

INSIDE = "CAIRN_FAULTS_INSIDE"
ADDRESS = "10.77.0.{number}"
BRIDGE = 254


def missing_tools() -> str | None:
    """Why there can be no hosts here; None when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [tool for tool in ("ip", "tc", "iptables", "unshare") if shutil.which(tool) is None]
    if lacking:
        return f"missing: {', '.join(lacking)}"
    probe = subprocess.run(
        [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "ip",
            "link",
            "add",
            "br0",
            "type",
            "bridge",
        ],
        capture_output=True,
        check=False,
    )
    return None if probe.returncode == 0 else "this machine makes no network namespaces"


def enter(module: str, arguments: Sequence[str]) -> int | None:
    """Run `python -m module` again inside namespaces of its own; None when this is the inside."""
    if os.environ.get(INSIDE):
        return None
    inside = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*inside, sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode


class Hosts:
    """`count` hosts with addresses 10.77.0.1 and so on, each of which reaches each other."""

    def __init__(self, count: int) -> None:
        Path("/run/netns").mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "br0", "type", "bridge")
        _run("ip", "address", "add", f"{ADDRESS.format(number=BRIDGE)}/24", "dev", "br0")
        _run("ip", "link", "set", "br0", "up")
        self.count = 0
        for _ in range(count):
            self.add()

    def add(self) -> int:
        """One host more; its number."""
        self.count += 1
        number, name = self.count, _name(self.count)
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "e0", "netns", name)
        _run("ip", "link", "set", f"v{number}", "master", "br0", "up")
        _run(*self.on(number), "ip", "link", "set", "lo", "up")
        address = f"{ADDRESS.format(number=number)}/24"
        _run(*self.on(number), "ip", "address", "add", address, "dev", "e0")
        _run(*self.on(number), "ip", "link", "set", "e0", "up")
        return number

    @staticmethod
    def address(number: int) -> str:
        """Address of a host."""
        return ADDRESS.format(number=number)

    @staticmethod
    def on(number: int) -> list[str]:
        """What to put before a command so that it runs on a host."""
        return ["ip", "netns", "exec", _name(number)]

    def drop(self, number: int, sources: Iterable[int]) -> None:
        """A host hears nothing more from these; they do not learn of it."""
        for source in sources:
            _run(
                *self.on(number),
                "iptables",
                "-A",
                "INPUT",
                "-s",
                self.address(source),
                "-j",
                "DROP",
            )

    def part(self, *groups: Sequence[int]) -> None:
        """Hosts of different groups no longer hear each other."""
        for group in groups:
            others = [number for other in groups if other is not group for number in other]
            for number in group:
                self.drop(number, others)

    def heal(self) -> None:
        """Everybody hears everybody again."""
        for number in range(1, self.count + 1):
            _run(*self.on(number), "iptables", "-F", "INPUT")

    def slow(self, number: int, *, kilobits: int) -> None:
        """What a host sends and receives passes at this rate at the most."""
        shape = ["root", "tbf", "rate", f"{kilobits}kbit", "burst", "8kb", "latency", "500ms"]
        _run("tc", "qdisc", "replace", "dev", f"v{number}", *shape)
        _run(*self.on(number), "tc", "qdisc", "replace", "dev", "e0", *shape)

    def fast(self, number: int) -> None:
        """Undo `slow`."""
        _run("tc", "qdisc", "delete", "dev", f"v{number}", "root")
        _run(*self.on(number), "tc", "qdisc", "delete", "dev", "e0", "root")


def _name(number: int) -> str:
    return f"cairn{number}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

"""Members as processes on their hosts: start, stop, kill, freeze, and look at what they say."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from identity.consortium import MEMBER_NAMES, governance_key_maker
from registry.audit import audit
from registry.client.transport import HttpTransport, NodeUnreachable
from registry.consortium.folder import MemberFolder
from registry.consortium.local_network import LocalNetwork, found_locally, health_of
from registry.core.any_trust_anchor import AnyTrustAnchor, parse_trust_anchor
from registry.core.checkpoint import Head, parse_head
from registry.core.encoding import parse_json_object
from registry.core.refusals import Refusal
from tests.faults.consortium.hosts import Hosts
from tests.registry.authors import NETWORK

PASSPHRASE = "keys of a network that lives for a test"
P2P, RPC, API = 26656, 26657, 8080
RUN = ("-m", "registry.consortium")


class PromiseBroken(Exception):
    """The network did what it must never do, or not what it must."""


def wait_until(met: Callable[[], bool], *, what: str, seconds: float) -> float:
    """Wait for something; how long it took.

    Raises:
        PromiseBroken: it did not come.
    """
    began = time.monotonic()
    while not met():
        if time.monotonic() - began > seconds:
            raise PromiseBroken(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)
    return time.monotonic() - began


@dataclass
class Member:
    """One member's process, with its node as a child, on a host of its own."""

    number: int
    folder: MemberFolder
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def api(self) -> str:
        return f"http://{Hosts.address(self.number)}:{API}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *module: str) -> None:
        command = [
            *Hosts.on(self.number),
            sys.executable,
            *(module or RUN),
            os.fspath(self.folder.root),
        ]
        self.folder.logs.mkdir(parents=True, exist_ok=True)
        with (self.folder.logs / "member.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, number: signal.Signals) -> None:
        """To the member and to its node, which is of its process group."""
        if self._process is not None and self.is_running:
            os.killpg(self._process.pid, number)

    def stop(self) -> None:
        if self._process is not None and self.is_running:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
        self.kill()

    def kill(self) -> None:
        """Both at once, as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def ended(self, seconds: float) -> int:
        """Exit code, once it has ended by itself.

        Raises:
            PromiseBroken: it goes on.
        """
        assert self._process is not None
        wait_until(
            lambda: not self.is_running, what=f"member {self.number} to end", seconds=seconds
        )
        return self._process.returncode

    def head(self) -> Head | None:
        """The newest head that it shows; None when it does not answer."""
        transport = HttpTransport(self.api, timeout_seconds=2.0)
        try:
            answer = transport.get("/registry/head")
            return parse_head(answer.body).claimed if answer.status == 200 else None
        except (NodeUnreachable, Refusal):
            return None
        finally:
            transport.close()

    @property
    def height(self) -> int:
        """Of its newest head; -1 when it does not answer."""
        health = health_of(self.api)
        height = None if health is None else health.get("height")
        return height if isinstance(height, int) else -1

    def last_lines(self, count: int = 4) -> str:
        log = self.folder.logs / "member.log"
        return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-count:])


class Consortium:
    """A founded network and its running members."""

    def __init__(self, hosts: Hosts, root: Path) -> None:
        self.hosts = hosts
        self.network = LocalNetwork(root)
        count = hosts.count
        self.genesis = found_locally(
            self.network,
            name=NETWORK,
            names=MEMBER_NAMES[:count],
            ports=[P2P, RPC, API] * count,
            governance_key=governance_key_maker(PASSPHRASE, secrets.token_bytes),
            random=secrets.token_bytes,
            now=int(time.time()),
            host_of=Hosts.address,
        )
        self.members = [
            Member(number, MemberFolder(root / f"member-{number}"))
            for number in range(1, count + 1)
        ]

    def __enter__(self) -> "Consortium":
        for member in self.members:
            member.start()
        wait_until(
            lambda: all(member.height >= 0 for member in self.members),
            what="all members to answer",
            seconds=90,
        )
        return self

    def __exit__(self, *_error: object) -> None:
        for member in self.members:
            member.kill()

    def member(self, number: int) -> Member:
        return self.members[number - 1]

    def others(self, *numbers: int) -> list[Member]:
        return [member for member in self.members if member.number not in numbers]

    @property
    def trust(self) -> AnyTrustAnchor:
        path = self.members[0].folder.trust_anchor_file
        return parse_trust_anchor(parse_json_object(path.read_bytes()))

    def settle(self, members: Sequence[Member] | None = None, *, seconds: float = 20.0) -> float:
        """Wait until members stand at one head, the same to the letter; how long it took.

        Raises:
            PromiseBroken: they do not, or two show different heads of one height.
        """
        chosen = self.members if members is None else members
        seen: dict[int, Head] = {}

        def agree() -> bool:
            heads = [member.head() for member in chosen]
            for head in heads:
                if head is not None and seen.setdefault(head.height, head) != head:
                    raise PromiseBroken(f"two heads of height {head.height}: a fork")
            return None not in heads and len({head.text for head in heads if head}) == 1

        return wait_until(agree, what="one head on all members", seconds=seconds)

    def caught_up(self, member: Member, *, seconds: float = 20.0) -> float:
        """Wait until a member stands where any other stood a moment ago; how long it took.

        Raises:
            PromiseBroken: it does not come so far.
        """
        goal = max(other.height for other in self.members)
        return wait_until(
            lambda: member.height >= goal,
            what=f"member {member.number} to catch up",
            seconds=seconds,
        )

    def audit(self) -> int:
        """Audit every member's ledger file, in use as it is; how many entries the longest has.

        Raises:
            PromiseBroken: one is not clean, or they are not the same.
        """
        reports = {
            member.number: audit(member.folder.ledger, trust=self.trust) for member in self.members
        }
        for number, report in reports.items():
            if not report.is_clean:
                raise PromiseBroken(f"audit of member {number}: {report.fault}")
        if len({report.head for report in reports.values()}) != 1:
            raise PromiseBroken("audits end with different heads")
        return reports[1].entries

    def copy(self, member: Member, to: Path) -> None:
        """The whole folder of a member that does not run, as a backup would hold it."""
        shutil.copytree(member.folder.root, to, ignore=shutil.ignore_patterns("*.sock"))

    def restore(self, member: Member, copy: Path) -> None:
        """Put a copy in place of a member's folder."""
        shutil.rmtree(member.folder.root)
        shutil.copytree(copy, member.folder.root)

"""Networks of real CometBFT processes, each with our application in this process.

Needs the program that `make cometbft` builds; without it, the tests that use this are skipped, and
CI counts a skip as a failure.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from registry.core.checkpoint import Head, parse_head
from registry.core.consortium_head import read_evidence
from registry.core.genesis import Genesis, GenesisMember, genesis_member
from registry.core.hashing import sha256
from registry.core.light_client.commit import verify_commit
from registry.ledger.comet import CometLedger
from registry.ledger.comet.binary import NoCometBft, find_cometbft, verify_version
from registry.ledger.comet.node_files import (
    LOCAL,
    SOCKET,
    NodeSettings,
    make_key,
    make_node_key,
    write_config,
    write_genesis,
)
from registry.ledger.comet.process import NodeProcess
from tests.ports import free_ports
from tests.registry.authors import CREATED, NETWORK, UnsafeKey

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools" / "bin"
VERSION = "0.1.0"
START_SECONDS = 30.0


def cometbft(name: str = "cometbft") -> Path:
    """The program that the project built, whose version may run; else the test is skipped."""
    try:
        program = find_cometbft(TOOLS / name)
    except NoCometBft as error:
        pytest.skip(error.detail)
    verify_version(program)
    return program


def seed(name: str) -> bytes:
    """32 bytes that anybody can make again."""
    return sha256(b"unsafe test key " + name.encode())


@dataclass
class Node:
    """One member: its folder, its node and its ledger."""

    name: str
    home: Path
    program: Path
    genesis: Genesis
    rpc_port: int
    p2p_port: int
    node_id: str
    version: str = VERSION
    options: dict[str, Any] = field(default_factory=dict)  # of CometLedger.open
    stopped: list[str] = field(default_factory=list)  # why the application stopped
    _ledger: CometLedger | None = None
    _process: NodeProcess | None = None

    @property
    def ledger(self) -> CometLedger:
        assert self._ledger is not None
        return self._ledger

    @property
    def process(self) -> NodeProcess:
        assert self._process is not None
        return self._process

    @property
    def file(self) -> Path:
        return self.home / "ledger.db"

    @property
    def address(self) -> str:
        return f"{self.node_id}@127.0.0.1:{self.p2p_port}"

    def configure(self, peers: Sequence["Node"] = (), **changes: Any) -> None:
        write_config(
            self.home,
            NodeSettings(
                name=self.name,
                rpc_port=self.rpc_port,
                p2p_listen=f"127.0.0.1:{self.p2p_port}",
                peers=tuple(peer.address for peer in peers if peer is not self),
                timeouts=LOCAL,
                local=True,
                **changes,
            ),
        )

    def open(self) -> None:
        """Start the application alone."""
        self._ledger = CometLedger.open(
            self.file,
            genesis=self.genesis,
            socket=self.home / SOCKET,
            rpc_url=f"http://127.0.0.1:{self.rpc_port}",
            version=self.version,
            on_stop=self.stopped.append,
            **self.options,
        )

    def start(self) -> None:
        """Start application and node."""
        self.open()
        self._process = NodeProcess(self.program, self.home, log=self.home / "node.log")

    def stop(self) -> None:
        """End both; nothing of them runs when this returns."""
        if self._process is not None:
            self._process.stop()
        if self._ledger is not None:
            self._ledger.close()
        self._process = self._ledger = None

    def kill(self) -> None:
        """End the node as a power cut would; the application goes on without it."""
        self.process.kill()

    def ready(self, height: int = 0) -> "Node":
        """Wait until a head of this height is signed."""
        wait_until(
            lambda: self.ledger.health().size > 0 and self.ledger.health().height >= height,
            what=f"{self.name} at height {height}",
            log=self.home / "node.log",
        )
        return self


def wait_until(
    met: Callable[[], bool],
    *,
    what: str,
    seconds: float = START_SECONDS,
    log: Path | None = None,
) -> None:
    """Wait for something; fails with the end of the log."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            tail = log.read_text("utf-8", errors="replace")[-2000:] if log and log.exists() else ""
            raise AssertionError(f"waited {seconds:.0f} s for {what}\n{tail}")
        time.sleep(0.02)


def members(count: int, *, root: str = "root", network: str = NETWORK) -> tuple[GenesisMember, ...]:
    """Genesis members with validator keys; the first has the governance key of `root_author`."""
    keys = [UnsafeKey(root), *(UnsafeKey(f"{root} {number}") for number in range(1, count))]
    names = ["Ministry of Tests", *(f"Member {number}" for number in range(1, count))]
    return tuple(
        genesis_member(
            network=network,
            name=name,
            keys=[key.key],
            validator_key=UnsafeKey(f"validator {number}").key,
        )
        for number, (name, key) in enumerate(zip(names, keys, strict=True))
    )


def make_node(
    folder: Path, number: int, *, genesis: Genesis, program: Path, **options: Any
) -> Node:
    """The files of member `number`, whose keys anybody can make again."""
    home = folder / f"node{number}"
    private = sha256(f"validator {number}".encode())  # as UnsafeKey makes its key
    make_key(home, private)
    node_id = make_node_key(home, seed(f"node {number}"))
    write_genesis(home, genesis)
    rpc_port, p2p_port = free_ports(2)
    return Node(
        name=f"node{number}",
        home=home,
        program=program,
        genesis=genesis,
        rpc_port=rpc_port,
        p2p_port=p2p_port,
        node_id=node_id,
        options=options,
    )


@contextmanager
def network(
    folder: Path,
    count: int,
    *,
    program: Path | None = None,
    genesis: Genesis | None = None,
    **options: Any,
) -> Iterator[list[Node]]:
    """`count` members that run and have a signed genesis."""
    program = program or cometbft()
    genesis = genesis or Genesis(network=NETWORK, members=members(count), created=CREATED)
    nodes = [
        make_node(folder, number, genesis=genesis, program=program, **options)
        for number in range(count)
    ]
    try:
        for node in nodes:
            node.configure(nodes)
            node.start()
        for node in nodes:
            node.ready()
        yield nodes
    finally:
        for node in nodes:
            with suppress(Exception):
                node.stop()


def verify_by_members(unverified: str, *, genesis: Genesis) -> Head:
    """Check a head whose validators are those of the genesis, by their signatures alone."""
    head = parse_head(unverified)
    block = read_evidence(head)
    verify_commit(block)
    expected = {member.validator_key for member in genesis.members}
    assert {item.key for item in block.validators.validators} == expected
    return head.claimed

"""Light clients that follow a running network and must agree on every head.

`python -m tests.soak.followers --observers 20 --clients 100 --seconds 60` runs four validators and
so many observers on this machine, submits without pause, and lets the clients read from different
nodes. With `--members URL,URL --trust FILE` the clients follow a network that runs already.
"""

import argparse
import itertools
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.api.app import create_app
from registry.client import AsgiTransport, HttpTransport, RegistryClient, Transport
from registry.client.members import MembersTransport
from registry.consortium.anchor import first_anchor
from registry.core.any_trust_anchor import AnyTrustAnchor, parse_trust_anchor
from registry.core.checkpoint import Head
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.encoding import parse_json_object
from registry.core.genesis import Genesis
from registry.core.refusals import Refusal, Unavailable
from tests.comet_network import Node, cometbft, make_node, members, network
from tests.registry.authors import CREATED, NETWORK, new_did

VALIDATORS = 4
PAUSE_SECONDS = 0.2  # of a client between two looks


class HeadsDiffer(AssertionError):
    """Two clients believe different heads of one height."""


@dataclass
class Agreement:
    """Every head that any client believed, by height; all must believe the same."""

    heads: dict[int, Head] = field(default_factory=dict)
    seen: Counter[int] = field(default_factory=Counter)  # by client: heads believed
    unavailable: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def believe(self, client: int, head: Head) -> None:
        with self.lock:
            if self.heads.setdefault(head.height, head) != head:
                raise HeadsDiffer(f"clients believe two heads of height {head.height}")
            self.seen[client] += 1


@dataclass(frozen=True)
class Report:
    """What a run saw."""

    clients: int
    nodes: int
    seconds: float
    heads: int  # different heights believed
    looks: int
    laggards: int  # clients that did not end at the newest head
    unavailable: int
    height: int

    def __str__(self) -> str:
        return (
            f"{self.clients} clients on {self.nodes} nodes for {self.seconds:.0f} s: "
            f"{self.looks} heads verified of {self.heads} heights, all equal; "
            f"{self.laggards} clients not at height {self.height} at the end, "
            f"{self.unavailable} looks without an answer"
        )


def follow(
    nodes: Sequence[Transport], anchor: AnyTrustAnchor, *, clients: int, stop: threading.Event
) -> Report:
    """Let so many clients look until `stop`, each with another node first; then once more.

    Raises:
        HeadsDiffer: two clients believe different heads of one height.
    """
    agreement, began = Agreement(), time.monotonic()
    failures: list[BaseException] = []
    last: dict[int, int] = {}

    def run(number: int) -> None:
        first = number % len(nodes)
        client = RegistryClient(
            MembersTransport([*nodes[first:], *nodes[:first]]),
            anchor,
            time.monotonic,
            random=secrets.token_bytes,
        )
        try:
            while not stop.wait(PAUSE_SECONDS):
                _look(client, number)
            final.wait()
            _look(client, number)
        except BaseException as error:
            failures.append(error)
            stop.set()

    def _look(client: RegistryClient, number: int) -> None:
        try:
            head = client.head()
        except Unavailable as refusal:
            with agreement.lock:
                agreement.unavailable[type(refusal).__name__] += 1
            return
        agreement.believe(number, head)
        last[number] = head.height

    final = threading.Event()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    stop.wait()
    time.sleep(2.0)  # what was submitted last reaches every node
    final.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    height = max(agreement.heads, default=-1)
    return Report(
        clients=clients,
        nodes=len(nodes),
        seconds=time.monotonic() - began,
        heads=len(agreement.heads),
        looks=sum(agreement.seen.values()),
        laggards=sum(last.get(number) != height for number in range(clients)),
        unavailable=sum(agreement.unavailable.values()),
        height=height,
    )


@contextmanager
def followed_network(folder: Path, observers: int) -> Iterator[tuple[list[Node], ConsortiumAnchor]]:
    """Four validators and so many nodes without a vote, all of them caught up."""
    program = cometbft()
    genesis = Genesis(network=NETWORK, members=members(VALIDATORS), created=CREATED)
    with ExitStack() as stack:
        nodes = stack.enter_context(network(folder, VALIDATORS, program=program, genesis=genesis))
        more = [
            make_node(folder, VALIDATORS + number, genesis=genesis, program=program)
            for number in range(observers)
        ]
        for observer in more:
            observer.configure(nodes)
            stack.callback(observer.stop)
            observer.start()
        for observer in more:
            observer.ready()
        yield [*nodes, *more], first_anchor(genesis, nodes[0].ledger.head(0))


def soak(*, observers: int, clients: int, seconds: float) -> Report:
    """Run a network under load, and clients that follow it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        followed_network(Path(folder), observers) as (nodes, anchor),
        ExitStack() as stack,
    ):
        transports = [
            AsgiTransport(create_app(node.ledger, anchor, light_blocks=node.ledger))
            for node in nodes
        ]
        for transport in transports:
            stack.callback(transport.close)
        stop = threading.Event()

        def submit() -> None:
            for number in itertools.count():
                if stop.is_set():
                    return
                try:
                    nodes[number % VALIDATORS].ledger.submit(new_did(f"follower {number}")[0])
                except Refusal:
                    time.sleep(0.1)

        submitter = threading.Thread(target=submit)
        timer = threading.Timer(seconds, stop.set)
        submitter.start()
        timer.start()
        try:
            return follow(transports, anchor, clients=clients, stop=stop)
        finally:
            stop.set()
            timer.cancel()
            submitter.join()


def main(arguments: Sequence[str]) -> int:
    """The command line; 0 when all agree and nobody lags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observers", type=int, default=20)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--members", help="URLs of members that run already, with commas")
    parser.add_argument("--trust", type=Path, help="their trust anchor")
    options = parser.parse_args(arguments)
    if options.members:
        anchor = parse_trust_anchor(parse_json_object(options.trust.read_bytes()))
        stop = threading.Event()
        threading.Timer(options.seconds, stop.set).start()
        remotes = [HttpTransport(url) for url in options.members.split(",")]
        report = follow(remotes, anchor, clients=options.clients, stop=stop)
    else:
        report = soak(observers=options.observers, clients=options.clients, seconds=options.seconds)
    print(report)
    return 1 if report.laggards or report.heads < 2 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

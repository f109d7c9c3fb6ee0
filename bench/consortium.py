"""A consortium on this machine: transactions and latency over 1, 4 and 7 validators; credentials
anchored through batches on four, for as long as is asked; observers and light clients that follow.

All members share the cores of this machine with whoever loads them, so the figures are a floor of
what members with machines of their own would reach.
"""

import base64
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Figure, measure, verify_a_signature
from identity.adapters.key_files import KeyFile
from identity.consortium import (
    OFFICE_KEYS,
    Assembly,
    local_passphrase,
    make_local_network,
    open_local_members,
)
from identity.core.credential_digest import credential_digest
from identity.installation.founding import Founder
from registry.client import HttpTransport, RegistryClient
from registry.client.members import MembersTransport
from registry.consortium.local_network import LocalNetwork, wait_until_ready
from registry.consortium.supervisor import Supervisor
from registry.core.accreditation import accreditation_id
from registry.core.accreditation_actions import Accredit
from registry.core.anchors import AnchorBatch
from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.encoding import base64url_encode, parse_json_object
from registry.core.receipt import BatchTree, build_receipt, verify_receipt
from registry.core.refusals import Unavailable
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    encode_signed,
    signing_message,
)
from tests.registry.authors import Author, new_did

NETWORK = "testnet"
TYPE = "resident-identity"
SUBMITTERS = 64  # each waits until its transaction is final before it sends the next
SECONDS = 30.0  # of transactions, at each number of validators
PREPARED = 12_000
BATCH_SECONDS = 1.0  # a root a second for each issuer
ISSUERS = 2
START_SECONDS = 120.0
RECEIPTS = 20  # of each batch, built and verified


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions at one number of validators."""

    validators: int
    per_second: float
    median_seconds: float
    p99_seconds: float
    floor: float  # Ed25519 verifications a second, beside it


@dataclass(slots=True)
class Anchored:
    """Credentials anchored on four validators."""

    seconds: float = 0.0
    credentials: int = 0
    batches: int = 0
    receipts: int = 0
    latencies: list[float] = field(default_factory=list)
    ledger_bytes: int = 0  # growth of one member's ledger
    node_bytes: int = 0  # growth of one member's node
    by_minute: list[int] = field(default_factory=list)
    floor: Figure | None = None


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cairn-bench-") as name:
        yield Path(name)


@contextmanager
def local_network(folder: Path, validators: int) -> Iterator[LocalNetwork]:
    """A running network of so many members."""
    network = LocalNetwork(folder)
    make_local_network(network, name=NETWORK, members=validators)
    supervisor = Supervisor([item.root for item in network.folders], tell=lambda _line: None)
    supervisor.start()
    try:
        if not wait_until_ready(network.apis(), seconds=START_SECONDS):
            raise Unavailable("the members do not answer")
        yield network
    finally:
        supervisor.stop()


@contextmanager
def client(network: LocalNetwork, *, first: int = 0) -> Iterator[RegistryClient]:
    """A client of all members that asks number `first` first."""
    apis = network.apis()
    transports = [HttpTransport(api, timeout_seconds=30.0) for api in apis[first:] + apis[:first]]
    anchor = parse_trust_anchor(
        parse_json_object(network.folders[0].trust_anchor_file.read_bytes())
    )
    try:
        yield RegistryClient(
            MembersTransport(transports), anchor, time.monotonic, random=secrets.token_bytes
        )
    finally:
        for transport in transports:
            transport.close()


def measure_transactions(validators: int, *, seconds: float = SECONDS) -> Transactions:
    """How many single transactions become final, and how long each takes."""
    raws = [new_did(f"consortium bench {number}")[0] for number in range(PREPARED)]
    latencies: list[float] = []
    with _folder() as folder, local_network(folder / "net", validators) as network:
        apis = network.apis()
        before = measure(verify_a_signature, seconds=0.3).per_second
        ends = time.perf_counter() + seconds

        def work(number: int) -> None:
            transport = HttpTransport(apis[number % len(apis)], timeout_seconds=30.0)
            for raw in raws[number::SUBMITTERS]:
                began = time.perf_counter()
                if began >= ends:
                    break
                answer = transport.post("/registry/transactions", raw)
                if answer.status == 201:
                    latencies.append(time.perf_counter() - began)
            transport.close()

        spent = _run_threads(work, SUBMITTERS)
    latencies.sort()
    return Transactions(
        validators=validators,
        per_second=len(latencies) / spent,
        median_seconds=statistics.median(latencies),
        p99_seconds=latencies[int(0.99 * len(latencies))],
        floor=before,
    )


def measure_anchoring(*, seconds: float, per_second: int, validators: int = 4) -> Anchored:
    """Anchor so many credentials a second, in one batch an issuer and second.

    Each credential has content of its own and a salted digest of it. A batch counts once its root
    is final, and receipts for some of its credentials were built and verified offline.
    """
    found = Anchored()
    with _folder() as folder, local_network(folder / "net", validators) as network:
        issuers = _found_issuers(network, folder)
        member = network.folders[0]
        before = (_size(member.ledger.parent), _size(member.node))
        found.floor = measure(verify_a_signature, seconds=0.3)
        began = time.perf_counter()
        lock = threading.Lock()

        def work(number: int) -> None:
            with client(network, first=number) as registry:
                while (started := time.perf_counter()) - began < seconds:
                    count = _anchor(registry, issuers[number], per_second // ISSUERS)
                    took = time.perf_counter() - started
                    with lock:
                        found.credentials += count
                        found.batches += 1
                        found.receipts += RECEIPTS
                        found.latencies.append(took)
                        minute = int((time.perf_counter() - began) // 60)
                        found.by_minute += [0] * (minute + 1 - len(found.by_minute))
                        found.by_minute[minute] += count
                    time.sleep(max(0.0, BATCH_SECONDS - took))

        found.seconds = _run_threads(work, ISSUERS)
        found.ledger_bytes = _size(member.ledger.parent) - before[0]
        found.node_bytes = _size(member.node) - before[1]
    return found


def _anchor(registry: RegistryClient, issuer: Author, count: int) -> int:
    batch = base64url_encode(secrets.token_bytes(16))
    digests = [_digest(issuer.did, batch, number) for number in range(count)]
    tree = BatchTree(digests)
    registry.submit(
        _signed(issuer, AnchorBatch(batch=batch, root=tree.root, count=count, types=(TYPE,)))
    )
    proven = registry.batch(issuer.did, batch)
    if proven is None:
        raise Unavailable("an anchored batch cannot be read")
    anchor = registry.trust
    for index in range(0, count, max(1, count // RECEIPTS)):
        receipt = build_receipt(
            digest=digests[index],
            index=index,
            path=tree.path(index),
            batch=proven.record,
            proof=proven.proof,
            head=proven.head,
        )
        verify_receipt(receipt, digest=digests[index], anchor=anchor, now=int(time.time()))
    return count


def _digest(issuer: str, batch: str, number: int) -> bytes:
    """Of a credential like those that agencies issue, each with its own content and salt."""
    salt = secrets.token_bytes(32)
    content = {
        "iss": issuer,
        "vct": f"https://registry.example/schemas/{TYPE}/1",
        "iat": 1_790_000_000,
        "exp": 1_820_000_000,
        "cnf": {
            "jwk": {"kty": "EC", "crv": "P-256", "x": base64url_encode(salt), "y": str(number)}
        },
        "_sd": [base64.b64encode(salt[:16] + bytes([claim])).decode() for claim in range(8)],
        "status": {"status_list": {"idx": number, "uri": "https://registry.example/lists/1"}},
        "anchor": {"salt": base64url_encode(salt), "batch": batch, "network": NETWORK},
    }
    return credential_digest(content, salt)


def _found_issuers(network: LocalNetwork, folder: Path) -> list[Author]:
    """Issuers that an office accredited, which the members made an authority by their votes."""
    random = secrets.token_bytes
    with client(network) as registry:
        assembly = Assembly(registry, NETWORK, open_local_members(network, random=random))
        keys = KeyFile.open_or_create(
            folder / "office.keys",
            passphrase=local_passphrase(network, random),
            wanted=OFFICE_KEYS,
            random=random,
        )
        office = assembly.found_office(keys, (TYPE,))
        founder = Founder(registry, network=NETWORK, root=office)
        issuers = []
        for number in range(ISSUERS):
            raw, issuer = new_did(f"bench issuer {number}")
            registry.submit(raw)
            grant = Accredit(
                accreditation=accreditation_id(bytes([number]) * 16),
                subject=issuer.did,
                role="issuer",
                types=(TYPE,),
                until_height=None,
            )
            founder._submit(grant)
            issuers.append(issuer)
    return issuers


def _signed(author: Author, action: Action) -> bytes:
    payload = Payload(
        network=NETWORK, author=author.did, nonce=secrets.token_bytes(16), action=action
    )
    signature = Signature(
        key=author.verification_method, value=author.sign(signing_message(payload))
    )
    return encode_signed(payload, [signature])


def _run_threads(work: Callable[[int], None], count: int) -> float:
    """Run `work(0)` … on threads; seconds until the last has ended. What one raised is raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.perf_counter() - began


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

"""The ledger as the issuer sees it: the fake of its tests, and the client on a real one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from identity.core.parties import Agency
from identity.issuer.ledger_transactions import (
    anchor_batch_transaction,
    publish_status_transaction,
)
from identity.issuer.ports import Registry
from registry.api.app import create_app
from registry.client import AsgiTransport, RegistryClient
from registry.core.anchors import BatchRecord
from registry.core.encoding import base64url_encode
from registry.core.genesis import Genesis, genesis_member
from registry.core.hashing import sha256
from registry.core.receipt import BatchTree, build_receipt, verify_receipt
from registry.core.refusals import Refusal, Unavailable
from registry.core.signed_note import VerifierKey
from registry.core.sparse_map import parse_map_proof
from registry.core.trust_anchor import TrustAnchor
from registry.ledger.embedded import EmbeddedLedger
from tests.identity.issuer.ledger_in_memory import GOVERNANCE, NETWORK, HeadKey, MemoryRegistry
from tests.identity.issuer.workbench import START, Randomness, make_agency

NOW = int(START.timestamp())


@dataclass
class Case:
    registry: Registry
    anchor: TrustAnchor
    agency: Agency


def _memory(_folder: Path) -> tuple[Case, Callable[[], None]]:
    registry = MemoryRegistry(NOW)
    agency = make_agency(registry, "registrar", ("degree",))
    return Case(registry, registry.anchor, agency), lambda: None


def _client(folder: Path) -> tuple[Case, Callable[[], None]]:
    member = genesis_member(network=NETWORK, name="Founding member", keys=[GOVERNANCE.key])
    anchor = TrustAnchor(
        network=NETWORK,
        head_keys=(VerifierKey(HeadKey.name, HeadKey().key),),
        threshold=1,
        roots=(member.did,),
    )
    ledger = EmbeddedLedger.open(
        folder / "ledger.db",
        genesis=Genesis(network=NETWORK, members=(member,), created=NOW),
        signer=HeadKey(),
        now=lambda: NOW,
    )
    transport = AsgiTransport(create_app(ledger, anchor))
    client = RegistryClient(transport, anchor, lambda: 0.0, random=Randomness())

    def close() -> None:
        transport.close()
        ledger.close()

    agency = make_agency(client, "registrar", ("degree",), root=f"{member.did}#governance-1")
    return Case(client, anchor, agency), close


@pytest.fixture(params=[_memory, _client], ids=["memory", "client"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    made, close = request.param(tmp_path)
    yield made
    close()


def _batch(case: Case, number: int, *, types: tuple[str, ...] = ("degree",)) -> tuple[str, bytes]:
    batch = base64url_encode(bytes([number]) * 16)
    tree = BatchTree([sha256(b"a"), sha256(b"b")])
    raw = anchor_batch_transaction(
        case.agency,
        network=NETWORK,
        batch=batch,
        root=tree.root,
        count=2,
        types=types,
        random=Randomness(bytes([number])),
    )
    return batch, raw


def test_the_same_bytes_give_the_same_receipt_and_change_nothing(case: Case) -> None:
    _, raw = _batch(case, 1)

    first, second = case.registry.submit(raw), case.registry.submit(raw)

    assert (first.tx_id, first.height) == (second.tx_id, second.height)


def test_a_batch_proof_makes_receipts_that_verify(case: Case) -> None:
    batch, raw = _batch(case, 2)
    assert case.registry.batch_proof(case.agency.did, batch) is None
    case.registry.submit(raw)

    proven = case.registry.batch_proof(case.agency.did, batch)

    assert proven is not None
    tree = BatchTree([sha256(b"a"), sha256(b"b")])
    receipt = build_receipt(
        digest=sha256(b"b"),
        index=1,
        path=tree.path(1),
        batch=BatchRecord.parse(proven.record),
        proof=parse_map_proof(proven.proof),
        head=proven.head,
    )
    assert verify_receipt(receipt, digest=sha256(b"b"), anchor=case.anchor, now=NOW).batch == batch


def test_what_the_rules_refuse_is_no_outage(case: Case) -> None:
    _, foreign = _batch(case, 3, types=("resident-identity",))

    with pytest.raises(Refusal) as refused:
        case.registry.submit(foreign)

    assert not isinstance(refused.value, Unavailable)


def test_status_versions_follow_one_another(case: Case) -> None:
    def publish(version: int, salt: bytes) -> None:
        case.registry.submit(
            publish_status_transaction(
                case.agency,
                network=NETWORK,
                group="group",
                version=version,
                lists={f"{case.agency.issuer_url}/status/group/token": sha256(salt)},
                random=Randomness(salt),
            )
        )

    publish(1, b"one")
    publish(2, b"two")

    for version in (2, 4):
        with pytest.raises(Refusal) as refused:
            publish(version, b"again")
        assert not isinstance(refused.value, Unavailable)

"""Replacing an agency's JOSE key: interrupted anywhere, nothing is lost and nothing comes twice."""

from pathlib import Path
from secrets import token_bytes

import pytest

from identity.core.signing import NamedSigner
from identity.installation.did_controller import DidController, NothingToDo
from identity.installation.folder import DataFolder
from identity.installation.founding import Founder, Method
from identity.installation.key_ring import KeyRing
from identity.installation.key_rotation import KeyRotation, jose_signers
from identity.installation.parties import AGENCY_KEYS
from registry.core.did_record import DidRecord
from registry.core.encoding import parse_json_object
from registry.core.records import did_key
from registry.core.refusals import Unavailable
from registry.core.transaction_receipt import TransactionReceipt
from tests.identity.issuer.ledger_in_memory import GOVERNANCE, NETWORK, MemoryRegistry

SLUG = "registrar"


class Ledger:
    """What a controller sees of the registry in memory."""

    network = NETWORK

    def __init__(self) -> None:
        self.memory = MemoryRegistry(1_795_000_000)

    def submit(self, raw: bytes) -> TransactionReceipt:
        return self.memory.submit(raw)  # type: ignore[return-value]

    def did_record(self, did: str) -> DidRecord | None:
        record = self.memory.state.get(did_key(did))
        return None if record is None else DidRecord.parse(parse_json_object(record))


class Desk:
    """An agency with its key files."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger()
        self.folder = DataFolder(folder)
        self.folder.make()
        keys = self.ring().open(f"issuer-{SLUG}", AGENCY_KEYS)
        founder = Founder(
            self.ledger,  # type: ignore[arg-type]
            network=NETWORK,
            root=NamedSigner(GOVERNANCE, self.ledger.memory.root),
        )
        self.did = founder.create_did(
            [
                Method("ledger-1", keys["ledger"], "capabilityInvocation"),
                Method("di-1", keys["data-integrity"], "assertionMethod"),
                Method("jose-1", keys["jose"], "assertionMethod"),
            ],
            also_known_as=(),
        )

    def ring(self) -> KeyRing:
        """As another process opens it."""
        return KeyRing(self.folder, "correct horse battery", token_bytes)

    def rotate(self, *retired: str) -> str:
        ring = self.ring()
        ledger = ring.open(f"issuer-{SLUG}", AGENCY_KEYS)["ledger"]
        rotation = KeyRotation(ring, DidController(self.ledger))
        return rotation.rotate(SLUG, self.did, ledger=ledger, retired=retired)

    def signers(self) -> tuple[NamedSigner, ...]:
        ring = self.ring()
        first = ring.open(f"issuer-{SLUG}", AGENCY_KEYS)["jose"]
        return jose_signers(ring, SLUG, self.did, first=first)

    def listed(self) -> dict[str, bytes]:
        record = self.ledger.did_record(self.did)
        assert record is not None
        return {
            f"{self.did}#{method.fragment}": method.key.data
            for method in record.details.verification_methods
            if method.fragment.startswith("jose-")
        }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_next_key_signs_and_those_before_stay_listed(desk: Desk) -> None:
    assert [signer.verification_method for signer in desk.signers()] == [f"{desk.did}#jose-1"]

    assert desk.rotate() == f"{desk.did}#jose-2"
    assert desk.rotate() == f"{desk.did}#jose-3"

    methods = [signer.verification_method for signer in desk.signers()]
    assert methods == [f"{desk.did}#jose-{number}" for number in (3, 2, 1)]
    assert desk.listed() == {s.verification_method: s.key.data for s in desk.signers()}


def test_ten_rotations_come_in_the_order_of_their_numbers(desk: Desk) -> None:
    desk.rotate()
    for number in range(3, 12):
        desk.rotate(f"jose-{number - 1}")

    assert desk.signers()[0].verification_method == f"{desk.did}#jose-11"
    assert set(desk.listed()) == {f"{desk.did}#jose-1", f"{desk.did}#jose-11"}


@pytest.mark.parametrize("fault", ["down", "mute"])
def test_what_was_interrupted_goes_on_with_the_same_key(desk: Desk, fault: str) -> None:
    setattr(desk.ledger.memory, fault, True)
    with pytest.raises(Unavailable):
        desk.rotate()
    assert len(desk.signers()) == 1  # the ledger may not know it: it does not sign
    setattr(desk.ledger.memory, fault, False)

    method = desk.rotate()

    assert desk.listed() == {s.verification_method: s.key.data for s in desk.signers()}
    assert desk.signers()[0].verification_method == method == f"{desk.did}#jose-2"


def test_a_retired_key_must_be_one_of_the_did(desk: Desk) -> None:
    with pytest.raises(NothingToDo):
        desk.rotate("jose-9")
    with pytest.raises(NothingToDo):
        desk.rotate("ledger-1")

    assert len(desk.listed()) == 1

"""Replacing an agency's JOSE key: interrupted anywhere, nothing is lost and nothing comes twice."""

from pathlib import Path
from secrets import token_bytes

import pytest

from identity.adapters.passphrases import Passphrase
from identity.core.signing import NamedSigner
from identity.installation.did_controller import DidController, NothingToDo
from identity.installation.folder import DataFolder
from identity.installation.founding import Founder, Method
from identity.installation.key_ring import KeyRing
from identity.installation.key_rotation import (
    KeyInUse,
    KeyRotation,
    jose_signers,
    mark_stolen,
    withdrawn_methods,
)
from identity.installation.parties import AGENCY_KEYS
from registry.core.compromise import CompromisedKeys, DeclareCompromise
from registry.core.did_record import DidRecord
from registry.core.encoding import canonical_json, parse_json_object
from registry.core.records import compromise_key, did_key
from registry.core.refusals import Unavailable
from registry.core.transaction_receipt import TransactionReceipt
from registry.core.transactions import Payload, Signature, encode_signed, signing_message
from tests.identity.issuer.ledger_in_memory import GOVERNANCE, NETWORK, MemoryRegistry

PASSPHRASE = Passphrase("correct horse battery")  # stretched once for all tests
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

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        record = self.memory.state.get(compromise_key(did))
        return None if record is None else CompromisedKeys.parse(record)


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
        return KeyRing(self.folder, PASSPHRASE, token_bytes)

    def rotation(self) -> KeyRotation:
        return KeyRotation(self.ring(), DidController(self.ledger))

    def rotate(self, *retired: str, newest_too: bool = False) -> str:
        ledger = self.ring().open(f"issuer-{SLUG}", AGENCY_KEYS)["ledger"]
        return self.rotation().rotate(
            SLUG, self.did, ledger=ledger, retired=retired, newest_too=newest_too
        )

    def withdrawn(self) -> set[str]:
        methods = withdrawn_methods(self.folder, SLUG, self.did)
        return {method.removeprefix(f"{self.did}#") for method in methods}

    def declare_stolen(self, fragment: str) -> None:
        action = DeclareCompromise(
            subject=self.did, fragment=fragment, from_height=0, reason="key-stolen"
        )
        root = NamedSigner(GOVERNANCE, self.ledger.memory.root)
        payload = Payload(
            network=NETWORK,
            author=root.verification_method.partition("#")[0],
            nonce=token_bytes(16),
            action=action,
        )
        signature = Signature(
            key=root.verification_method, value=root.sign(signing_message(payload))
        )
        self.ledger.submit(encode_signed(payload, [signature]))

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
        desk.rotate(f"jose-{number - 2}")

    assert desk.signers()[0].verification_method == f"{desk.did}#jose-11"
    assert set(desk.listed()) == {f"{desk.did}#jose-10", f"{desk.did}#jose-11"}
    assert desk.withdrawn() == {f"jose-{number}" for number in range(1, 10)}


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
    for other in ("ledger-1", "di-1", "jose-2", "jose-01", "jose-1x"):
        with pytest.raises(NothingToDo):
            desk.rotate(other)

    assert len(desk.listed()) == 1


def test_the_key_that_processes_sign_with_is_retired_only_when_that_is_said(desk: Desk) -> None:
    with pytest.raises(KeyInUse):
        desk.rotate("jose-1")
    assert set(desk.listed()) == {f"{desk.did}#jose-1"}

    desk.rotate("jose-1", newest_too=True)

    assert set(desk.listed()) == {f"{desk.did}#jose-2"}
    assert desk.withdrawn() == {"jose-1"}


def test_an_interrupted_rotation_still_retires_what_is_named(desk: Desk) -> None:
    desk.rotate()
    desk.ledger.memory.mute = True
    with pytest.raises(Unavailable):
        desk.rotate()  # the ledger lists jose-3 now
    desk.ledger.memory.mute = False
    with pytest.raises(NothingToDo):
        desk.rotate("jose-9")
    with pytest.raises(NothingToDo):
        desk.rotate("jose-3")  # the new one itself
    with pytest.raises(KeyInUse):
        desk.rotate("jose-2")

    assert desk.rotate("jose-1") == f"{desk.did}#jose-3"

    assert set(desk.listed()) == {f"{desk.did}#jose-2", f"{desk.did}#jose-3"}
    assert desk.withdrawn() == {"jose-1"}


def test_what_an_interrupted_rotation_retired_may_be_named_again(desk: Desk) -> None:
    desk.rotate()
    desk.ledger.memory.mute = True
    with pytest.raises(Unavailable):
        desk.rotate("jose-1")
    assert desk.withdrawn() == set()
    desk.ledger.memory.mute = False

    assert desk.rotate("jose-1") == f"{desk.did}#jose-3"

    assert set(desk.listed()) == {f"{desk.did}#jose-2", f"{desk.did}#jose-3"}
    assert desk.withdrawn() == {"jose-1"}


def test_a_key_declared_stolen_is_withdrawn_by_whoever_rotates_next(desk: Desk) -> None:
    desk.rotate()
    desk.declare_stolen("jose-1")
    assert desk.withdrawn() == set()

    assert desk.rotation().withdraw(SLUG, desk.did) == ("jose-1",)
    desk.declare_stolen("jose-2")
    desk.rotate()

    assert desk.withdrawn() == {"jose-1", "jose-2"}
    assert len(desk.signers()) == 3  # status lists of theirs are still signed


def test_a_declaration_marks_only_keys_of_an_agency_that_is_here(desk: Desk) -> None:
    desk.folder.parties.write_bytes(
        canonical_json({f"issuer:{SLUG}": desk.did, "issuer:gone": "did:cairn:test:other"})
    )

    assert not mark_stolen(desk.folder, desk.did, "jose-7")
    assert not mark_stolen(desk.folder, desk.did, "di-1")
    assert not mark_stolen(desk.folder, "did:cairn:test:nobody", "jose-1")
    assert desk.withdrawn() == set()
    assert mark_stolen(desk.folder, desk.did, "jose-1")
    assert desk.withdrawn() == {"jose-1"}

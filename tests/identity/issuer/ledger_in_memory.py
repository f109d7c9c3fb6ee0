"""A registry in memory that runs the real rules of the ledger, and can fail on demand."""

from dataclasses import dataclass
from typing import Any

from identity.adapters.key_files import key_from_seed
from registry.core.checkpoint import Head, sign_head
from registry.core.did_document import did_document
from registry.core.did_record import DidRecord
from registry.core.encoding import JsonObject, base64url_encode, parse_json_object
from registry.core.genesis import Genesis, genesis_changes, genesis_member
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey
from registry.core.records import Block, batch_key, did_key, status_list_key
from registry.core.refusals import Unavailable
from registry.core.signed_note import VerifierKey
from registry.core.sparse_map import EMPTY, map_changes, map_proof_json, prove, update
from registry.core.transactions import parse_transaction
from registry.core.transitions import AlreadyApplied, apply
from registry.core.trust_anchor import TrustAnchor

NETWORK = "test"
GOVERNANCE = key_from_seed(KeyType.ED25519, b"\x01" * 32)
_HEAD = key_from_seed(KeyType.ED25519, b"\x02" * 32)


@dataclass(frozen=True)
class HeadKey:
    name: str = f"cairn/{NETWORK}"

    @property
    def key(self) -> PublicKey:
        return _HEAD.key

    def sign(self, message: bytes) -> bytes:
        return _HEAD.sign(message)


@dataclass(frozen=True)
class Receipt:
    tx_id: str
    height: int


@dataclass(frozen=True)
class Proof:
    record: JsonObject
    proof: JsonObject
    head: str


class MemoryRegistry:
    """Keeps the promises of `identity.issuer.ports.Registry`.

    `down` makes every call fail before anything happened; `mute` lets a submission take effect and
    then fails, as a lost answer does.
    """

    def __init__(self, now: int) -> None:
        member = genesis_member(network=NETWORK, name="Founding member", keys=[GOVERNANCE.key])
        genesis = Genesis(network=NETWORK, members=(member,), created=now)
        self.root = f"{member.did}#governance-1"
        self.state: dict[str, bytes] = dict(genesis_changes(genesis))
        self.height = 0
        self.now = now
        self.down = False
        self.mute = False
        self.submitted: list[bytes] = []
        self.anchor = TrustAnchor(
            network=NETWORK,
            head_keys=(VerifierKey(HeadKey.name, _HEAD.key),),
            threshold=1,
            roots=(member.did,),
        )

    def get(self, key: str) -> bytes | None:
        return self.state.get(key)

    def submit(self, raw: bytes) -> Receipt:
        if self.down:
            raise Unavailable("the ledger is down")
        self.submitted.append(raw)
        tx = parse_transaction(raw)
        block = Block(height=self.height + 1, time=self.now, index=self.height + 1)
        try:
            self.state |= apply(tx, state=self, block=block)
            self.height += 1
            receipt = Receipt(tx.id, self.height)
        except AlreadyApplied as applied:
            receipt = Receipt(tx.id, applied.height)
        if self.mute:
            raise Unavailable("the answer was lost")
        return receipt

    def batch_proof(self, issuer: str, batch: str) -> Proof | None:
        if self.down:
            raise Unavailable("the ledger is down")
        key = batch_key(issuer, batch)
        if key not in self.state:
            return None
        root, nodes = update(EMPTY, map_changes(self.state), {})
        head = Head(
            network=NETWORK,
            tree_size=self.height + 1,
            log_root=sha256(b"log"),
            height=self.height,
            time=self.now,
            state_root=root,
        )
        return Proof(
            record=parse_json_object(self.state[key]),
            proof=map_proof_json(prove(root, key, nodes)),
            head=sign_head(head, [HeadKey()]),
        )

    def status_digest(self, uri: str) -> tuple[str, int] | None:
        """Digest (base64url) and version that the ledger has for a list."""
        record = self.state.get(status_list_key(uri))
        if record is None:
            return None
        value: dict[str, Any] = parse_json_object(record)
        return value["digest"], value["version"]

    def resolve(self, did: str) -> JsonObject | None:
        """The document of a DID, as `RegistryClient.resolve`."""
        record = self.state.get(did_key(did))
        return None if record is None else did_document(DidRecord.parse(parse_json_object(record)))

    def schema(self, _name: str, _version: str) -> None:
        return None

    def relying_party(self, _did: str) -> None:
        return None


def digest_text(data: bytes) -> str:
    return base64url_encode(sha256(data))

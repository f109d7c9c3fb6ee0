"""Signed transactions: the one form in which anybody asks the ledger for a change.

The bytes are canonical JSON of `{"payload": …, "signatures": […]}`. What is signed is a label and
the canonical payload; what a transaction is called is a hash of the payload. Signatures have no
part in it, since anyone can turn an ECDSA signature into a second valid one. docs/transactions.md
says all of this for other software, with worked examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.anchors import AnchorBatch
from registry.core.compromise import DeclareCompromise
from registry.core.did_actions import CreateDid, DeactivateDid, UpdateDid
from registry.core.disclosure import RecordDisclosure
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.fields import items, members, octets
from registry.core.hashing import labelled_hash
from registry.core.identifiers import did_of, network_of, read_did
from registry.core.network import parse_network_name
from registry.core.proposals import CastVote, Propose
from registry.core.refusals import Malformed
from registry.core.relying_party import RegisterRelyingParty
from registry.core.schemas import PublishSchema
from registry.core.status import PublishStatus

TYPE = "cairn-transaction/1"
MAX_TRANSACTION_BYTES = 256 << 10  # a schema of 64 KiB with its frame, and room
MAX_SIGNATURES = 16
MAX_KEY_ID_CHARS = 192  # DID of at most 71 characters, "#", fragment of at most 64
MAX_SIGNATURE_CHARS = 128  # P-384: 96 bytes

Action = (
    CreateDid
    | UpdateDid
    | DeactivateDid
    | Accredit
    | SuspendAccreditation
    | ReinstateAccreditation
    | EndAccreditation
    | PublishSchema
    | AnchorBatch
    | PublishStatus
    | RegisterRelyingParty
    | Propose
    | CastVote
    | RecordDisclosure
    | DeclareCompromise
)

_ACTIONS: dict[str, type[Action]] = {
    action.NAME: action
    for action in (
        CreateDid,
        UpdateDid,
        DeactivateDid,
        Accredit,
        SuspendAccreditation,
        ReinstateAccreditation,
        EndAccreditation,
        PublishSchema,
        AnchorBatch,
        PublishStatus,
        RegisterRelyingParty,
        Propose,
        CastVote,
        RecordDisclosure,
        DeclareCompromise,
    )
}
ACTIONS = tuple(_ACTIONS)

__all__ = [
    "ACTIONS",
    "Accredit",
    "Action",
    "AnchorBatch",
    "CastVote",
    "CreateDid",
    "DeactivateDid",
    "DeclareCompromise",
    "EndAccreditation",
    "Payload",
    "Propose",
    "PublishSchema",
    "PublishStatus",
    "RecordDisclosure",
    "RegisterRelyingParty",
    "ReinstateAccreditation",
    "Signature",
    "SignedTransaction",
    "SuspendAccreditation",
    "UpdateDid",
    "derive_did",
    "encode_payload",
    "encode_signed",
    "parse_transaction",
    "signing_message",
    "transaction_id",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What an author asks for. `author` is empty for `create-did`; `nonce` is 16 random bytes.

    The nonce makes two equal requests two transactions; sending the same payload again is the same
    transaction.
    """

    network: str
    author: str
    nonce: bytes
    action: Action

    def to_object(self) -> JsonObject:
        """The payload as a JSON object."""
        return {
            "type": TYPE,
            "network": self.network,
            "author": self.author,
            "nonce": base64url_encode(self.nonce),
            "action": self.action.NAME,
            "body": self.action.to_body(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A raw signature and the verification method it is said to be by.

    `key` is a DID URL, or `#fragment` in a `create-did`, whose author has no DID yet.
    """

    key: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """A payload with signatures, of the right form; whether they verify, the state decides."""

    payload: Payload
    signatures: tuple[Signature, ...]

    @property
    def id(self) -> str:
        """The transaction's id, in hexadecimal."""
        return transaction_id(self.payload)

    @property
    def author(self) -> str:
        """The DID that asks; that of a `create-did` is the one it creates."""
        if isinstance(self.payload.action, CreateDid):
            return derive_did(self.payload)
        return self.payload.author

    def to_object(self) -> JsonObject:
        """The transaction as a JSON object."""
        return {
            "payload": self.payload.to_object(),
            "signatures": [
                {"key": item.key, "value": base64url_encode(item.value)} for item in self.signatures
            ],
        }


def encode_payload(payload: Payload) -> bytes:
    """Canonical JSON of the payload.

    Raises:
        Malformed: it holds something that canonical JSON cannot.
    """
    return canonical_json(payload.to_object())


def signing_message(payload: Payload) -> bytes:
    """What the author's keys sign: the type, a zero byte, and the canonical payload.

    No other message that Cairn signs begins like this, so no signature serves two ends.

    Raises:
        Malformed: as `encode_payload`.
    """
    return TYPE.encode("ascii") + b"\0" + encode_payload(payload)


def transaction_id(payload: Payload) -> str:
    """The id of a transaction, 64 hexadecimal digits, from its payload alone.

    Raises:
        Malformed: as `encode_payload`.
    """
    return labelled_hash("cairn/tx/v1", encode_payload(payload)).hex()


def derive_did(payload: Payload) -> str:
    """The DID that a `create-did` payload creates.

    Raises:
        Malformed: as `encode_payload`.
    """
    return did_of(payload.network, labelled_hash("cairn/did/v1", encode_payload(payload)))


def encode_signed(payload: Payload, signatures: Sequence[Signature]) -> bytes:
    """The bytes to submit.

    Raises:
        Malformed: `parse_transaction` would refuse them.
    """
    transaction = SignedTransaction(payload=payload, signatures=tuple(signatures))
    data = canonical_json(transaction.to_object())
    parse_transaction(data)
    return data


def parse_transaction(data: bytes) -> SignedTransaction:
    """Read a signed transaction; of its signatures, only the form is checked.

    Raises:
        Malformed: too long, no canonical JSON, a member missing, unknown or out of its bounds, a
            key that is not admitted, an author of another network, or one key signing twice.
    """
    value = parse_json_object(data, max_bytes=MAX_TRANSACTION_BYTES)
    if canonical_json(value) != data:
        raise Malformed("transaction is not canonical JSON (RFC 8785)")
    found = members(value, "transaction", required=("payload", "signatures"))
    return SignedTransaction(
        payload=_parse_payload(found["payload"]),
        signatures=items(
            found["signatures"],
            "signatures",
            low=1,
            high=MAX_SIGNATURES,
            read=_parse_signature,
            unique=lambda item: item.key,
        ),
    )


def _parse_payload(value: object) -> Payload:
    found = members(
        value,
        "payload",
        required=("type", "network", "author", "nonce", "action", "body"),
    )
    if found["type"] != TYPE:
        raise Malformed(f"payload is not of the type {TYPE}")
    network = parse_network_name(found["network"])
    name = found["action"]
    if not isinstance(name, str) or name not in _ACTIONS:
        raise Malformed("payload asks for an unknown action")
    if name == CreateDid.NAME:
        if found["author"] != "":
            raise Malformed("author of create-did is not the empty string")
        author = ""
    else:
        author = read_did(found["author"], "author")
        if network_of(author) != network:
            raise Malformed("author belongs to another network than the transaction")
    return Payload(
        network=network,
        author=author,
        nonce=octets(found["nonce"], "nonce", size=16),
        action=_ACTIONS[name].parse(found["body"]),
    )


def _parse_signature(value: object) -> Signature:
    found = members(value, "signature", required=("key", "value"))
    key, signature = found["key"], found["value"]
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY_ID_CHARS:
        raise Malformed("key of a signature is not a verification method")
    if not isinstance(signature, str) or not 1 <= len(signature) <= MAX_SIGNATURE_CHARS:
        raise Malformed("value of a signature is not base64url of a signature")
    return Signature(key=key, value=base64url_decode(signature))

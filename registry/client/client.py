"""The registry as everything outside it sees it: typed records, each proven before it is believed.

Every read asks for a proof and checks it against a head that the trust anchor's keys have signed
and that fits to every head seen before. None means that absence was proven. Whatever cannot be
proven is `NodeNotTrusted`: a reader that fails here has no answer, and must say no.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from registry.client.answers import (
    BatchProof,
    ProvenBatch,
    ProvenBytes,
    ProvenCache,
    RelyingPartyProof,
)
from registry.client.errors import NodeNotTrusted, checked, refusal_of
from registry.client.governance import Governance
from registry.client.proven_reader import ProvenReader
from registry.client.signer import TransactionSigner
from registry.client.transport import Transport
from registry.client.trust import HeadTrust, TrustStore
from registry.core.accreditation import Accreditation, AccreditationList, is_accredited
from registry.core.anchors import BatchRecord
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head
from registry.core.compromise import CompromisedKeys
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.did_document import did_document
from registry.core.did_record import DidRecord, version_at
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.fields import integer, members
from registry.core.identifiers import read_did
from registry.core.key_documents import jwk_document, key_document
from registry.core.network_record import NetworkRecord
from registry.core.records import (
    NETWORK_KEY,
    accreditation_key,
    accreditations_key,
    batch_key,
    compromise_key,
    did_key,
    did_version_key,
    relying_party_key,
    schema_key,
    status_list_key,
)
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted
from registry.core.relying_party import RelyingParty
from registry.core.schemas import SchemaRecord
from registry.core.sparse_map import map_proof_json
from registry.core.status import StatusRecord
from registry.core.transaction_receipt import TransactionReceipt
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    encode_signed,
    parse_transaction,
    signing_message,
)

CACHE_SECONDS = 2.0  # far below the minute after which a revocation must be seen everywhere

R = TypeVar("R")
_REFUSALS = (Malformed, NotPermitted, NotFound, Conflict)


class RegistryClient:
    """Verified reads from one node, and submission to it. Any number of threads."""

    def __init__(
        self,
        transport: Transport,
        trust: AnyTrustAnchor,
        now: Callable[[], float],
        *,
        random: Callable[[int], bytes],
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = time.time,
        store: TrustStore | None = None,
    ) -> None:
        """
        Args:
            transport: how to reach the node.
            trust: what is believed without proof.
            now: seconds from any fixed point, for the cache alone; a monotonic clock is best.
            random: gives that many random bytes, for nonces.
            cache_seconds: how long a proven record is answered again without asking.
            clock: Unix seconds, by which a consortium's heads are judged.
            store: keeps how far a consortium's validators were followed.
        """
        self._transport = transport
        self._trust = trust
        self._random = random
        self._cache = ProvenCache(now, seconds=cache_seconds)
        self._reader = ProvenReader(transport, trust, cache=self._cache, clock=clock, store=store)

    @property
    def network(self) -> str:
        """Name of the network."""
        return self._trust.network

    @property
    def roots(self) -> tuple[str, ...]:
        """DIDs where accreditation begins."""
        return self._trust.roots

    @property
    def head_trust(self) -> HeadTrust:
        """What vouches for heads, for whoever watches for forks."""
        return self._reader.head_trust

    @property
    def trust(self) -> AnyTrustAnchor:
        """What is trusted now; a consortium's anchor moves on with every head."""
        return self._reader.head_trust.anchor

    def follow(self) -> None:
        """Move a consortium's trust on to the newest light block; nothing for an operator's anchor.

        Raises:
            Unavailable: no member answers, or none shows one that is to be believed.
        """
        if not isinstance(self._trust, ConsortiumAnchor):
            return

        def ask() -> None:
            answer = self._reader.get("/registry/light-blocks/latest")
            with checked("the newest light block"):
                self._reader.head_trust.follow(answer.body)

        self._reader.from_any(ask)

    # --- writing

    def submit(self, raw: bytes) -> TransactionReceipt:
        """Submit a signed transaction. Later reads of this client show its effect.

        Raises:
            Refusal: the rules refuse it, with the kind and words of the node.
            Unavailable: the transaction may be final or not. Submit it again.
        """
        transaction = parse_transaction(raw)
        return self._reader.from_any(lambda: self._submit(raw, transaction.id), doubt=_REFUSALS)

    def _submit(self, raw: bytes, tx_id: str) -> TransactionReceipt:
        try:
            answer = self._transport.post("/registry/transactions", raw)
        finally:
            self._cache.forget()
        if answer.status != 201:
            raise refusal_of(answer)
        with checked("the receipt of a transaction"):
            found = members(
                parse_json_object(answer.body),
                "receipt",
                required=("transaction", "height", "index", "head"),
            )
            receipt = TransactionReceipt(
                tx_id=str(found["transaction"]),
                height=integer(found["height"], "height"),
                index=integer(found["index"], "index"),
                head=str(found["head"]),
            )
            # The receipt of a repeated transaction carries the head of its own, earlier block.
            # Witnesses look at a head after it was signed: until they have, reads do not show it.
            head = (
                self._reader.heads.accept(receipt.head, floor=None)
                if self._trust.witnesses is None
                else self._reader.head_trust.verify(receipt.head, witnessed=False)
            )
            if receipt.tx_id != tx_id or receipt.index >= head.tree_size:
                raise NodeNotTrusted("the receipt is for another transaction or head")
        return receipt

    def submit_transaction(
        self, author: str, signer: TransactionSigner, action: Action
    ) -> TransactionReceipt:
        """Sign an action of the DID `author` with one key, and submit it.

        To repeat after `Unavailable`, keep the bytes and use `submit`: this makes a new nonce.

        Raises:
            Refusal, Unavailable: as `submit`.
        """
        payload = Payload(
            network=self.network, author=author, nonce=self._random(16), action=action
        )
        signature = Signature(
            key=signer.verification_method, value=signer.sign(signing_message(payload))
        )
        return self.submit(encode_signed(payload, [signature]))

    # --- heads

    def head(self) -> Head:
        """The node's newest head, verified; with witnesses, the newest that has their quorum.

        Raises:
            Unavailable: the node does not answer, or its head is not to be believed.
        """
        return self._reader.newest_head()[1]

    def height(self) -> int:
        """Height of the newest verified head; asks when there is none yet."""
        return (self._reader.heads.newest or self.head()).height

    # --- records

    def did_record(self, did: str) -> DidRecord | None:
        """The newest version of a `did:cairn`."""
        return self._record(did_key(read_did(did, "DID")), DidRecord.parse)

    def did_version(self, did: str, version: int) -> DidRecord | None:
        """One version of a `did:cairn`."""
        return self._record(did_version_key(read_did(did, "DID"), version), DidRecord.parse)

    def did_record_at(self, did: str, height: int) -> DidRecord | None:
        """The version of a `did:cairn` that held at the end of block `height`."""
        newest = self.did_record(did)
        if newest is None:
            return None
        return version_at(
            height, newest=newest, read_version=lambda number: self.did_version(did, number)
        )

    def resolve(self, did: str, height: int | None = None) -> JsonObject | None:
        """The DID document of a `did:cairn`, `did:key` or `did:jwk`; None when there is none.

        Raises:
            Malformed: no DID of these methods.
            Unavailable: see above.
        """
        if did.startswith("did:key:"):
            return key_document(did)
        if did.startswith("did:jwk:"):
            return jwk_document(did)
        record = self.did_record(did) if height is None else self.did_record_at(did, height)
        return None if record is None else did_document(record)

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        """Every accreditation of a subject, in the order in which they were granted."""
        listed = self._record(
            accreditations_key(read_did(subject, "subject")), AccreditationList.parse
        )
        if listed is None:
            return ()
        found = [self.accreditation(identifier) for identifier in listed.accreditations]
        known = tuple(item for item in found if item is not None)
        if len(known) != len(found):
            raise NodeNotTrusted("an accreditation on the list is missing")
        return known

    def accreditation(self, identifier: str) -> Accreditation | None:
        """One accreditation by its id."""
        return self._record(accreditation_key(identifier), Accreditation.parse)

    def is_accredited(self, issuer: str, type: str, height: int) -> bool:
        """Whether `issuer` may issue `type` at `height`, by a chain that ends at a pinned root."""
        return is_accredited(
            issuer,
            type,
            height,
            accreditations=self.accreditations(issuer),
            read=self.accreditation,
            roots=self.roots,
        )

    def schema(self, name: str, version: str) -> SchemaRecord | None:
        """A published schema."""
        return self._record(schema_key(name, version), SchemaRecord.parse)

    def batch(self, issuer: str, batch: str) -> ProvenBatch | None:
        """An anchored batch with its proof."""
        proven = self._reader.read(batch_key(read_did(issuer, "issuer"), batch))
        if proven.value is None:
            return None
        record = _parsed(BatchRecord.parse, proven.value)
        return ProvenBatch(record=record, proof=proven.proof, head=proven.head)

    def batch_proof(self, issuer: str, batch: str) -> BatchProof | None:
        """The record, its proof and head in the form that receipts carry."""
        proven = self.batch(issuer, batch)
        if proven is None:
            return None
        return BatchProof(
            record=proven.record.to_object(),
            proof=map_proof_json(proven.proof),
            head=proven.head,
        )

    def status_list(self, uri: str, *, fresh: bool = False) -> StatusRecord | None:
        """The newest record of a status list; `fresh` reads past the cache."""
        return self._record(status_list_key(uri), StatusRecord.parse, fresh=fresh)

    def relying_party(self, did: str) -> RelyingParty | None:
        """A registered relying party."""
        return self._record(relying_party_key(read_did(did, "DID")), RelyingParty.parse)

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        """Keys of a DID that were declared stolen."""
        return self._record(compromise_key(read_did(did, "DID")), CompromisedKeys.parse)

    def relying_party_proof(self, did: str) -> RelyingPartyProof | None:
        """As `relying_party`, with what proves it to others."""
        proven = self._reader.read(relying_party_key(read_did(did, "DID")))
        if proven.value is None:
            return None
        record = _parsed(RelyingParty.parse, proven.value)
        return RelyingPartyProof(
            record=record, proof=map_proof_json(proven.proof), head=proven.head
        )

    def network_record(self) -> NetworkRecord | None:
        """The network and its members."""
        return self._record(NETWORK_KEY, NetworkRecord.parse)

    @property
    def governance(self) -> Governance:
        """Members, rules, proposals and disclosure orders."""
        return Governance(self.record)

    def record(self, key: str) -> bytes | None:
        """The bytes under any state key, proven."""
        return self._reader.read(key).value

    def proven(self, key: str, *, fresh: bool = False) -> ProvenBytes:
        """The bytes under any state key with their proof; `fresh` reads past the cache."""
        return self._reader.read(key, fresh=fresh)

    def _record(self, key: str, parse: Callable[[object], R], *, fresh: bool = False) -> R | None:
        value = self._reader.read(key, fresh=fresh).value
        return None if value is None else _parsed(parse, value)


def _parsed(parse: Callable[[object], R], value: bytes) -> R:
    with checked("a record"):
        return parse(value)

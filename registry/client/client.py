"""The registry as everything outside it sees it: typed records, each proven before it is believed.

Every read asks for a proof and checks it against a head that the trust anchor's keys have signed
and that fits to every head seen before. None means that absence was proven. Whatever cannot be
proven is `NodeNotTrusted`: a reader that fails here has no answer, and must say no.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from registry.client.answers import (
    BatchProof,
    ProvenBatch,
    ProvenBytes,
    ProvenCache,
    RelyingPartyProof,
)
from registry.client.errors import NodeNotTrusted, checked, refusal_of
from registry.client.governance import Governance
from registry.client.heads import HeadMemory
from registry.client.members import MembersTransport
from registry.client.signer import TransactionSigner
from registry.client.transport import Answer, NodeUnreachable, Transport
from registry.client.trust import HeadTrust, TrustStore
from registry.core.accreditation import Accreditation, AccreditationList, is_accredited
from registry.core.anchors import BatchRecord
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head
from registry.core.compromise import CompromisedKeys
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.did_document import did_document
from registry.core.did_record import DidRecord, version_at
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import integer, members
from registry.core.identifiers import read_did
from registry.core.key_documents import jwk_document, key_document
from registry.core.network_record import NetworkRecord
from registry.core.proofs import parse_path
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
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted, Refusal
from registry.core.relying_party import RelyingParty
from registry.core.schemas import SchemaRecord
from registry.core.sparse_map import map_proof_json, parse_map_proof, verify_map_proof
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
MAX_PATH = 64  # hashes of a consistency proof: two for each level of a log of 2^32 entries

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
        self._head_trust = HeadTrust(trust, clock=clock, fetch=self._fetch_light_block, store=store)
        self._heads = HeadMemory(self._head_trust, self._fetch_consistency)
        self._cache = ProvenCache(now, seconds=cache_seconds)

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
        return self._head_trust

    @property
    def trust(self) -> AnyTrustAnchor:
        """What is trusted now; a consortium's anchor moves on with every head."""
        return self._head_trust.anchor

    def follow(self) -> None:
        """Move a consortium's trust on to the newest light block; nothing for an operator's anchor.

        Raises:
            Unavailable: no member answers, or none shows one that is to be believed.
        """
        if not isinstance(self._trust, ConsortiumAnchor):
            return

        def ask() -> None:
            answer = self._get("/registry/light-blocks/latest")
            with checked("the newest light block"):
                self._head_trust.follow(answer.body)

        self._from_any(ask)

    # --- writing

    def submit(self, raw: bytes) -> TransactionReceipt:
        """Submit a signed transaction. Later reads of this client show its effect.

        Raises:
            Refusal: the rules refuse it, with the kind and words of the node.
            Unavailable: the transaction may be final or not. Submit it again.
        """
        transaction = parse_transaction(raw)
        return self._from_any(lambda: self._submit(raw, transaction.id), doubt=_REFUSALS)

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
                self._heads.accept(receipt.head, floor=None)
                if self._trust.witnesses is None
                else self._head_trust.verify(receipt.head, witnessed=False)
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
        return self._newest_head()[1]

    def height(self) -> int:
        """Height of the newest verified head; asks when there is none yet."""
        return (self._heads.newest or self.head()).height

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
        proven = self._read(batch_key(read_did(issuer, "issuer"), batch))
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
        proven = self._read(relying_party_key(read_did(did, "DID")))
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
        return self._read(key).value

    def proven(self, key: str, *, fresh: bool = False) -> ProvenBytes:
        """The bytes under any state key with their proof; `fresh` reads past the cache."""
        return self._read(key, fresh=fresh)

    # --- proof

    def _record(self, key: str, parse: Callable[[object], R], *, fresh: bool = False) -> R | None:
        value = self._read(key, fresh=fresh).value
        return None if value is None else _parsed(parse, value)

    def _read(self, key: str, *, fresh: bool = False) -> ProvenBytes:
        """Ask for a record with its proof, and check both.

        Raises:
            NodeUnreachable: no answer.
            NodeNotTrusted: the answer proves nothing.
        """
        if not fresh and (known := self._cache.get(key)) is not None:
            return known
        return self._from_any(lambda: self._ask_for(key))

    def _ask_for(self, key: str) -> ProvenBytes:
        generation, floor = self._cache.generation, self._heads.newest
        query = {"key": key, "proof": "true"}
        witnessed = self._ask_for_head() if self._trust.witnesses is not None else None
        if witnessed is not None:
            query["height"] = str(witnessed[1].height)
        answer = self._get("/registry/records?" + urlencode(query))
        with checked("the answer about a record"):
            found = members(
                parse_json_object(answer.body, max_bytes=len(answer.body)),
                "answer",
                required=("key", "record", "proof", "head"),
            )
            # The node proves under the head that it signed; the witnessed one has the same text.
            note = str(found["head"]) if witnessed is None else witnessed[0]
            head = self._heads.accept(note, floor=floor) if witnessed is None else witnessed[1]
            proof = parse_map_proof(found["proof"])
            value = None if found["record"] is None else canonical_json(found["record"])
            verify_map_proof(proof, key=key, value=value, root=head.state_root)
        proven = ProvenBytes(value, proof, note)
        self._cache.keep(key, proven, generation)
        return proven

    def _newest_head(self) -> tuple[str, Head]:
        """The node's newest head that counts for the trust anchor, as text and verified."""
        return self._from_any(self._ask_for_head)

    def _ask_for_head(self) -> tuple[str, Head]:
        floor = self._heads.newest
        plain = self._trust.witnesses is None
        answer = self._get("/registry/head" if plain else "/registry/head?cosigned=true")
        with checked("the newest head"):
            note = answer.body.decode("utf-8")
            return note, self._heads.accept(note, floor=floor)

    def _fetch_consistency(self, first: int, second: int) -> Sequence[bytes]:
        query = urlencode({"first": first, "second": second})
        found = members(
            parse_json_object(self._get(f"/registry/log/consistency?{query}").body),
            "consistency proof",
            required=("first", "second", "path"),
        )
        return parse_path(found["path"], most=MAX_PATH)

    def _fetch_light_block(self, height: int) -> bytes:
        """A light block in between; a member that does not have it is passed over."""
        path = f"/registry/light-blocks/{height}"
        if isinstance(self._transport, MembersTransport):
            for _ in range(self._transport.count - 1):
                answer = self._transport.get(path)
                if answer.status == 200:
                    return answer.body
                self._transport.pass_over()
        return self._get(path).body

    def _from_any(self, ask: Callable[[], R], *, doubt: tuple[type[Refusal], ...] = ()) -> R:
        """What one member answers; where there are several, the next when it is not proven.

        Args:
            ask: asks, and checks what comes.
            doubt: refusals of which a second member's word is wanted, since none of them is proven.
        """
        if not isinstance(self._transport, MembersTransport):
            return ask()
        refused: Refusal | None = None
        for left in reversed(range(self._transport.count)):
            try:
                return ask()
            except NodeNotTrusted:
                self._transport.pass_over()
                if not left:
                    raise
            except doubt as refusal:
                if refused is not None or not left:
                    raise
                refused = refusal
                self._transport.pass_over()
        raise NodeNotTrusted("no member gave an answer that can be proven")

    def _get(self, path: str) -> Answer:
        answer = self._transport.get(path)
        if answer.status != 200:
            # A read with proof has no other good answer; a 404 would be an unproven absence.
            raise NodeUnreachable(f"the node answers {answer.status}")
        return answer


def _parsed(parse: Callable[[object], R], value: bytes) -> R:
    with checked("a record"):
        return parse(value)

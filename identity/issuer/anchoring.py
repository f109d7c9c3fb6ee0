"""Anchoring: every recorded copy comes under a Merkle root on the ledger, whatever crashes.

A batch goes from open to sealing to anchored, and never back. Its transaction is signed once and
stored before it is submitted, so a retry by any process submits the same bytes, and the ledger
answers the same receipt.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from identity.core.issuance import issued_at
from identity.core.parties import Agency
from identity.issuer.ledger_transactions import anchor_batch_transaction
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Batch, BatchState
from registry.core.anchors import BatchRecord
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    canonical_json,
    parse_json_object,
)
from registry.core.receipt import BatchTree, build_receipt, receipt_json
from registry.core.refusals import Malformed, NotFound, Refusal, Unavailable
from registry.core.sparse_map import parse_map_proof

MAX_CACHED_TREES = 32  # a tree of 2^16 leaves takes some 20 MB, most are far smaller


class NoSuchReceipt(NotFound):
    """This agency never issued a credential with that digest."""


class NotAnchoredYet(NotFound):
    """The credential is recorded; its batch is about to be sealed. Ask again."""


class NoSuchBatch(NotFound):
    """This agency anchored no such batch, or has not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealReport:
    """What one round of sealing did. `refusals` maps a batch to the kind of its refusal."""

    anchored: tuple[str, ...]
    refusals: dict[str, str]


class Sealer:
    """Seals open batches and finishes what another process, or a crash, left half done."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def seal_due(self, now: datetime) -> SealReport:
        """Seal every batch that is due; safe to call from any number of processes at once.

        A batch is due at once, or, where batches gather, when its stretch of time is over.

        A batch that fails does not keep the others waiting; it is tried again in the next round.
        """
        anchored: list[str] = []
        refusals: dict[str, str] = {}
        for slug, agency in self._parts.agencies.items():
            for batch in self._parts.batches.open_batches(slug):
                if self._is_due(slug, batch, now):
                    self._parts.batches.close(batch)
            for batch in self._parts.batches.unfinished(slug):
                try:
                    self._finish(agency, batch)
                except Refusal as error:
                    refusals[batch] = type(error).__name__
                else:
                    anchored.append(batch)
        return SealReport(anchored=tuple(anchored), refusals=refusals)

    def _is_due(self, slug: str, batch_id: str, now: datetime) -> bool:
        if not self._parts.gathers:
            return True
        batch = self._parts.batches.read_batch(slug, batch_id)
        if batch is None:
            return False
        return issued_at(now) > issued_at(datetime.fromtimestamp(batch.opened_at, UTC))

    def _finish(self, agency: Agency, batch_id: str) -> None:
        parts = self._parts
        batch = parts.batches.read_batch(agency.slug, batch_id)
        if batch is None or batch.state is not BatchState.SEALING:
            return  # another process has finished it
        raw = batch.transaction
        if raw is None:
            tree = BatchTree(parts.batches.digests(batch_id))
            raw = parts.batches.store_transaction(
                batch_id,
                anchor_batch_transaction(
                    agency,
                    network=parts.network,
                    batch=batch_id,
                    root=tree.root,
                    count=tree.count,
                    types=parts.batches.credential_types(batch_id),
                    random=parts.random,
                ),
            )
        parts.registry.submit(raw)
        proven = parts.registry.batch_proof(agency.did, batch_id)
        if proven is None:
            raise Unavailable("the ledger does not show the batch yet")
        parts.batches.finish(
            batch_id,
            canonical_json({"record": proven.record, "proof": proven.proof, "head": proven.head}),
        )


class Receipts:
    """Answers holders with receipts, and verifiers with whole batches."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._trees: OrderedDict[str, tuple[BatchTree, dict[bytes, int]]] = OrderedDict()

    def receipt(self, slug: str, digest_text: str) -> JsonObject:
        """The receipt of the copy with this digest (base64url).

        Raises:
            NoSuchReceipt: unknown here.
            NotAnchoredYet: its batch is not on the ledger yet.
        """
        agency = self._parts.agency(slug)
        try:
            digest = base64url_decode(digest_text)
        except Malformed as error:
            raise NoSuchReceipt("no credential with that digest was issued here") from error
        batch_id = self._parts.issuances.batch_of(slug, digest)
        if batch_id is None:
            raise NoSuchReceipt("no credential with that digest was issued here")
        batch = self._parts.batches.read_batch(agency.slug, batch_id)
        if batch is None or batch.proof_json is None:
            raise NotAnchoredYet("the credential's batch is not sealed yet")
        tree, places = self._tree(batch)
        index = places[digest]
        proven = parse_json_object(batch.proof_json)
        return receipt_json(
            build_receipt(
                digest=digest,
                index=index,
                path=tree.path(index),
                batch=BatchRecord.parse(proven["record"]),
                proof=parse_map_proof(proven["proof"]),
                head=proven["head"],
            )
        )

    def digests(self, slug: str, batch_id: str) -> list[bytes]:
        """All digests of an anchored batch, in the order of its leaves.

        A verifier fetches the whole batch, so nobody learns which credential it was shown.

        Raises:
            NoSuchBatch: unknown here, or not anchored yet.
        """
        self._parts.agency(slug)
        batch = self._parts.batches.read_batch(slug, batch_id)
        if batch is None or batch.state is not BatchState.ANCHORED:
            raise NoSuchBatch("no such batch was anchored here")
        return list(self._tree(batch)[1])

    def _tree(self, batch: Batch) -> tuple[BatchTree, dict[bytes, int]]:
        """Tree and places of an anchored batch; it never changes again, so it may be kept."""
        with self._lock:
            if batch.batch in self._trees:
                self._trees.move_to_end(batch.batch)
                return self._trees[batch.batch]
        digests = self._parts.batches.digests(batch.batch)
        made = BatchTree(digests), {digest: index for index, digest in enumerate(digests)}
        with self._lock:
            self._trees[batch.batch] = made
            while len(self._trees) > MAX_CACHED_TREES:
                self._trees.popitem(last=False)
        return made

"""Anchor receipts: proof, without asking anybody, that a digest was anchored, by whom and when.

A receipt leads from a salted credential digest through its issuer's batch and the state of the
ledger to a head that the consortium signed. Its holder staples it to the credential; its reader
needs nothing but a trust anchor. It says who anchored, for which credential types and at what
height; whether that issuer was accredited then is a question of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.anchors import MAX_BATCH, BatchRecord
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, parse_head, verify_head
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.fields import choice, integer, members, octets
from registry.core.log_tree import LogTree, WholeTree
from registry.core.merkle_log import leaf_hash, verify_inclusion
from registry.core.network import parse_network_name
from registry.core.proofs import HASH_BYTES, NotProven, are_hashes, parse_path, path_json
from registry.core.records import batch_key
from registry.core.refusals import Malformed
from registry.core.signed_note import MAX_NOTE_BYTES
from registry.core.sparse_map import MapProof, map_proof_json, parse_map_proof, verify_map_proof

TYPE = "cairn-anchor-receipt/1"

MAX_BATCH_PATH = MAX_BATCH.bit_length()  # hashes; a full batch needs one less


class AnchorNotProven(NotProven):
    """The receipt is about another digest, network or batch, or contradicts itself."""


class BatchTree:
    """The tree over the digests of one batch: its root, and the path of each digest."""

    def __init__(self, digests: Sequence[bytes]) -> None:
        """Build the tree over `digests`, 32 bytes each, in the order they have in the batch.

        Raises:
            Malformed: none, more than `MAX_BATCH`, or one of another length.
        """
        if not 1 <= len(digests) <= MAX_BATCH or not are_hashes(*digests):
            raise Malformed(f"a batch has 1 to {MAX_BATCH} digests of {HASH_BYTES} bytes")
        leaves = [leaf_hash(digest) for digest in digests]
        self._tree = LogTree(WholeTree(leaves), len(leaves))
        self.count = len(leaves)
        self.root = self._tree.root()

    def path(self, index: int) -> tuple[bytes, ...]:
        """Path from digest number `index` to the root, lowest level first.

        Raises:
            NotInLog: there is no such digest.
        """
        return tuple(self._tree.inclusion_path(index))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorReceipt:
    """Unverified: what a holder shows to prove that a digest was anchored."""

    network: str
    digest: bytes  # 32 bytes
    index: int  # of the digest in its batch
    path: tuple[bytes, ...]  # from the digest to the batch root, lowest level first
    batch: BatchRecord
    proof: MapProof  # that the state holds `batch`
    head: str  # signed checkpoint over that state


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAnchor:
    """A digest was anchored: by whom, for which credential types, and when."""

    issuer: str  # DID
    batch: str  # id of the batch
    types: tuple[str, ...]
    height: int  # of the block that anchored it
    time: int  # Unix seconds, of that block
    head: Head  # the signed head it was proved under


def build_receipt(
    *,
    digest: bytes,
    index: int,
    path: Sequence[bytes],
    batch: BatchRecord,
    proof: MapProof,
    head: str,
) -> AnchorReceipt:
    """Put a receipt together, and check all of it but the signatures before it is handed out.

    Args:
        digest: the anchored digest, 32 bytes.
        index: its place in the batch.
        path: `BatchTree.path(index)`.
        batch: the record that the ledger holds.
        proof: proof of that record in the state of `head`.
        head: the checkpoint over that state; the caller has verified it.

    Raises:
        NotProven: any part does not prove what it should.
        Malformed: the head is no checkpoint.
    """
    claimed = parse_head(head).claimed
    receipt = AnchorReceipt(
        network=claimed.network,
        digest=digest,
        index=index,
        path=tuple(path),
        batch=batch,
        proof=proof,
        head=head,
    )
    _verify_links(receipt, claimed)
    return receipt


def verify_receipt(
    receipt: AnchorReceipt, *, digest: bytes, anchor: AnyTrustAnchor, now: int
) -> VerifiedAnchor:
    """Check that the consortium's ledger holds `digest` in a batch of the receipt's issuer.

    Steps:

    1. The receipt is of the trust anchor's network.
    2. It is about this digest.
    3. Its head is of the same network, and `verify_head` believes it.
    4. The batch record is of an issuer of this network, and no younger than the head.
    5. The digest is number `index` of the batch's `count`, under the batch's root.
    6. The map proof is about the key "batch/<issuer>/<batch>" of just this record, and shows the
       record, byte for byte, under the head's state root.

    Args:
        receipt: as `parse_receipt` made it.
        digest: the digest that the caller computed from the credential itself, 32 bytes.
        anchor: what the caller trusts.
        now: Unix seconds, by the caller's clock.

    Raises:
        NotProven: any step fails.
        Malformed: the head is no checkpoint.
    """
    if receipt.network != anchor.network:  # 1
        raise AnchorNotProven("receipt is of another network")
    if not are_hashes(digest) or receipt.digest != digest:  # 2
        raise AnchorNotProven("receipt is about another digest")
    head = verify_head(receipt.head, anchor, now=now)  # 3
    _verify_links(receipt, head)  # 4 to 6
    return VerifiedAnchor(
        issuer=receipt.batch.issuer,
        batch=receipt.batch.batch,
        types=receipt.batch.types,
        height=receipt.batch.height,
        time=receipt.batch.time,
        head=head,
    )


def parse_receipt(value: object) -> AnchorReceipt:
    """Read a receipt from its JSON form.

    Raises:
        Malformed: a member is missing, unknown or not of its form. The head is only bounded here;
            `verify_receipt` reads it.
    """
    found = members(
        value,
        "anchor receipt",
        required=("type", "network", "digest", "index", "path", "batch", "proof", "head"),
    )
    choice(found["type"], "type", [TYPE])
    head = found["head"]
    if not isinstance(head, str) or len(head) > MAX_NOTE_BYTES:
        raise Malformed("head is no string, or too long")
    return AnchorReceipt(
        network=parse_network_name(found["network"]),
        digest=octets(found["digest"], "digest", size=HASH_BYTES),
        index=integer(found["index"], "index", high=MAX_BATCH - 1),
        path=parse_path(found["path"], most=MAX_BATCH_PATH),
        batch=BatchRecord.parse(found["batch"]),
        proof=parse_map_proof(found["proof"]),
        head=head,
    )


def receipt_json(receipt: AnchorReceipt) -> JsonObject:
    """The JSON form of a receipt; `parse_receipt` reads it."""
    return {
        "type": TYPE,
        "network": receipt.network,
        "digest": base64url_encode(receipt.digest),
        "index": receipt.index,
        "path": path_json(receipt.path),
        "batch": receipt.batch.to_object(),
        "proof": map_proof_json(receipt.proof),
        "head": receipt.head,
    }


def _verify_links(receipt: AnchorReceipt, head: Head) -> None:
    """Steps 4 to 6 of `verify_receipt`."""
    batch = receipt.batch
    # 4
    if not batch.issuer.startswith(f"did:cairn:{head.network}:"):
        raise AnchorNotProven("batch is of an issuer of another network")
    if batch.height > head.height or batch.time > head.time:
        raise AnchorNotProven("batch is younger than the head")
    # 5
    verify_inclusion(
        leaf=leaf_hash(receipt.digest),
        index=receipt.index,
        tree_size=batch.count,
        path=receipt.path,
        root=batch.root,
    )
    # 6
    key = batch_key(batch.issuer, batch.batch)
    verify_map_proof(receipt.proof, key=key, value=batch.encode(), root=head.state_root)

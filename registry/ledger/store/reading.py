"""Checked reads: every row that is served, or that decides something, leads to a signed head.

One flipped bit in the file shows here, as a hash or a signature that does not fit, before the
data that it touches is used. The refusal names the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.checkpoint import Head, parse_head
from registry.core.hashing import sha256
from registry.core.log_tree import LogNodeMissing, LogTree
from registry.core.merkle_log import leaf_hash, verify_consistency, verify_inclusion
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed
from registry.core.signed_note import VerifierKey, verify_note
from registry.core.sparse_map import (
    MapProof,
    MapStoreDamaged,
    find,
    prove,
    verify_map_proof,
)
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.rows import Rows


@dataclass(frozen=True, slots=True)
class SealedHead:
    """A head whose signature has been checked, with the text that carries it."""

    head: Head
    note: str


def check_head(note: str, *, network: str, keys: Sequence[VerifierKey], where: str) -> SealedHead:
    """Check a stored head.

    Raises:
        LedgerDamaged: it does not parse, is of another network, or none of `keys` signed it.
    """
    try:
        unverified = parse_head(note)
        verify_note(unverified.note, keys=keys, threshold=1)
    except (Malformed, NotProven) as error:
        raise LedgerDamaged(f"{where} is damaged, or signed by a key we do not know") from error
    if unverified.claimed.network != network:
        raise LedgerDamaged(f"{where} is of another network")
    return SealedHead(unverified.claimed, note)


def proven_value(rows: Rows, key: str, head: Head) -> tuple[bytes | None, MapProof]:
    """What the state of `head` holds under `key`, with the proof, which has been checked.

    Raises:
        Malformed: no key.
        LedgerDamaged: value or proof do not fit the state root.
    """
    try:
        proof = prove(head.state_root, key, rows)
        value = rows.value(key, head.height)
        verify_map_proof(proof, key=key, value=value, root=head.state_root)
    except (MapStoreDamaged, NotProven) as error:
        raise LedgerDamaged(f"record {key} does not fit the state at {head.height}") from error
    return value, proof


@dataclass(frozen=True, slots=True)
class CheckedState:
    """The state of one head, as `registry.core.records.StateReader`."""

    rows: Rows
    head: Head

    def get(self, key: str) -> bytes | None:
        """The bytes under `key`, after comparison with the state map.

        Raises:
            LedgerDamaged: they do not fit.
        """
        try:
            value_hash = find(self.head.state_root, key, self.rows)
        except MapStoreDamaged as error:
            raise LedgerDamaged(f"the state map is damaged on the way to {key}") from error
        value = self.rows.value(key, self.head.height)
        if value_hash != (None if value is None else sha256(value)):
            raise LedgerDamaged(f"record {key} does not fit the state at {self.head.height}")
        return value


def checked_entries(rows: Rows, start: int, count: int) -> list[bytes]:
    """Log entries, each compared with its leaf.

    Raises:
        LedgerDamaged: one does not fit.
    """
    entries = rows.entries(start, count)
    for index, entry in enumerate(entries, start):
        if rows.node(0, index) != leaf_hash(entry):
            raise LedgerDamaged(f"log entry {index} does not fit its leaf")
    return entries


def check_log_root(rows: Rows, head: Head) -> None:
    """Compare the stored nodes on the log's right edge with the signed root.

    These are the very nodes that the next append builds on.

    Raises:
        LedgerDamaged: they do not fit.
    """
    try:
        root = LogTree(rows, head.tree_size).root()
    except LogNodeMissing as error:
        raise LedgerDamaged(error.detail) from error
    if root != head.log_root:
        raise LedgerDamaged(f"the log's nodes do not fit its root at size {head.tree_size}")


def proven_inclusion(rows: Rows, index: int, head: Head) -> tuple[bytes, tuple[bytes, ...]]:
    """Leaf hash and path of entry `index` in the log of `head`, checked.

    Raises:
        NotInLog: that log has no such entry.
        LedgerDamaged: leaf or path do not fit the signed root.
    """
    tree = LogTree(rows, head.tree_size)
    try:
        leaf = tree.leaf(index)
        path = tree.inclusion_path(index)
        verify_inclusion(
            leaf=leaf, index=index, tree_size=head.tree_size, path=path, root=head.log_root
        )
    except (LogNodeMissing, NotProven) as error:
        raise LedgerDamaged(f"the log's nodes around entry {index} are damaged") from error
    return leaf, tuple(path)


def proven_consistency(rows: Rows, first: Head, second: Head) -> tuple[bytes, ...]:
    """Path from the log of `first` to that of `second`, checked.

    Raises:
        NotInLog: `first` is larger.
        LedgerDamaged: the path does not fit the signed roots.
    """
    try:
        path = LogTree(rows, second.tree_size).consistency_path(first.tree_size)
        verify_consistency(
            first=first.tree_size,
            second=second.tree_size,
            first_root=first.log_root,
            second_root=second.log_root,
            path=path,
        )
    except (LogNodeMissing, NotProven) as error:
        raise LedgerDamaged(
            f"the log's nodes do not lead from size {first.tree_size} to {second.tree_size}"
        ) from error
    return tuple(path)

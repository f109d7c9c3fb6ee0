"""A ledger of many records, made quickly: through the functions of the core, not through its rules.

The rules would take a signature for every record. Here one block puts all of them into the state,
with as many log entries; heads, roots and proofs are those that the engine would have made.
"""

from itertools import islice
from pathlib import Path

import apsw

from registry.core.anchors import BatchRecord
from registry.core.checkpoint import Head, sign_head
from registry.core.encoding import base64url_encode
from registry.core.hashing import sha256
from registry.core.log_tree import LogTree, appended_nodes
from registry.core.merkle_log import leaf_hash
from registry.core.receipt import BatchTree
from registry.core.records import TransactionRecord, transaction_key
from registry.core.sparse_map import map_changes, update
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.store.rows import NodeCache, Rows
from tests.registry.authors import CREATED, NETWORK, UnsafeHeadSigner, genesis, root_author

BATCH = [sha256(b"digest %d" % number) for number in range(1000)]  # one anchored batch
_ROWS = 50_000  # written at once


def record_key(number: int) -> str:
    """The key of record `number`: that of a transaction, the commonest kind."""
    return transaction_key(sha256(b"record %d" % number).hex())


def batch_record() -> BatchRecord:
    """The batch that receipts are made for."""
    return BatchRecord(
        issuer=root_author().did,
        batch=base64url_encode(bytes(16)),
        root=BatchTree(BATCH).root,
        count=len(BATCH),
        types=("resident-identity",),
        height=1,
        time=CREATED,
    )


def open_ledger(path: Path) -> EmbeddedLedger:
    """The ledger at `path`, or a new one."""
    return EmbeddedLedger.open(
        path, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
    )


def make_ledger(path: Path, records: int) -> EmbeddedLedger:
    """A ledger with `records` records and log entries besides those of its genesis."""
    ledger = open_ledger(path)
    before = ledger._newest.head
    with ledger._database.writing() as db:
        rows = Rows(db, NodeCache())
        size = _add_log(rows, before.tree_size, records)
        values = {
            record_key(number): TransactionRecord(height=1, index=number).encode()
            for number in range(records - 1)
        }
        batch = batch_record()
        values[batch.key] = batch.encode()
        root, nodes = update(before.state_root, map_changes(values), rows)
        # In the order of their keys, rows fill one page after the other.
        _many(
            db,
            "INSERT INTO map_nodes (hash, node) VALUES (?, ?) ON CONFLICT DO NOTHING",
            sorted(nodes.items()),
        )
        del nodes
        _many(
            db,
            "INSERT INTO state (key, height, value) VALUES (?, 1, ?)",
            sorted((key.encode(), value) for key, value in values.items()),
        )
        head = Head(
            network=NETWORK,
            tree_size=size,
            log_root=LogTree(rows, size).root(),
            height=1,
            time=CREATED,
            state_root=root,
        )
        note = sign_head(head, [UnsafeHeadSigner()])
        rows.add_head(height=1, size=size, note=note)
        ledger._heads.prepare(expected=ledger._newest.note, head=note)
    ledger._heads.publish()
    ledger._database._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    ledger.close()
    return open_ledger(path)


def _add_log(rows: Rows, size: int, count: int) -> int:
    for start in range(0, count, _ROWS):
        entries = [b'{"entry":%d}' % number for number in range(start, min(count, start + _ROWS))]
        leaves = [leaf_hash(entry) for entry in entries]
        rows.add_log_nodes(appended_nodes(size=size, leaves=leaves, nodes=rows))
        rows.add_entries(size, entries)
        size += len(entries)
    return size


def _many(db: apsw.Connection, statement: str, values: list[tuple[bytes, bytes]]) -> None:
    left = iter(values)
    while part := list(islice(left, _ROWS)):
        db.executemany(statement, part)

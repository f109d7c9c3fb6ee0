"""Opening a ledger: a genesis for a new one, and for an old one the question whether it is whole.

What is compared: the genesis entry with the genesis we were given, the newest head with the stored
nodes, and the ledger with the head store. A ledger that is *ahead* of its head store lost power
between commit and publish, and catches up. One that is *behind* was restored from a backup: it
would sign a second history, so it is not opened.
"""

from collections.abc import Sequence

import apsw

from registry.core.checkpoint import HeadSigner, sign_head
from registry.core.genesis import Genesis
from registry.core.records import NETWORK_KEY
from registry.core.signed_note import VerifierKey
from registry.ledger.embedded.head_store import HeadStore
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.database import Database, Layout, LedgerNotOpened
from registry.ledger.store.reading import (
    CheckedState,
    SealedHead,
    check_head,
    check_log_root,
    checked_entries,
)
from registry.ledger.store.rows import NodeCache, Rows
from registry.ledger.store.writing import (
    FinishedBlock,
    finish,
    genesis_block,
    genesis_entry,
    write,
)

LAYOUT = Layout(application_id=0x4341524E)  # "CARN"


def seal(rows: Rows, block: FinishedBlock, signer: HeadSigner) -> SealedHead:
    """Write a block and its signed head; the caller commits.

    Raises:
        Unavailable: the signer cannot reach its key.
    """
    note = sign_head(block.head, [signer])
    write(rows, block)
    rows.add_head(height=block.head.height, size=block.head.tree_size, note=note)
    return SealedHead(block.head, note)


def recover(
    database: Database,
    heads: HeadStore,
    cache: NodeCache,
    *,
    genesis: Genesis,
    signer: HeadSigner,
    keys: Sequence[VerifierKey],
) -> SealedHead:
    """The newest head of a ledger that is whole, after which it may be written to.

    Raises:
        LedgerNotOpened: another genesis, behind the head store, or a disk that does not take it.
        LedgerDamaged: the stored rows do not fit the newest head.
    """
    try:
        stored = heads.read()
        with database.reading() as db:
            height = Rows(db, cache).newest_height()
        if height is None:
            if stored is not None:
                raise LedgerNotOpened(
                    f"{database.path.name} is empty, but {heads.path.name} knows a head: the "
                    "ledger file is lost or was replaced"
                )
            newest = _begin(database, heads, cache, genesis=genesis, signer=signer)
            heads.publish()
        else:
            with database.reading() as db:
                rows = Rows(db, cache)
                newest = _examine(rows, height, genesis=genesis, keys=keys)
                if stored is not None:
                    _compare(rows, newest, stored, heads=heads, keys=keys)
                elif height > 0:
                    raise LedgerNotOpened(
                        f"{heads.path.name} is missing: whether {database.path.name} was restored "
                        "from an old backup cannot be told"
                    )
            if stored != newest.note:
                heads.prepare(expected=stored, head=newest.note)
                heads.publish()
        database.move_pages()
    except (OSError, apsw.Error) as error:
        raise LedgerNotOpened(
            f"opening {database.path.name} failed ({type(error).__name__})"
        ) from error
    return newest


def _begin(
    database: Database,
    heads: HeadStore,
    cache: NodeCache,
    *,
    genesis: Genesis,
    signer: HeadSigner,
) -> SealedHead:
    """Write block 0."""
    with database.writing() as db:
        rows = Rows(db, cache)
        finished = finish(rows, genesis_block(genesis), network=genesis.network, newest=None)
        sealed = seal(rows, finished, signer)
        heads.prepare(expected=None, head=sealed.note)
    return sealed


def _examine(
    rows: Rows, height: int, *, genesis: Genesis, keys: Sequence[VerifierKey]
) -> SealedHead:
    """The newest head, after a look at what the next block builds on."""
    if checked_entries(rows, 0, 1) != [genesis_entry(genesis).encode()]:
        raise LedgerNotOpened("the ledger began with another genesis")
    note = rows.head(height)
    if note is None:
        raise LedgerDamaged(f"the head of height {height} is missing")
    newest = check_head(
        note, network=genesis.network, keys=keys, where=f"the head of height {height}"
    )
    if newest.head.height != height:
        raise LedgerDamaged(f"the head of height {height} is that of another height")
    check_log_root(rows, newest.head)
    CheckedState(rows, newest.head).get(NETWORK_KEY)
    return newest


def _compare(
    rows: Rows,
    newest: SealedHead,
    stored: str,
    *,
    heads: HeadStore,
    keys: Sequence[VerifierKey],
) -> None:
    """The head store's head must be one of this ledger's."""
    where = heads.path.name
    seen = check_head(stored, network=newest.head.network, keys=keys, where=where).head
    if seen.height > newest.head.height:
        raise LedgerNotOpened(
            f"the ledger stands at height {newest.head.height}, but {where} has seen height "
            f"{seen.height}: the ledger was restored from an old backup"
        )
    own = rows.head(seen.height)
    if own is None:
        raise LedgerDamaged(f"the head of height {seen.height} is missing")
    own_head = check_head(
        own, network=newest.head.network, keys=keys, where=f"the head of height {seen.height}"
    ).head
    if own_head != seen:
        raise LedgerNotOpened(
            f"the ledger and {where} have different heads at height {seen.height}: one of them "
            "belongs to another history"
        )

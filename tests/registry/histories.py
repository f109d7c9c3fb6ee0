"""Whole histories in memory, signed by the operator's own key, that lie where a test says."""

from dataclasses import dataclass, field, replace
from typing import Any

from registry.core.checkpoint import Head, parse_head, sign_head
from registry.core.did_actions import UpdateDid
from registry.core.genesis import genesis_changes
from registry.core.merkle_log import consistency_path, leaf_hash, root_of
from registry.core.records import Block
from registry.core.sparse_map import map_changes, map_root
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.ledger.entries import LogEntry
from tests.registry.authors import (
    CREATED,
    NETWORK,
    UnsafeHeadSigner,
    details_of,
    genesis,
    new_did,
)

SIGNER = UnsafeHeadSigner()


@dataclass
class History:
    """Entries, heads and state; `height` and time grow by one with each block."""

    raw_entries: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    state: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.state.get(key)

    def block(self, *raws: bytes, at: int | None = None, **lies: Any) -> None:
        """Apply transactions as the next block, and sign its head, with lies in it."""
        height = len(self.heads)
        at = CREATED + height if at is None else at
        for raw in raws:
            self.add(raw, height=height, time=at)
        self.sign(height, at, **lies)

    def add(self, raw: bytes, *, height: int, time: int) -> None:
        block = Block(height=height, time=time, index=len(self.raw_entries))
        self.state.update(apply(parse_transaction(raw), state=self, block=block))
        self.put(raw, height=height, time=time)

    def put(self, raw: bytes, *, height: int, time: int) -> None:
        """Add an entry that no rule has looked at."""
        self.raw_entries.append(LogEntry.encode_applied(height=height, time=time, raw=raw))

    def sign(self, height: int, time: int, /, **lies: Any) -> None:
        head = Head(
            network=NETWORK,
            tree_size=len(self.raw_entries),
            log_root=root_of([leaf_hash(entry) for entry in self.raw_entries]),
            height=height,
            time=time,
            state_root=map_root(map_changes(self.state)),
        )
        self.heads.append(sign_head(replace(head, **lies), [SIGNER]))

    def copy(self) -> "History":
        return History(list(self.raw_entries), list(self.heads), dict(self.state))

    # as HistorySource

    def head(self, height: int | None) -> str:
        return self.heads[-1 if height is None else height]

    def entries(self, start: int, count: int) -> list[bytes]:
        return self.raw_entries[start : start + min(count, 2)]

    # as a node

    def consistency(self, first: int, second: int) -> list[bytes]:
        leaves = [leaf_hash(entry) for entry in self.raw_entries[:second]]
        return consistency_path(leaves, first)

    @property
    def newest(self) -> Head:
        return parse_head(self.heads[-1]).claimed


def begun() -> History:
    """A history of its genesis alone."""
    history = History()
    made = genesis()
    history.raw_entries.append(
        LogEntry(height=0, time=CREATED, transaction=None, genesis=made.to_object()).encode()
    )
    history.state.update(genesis_changes(made))
    history.sign(0, CREATED)
    return history


def honest(blocks: int = 3) -> History:
    """Blocks of one or two transactions, of which some change a record again."""
    history = begun()
    raw, author = new_did("alice")
    history.block(raw, new_did("bob")[0])
    for number in range(1, blocks):
        history.block(
            author.transaction(UpdateDid(version=number, details=details_of(author.private)))
        )
    return history

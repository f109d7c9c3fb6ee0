"""Rows of the ledger file, each read with a check of its type and its length.

What a row says is checked by whoever reads it: values against the state root, entries against
their leaf, heads by their signature. Here is only what SQL needs, and a cache of map nodes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import apsw

from registry.core.log_tree import NodeId
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.database import single

MAX_CACHED_NODES = 100_000  # of about 200 bytes: the map's upper levels, read for every proof


class NodeCache:
    """Map nodes by hash, from any thread; a node never changes, so it is never stale."""

    def __init__(self) -> None:
        self._nodes: dict[bytes, bytes] = {}

    def get(self, node: bytes) -> bytes | None:
        """The encoded node, or None."""
        return self._nodes.get(node)

    def put(self, nodes: Mapping[bytes, bytes]) -> None:
        """Remember `nodes`; when there are too many, start anew."""
        if len(self._nodes) + len(nodes) > MAX_CACHED_NODES:
            self._nodes = {}
        self._nodes.update(nodes)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that one connection sees."""

    db: apsw.Connection
    cache: NodeCache

    def get(self, node: bytes, /) -> bytes | None:
        """As `registry.core.sparse_map.NodeStore.get`."""
        if (known := self.cache.get(node)) is not None:
            return known
        data = single(self.db, "SELECT node FROM map_nodes WHERE hash = ?", (node,))
        if not isinstance(data, bytes):
            return None
        self.cache.put({node: data})
        return data

    def node(self, level: int, index: int) -> bytes | None:
        """As `registry.core.log_tree.NodeReader.node`."""
        data = single(
            self.db, "SELECT hash FROM log_nodes WHERE level = ? AND idx = ?", (level, index)
        )
        return data if isinstance(data, bytes) else None

    def value(self, key: str, height: int) -> bytes | None:
        """What was last put under `key` at or below `height`, unchecked."""
        data = single(
            self.db,
            "SELECT value FROM state WHERE key = ? AND height <= ? ORDER BY height DESC LIMIT 1",
            (key.encode("utf-8"), height),
        )
        return data if isinstance(data, bytes) else None

    def value_put(self, key: str, height: int) -> bytes | None:
        """What was put under `key` at just this `height`, unchecked."""
        data = single(
            self.db,
            "SELECT value FROM state WHERE key = ? AND height = ?",
            (key.encode("utf-8"), height),
        )
        return data if isinstance(data, bytes) else None

    def entries(self, start: int, count: int) -> list[bytes]:
        """Entries `start` up to `start + count`, all of them, unchecked.

        Raises:
            LedgerDamaged: one is missing or no byte string.
        """
        rows = self.db.execute(
            "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ?", (start, start + count)
        )
        found = dict(list(rows))
        entries = []
        for index in range(start, start + count):
            if not isinstance(data := found.get(index), bytes):
                raise LedgerDamaged(f"log entry {index} is missing or damaged")
            entries.append(data)
        return entries

    def head(self, height: int) -> str | None:
        """The head of `height`, unverified."""
        data = single(self.db, "SELECT note FROM heads WHERE height = ?", (height,))
        return data.decode("utf-8", errors="replace") if isinstance(data, bytes) else None

    def height_of_size(self, size: int) -> int | None:
        """The height whose head has `size` entries."""
        height = single(self.db, "SELECT height FROM heads WHERE size = ?", (size,))
        return height if isinstance(height, int) else None

    def size_of_height(self, height: int) -> int | None:
        """How many entries there are under the head of `height`."""
        size = single(self.db, "SELECT size FROM heads WHERE height = ?", (height,))
        return size if isinstance(size, int) else None

    def newest_height(self) -> int | None:
        """The greatest height of all heads, None in a new file."""
        height = single(self.db, "SELECT max(height) FROM heads", ())
        return height if isinstance(height, int) else None

    def add_entries(self, start: int, entries: Iterable[bytes]) -> None:
        """Append log entries from index `start` on."""
        self.db.executemany(
            "INSERT INTO entries (idx, data) VALUES (?, ?)", enumerate(entries, start)
        )

    def add_log_nodes(self, nodes: Mapping[NodeId, bytes]) -> None:
        """Store nodes of the log."""
        self.db.executemany(
            "INSERT INTO log_nodes (level, idx, hash) VALUES (?, ?, ?)",
            ((level, index, node) for (level, index), node in nodes.items()),
        )

    def add_map_nodes(self, nodes: Mapping[bytes, bytes]) -> None:
        """Store nodes of the state map; one that an older version had already stays."""
        self.db.executemany(
            "INSERT INTO map_nodes (hash, node) VALUES (?, ?) ON CONFLICT DO NOTHING",
            nodes.items(),
        )

    def add_values(self, height: int, values: Mapping[str, bytes]) -> None:
        """Store what a block put into the state."""
        self.db.executemany(
            "INSERT INTO state (key, height, value) VALUES (?, ?, ?)",
            ((key.encode("utf-8"), height, value) for key, value in values.items()),
        )

    def add_head(self, *, height: int, size: int, note: str) -> None:
        """Store a signed head."""
        self.db.execute(
            "INSERT INTO heads (height, size, note) VALUES (?, ?, ?)",
            (height, size, note.encode("utf-8")),
        )

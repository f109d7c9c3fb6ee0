"""One flipped bit in a ledger file: found before affected data is served, or proven harmless.

Each flip ends in one of these ways, anything else is a failure:

- "not opened": the engine refuses the file;
- "read refused": reading everything at the newest head, one read raises `LedgerDamaged`, and every
  other read answers as before;
- "older read refused": only a read at an older height needs that row, and it raises;
- "named by the audit": no read needs that row, and the audit names it;
- "unused": every row and every answer is that of the untouched twin.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from registry.audit import audit
from registry.core.checkpoint import Head, verify_head
from registry.core.refusals import Unavailable
from registry.core.sparse_map import prove
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.database import connect
from registry.ledger.store.rows import NodeCache, Rows
from tests.registry.authors import CREATED, UnsafeHeadSigner, genesis, trust_anchor
from tests.registry.core.heads import NOW

TABLES = {
    "entries": "idx",
    "log_nodes": "level, idx",
    "map_nodes": "hash",
    "state": "key, height",
    "heads": "height",
}
OUTCOMES = (
    "not opened",
    "read refused",
    "older read refused",
    "named by the audit",
    "unused",
)

Row = tuple[object, ...]


@dataclass
class FlipTally:
    """How the flips ended."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Twin:
    """The untouched ledger: its bytes, its answers, its rows, and who needs which map node."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.store = Path(f"{path}.head").read_bytes()
        self.rows = _dump(path)
        self.keys = sorted({str(bytes(row[0]), "utf-8") for row in self.rows["state"]})  # type: ignore[call-overload]
        ledger = _open(path)
        self.heads = [
            verify_head(ledger.head(height), trust_anchor(), now=NOW)
            for height in range(ledger.health().height + 1)
        ]
        self.answers = [call() for call in self.calls(ledger)]
        ledger.close()
        self.readers = _readers(path, self.heads, self.keys)

    def calls(self, ledger: EmbeddedLedger) -> Iterator[Callable[[], object]]:
        """Everything that can be asked about the newest state and the whole log."""
        size = self.heads[-1].tree_size
        for key in (*self.keys, "did/did:cairn:testnet:absent"):
            yield lambda key=key: ledger.read(key, prove=True)  # type: ignore[misc]
        for index in range(size):
            yield lambda index=index: ledger.entries(index, 1)  # type: ignore[misc]
            yield lambda index=index: ledger.inclusion(index, size)  # type: ignore[misc]
        for head in self.heads:
            yield lambda height=head.height: ledger.head(height)  # type: ignore[misc]
            yield lambda first=head.tree_size: ledger.consistency(first, size)  # type: ignore[misc]


def flip(twin: Twin, folder: Path, tally: FlipTally, *, count: int, seed: int) -> None:
    """Flip one bit at each of `count` places, each in a copy of its own."""
    places = random.Random(seed)
    for _ in range(count):
        place = places.randrange(8 * len(twin.data))
        site = folder / "site"
        site.mkdir()
        path = site / "ledger.db"
        data = bytearray(twin.data)
        data[place >> 3] ^= 1 << (place & 7)
        path.write_bytes(data)
        Path(f"{path}.head").write_bytes(twin.store)
        try:
            outcome = _outcome(twin, path)
        except Exception as error:
            tally.failures.append(f"bit {place}, seed {seed}: {type(error).__name__}: {error}")
        else:
            tally.outcomes[outcome] += 1
        shutil.rmtree(site)


def _outcome(twin: Twin, path: Path) -> str:
    try:
        ledger = _open(path)
    except Unavailable:  # LedgerNotOpened or LedgerDamaged
        return "not opened"
    try:
        refused = 0
        for call, expected in zip(twin.calls(ledger), twin.answers, strict=True):
            try:
                answer = call()
            except LedgerDamaged:
                refused += 1
            else:
                assert answer == expected, "an answer is wrong"
        if refused:
            return "read refused"
        try:
            rows = _dump(path)
        except (apsw.Error, UnicodeDecodeError):
            rows = {}
        if rows == twin.rows:
            return "unused"
        if _older_read_refuses(twin, rows, ledger):
            return "older read refused"
    finally:
        ledger.close()
    report = audit(path, trust=trust_anchor())
    assert report.fault is not None, "a damaged row is found by nobody"
    return "named by the audit"


def _older_read_refuses(twin: Twin, rows: dict[str, list[Row]], ledger: EmbeddedLedger) -> bool:
    """Whether reads that need the damaged rows refuse; all of them must, or have their answer."""
    refused = False
    for table in ("map_nodes", "state"):
        for row in set(twin.rows[table]) - set(rows.get(table, [])):
            if table == "state":
                key, height = str(bytes(row[0]), "utf-8"), int(str(row[1]))  # type: ignore[call-overload]
            elif (reader := twin.readers.get(bytes(row[0]))) is not None:  # type: ignore[call-overload]
                key, height = reader
            else:
                continue
            try:
                answer = ledger.read(key, prove=True, height=height)
            except LedgerDamaged:
                refused = True
            else:
                # Another copy of the row, in an index or a cache, may have answered rightly.
                assert answer.value == _value(twin, key, height), "an older answer is wrong"
    return refused


def _value(twin: Twin, key: str, height: int) -> bytes | None:
    found = [
        row for row in twin.rows["state"] if row[0] == key.encode() and int(str(row[1])) <= height
    ]
    value = found[-1][2] if found else None
    assert value is None or isinstance(value, bytes)
    return value


class _Watched:
    """A node store that remembers which nodes were asked for."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.seen = rows, set[bytes]()

    def get(self, node: bytes, /) -> bytes | None:
        self.seen.add(node)
        return self.rows.get(node)


def _readers(path: Path, heads: list[Head], keys: list[str]) -> dict[bytes, tuple[str, int]]:
    """For every map node one read that needs it."""
    found: dict[bytes, tuple[str, int]] = {}
    db = connect(path, write=False)
    watched = _Watched(Rows(db, NodeCache()))
    for head in heads:
        for key in keys:
            watched.seen.clear()
            prove(head.state_root, key, watched)
            for node in watched.seen:
                found.setdefault(node, (key, head.height))
    db.close()
    return found


def _dump(path: Path) -> dict[str, list[Row]]:
    db = connect(path, write=False)
    try:
        return {
            table: list(db.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY {order}"))
            for table, order in TABLES.items()
        }
    finally:
        db.close()


def _open(path: Path) -> EmbeddedLedger:
    return EmbeddedLedger.open(
        path, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
    )

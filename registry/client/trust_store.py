"""How far a consortium's validators were followed, in a file that outlives the process.

The file holds one anchor for each network. It is moved forward by compare-and-swap, so several
processes may share it, and none can take another one back. Who can write to it can choose whom the
reader believes, as with the pinned anchor itself (`docs/trust.md`).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from registry.core.consortium_anchor import (
    ConsortiumAnchor,
    consortium_anchor_json,
    parse_consortium_anchor,
)
from registry.core.encoding import canonical_json, parse_json
from registry.core.refusals import Conflict, Refusal, Unavailable

BUSY_TIMEOUT_MS = 5_000
APPLICATION_ID = 0x434E5453  # "CNTS"

_TABLE = """
CREATE TABLE anchors (network TEXT PRIMARY KEY, anchor TEXT NOT NULL) STRICT;
"""


class TrustStoreFailed(Unavailable):
    """The followed anchor cannot be read, written or believed; nothing is verified with it."""


class AnotherRegistry(Conflict):
    """The file follows another chain, or other roots, than the pinned anchor names."""


class FileTrustStore:
    """As `registry.client.trust.TrustStore`, in an SQLite file. Any thread, any process."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it.

        Raises:
            TrustStoreFailed: it is not such a file, or cannot be opened.
        """
        self._lock = threading.Lock()
        with _failures():
            self._db = apsw.Connection(os.fspath(path))
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def load(self, pinned: ConsortiumAnchor) -> ConsortiumAnchor:
        """As `TrustStore.load`.

        Raises:
            TrustStoreFailed: what is kept cannot be read.
            AnotherRegistry: it is of another registry than the pinned anchor.
        """
        with self._lock, _failures():
            kept = self._read(pinned.network)
        if kept is None:
            return pinned
        _check_same(pinned, kept)
        return kept if kept.newest.height > pinned.newest.height else pinned

    def swap(self, expected: ConsortiumAnchor, moved: ConsortiumAnchor) -> ConsortiumAnchor:
        """As `TrustStore.swap`. The first one for a network needs nothing to be kept.

        Raises:
            TrustStoreFailed: it cannot be read or written; nothing changed.
            AnotherRegistry: what is kept is of another registry.
        """
        _check_same(expected, moved)
        with self._lock, _failures():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                kept = self._read(expected.network)
                if kept is not None:
                    _check_same(expected, kept)
                # A pinned anchor that is newer than what is kept counts as kept.
                is_behind = kept is None or kept.newest.height <= expected.newest.height
                if is_behind:
                    self._db.execute(
                        "INSERT INTO anchors VALUES (?, ?) "
                        "ON CONFLICT DO UPDATE SET anchor = excluded.anchor",
                        (moved.network, canonical_json(consortium_anchor_json(moved)).decode()),
                    )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        return moved if is_behind or kept is None else kept

    def _read(self, network: str) -> ConsortiumAnchor | None:
        found = self._db.execute("SELECT anchor FROM anchors WHERE network = ?", (network,)).get
        if found is None:
            return None
        try:
            return parse_consortium_anchor(parse_json(str(found)))
        except Refusal as refusal:
            raise TrustStoreFailed(f"the followed anchor is damaged: {refusal.detail}") from refusal

    def _prepare(self) -> None:
        db = self._db
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        journal = db.pragma("journal_mode", "delete")
        db.pragma("synchronous", 2)  # FULL: what is lost here is followed again
        if journal != "delete" or db.pragma("synchronous") != 2:
            raise TrustStoreFailed("SQLite does not take the durable settings")
        db.execute("BEGIN IMMEDIATE")
        application = db.pragma("application_id")
        if application == 0 and not db.execute("SELECT count(*) FROM sqlite_schema").get:
            db.execute(_TABLE)
            db.pragma("application_id", APPLICATION_ID)
        elif application != APPLICATION_ID:
            raise TrustStoreFailed("the file is not one of followed anchors")
        db.execute("COMMIT")


def _check_same(pinned: ConsortiumAnchor, other: ConsortiumAnchor) -> None:
    same = (pinned.network, pinned.rules.chain_id, set(pinned.roots))
    if same != (other.network, other.rules.chain_id, set(other.roots)):
        raise AnotherRegistry("what is kept is of another registry than the pinned anchor")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise TrustStoreFailed(
            f"the file of followed anchors failed ({type(error).__name__})"
        ) from error

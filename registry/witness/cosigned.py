"""The heads that have their quorum, in a file of the operator's."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import apsw

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, parse_head, verify_past_head
from registry.core.cosignature import verify_cosignatures
from registry.core.refusals import NotFound, Refusal, Unavailable

MAX_KEPT = 4096  # heads; a receipt carries its own, so older ones are only a convenience
BUSY_TIMEOUT_MS = 5_000
APPLICATION_ID = 0x434E4348  # "CNCH"

_TABLE = """
CREATE TABLE heads (height INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
"""


class HeadNotCosigned(Unavailable):
    """Pending: the head has not got its quorum of witnesses yet. Ask again."""


class NotWitnessed(NotFound):
    """This registry has no witnesses to ask."""


class CosignedHeads(Protocol):
    """Where the API finds heads with their quorum."""

    def cosigned(self, height: int | None) -> str:
        """The head of a height with its co-signatures; None for the newest that has them.

        Raises:
            HeadNotCosigned: it has not got its quorum, or is not kept any more.
        """
        ...


class CosignedHeadStore:
    """Keeps heads that verify under a trust anchor with witnesses, and no others. Any thread."""

    def __init__(self, path: Path, trust: AnyTrustAnchor) -> None:
        """Open the file at `path`, or make it.

        Raises:
            Unavailable: it is not such a file, or cannot be read.
        """
        if trust.witnesses is None:
            raise NotWitnessed("the trust anchor names no witnesses")
        self._trust = trust
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

    def keep(self, note: str) -> Head:
        """Keep a head that has its quorum.

        Raises:
            HeadNotWitnessed: it has not.
            NotProven, Malformed: it is no head of the network.
            Unavailable: it cannot be written.
        """
        head = self._verified(note)
        with self._lock, _failures():
            self._db.execute(
                "INSERT INTO heads VALUES (?, ?) ON CONFLICT DO UPDATE SET note = excluded.note",
                (head.height, note),
            )
            self._db.execute(
                "DELETE FROM heads WHERE height NOT IN "
                "(SELECT height FROM heads ORDER BY height DESC LIMIT ?)",
                (MAX_KEPT,),
            )
        return head

    def cosigned(self, height: int | None) -> str:
        """As `CosignedHeads.cosigned`. What is read is verified again: the file may be damaged."""
        with self._lock, _failures():
            found = (
                self._db.execute("SELECT note FROM heads ORDER BY height DESC LIMIT 1").get
                if height is None
                else self._db.execute("SELECT note FROM heads WHERE height = ?", (height,)).get
            )
        if found is None:
            raise HeadNotCosigned("pending: the witnesses have not co-signed this head yet")
        note = str(found)
        try:
            head = self._verified(note)
        except Refusal as refusal:
            raise HeadNotCosigned("pending: the stored head is damaged or of others") from refusal
        if height is not None and head.height != height:
            raise HeadNotCosigned("pending: the stored head is of another height")
        return note

    def _verified(self, note: str) -> Head:
        """The head, which has its quorum. It is of our own ledger: time does not matter."""
        assert self._trust.witnesses is not None
        head = verify_past_head(note, self._trust)
        verify_cosignatures(parse_head(note).note, self._trust.witnesses)
        return head

    def _prepare(self) -> None:
        db = self._db
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        db.pragma("journal_mode", "delete")
        db.pragma("synchronous", 2)  # FULL: what is lost here can be asked for again
        db.execute("BEGIN IMMEDIATE")
        application = db.pragma("application_id")
        if application == 0 and not db.execute("SELECT count(*) FROM sqlite_schema").get:
            db.execute(_TABLE)
            db.pragma("application_id", APPLICATION_ID)
        elif application != APPLICATION_ID:
            raise Unavailable("the file is not one of co-signed heads")
        db.execute("COMMIT")


class Heads(Protocol):
    """Where heads come from, as an export reads them."""

    def head(self, height: int | None) -> str:
        """The head of a height as checkpoint text; None for the newest."""
        ...

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """Log entries."""
        ...


@dataclass(frozen=True, slots=True)
class WithCosignatures:
    """A source of history whose heads carry the co-signatures that they have."""

    source: Heads
    store: CosignedHeads

    def head(self, height: int | None) -> str:
        """The source's head, co-signed where its quorum is there."""
        note = self.source.head(height)
        claimed = parse_head(note).claimed
        try:
            cosigned = self.store.cosigned(claimed.height)
        except HeadNotCosigned:
            return note
        return cosigned if parse_head(cosigned).claimed == claimed else note

    def entries(self, start: int, count: int) -> Sequence[bytes]:
        """As the source has them."""
        return self.source.entries(start, count)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise Unavailable(f"co-signed heads cannot be read ({type(error).__name__})") from error

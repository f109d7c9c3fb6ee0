"""Replays a ledger from its genesis and recomputes every root, trusting nothing but the anchor.

The same rules that wrote the ledger read it again: `registry.core.transitions`. The first thing
that does not fit is named, and the audit ends there, since everything after it stands on it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from registry.audit_source import AuditSource, FileSource, PortSource
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, verify_unwitnessed_head
from registry.core.refusals import Refusal
from registry.ledger.port import Ledger
from registry.replay import HistoryFault, Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit saw. `fault` names the first wrong record; None means that all of it fits."""

    fault: str | None
    entries: int  # replayed without fault
    height: int | None  # of the last block without fault
    records: int  # in the state, each compared with what is stored; 0 when there is a fault
    head: Head | None  # the newest, when there is no fault

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.fault is None


def audit(
    ledger: Path | Ledger | AuditSource,
    *,
    trust: AnyTrustAnchor,
    clock: Callable[[], float] = time.time,
) -> AuditReport:
    """Replay a ledger and compare all of it.

    Steps, for each block in order:

    1. Its entries are canonical; they name its height and its time.
    2. Entry 0 is a genesis, whose members are the anchor's roots. Every other entry is a
       transaction that the rules accept in the state before it.
    3. Log root and state root are those of its head, which is signed (`verify_past_head`), and
       which follows the head before.
    4. What it changed is stored, also where a later block changed it again: history is proven too.

    And at the end:

    5. The newest head, which the anchor's keys or validators signed, ends the log.
    6. Every record of the state is stored as the replay made it, and nothing damaged its proof.
    7. Nothing is hidden: of a file, every page has its place (SQLite's own check).

    Args:
        ledger: a ledger file, also one that is in use; an engine; or another source.
        trust: whose heads are believed.
        clock: Unix seconds; a consortium's anchor does not hold for ever.
    """
    if isinstance(ledger, Path):
        try:
            with FileSource.open(ledger) as file:
                return audit(file, trust=trust, clock=clock)
        except Refusal as refusal:
            return AuditReport(fault=refusal.detail, entries=0, height=None, records=0, head=None)
    source = ledger if isinstance(ledger, AuditSource) else PortSource(ledger)
    replay = Replay(trust)
    run = _Audit(source, replay, int(clock()))
    try:
        head = run.run()
    except Refusal as refusal:
        return run.report(refusal.detail)
    return AuditReport(
        fault=None,
        entries=replay.log.size,
        height=head.height,
        records=len(replay.state),
        head=head,
    )


@dataclass(slots=True)
class _Audit:
    source: AuditSource
    replay: Replay
    now: int  # Unix seconds
    good: Head | None = None  # of the last block whose records are stored as they must be

    def report(self, fault: str) -> AuditReport:
        """The report of an audit that ended early."""
        return AuditReport(
            fault=fault,
            entries=self.good.tree_size if self.good else 0,
            height=self.good.height if self.good else None,
            records=0,
            head=None,
        )

    def run(self) -> Head:
        replay = self.replay
        newest = verify_unwitnessed_head(self.source.head(None), replay.trust, now=self.now)
        while replay.log.size < newest.tree_size:
            batch = self.source.entries(replay.log.size, newest.tree_size - replay.log.size)
            if not batch:
                raise HistoryFault(f"log entry {replay.log.size} is missing")
            for data in batch:
                self._entry(data)
        self._close_block()
        if self.good != newest:  # 5
            raise HistoryFault(
                f"the newest head, of height {newest.height}, is not the end of the log"
            )
        for key, value in replay.state.items():  # 6
            if self.source.value(key, newest) != value:
                raise HistoryFault(f"record {key} is not stored as the replay made it")
        if (lost := self.source.lost_place()) is not None:  # 7
            raise HistoryFault(f"the file hides a part of itself: {lost}")
        return newest

    def _entry(self, data: bytes) -> None:
        """Steps 1 and 2."""
        entry = self.replay.parse(data)
        if self.replay.opens_block(entry):
            self._close_block()
        for (level, number), node in self.replay.add_entry(entry, data):
            if not self.source.has_log_node(level, number, node):
                raise HistoryFault(f"log node {number} of level {level} is missing or damaged")

    def _close_block(self) -> None:
        """Steps 3 and 4."""
        if self.replay.block is None:
            return
        height, _ = self.replay.block
        written = self.replay.block_writes()
        head = self.replay.close_block(self.source.head(height))  # 3
        for key, value in written.items():  # 4
            if not self.source.has_value(key, height, value):
                raise HistoryFault(
                    f"record {key} of height {height} is not stored as the replay made it"
                )
        for key_hash, node in self.replay.fresh.items():
            if not self.source.has_map_node(key_hash, node):
                raise HistoryFault(f"a node of the state of height {height} is missing or damaged")
        self.good = head

"""Replays what a registry has added since the last look, and remembers each stretch found right."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.core.checkpoint import Head, HeadForked, HeadWentBack, parse_head
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed
from registry.core.signed_note import MAX_NOTE_BYTES
from registry.ledger.port import MAX_ENTRIES
from registry.monitor.alarm import Alarm, Evidence, Kind
from registry.monitor.memory import Memory
from registry.monitor.node import Node
from registry.replay import HistoryFault, Replay, WrongLogRoot, WrongStateRoot

SAVE_HEADS = 1000  # remembered at once, so that a long first run goes on where it was ended

_KINDS: dict[type[Exception], Kind] = {
    WrongStateRoot: Kind.WRONG_STATE_ROOT,
    WrongLogRoot: Kind.REWRITE,
    HistoryFault: Kind.BAD_ENTRY,
    HeadForked: Kind.FORK,
    HeadWentBack: Kind.FORK,
    NotProven: Kind.UNSIGNED_HEAD,
    Malformed: Kind.UNSIGNED_HEAD,
}


@dataclass(slots=True)
class CatchUp:
    """A replay on its way to the newest head."""

    node: Node
    memory: Memory
    replay: Replay
    last_note: str | None  # the head the replay stands at
    grown_at: int  # remembered with what is new
    new_heads: int = 0
    _notes: dict[int, str] = field(default_factory=dict)  # accepted, not yet remembered
    _records: set[str] = field(default_factory=set)
    _served: dict[int, str] = field(default_factory=dict)  # heads fetched ahead
    _block: list[bytes] = field(default_factory=list)  # entries of the block that is open

    def run(self, note: str, newest: Head) -> None:
        """Replay up to `newest`, which `note` is the signed text of.

        Raises:
            Alarm: something does not fit. Blocks before it may have been remembered.
            NodeUnreachable: the registry does not answer.
            MemoryFailed: it cannot be remembered.
        """
        while self.replay.log.size < newest.tree_size:
            start = self.replay.log.size
            wanted = min(MAX_ENTRIES, newest.tree_size - start)
            batch = self.node.entries(start, wanted)
            if not batch:
                raise Alarm(
                    Kind.WITHHELD,
                    f"log entry {start} is not served, a signed head has {newest.tree_size}",
                    Evidence(heads=(note,)),
                )
            for data in batch:
                self._entry(data, newest)
        if self.replay.block is not None:
            self._close(newest)
        if self.replay.last != newest:
            raise Alarm(
                Kind.FORK,
                f"the newest head, of height {newest.height}, is not the end of the log",
                Evidence(heads=(*self._last_notes(), note)),
            )
        self._save()

    def _entry(self, data: bytes, newest: Head) -> None:
        try:
            entry = self.replay.parse(data)
            if self.replay.opens_block(entry):
                self._close(newest)
            self._block.append(data)
            self.replay.add_entry(entry, data)
        except HistoryFault as fault:
            height = self.replay.block[0] if self.replay.block else newest.height
            raise Alarm(
                Kind.BAD_ENTRY,
                fault.detail,
                Evidence(
                    heads=(*self._last_notes(), self._head(min(height, newest.height), newest)),
                    entries=tuple(self._block or [data]),
                ),
            ) from fault

    def _close(self, newest: Head) -> None:
        assert self.replay.block is not None
        height = self.replay.block[0]
        note = self._head(height, newest)
        self._records.update(self.replay.block_changes())
        try:
            self.replay.close_block(note)
        except (HistoryFault, NotProven, Malformed, HeadForked, HeadWentBack) as error:
            kind = next(kind for cause, kind in _KINDS.items() if isinstance(error, cause))
            raise Alarm(
                kind,
                error.detail,
                Evidence(heads=(*self._last_notes(), note), entries=tuple(self._block)),
            ) from error
        self.last_note = note
        self.new_heads += 1
        self._notes[height] = note
        self._block = []
        if len(self._notes) >= SAVE_HEADS:
            self._save()

    def _head(self, height: int, newest: Head) -> str:
        """The head of a height as it is served, fetched in runs."""
        if height not in self._served:
            if height > newest.height:
                raise Alarm(Kind.BAD_ENTRY, f"an entry of height {height} lies beyond the heads")
            heads: Sequence[str] = self.node.heads(height, newest.height - height + 1)
            if not heads:
                raise Alarm(
                    Kind.WITHHELD,
                    f"the head of height {height} is not served",
                    Evidence(heads=self._last_notes()),
                )
            self._served = dict(enumerate(heads, start=height))
        note = self._served[height]
        if len(note) > MAX_NOTE_BYTES:
            raise Alarm(Kind.UNSIGNED_HEAD, f"the head of height {height} is too long")
        return note

    def _last_notes(self) -> tuple[str, ...]:
        return () if self.last_note is None else (self.last_note,)

    def _save(self) -> None:
        if self._notes:
            assert parse_head(self._notes[max(self._notes)]).claimed == self.replay.last
            self.memory.save(
                self.replay,
                notes=self._notes,
                records=sorted(self._records),
                grown_at=self.grown_at,
            )
            self._notes, self._records = {}, set()

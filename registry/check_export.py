"""Checks an export: no network, no database, nothing but the file and a pinned trust anchor."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from registry.core.any_trust_anchor import AnyTrustAnchor, parse_trust_anchor
from registry.core.checkpoint import Head, parse_head, verify_unwitnessed_head
from registry.core.cosignature import HeadNotWitnessed, verify_cosignatures
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import choice, integer, members
from registry.core.refusals import Malformed, NotFound, Refusal
from registry.core.signed_note import MAX_NOTE_BYTES
from registry.export import END, ENTRY, HEAD, TYPE
from registry.ledger.entries import MAX_ENTRY_BYTES
from registry.replay import HistoryFault, Replay

# An entry is the longest thing on a line; a head with every newline escaped stays far below it.
MAX_LINE_BYTES = max(MAX_ENTRY_BYTES, 2 * MAX_NOTE_BYTES) + 64


class NoExportFile(NotFound):
    """There is no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check saw. `fault` names the first wrong line; None means that all of it fits."""

    fault: str | None
    entries: int  # replayed and covered by a head without fault
    heads: int
    records: int  # in the state after the last block; 0 when there is a fault
    head: Head | None  # the newest, when there is no fault
    witnessed: Head | None  # the newest with the quorum, when the trust anchor names witnesses

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.fault is None


def check_export(
    file: Path, *, trust: AnyTrustAnchor, clock: Callable[[], float] = time.time
) -> CheckReport:
    """Replay an export and recompute all of it.

    Steps, line by line:

    1. The line is canonical JSON of one of the four forms, in their order.
    2. The first names a trust anchor with the network and the roots of the given one, which alone
       is believed.
    3. Entries are applied by the rules, from the genesis on; each block ends with its head, signed
       (`verify_past_head`), with the log root and the state root of the replay. The last head is
       signed by the given anchor's keys or validators.
    4. When the given anchor names witnesses, at least one head has their quorum. It speaks for all
       heads before it; what comes after it is not witnessed yet.
    5. The last line has the counts and the SHA-256 of everything before it, and ends the file.

    Args:
        file: the export.
        trust: whose heads are believed; from another hand than the file.
        clock: Unix seconds; a consortium's anchor does not hold for ever.

    Raises:
        NoExportFile: there is no file to check.
    """
    check = _Check(trust, int(clock()))
    try:
        with file.open("rb") as opened:
            check.run(opened)
    except OSError as error:
        raise NoExportFile(f"there is no file {file.name} that can be read") from error
    except Refusal as refusal:
        return check.report(f"line {check.line}: {refusal.detail}")
    return check.report(None)


@dataclass(slots=True)
class _Check:
    trust: AnyTrustAnchor
    now: int  # Unix seconds
    line: int = 0
    heads: int = 0
    witnessed: Head | None = None
    newest: str = ""  # checkpoint text
    replay: Replay = field(init=False)

    def __post_init__(self) -> None:
        self.replay = Replay(self.trust)

    def report(self, fault: str | None) -> CheckReport:
        last = self.replay.last
        return CheckReport(
            fault=fault,
            entries=last.tree_size if last else 0,
            heads=self.heads,
            records=0 if fault else len(self.replay.state),
            head=None if fault else last,
            witnessed=None if fault else self.witnessed,
        )

    def run(self, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        lines = self._lines(file)
        self._begin(_take(lines, digest))
        while (data := next(lines, None)) is not None:
            if data.startswith(END):
                self._end(data, digest.hexdigest())
                if next(lines, None) is not None:
                    raise HistoryFault("something stands after the end")
                return
            digest.update(data + b"\n")
            self._body(data)
        self.line += 1
        raise HistoryFault("the file ends before its end line")

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        """Lines without their newline; each is counted before it is judged."""
        while data := file.readline(MAX_LINE_BYTES + 1):
            self.line += 1
            if len(data) > MAX_LINE_BYTES:
                raise Malformed(f"longer than {MAX_LINE_BYTES} bytes")
            if not data.endswith(b"\n"):
                raise Malformed("cut short: no newline at the end")
            yield data[:-1]

    def _begin(self, data: bytes) -> None:
        found = members(_canonical(data), "first line", required=("type", "trust_anchor"))
        choice(found["type"], "type", [TYPE])
        named = parse_trust_anchor(found["trust_anchor"])
        if (named.network, set(named.roots)) != (self.trust.network, set(self.trust.roots)):  # 2
            raise HistoryFault("the export is of another network than the trust anchor given")

    def _body(self, data: bytes) -> None:
        """Step 3."""
        if data.startswith(ENTRY) and data.endswith(b"}"):
            entry_bytes = data[len(ENTRY) : -1]
            entry = self.replay.parse(entry_bytes)
            if self.replay.opens_block(entry):
                raise HistoryFault(f"log entry {self.replay.log.size} comes before a missing head")
            self.replay.add_entry(entry, entry_bytes)
            return
        if not data.startswith(HEAD):
            raise Malformed("neither an entry nor a head nor the end")
        note = members(_canonical(data), "head line", required=("head",))["head"]
        if not isinstance(note, str):
            raise Malformed("the head is no string")
        if self.replay.block is None:
            raise HistoryFault("a head without entries before it")
        head = self.replay.close_block(note)
        self.heads += 1
        self.newest = note
        if self.trust.witnesses is not None:
            try:
                verify_cosignatures(parse_head(note).note, self.trust.witnesses)
                self.witnessed = head
            except HeadNotWitnessed:
                pass  # a later head may have the quorum; step 4 looks at the end

    def _end(self, data: bytes, digest: str) -> None:
        if self.replay.block is not None or self.replay.last is None:
            raise HistoryFault("the last block has no head, or there is no block")
        if self.trust.witnesses is not None and self.witnessed is None:  # 4
            raise HistoryFault("no head of the export has the quorum of the witnesses")
        verify_unwitnessed_head(self.newest, self.trust, now=self.now)
        end = members(_canonical(data), "last line", required=("end",))["end"]
        found = members(end, "end", required=("entries", "heads", "sha256"))
        counts = (integer(found["entries"], "entries"), integer(found["heads"], "heads"))
        if counts != (self.replay.log.size, self.heads):  # 5
            raise HistoryFault("the end counts other entries or heads than there are")
        if found["sha256"] != digest:
            raise HistoryFault("the digest of the file is another one: some byte was changed")


def _take(lines: Iterator[bytes], digest: "hashlib._Hash") -> bytes:
    data = next(lines, None)
    if data is None:
        raise Malformed("the file is empty")
    digest.update(data + b"\n")
    return data


def _canonical(data: bytes) -> JsonObject:
    value = parse_json_object(data, max_bytes=MAX_LINE_BYTES)
    if canonical_json(value) != data:
        raise Malformed("not canonical JSON")
    return value

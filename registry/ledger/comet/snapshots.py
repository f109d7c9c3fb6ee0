"""State sync: the whole ledger in chunks, for a member that joins without replaying every block.

A snapshot is the ledger up to one head: for each height the sealed head, the entries, and the
records that the block put. Nothing ever changes below a height, so a chunk covers a range of
heights and is the same in every later snapshot of this node. (Nodes keep different votes under one
head, so each node's snapshots are its own.)

Who restores believes none of it. He hashes the entries into the log and the records into the state
map, height by height, compares both roots with the head, and asks that the head be sealed by the
validators whom the state before it names. The last head must be the one that the engine's light
client vouched for. What he does not do is run the rules again; `cairn audit` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2

from registry.core.checkpoint import Head, parse_head
from registry.core.consortium_head import app_hash, read_evidence
from registry.core.genesis import Genesis
from registry.core.keys import PublicKey
from registry.core.light_client.commit import verify_commit
from registry.core.refusals import Malformed, Refusal
from registry.core.validators import POWER, validator_keys
from registry.ledger.comet.file import MadeHead, MemberFile, add_block, advance, begin, made_head
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.rows import Rows
from registry.ledger.store.writing import OpenBlock, finish, genesis_entry

FORMAT = 1
INTERVAL = 100  # ledger heights between snapshots
OFFERED = 2  # the newest ones; chunks are made from the ledger when they are asked for
CHUNK_BYTES = 1 << 20  # a chunk ends behind the block that makes it longer than this
MAX_CHUNK_BYTES = 15 << 20  # the engine carries 16 MiB
MAX_CHUNKS = 65_536
MAX_ITEM_BYTES = 1 << 20  # an entry, or a record

_LABEL = b"cairn/snapshot/v1\0"


class SnapshotRefused(Malformed):
    """The snapshot, or a chunk of it, is not what it must be."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is offered: up to which height of the engine, in which chunks."""

    engine_height: int
    digests: tuple[bytes, ...]  # SHA-256 of each chunk

    @property
    def hash(self) -> bytes:
        """What tells this snapshot from others of the same height."""
        return sha256(_LABEL + self.metadata).digest()

    @property
    def metadata(self) -> bytes:
        """The digests, one after the other."""
        return b"".join(self.digests)

    @classmethod
    def parse(
        cls, *, engine_height: int, format: int, chunks: int, hash: bytes, metadata: bytes
    ) -> "Snapshot":
        """Read an offer.

        Raises:
            SnapshotRefused: another format, or its parts do not fit each other.
        """
        digests = tuple(metadata[at : at + 32] for at in range(0, len(metadata), 32))
        found = cls(engine_height, digests)
        if (
            format != FORMAT
            or not 1 <= chunks <= MAX_CHUNKS
            or len(metadata) != 32 * chunks
            or found.hash != hash
            or engine_height < 1
        ):
            raise SnapshotRefused("the snapshot is not of a form that we know")
        return found


@dataclass(slots=True)
class SnapshotSource:
    """Snapshots of one member's ledger, made when they are asked for."""

    file: MemberFile
    interval: int = INTERVAL
    _full: list[tuple[int, int, bytes]] = field(default_factory=list)  # first, last, digest
    _offered: tuple[int, list[Snapshot]] = (0, [])  # up to which height of the ledger

    def offered(self) -> list[Snapshot]:
        """The newest snapshots, newest first."""
        with self.file.reading() as rows:
            newest = rows.newest_height() or 0
            top = newest - newest % self.interval
            if top != self._offered[0]:
                heights = range(top, max(top - OFFERED * self.interval, 0), -self.interval)
                found = [self._snapshot(rows, height) for height in heights]
                self._offered = (top, found)
        return self._offered[1]

    def chunk(self, engine_height: int, index: int) -> bytes:
        """A chunk of the snapshot of this height of the engine; empty when there is none."""
        with self.file.reading() as rows:
            height = rows.db.execute(
                "SELECT height FROM blocks WHERE engine_height = ?", (engine_height,)
            ).get
            if not isinstance(height, int):
                return b""
            found = self._ranges(rows, height)
            return _chunk(rows, *found[index]) if index < len(found) else b""

    def _snapshot(self, rows: Rows, height: int) -> Snapshot:
        made = made_head(rows, height)
        if made is None:
            raise LedgerDamaged(f"the head of height {height} is missing")
        digests = []
        for number, (first, last) in enumerate(self._ranges(rows, height)):
            known = self._full[number] if number < len(self._full) else None
            if known is not None and known[1] <= height:
                digests.append(known[2])
            else:
                digests.append(sha256(_chunk(rows, first, last)).digest())
        return Snapshot(made.engine_height, tuple(digests))

    def _ranges(self, rows: Rows, height: int) -> list[tuple[int, int]]:
        """First and last height of each chunk of the ledger up to `height`.

        A chunk that is full is the same in every later snapshot, so it is measured once.
        """
        found = [(first, last) for first, last, _ in self._full if last <= height]
        first = found[-1][1] + 1 if found else 0
        length = 0
        sizes: list[Any] = rows.db.execute(
            "SELECT b.height, length(h.note)"
            " + (SELECT coalesce(sum(length(s.value)), 0) FROM state s WHERE s.height = b.height)"
            " FROM blocks b JOIN heads h ON h.height = b.height"
            " WHERE b.height >= ? AND b.height <= ? ORDER BY b.height",
            (first, height),
        ).fetchall()
        for at, size in sizes:
            length += size
            if length > CHUNK_BYTES:
                found.append((first, at))
                if len(found) == len(self._full) + 1:
                    digest = sha256(_chunk(rows, first, at)).digest()
                    self._full.append((first, at, digest))
                first, length = at + 1, 0
        if first <= height:
            found.append((first, height))
        return found


def _chunk(rows: Rows, first: int, last: int) -> bytes:
    """The blocks of these heights, as CBOR."""
    return cbor2.dumps([_block(rows, height) for height in range(first, last + 1)])


def _block(rows: Rows, height: int) -> list[object]:
    made, note = made_head(rows, height), rows.head(height)
    if made is None or note is None:
        raise LedgerDamaged(f"the head of height {height} is missing")
    before = 0
    if height:
        older = made_head(rows, height - 1)
        if older is None:
            raise LedgerDamaged(f"the head of height {height - 1} is missing")
        before = older.head.tree_size
    values = rows.db.execute(
        "SELECT key, value FROM state WHERE height = ? ORDER BY key", (height,)
    ).fetchall()
    entries = rows.entries(before, made.head.tree_size - before)
    return [made.engine_height, note, entries, [list(item) for item in values]]


@dataclass(slots=True)
class Restoration:
    """A snapshot on its way into an empty ledger."""

    file: MemberFile
    genesis: Genesis
    snapshot: Snapshot
    app_hash: bytes  # that the engine's light client vouched for
    next_chunk: int = 0
    newest: MadeHead | None = None
    validators: frozenset[PublicKey] = frozenset()

    def apply(self, index: int, chunk: bytes) -> bool:
        """Check and take in a chunk; whether it was the last one.

        Raises:
            SnapshotRefused: it is not the chunk that was offered, or does not fit. Nothing of it
                was stored.
        """
        if index != self.next_chunk or index >= len(self.snapshot.digests):
            raise SnapshotRefused("chunks come in their order")
        if len(chunk) > MAX_CHUNK_BYTES or sha256(chunk).digest() != self.snapshot.digests[index]:
            raise SnapshotRefused("the chunk is another one than was offered")
        newest, validators = self.newest, self.validators
        last = index + 1 == len(self.snapshot.digests)
        try:
            with self.file.writing() as rows:
                for item in _parse_chunk(chunk):
                    newest, validators = self._add(rows, item, newest, validators)
                if last:
                    self._check_end(newest)
        except SnapshotRefused:
            raise
        except Refusal as refusal:
            raise SnapshotRefused(f"the chunk does not fit: {refusal.detail}") from refusal
        self.newest, self.validators, self.next_chunk = newest, validators, index + 1
        return last

    def finish(self) -> None:
        """Put what Info answers in place; until then, a restart begins anew."""
        with self.file.writing() as rows:
            advance(
                rows,
                None,
                engine_height=self.snapshot.engine_height,
                app_hash=self.app_hash,
            )

    def _add(
        self,
        rows: Rows,
        item: "_BlockItem",
        newest: MadeHead | None,
        validators: frozenset[PublicKey],
    ) -> tuple[MadeHead, frozenset[PublicKey]]:
        older = newest.head if newest else None
        claimed = parse_head(item.note)
        head = claimed.claimed
        if older is None:
            if item.entries != [genesis_entry(self.genesis).encode()]:
                raise SnapshotRefused("the ledger in the snapshot began with another genesis")
            validators = frozenset(
                member.validator_key
                for member in self.genesis.members
                if member.validator_key is not None
            )
        if newest and item.engine_height <= newest.engine_height:
            raise SnapshotRefused("heights of the engine do not rise")
        if head.network != self.genesis.network:
            raise SnapshotRefused("a head is of another network")
        block = OpenBlock(
            before=_NoState(),
            height=older.height + 1 if older else 0,
            time=head.time,
            size_before=older.tree_size if older else 0,
            changes=item.values,
            entries=item.entries,
        )
        finished = finish(rows, block, network=head.network, newest=older)
        if finished.head != head or (older and head.time < older.time):
            raise SnapshotRefused(
                f"entries and records do not fit the head of height {head.height}"
            )
        light = read_evidence(claimed)
        verify_commit(light)
        voters = {(item.key, item.power) for item in light.validators.validators}
        # The header of the block after that of the entries is signed by those whom the state
        # before the entries names: an update of the validators counts from the block after next.
        if light.header.height != item.engine_height + 1 or voters != {
            (key, POWER) for key in validators
        }:
            raise SnapshotRefused(f"the head of height {head.height} is signed by other validators")
        if item.engine_height == 0:
            begin(rows, finished, app_hash(head))
        else:
            add_block(rows, finished, engine_height=item.engine_height)
        rows.add_head(height=head.height, size=head.tree_size, note=item.note)
        made = MadeHead(head, item.engine_height)
        return made, validator_keys(_Stored(rows, head))

    def _check_end(self, newest: MadeHead | None) -> None:
        if (
            newest is None
            or newest.engine_height != self.snapshot.engine_height
            or app_hash(newest.head) != self.app_hash
        ):
            raise SnapshotRefused("the snapshot ends in another state than the network signed")


class _NoState:
    """Stands for the state before a block where no rule is run."""

    def get(self, _key: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Stored:
    """The state that is being restored; its roots are compared at every height."""

    rows: Rows
    head: Head

    def get(self, key: str) -> bytes | None:
        return self.rows.value(key, self.head.height)


@dataclass(frozen=True, slots=True)
class _BlockItem:
    engine_height: int
    note: str
    entries: list[bytes]
    values: dict[str, bytes]


def _parse_chunk(chunk: bytes) -> Sequence[_BlockItem]:
    try:
        found = cbor2.loads(chunk)
    except (cbor2.CBORError, ValueError, RecursionError) as error:
        raise SnapshotRefused("the chunk is no CBOR") from error
    if not isinstance(found, list) or not found:
        raise SnapshotRefused("the chunk holds no blocks")
    return [_parse_block(item) for item in found]


def _parse_block(item: object) -> _BlockItem:
    if not isinstance(item, list) or len(item) != 4:
        raise SnapshotRefused("a block of the chunk has another form")
    engine_height, note, entries, values = item
    if (
        type(engine_height) is not int
        or not 0 <= engine_height < 1 << 53
        or not isinstance(note, str)
        or not isinstance(entries, list)
        or not isinstance(values, list)
        or not entries
        or not all(isinstance(entry, bytes) and len(entry) <= MAX_ITEM_BYTES for entry in entries)
    ):
        raise SnapshotRefused("a block of the chunk has another form")
    records: dict[str, bytes] = {}
    for pair in values:
        if not isinstance(pair, list) or len(pair) != 2:
            raise SnapshotRefused("a record of the chunk has another form")
        key, value = pair
        if (
            not isinstance(key, bytes)
            or not isinstance(value, bytes)
            or len(value) > MAX_ITEM_BYTES
        ):
            raise SnapshotRefused("a record of the chunk has another form")
        try:
            records[key.decode("utf-8")] = value
        except UnicodeDecodeError as error:
            raise SnapshotRefused("a key of the chunk is no text") from error
    if len(records) != len(values):
        raise SnapshotRefused("a record stands twice in a block of the chunk")
    return _BlockItem(engine_height, note, entries, records)

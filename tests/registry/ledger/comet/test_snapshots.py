"""A snapshot is believed in nothing: each thing that somebody could change in it is refused."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest

from registry.core.consortium_head import app_hash
from registry.core.genesis import Genesis
from registry.ledger.comet import snapshots
from registry.ledger.comet.file import MemberFile, RestorationBroken, forget
from registry.ledger.comet.snapshots import (
    FORMAT,
    Restoration,
    Snapshot,
    SnapshotRefused,
    SnapshotSource,
)
from registry.ledger.store.reading import proven_value
from tests.comet_network import members, network
from tests.registry.authors import CREATED, NETWORK, new_did

GENESIS = Genesis(network=NETWORK, members=members(1), created=CREATED)
HEIGHTS = 6


@dataclass
class Taken:
    """A ledger of real, sealed heads, and a snapshot of it in several chunks."""

    file: MemberFile
    source: SnapshotSource
    snapshot: Snapshot
    chunks: list[bytes]
    app_hash: bytes


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("taken")
    with network(folder, 1, genesis=GENESIS) as (node,):
        for number in range(HEIGHTS):
            node.ledger.submit(new_did(f"author {number}")[0])
    file = MemberFile.open(node.file)
    with pytest.MonkeyPatch.context() as patched, closing(file):
        patched.setattr(snapshots, "CHUNK_BYTES", 3_000)
        source = SnapshotSource(file, interval=HEIGHTS)
        (snapshot,) = source.offered()
        chunks = [
            source.chunk(snapshot.engine_height, index) for index in range(len(snapshot.digests))
        ]
        committed = file.recover(GENESIS)
        assert committed is not None
        yield Taken(file, source, snapshot, chunks, app_hash(committed.head))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[MemberFile]:
    file = MemberFile.open(tmp_path / "restored.db")
    yield file
    file.close()


def restore(
    file: MemberFile, chunks: list[bytes], engine_height: int, expected: bytes
) -> Restoration:
    """As somebody who offers these very chunks would have it."""
    offer = Snapshot(engine_height, tuple(sha256(chunk).digest() for chunk in chunks))
    restoration = Restoration(file, genesis=GENESIS, snapshot=offer, app_hash=expected)
    for index, chunk in enumerate(chunks):
        restoration.apply(index, chunk)
    restoration.finish()
    return restoration


def test_a_snapshot_restores_the_whole_ledger(taken: Taken, empty: MemberFile) -> None:
    assert len(taken.chunks) > 2

    restore(empty, taken.chunks, taken.snapshot.engine_height, taken.app_hash)

    restored = empty.recover(GENESIS)
    assert restored is not None
    assert restored.engine_height == taken.snapshot.engine_height
    assert restored.app_hash == taken.app_hash
    with taken.file.reading() as theirs, empty.reading() as ours:
        size = restored.head.tree_size
        assert ours.entries(0, size) == theirs.entries(0, size)
        for height in range(HEIGHTS + 1):
            assert ours.head(height) == theirs.head(height)
        for row in theirs.db.execute("SELECT key, height FROM state"):
            key, height = bytes(row[0]).decode(), row[1]
            assert ours.value(key, height) == theirs.value(key, height)
            proven_value(ours, key, restored.head)


def test_what_is_offered_does_not_change_while_nothing_is_added(taken: Taken) -> None:
    assert taken.source.offered() == [taken.snapshot]
    assert taken.source.chunk(taken.snapshot.engine_height, len(taken.chunks)) == b""
    assert taken.source.chunk(999, 0) == b""


# --- what a hostile peer may send

Blocks = list[list[Any]]


def flip(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def in_block(number: int, part: int, change: Callable[[Any], Any]) -> Callable[[Blocks], Blocks]:
    def changed(blocks: Blocks) -> Blocks:
        blocks[number][part] = change(blocks[number][part])
        return blocks

    return changed


def forged_vote(note: str) -> str:
    """One bit of the light block's end, where the votes are."""
    head, line = note.rsplit(" ", 1)
    middle = len(line) * 3 // 5
    other = "A" if line[middle] != "A" else "B"
    return f"{head} {line[:middle]}{other}{line[middle + 1 :]}"


CHANGES: dict[str, Callable[[Blocks], Blocks]] = {
    "an entry": in_block(3, 2, lambda entries: [flip(entries[0])]),
    "one entry more": in_block(3, 2, lambda entries: [*entries, entries[0]]),
    "no entry": in_block(3, 2, lambda _: []),
    "a record": in_block(3, 3, lambda values: [[values[0][0], flip(values[0][1])], *values[1:]]),
    "one record less": in_block(3, 3, lambda values: values[1:]),
    "one record more": in_block(3, 3, lambda values: [*values, [b"z", b"{}"]]),
    "a record twice": in_block(3, 3, lambda values: [*values, values[0]]),
    "a key that is no text": in_block(3, 3, lambda values: [*values, [b"\xff", b"{}"]]),
    "another key": in_block(3, 3, lambda values: [[b"x", values[0][1]], *values[1:]]),
    "the head of another height": lambda blocks: [
        *blocks[:3],
        [blocks[3][0], blocks[2][1], *blocks[3][2:]],
        *blocks[4:],
    ],
    "a forged vote": in_block(3, 1, forged_vote),
    "no light block": in_block(3, 1, lambda note: note.split("\n\n")[0] + "\n\n"),
    "another engine height": in_block(3, 0, lambda height: height + 1),
    "an engine height that falls": in_block(3, 0, lambda _: 1),
    "an engine height below zero": in_block(3, 0, lambda _: -1),
    "an engine height that is none": in_block(3, 0, lambda _: True),
    "another genesis": in_block(0, 2, lambda entries: [flip(entries[0])]),
    "a block left out": lambda blocks: blocks[:3] + blocks[4:],
    "two blocks swapped": lambda blocks: [*blocks[:3], blocks[4], blocks[3], *blocks[5:]],
    "the last block left out": lambda blocks: blocks[:-1],
    "a block twice": lambda blocks: [*blocks, blocks[-1]],
    "no blocks": lambda _: [],
    "a block of three parts": lambda blocks: [*blocks[:3], blocks[3][:3], *blocks[4:]],
    "a number for a block": lambda blocks: [*blocks[:3], 7, *blocks[4:]],  # type: ignore[list-item]
    "a number for a note": in_block(3, 1, lambda _: 7),
    "numbers for entries": in_block(3, 2, lambda _: [1, 2]),
    "an entry of 2 MiB": in_block(3, 2, lambda _: [bytes(2 << 20)]),
    "a record of 2 MiB": in_block(3, 3, lambda values: [[b"x", bytes(2 << 20)]]),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_changed_snapshot_is_refused(taken: Taken, empty: MemberFile, change: str) -> None:
    blocks = [block for chunk in taken.chunks for block in cbor2.loads(chunk)]
    changed = cbor2.dumps(CHANGES[change](blocks))

    with pytest.raises(SnapshotRefused):
        restore(empty, [changed], taken.snapshot.engine_height, taken.app_hash)

    assert empty.recover(GENESIS) is None  # nothing of it was stored


def test_unchanged_blocks_in_one_chunk_are_taken(taken: Taken, empty: MemberFile) -> None:
    blocks = [block for chunk in taken.chunks for block in cbor2.loads(chunk)]

    restore(empty, [cbor2.dumps(blocks)], taken.snapshot.engine_height, taken.app_hash)


@pytest.mark.parametrize(
    "chunk", [b"", b"\xff", b"\x80", cbor2.dumps("text"), b"\x9f" * 100_000, bytes(16 << 20)]
)
def test_what_is_no_chunk_is_refused(taken: Taken, empty: MemberFile, chunk: bytes) -> None:
    with pytest.raises(SnapshotRefused):
        restore(empty, [chunk], taken.snapshot.engine_height, taken.app_hash)


def test_a_ledger_that_the_network_did_not_sign_last_is_refused(
    taken: Taken, empty: MemberFile
) -> None:
    with pytest.raises(SnapshotRefused, match="another state"):
        restore(empty, taken.chunks, taken.snapshot.engine_height, bytes(32))


def test_chunks_come_in_order_and_as_they_were_offered(taken: Taken, empty: MemberFile) -> None:
    restoration = Restoration(
        empty, genesis=GENESIS, snapshot=taken.snapshot, app_hash=taken.app_hash
    )

    for index, chunk in [(1, taken.chunks[1]), (0, taken.chunks[1]), (0, taken.chunks[0][:-1])]:
        with pytest.raises(SnapshotRefused):
            restoration.apply(index, chunk)
    assert not restoration.apply(0, taken.chunks[0])
    with pytest.raises(SnapshotRefused):
        restoration.apply(0, taken.chunks[0])


def test_a_restoration_that_was_interrupted_is_no_ledger(taken: Taken, empty: MemberFile) -> None:
    restoration = Restoration(
        empty, genesis=GENESIS, snapshot=taken.snapshot, app_hash=taken.app_hash
    )
    for index, chunk in enumerate(taken.chunks[:-1]):
        restoration.apply(index, chunk)

    with pytest.raises(RestorationBroken):
        empty.recover(GENESIS)
    with empty.writing() as rows:
        forget(rows)
    assert empty.recover(GENESIS) is None


@pytest.mark.parametrize(
    "change",
    [
        {"format": FORMAT + 1},
        {"chunks": 0},
        {"chunks": 99},
        {"hash": bytes(32)},
        {"metadata": b""},
        {"metadata": bytes(33)},
        {"engine_height": 0},
    ],
)
def test_an_offer_of_another_form_is_refused(taken: Taken, change: dict[str, Any]) -> None:
    snapshot = taken.snapshot
    offer = {
        "engine_height": snapshot.engine_height,
        "format": FORMAT,
        "chunks": len(snapshot.digests),
        "hash": snapshot.hash,
        "metadata": snapshot.metadata,
    }

    assert Snapshot.parse(**offer) == snapshot  # type: ignore[arg-type]
    with pytest.raises(SnapshotRefused):
        Snapshot.parse(**{**offer, **change})  # type: ignore[arg-type]


def test_another_genesis_than_the_agreed_one_is_refused(taken: Taken, empty: MemberFile) -> None:
    restoration = Restoration(
        empty,
        genesis=replace(GENESIS, created=CREATED + 1),
        snapshot=taken.snapshot,
        app_hash=taken.app_hash,
    )

    with pytest.raises(SnapshotRefused, match="another genesis"):
        restoration.apply(0, taken.chunks[0])


def test_full_chunks_are_the_same_in_every_later_snapshot(
    taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "CHUNK_BYTES", 3_000)
    source = SnapshotSource(taken.file, interval=2)
    newest, older = source.offered()
    fresh = SnapshotSource(taken.file, interval=2)

    def chunks(of: Snapshot, source: SnapshotSource) -> list[bytes]:
        return [source.chunk(of.engine_height, index) for index in range(len(of.digests))]

    assert newest.digests[: len(older.digests) - 1] == older.digests[:-1]
    assert newest.digests == taken.snapshot.digests
    for snapshot in (newest, older):
        for asked in (source, fresh):
            found = chunks(snapshot, asked)
            assert tuple(sha256(chunk).digest() for chunk in found) == snapshot.digests
    blocks = [block for chunk in chunks(older, fresh) for block in cbor2.loads(chunk)]
    assert len(blocks) == HEIGHTS - 2 + 1

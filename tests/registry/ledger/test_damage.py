"""Flipped bits and lost rows: noticed before what they touch is served, and named."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from registry.audit import audit
from registry.core.checkpoint import verify_head
from registry.core.records import did_key
from registry.core.refusals import Refusal
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.port import LedgerDamaged, LedgerStopped
from tests.registry.authors import (
    CREATED,
    UnsafeHeadSigner,
    genesis,
    new_did,
    trust_anchor,
)
from tests.registry.core.heads import NOW
from tests.registry.ledger.conftest import OpenLedger

NAMES = [f"author {number}" for number in range(12)]
DIDS = [new_did(name)[1].did for name in NAMES]
FLIPS = 300


def written(path: Path, open_ledger: OpenLedger) -> EmbeddedLedger:
    """A ledger of twelve DIDs whose pages are all in the file itself, opened anew."""
    ledger = open_ledger()
    for name in NAMES:
        ledger.submit(new_did(name)[0])
    with ledger._database.writing():
        pass
    ledger._database._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    ledger.close()
    return open_ledger()


def tamper(path: Path, statement: str, *values: object) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement, values)
    assert connection.changes() == 1
    connection.close()


def flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def value_in(path: Path, statement: str, *values: object) -> bytes:
    connection = apsw.Connection(str(path))
    found = connection.execute(statement, values).get
    connection.close()
    assert isinstance(found, bytes)
    return found


def replace_file(path: Path, data: bytes) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(data)


KEY = did_key(DIDS[3])


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE state SET value = ? WHERE key = ?", (b"{}", KEY.encode())),
        ("UPDATE state SET value = 7 || value WHERE key = ?", (KEY.encode(),)),
        ("DELETE FROM state WHERE key = ?", (KEY.encode(),)),
        ("UPDATE state SET height = height + 1 WHERE key = ? AND height = 4", (KEY.encode(),)),
        ("UPDATE state SET height = 99 WHERE key = ? AND height = 4", (KEY.encode(),)),
        ("UPDATE state SET key = x'00' WHERE key = ? AND height = 4", (KEY.encode(),)),
    ],
)
def test_a_changed_value_is_named_and_not_served(
    statement: str, values: tuple[object, ...], path: Path, open_ledger: OpenLedger
) -> None:
    ledger = written(path, open_ledger)
    assert ledger.read(KEY, prove=False).value is not None
    if "7 ||" in statement:
        value = value_in(path, "SELECT value FROM state WHERE key = ?", KEY.encode())
        statement, values = (
            "UPDATE state SET value = ? WHERE key = ?",
            (
                flipped(value),
                KEY.encode(),
            ),
        )

    tamper(path, statement, *values)

    later = "height + 1" in statement  # still in time for the newest head, and the same bytes
    for prove in (True, False):
        if later:
            with pytest.raises(LedgerDamaged):
                ledger.read(KEY, prove=prove, height=4)
        else:
            with pytest.raises(LedgerDamaged, match=DIDS[3]):
                ledger.read(KEY, prove=prove)
    assert ledger.read(did_key(DIDS[4]), prove=True).value is not None
    if not later:
        report = audit(path, trust=trust_anchor())
        assert report.fault is not None
        assert DIDS[3] in report.fault


def test_a_changed_entry_is_named_and_not_served(path: Path, open_ledger: OpenLedger) -> None:
    ledger = written(path, open_ledger)
    data = value_in(path, "SELECT data FROM entries WHERE idx = 5")

    tamper(path, "UPDATE entries SET data = ? WHERE idx = 5", flipped(data))

    with pytest.raises(LedgerDamaged, match="log entry 5"):
        ledger.entries(0, 13)
    assert len(ledger.entries(6, 5)) == 5
    report = audit(path, trust=trust_anchor())
    assert report.fault == "log entry 5 does not fit its leaf"


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_changed_log_node_proves_nothing(level: int, path: Path, open_ledger: OpenLedger) -> None:
    ledger = written(path, open_ledger)
    node = value_in(path, "SELECT hash FROM log_nodes WHERE level = ? AND idx = 0", level)

    tamper(path, "UPDATE log_nodes SET hash = ? WHERE level = ? AND idx = 0", flipped(node), level)

    index = 0 if level == 0 else 1 << level  # a leaf whose path goes through that node
    with pytest.raises(LedgerDamaged):
        ledger.inclusion(index, 13)
    report = audit(path, trust=trust_anchor())
    assert report.fault is not None


def test_a_node_that_the_next_block_builds_on_stops_the_writer(
    path: Path, open_ledger: OpenLedger
) -> None:
    ledger = written(path, open_ledger)
    node = value_in(path, "SELECT hash FROM log_nodes WHERE level = 3 AND idx = 0")
    tamper(path, "UPDATE log_nodes SET hash = ? WHERE level = 3 AND idx = 0", flipped(node))

    for _ in range(2):
        with pytest.raises(LedgerStopped, match="log's nodes"):
            ledger.submit(new_did("late")[0])

    ledger.close()
    with pytest.raises(LedgerDamaged):
        open_ledger()


def test_a_changed_map_node_proves_nothing(path: Path, open_ledger: OpenLedger) -> None:
    ledger = written(path, open_ledger)
    root = verify_head(ledger.head(), trust_anchor(), now=NOW).state_root
    node = value_in(path, "SELECT node FROM map_nodes WHERE hash = ?", root)
    ledger.close()

    tamper(path, "UPDATE map_nodes SET node = ? WHERE hash = ?", flipped(node), root)
    with pytest.raises(LedgerDamaged, match="state map"):
        open_ledger()

    tamper(path, "DELETE FROM map_nodes WHERE hash = ?", root)
    with pytest.raises(LedgerDamaged, match="state map"):
        open_ledger()


def test_a_changed_head_is_not_served(path: Path, open_ledger: OpenLedger) -> None:
    ledger = written(path, open_ledger)
    note = value_in(path, "SELECT note FROM heads WHERE height = 4")
    tamper(path, "UPDATE heads SET note = ? WHERE height = 4", note.replace(b"time", b"tima"))

    with pytest.raises(LedgerDamaged, match="height 4"):
        ledger.head(4)

    tamper(path, "UPDATE heads SET note = ? WHERE height = 4", ledger.head(5).encode())
    with pytest.raises(LedgerDamaged, match="height 4"):
        ledger.head(4)
    assert audit(path, trust=trust_anchor()).fault is not None


def test_a_cut_file_is_not_served(path: Path, open_ledger: OpenLedger) -> None:
    written(path, open_ledger).close()
    whole = path.read_bytes()

    for size in (0, 100, 4096, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        replace_file(path, whole[:size])
        with pytest.raises(Refusal):
            open_ledger()

    replace_file(path, whole)  # the untouched twin
    assert open_ledger().health().size == 13


def answers(ledger: EmbeddedLedger) -> list[Callable[[], object]]:
    """Every kind of read, each as a call."""
    return [
        *(lambda did=did: ledger.read(did_key(did), prove=True) for did in DIDS),
        *(lambda h=height: ledger.head(h) for height in range(13)),
        *(lambda i=index: tuple(ledger.entries(i, 1)) for index in range(13)),
        *(lambda i=index: ledger.inclusion(i, 13) for index in range(13)),
        *(lambda s=size: ledger.consistency(s, 13) for size in range(1, 13)),
    ]


def test_one_flipped_bit_never_changes_an_answer(
    path: Path, open_ledger: OpenLedger, tmp_path: Path
) -> None:
    """Anywhere in the file: each answer stays as it was, or is refused; nothing else is raised."""
    ledger = written(path, open_ledger)
    expected = [call() for call in answers(ledger)]
    ledger.close()
    whole = path.read_bytes()
    store = Path(f"{path}.head").read_bytes()
    places = random.Random(20261121)
    refusals = 0

    for number in range(FLIPS):
        directory = tmp_path / "flipped"
        directory.mkdir()
        copy = directory / "ledger.db"
        position = places.randrange(len(whole) * 8)
        data = bytearray(whole)
        data[position >> 3] ^= 1 << (position & 7)
        copy.write_bytes(data)
        Path(f"{copy}.head").write_bytes(store)
        try:
            damaged = EmbeddedLedger.open(
                copy, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
            )
        except Refusal:
            refusals += 1
        else:
            for call, answer in zip(answers(damaged), expected, strict=True):
                try:
                    assert call() == answer, f"flip {number} at bit {position} changed an answer"
                except Refusal:
                    refusals += 1
            damaged.close()
        shutil.rmtree(directory)

    assert refusals > FLIPS // 5  # the rest lies in free space and in nodes of older states

"""The audit sees a clean ledger as clean, and names the first wrong thing in a forged one."""

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from registry.audit import audit
from registry.core.checkpoint import Head, sign_head
from registry.core.did_actions import UpdateDid
from registry.core.genesis import genesis_changes
from registry.core.merkle_log import leaf_hash, root_of
from registry.core.records import Block
from registry.core.sparse_map import map_changes, map_root
from registry.core.transactions import parse_transaction
from registry.core.transitions import apply
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.entries import LogEntry
from registry.ledger.store.writing import genesis_entry
from tests.registry.authors import (
    CREATED,
    NETWORK,
    UnsafeHeadSigner,
    details_of,
    genesis,
    new_did,
    trust_anchor,
)

SIGNER = UnsafeHeadSigner()


@dataclass
class Forgery:
    """A whole ledger in memory, signed by the operator's own key, that lies where a test says."""

    raw_entries: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    state: dict[str, bytes] = field(default_factory=dict)
    lost: str | None = None

    def get(self, key: str) -> bytes | None:
        return self.state.get(key)

    def sign(self, height: int, at: int, **changes: Any) -> None:
        head = Head(
            network=NETWORK,
            tree_size=len(self.raw_entries),
            log_root=root_of([leaf_hash(entry) for entry in self.raw_entries]),
            height=height,
            time=at,
            state_root=map_root(map_changes(self.state)),
        )
        self.heads.append(sign_head(replace(head, **changes), [SIGNER]))

    def add(self, raw: bytes, *, height: int, time: int = CREATED + 5, index: int = -1) -> None:
        transaction = parse_transaction(raw)
        at = len(self.raw_entries) if index < 0 else index
        block = Block(height=height, time=time, index=at)
        self.state.update(apply(transaction, state=self, block=block))
        self.raw_entries.append(
            LogEntry(
                height=height, time=time, transaction=transaction.to_object(), genesis=None
            ).encode()
        )

    # as AuditSource

    def head(self, height: int | None) -> str:
        return self.heads[-1 if height is None else height]

    def entries(self, start: int, count: int) -> list[bytes]:
        return self.raw_entries[start : start + min(count, 2)]

    def value(self, key: str, head: Head) -> bytes | None:
        return self.state.get(key)

    def has_value(self, key: str, height: int, value: bytes) -> bool:
        return True

    def has_map_node(self, key: bytes, node: bytes) -> bool:
        return True

    def has_log_node(self, level: int, index: int, node: bytes) -> bool:
        return level > 0 or node == leaf_hash(self.raw_entries[index])

    def lost_place(self) -> str | None:
        return self.lost


def begun() -> Forgery:
    forgery = Forgery(raw_entries=[genesis_entry(genesis()).encode()])
    forgery.state.update(genesis_changes(genesis()))
    forgery.sign(0, CREATED)
    return forgery


def honest() -> Forgery:
    forgery = begun()
    raw, author = new_did("alice")
    forgery.add(raw, height=1)
    forgery.add(new_did("bob")[0], height=1)
    forgery.sign(1, CREATED + 5)
    forgery.add(
        author.transaction(UpdateDid(version=1, details=details_of(author.private))),
        height=2,
        time=CREATED + 6,
    )
    forgery.sign(2, CREATED + 6)
    return forgery


def fault(forgery: Forgery) -> str:
    report = audit(forgery, trust=trust_anchor())
    assert not report.is_clean
    assert report.fault is not None
    assert report.head is None
    return report.fault


def test_an_honest_ledger_is_clean() -> None:
    report = audit(honest(), trust=trust_anchor())

    assert report.is_clean
    assert (report.entries, report.height, report.fault) == (4, 2, None)
    assert report.records > 8


def test_a_running_engine_and_its_file_are_clean(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = EmbeddedLedger.open(path, genesis=genesis(), signer=SIGNER, now=lambda: CREATED + 10)
    for number in range(20):
        ledger.submit(new_did(f"author {number}")[0])
    try:
        by_port = audit(ledger, trust=trust_anchor())
        by_file = audit(path, trust=trust_anchor())
        ledger.submit(new_did("while the auditor looks")[0])
    finally:
        ledger.close()

    assert by_port.is_clean
    assert by_port == by_file
    assert (by_port.entries, by_port.height) == (21, 20)


def test_newest_heads_that_the_file_hides_are_missed(tmp_path: Path) -> None:
    """The last page of the heads is left out of its tree; all that is still found is whole."""
    path = tmp_path / "ledger.db"
    ledger = EmbeddedLedger.open(path, genesis=genesis(), signer=SIGNER, now=lambda: CREATED + 10)
    for number in range(40):
        ledger.submit(new_did(f"author {number}")[0])
    ledger.close()
    with closing(apsw.Connection(str(path))) as db:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'heads'")
        ((size,),) = db.execute("PRAGMA page_size")
    data = bytearray(path.read_bytes())
    at = (root - 1) * size
    assert data[at] == 5  # an inner page of a table (SQLite file format §1.6)
    cells = int.from_bytes(data[at + 3 : at + 5])
    assert cells > 1
    last = at + int.from_bytes(data[at + 12 + 2 * (cells - 1) :][:2])
    data[at + 8 : at + 12] = data[last : last + 4]  # the rightmost child is the one before it now
    data[at + 3 : at + 5] = (cells - 1).to_bytes(2)
    path.write_bytes(data)

    report = audit(path, trust=trust_anchor())

    assert report.fault is not None
    assert report.fault.startswith("the file hides a part of itself")
    assert 0 < report.entries < 41


def test_what_may_be_hidden_is_no_clean_ledger() -> None:
    forgery = honest()
    forgery.lost = "page 7 is never used"

    assert fault(forgery) == "the file hides a part of itself: page 7 is never used"


def test_a_missing_file_is_no_clean_ledger(tmp_path: Path) -> None:
    report = audit(tmp_path / "ledger.db", trust=trust_anchor())

    assert report.fault == "there is no file ledger.db"
    assert not (tmp_path / "ledger.db").exists()


def test_a_transaction_that_the_rules_refuse_is_found_though_all_is_signed() -> None:
    forgery = honest()
    raw, _ = new_did("carol")
    entry = LogEntry(
        height=3,
        time=CREATED + 7,
        transaction=parse_transaction(raw).to_object(),
        genesis=None,
    )
    assert entry.transaction is not None
    entry.transaction["signatures"][0]["value"] = "A" * 86
    forgery.raw_entries.append(entry.encode())
    forgery.sign(3, CREATED + 7)

    assert fault(forgery).startswith("log entry 4 is refused by the rules")


def test_a_record_that_no_transaction_made_is_found() -> None:
    forgery = honest()
    forgery.add(new_did("carol")[0], height=3, time=CREATED + 7)
    forgery.state["did/did:cairn:testnet:smuggled"] = b"{}"
    forgery.sign(3, CREATED + 7)

    assert fault(forgery) == ("the head of height 3 has another state root than the rules give")


def test_a_changed_stored_value_is_found() -> None:
    forgery = honest()
    key = next(key for key in forgery.state if key.startswith("did/"))
    forgery.state[key] = b"{}"

    assert fault(forgery) == f"record {key} is not stored as the replay made it"


def test_a_rewritten_entry_is_found() -> None:
    forgery = honest()
    forgery.raw_entries[2] = LogEntry(
        height=1,
        time=CREATED + 5,
        transaction=parse_transaction(new_did("mallory")[0]).to_object(),
        genesis=None,
    ).encode()

    assert fault(forgery) == "the head of height 1 has another log root than the entries give"


def test_a_head_of_another_key_is_found() -> None:
    forgery = honest()
    head = Head(
        network=NETWORK,
        tree_size=3,
        log_root=bytes(32),
        height=1,
        time=CREATED + 5,
        state_root=bytes(32),
    )
    forgery.heads[1] = sign_head(head, [UnsafeHeadSigner("mallory")])

    assert "signed" in fault(forgery)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": CREATED + 9}, "is not that of its block"),
        ({"tree_size": 2}, "is not that of its block"),
        ({"log_root": bytes(32)}, "another log root"),
        ({"state_root": bytes(32)}, "another state root"),
    ],
)
def test_a_head_that_lies_in_one_place_is_found(changes: dict[str, Any], words: str) -> None:
    forgery = begun()
    forgery.add(new_did("alice")[0], height=1)
    forgery.add(new_did("bob")[0], height=1)
    forgery.sign(1, CREATED + 5, **changes)
    forgery.add(new_did("carol")[0], height=2, time=CREATED + 20)
    forgery.sign(2, CREATED + 20)

    assert words in fault(forgery)


def test_time_that_went_back_is_found() -> None:
    forgery = honest()
    forgery.add(new_did("carol")[0], height=3, time=CREATED + 1)
    forgery.sign(3, CREATED + 1)

    assert "time went back" in fault(forgery)


def test_a_height_that_is_left_out_is_found() -> None:
    forgery = honest()
    forgery.add(new_did("carol")[0], height=4, time=CREATED + 7)
    forgery.heads.append(forgery.heads[-1])
    forgery.sign(4, CREATED + 7)

    assert fault(forgery) == "log entry 4 is of height 4, not 3"


def test_entries_after_the_newest_head_are_found() -> None:
    forgery = honest()
    forgery.heads.pop()
    forgery.sign(1, CREATED + 5)

    assert audit(forgery, trust=trust_anchor()).fault is not None


def test_a_genesis_with_other_roots_than_the_anchor_is_found() -> None:
    other = replace(trust_anchor(), roots=(new_did("alice")[1].did,))

    report = audit(honest(), trust=other)

    assert report.fault == "log entry 0: members are not the roots of the trust anchor"


def test_an_entry_that_is_not_canonical_is_found() -> None:
    forgery = honest()
    forgery.raw_entries[1] = forgery.raw_entries[1].replace(b'{"height"', b'{ "height"')

    assert fault(forgery).startswith("log entry 1: log entry is not canonical")

"""One suite that every ledger engine must pass; engines are added to `ENGINES`."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from registry.core.checkpoint import Head, verify_head
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.did_record import DidRecord
from registry.core.genesis import Genesis
from registry.core.log_tree import NotInLog
from registry.core.merkle_log import leaf_hash, verify_consistency, verify_inclusion
from registry.core.records import NETWORK_KEY, did_key, transaction_key
from registry.core.refusals import Conflict, Malformed, NotPermitted, Refusal
from registry.core.sparse_map import verify_map_proof
from registry.core.transactions import Payload, Signature, encode_signed, parse_transaction
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.entries import LogEntry
from registry.ledger.port import MAX_ENTRIES, Ledger, NoSuchHead
from tests.comet_network import network, verify_by_members
from tests.registry.authors import (
    CREATED,
    NETWORK,
    Author,
    UnsafeHeadSigner,
    UnsafeKey,
    details_of,
    fresh_nonce,
    genesis,
    new_did,
    root_author,
    signed,
    trust_anchor,
)
from tests.registry.core.heads import NOW


@dataclass(frozen=True)
class Engine:
    """An engine under test, how it begins, and how its heads are verified."""

    ledger: Ledger
    genesis: Genesis
    verify: Callable[[str], Head]


@contextmanager
def embedded(directory: Path, now: Callable[[], int]) -> Iterator[Engine]:
    ledger = EmbeddedLedger.open(
        directory / "ledger.db", genesis=genesis(), signer=UnsafeHeadSigner(), now=now
    )
    with closing(ledger):
        yield Engine(ledger, genesis(), partial(verify_head, anchor=trust_anchor(), now=NOW))


@contextmanager
def comet(directory: Path, count: int) -> Iterator[Engine]:
    with network(directory, count) as nodes:
        began = nodes[0].genesis
        yield Engine(nodes[0].ledger, began, partial(verify_by_members, genesis=began))


ENGINES = {
    "embedded": embedded,
    "comet-1": lambda directory, _now: comet(directory, 1),
    "comet-4": lambda directory, _now: comet(directory, 4),
}
ONE_OF_EACH = ("comet-1", "embedded")


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = CREATED + 10

    def __call__(self) -> int:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=ONE_OF_EACH)
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Engine]:
    with ENGINES[request.param](tmp_path, clock) as subject:
        yield subject


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return engine.ledger


four = pytest.mark.parametrize("engine", [*ONE_OF_EACH, "comet-4"], indirect=True)


def head_of(engine: Engine, height: int | None = None) -> Head:
    return engine.verify(engine.ledger.head(height))


def proven(engine: Engine, key: str, height: int | None = None) -> bytes | None:
    answer = engine.ledger.read(key, prove=True, height=height)
    assert answer.proof is not None
    root = engine.verify(answer.head).state_root
    verify_map_proof(answer.proof, key=key, value=answer.value, root=root)
    return answer.value


def test_a_new_ledger_holds_its_genesis_and_nothing_else(engine: Engine, ledger: Ledger) -> None:
    head = head_of(engine)

    assert (head.height, head.tree_size, head.network, head.time) == (0, 1, NETWORK, CREATED)
    (entry,) = ledger.entries(0, MAX_ENTRIES)
    assert LogEntry.parse(entry).genesis == engine.genesis.to_object()
    assert proven(engine, NETWORK_KEY) is not None
    assert proven(engine, did_key(root_author().did)) is not None


@four
def test_after_submit_every_read_shows_its_effect(engine: Engine, ledger: Ledger) -> None:
    raw, author = new_did("alice")

    receipt = ledger.submit(raw)

    assert receipt.tx_id == parse_transaction(raw).id
    value = proven(engine, did_key(author.did))
    assert value is not None
    assert DidRecord.parse(value).version == 1
    assert proven(engine, transaction_key(receipt.tx_id)) is not None
    (entry,) = ledger.entries(receipt.index, 1)
    assert LogEntry.parse(entry).transaction == parse_transaction(raw).to_object()
    head = engine.verify(receipt.head)
    assert head.height == receipt.height
    inclusion = ledger.inclusion(receipt.index, head.tree_size)
    assert inclusion.leaf == leaf_hash(entry)
    verify_inclusion(
        leaf=inclusion.leaf,
        index=receipt.index,
        tree_size=head.tree_size,
        path=inclusion.path,
        root=head.log_root,
    )


def test_submitting_again_gives_the_same_receipt_and_changes_nothing(ledger: Ledger) -> None:
    raw, _ = new_did("alice")
    first = ledger.submit(raw)
    ledger.submit(new_did("bob")[0])
    before = ledger.head()

    again = ledger.submit(raw)

    assert again == first == ledger.receipt(first.tx_id)
    assert ledger.head() == before


def test_other_signature_bytes_do_not_make_another_transaction(ledger: Ledger) -> None:
    raw, author = new_did("alice")
    ledger.submit(raw)
    update = UpdateDid(version=1, details=details_of(author.private))
    payload = Payload(network=NETWORK, author=author.did, nonce=fresh_nonce(), action=update)
    first = ledger.submit(signed(payload, author))
    forged = encode_signed(payload, [Signature(key=author.verification_method, value=bytes(64))])

    again = ledger.submit(forged)

    assert (again.tx_id, again.height, again.index) == (first.tx_id, first.height, first.index)
    assert ledger.health().size == 3


def test_a_refused_transaction_changes_nothing(ledger: Ledger) -> None:
    raw, author = new_did("alice")
    ledger.submit(raw)
    before = (ledger.head(), ledger.health())
    stranger = Author(author.did, author.fragment, UnsafeKey("mallory"))
    wrong_version = UpdateDid(version=7, details=details_of(author.private))
    refused = [
        (stranger.transaction(DeactivateDid(version=1)), NotPermitted),
        (author.transaction(wrong_version), Conflict),
        (raw[:-1], Malformed),
        (b"", Malformed),
    ]

    for bad, kind in refused:
        with pytest.raises(kind):
            ledger.submit(bad)

        assert (ledger.head(), ledger.health()) == before
    ledger.submit(author.transaction(DeactivateDid(version=1)))  # the untouched twin
    assert ledger.health().size == 3


@four
def test_of_two_rivals_exactly_one_wins(ledger: Ledger) -> None:
    raw, author = new_did("alice")
    ledger.submit(raw)
    rivals = [
        author.transaction(UpdateDid(version=1, details=details_of(author.private)))
        for _ in range(12)
    ]
    start = threading.Barrier(len(rivals))

    def submit(bad: bytes) -> str:
        start.wait()
        try:
            return ledger.submit(bad).tx_id
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(len(rivals)) as pool:
        outcomes = list(pool.map(submit, rivals))

    assert outcomes.count("conflict") == len(rivals) - 1
    assert ledger.health().size == 3


@four
def test_many_submitters_of_one_transaction_get_one_receipt(ledger: Ledger) -> None:
    raw, _ = new_did("alice")

    with ThreadPoolExecutor(12) as pool:
        receipts = list(pool.map(ledger.submit, [raw] * 48))

    assert len(set(receipts)) == 1
    assert ledger.health().size == 2


@four
def test_every_acknowledged_transaction_has_its_own_entry(ledger: Ledger) -> None:
    raws = [new_did(f"author {number}")[0] for number in range(60)]

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(ledger.submit, raws))

    assert sorted(receipt.index for receipt in receipts) == list(range(1, 61))
    for raw, receipt in zip(raws, receipts, strict=True):
        (entry,) = ledger.entries(receipt.index, 1)
        assert LogEntry.parse(entry).transaction == parse_transaction(raw).to_object()
        assert LogEntry.parse(entry).height == receipt.height


def test_absence_is_proven(engine: Engine, ledger: Ledger) -> None:
    ledger.submit(new_did("alice")[0])

    assert proven(engine, did_key(new_did("nobody")[1].did)) is None
    assert ledger.receipt("0" * 64) is None


@four
def test_reads_at_an_earlier_height_show_that_height(engine: Engine, ledger: Ledger) -> None:
    raw, author = new_did("alice")
    created = ledger.submit(raw).height
    updated = ledger.submit(
        author.transaction(UpdateDid(version=1, details=details_of(author.private)))
    ).height

    def version_at(height: int) -> int | None:
        value = proven(engine, did_key(author.did), height)
        return None if value is None else DidRecord.parse(value).version

    assert version_at(created - 1) is None
    assert version_at(created) == 1
    assert version_at(updated) == 2
    with pytest.raises(NoSuchHead):
        ledger.read(did_key(author.did), prove=True, height=updated + 1)


def test_heads_of_all_heights_are_signed_and_of_one_history(engine: Engine, ledger: Ledger) -> None:
    for number in range(9):
        ledger.submit(new_did(f"author {number}")[0])
    heads = [head_of(engine, height) for height in range(ledger.health().height + 1)]

    assert [head.height for head in heads] == list(range(10))
    for older in heads:
        for newer in heads[older.height :]:
            proof = ledger.consistency(older.tree_size, newer.tree_size)
            verify_consistency(
                first=older.tree_size,
                second=newer.tree_size,
                first_root=older.log_root,
                second_root=newer.log_root,
                path=proof.path,
            )


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)  # the others have no clock of ours
def test_time_of_blocks_never_goes_back(engine: Engine, ledger: Ledger, clock: Clock) -> None:
    clock.seconds += 100
    ledger.submit(new_did("alice")[0])
    high = head_of(engine).time
    clock.seconds -= 1000
    ledger.submit(new_did("bob")[0])

    assert (high, head_of(engine).time) == (CREATED + 110, CREATED + 110)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 0), (0, -5), (0, MAX_ENTRIES + 1)])
def test_entries_have_bounds(ledger: Ledger, start: int, count: int) -> None:
    with pytest.raises(Malformed):
        ledger.entries(start, count)


def test_beyond_the_end_there_is_nothing(ledger: Ledger) -> None:
    ledger.submit(new_did("alice")[0])

    assert list(ledger.entries(2, 10)) == []
    assert len(ledger.entries(1, 10)) == 1
    with pytest.raises(NotInLog):
        ledger.inclusion(2, 2)
    for size in (0, 3, 2**53 - 1):
        with pytest.raises(NoSuchHead):
            ledger.inclusion(0, size)
        with pytest.raises(NoSuchHead):
            ledger.consistency(1, size)
    with pytest.raises(NoSuchHead):
        ledger.consistency(2, 1)
    with pytest.raises(NoSuchHead):
        ledger.head(2)
    with pytest.raises(NoSuchHead):
        ledger.head(-1)


@pytest.mark.parametrize("key", ["", "x" * 513, "\ud800"])
def test_a_key_that_is_none_is_refused(ledger: Ledger, key: str) -> None:
    with pytest.raises(Malformed):
        ledger.read(key, prove=True)


def test_a_transaction_for_another_network_is_refused(ledger: Ledger) -> None:
    raw, author = new_did("alice")
    payload = replace(parse_transaction(raw).payload, network="othernet")

    with pytest.raises(Refusal):
        ledger.submit(signed(payload, replace(author, did="")))

    assert ledger.health().size == 1

"""The application by itself, as an engine would drive it: each rule that bites has its test.

The rules are those of `docs/consortium.md`, "What the engine demands".
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from registry.core.consortium_head import app_hash
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.encoding import canonical_json
from registry.core.genesis import Genesis
from registry.core.governance_changes import (
    AdmitMember,
    RemoveMember,
    ScheduleUpgrade,
    SetValidatorKey,
)
from registry.core.proposals import CastVote, Propose
from registry.core.transactions import parse_transaction
from registry.core.upgrade import UpgradeNeeded
from registry.core.validators import POWER, ValidatorUpdate
from registry.ledger.comet import application
from registry.ledger.comet.application import (
    ALREADY_APPLIED,
    CONFLICT,
    MALFORMED,
    MAX_BLOCK_TRANSACTIONS,
    NOT_PERMITTED,
    OK,
    Application,
    Finalized,
    Outcome,
    OutOfOrder,
    WrongGenesis,
)
from registry.ledger.comet.file import MemberFile
from registry.ledger.port import LedgerDamaged
from registry.ledger.store.database import LedgerNotOpened
from tests.comet_network import members
from tests.registry.authors import (
    CREATED,
    NETWORK,
    Author,
    UnsafeKey,
    details_of,
    new_did,
    root_author,
)

GENESIS = Genesis(network=NETWORK, members=members(3), created=CREATED)
VALIDATORS = {
    member.validator_key.data: POWER for member in GENESIS.members if member.validator_key
}


class Driver:
    """Asks as the engine does, block by block."""

    def __init__(self, path: Path, *, version: str = "0.1.0", genesis: Genesis = GENESIS) -> None:
        self.path, self.genesis = path, genesis
        self.outcomes: dict[bytes, Outcome] = {}
        self.decided: list[int] = []
        self.file = MemberFile.open(path)
        self.app = Application(
            self.file,
            genesis=genesis,
            version=version,
            on_decided=self.decided.append,
            on_committed=self._committed,
        )

    def _committed(self, outcomes: Mapping[bytes, Outcome]) -> None:
        self.outcomes.update(outcomes)

    def begin(self) -> bytes:
        return self.app.init_chain(
            chain_id=NETWORK,
            app_state=canonical_json(self.genesis.to_object()),
            validators=VALIDATORS,
            height=1,
        )

    @property
    def height(self) -> int:
        return self.app.info()[0]

    def finalize(self, *transactions: bytes, time: int | None = None) -> Finalized:
        height = self.height + 1
        return self.app.finalize(
            height=height, time=time or CREATED + height, transactions=transactions
        )

    def block(self, *transactions: bytes, time: int | None = None) -> Finalized:
        answer = self.finalize(*transactions, time=time)
        self.app.commit()
        return answer

    def reopen(self, **changes: str) -> "Driver":
        """As after a crash: nothing in memory is left."""
        self.file.close()
        return Driver(self.path, genesis=self.genesis, **changes)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path / "ledger.db")
    driver.begin()
    yield driver
    driver.file.close()


def member_author(number: int) -> Author:
    key = UnsafeKey("root" if number == 0 else f"root {number}")
    return Author(GENESIS.members[number].did, "governance-1", key)


def vote_in(driver: Driver, change: object) -> Finalized:
    """All three members decide; the answer to the deciding block."""
    raw = member_author(0).transaction(Propose(change=change, reason="treaty"))  # type: ignore[arg-type]
    driver.block(raw)
    proposal = parse_transaction(raw).id
    driver.block(member_author(1).transaction(CastVote(proposal=proposal, vote="yes")))
    return driver.block(member_author(2).transaction(CastVote(proposal=proposal, vote="yes")))


# --- 2: the hash changes with entries alone


def test_blocks_without_entries_leave_the_app_hash_so_the_engine_pauses(driver: Driver) -> None:
    genesis_hash = driver.app.info()[1]
    first = driver.block()
    raw, _ = new_did("alice")
    second = driver.block(raw)

    later = [driver.block(time=CREATED + 1_000_000).app_hash for _ in range(3)]

    assert first.app_hash == genesis_hash
    assert second.app_hash != genesis_hash
    assert set(later) == {second.app_hash}


def test_a_block_of_refused_transactions_leaves_the_app_hash(driver: Driver) -> None:
    raw, _ = new_did("alice")
    before = driver.block(raw).app_hash

    answer = driver.block(raw, b"garbage")

    assert answer.app_hash == before
    assert [outcome.code for outcome in answer.outcomes] == [ALREADY_APPLIED, MALFORMED]


# --- 3: Commit writes state, height and hash together, and Info answers that pair


def test_nothing_is_on_disk_before_commit_and_all_of_it_after(driver: Driver) -> None:
    raw, _ = new_did("alice")
    before = driver.app.info()
    answer = driver.finalize(raw)
    again = driver.reopen()
    assert again.app.info() == before

    repeated = again.finalize(raw)
    again.app.commit()
    reopened = again.reopen()

    assert repeated.app_hash == answer.app_hash
    assert reopened.app.info() == (1, answer.app_hash)
    assert reopened.app.committed is not None
    assert app_hash(reopened.app.committed.head) == answer.app_hash
    reopened.file.close()


def test_a_block_may_be_finalized_again_before_its_commit(driver: Driver) -> None:
    raw, _ = new_did("alice")

    first, second = driver.finalize(raw), driver.finalize(raw)
    driver.app.commit()

    assert first == second
    assert driver.app.info() == (1, first.app_hash)


def test_a_commit_that_the_disk_refuses_changes_nothing(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, _ = new_did("alice")
    before = driver.app.info()
    driver.finalize(raw)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(application, "advance", fail)
        with pytest.raises(OSError, match="no room"):
            driver.app.commit()

    assert driver.app.info() == before
    assert driver.reopen().app.info() == before


def test_steps_out_of_order_stop_the_node(driver: Driver) -> None:
    with pytest.raises(OutOfOrder):
        driver.app.commit()
    with pytest.raises(OutOfOrder):
        driver.app.finalize(height=2, time=CREATED, transactions=[])
    driver.block()
    with pytest.raises(OutOfOrder):
        driver.app.finalize(height=1, time=CREATED, transactions=[])
    with pytest.raises(OutOfOrder):
        driver.begin()


# --- 4: the same answers everywhere


_SCRIPT = """
import sys; sys.path[:0] = [sys.argv[2]]
from pathlib import Path
from tests.registry.ledger.comet.test_application import Driver, story
driver = Driver(Path(sys.argv[1]))
driver.begin()
for answer in story(driver):
    print(answer.app_hash.hex(), [o.code for o in answer.outcomes],
          [(u.key.multikey, u.power) for u in answer.updates])
"""


def story(driver: Driver) -> Iterator[Finalized]:
    raw, alice = new_did("alice")
    yield driver.block(raw, new_did("bob")[0], b"{}", raw)
    admitted = AdmitMember(
        member=alice.did, name="Alice", validator_key=UnsafeKey("validator alice").key
    )
    yield vote_in(driver, admitted)
    yield driver.block(*(new_did(f"author {number}")[0] for number in range(30)))


def test_hash_seed_locale_and_time_zone_change_nothing(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[4])
    told = set()
    for number, (seed, zone, locale) in enumerate(
        [("0", "UTC", "C.UTF-8"), ("1", "Asia/Shanghai", "C"), ("4711", "America/Lima", "POSIX")]
    ):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": locale,
        }
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(tmp_path / f"{number}.db"), root],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(ran.stdout)

    assert len(told) == 1
    assert len(told.pop().splitlines()) == 3


def test_time_is_that_of_the_block_and_never_goes_back(driver: Driver) -> None:
    driver.block(new_did("alice")[0], time=CREATED + 500)
    driver.block(new_did("bob")[0], time=CREATED + 400)

    assert driver.app.committed is not None
    assert driver.app.committed.head.time == CREATED + 500


def test_a_rule_that_breaks_is_the_answer_to_its_transaction_alone(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = new_did("good")[0], new_did("bad")[0]
    whole = application.apply

    def apply(tx: object, **rest: object) -> object:
        if tx == parse_transaction(bad):
            raise ZeroDivisionError
        return whole(tx, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(application, "apply", apply)
    answer = driver.block(bad, good)

    assert [outcome.code for outcome in answer.outcomes] == [application.BROKEN_RULE, OK]


@pytest.mark.parametrize("error", [LedgerDamaged("a page"), MemoryError(), OSError(5, "read")])
def test_what_is_wrong_with_this_machine_stops_the_node(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def apply(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(application, "apply", apply)

    with pytest.raises(type(error)):
        driver.finalize(new_did("alice")[0])
    assert driver.height == 0


# --- 5: checks read the last committed state


def test_a_check_sees_nothing_of_a_block_that_is_not_committed(driver: Driver) -> None:
    raw, author = new_did("alice")
    update = author.transaction(UpdateDid(version=1, details=details_of(author.private)))
    driver.finalize(raw)

    assert driver.app.check(update).code not in (OK, ALREADY_APPLIED)
    assert driver.app.check(raw).code == OK
    driver.app.commit()
    assert driver.app.check(update).code == OK
    assert driver.app.check(raw).code == ALREADY_APPLIED


def test_checks_go_on_while_a_block_is_executed(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    executing, answered = threading.Event(), threading.Event()
    whole = application.finish

    def finish(*args: object, **rest: object) -> object:
        executing.set()
        assert answered.wait(10)
        return whole(*args, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(application, "finish", finish)
    thread = threading.Thread(target=driver.block, args=(new_did("alice")[0],))
    thread.start()
    assert executing.wait(10)
    outcome = driver.app.check(new_did("bob")[0])
    answered.set()
    thread.join()

    assert outcome.code == OK


# --- 7: who votes on blocks


def test_validators_follow_the_members(driver: Driver) -> None:
    raw, alice = new_did("alice")
    driver.block(raw)
    key, other = UnsafeKey("validator alice").key, UnsafeKey("another").key
    admitted = vote_in(
        driver, AdmitMember(member=alice.did, name="Alice", validator_key=key)
    ).updates
    before = GENESIS.members[1].validator_key
    assert before is not None
    rotated = vote_in(driver, SetValidatorKey(member=GENESIS.members[1].did, validator_key=other))

    assert admitted == (ValidatorUpdate(key, POWER),)
    assert set(rotated.updates) == {ValidatorUpdate(other, POWER), ValidatorUpdate(before, 0)}
    assert driver.block(new_did("bob")[0]).updates == ()


def test_a_removed_validator_gets_no_weight(driver: Driver) -> None:
    removed = vote_in(driver, RemoveMember(member=GENESIS.members[2].did))

    key = GENESIS.members[2].validator_key
    assert key is not None
    assert removed.updates == (ValidatorUpdate(key, 0),)


# --- proposals are bounded


def test_a_proposal_holds_transactions_only_and_not_too_many(driver: Driver) -> None:
    raws = [new_did(f"author {number}")[0] for number in range(5)]

    prepared = driver.app.prepare([raws[0], b"junk", *raws[1:]], max_bytes=1 << 20)
    short = driver.app.prepare(raws, max_bytes=2 * len(raws[0]) + 20)

    assert prepared == raws
    assert len(short) == 2
    assert driver.app.accepts(prepared)
    assert driver.app.accepts([])
    assert not driver.app.accepts([raws[0], b"junk"])
    assert not driver.app.accepts([b" " * (1 << 20)])
    many = [raws[0]] * (MAX_BLOCK_TRANSACTIONS + 1)
    assert not driver.app.accepts(many)
    assert driver.app.accepts(many[1:])
    assert len(driver.app.prepare(many, max_bytes=1 << 30)) == MAX_BLOCK_TRANSACTIONS


def test_the_same_transaction_twice_in_a_block_is_applied_once(driver: Driver) -> None:
    raw, _ = new_did("alice")

    answer = driver.block(raw, raw)

    assert [outcome.code for outcome in answer.outcomes] == [OK, ALREADY_APPLIED]
    assert answer.outcomes[0].at == answer.outcomes[1].at


def test_codes_are_those_of_the_kinds_of_refusal(driver: Driver) -> None:
    raw, author = new_did("alice")
    driver.block(raw)
    stranger = replace(author, private=UnsafeKey("mallory"))
    answer = driver.block(
        stranger.transaction(DeactivateDid(version=1)),
        author.transaction(UpdateDid(version=7, details=details_of(author.private))),
        raw[:-1],
    )

    assert [outcome.code for outcome in answer.outcomes] == [NOT_PERMITTED, CONFLICT, MALFORMED]


# --- upgrades


def test_older_software_stops_before_the_height_of_an_upgrade(driver: Driver) -> None:
    at = ScheduleUpgrade(at_height=5, version="0.2.0")
    vote_in(driver, at)  # heights 1 to 3
    driver.block(new_did("before")[0])  # height 4
    raw, _ = new_did("after")
    driver.block()  # no entries, no height: the old software may go on
    before = driver.app.info()

    with pytest.raises(UpgradeNeeded, match=r"0\.2\.0 from height 5"):
        driver.finalize(raw)

    assert driver.app.info() == before
    again = driver.reopen()
    with pytest.raises(UpgradeNeeded):
        again.finalize(raw)
    upgraded = again.reopen(version="0.2.0")
    assert upgraded.block(raw).outcomes[0].code == OK
    upgraded.file.close()


# --- the genesis


def test_another_genesis_is_refused(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "ledger.db")
    other = replace(GENESIS, created=CREATED + 1)
    wrong = [
        {"app_state": canonical_json(other.to_object())},
        {"chain_id": "othernet"},
        {"validators": {}},
        {"validators": dict(list(VALIDATORS.items())[:2])},
        {"validators": dict.fromkeys(VALIDATORS, 11)},
        {"height": 2},
    ]
    right = {
        "chain_id": NETWORK,
        "app_state": canonical_json(GENESIS.to_object()),
        "validators": VALIDATORS,
        "height": 1,
    }

    for change in wrong:
        with pytest.raises(WrongGenesis):
            driver.app.init_chain(**{**right, **change})  # type: ignore[arg-type]

    assert driver.app.info() == (0, b"")
    first = driver.begin()
    assert driver.begin() == first  # asked again after a crash before block 1
    assert driver.reopen().app.info() == (0, first)


def test_a_ledger_of_another_genesis_is_not_opened(driver: Driver) -> None:
    driver.block(new_did("alice")[0])
    driver.file.close()

    with pytest.raises(LedgerNotOpened, match="another genesis"):
        Driver(driver.path, genesis=replace(GENESIS, created=CREATED + 1))


def test_the_authors_of_this_file_are_members() -> None:
    assert root_author().did == member_author(0).did

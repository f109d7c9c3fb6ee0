"""The vault's retention clock: dry first, on record before it happens, safe to repeat."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest

from identity.adapters.audit_sinks import (
    AuditFileBroken,
    FileAuditSink,
    read_audit_file,
    verify_audit_file,
)
from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_look_store import SqlLookStore
from identity.adapters.vault_retention_store import SqlRetentionStore
from identity.adapters.vault_store import DatabaseAuditSink, SqlVaultStore
from identity.core.retention import DAY_SECONDS, VaultTerms, cutoff
from identity.installation.vault_audit import compare_audit, refuse_older_audit
from identity.vault.break_glass import BreakGlass
from identity.vault.ports import NothingSealed, VaultNotAudited, VaultRowNotOpened
from identity.vault.retention import LEFTOVERS, PastTerm, VaultRetention
from identity.vault.service import SealedVault
from tests.identity.vault.parts import NOW, MemorySink, MemoryVaultKeys, vault_engine

TERMS = VaultTerms(leftovers=30, merged=365, looks=90, audit=700)


@dataclass
class Place:
    """A vault whose clock a test moves."""

    folder: Path
    terms: VaultTerms = TERMS
    now: int = NOW

    def __post_init__(self) -> None:
        engine = vault_engine(self.folder / "vault.db")
        self.path = self.folder / "audit.jsonl"
        self.database, self.file = DatabaseAuditSink(engine), FileAuditSink(self.path)
        self.third = MemorySink()
        self.vault = SealedVault(
            store=SqlVaultStore(engine),
            keys=MemoryVaultKeys(),
            secrets=SqliteRowSecrets(self.folder / "secrets" / "rows.db"),
            audit=[self.database, self.file, self.third],
            random=secrets.token_bytes,
            now=lambda: self.now,
        )
        self.looks = BreakGlass(
            vault=self.vault,
            store=SqlLookStore(engine),
            random=secrets.token_bytes,
            now=lambda: self.now,
        )
        self.clock = VaultRetention(
            vault=self.vault,
            store=SqlRetentionStore(engine),
            trail=self.file,
            terms=self.terms,
            random=secrets.token_bytes,
        )

    def later(self, days: int) -> None:
        self.now += days * DAY_SECONDS

    def opens(self, ref: str) -> bool:
        try:
            self.vault.open(ref, purpose="p", actor="a")
        except (NothingSealed, VaultRowNotOpened):
            return False
        return True

    def counts(self) -> tuple[int, int, int]:
        found = compare_audit(self.database, self.path)
        return found.both, found.database_alone, found.file_alone


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_has_no_term_is_never_past_it() -> None:
    assert cutoff(None, now=NOW) is None
    assert cutoff(2, now=NOW) == NOW - 2 * 86_400


def test_leftovers_go_and_people_and_what_is_young_stay(place: Place) -> None:
    old = [place.vault.seal(owner="realname", kind=kind, data=b"x") for kind in LEFTOVERS]
    person = place.vault.seal(owner="realname", kind="person", data=b"anna")
    place.later(30)
    young = place.vault.seal(owner="prs_x", kind="pending-claims", data=b"y")
    assert place.clock.due(now=place.now) == PastTerm()
    place.later(1)

    told = place.clock.due(now=place.now)
    assert told == PastTerm(leftovers=len(LEFTOVERS))
    assert all(place.opens(ref) for ref in old)  # it only told

    assert place.clock.destroy(now=place.now) == told
    assert not any(place.opens(ref) for ref in old)
    assert place.opens(person)
    assert place.opens(young)
    assert place.clock.destroy(now=place.now) == PastTerm()  # safe to repeat
    noted = [entry.ref for entry in place.third.records if entry.purpose == "retention"]
    assert sorted(noted) == sorted(old)


def test_nothing_is_destroyed_that_is_not_on_record(place: Place) -> None:
    old = place.vault.seal(owner="realname", kind="in-person", data=b"x")
    place.looks.ask(old, reason="court", officer="ada")
    place.later(800)
    before = place.clock.due(now=place.now)
    place.third.failing = True

    with pytest.raises(VaultNotAudited):
        place.clock.destroy(now=place.now)

    place.third.failing = False
    after = place.clock.due(now=place.now)
    assert (after.leftovers, after.looks) == (before.leftovers, before.looks) == (1, 1)
    assert place.opens(old)


def test_what_was_merged_goes_after_its_term(place: Place) -> None:
    def registered(number: bytes) -> str:
        return place.vault.seal_once(
            identifier=number, owner="realname", kind="person", data=number
        ).ref

    kept, lost = registered(b"cn|1"), registered(b"cn|2")
    place.vault.merge(lost, into=kept)
    place.later(366)

    assert place.clock.destroy(now=place.now).merged == 1

    with pytest.raises(NothingSealed):
        place.vault.separate(lost, merged_into=kept)
    assert place.vault.find(b"cn|2") == kept


def test_looks_and_audit_records_go_with_their_terms_and_both_sinks_agree(place: Place) -> None:
    ref = place.vault.seal(owner="realname", kind="person", data=b"anna")
    for _ in range(3):
        place.opens(ref)
        place.later(1)
    place.looks.ask(ref, reason="court", officer="ada")
    place.later(698)
    place.opens(ref)
    assert place.clock.due(now=place.now) == PastTerm(looks=1, audit=1)

    place.clock.destroy(now=place.now)

    records = read_audit_file(place.path)
    assert [entry.action for entry in records] == [
        *("open", "open", "break-glass-asked", "open", "retention", "retention"),
    ]
    assert place.counts() == (6, 0, 0)
    refuse_older_audit(place.database, place.path)
    assert place.clock.due(now=place.now) == PastTerm()
    place.later(1)
    place.clock.destroy(now=place.now)  # a second cut goes on from the first
    place.opens(ref)  # and the chain goes on from there
    verify_audit_file(place.path)
    assert place.counts()[1:] == (0, 0)


def test_a_clock_that_went_back_leaves_the_sinks_equal(place: Place) -> None:
    ref = place.vault.seal(owner="realname", kind="person", data=b"anna")
    place.opens(ref)
    place.later(10)
    place.opens(ref)
    place.later(-10)
    place.opens(ref)  # older than the record before it
    place.later(705)

    place.clock.destroy(now=place.now)

    assert place.counts() == (3, 0, 0)  # the second, the third, and the record of this


def test_a_crash_between_the_sinks_is_healed_by_the_next_round(place: Place) -> None:
    ref = place.vault.seal(owner="realname", kind="person", data=b"anna")
    place.opens(ref)
    place.later(701)
    cut = place.file.cut
    place.file.cut = lambda _before: (_ for _ in ()).throw(OSError("power"))  # type: ignore[method-assign]
    with pytest.raises(OSError, match="power"):
        place.clock.destroy(now=place.now)
    assert place.counts()[2] == 1
    place.file.cut = cut  # type: ignore[method-assign]

    place.clock.destroy(now=place.now)

    assert place.counts()[1:] == (0, 0)


def test_a_cut_that_is_not_ours_breaks_the_chain(place: Place) -> None:
    ref = place.vault.seal(owner="realname", kind="person", data=b"anna")
    for _ in range(3):
        place.opens(ref)
    lines = place.path.read_bytes().splitlines(keepends=True)
    place.path.write_bytes(b"".join(lines[1:]))

    with pytest.raises(AuditFileBroken):
        verify_audit_file(place.path)
    with pytest.raises(AuditFileBroken):
        place.file.cut(NOW + 1)


def test_an_audit_file_that_a_crash_left_empty_is_cut_of_nothing(place: Place) -> None:
    place.path.touch()
    place.file.cut(NOW)
    assert place.path.read_bytes() == b""
    place.opens(place.vault.seal(owner="realname", kind="person", data=b"anna"))
    verify_audit_file(place.path)


def test_the_record_says_what_was_destroyed(place: Place) -> None:
    ref = place.vault.seal(owner="realname", kind="person", data=b"anna")
    for _ in range(2):
        place.opens(ref)
    place.later(701)
    place.clock.destroy(now=place.now)
    (noted,) = [entry for entry in place.third.records if entry.action == "retention"]
    assert noted.purpose == f"retention:before-{place.now - 700 * DAY_SECONDS}:count-2"


def test_however_many_records_stay_the_others_go(place: Place) -> None:
    for _ in range(3):
        place.opens(place.vault.seal(owner="realname", kind="person", data=b"anna"))
    store, kept = place.clock._store, place.third.records[0].id
    many = {
        kept,
        *(f"r{number}" for number in range(260_000)),
    }  # more than any build of SQLite takes
    store.delete_audit(NOW + 1, but=many)
    assert place.database.ids() == {kept}

"""The desk on a real store: who can recover somebody, who cannot, and who can stop it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from identity.adapters.database import transaction
from identity.adapters.guardian_store import (
    ApprovalRow,
    ArrangementRow,
    ChangeRow,
    RecoveryRow,
    SqlGuardianStore,
)
from identity.core.credential_digest import (
    BATCH_BYTES,
    SALT_BYTES,
    anchor_claim,
    credential_digest,
)
from identity.core.guardians import (
    DAY,
    ORDER_TYP,
    ApprovalNotAccepted,
    ArrangementNotAccepted,
    RecoveryCase,
    sign_approval,
)
from identity.core.jose import parse_compact, sign_compact
from identity.core.key_proof import TYP as KEY_PROOF_TYP
from identity.core.oid4vci_errors import InvalidProof
from identity.guardians.ports import RecoveryState
from identity.guardians.service import (
    ANSWER_AGAIN_SECONDS,
    CLAIM_SECONDS,
    MAX_UNDER_WAY,
    READY_SECONDS,
    GuardianDesk,
    NoSuchArrangement,
    NoSuchRecovery,
    NotHerOrder,
    RecoveryNotReady,
    TooManyRecoveries,
    View,
)
from registry.core.encoding import JsonObject, base64url_encode, parse_json_object
from registry.core.keys import KeyType
from registry.core.refusals import Refusal, Unavailable
from tests.databases import migrated_database
from tests.identity.core.signers import KeySigner, signer
from tests.identity.issuer.workbench import Randomness

NOW = 1_800_000_000
SLUG, URL = "registrar", "https://id.example/issuers/registrar"
HOLDER, OTHER, NEW = (signer(KeyType.P256, number) for number in (1, 2, 3))
GUARDIANS = [signer(KeyType.P256, number) for number in (10, 11, 12)]
STRANGER = signer(KeyType.P256, 13)


def copy_of(holder: KeySigner) -> str:
    """An SD-JWT as an agency anchors it; the store of people knows it by its digest."""
    payload = {
        "iss": URL,
        "cnf": {"jwk": holder.key.jwk},
        "anchor": {
            "salt": base64url_encode(bytes(SALT_BYTES)),
            "batch": base64url_encode(bytes(BATCH_BYTES)),
            "network": "test",
        },
    }
    return sign_compact(header={"typ": "dc+sd-jwt"}, payload=payload, signer=STRANGER) + "~"


@dataclass
class MemoryPeople:
    """Keeps the promises of `People`; remembers what was ended and offered."""

    subjects: dict[bytes, str] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    active: bool = True
    types: list[str] = field(default_factory=lambda: ["resident-identity"])
    ended: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)  # thumbprints of the keys they are for
    taken_back: list[str] = field(default_factory=list)
    fails: bool = False
    refuses: str = ""  # a type that cannot be offered
    meanwhile: Callable[[], object] = lambda: None  # what happens while things end

    def issuer_url(self, agency: str) -> str:
        return f"https://id.example/issuers/{agency}"

    def subject_of(self, agency: str, digest: bytes) -> str | None:
        return self.subjects.get(digest) if agency == SLUG else None

    def use_nonce(self, agency: str, nonce: str, *, now: int) -> bool:
        assert (agency, now) > ("", 0)
        known = nonce in self.nonces
        self.nonces.discard(nonce)
        return known

    def is_active(self, subject: str) -> bool:
        assert subject
        return self.active

    def offerable(self, agency: str, subject: str) -> list[str]:
        assert (agency, subject) == (SLUG, "prs_alice")
        return list(self.types)

    def end_everywhere(self, subject: str) -> int:
        self.ended.append(subject)
        self.types = []  # nothing that she holds is valid any more
        if self.fails:
            raise Unavailable("the ledger is away")
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        return 2

    def offer(
        self, agency: str, subject: str, credential_type: str, *, key: str, now: int
    ) -> JsonObject:
        assert (agency, now, key) > ("", 0, "")
        if credential_type == self.refuses:
            raise Unavailable("not now")
        self.offered.append(f"{subject} {credential_type}")
        self.open.append(key)
        return {"credential_type": credential_type}

    def offer_again(self, agency: str, subject: str, *, key: str, now: int) -> list[JsonObject]:
        assert (agency, subject, now) > ("", "", 0)
        self.meanwhile()
        return [{"credential_type": "again"} for to in self.open if to == key]

    def take_back(self, agency: str, offers: Sequence[JsonObject]) -> None:
        assert agency == SLUG
        self.taken_back.extend(str(offer["credential_type"]) for offer in offers)


class Town:
    """A desk, its store, a clock, and Alice who arranged two of three guardians."""

    def __init__(self, folder: Path) -> None:
        self.engine = migrated_database("identity", f"sqlite:///{folder / 'identity.db'}")
        self.people, self.now, self._count = MemoryPeople(), NOW, 0
        for holder, subject in ((HOLDER, "prs_alice"), (OTHER, "prs_bob")):
            payload = parse_compact(copy_of(holder).rstrip("~")).claims
            digest = credential_digest(payload, anchor_claim(payload).salt)
            self.people.subjects[digest] = subject
        self.desk = GuardianDesk(SqlGuardianStore(self.engine), self.people, random=Randomness())

    def nonce(self) -> str:
        self._count += 1
        self.people.nonces.add(f"nonce-{self._count}")
        return f"nonce-{self._count}"

    def order(self, act: str, *, by: KeySigner = HOLDER, **changes: Any) -> str | None:
        claims = {"aud": URL, "nonce": self.nonce(), "iat": self.now, "act": act, **changes}
        text = sign_compact(header={"typ": ORDER_TYP}, payload=claims, signer=by)
        return self.desk.order(SLUG, copy_of(by), text, now=self.now)

    def arrange(self, *, by: KeySigner = HOLDER, **changes: Any) -> str:
        chosen = {"guardians": [g.key.jwk for g in GUARDIANS], "threshold": 2, "wait_seconds": DAY}
        name = self.order("set", by=by, **{**chosen, **changes})
        assert name is not None
        return name

    def proof(self, key: KeySigner = NEW, **changes: Any) -> str:
        claims = {"aud": URL, "nonce": self.nonce(), "iat": self.now, **changes}
        header = {"typ": KEY_PROOF_TYP, "jwk": key.key.jwk}
        return sign_compact(header=header, payload=claims, signer=key)

    def begin(self, arrangement: str, key: KeySigner = NEW) -> RecoveryCase:
        return self.desk.begin(SLUG, arrangement, self.proof(key), now=self.now).case

    def approve(self, case: RecoveryCase, by: KeySigner) -> View:
        text = sign_approval(case, signer=by, now=self.now, expires=self.now + DAY)
        return self.desk.approve(SLUG, case.recovery, text, now=self.now)

    def complete(self, case: RecoveryCase, key: KeySigner = NEW) -> Any:
        return self.desk.complete(SLUG, case.recovery, self.proof(key), now=self.now)

    def waiting(self) -> RecoveryCase:
        case = self.begin(self.arrange())
        self.approve(case, GUARDIANS[0])
        assert self.approve(case, GUARDIANS[1]).state is RecoveryState.WAITING
        return case


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_two_of_three_and_a_day_end_what_was_lost_and_offer_it_anew(town: Town) -> None:
    case = town.begin(town.arrange())
    one = town.approve(case, GUARDIANS[2])
    assert (one.state, one.approvals, one.ends_at) == (RecoveryState.OPEN, 1, 0)
    two = town.approve(case, GUARDIANS[0])
    assert (two.state, two.approvals, two.ends_at) == (RecoveryState.WAITING, 2, NOW + DAY)
    town.now += DAY

    done = town.complete(case)

    assert (done.ended, done.offers) == (2, ({"credential_type": "resident-identity"},))
    assert town.people.ended == ["prs_alice"]
    assert town.people.offered == ["prs_alice resident-identity"]
    assert town.people.open == [NEW.key.jwk_thumbprint]  # and nobody else's


def test_an_answer_that_got_lost_is_given_again_for_a_day_and_ends_nothing_more(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    town.complete(case)
    town.now += ANSWER_AGAIN_SECONDS - 1
    with pytest.raises(NotHerOrder):
        town.complete(case, key=STRANGER)

    again = town.complete(case)

    assert (again.ended, again.offers) == (0, ({"credential_type": "again"},))
    assert town.people.offered == ["prs_alice resident-identity"]
    assert town.people.ended == ["prs_alice"]
    town.now += 1
    with pytest.raises(RecoveryNotReady):
        town.complete(case)


def test_her_record_will_tell_which_of_her_keys_changed_her_guardians_and_how(town: Town) -> None:
    town.arrange()
    town.now += 5
    town.arrange()
    town.now += 5
    town.order("withdraw")

    with transaction(town.engine) as db:
        rows = db.scalars(select(ChangeRow).order_by(ChangeRow.changed_at)).all()
    assert [(row.state, row.subject, row.changed_at) for row in rows] == [
        ("set", "prs_alice", NOW),
        ("changed", "prs_alice", NOW + 5),
        ("withdrawn", "prs_alice", NOW + 10),
    ]
    first, second, last = (parse_json_object(row.detail) for row in rows)
    assert first["key"] == second["key"] == last["key"] == HOLDER.key.jwk_thumbprint
    assert (first["guardians"], first["threshold"], first["wait_seconds"]) == (3, 2, DAY)
    assert set(last) == {"key", "order"}
    assert len({told["order"] for told in (first, second, last)}) == 3


def test_the_bounds_of_an_arrangement_are_told_as_they_are_kept(town: Town) -> None:
    told = town.desk.rules(SLUG)
    keys = [signer(KeyType.P256, 30 + n).key.jwk for n in range(told["max_guardians"] + 1)]
    fewest = {"guardians": keys[: told["min_approvals"]], "threshold": told["min_approvals"]}
    most = {"guardians": keys[:-1], "threshold": told["max_guardians"]}
    town.arrange(**fewest, wait_seconds=told["min_wait_seconds"])
    town.arrange(**most, wait_seconds=told["max_wait_seconds"])
    for wrong in (
        {**fewest, "wait_seconds": told["min_wait_seconds"] - 1},
        {**fewest, "wait_seconds": told["max_wait_seconds"] + 1},
        {**fewest, "guardians": keys[:1], "threshold": 1},
        {**most, "guardians": keys},
    ):
        with pytest.raises(ArrangementNotAccepted):
            town.arrange(**wrong)


def test_fewer_than_she_asked_for_recover_nobody_however_long_they_wait(town: Town) -> None:
    case = town.begin(town.arrange())
    for _ in range(3):
        assert town.approve(case, GUARDIANS[0]).approvals == 1
    with pytest.raises(ApprovalNotAccepted):
        town.approve(case, STRANGER)
    town.now += 3 * DAY

    with pytest.raises(RecoveryNotReady):
        town.complete(case)
    assert town.people.ended == []


def test_before_the_wait_is_over_nothing_ends(town: Town) -> None:
    case = town.waiting()
    town.now += DAY - 1
    with pytest.raises(RecoveryNotReady):
        town.complete(case)
    assert town.people.ended == []
    town.now += 1
    assert town.complete(case).ended == 2


def test_only_the_approved_key_completes(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    with pytest.raises(NotHerOrder):
        town.complete(case, key=STRANGER)
    used = town.proof()
    town.people.nonces.clear()
    with pytest.raises(NotHerOrder):
        town.desk.complete(SLUG, case.recovery, used, now=town.now)
    with pytest.raises(InvalidProof):
        town.desk.complete(SLUG, case.recovery, town.proof(aud="https://x"), now=town.now)
    assert town.people.ended == []
    assert town.complete(case).ended == 2


def test_her_living_wallet_stops_it_and_nobody_elses_does(town: Town) -> None:
    case = town.waiting()
    with pytest.raises(NoSuchRecovery):
        town.order("stop", by=OTHER, recovery=case.recovery)
    assert town.desk.read(SLUG, case.recovery, now=town.now).state is RecoveryState.WAITING

    town.order("stop", recovery=case.recovery)

    town.now += DAY
    with pytest.raises(RecoveryNotReady):
        town.complete(case)
    with pytest.raises(RecoveryNotReady):
        town.order("stop", recovery=case.recovery)
    assert town.people.ended == []


def test_approvals_of_one_recovery_open_no_other(town: Town) -> None:
    arranged = town.arrange()
    one, other = town.begin(arranged), town.begin(arranged, key=STRANGER)
    text = sign_approval(one, signer=GUARDIANS[0], now=NOW, expires=NOW + DAY)
    with pytest.raises(ApprovalNotAccepted):
        town.desk.approve(SLUG, other.recovery, text, now=NOW)
    assert town.desk.approve(SLUG, one.recovery, text, now=NOW).approvals == 1


@pytest.mark.parametrize("act", ["replace", "withdraw"])
def test_a_new_arrangement_or_none_ends_the_recoveries_of_the_old_one(town: Town, act: str) -> None:
    case = town.waiting()
    if act == "replace":
        assert town.arrange(threshold=3) != case.arrangement
    else:
        assert town.order("withdraw") is None
        with pytest.raises(NoSuchArrangement):
            town.order("withdraw")
    town.now += DAY
    with pytest.raises(NoSuchRecovery):
        town.complete(case)
    with pytest.raises(NoSuchArrangement):
        town.begin(case.arrangement)
    assert town.people.ended == []


def test_an_order_needs_her_copy_its_key_and_a_nonce_of_ours(town: Town) -> None:
    claims = {"aud": URL, "nonce": town.nonce(), "iat": NOW, "act": "withdraw"}

    def signed(by: KeySigner) -> str:
        return sign_compact(header={"typ": ORDER_TYP}, payload=claims, signer=by)

    arranged = town.arrange()
    for credential, order in (
        (copy_of(OTHER), signed(HOLDER)),
        (copy_of(STRANGER), signed(STRANGER)),
        ("nonsense", signed(HOLDER)),
        (copy_of(HOLDER), signed(STRANGER)),
    ):
        with pytest.raises(NotHerOrder):
            town.desk.order(SLUG, credential, order, now=NOW)
    assert town.begin(arranged).arrangement == arranged  # it still stands
    town.desk.order(SLUG, copy_of(HOLDER), signed(HOLDER), now=NOW)
    with pytest.raises(NotHerOrder):  # the nonce is used up
        town.desk.order(SLUG, copy_of(HOLDER), signed(HOLDER), now=NOW)
    with pytest.raises(ArrangementNotAccepted):
        town.arrange(threshold=1)


def test_an_operator_who_changes_rows_recovers_nobody(town: Town) -> None:
    """What counts are signatures; a row that says otherwise is refused, or counts for nothing."""
    case = town.begin(town.arrange())
    town.approve(case, GUARDIANS[0])
    with transaction(town.engine) as db:
        row = db.get_one(RecoveryRow, case.recovery)
        row.state, row.waiting_since = "waiting", NOW - DAY
    with pytest.raises(RecoveryNotReady, match="fewer guardians"):
        town.complete(case)
    forged = sign_approval(case, signer=STRANGER, now=NOW, expires=NOW + DAY)
    with transaction(town.engine) as db:
        row = ApprovalRow(
            recovery=case.recovery,
            guardian=GUARDIANS[1].key.jwk_thumbprint,
            approval=forged,
            came=NOW,
        )
        db.add(row)
    with pytest.raises(ApprovalNotAccepted):
        town.complete(case)
    with transaction(town.engine) as db:
        kept = db.get_one(ArrangementRow, case.arrangement)
        first, second, third = kept.signed_order.split(".")
        kept.signed_order = f"{first}.{second[:-4]}AAAA.{third}"
    with pytest.raises(Refusal):
        town.complete(case)
    assert town.people.ended == []


def test_what_failed_half_way_is_tried_again_and_offers_the_same_types(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    town.people.fails = True
    with pytest.raises(Unavailable):
        town.complete(case)
    with pytest.raises(RecoveryNotReady):
        town.order("stop", recovery=case.recovery)
    town.people.fails = False

    assert town.complete(case).offers == ({"credential_type": "resident-identity"},)


def test_what_cannot_even_be_taken_back_does_not_keep_her_from_trying_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = town.waiting()
    town.now += DAY
    town.people.fails = True

    def away(*_args: object) -> None:
        raise Unavailable("this is away as well")

    with monkeypatch.context() as patch:
        patch.setattr(town.people, "take_back", away)
        with pytest.raises(Unavailable):
            town.complete(case)
    town.people.fails = False

    assert town.complete(case).offers == ({"credential_type": "resident-identity"},)


def test_a_new_proofing_while_things_end_leaves_the_plotters_nothing(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    # She is proofed anew at a desk, which withdraws whatever guardians there are.
    store = SqlGuardianStore(town.engine)
    town.people.meanwhile = lambda: store.withdraw(SLUG, "prs_alice", now=town.now)

    with pytest.raises(RecoveryNotReady):
        town.complete(case)

    assert town.people.taken_back == ["resident-identity"]
    row = store.recovery(case.recovery)
    assert row is not None
    assert row.state is RecoveryState.STOPPED
    with pytest.raises(NoSuchRecovery):
        town.complete(case)


def test_a_new_proofing_while_the_answer_is_given_again_leaves_nothing_either(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    town.complete(case)
    store = SqlGuardianStore(town.engine)
    town.people.meanwhile = lambda: store.withdraw(SLUG, "prs_alice", now=town.now)
    with pytest.raises(NoSuchRecovery):
        town.complete(case)
    assert town.people.taken_back == ["again"]


def test_a_second_completion_ends_nothing_of_what_the_first_one_offers(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    refused: list[type[Exception]] = []

    def second() -> None:
        try:
            town.complete(case)
        except RecoveryNotReady as refusal:
            refused.append(type(refusal))

    town.people.meanwhile = second

    assert town.complete(case).offers == ({"credential_type": "resident-identity"},)

    assert refused == [RecoveryNotReady]
    assert town.people.ended == ["prs_alice"]
    assert town.people.taken_back == []


def test_a_call_that_hangs_is_overtaken_and_offers_nothing_then(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    done: list[Any] = []

    def overtake() -> None:
        town.now += CLAIM_SECONDS
        done.append(town.complete(case))

    town.people.meanwhile = overtake

    with pytest.raises(RecoveryNotReady):
        town.complete(case)

    assert done[0].offers == ({"credential_type": "resident-identity"},)
    assert town.people.taken_back == ["resident-identity"]  # by the one that hung


def test_offers_before_one_that_fails_are_taken_back(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    town.people.types = ["resident-identity", "library-card"]
    town.people.refuses = "library-card"
    with pytest.raises(Unavailable):
        town.complete(case)
    assert town.people.taken_back == ["resident-identity"]
    town.people.refuses = ""
    assert len(town.complete(case).offers) == 2


def test_what_nobody_completes_in_two_weeks_after_the_wait_lapses(town: Town) -> None:
    case = town.waiting()
    town.now += DAY + READY_SECONDS - 1
    assert town.desk.read(SLUG, case.recovery, now=town.now).state is RecoveryState.WAITING
    town.now += 1
    with pytest.raises(NoSuchRecovery):
        town.complete(case)
    row = SqlGuardianStore(town.engine).recovery(case.recovery)
    assert row is not None
    assert (row.state, row.closed_at) == (RecoveryState.STOPPED, town.now)  # her record says so
    assert town.people.ended == []


def test_lapsed_ones_make_room_though_nobody_asks_for_them(town: Town) -> None:
    arranged = town.arrange()
    cases = [town.begin(arranged) for _ in range(MAX_UNDER_WAY)]
    for case in cases:
        for guardian in GUARDIANS[:2]:
            town.approve(case, guardian)
    town.now += DAY + READY_SECONDS - 1
    with pytest.raises(TooManyRecoveries):
        town.begin(arranged)
    town.now += 1
    assert town.begin(arranged).arrangement == arranged


def test_nobody_recovers_the_dead(town: Town) -> None:
    case = town.waiting()
    town.now += DAY
    town.people.active = False
    with pytest.raises(RecoveryNotReady):
        town.complete(case)
    assert town.people.ended == []


def test_recoveries_of_one_arrangement_are_bounded_and_unfinished_ones_lapse(town: Town) -> None:
    arranged = town.arrange()
    cases = [town.begin(arranged) for _ in range(MAX_UNDER_WAY)]
    with pytest.raises(TooManyRecoveries):
        town.begin(arranged)
    town.now += 7 * DAY
    with pytest.raises(NoSuchRecovery):
        town.approve(cases[0], GUARDIANS[0])
    assert town.begin(arranged).arrangement == arranged


def test_a_guardian_is_not_the_new_wallet(town: Town) -> None:
    arranged = town.arrange()
    with pytest.raises(Refusal, match="guardian's key"):
        town.begin(arranged, key=GUARDIANS[0])
    with pytest.raises(NoSuchArrangement):
        town.begin("A" * 22)

"""Whoever was merged is found in the last registration, however many mergers lie between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from identity.adapters.database import Base, transaction
from identity.adapters.realname_store import Merger, SqlBindingStore
from identity.core.life_event import LifeEventKind
from identity.core.proofing import AssuranceLevel
from identity.realname.life_events import RemainsGone
from identity.realname.ports import AllWithdrew, Binding, BindingState, MergedAlready, NotAlive
from identity.vault.ports import remains_of
from registry.core.refusals import Refusal, Unavailable
from tests.databases import database_with
from tests.identity.realname import test_reversals
from tests.identity.realname.parts import SCHEMES, Installation, installation
from tests.identity.realname.test_reversals import CIVIL, Register, post, said, state
from tests.identity.realname.test_review import (
    AUSTRIAN,
    BRAZILIAN,
    GERMAN,
    Heard,
    Sealing,
    enrol,
)
from tests.identity.vault.parts import NOW

MERGED = BindingState.MERGED

# Three people of three names, so that nobody has to decide whether they are alike.
BEA, ADA, CLE = (
    (AUSTRIAN, {"given_name": "Bea"}),
    (GERMAN, {"given_name": "Ada"}),
    (BRAZILIAN, {"given_name": "Cleo"}),
)


@pytest.fixture
def hook() -> Heard:
    return Heard()


@pytest.fixture
def place(tmp_path: Path, hook: Heard) -> Installation:
    return installation(tmp_path, register=Register(), hooks=[hook])


@pytest.fixture
def http(place: Installation) -> Iterator[TestClient]:
    with test_reversals.client(place) as client:
        yield client


def registered(
    place: Installation, who: tuple[tuple[str, str], dict[str, Any]], *, agency: str
) -> str:
    document, names = who
    return enrol(place, document, agency=agency, **names)


def person(place: Installation, subject: str) -> str:
    return place.real_names.binding(subject).person


def leads_to(place: Installation, who: tuple[tuple[str, str], dict[str, str]]) -> str | None:
    (country, number), _ = who
    return place.vault.find(SCHEMES.parse(country, number, today=date(2026, 1, 1)).identifier)


def told(place: Installation, subject: str, *, agency: str) -> object:
    return place.real_names.claims(
        subject, names=["given_name"], purpose="issue", actor=f"issuer:{agency}"
    ).get("given_name")


class Chain:
    """Bea, known to the hospital and the civil registry; Ada to that one; Cleo to the university.

    Ada and Cleo are known to the transport office too.
    """

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.bea = registered(place, BEA, agency="hospital")
        self.bea_civil = registered(place, BEA, agency="civil-registry")
        self.ada = registered(place, ADA, agency="civil-registry")
        self.ada_transport = registered(place, ADA, agency="transport")
        self.cleo = registered(place, CLE, agency="university")
        self.cleo_transport = registered(place, CLE, agency="transport")
        self.refs = [person(place, subject) for subject in (self.bea, self.ada, self.cleo)]

    def merge(self) -> None:
        """Bea into Ada, and then Ada into Cleo."""
        bea, ada, cleo = self.refs
        self.place.life.merge(bea, into=ada)
        self.place.life.merge(ada, into=cleo)


@pytest.fixture
def chain(place: Installation) -> Chain:
    return Chain(place)


def test_who_was_merged_first_is_found_in_the_last(place: Installation, chain: Chain) -> None:
    chain.merge()

    bea, ada, cleo = chain.refs
    assert [place.bindings.survivor(ref) for ref in chain.refs] == [cleo] * 3
    assert place.bindings.absorbed_by(cleo) == sorted((bea, ada))
    assert place.bindings.absorbed_by(ada) == [bea]
    assert person(place, chain.bea) == person(place, chain.ada) == cleo
    assert state(place, chain.ada_transport) is BindingState.MERGED
    assert told(place, chain.bea, agency="hospital") == "Cleo"


@pytest.mark.parametrize("first", ["bea", "ada"])
def test_a_chain_is_taken_apart_in_either_order(
    place: Installation, chain: Chain, first: str
) -> None:
    chain.merge()
    bea, ada, cleo = chain.refs

    if first == "bea":  # out of the middle of the chain
        place.life.separate(bea, merged_into=ada)
        assert told(place, chain.bea, agency="hospital") == "Bea"
        assert told(place, chain.ada, agency="civil-registry") == "Cleo"
        place.life.separate(ada, merged_into=cleo)
    else:
        place.life.separate(ada, merged_into=cleo)
        assert told(place, chain.bea, agency="hospital") == "Ada"  # she is merged into her still
        assert person(place, chain.bea) == person(place, chain.ada)
        place.life.separate(bea, merged_into=ada)

    names = {
        chain.bea: ("hospital", "Bea"),
        chain.bea_civil: ("civil-registry", "Bea"),
        chain.ada: ("civil-registry", "Ada"),
        chain.ada_transport: ("transport", "Ada"),
        chain.cleo: ("university", "Cleo"),
        chain.cleo_transport: ("transport", "Cleo"),
    }
    for subject, (agency, name) in names.items():
        assert told(place, subject, agency=agency) == name
    for who, subject, agency in (
        (BEA, chain.bea, "hospital"),
        (ADA, chain.ada, "civil-registry"),
        (CLE, chain.cleo, "university"),
    ):
        assert registered(place, who, agency=agency) == subject
    for ref in chain.refs:
        assert place.bindings.absorbed_by(place.bindings.survivor(ref)) == []
        assert place.vault.find(remains_of(ref)) is None


def test_a_chain_taken_apart_from_its_end_is_merged_and_taken_apart_again(
    place: Installation, chain: Chain
) -> None:
    chain.merge()
    bea, ada, cleo = chain.refs
    place.life.separate(ada, merged_into=cleo)
    anew = place.bindings.known_as(ada)
    assert anew not in chain.refs
    assert place.bindings.survivor(bea) == anew
    assert place.bindings.absorbed_by(anew) == [bea]

    place.life.merge(ada, into=cleo)  # by the name that a case has for her
    assert {place.bindings.survivor(ref) for ref in (bea, ada, anew)} == {cleo}
    assert place.bindings.absorbed_by(cleo) == sorted((bea, anew))
    place.life.separate(anew, merged_into=cleo)
    place.life.separate(bea, merged_into=ada)
    assert told(place, chain.bea, agency="hospital") == "Bea"
    assert told(place, chain.ada, agency="civil-registry") == "Ada"


def test_a_merger_that_would_go_round_is_refused(place: Installation, chain: Chain) -> None:
    chain.merge()
    bea, ada, cleo = chain.refs

    for one, other in ((cleo, ada), (cleo, bea), (cleo, cleo)):
        with pytest.raises(MergedAlready):
            place.life.merge(one, into=other)

    assert [place.bindings.survivor(ref) for ref in chain.refs] == [cleo] * 3
    assert place.bindings.survivor(cleo) == cleo
    assert told(place, chain.cleo, agency="university") == "Cleo"


def test_who_ended_in_one_is_not_merged_into_another(place: Installation, chain: Chain) -> None:
    bea, ada, cleo = chain.refs
    place.life.merge(bea, into=ada)

    with pytest.raises((MergedAlready, RemainsGone)):
        place.life.merge(bea, into=cleo)
    with pytest.raises(MergedAlready):
        place.bindings.move(bea, to=cleo, now=NOW)

    assert place.bindings.survivor(bea) == ada
    assert told(place, chain.bea, agency="hospital") == "Ada"


def test_a_decision_about_who_was_merged_since_reaches_the_last(
    place: Installation, chain: Chain
) -> None:
    bea, ada, cleo = chain.refs
    place.life.merge(ada, into=cleo)

    place.life.merge(bea, into=ada)

    assert place.bindings.survivor(bea) == cleo == person(place, chain.bea)
    assert leads_to(place, BEA) == cleo
    place.life.separate(bea, merged_into=ada)
    assert told(place, chain.bea, agency="hospital") == "Bea"


def test_a_merger_in_between_that_was_cut_short_is_completed_first(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    bea, ada, cleo = chain.refs
    place.life.merge(bea, into=ada)
    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "merge", down)
        with pytest.raises(OSError, match="down"):
            place.life.merge(ada, into=cleo)

    place.life.separate(bea, merged_into=ada)

    assert told(place, chain.bea, agency="hospital") == "Bea"
    assert told(place, chain.ada, agency="civil-registry") == "Cleo"
    assert leads_to(place, ADA) == cleo


def down(ref: str, *, into: str) -> None:
    raise OSError(f"down before {ref[:3]} {into[:3]}")


def test_a_merger_that_was_cut_short_is_repeated_when_the_other_was_merged_since(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    bea, ada, cleo = chain.refs
    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "merge", down)
        with pytest.raises(OSError, match="down"):
            place.life.merge(bea, into=ada)
    assert registered(place, BEA, agency="transport") == chain.ada_transport  # half of it is done
    place.life.merge(ada, into=cleo)

    place.life.merge(bea, into=ada)

    assert leads_to(place, BEA) == person(place, chain.bea) == cleo


def test_what_is_reported_of_a_subject_that_ended_reaches_the_last(
    place: Installation, chain: Chain, hook: Heard
) -> None:
    chain.merge()

    place.life.report(LifeEventKind.DECEASED, chain.bea_civil)

    assert state(place, chain.cleo) is state(place, chain.bea) is BindingState.DECEASED
    assert {event.subject for event in hook.events if event.kind is LifeEventKind.DECEASED} == {
        chain.bea,
        chain.ada,
        chain.cleo,
        chain.cleo_transport,
    }
    with pytest.raises(NotAlive):
        place.life.report(LifeEventKind.INCAPACITATED, chain.bea_civil)


def test_who_withdraws_takes_the_whole_chain_with_her(place: Installation, chain: Chain) -> None:
    chain.merge()
    bea, ada, _ = chain.refs
    assert None not in (place.vault.find(remains_of(bea)), place.vault.find(remains_of(ada)))

    for subject in (chain.bea, chain.ada, chain.cleo, chain.cleo_transport):
        place.life.withdraw(subject)

    assert place.vault.find(remains_of(bea)) is place.vault.find(remains_of(ada)) is None


def kept_of(place: Installation, refs: list[str]) -> list[str]:
    """Every row that holds something of these people."""
    remains = [place.vault.find(remains_of(ref)) for ref in refs]
    return [*refs, *(found for found in remains if found)]


def assert_destroyed(place: Installation, rows: list[str]) -> None:
    """The keys are gone, so that no backup of the vault's database opens; and the bytes too."""
    for ref in rows:
        secret = place.vault._secrets.state(ref)
        assert secret is not None
        assert secret.destroyed
        assert (secret.settled, secret.pending) == (0, ())
        assert place.vault._store.read(ref) is None


def test_with_the_last_of_a_chain_the_keys_of_all_of_it_are_destroyed(
    place: Installation, chain: Chain
) -> None:
    chain.merge()
    rows = kept_of(place, chain.refs)
    assert len(rows) == 5  # three rows, and what two of them left
    ones = [chain.bea, chain.ada, chain.cleo, chain.cleo_transport]
    for subject in ones[:-1]:
        place.life.withdraw(subject)
    assert place.vault._store.read(chain.refs[2]) is not None

    place.life.withdraw(ones[-1])

    assert_destroyed(place, rows)
    assert [leads_to(place, who) for who in (BEA, ADA, CLE)] == [None] * 3


@pytest.mark.parametrize("cut", ["before anything", "after the remains", "before the seals"])
def test_what_a_merger_left_that_was_cut_short_goes_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    sealing = Sealing()
    place = installation(tmp_path, register=Register(), sealing=sealing)
    chain = Chain(place)
    bea, ada, cleo = chain.refs
    at, method = {
        "before anything": (place.vault, "merge"),
        "after the remains": (place.vault, "_put"),
        "before the seals": (sealing, "forget"),
    }[cut]
    with monkeypatch.context() as broken:
        broken.setattr(at, method, cut_short)
        with pytest.raises(OSError, match="down"):
            place.life.merge(bea, into=ada)
    place.life.merge(ada, into=cleo)
    rows = kept_of(place, chain.refs)

    for subject in (chain.bea, chain.ada, chain.cleo, chain.cleo_transport):
        place.life.withdraw(subject)

    assert_destroyed(place, rows)
    assert set(sealing.forgotten) == set(chain.refs)
    assert leads_to(place, BEA) is None


def test_what_an_undoing_left_that_was_cut_short_goes_with_whom_it_brought_back(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.merge()
    bea, ada, cleo = chain.refs
    with monkeypatch.context() as broken:
        broken.setattr(place.vault, "forget", cut_short)
        with pytest.raises(OSError, match="down"):
            place.life.separate(ada, merged_into=cleo)
    anew = place.bindings.known_as(ada)
    rows = kept_of(place, [bea, ada, anew])
    assert len(rows) == 5

    for subject in (chain.bea, chain.ada, chain.ada_transport):
        place.life.withdraw(subject)

    assert_destroyed(place, rows)
    assert told(place, chain.cleo, agency="university") == "Cleo"


def cut_short(*_args: Any, **_named: Any) -> None:
    raise OSError("down")


def test_a_double_of_a_subject_that_ended_is_no_case(
    place: Installation, chain: Chain, http: TestClient
) -> None:
    chain.merge()
    anna = enrol(place, ("CN", "110101199001010015"), given_name="Dora")

    for pair in ((chain.bea_civil, anna), (anna, chain.bea_civil)):
        body = {"subject": pair[0], "other": pair[1]}
        answer = post(http, "issuer:civil-registry", f"{CIVIL}/doubles", body)
        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/merged-already"
    assert place.review.waiting() == []


def test_nobody_is_merged_into_a_registration_from_which_all_withdrew(
    place: Installation, chain: Chain, hook: Heard
) -> None:
    place.life.withdraw(chain.cleo)
    place.life.withdraw(chain.cleo_transport)
    heard = len(hook.events)

    for who, into in ((chain.refs[1], chain.refs[2]), (chain.refs[2], chain.refs[1])):
        with pytest.raises(AllWithdrew):
            place.life.merge(who, into=into)

    assert len(hook.events) == heard
    assert state(place, chain.ada) is state(place, chain.ada_transport) is BindingState.ACTIVE
    assert told(place, chain.ada, agency="civil-registry") == "Ada"
    assert registered(place, ADA, agency="civil-registry") == chain.ada


def test_a_subject_that_ended_in_a_merger_is_not_withdrawn(
    place: Installation, chain: Chain
) -> None:
    chain.merge()
    ended = [s for s in (chain.bea_civil, chain.ada_transport) if state(place, s) is MERGED]
    assert ended

    for subject in ended:
        with pytest.raises(MergedAlready):
            place.life.withdraw(subject)
        assert state(place, subject) is MERGED


@pytest.mark.parametrize("moment", ["bind", "raise_level"])
def test_who_is_merged_while_she_enrols_gets_the_subject_that_goes_on(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    bea, ada, cleo = chain.refs
    mergers = [(bea, ada), (ada, cleo)]

    def and_then_merged(done: Any) -> Any:
        def call(*args: Any) -> Any:
            found = done(*args)
            if mergers:
                one, other = mergers.pop(0)
                place.life.merge(one, into=other)
            return found

        return call

    monkeypatch.setattr(place.bindings, moment, and_then_merged(getattr(place.bindings, moment)))
    better = ("chip-document", "biometric-match", "onsite-attended", "biometric-sample")
    subject = registered(place, (BEA[0], {**BEA[1], "evidence": better}), agency="civil-registry")

    assert state(place, subject) is BindingState.ACTIVE
    assert subject == chain.ada
    assert place.real_names.binding(subject).assurance_level is AssuranceLevel.IAL3


def test_who_dies_while_she_enrols_is_not_enrolled(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = place.bindings.bind

    def and_then_dead(proposed: Binding) -> Binding:
        found = bind(proposed)
        place.life.report(LifeEventKind.DECEASED, found.subject)
        return found

    monkeypatch.setattr(place.bindings, "bind", and_then_dead)
    with pytest.raises(NotAlive):
        registered(place, BEA, agency="civil-registry")


def test_an_enrolment_between_endless_mergers_ends_with_a_refusal(
    place: Installation, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.merge()
    assert state(place, chain.ada_transport) is MERGED
    ended = place.bindings.read(chain.ada_transport)
    monkeypatch.setattr(place.bindings, "bind", lambda _proposed: ended)
    with pytest.raises(Unavailable):
        registered(place, CLE, agency="transport")


def test_who_is_merged_while_she_withdraws_is_told_so(
    place: Installation, chain: Chain, hook: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = place.bindings.close

    def late(subject: str, withdrawn: BindingState) -> None:
        chain.merge()
        close(subject, withdrawn)

    monkeypatch.setattr(place.bindings, "close", late)
    with pytest.raises(MergedAlready):
        place.life.withdraw(chain.bea_civil)

    assert state(place, chain.bea_civil) is MERGED
    assert LifeEventKind.WITHDRAWN not in {event.kind for event in hook.events}


def test_a_second_question_does_not_get_the_answer_of_the_first(
    place: Installation, chain: Chain, http: TestClient
) -> None:
    anna = enrol(place, ("CN", "110101199001010015"), given_name="Dora")
    first = {"subject": chain.bea_civil, "other": chain.ada}
    case = post(http, "issuer:civil-registry", f"{CIVIL}/doubles", first).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "distinct") == 200

    other = post(http, "issuer:civil-registry", f"{CIVIL}/doubles", {**first, "other": anna})

    assert (other.status_code, other.json()["type"]) == (409, "/problems/another-was-asked")
    again = post(http, "issuer:civil-registry", f"{CIVIL}/doubles", first)
    assert (again.status_code, again.json()["id"]) == (201, case["id"])
    turned = {"subject": anna, "other": chain.bea_civil}
    assert post(http, "issuer:civil-registry", f"{CIVIL}/doubles", turned).status_code == 201
    assert len(place.review.waiting()) == 1


def test_officers_take_apart_what_was_merged_further_since(
    place: Installation, chain: Chain, http: TestClient
) -> None:
    body = {"subject": chain.bea_civil, "other": chain.ada}
    case = post(http, "issuer:civil-registry", f"{CIVIL}/doubles", body).json()
    for officer in ("ada", "bob"):
        assert said(place, http, officer, case, "same") == 200
    place.life.merge(chain.refs[1], into=chain.refs[2])
    assert post(http, "issuer:civil-registry", f"{CIVIL}/cases/{case['id']}/appeal", {}).is_success

    for officer in ("eve", "kim"):
        assert said(place, http, officer, case, "distinct") == 200

    assert told(place, chain.bea, agency="hospital") == "Bea"
    assert told(place, chain.ada, agency="civil-registry") == "Cleo"


@pytest.fixture
def engine(database_url: str) -> Engine:
    return database_with(Base.metadata, database_url)


def bound(store: SqlBindingStore, person: str) -> str:
    return store.bind(
        Binding(
            subject=f"prs_{person}",
            agency=f"agency-of-{person}",
            assurance_level=AssuranceLevel.IAL2,
            created=NOW,
            person=person,
        )
    ).person


def test_of_mergers_in_a_ring_at_one_moment_one_is_refused(engine: Engine) -> None:
    for number in range(8):
        ring = [f"{name}{number}" for name in "abc"]
        for name in ring:
            bound(SqlBindingStore(engine), name)
        start = Barrier(3)

        def merge(pair: tuple[str, str], start: Barrier = start) -> bool:
            start.wait()
            while True:
                try:
                    return SqlBindingStore(engine).move(pair[0], to=pair[1], now=NOW)
                except Unavailable:  # two waited for each other; the database let one of them go
                    continue
                except Refusal as refusal:
                    assert isinstance(refusal, MergedAlready)
                    return False

        pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(merge, pairs))

        store = SqlBindingStore(engine)
        assert 0 < sum(done) < 3
        ends = {store.survivor(name) for name in ring}
        assert len(ends) == 3 - sum(done)
        assert all(store.survivor(end) == end for end in ends)


def test_mergers_that_were_made_to_go_round_by_hand_are_refused_and_end(engine: Engine) -> None:
    store = SqlBindingStore(engine)
    for name in "abc":
        bound(store, name)
    assert store.move("a", to="b", now=NOW)
    assert store.move("b", to="c", now=NOW)
    with transaction(engine) as db:
        db.add(Merger(ended="c", merged_into="a", merged_at=NOW))

    for name in "abc":
        with pytest.raises(MergedAlready):
            store.survivor(name)
    assert store.absorbed_by("c") == ["a", "b"]
    with pytest.raises(MergedAlready):
        bound(store, "a")
    d = Binding(
        subject="prs_d",
        agency="x",
        assurance_level=AssuranceLevel.IAL2,
        created=NOW,
        person="d",
    )
    assert store.bind(d) == replace(d, state=BindingState.ACTIVE)
    with pytest.raises(MergedAlready):
        store.move("d", to="a", now=NOW)

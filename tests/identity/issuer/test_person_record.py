"""My record: everything issued and every look, chained, anchored, shown to its person alone."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from identity.adapters import person_record_store
from identity.adapters.database import transaction
from identity.adapters.guardian_store import ChangeRow, SqlGuardianStore
from identity.adapters.opening_store import SqlOpeningStore
from identity.adapters.person_record_store import SqlRecordStore
from identity.adapters.realname_store import RealNameBinding, SqlBindingStore
from identity.core import sd_jwt
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.person_record import head_of, heads_uri, record_value
from identity.core.signing import NamedSigner
from identity.demo.holder import HeldCopy
from identity.guardians.ports import KeptArrangement
from identity.issuer.person_record import Look, OwnRecordDesk, RecordKeeper
from identity.issuer.record_routes import build_record_router
from identity.opening.ports import OpeningNotice
from registry.core.encoding import JsonObject, base64url_decode, canonical_json
from registry.core.records import status_list_key
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from registry.core.status import StatusRecord
from registry.problems import install
from tests.identity.issuer.workbench import ALICE, BEARER, Workbench

ROW = "row-of-alice"


class Audit:
    """What the vault has on its audit."""

    def __init__(self) -> None:
        self.looks: list[Look] = []

    def since(self, time: int) -> list[Look]:
        return [look for look in self.looks if look.time >= time]


class Office:
    """An issuer with the keeper of records, and Alice's wallet."""

    def __init__(self, folder: Path) -> None:
        self.bench = Workbench(folder)
        self.audit = Audit()
        self.store = SqlRecordStore(self.bench.engine)
        self.keeper = RecordKeeper(self.bench.parts, self.store, self.audit)
        self.with_binding(ALICE, ROW)
        app = FastAPI()
        install(app)
        desk = OwnRecordDesk(self.bench.parts, self.store, limit=1000)
        app.include_router(build_record_router(desk, clock=self.bench.clock))
        self.http = TestClient(app, base_url="https://id.example")

    @property
    def now(self) -> int:
        return int(self.bench.clock().timestamp())

    def with_binding(self, subject: str, person: str) -> None:
        with transaction(self.bench.engine) as db:
            db.add(
                RealNameBinding(
                    subject=subject,
                    agency="registrar",
                    person=person,
                    assurance_level="IAL2",
                    created=self.now,
                    state="active",
                )
            )

    def round(self, seconds: float = 30) -> None:
        self.bench.clock.forward(seconds=seconds)
        self.keeper.run_once(self.now)

    def receive(self) -> tuple[HeldCopy, str]:
        offer = self.bench.offer()
        token, key = self.bench.token(offer), self.bench.key()
        answer = self.bench.request(
            token,
            {
                "credential_configuration_id": "resident-identity-sd-jwt",
                "proofs": {"jwt": [self.bench.proof(key)]},
            },
        ).json()
        text = answer["credentials"][0]["credential"]
        return HeldCopy("", self.bench.issuer, text, key), offer["credential_id"]

    def presentation(self, copy: HeldCopy, **changes: Any) -> str:
        said = {"audience": self.bench.issuer, "nonce": self.bench.nonce(), "key": copy.key}
        said |= changes
        return sd_jwt.add_key_binding(
            sd_jwt.present(copy.text, []),
            signer=NamedSigner(said["key"], "holder"),
            audience=said["audience"],
            nonce=said["nonce"],
            issued_at=said.get("issued_at", self.now),
        )

    def ask(self, presentation: str) -> Any:
        return self.http.post("/issuers/registrar/record", json={"presentation": presentation})

    def read(self, copy: HeldCopy) -> JsonObject:
        answer = self.ask(self.presentation(copy))
        assert answer.status_code == 200, answer.text
        body: JsonObject = answer.json()
        return body

    def root_on_ledger(self) -> bytes:
        uri = heads_uri(self.bench.issuer)
        found = self.bench.registry.state[status_list_key(uri)]
        return StatusRecord.parse(found).digest


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def verify(office: Office, body: JsonObject) -> int:
    """What a wallet checks; how many entries are anchored."""
    anchored = body["anchored"]
    head = head_of(body["entries"][: anchored["count"]])
    assert base64url_decode(anchored["head"]) == head
    verify_map_proof(
        parse_map_proof(anchored["proof"]),
        key=body["key"],
        value=canonical_json(record_value(count=anchored["count"], head=head)),
        root=office.root_on_ledger(),
    )
    count: int = anchored["count"]
    return count


def kinds(body: JsonObject) -> list[str]:
    return [entry["kind"] for entry in body["entries"]]


def test_everything_that_happened_is_told_and_leads_to_the_ledger(office: Office) -> None:
    copy, credential = office.receive()
    office.audit.looks.append(
        Look(id="1", time=office.now, person=ROW, actor="issuer:registrar", purpose="issue")
    )
    office.audit.looks.append(
        Look(id="2", time=office.now, person="somebody else", actor="a", purpose="b")
    )
    office.round()

    body = office.read(copy)

    assert kinds(body) == ["issued", "look", "registered"]
    issued = body["entries"][0]
    assert (issued["credential"], issued["type"]) == (credential, "resident-identity")
    assert len(issued["copies"]) == 1
    assert body["entries"][1]["actor"] == "issuer:registrar"
    assert verify(office, body) == 3


def test_a_round_notes_nothing_twice_and_later_things_are_added(office: Office) -> None:
    copy, _ = office.receive()
    for _ in range(3):
        office.round()
    submitted = len(office.bench.registry.submitted)
    office.round()
    assert len(office.bench.registry.submitted) == submitted  # nothing new, nothing published
    before = office.read(copy)

    _, second = office.receive()
    office.bench.http.post(
        f"{office.bench.issuer}/issuances/{second}/status",
        headers=BEARER,
        json={"status": "revoked", "reason": "mistake"},
    )
    office.round()

    after = office.read(copy)
    assert after["entries"][: len(before["entries"])] == before["entries"]
    assert kinds(after)[-2:] == ["issued", "status"]
    assert after["entries"][-1]["reason"] == "mistake"
    assert verify(office, after) == len(after["entries"])


def test_two_instances_take_note_once(office: Office) -> None:
    copy, _ = office.receive()
    other = RecordKeeper(office.bench.parts, SqlRecordStore(office.bench.engine), office.audit)
    office.round()
    other.run_once(office.now)
    office.round()

    assert kinds(office.read(copy)) == ["issued", "registered"]


def test_an_opening_is_told_when_it_is_due_and_not_before(office: Office) -> None:
    copy, _ = office.receive()
    due = office.now + 86_400
    SqlOpeningStore(office.bench.engine).put_notice(
        OpeningNotice(
            order=7,
            person=ROW,
            legal_basis="court-order",
            institutions=("did:cairn:test:a", "did:cairn:test:b"),
            ordered_at=office.now,
            due=due,
        )
    )
    office.round()
    assert "opening" not in kinds(office.read(copy))

    office.round(seconds=86_400)

    told = office.read(copy)["entries"][-1]
    assert told["kind"] == "opening"
    assert (told["order"], told["legal_basis"]) == (7, "court-order")


def test_the_operator_cannot_show_another_version(office: Office) -> None:
    copy, _ = office.receive()
    office.round()
    body = office.read(copy)
    for entries in (
        body["entries"][1:],
        [*body["entries"][:-1], {**body["entries"][-1], "time": 1}],
        list(reversed(body["entries"])),
    ):
        with pytest.raises((AssertionError, IndexError)):
            verify(office, {**body, "entries": entries})


def test_only_its_person_reads_it(office: Office) -> None:
    copy, credential = office.receive()
    office.round()
    other = office.bench.key()
    nonce = office.bench.nonce()
    good = office.presentation(copy, nonce=nonce)
    assert office.ask(good).status_code == 200

    for wrong in (
        good,  # the nonce is used up
        office.presentation(copy, key=other),
        office.presentation(copy, audience="https://id.example/issuers/other"),
        office.presentation(copy, nonce="A" * 43),
        office.presentation(copy, issued_at=office.now - 3600),
        copy.text,
        copy.text.replace("~", "~~", 1),
        "nonsense",
        "~",
        "a.b.c~",
    ):
        answer = office.ask(wrong)
        assert answer.status_code == 403, wrong[:40]
        assert answer.json()["type"] == "/problems/record-not-yours"
    office.bench.http.post(
        f"{office.bench.issuer}/issuances/{credential}/status",
        headers=BEARER,
        json={"status": "revoked"},
    )
    assert office.ask(office.presentation(copy)).status_code == 403  # a lost phone


def test_a_crash_between_storing_and_submitting_loses_nothing(office: Office) -> None:
    copy, _ = office.receive()
    office.bench.clock.forward(seconds=30)
    submit = office.bench.registry.submit
    office.bench.registry.submit = _dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        office.keeper.run_once(office.now)
    office.bench.registry.submit = submit  # type: ignore[method-assign]

    office.round()

    assert verify(office, office.read(copy)) == 2


def _dies(*_anything: Any) -> Any:
    raise RuntimeError("the process ends here")


def test_a_chain_of_mergers_is_told_whole_and_what_is_seen_of_any_of_them(office: Office) -> None:
    copy, _ = office.receive()
    office.with_binding("prs_second", "row-2")
    office.with_binding("prs_third", "row-3")
    office.round()
    bindings = SqlBindingStore(office.bench.engine)
    assert bindings.move("row-3", to="row-2", now=office.now)
    office.round()
    before = len(office.read(copy)["entries"])

    second = office.now
    assert bindings.move("row-2", to=ROW, now=second)
    office.audit.looks.append(
        Look(id="7", time=second, person="row-3", actor="issuer:registrar", purpose="mandate")
    )
    office.round()

    body = office.read(copy)
    told = body["entries"][before:]
    assert [entry["kind"] for entry in told] == ["merger", "look", "merger"]
    assert [(entry["state"], entry["subject"]) for entry in (told[0], told[2])] == [
        ("merged", "prs_third"),
        ("merged", "prs_second"),
    ]
    assert told[0]["time"] < told[2]["time"] == second
    assert verify(office, body) == len(body["entries"])

    bindings.separate("row-2", to="row-4", now=office.now)
    office.round()
    office.round()
    last = office.read(copy)["entries"][before + 3 :]
    assert [(entry["kind"], entry["state"]) for entry in last] == [("merger", "separated")]


def test_guardians_that_were_set_changed_or_withdrawn_are_told_and_anchored(office: Office) -> None:
    copy, _ = office.receive()
    office.round()
    before = len(office.read(copy)["entries"])
    store, key = SqlGuardianStore(office.bench.engine), copy.key.key
    told: JsonObject = {
        "key": key.jwk_thumbprint,
        "order": "d" * 43,
        "guardians": 3,
        "threshold": 2,
        "wait_seconds": 86_400,
    }

    def arranged(name: str) -> KeptArrangement:
        return KeptArrangement(
            arrangement=name,
            agency="registrar",
            subject=ALICE,
            order="a.b.c",
            holder=key.jwk,
            created=office.now,
        )

    first = office.now
    store.set_arrangement(arranged("first"), told=told)
    assert store.withdraw("registrar", ALICE, now=first)  # gone again before anybody took note
    office.round()
    store.set_arrangement(arranged("second"), told=told)
    store.set_arrangement(arranged("third"), told=told)
    office.round()
    office.round()

    body = office.read(copy)
    entries = body["entries"][before:]
    assert {entry["kind"] for entry in entries} == {"guardians"}
    assert [entry["state"] for entry in entries] == ["set", "withdrawn", "set", "changed"]
    assert entries[0] == {"kind": "guardians", "time": first, "state": "set", **told}
    assert entries[1]["by"] == "proofing"
    assert verify(office, body) == len(body["entries"])
    with transaction(office.bench.engine) as db:
        assert db.scalars(select(ChangeRow)).all() == []


def test_a_change_of_guardians_that_could_not_be_noted_is_noted_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, _ = office.receive()
    office.round()
    store = SqlGuardianStore(office.bench.engine)
    store.set_arrangement(
        KeptArrangement(
            arrangement="only",
            agency="registrar",
            subject=ALICE,
            order="a.b.c",
            holder={},
            created=office.now,
        ),
        told={},
    )
    with monkeypatch.context() as broken:
        broken.setattr(person_record_store, "_append", _dies)
        with pytest.raises(RuntimeError):
            office.round()
    office.bench.clock.forward(seconds=5 * 86_400)
    office.round()

    assert kinds(office.read(copy))[-1] == "guardians"


def test_an_order_for_a_copy_of_who_was_merged_reaches_who_she_is_now(office: Office) -> None:
    copy, _ = office.receive()
    payload = sd_jwt.parse_sd_jwt(copy.text).jws.claims
    digest = credential_digest(payload, anchor_claim(payload).salt)
    store, bindings = (
        SqlOpeningStore(office.bench.engine),
        SqlBindingStore(office.bench.engine),
    )
    office.with_binding("prs_second", "row-2")
    office.with_binding("prs_third", "row-3")
    assert store.person_of_copy(digest) == ROW

    assert bindings.move(ROW, to="row-2", now=office.now)
    assert bindings.move("row-2", to="row-3", now=office.now)

    assert store.person_of_copy(digest) == "row-3"
    assert store.person_of_copy(bytes(32)) is None

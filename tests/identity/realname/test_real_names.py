"""Enrolment and claims: one person, one registration; an opaque subject at every agency."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select

from identity.adapters.audit_sinks import verify_audit_file
from identity.adapters.database import transaction
from identity.adapters.embedded_register import EmbeddedRegister
from identity.adapters.vault_store import VaultAudit, VaultIndex, VaultRow
from identity.core.life_event import LifeEvent, LifeEventKind
from identity.core.national_id import CountryNotSupported, NationalIdNotValid
from identity.core.person_name import NameNotValid
from identity.core.proofing import AssuranceLevel, EvidenceTooWeak
from identity.realname.ports import (
    Address,
    NoMatch,
    NotAlive,
    RegisteredPerson,
    RegisterQuery,
    RegisterUnavailable,
    UnknownSubject,
)
from identity.realname.service import CLAIM_NAMES, RegistrationDiffers
from identity.vault.ports import NothingSealed, VaultNotAudited
from registry.core.refusals import Malformed, Refusal
from tests.identity.realname.parts import LIN, PEOPLE, Installation, enrolment, installation
from tests.identity.vault.parts import MemoryVaultKeys, vault_engine

OFFICER = "issuer:civil-registry"


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return installation(tmp_path)


def rows_and_audit(directory: Path) -> tuple[int, int, int]:
    """How many sealed rows, blind indices and audit records there are."""
    with transaction(vault_engine(directory / "vault.db")) as session:
        counts = [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (VaultRow, VaultIndex, VaultAudit)
        ]
    return counts[0], counts[1], counts[2]


def test_an_enrolled_person_has_a_subject_a_level_and_claims(place: Installation):
    binding = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)

    assert binding.subject.startswith("prs_")
    assert len(binding.subject) == 26
    assert binding.assurance_level is AssuranceLevel.IAL2
    assert place.real_names.claims(
        binding.subject, names=CLAIM_NAMES, purpose="issue", actor=OFFICER
    ) == {
        "assurance_level": "IAL2",
        "birth_date": "1991-02-03",
        "country": "CN",
        "family_name": "林",
        "given_name": "晓雨",
        "issuing_country": "CN",
        "locality": "北京市",
        "nationality": "CN",
        "postal_code": "100083",
        "region": "北京市",
        "resident_since": "2015-09-01",
        "sex": "female",
        "street_address": "学院路 12 号",
    }


@pytest.mark.parametrize("found", [p for p in PEOPLE if p.alive], ids=lambda p: p.country)
def test_everybody_alive_can_be_enrolled(place: Installation, found):
    binding = place.real_names.enrol(evidence=enrolment(found), actor=OFFICER)
    claims = place.real_names.claims(
        binding.subject, names=["birth_date", "given_name"], purpose="issue", actor=OFFICER
    )

    assert claims == {
        "birth_date": found.person.birth_date.isoformat(),
        "given_name": found.person.given_name,
    }


def test_enrolling_again_gives_the_same_subject_and_no_second_row(
    place: Installation, tmp_path: Path
):
    first = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    number = LIN.number
    spellings = [number, number.lower(), f" {number[:6]}-{number[6:14]}-{number[14:]}"]
    again = [
        place.real_names.enrol(evidence=enrolment(number=text), actor=OFFICER) for text in spellings
    ]

    assert again == [first] * 3
    assert rows_and_audit(tmp_path)[:2] == (1, 1)


def test_each_agency_has_its_own_subject_for_one_person(place: Installation, tmp_path: Path):
    registry = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    university = place.real_names.enrol(
        evidence=enrolment(agency="university"), actor="issuer:university"
    )

    assert registry.subject != university.subject
    assert registry.person == university.person
    assert (registry.agency, university.agency) == ("civil-registry", "university")
    assert rows_and_audit(tmp_path)[:2] == (1, 1)


def test_better_evidence_raises_the_level_and_worse_does_not_lower_it(place: Installation):
    levels = []
    for evidence in (
        ("document", "confirmation-code"),
        ("document", "biometric-match", "onsite-attended", "biometric-sample"),
        ("document", "biometric-match"),
    ):
        bound = place.real_names.enrol(evidence=enrolment(evidence=evidence), actor=OFFICER)
        levels.append(str(bound.assurance_level))

    assert levels == ["IAL1", "IAL3", "IAL3"]


DEAD = next(found for found in PEOPLE if not found.alive)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"number": "110000199102030126"}, NationalIdNotValid),
        ({"number": ""}, NationalIdNotValid),
        ({"country": "XX"}, CountryNotSupported),
        ({"country": "KR"}, NationalIdNotValid),
        ({"family_name": "", "given_name": " "}, NameNotValid),
        ({"given_name": "晓\n雨"}, NameNotValid),
        ({"birth_date": date(1991, 2, 4)}, NoMatch),
        ({"family_name": "王"}, NoMatch),
        ({"evidence": ("document",)}, EvidenceTooWeak),
        ({"evidence": ()}, Malformed),
        ({"evidence": ("register-record", "document", "visual-match")}, Malformed),
    ],
)
def test_a_refused_enrolment_leaves_nothing(
    place: Installation, tmp_path: Path, change: dict[str, object], refusal: type[Refusal]
):
    with pytest.raises(refusal):
        place.real_names.enrol(evidence=enrolment(**change), actor=OFFICER)

    assert rows_and_audit(tmp_path) == (0, 0, 0)
    place.real_names.enrol(evidence=enrolment(), actor=OFFICER)  # the twin


def test_the_dead_are_not_enrolled(place: Installation, tmp_path: Path):
    with pytest.raises(NotAlive):
        place.real_names.enrol(evidence=enrolment(DEAD), actor=OFFICER)
    assert rows_and_audit(tmp_path) == (0, 0, 0)


class OneAnswer:
    """A register that answers everything with one person, or refuses everything."""

    def __init__(self, answer: RegisteredPerson | Refusal) -> None:
        self.answer = answer
        self.asked = 0

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        self.asked += 1
        if isinstance(self.answer, Refusal):
            raise self.answer
        return self.answer


def test_a_register_that_confuses_people_registers_nobody(tmp_path: Path):
    place = installation(tmp_path, register=OneAnswer(PEOPLE[1].person))

    with pytest.raises(NoMatch):
        place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    assert rows_and_audit(tmp_path) == (0, 0, 0)


def test_without_the_register_nobody_is_registered(tmp_path: Path):
    register = OneAnswer(RegisterUnavailable("not now"))
    place = installation(tmp_path, register=register)

    with pytest.raises(RegisterUnavailable):
        place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    assert rows_and_audit(tmp_path) == (0, 0, 0)

    register.answer = LIN.person
    place.real_names.enrol(evidence=enrolment(), actor=OFFICER)


def test_weak_evidence_is_refused_before_the_register_is_asked(tmp_path: Path):
    register = OneAnswer(LIN.person)
    place = installation(tmp_path, register=register)

    with pytest.raises(EvidenceTooWeak):
        place.real_names.enrol(evidence=enrolment(evidence=("document",)), actor=OFFICER)
    assert register.asked == 0


def test_a_birth_date_that_the_number_denies_is_refused_before_the_register_is_asked(
    tmp_path: Path,
):
    stated = date(1992, 2, 3)
    register = OneAnswer(replace(LIN.person, birth_date=stated))  # agrees with the lie
    place = installation(tmp_path, register=register)

    with pytest.raises(NoMatch):
        place.real_names.enrol(evidence=enrolment(birth_date=stated), actor=OFFICER)
    assert register.asked == 0
    assert rows_and_audit(tmp_path) == (0, 0, 0)


def test_another_name_under_a_registered_number_is_refused(tmp_path: Path):
    register = OneAnswer(LIN.person)
    place = installation(tmp_path, register=register)
    first = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)

    register.answer = replace(LIN.person, family_name="王")
    with pytest.raises(RegistrationDiffers):
        place.real_names.enrol(evidence=enrolment(family_name="王"), actor=OFFICER)
    register.answer = LIN.person
    assert place.real_names.enrol(evidence=enrolment(), actor=OFFICER) == first
    assert rows_and_audit(tmp_path)[:2] == (1, 1)


def test_who_moved_house_is_told_with_the_new_address(tmp_path: Path):
    register = OneAnswer(LIN.person)
    place = installation(tmp_path, register=register)
    first = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)

    register.answer = replace(LIN.person, address=Address(locality="上海市", country="CN"))
    assert place.real_names.enrol(evidence=enrolment(), actor=OFFICER) == first
    claims = place.real_names.claims(
        first.subject, names=["locality", "street_address"], purpose="issue", actor=OFFICER
    )
    assert claims == {"locality": "上海市"}


def test_unknown_claims_are_left_out_and_the_number_is_no_claim(
    place: Installation, tmp_path: Path
):
    subject = place.real_names.enrol(evidence=enrolment(), actor=OFFICER).subject

    claims = place.real_names.claims(
        subject, names=["number", "scheme", "degree_name"], purpose="issue", actor=OFFICER
    )
    assert claims == {}
    assert place.real_names.claims(
        subject, names=["assurance_level"], purpose="issue", actor=OFFICER
    ) == {"assurance_level": "IAL2"}
    assert rows_and_audit(tmp_path)[2] == 0  # the vault was not opened for that


def test_every_read_of_claims_is_in_both_audits(place: Installation, tmp_path: Path):
    binding = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    for _ in range(3):
        place.real_names.claims(
            binding.subject, names=["family_name"], purpose="issue", actor=OFFICER
        )

    ids = verify_audit_file(tmp_path / "audit.jsonl")
    with transaction(vault_engine(tmp_path / "vault.db")) as session:
        rows = session.scalars(select(VaultAudit)).all()
        assert {row.id for row in rows} == set(ids)
        assert {(row.ref, row.actor, row.purpose) for row in rows} == {
            (binding.person, OFFICER, "issue")
        }
    assert len(ids) == 3


def test_without_audit_there_are_no_claims(
    place: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    subject = place.real_names.enrol(evidence=enrolment(), actor=OFFICER).subject
    reads: list[str] = []
    monkeypatch.setattr(place.vault._store, "read", reads.append)
    (tmp_path / "audit.jsonl").unlink(missing_ok=True)
    (tmp_path / "audit.jsonl").mkdir()

    with pytest.raises(VaultNotAudited):
        place.real_names.claims(subject, names=["sex"], purpose="issue", actor=OFFICER)
    assert reads == []


def test_an_agency_reads_nothing_about_a_subject_of_another(place: Installation):
    binding = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)

    for actor in ("issuer:university", "issuer:bank", "civil-registry"):
        with pytest.raises(UnknownSubject):
            place.real_names.claims(binding.subject, names=["sex"], purpose="issue", actor=actor)
    assert place.real_names.claims(
        binding.subject, names=["sex"], purpose="issue", actor=OFFICER
    )  # the twin


@pytest.mark.parametrize("subject", ["", "prs_x", "prs_" + "A" * 22, "x" * 1000])
def test_an_unknown_subject_is_not_found(place: Installation, subject: str):
    with pytest.raises(UnknownSubject):
        place.real_names.claims(subject, names=["sex"], purpose="issue", actor=OFFICER)


def test_of_rival_enrolments_all_get_one_subject(tmp_path: Path):
    keys = MemoryVaultKeys()
    rivals = [installation(tmp_path, keys=keys) for _ in range(2)]  # two engines on one file
    barrier = Barrier(8)

    def enrol(number: int) -> str:
        barrier.wait()
        service = rivals[number % 2].real_names
        return service.enrol(evidence=enrolment(), actor=OFFICER).subject

    with ThreadPoolExecutor(8) as pool:
        subjects = set(pool.map(enrol, range(8)))

    assert len(subjects) == 1
    assert rows_and_audit(tmp_path)[:2] == (1, 1)


def test_a_crash_between_vault_and_binding_heals_when_repeated(
    place: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def crash(_binding: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(place.bindings, "bind", crash)
        with pytest.raises(RuntimeError):
            place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    assert rows_and_audit(tmp_path)[:2] == (1, 1)

    subject = place.real_names.enrol(evidence=enrolment(), actor=OFFICER).subject
    assert place.real_names.claims(subject, names=["sex"], purpose="issue", actor=OFFICER)
    assert rows_and_audit(tmp_path)[:2] == (1, 1)


class Heard:
    """A hook that remembers, and can be told to fail."""

    def __init__(self) -> None:
        self.events: list[LifeEvent] = []
        self.failing = False

    def on_event(self, event: LifeEvent) -> None:
        if self.failing:
            raise RegisterUnavailable("the issuer does not answer")
        self.events.append(event)


def test_after_a_death_nothing_is_told_anywhere(tmp_path: Path):
    hook = Heard()
    place = installation(tmp_path, hooks=[hook])
    subjects = [
        place.real_names.enrol(evidence=enrolment(agency=agency), actor=OFFICER).subject
        for agency in ("civil-registry", "university")
    ]

    hook.failing = True
    with pytest.raises(RegisterUnavailable):
        place.life.record_death(subjects[0])
    hook.failing = False
    place.life.record_death(subjects[0])  # the hook gets another chance

    assert {event.subject for event in hook.events} == set(subjects)
    assert {event.kind for event in hook.events} == {LifeEventKind.DECEASED}
    for subject, actor in zip(subjects, (OFFICER, "issuer:university"), strict=True):
        with pytest.raises(NotAlive):
            place.real_names.claims(subject, names=["sex"], purpose="issue", actor=actor)
    for agency in ("civil-registry", "hospital"):
        with pytest.raises(NotAlive):
            place.real_names.enrol(evidence=enrolment(agency=agency), actor=OFFICER)


def test_a_new_name_is_taken_over_when_the_register_confirms_it(tmp_path: Path):
    hook, register = Heard(), OneAnswer(LIN.person)
    place = installation(tmp_path, register=register, hooks=[hook])
    subject = place.real_names.enrol(evidence=enrolment(), actor=OFFICER).subject

    with pytest.raises(NoMatch):
        place.life.record_new_name(subject, family_name="王", given_name="晓雨", actor=OFFICER)
    assert hook.events == []
    register.answer = replace(LIN.person, family_name="王")
    place.life.record_new_name(subject, family_name="王", given_name="晓雨", actor=OFFICER)

    assert [event.kind for event in hook.events] == [LifeEventKind.NAME_CHANGED]
    assert place.real_names.claims(
        subject, names=["family_name"], purpose="issue", actor=OFFICER
    ) == {"family_name": "王"}


def test_a_forgotten_person_is_unknown_and_may_come_again(place: Installation):
    first = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    place.vault.forget(first.person)

    with pytest.raises(NothingSealed):
        place.real_names.claims(first.subject, names=["sex"], purpose="issue", actor=OFFICER)
    again = place.real_names.enrol(evidence=enrolment(), actor=OFFICER)
    assert again.subject != first.subject


def test_embedded_people_are_found_in_their_normal_spelling_only():
    with pytest.raises(NoMatch):
        EmbeddedRegister(PEOPLE).lookup(
            RegisterQuery(
                country="CN",
                number=LIN.number + " ",
                family_name="林",
                given_name="晓雨",
                birth_date=date(1991, 2, 3),
            )
        )

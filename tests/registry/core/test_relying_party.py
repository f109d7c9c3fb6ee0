"""Relying parties: registered by registrars within their types, version after version."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation_actions import Accredit, EndAccreditation
from registry.core.context import SubjectDeactivated, SubjectUnknown
from registry.core.did_actions import DeactivateDid
from registry.core.identifiers import did_of
from registry.core.records import relying_party_key
from registry.core.refusals import Malformed
from registry.core.relying_party import (
    AskedClaims,
    MayNotRegister,
    RegisteredPurpose,
    RegisterRelyingParty,
    RelyingParty,
    RelyingPartyVersionConflict,
)
from tests.registry.core.actors import TestLedger, identifier


def purpose(code: str = "age-check", type: str = "resident-identity") -> RegisteredPurpose:
    return RegisteredPurpose(
        purpose=code,
        description={"en": "To check that you are 18", "zh": "确认您已年满18岁"},
        credentials=(AskedClaims(type=type, claims=(("age_over_18",), ("address", None, 0))),),
    )


@pytest.fixture
def ledger() -> TestLedger:
    ledger = TestLedger()
    ledger.as_root(
        Accredit(
            accreditation=identifier("registrar"),
            subject=ledger.create("registrar"),
            role="registrar",
            types=("resident-identity", "degree"),
            until_height=None,
        )
    )
    return ledger


REGISTRAR = TestLedger().create("registrar")


def bar(ledger: TestLedger) -> RegisterRelyingParty:
    return RegisterRelyingParty(
        party=ledger.create("bar"), name="The Bar 酒吧", purposes=(purpose(),)
    )


def record(ledger: TestLedger, party: str) -> RelyingParty:
    return RelyingParty.parse(ledger.state[relying_party_key(party)])


def test_a_registrar_registers(ledger: TestLedger) -> None:
    action = bar(ledger)

    ledger.ask("registrar", REGISTRAR, action)

    found = record(ledger, action.party)
    assert (found.version, found.registered_by, found.height) == (1, REGISTRAR, ledger.height)
    assert found.purposes == (purpose(),)
    assert found.encode() == ledger.state[relying_party_key(action.party)]
    assert RelyingParty.parse(found.to_object()) == found


def test_a_pseudonym_is_registered_with_its_purpose_and_for_no_other(ledger: TestLedger) -> None:
    action = replace(
        bar(ledger), purposes=(purpose(), replace(purpose("regular-guest"), pseudonym=True))
    )

    ledger.ask("registrar", REGISTRAR, action)

    found = record(ledger, action.party)
    assert RegisterRelyingParty.parse(action.to_body()) == action
    assert not found.may_recognise("age-check")
    assert found.may_recognise("regular-guest")
    assert not found.may_recognise("anything")


def test_what_was_registered_before_pseudonyms_keeps_its_bytes() -> None:
    written = purpose().to_object()
    assert set(written) == {"purpose", "description", "credentials"}
    assert not RegisteredPurpose.parse(written).pseudonym
    for value in (False, None, 1, "true"):
        with pytest.raises(Malformed):
            RegisteredPurpose.parse({**written, "pseudonym": value})


def test_a_root_registers(ledger: TestLedger) -> None:
    action = bar(ledger)

    ledger.as_root(replace(action, purposes=(purpose(type="anything"),)))

    assert record(ledger, action.party).registered_by == ledger.root


def test_what_may_be_asked_is_what_is_registered(ledger: TestLedger) -> None:
    action = bar(ledger)
    ledger.as_root(action)

    found = record(ledger, action.party)

    asked: dict[str, Any] = {"type": "resident-identity", "claim": ("age_over_18",)}
    assert found.may_ask(purpose="age-check", **asked)
    assert not found.may_ask(purpose="other", **asked)
    assert not found.may_ask(purpose="age-check", type="degree", claim=("age_over_18",))
    assert not found.may_ask(purpose="age-check", type="resident-identity", claim=("birth_date",))
    assert not found.may_ask(purpose="age-check", type="resident-identity", claim=("address",))


def test_nobody_else_registers(ledger: TestLedger) -> None:
    action = bar(ledger)
    with pytest.raises(MayNotRegister):
        ledger.ask("bar", action.party, action)  # itself
    for role in ("issuer", "authority"):
        ledger.as_root(
            Accredit(
                accreditation=identifier(role),
                subject=action.party,
                role=role,
                types=("resident-identity",),
                until_height=None,
            )
        )
    with pytest.raises(MayNotRegister):
        ledger.ask("bar", action.party, action)


def test_a_registrar_stays_within_its_types(ledger: TestLedger) -> None:
    action = bar(ledger)
    wide = replace(action, purposes=(purpose(), purpose("drive", "driving-licence")))

    with pytest.raises(MayNotRegister):
        ledger.ask("registrar", REGISTRAR, wide)
    ledger.as_root(wide)
    with pytest.raises(MayNotRegister):  # nor does it take away what it could not give
        ledger.ask("registrar", REGISTRAR, replace(action, version=2))


def test_an_ended_registrar_registers_nothing(ledger: TestLedger) -> None:
    action = bar(ledger)
    ledger.as_root(EndAccreditation(accreditation=identifier("registrar"), reason="closed"))

    with pytest.raises(MayNotRegister):
        ledger.ask("registrar", REGISTRAR, action)


def test_versions_follow_each_other(ledger: TestLedger) -> None:
    action = bar(ledger)
    with pytest.raises(RelyingPartyVersionConflict):
        ledger.as_root(replace(action, version=2))
    ledger.as_root(action)
    with pytest.raises(RelyingPartyVersionConflict):
        ledger.as_root(action)
    with pytest.raises(RelyingPartyVersionConflict):
        ledger.as_root(replace(action, version=3))
    ledger.as_root(replace(action, version=2, purposes=(purpose("account", "degree"),)))

    assert record(ledger, action.party).version == 2
    assert record(ledger, action.party).purpose("age-check") is None


def test_a_party_is_struck_off_by_having_no_purposes(ledger: TestLedger) -> None:
    action = bar(ledger)
    ledger.ask("registrar", REGISTRAR, action)
    ledger.ask("bar", action.party, DeactivateDid(version=1))

    with pytest.raises(SubjectDeactivated):
        ledger.ask("registrar", REGISTRAR, replace(action, version=2))
    ledger.ask("registrar", REGISTRAR, replace(action, version=2, purposes=()))

    assert record(ledger, action.party).purposes == ()


def test_nobody_else_speaks_for_a_party_that_was_struck_off(ledger: TestLedger) -> None:
    action = bar(ledger)
    ledger.as_root(action)
    ledger.as_root(replace(action, version=2, purposes=()))

    # It asks for no type any more, and no types at all are in nobody's scope but the roots'.
    for name, did in (("bar", action.party), ("registrar", REGISTRAR)):
        with pytest.raises(MayNotRegister):
            ledger.ask(name, did, replace(action, version=3, purposes=()))
    ledger.as_root(replace(action, version=3, purposes=()))


def test_a_party_must_exist(ledger: TestLedger) -> None:
    action = replace(bar(ledger), party=did_of("cairn-test", bytes(20)))

    with pytest.raises(SubjectUnknown):
        ledger.as_root(action)


BAD: dict[str, Any] = {
    "no name": lambda b: b.update(name=""),
    "a long name": lambda b: b.update(name="x" * 101),
    "a name on two lines": lambda b: b.update(name="Bar\nBank"),
    "a name that runs backwards": lambda b: b.update(name="Bar \u202eknaB"),
    "a name with nothing in it": lambda b: b.update(name="Bar\u200b"),
    "a name with a space before it": lambda b: b.update(name=" Bar"),
    "version 0": lambda b: b.update(version=0),
    "no purposes at first": lambda b: b.update(purposes=[]),
    "17 purposes": lambda b: b.update(purposes=[purpose(f"p{n}").to_object() for n in range(17)]),
    "one purpose twice": lambda b: b["purposes"].append(purpose().to_object()),
    "a purpose in words": lambda b: b["purposes"][0].update(purpose="Age check"),
    "a description without Chinese": lambda b: b["purposes"][0]["description"].pop("zh"),
    "a description in a third language": lambda b: b["purposes"][0]["description"].update(fr="x"),
    "a long description": lambda b: b["purposes"][0]["description"].update(en="x" * 301),
    "no credentials": lambda b: b["purposes"][0].update(credentials=[]),
    "one type twice": lambda b: b["purposes"][0]["credentials"].append(
        b["purposes"][0]["credentials"][0]
    ),
    "no claims": lambda b: b["purposes"][0]["credentials"][0].update(claims=[]),
    "65 claims": lambda b: b["purposes"][0]["credentials"][0].update(
        claims=[[f"c{n}"] for n in range(65)]
    ),
    "an empty path": lambda b: b["purposes"][0]["credentials"][0].update(claims=[[]]),
    "a long path": lambda b: b["purposes"][0]["credentials"][0].update(claims=[["a"] * 9]),
    "a claim as a string": lambda b: b["purposes"][0]["credentials"][0].update(claims=["a"]),
    "a path with true": lambda b: b["purposes"][0]["credentials"][0].update(claims=[[True]]),
    "a path with -1": lambda b: b["purposes"][0]["credentials"][0].update(claims=[[-1]]),
    "one claim twice": lambda b: b["purposes"][0]["credentials"][0].update(claims=[["a"], ["a"]]),
    "an unknown member": lambda b: b.update(logo="https://a.example"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_registration_is_refused(name: str) -> None:
    action = RegisterRelyingParty(party=REGISTRAR, name="Bar", purposes=(purpose(),))
    body = action.to_body()
    assert RegisterRelyingParty.parse(body) == action

    BAD[name](body)

    with pytest.raises(Malformed):
        RegisterRelyingParty.parse(body)

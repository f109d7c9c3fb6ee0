"""Stolen keys: declared by who may, back to a height, and never taken back."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation_actions import Accredit
from registry.core.compromise import (
    MAX_KEYS,
    CompromisedKey,
    CompromisedKeys,
    CompromiseInFuture,
    CompromiseKnown,
    DeclareCompromise,
    KeyNeverHeld,
    MayNotDeclareCompromise,
    TooManyCompromises,
)
from registry.core.governance_changes import ChangeRule
from registry.core.records import compromise_key
from registry.core.refusals import Malformed
from tests.registry.core.actors import TestLedger, identifier
from tests.registry.core.council import Council


@pytest.fixture
def ledger() -> TestLedger:
    """A root, an authority under it, and an issuer under the authority."""
    made = TestLedger()
    for name, role, by in (("authority", "authority", None), ("issuer", "issuer", "authority")):
        did = made.create(name)
        setattr(made, name, did)
        grant = Accredit(
            accreditation=identifier(name),
            subject=did,
            role=role,
            types=("degree",),
            until_height=None,
        )
        if by is None:
            made.as_root(grant)
        else:
            made.ask(by, getattr(made, by), grant)
    made.stranger = made.create("stranger")  # type: ignore[attr-defined]
    return made


def stolen(ledger: Any, from_height: int = 2, **changes: Any) -> DeclareCompromise:
    action = DeclareCompromise(
        subject=ledger.issuer, fragment="ledger-1", from_height=from_height, reason="broken-into"
    )
    return replace(action, **changes)


def record(ledger: Any) -> CompromisedKeys:
    return CompromisedKeys.parse(ledger.state[compromise_key(ledger.issuer)])


@pytest.mark.parametrize("who", ["issuer", "authority", "root"])
def test_the_holder_and_who_stands_above_may_declare(ledger: Any, who: str) -> None:
    if who == "root":
        ledger.as_root(stolen(ledger))
    else:
        ledger.ask(who, getattr(ledger, who), stolen(ledger))

    assert record(ledger).from_height("ledger-1") == 2
    assert record(ledger).from_height("ledger-2") is None


def test_a_stranger_and_a_subordinate_may_not(ledger: Any) -> None:
    for name, action in (
        ("stranger", stolen(ledger)),
        ("issuer", stolen(ledger, subject=ledger.authority)),
    ):
        with pytest.raises(MayNotDeclareCompromise):
            ledger.ask(name, getattr(ledger, name), action)


def test_members_declare_by_vote() -> None:
    council = Council(founders=("ann", "bob"))
    council.join("shop")
    council.decide(ChangeRule(rule="open-proposals", value=5), "ann", "bob")
    action = DeclareCompromise(
        subject=council.did["shop"], fragment="ledger-1", from_height=0, reason="broken-into"
    )

    council.decide(action, "ann", "bob")

    found = CompromisedKeys.parse(council.state[compromise_key(council.did["shop"])])
    assert found.from_height("ledger-1") == 0


def test_the_height_moves_down_only(ledger: Any) -> None:
    ledger.as_root(stolen(ledger, 3))
    for height in (3, 4):
        with pytest.raises(CompromiseKnown):
            ledger.as_root(stolen(ledger, height))

    ledger.as_root(stolen(ledger, 1))

    assert record(ledger).from_height("ledger-1") == 1
    assert len(record(ledger).keys) == 1


def test_neither_the_future_nor_a_key_that_never_was(ledger: Any) -> None:
    with pytest.raises(CompromiseInFuture):
        ledger.as_root(stolen(ledger, ledger.height + 2))
    with pytest.raises(KeyNeverHeld):
        ledger.as_root(stolen(ledger, fragment="ledger-9"))


def test_as_many_keys_as_one_may_ever_hold(ledger: Any) -> None:
    keys = tuple(
        CompromisedKey(fragment=f"old-{number}", from_height=0, reason="lost", height=1)
        for number in range(MAX_KEYS)
    )
    full = CompromisedKeys(subject=ledger.issuer, keys=keys, height=1, time=1)
    ledger.state[compromise_key(ledger.issuer)] = full.encode()

    with pytest.raises(TooManyCompromises):
        ledger.as_root(stolen(ledger))


@pytest.mark.parametrize(
    "change",
    [{"subject": "did:web:a"}, {"fragment": ""}, {"from_height": -1}, {"reason": "A B"}, {"x": 1}],
)
def test_a_malformed_declaration_is_refused(ledger: Any, change: dict[str, Any]) -> None:
    body = stolen(ledger).to_body()
    assert DeclareCompromise.parse(body).to_body() == body

    with pytest.raises(Malformed):
        DeclareCompromise.parse(body | change)

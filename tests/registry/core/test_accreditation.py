"""Accreditations as records: which heights they cover, and chains that must end at a root."""

from dataclasses import replace
from typing import Any

import pytest

from registry.core.accreditation import (
    MAX_DEPTH,
    Accreditation,
    AccreditationList,
    is_accredited,
)
from registry.core.accreditation_history import Ending, Suspension
from registry.core.identifiers import did_of
from registry.core.refusals import Malformed
from tests.registry.core.actors import identifier


def did(name: str) -> str:
    return did_of("cairn-test", name.encode().ljust(20, b"."))


ROOT, AUTHORITY, ISSUER = did("root"), did("authority"), did("issuer")

GRANT = Accreditation(
    id=identifier("grant"),
    subject=ISSUER,
    role="issuer",
    types=("degree", "residence"),
    granted_by=ROOT,
    under=None,
    depth=1,
    from_height=10,
    until_height=20,
    suspensions=(
        Suspension(start=12, stop=14, reason="audit"),
        Suspension(start=16, stop=None, reason="audit"),
    ),
    ended=Ending(height=18, reason="closed"),
    height=18,
    time=1_700_000_018,
)
ABOVE = Accreditation(
    id=identifier("above"),
    subject=AUTHORITY,
    role="authority",
    types=("degree", "residence", "driving-licence"),
    granted_by=ROOT,
    under=None,
    depth=1,
    from_height=5,
    until_height=None,
    suspensions=(),
    ended=None,
    height=5,
    time=1_700_000_005,
)
UNDER = replace(GRANT, granted_by=AUTHORITY, under=ABOVE.id, depth=2)


def test_a_grant_covers_its_heights_and_no_others() -> None:
    assert [h for h in range(30) if GRANT.covers("degree", h)] == [10, 11, 14, 15]


def test_a_grant_covers_up_to_and_including_its_last_height() -> None:
    plain = replace(GRANT, suspensions=(), ended=None)

    assert [h for h in range(30) if plain.covers("degree", h)] == list(range(10, 21))


def test_a_suspension_of_no_height_covers_nothing() -> None:
    short = replace(GRANT, suspensions=(Suspension(start=12, stop=12, reason="audit"),), ended=None)

    assert short.covers("degree", 12)


def test_a_grant_covers_its_types_and_no_others() -> None:
    assert not GRANT.covers("driving-licence", 10)
    assert not GRANT.covers("degre", 10)


@pytest.mark.parametrize("role", ["authority", "registrar"])
def test_only_an_issuer_issues(role: str) -> None:
    assert not replace(GRANT, role=role).covers("degree", 10)
    assert replace(GRANT, role=role).holds(role, "degree", 10)


def test_records_go_there_and_back() -> None:
    for record in (GRANT, ABOVE, UNDER):
        assert Accreditation.parse(record.encode()) == record
        assert Accreditation.parse(record.to_object()) == record
    listed = AccreditationList(subject=ISSUER, accreditations=(GRANT.id, ABOVE.id))
    assert AccreditationList.parse(listed.encode()) == listed


BAD: dict[str, Any] = {
    "another kind": lambda r: r.update(record="did"),
    "unknown member": lambda r: r.update(note="x"),
    "missing member": lambda r: r.pop("ended"),
    "an unknown role": lambda r: r.update(role="king"),
    "no types": lambda r: r.update(types=[]),
    "65 types": lambda r: r.update(types=[f"type-{n}" for n in range(65)]),
    "one type twice": lambda r: r.update(types=["degree", "degree"]),
    "a type in capitals": lambda r: r.update(types=["Degree"]),
    "a type with two hyphens": lambda r: r.update(types=["a--b"]),
    "a subject of another method": lambda r: r.update(subject="did:web:a"),
    "a height below zero": lambda r: r.update(from_height=-1),
    "depth 2 under nobody": lambda r: r.update(depth=2),
    "depth 1 under somebody": lambda r: r.update(under=identifier("x")),
    "too deep": lambda r: r.update(under=identifier("x"), depth=MAX_DEPTH + 1),
    "suspensions out of order": lambda r: r["suspensions"].reverse(),
    "a suspension that runs backwards": lambda r: r["suspensions"][0].update(to=11),
    "a reason in words": lambda r: r["ended"].update(reason="They lied"),
    "an ending without reason": lambda r: r["ended"].pop("reason"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_refused(name: str) -> None:
    record = GRANT.to_object()
    Accreditation.parse(record)

    BAD[name](record)

    with pytest.raises(Malformed):
        Accreditation.parse(record)


def test_bytes_that_are_not_canonical_are_no_record() -> None:
    with pytest.raises(Malformed):
        Accreditation.parse(GRANT.encode().replace(b":", b": ", 1))


def accredited(
    grant: Accreditation = UNDER,
    above: Accreditation | None = ABOVE,
    *,
    height: int = 10,
    roots: frozenset[str] = frozenset([ROOT]),
) -> bool:
    known = {above.id: above} if above else {}
    return is_accredited(
        ISSUER, "degree", height, accreditations=[grant], read=known.get, roots=roots
    )


def test_a_chain_to_a_root_accredits() -> None:
    assert accredited()
    assert accredited(GRANT, None)


def test_nothing_at_all_accredits_nobody() -> None:
    assert not is_accredited(
        ISSUER, "degree", 10, accreditations=[], read={}.get, roots=frozenset([ROOT])
    )


def test_a_grant_to_another_accredits_nobody() -> None:
    assert not accredited(replace(UNDER, subject=AUTHORITY))


def test_a_chain_that_ends_elsewhere_does_not_accredit() -> None:
    assert not accredited(roots=frozenset([ISSUER]))
    assert not accredited(roots=frozenset())
    assert not accredited(above=None)
    assert not accredited(replace(GRANT, granted_by=AUTHORITY), None)


def test_a_chain_that_miscounts_its_depth_does_not_accredit() -> None:
    assert not accredited(replace(UNDER, depth=3))


@pytest.mark.parametrize(
    "change",
    [
        {"subject": ISSUER},
        {"role": "issuer"},
        {"role": "registrar"},
        {"types": ("degree",)},  # the grant below says more than it may
        {"types": ("driving-licence",)},
        {"from_height": 11},
        {"until_height": 9},
        {"suspensions": (Suspension(start=10, stop=11, reason="x"),)},
        {"ended": Ending(height=10, reason="x")},
        {"depth": 2, "under": identifier("x")},
        {"granted_by": ISSUER},
    ],
)
def test_an_authority_must_have_held_at_the_height_of_the_grant(change: Any) -> None:
    assert not accredited(above=replace(ABOVE, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"ended": Ending(height=11, reason="x")},
        {"suspensions": (Suspension(start=11, stop=None, reason="x"),)},
        {"until_height": 10},
    ],
)
def test_what_was_granted_before_the_authority_ended_stays(change: Any) -> None:
    assert accredited(above=replace(ABOVE, **change), height=15)


def test_a_chain_that_goes_round_in_a_circle_ends() -> None:
    first = replace(UNDER, id=identifier("a"), under=identifier("b"), subject=ISSUER)
    circle = replace(
        ABOVE, id=identifier("b"), under=identifier("b"), granted_by=AUTHORITY, depth=2
    )

    assert not is_accredited(
        ISSUER,
        "degree",
        10,
        accreditations=[first],
        read={circle.id: circle}.get,
        roots=frozenset([ROOT]),
    )


def test_an_answer_about_another_accreditation_is_not_believed() -> None:
    assert not is_accredited(
        ISSUER,
        "degree",
        10,
        accreditations=[UNDER],
        read=lambda _id: replace(ABOVE, id=identifier("other")),
        roots=frozenset([ROOT]),
    )

"""Which mandates end with what, for each event, kind and durability."""

import pytest

from identity.adapters.schema_files import load_catalogue
from identity.core.life_event import LifeEventKind as Event
from identity.core.mandate import (
    MANDATES,
    Mandate,
    MandateNotPossible,
    PrincipalMissing,
    check_mandate,
    ends_with_principal,
    is_mandate,
    needs_principal,
    principal_names,
)
from registry.core.refusals import Malformed

CATALOGUE = load_catalogue("https://id.example/schemas")
POWER, GUARDIANSHIP = "power-of-attorney", "guardianship"
# What ends with the principal: a power of attorney, a durable one, a guardianship.
ENDS = {
    Event.DECEASED: (True, True, True),
    Event.WITHDRAWN: (True, True, True),
    Event.MERGED: (True, True, True),
    Event.INCAPACITATED: (True, False, False),
    Event.CAPACITY_RESTORED: (False, False, True),
    Event.NAME_CHANGED: (True, True, True),
    Event.CORRECTED: (True, True, True),
    Event.KEYS_LOST: (False, False, False),
}
CHANGED = {Event.NAME_CHANGED: {"family_name"}, Event.CORRECTED: {"birth_date", "sex"}}


def claims(name: str) -> tuple[str, ...]:
    return CATALOGUE.by_name(name).claims


def test_every_event_has_an_answer() -> None:
    assert ENDS.keys() == set(Event)


@pytest.mark.parametrize("event", Event)
def test_what_happens_to_the_principal_ends_what_it_should(event: Event) -> None:
    answers = tuple(
        ends_with_principal(
            event, kind, claims(kind), durable=durable, changed=CHANGED.get(event, ())
        )
        for kind, durable in ((POWER, False), (POWER, True), (GUARDIANSHIP, False))
    )
    assert answers == ENDS[event]


def test_a_change_that_a_mandate_does_not_tell_leaves_it() -> None:
    assert not ends_with_principal(
        Event.CORRECTED, POWER, claims(POWER), durable=False, changed={"sex"}
    )


def test_a_mandate_type_that_is_added_later_ends_with_capacity() -> None:
    assert ends_with_principal(
        Event.INCAPACITATED, "proxy-vote", ("principal_family_name",), durable=False
    )


def test_mandates_for_people_name_a_principal_and_an_organisation_is_none() -> None:
    named = {kind.name for kind in CATALOGUE if needs_principal(kind.claims)}
    assert named == {POWER, GUARDIANSHIP}
    assert {kind.name for kind in CATALOGUE if is_mandate(kind.name, kind.claims)} == MANDATES
    assert principal_names(claims(POWER)) == ("family_name", "given_name", "birth_date")


def test_a_mandate_is_between_two_people() -> None:
    def check(kind: str, principal: str | None, *, durable: bool = False) -> Mandate | None:
        return check_mandate(
            kind, claims(kind), representative="prs_a", principal=principal, durable=durable
        )

    assert check(POWER, "prs_b", durable=True) == Mandate(principal="prs_b", durable=True)
    assert check(GUARDIANSHIP, "prs_b") == Mandate(principal="prs_b")
    assert check("degree", None) is None
    assert check("organisation-mandate", None) is None
    with pytest.raises(PrincipalMissing):
        check(POWER, None)
    with pytest.raises(MandateNotPossible):
        check(GUARDIANSHIP, "prs_a")
    for kind, principal, durable in (
        ("degree", "prs_b", False),
        ("degree", None, True),
        ("organisation-mandate", "prs_b", False),
        (GUARDIANSHIP, "prs_b", True),
    ):
        with pytest.raises(Malformed):
            check(kind, principal, durable=durable)

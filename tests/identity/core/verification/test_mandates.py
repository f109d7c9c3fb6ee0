"""A mandate and the person who shows it belong together."""

from typing import Any

import pytest

from identity.adapters.schema_files import load_catalogue
from identity.core.verification.failure import CheckFailed
from identity.core.verification.mandates import MANDATES, PERSON, check_together

ANN = {"family_name": "Heron", "given_name": "Ann", "birth_date": "1980-01-01"}
EVE = {**ANN, "given_name": "Eve"}
IDENTITY = "resident-identity"


def test_every_mandate_names_its_holder_and_an_end() -> None:
    catalogue = load_catalogue("https://id.example/schemas")
    for name in MANDATES:
        kind = catalogue.by_name(name)
        assert {*PERSON, "valid_until"} <= set(kind.required)
        rights = [claim for claim in kind.claims if claim.startswith("may_")]
        assert len(rights) >= 3
        described = kind.claims_schema["properties"]
        assert all(described[right]["type"] == "boolean" for right in rights)


@pytest.mark.parametrize("mandate", sorted(MANDATES))
def test_one_person_shows_both(mandate: str) -> None:
    check_together([(mandate, {**ANN, "may_pay": True}), (IDENTITY, ANN)])
    check_together([(mandate, {"may_pay": True})])  # alone it says by itself who holds it
    check_together([(IDENTITY, {"age_over_18": True}), ("degree", {})])  # no mandate, no rule


@pytest.mark.parametrize(
    ("mandate", "other", "reason"),
    [
        (ANN, EVE, "mandate_of_other_person"),
        (ANN, {**ANN, "birth_date": "1980-01-02"}, "mandate_of_other_person"),
        (ANN, {"age_over_18": True}, "mandate_not_bound"),
        ({"may_pay": True}, ANN, "mandate_not_bound"),
        ({}, {}, "mandate_not_bound"),
        (ANN, {**ANN, "family_name": None}, "mandate_not_bound"),
    ],
)
def test_two_people_who_pool_their_phones_are_refused(
    mandate: dict[str, Any], other: dict[str, Any], reason: str
) -> None:
    for shown in (
        [("guardianship", mandate), (IDENTITY, other)],
        [(IDENTITY, other), ("guardianship", mandate)],
    ):
        with pytest.raises(CheckFailed) as refusal:
            check_together(shown)
        assert refusal.value.reason == reason

"""Where claims come from, and what is computed at issuing."""

from datetime import UTC, date, datetime

import pytest

from identity.adapters.schema_files import load_catalogue
from identity.core.claim_rules import (
    ClaimsIncomplete,
    ClaimsNotAccepted,
    age_over,
    check_agency_claims,
    complete_claims,
    day_begun_everywhere,
    missing_from_agency,
    registered_names,
)

CATALOGUE = load_catalogue("https://id.example/schemas")
IDENTITY = CATALOGUE.by_name("resident-identity")
DEGREE = CATALOGUE.by_name("degree")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FACTS = {
    "family_name": "Kestrel",
    "given_name": "Alice",
    "birth_date": "2008-03-01",
    "assurance_level": "IAL2",
}


@pytest.mark.parametrize(
    ("born", "on", "expected"),
    [
        (date(2008, 3, 1), date(2026, 2, 28), False),
        (date(2008, 3, 1), date(2026, 3, 1), True),
        (date(2008, 12, 31), date(2026, 12, 30), False),
        (date(2008, 12, 31), date(2026, 12, 31), True),
        # Born on a leap day: 18 in a common year is reached on 1 March, in a leap year on the day.
        (date(2004, 2, 29), date(2022, 2, 28), False),
        (date(2004, 2, 29), date(2022, 3, 1), True),
        (date(2006, 2, 28), date(2024, 2, 28), True),
        (date(2006, 3, 1), date(2024, 2, 29), False),
        (date(2006, 3, 1), date(2024, 3, 1), True),
    ],
)
def test_eighteen_is_reached_on_the_day_and_not_before(
    born: date, on: date, expected: bool
) -> None:
    assert age_over(born, 18, on=on) is expected


def test_a_leap_day_child_reaches_twenty_on_her_own_day() -> None:
    assert not age_over(date(2004, 2, 29), 20, on=date(2024, 2, 28))
    assert age_over(date(2004, 2, 29), 20, on=date(2024, 2, 29))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 3, 1, 11, 59, tzinfo=UTC), date(2026, 2, 28)),
        (datetime(2026, 3, 1, 12, 0, tzinfo=UTC), date(2026, 3, 1)),
    ],
)
def test_a_birthday_counts_when_it_has_begun_everywhere(now: datetime, expected: date) -> None:
    assert day_begun_everywhere(now) == expected


def test_ages_are_computed_and_registered_facts_win() -> None:
    claims = complete_claims(
        IDENTITY,
        registered={**FACTS, "nationality": None},
        supplied={"issuing_country": "CN", "family_name": "Forged", "nothing": 1},
        now=NOON,
    )

    assert claims["family_name"] == "Kestrel"
    assert (claims["age_over_16"], claims["age_over_18"], claims["age_over_21"]) == (
        True,
        True,
        False,
    )
    assert "nationality" not in claims
    assert list(claims) == [name for name in IDENTITY.claims if name in claims]


@pytest.mark.parametrize("missing", ["family_name", "birth_date", "assurance_level"])
def test_a_required_fact_that_nobody_knows_ends_the_issuing(missing: str) -> None:
    known = {name: value for name, value in FACTS.items() if name != missing}

    with pytest.raises(ClaimsIncomplete):
        complete_claims(IDENTITY, registered=known, supplied={"issuing_country": "CN"}, now=NOON)


@pytest.mark.parametrize("birth_date", ["1999-02-30", "yesterday", 7])
def test_an_unusable_birth_date_is_refused_without_being_repeated(birth_date: object) -> None:
    with pytest.raises(ClaimsIncomplete) as refused:
        complete_claims(
            IDENTITY,
            registered={**FACTS, "birth_date": birth_date},
            supplied={"issuing_country": "CN"},
            now=NOON,
        )

    assert str(birth_date) not in refused.value.detail
    assert refused.value.__cause__ is None


def test_the_birth_date_is_read_where_only_an_age_is_claimed() -> None:
    licence = CATALOGUE.by_name("driving-licence")

    assert "birth_date" in registered_names(licence)
    assert "birth_date" not in registered_names(DEGREE)


@pytest.mark.parametrize(
    "claims",
    [
        {"family_name": "Other"},
        {"age_over_18": True},
        {"unknown": 1},
        {"degree_level": "wizard"},
        {"awarded_on": "not a date"},
        {"institution": ""},
        {"institution": "x" * 100_000},
    ],
)
def test_agency_claims_that_do_not_fit_are_refused_by_name(claims: dict[str, object]) -> None:
    kind = IDENTITY if "age_over_18" in claims else DEGREE

    with pytest.raises(ClaimsNotAccepted) as refused:
        check_agency_claims(kind, claims)

    assert "wizard" not in refused.value.detail


def test_what_only_the_agency_knows_must_come_with_the_offer() -> None:
    assert missing_from_agency(IDENTITY, {}) == ()
    assert set(missing_from_agency(DEGREE, {"degree_name": "x"})) == {
        "degree_level",
        "awarded_on",
        "institution",
    }

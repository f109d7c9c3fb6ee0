"""The people of the embedded register: numbers that hold, and nobody who could be real."""

from datetime import date
from importlib import resources

from identity.adapters.embedded_register import invented_people
from identity.adapters.stdnum_schemes import standard_schemes
from registry.core.encoding import parse_json_object

TODAY = date(2026, 6, 1)
PEOPLE = invented_people()
SCHEMES = standard_schemes()


def test_there_are_enough_of_them_from_enough_countries():
    countries = {found.country for found in PEOPLE}

    assert len(PEOPLE) >= 24
    assert "CN" in countries
    assert len(countries) >= 7
    assert sum(not found.alive for found in PEOPLE) == 1
    assert len({(found.country, found.number) for found in PEOPLE}) == len(PEOPLE)


def test_every_number_passes_the_checks_and_agrees_with_its_person():
    for found in PEOPLE:
        read = SCHEMES.parse(found.country, found.number, today=TODAY)
        assert read.number == found.number
        assert read.birth_date in (None, found.person.birth_date)
        assert read.sex in (None, found.person.sex)


def test_no_citizens_number_is_one_that_an_office_assigns():
    # Numbers are assigned by counties; codes that end in 0000 are provinces.
    citizens = [found for found in PEOPLE if found.country == "CN" and found.number[0] != "9"]

    assert len(citizens) >= 12
    assert all(found.number[2:6] == "0000" for found in citizens)


def test_the_file_says_that_they_are_invented():
    text = resources.files("identity.adapters").joinpath("invented_people.json").read_bytes()
    assert "invented" in parse_json_object(text)["notice"]

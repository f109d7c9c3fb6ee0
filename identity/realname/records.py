"""What a row in the vault says, and what can be told from it. Pure but for the register."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from identity.core.national_id import NationalNumber
from identity.core.person_name import NameNotValid, normalised_name, same_name
from identity.realname.person_json import parse_person, person_members
from identity.realname.ports import (
    NoMatch,
    PopulationRegister,
    RegisteredPerson,
    RegisterQuery,
)
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.hashing import labelled_hash

NO_MATCH = "number, name and birth date do not belong to one person"


def check_names(family_name: str, given_name: str) -> None:
    """Refuse a person without any name.

    Raises:
        NameNotValid: nothing is left of either part, or they are no names.
    """
    if not normalised_name(family_name) + normalised_name(given_name):
        raise NameNotValid("a person has a name")


def looked_up(
    register: PopulationRegister,
    number: NationalNumber,
    family_name: str,
    given_name: str,
    birth_date: date,
) -> RegisteredPerson:
    """The person whom the register knows under all of it.

    Raises:
        NoMatch, NotAlive, RegisterUnavailable: as `PopulationRegister.lookup`.
    """
    person = register.lookup(
        RegisterQuery(
            country=number.country,
            number=number.number,
            family_name=family_name,
            given_name=given_name,
            birth_date=birth_date,
        )
    )
    # The register promises this; whom it confuses, we would register for life.
    if person.birth_date != birth_date or not same_name(
        family_name=family_name,
        given_name=given_name,
        other_family=person.family_name,
        other_given=person.given_name,
    ):
        raise NoMatch(NO_MATCH)
    return person


def is_same_person(known: RegisteredPerson, stated: RegisteredPerson) -> bool:
    """Whether name and birth date agree."""
    return known.birth_date == stated.birth_date and same_name(
        family_name=known.family_name,
        given_name=known.given_name,
        other_family=stated.family_name,
        other_given=stated.given_name,
    )


def likeness(person: RegisteredPerson) -> tuple[bytes, ...]:
    """What two registrations of one person share whatever their numbers: name and birth date.

    A hash over the characters of the name, sorted, so that it does not matter which part stands
    first or where a form cut the name in two. Only its keyed index is ever stored.
    """
    name = normalised_name(person.family_name) + normalised_name(person.given_name)
    born = person.birth_date.isoformat()
    return (labelled_hash("cairn/likeness/v1", "".join(sorted(name)).encode(), born.encode()),)


def encoded(number: NationalNumber, person: RegisteredPerson) -> bytes:
    """The row of a person."""
    return canonical_json(
        {
            "country": number.country,
            "scheme": number.scheme,
            "number": number.number,
            "person": person_members(person),
        }
    )


def parse_record(sealed: bytes) -> dict[str, Any]:
    """Read what `encoded` wrote."""
    return parse_json_object(sealed)


def identity_of(number: NationalNumber, person: RegisteredPerson) -> bytes:
    """What an opening tells: who she is, and not where she lives."""
    return canonical_json(
        {
            "country": number.country,
            "number": number.number,
            "family_name": person.family_name,
            "given_name": person.given_name,
            "birth_date": person.birth_date.isoformat(),
        }
    )


def facts(stored: Mapping[str, object]) -> JsonObject:
    """The claims in a stored row. The number is not among them, and never will be."""
    members = person_members(parse_person(stored["person"]))
    address = members.pop("address") or {}
    found = {**members, **address, "issuing_country": stored["country"]}
    return {name: value for name, value in found.items() if value not in (None, "")}

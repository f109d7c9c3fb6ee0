"""A population register of invented people, for demonstrations and tests. Never for real ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from identity.core.person_name import NameNotValid, same_name
from identity.realname.person_json import parse_person
from identity.realname.ports import NoMatch, NotAlive, RegisteredPerson, RegisterQuery
from registry.core.encoding import parse_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class InventedPerson:
    """Somebody who does not exist, with a number that passes every check."""

    country: str
    number: str = field(repr=False)
    alive: bool
    person: RegisteredPerson


def invented_people() -> tuple[InventedPerson, ...]:
    """Everybody in the data file beside this module, in its order."""
    text = resources.files("identity.adapters").joinpath("invented_people.json").read_bytes()
    return tuple(
        InventedPerson(
            country=entry["country"],
            number=entry["number"],
            alive=entry["alive"],
            person=parse_person(entry["person"]),
        )
        for entry in parse_json_object(text)["people"]
    )


class EmbeddedRegister:
    """Keeps the promises of `PopulationRegister` for invented people."""

    def __init__(self, people: tuple[InventedPerson, ...]) -> None:
        self._people: Mapping[tuple[str, str], InventedPerson] = {
            (found.country, found.number): found for found in people
        }

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        """As `PopulationRegister.lookup`."""
        found = self._people.get((query.country, query.number))
        if found is None or not _agrees(found.person, query):
            raise NoMatch("number, name and birth date do not belong to one person")
        if not found.alive:
            raise NotAlive("the register knows the person as dead")
        return found.person


def _agrees(person: RegisteredPerson, query: RegisterQuery) -> bool:
    try:
        return person.birth_date == query.birth_date and same_name(
            family_name=person.family_name,
            given_name=person.given_name,
            other_family=query.family_name,
            other_given=query.given_name,
        )
    except NameNotValid:
        return False

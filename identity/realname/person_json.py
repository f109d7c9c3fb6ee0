"""A registered person as JSON: how registers answer, and what is sealed in the vault."""

from datetime import date
from typing import Any

from identity.realname.ports import Address, RegisteredPerson
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

MAX_VALUE_CHARS = 200  # as the schemas of the credential types have it

_TEXTS = ("street_address", "locality", "region", "postal_code", "country")
_PERSON = {"family_name", "given_name", "birth_date", "sex", "nationality", "address"}
_SEXES = (None, "female", "male", "other")


def person_members(person: RegisteredPerson) -> JsonObject:
    """The person as JSON members; `parse_person` reads them back."""
    address: JsonObject | None = None
    if (given := person.address) is not None:
        since = given.resident_since
        address = {name: getattr(given, name) for name in _TEXTS}
        address["resident_since"] = None if since is None else since.isoformat()
    return {
        "family_name": person.family_name,
        "given_name": person.given_name,
        "birth_date": person.birth_date.isoformat(),
        "sex": person.sex,
        "nationality": person.nationality,
        "address": address,
    }


def parse_person(members: object) -> RegisteredPerson:
    """Read what `person_members` wrote.

    Raises:
        Malformed: a member is missing, unknown, of another type or too long. Values stay untold.
    """
    if not isinstance(members, dict) or members.keys() != _PERSON:
        raise Malformed("registered person has other members than expected")
    sex, nationality = members["sex"], members["nationality"]
    if sex not in _SEXES:
        raise Malformed("registered person has an unknown sex")
    if nationality is not None:
        _country(nationality)
    family_name, given_name = _text(members["family_name"]), _text(members["given_name"])
    if not family_name and not given_name:
        raise Malformed("registered person has no name")
    return RegisteredPerson(
        family_name=family_name,
        given_name=given_name,
        birth_date=parse_date(members["birth_date"]),
        sex=sex,
        nationality=nationality,
        address=_address(members["address"]),
    )


def parse_date(value: object) -> date:
    """Read an ISO 8601 calendar date, `YYYY-MM-DD` and no other spelling.

    Raises:
        Malformed: anything else, or a day that the calendar does not have.
    """
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.isoformat() != value:
        raise Malformed("not a date of the form YYYY-MM-DD") from None
    return found


def _address(members: Any) -> Address | None:
    if members is None:
        return None
    if not isinstance(members, dict) or members.keys() != {*_TEXTS, "resident_since"}:
        raise Malformed("registered address has other members than expected")
    since = members["resident_since"]
    texts = {name: _text(members[name]) for name in _TEXTS}
    if texts["country"]:
        _country(texts["country"])
    return Address(**texts, resident_since=None if since is None else parse_date(since))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_VALUE_CHARS or not value.isprintable():
        raise Malformed("registered person has a member that is no text, or too long")
    return value


def _country(value: object) -> None:
    if not (isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper()):
        raise Malformed("not an ISO 3166-1 alpha-2 code")

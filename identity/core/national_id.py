"""National identification numbers: the port that every scheme fits, and the registry of schemes.

A scheme knows one kind of number: its form, its check digit, and what can be read from it. Whether
such a person exists is for a population register to say.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from registry.core.refusals import Malformed

MAX_NUMBER_CHARS = 40  # the longest admitted scheme has 18 characters; room for separators
MAX_AGE_YEARS = 125  # nobody is known to have lived longer than 122 years


class NationalIdNotValid(Malformed):
    """The number is none of its country; the refusal never repeats it."""


class CountryNotSupported(Malformed):
    """No scheme is registered for the country."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NationalNumber:
    """A number that passed the checks of its scheme, in the one form it is compared and kept in.

    What cannot be read from the number with certainty is None. `warnings` are codes that a clerk
    should see (`region-unknown`); they refuse nothing.
    """

    country: str  # ISO 3166-1 alpha-2
    scheme: str  # `cn.resident`, `es.nie`
    number: str = field(repr=False)
    birth_date: date | None = field(default=None, repr=False)
    sex: str | None = field(default=None, repr=False)  # `female` or `male`
    region: str | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def identifier(self) -> bytes:
        """What the blind index is computed over: scheme and number."""
        return f"{self.scheme}|{self.number}".encode()


class NationalIdScheme(Protocol):
    """One kind of national number.

    Every scheme keeps these promises; tests/identity/realname/test_schemes.py holds each to them.

    - Every accepted spelling of one number gives one `NationalNumber.number`.
    - A number whose birth date is impossible, in the future or beyond `MAX_AGE_YEARS` is refused.
    - No refusal repeats the number or a part of it.
    """

    @property
    def country(self) -> str:
        """ISO 3166-1 alpha-2 code."""
        ...

    @property
    def name(self) -> str:
        """Name of the scheme; it is part of every blind index and never changes."""
        ...

    def parse(self, text: str, *, today: date) -> NationalNumber:
        """Check and normalise a number, and read what it tells.

        Raises:
            NationalIdNotValid: it is no such number.
        """
        ...


class SchemeRegistry:
    """The schemes of an installation, by country. Add a scheme to support another country."""

    def __init__(self, schemes: Iterable[NationalIdScheme]) -> None:
        by_country: dict[str, list[NationalIdScheme]] = {}
        for scheme in schemes:
            by_country.setdefault(scheme.country, []).append(scheme)
        self._schemes: Mapping[str, tuple[NationalIdScheme, ...]] = {
            country: tuple(found) for country, found in by_country.items()
        }

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries with a scheme, sorted."""
        return tuple(sorted(self._schemes))

    def parse(self, country: str, text: str, *, today: date) -> NationalNumber:
        """Read `text` by the first scheme of `country` that accepts it.

        Raises:
            CountryNotSupported: no scheme for this country.
            NationalIdNotValid: no scheme of the country accepts the number.
        """
        schemes = self._schemes.get(country)
        if schemes is None:
            raise CountryNotSupported("no national number scheme for this country")
        refusal: NationalIdNotValid | None = None
        for scheme in schemes:
            try:
                return scheme.parse(text, today=today)
            except NationalIdNotValid as error:
                refusal = refusal or error
        raise refusal or NationalIdNotValid("not a national number of this country")


def cleaned(text: str) -> str:
    """Bring a typed number to plain characters: NFKC, upper case, no spaces or dashes.

    Raises:
        NationalIdNotValid: no text, empty, too long, or characters beyond ASCII remain.
    """
    if not isinstance(text, str) or len(text) > MAX_NUMBER_CHARS:
        raise NationalIdNotValid("national number is no text, or too long")
    plain = re.sub(r"[\s\u2010-\u2015\u2212]", _separator, unicodedata.normalize("NFKC", text))
    if not plain.strip(" -") or not plain.isascii() or not plain.isprintable():
        raise NationalIdNotValid("national number is empty or has foreign characters")
    return plain.strip().upper()


def check_birth_date(birth_date: date, *, today: date) -> date:
    """Refuse a birth date in the future or beyond `MAX_AGE_YEARS`.

    Raises:
        NationalIdNotValid: the date cannot be that of somebody who lives.
    """
    if birth_date > today:
        raise NationalIdNotValid("national number has a birth date in the future")
    if today.year - birth_date.year > MAX_AGE_YEARS:
        raise NationalIdNotValid("national number has a birth date too long ago")
    return birth_date


def _separator(match: re.Match[str]) -> str:
    return " " if match.group().isspace() else "-"

"""National numbers of many countries by python-stdnum, behind our own port.

One table says which module checks whose numbers. The library is made for clerks who know what they
type; where it lets numbers of companies through, takes two spellings for two numbers, or guesses a
century, the row says so and we are stricter.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any

from stdnum import numdb
from stdnum.cz.rc import get_birth_date as czechoslovak_birth_date
from stdnum.exceptions import ValidationError

from identity.core.chinese_id import ChineseResidentNumber
from identity.core.national_id import (
    NationalIdNotValid,
    NationalIdScheme,
    NationalNumber,
    SchemeRegistry,
    check_birth_date,
    cleaned,
)

Sex = Callable[[str], str | None]
Canonical = Callable[[str, date], str]


def _odd_is_male(position: int) -> Sex:
    return lambda number: "male" if int(number[position]) % 2 else "female"


def _padded(length: int) -> Canonical:
    return lambda number, _today: number.zfill(length)


def _swedish(number: str, today: date) -> str:
    """Twelve digits: the ten-digit form means another person a hundred years later."""
    digits = re.sub(r"[-+]", "", number)
    if len(digits) == 12:
        return digits
    year = today.year // 100 * 100 + int(digits[:2])
    if year > today.year:
        year -= 100
    return f"{year - 100 if '+' in number else year}{digits[2:]}"


def _finnish_birth_date(number: str) -> date:
    century = {"+": 1800} | dict.fromkeys("-YXWVU", 1900) | dict.fromkeys("ABCDEF", 2000)
    day, month, year = (int(number[at : at + 2]) for at in (0, 2, 4))
    return date(century[number[6]] + year, month, day)


def _swedish_birth_date(number: str) -> date:
    return date(int(number[:4]), int(number[4:6]), int(number[6:8]))


def _icelandic_birth_date(number: str) -> date:
    century = 1900 if number[9] == "9" else 2000
    return date(century + int(number[4:6]), int(number[2:4]), int(number[:2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """How one module is used.

    `keep` are separators that mean something; every other one is dropped before the check.
    `admits` is a pattern of the compact number: where a module also takes companies, aliases or
    temporary numbers, only persons match. `century` is False where the number has two digits of the
    year and the module guesses.
    """

    keep: str = ""
    admits: str = ".+"
    canonical: Canonical | None = None
    century: bool = True
    birth_date: Callable[[str], date | None] | None = None
    sex: Sex | None = None


_PLAIN = _Row()
_FIRST_DIGIT = {"1": "male", "2": "female"}

# Country and the modules of `stdnum` for its people; the first that accepts a number wins. One
# kind of number for one group of people: two kinds for one person would be two registrations.
_SCHEMES: dict[str, dict[str, _Row]] = {
    "AD": {"ad.nrt": _Row(admits="[EF].*")},  # residents and non-residents; the rest are companies
    "AR": {"ar.dni": _Row(canonical=_padded(8))},
    "AT": {"at.vnr": _PLAIN},
    "BA": {"si.emso": _PLAIN},  # the number of former Yugoslavia lives on in five states
    "BE": {"be.nn": _PLAIN, "be.bis": _PLAIN},
    "BG": {
        "bg.egn": _Row(sex=lambda number: "female" if int(number[8]) % 2 else "male"),
        "bg.pnf": _PLAIN,
    },
    "BR": {"br.cpf": _PLAIN},
    "CA": {"ca.sin": _PLAIN},
    "CH": {"ch.ssn": _PLAIN},
    "CL": {"cl.rut": _Row(canonical=_padded(9))},
    "CR": {"cr.cpf": _Row(keep="-"), "cr.cr": _PLAIN},
    "CU": {"cu.ni": _PLAIN},
    "CZ": {"cz.rc": _Row(sex=lambda number: "female" if int(number[2]) >= 5 else "male")},
    "DE": {"de.idnr": _PLAIN},
    "DK": {"dk.cpr": _Row(sex=_odd_is_male(9))},
    "DO": {"do.cedula": _PLAIN},
    "EC": {"ec.ci": _PLAIN},
    "EE": {"ee.ik": _PLAIN},
    "ES": {"es.dni": _PLAIN, "es.nie": _PLAIN},
    "FI": {
        "fi.hetu": _Row(
            keep="-+",
            birth_date=_finnish_birth_date,
            sex=lambda number: "male" if int(number[7:10]) % 2 else "female",
        )
    },
    "FR": {"fr.nir": _Row(sex=lambda number: _FIRST_DIGIT.get(number[0]))},
    "GB": {"gb.nhs": _PLAIN},
    "GH": {"gh.tin": _Row(admits="P00.*")},
    "GR": {"gr.amka": _Row(century=False)},
    "HR": {"hr.oib": _PLAIN},
    "ID": {
        "id.nik": _Row(
            century=False, sex=lambda number: "female" if int(number[6]) >= 4 else "male"
        )
    },
    "IE": {"ie.pps": _Row(admits="[0-9]{7}[A-W]A?")},  # no final W: a husband's number, once
    "IL": {"il.idnr": _PLAIN},
    "IN": {"in_.aadhaar": _PLAIN},
    "IS": {"is_.kennitala": _Row(admits="[0-3].*", birth_date=_icelandic_birth_date)},
    "IT": {"it.codicefiscale": _Row(admits="[A-Z].{15}", century=False)},
    "JP": {"jp.in_": _PLAIN},
    "KE": {"ke.pin": _Row(admits="A.*")},
    "KR": {"kr.rrn": _Row(sex=_odd_is_male(6))},
    "LT": {"lt.asmens": _Row(sex=_odd_is_male(0))},
    "LV": {"lv.pvn": _Row(admits="[0-3].*")},
    "ME": {"si.emso": _PLAIN},
    "MK": {"si.emso": _PLAIN},
    "MU": {"mu.nid": _PLAIN},
    "MX": {"mx.curp": _PLAIN},
    "MY": {"my.nric": _Row(century=False, sex=_odd_is_male(11))},
    "NL": {"nl.bsn": _PLAIN},
    "NO": {"no.fodselsnummer": _PLAIN},
    "PE": {"pe.cui": _Row(canonical=lambda number, _today: number[:8])},  # check digit optional
    "PK": {"pk.cnic": _PLAIN},
    "PL": {"pl.pesel": _PLAIN},
    # Not pt.cc: its last letters are the version of the card and change with every renewal.
    "PT": {"pt.nif": _Row(admits="[123].*")},
    "RO": {"ro.cnp": _Row(sex=_odd_is_male(0))},
    "RS": {"si.emso": _PLAIN},
    "RU": {"ru.inn": _Row(admits=".{12}")},
    "SE": {
        "se.personnummer": _Row(
            keep="-+",
            canonical=_swedish,
            birth_date=_swedish_birth_date,
            sex=_odd_is_male(10),
        )
    },
    "SI": {"si.emso": _PLAIN},
    "SK": {
        "sk.rc": _Row(
            birth_date=czechoslovak_birth_date,
            sex=lambda number: "female" if int(number[2]) >= 5 else "male",
        )
    },
    "TH": {"th.pin": _PLAIN},
    "TR": {"tr.tckimlik": _PLAIN},
    "UA": {"ua.rntrc": _PLAIN},
    "US": {"us.ssn": _PLAIN, "us.itin": _PLAIN},
    "VE": {"ve.rif": _Row(admits="[VE].*")},
    "ZA": {"za.idnr": _Row(century=False)},
}


class StdnumScheme:
    """One row of the table as a `NationalIdScheme`."""

    def __init__(self, country: str, module: str, row: _Row) -> None:
        self.country = country
        # One algorithm may serve several registers; the scheme is that of the country.
        self.name = f"{country.lower()}.{module.partition('.')[2]}"
        self._module: Any = import_module(f"stdnum.{module}")
        self._row = row

    def parse(self, text: str, *, today: date) -> NationalNumber:
        """As `NationalIdScheme.parse`."""
        plain = re.sub(rf"[^A-Z0-9{re.escape(self._row.keep)}]", "", cleaned(text))
        try:
            number = str(self._module.compact(self._module.validate(plain)))
            if not re.fullmatch(self._row.admits, number):
                raise NationalIdNotValid("this kind of number does not name a person")
            if self._row.canonical is not None:
                number = self._row.canonical(number, today)
            birth_date = self._birth_date(number, today)
            sex = self._sex(number)
        except (ValidationError, ValueError, LookupError, TypeError):
            # Neither the cause nor its text may travel: some of them quote the number.
            raise NationalIdNotValid("not a national number of this country") from None
        return NationalNumber(
            country=self.country, scheme=self.name, number=number, birth_date=birth_date, sex=sex
        )

    def _birth_date(self, number: str, today: date) -> date | None:
        read = self._row.birth_date or getattr(self._module, "get_birth_date", None)
        if read is None or (self.name == "lv.pvn" and number.startswith("32")):
            return None  # Latvian numbers of 2017 and later tell nothing
        found: date | None = read(number)
        if found is None:
            return None
        if self._row.century:
            return check_birth_date(found, today=today)
        return _only_century(found, today)

    def _sex(self, number: str) -> str | None:
        if self._row.sex is not None:
            return self._row.sex(number)
        read = getattr(self._module, "get_gender", None)
        return {"M": "male", "F": "female"}.get(read(number)) if read else None


def standard_schemes() -> SchemeRegistry:
    """China by our own rules, and every country of the table."""
    schemes: list[NationalIdScheme] = [ChineseResidentNumber(region_name=chinese_region)]
    schemes += [
        StdnumScheme(country, module, row)
        for country, modules in _SCHEMES.items()
        for module, row in modules.items()
    ]
    return SchemeRegistry(schemes)


def chinese_region(code: str, year: int) -> str | None:
    """Name of the county that had `code` when somebody was born in `year`; None if none had."""
    found: dict[str, str] = {}
    for _part, properties in numdb.get("cn/loc").info(code):
        found.update(properties)
    for entry in found.get("county", "").split(","):
        match = re.fullmatch(r"(?:\[(\d*)-(\d*)\])?(.+)", entry)
        if match and int(match[1] or 0) <= year <= int(match[2] or 9999):
            return f"{found.get('province', '')}{match[3]}"
    return None


def _only_century(guess: date, today: date) -> date | None:
    """The birth date when one century alone is possible, else None."""
    possible = []
    for shift in (-100, 0, 100):
        try:
            candidate = guess.replace(year=guess.year + shift)
            possible.append(check_birth_date(candidate, today=today))
        except (NationalIdNotValid, ValueError):
            continue
    return possible[0] if len(possible) == 1 else None

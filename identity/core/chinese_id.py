"""Chinese resident numbers (GB 11643) and the numbers of residence cards built like them.

| first digits | who | form |
| --- | --- | --- |
| 11 to 65, 71 | citizens | region 6, birth date 8, order 3, check character |
| 810000, 820000, 830000 | residents of Hong Kong, Macau, Taiwan with a residence permit | same |
| 9 | foreigners with permanent residence, card of 2023 | 9, region 2, ISO 3166 3, then same |
| 15 digits | citizens before 1999 | region 6, birth date 6 without century, order 3 |
"""

import re
from collections.abc import Callable
from datetime import date

from identity.core.national_id import (
    NationalIdNotValid,
    NationalNumber,
    check_birth_date,
    cleaned,
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # 2^(17-i) mod 11
_CHECK = "10X98765432"
_EIGHTEEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FIFTEEN = re.compile(r"[1-8][0-9]{14}")
# Order codes that the first generation kept for people born before 1900.
_CENTENARIANS = frozenset({"996", "997", "998", "999"})
_PERMITS = {"810000": "香港特别行政区", "820000": "澳门特别行政区", "830000": "台湾地区"}
# Province codes of GB/T 2260. Counties come and go, and numbers keep the code of their day.
_PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(first, last + 1)
)

RegionName = Callable[[str, int], str | None]


def no_region_names(_code: str, _year: int) -> str | None:
    """A region table that knows nothing."""
    return None


class ChineseResidentNumber:
    """The scheme `cn.resident`; `region_name(code, birth_year)` looks a county up."""

    country = "CN"
    name = "cn.resident"

    def __init__(self, *, region_name: RegionName = no_region_names) -> None:
        self._region_name = region_name

    def parse(self, text: str, *, today: date) -> NationalNumber:
        """As `NationalIdScheme.parse`; 15-digit numbers come out with 18.

        Raises:
            NationalIdNotValid: wrong form, check character or birth date.
        """
        number = cleaned(text).replace(" ", "").replace("-", "")
        if _FIFTEEN.fullmatch(number):
            number = _upgraded(number)
        elif not _EIGHTEEN.fullmatch(number):
            raise NationalIdNotValid("a Chinese resident number has 18 digits; the last may be X")
        if check_character(number[:17]) != number[17]:
            raise NationalIdNotValid("the check character of the number is wrong")
        try:
            birth_date = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        except ValueError as error:
            raise NationalIdNotValid("national number has an impossible birth date") from error
        check_birth_date(birth_date, today=today)
        region, warnings = self._region(number[:6], birth_date.year)
        return NationalNumber(
            country=self.country,
            scheme=self.name,
            number=number,
            birth_date=birth_date,
            sex="male" if int(number[16]) % 2 else "female",
            region=region,
            warnings=warnings,
        )

    def _region(self, code: str, year: int) -> tuple[str | None, tuple[str, ...]]:
        """Name of the region. An unknown one is a warning: tables are never complete."""
        if code[0] == "9":
            known = code[1:3] in _PROVINCES
            return None, () if known else ("region-unknown",)
        if code in _PERMITS:
            return _PERMITS[code], ()
        name = self._region_name(code, year)
        if code[:2] not in _PROVINCES or name is None:
            return name, ("region-unknown",)
        return name, ()


def check_character(digits: str) -> str:
    """ISO 7064 MOD 11-2 check character over 17 digits, as GB 11643 lays it out."""
    return _CHECK[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11]


def _upgraded(number: str) -> str:
    """18 digits for a first-generation number: the century, and the check character.

    Raises:
        NationalIdNotValid: an order code of people born before 1900, none of whom lives.
    """
    if number[12:] in _CENTENARIANS:
        raise NationalIdNotValid("national number has a birth date too long ago")
    digits = f"{number[:6]}19{number[6:]}"
    return digits + check_character(digits)

"""GB 11643 and the numbers built like it. 440524188001010014 is the example of the standard's
check digit in public descriptions; 810000199408230021 and 830000199201300022 are the specimen
numbers that the police published for residence permits."""

from datetime import date, timedelta

import pytest

from identity.adapters.stdnum_schemes import chinese_region
from identity.core.chinese_id import ChineseResidentNumber, check_character
from identity.core.national_id import MAX_AGE_YEARS, NationalIdNotValid

TODAY = date(2026, 3, 1)
SCHEME = ChineseResidentNumber(region_name=chinese_region)


def number(region: str = "110105", born: str = "19491231", order: str = "002") -> str:
    digits = region + born + order
    return digits + check_character(digits)


@pytest.mark.parametrize(
    ("text", "born", "sex"),
    [
        ("11010519491231002X", date(1949, 12, 31), "female"),
        ("11010519491231002x", date(1949, 12, 31), "female"),
        ("440308199901101512", date(1999, 1, 10), "male"),
        ("810000199408230021", date(1994, 8, 23), "female"),
        ("830000199201300022", date(1992, 1, 30), "female"),
        ("360426199101010071", date(1991, 1, 1), "male"),
    ],
)
def test_published_numbers(text: str, born: date, sex: str):
    read = SCHEME.parse(text, today=TODAY)

    assert (read.number, read.birth_date, read.sex) == (text.upper(), born, sex)
    assert read.warnings == ()


def test_the_published_check_character_of_somebody_long_dead():
    assert check_character("44052418800101001") == "4"
    with pytest.raises(NationalIdNotValid, match="too long ago"):
        SCHEME.parse("440524188001010014", today=TODAY)


@pytest.mark.parametrize(
    "spelling",
    [
        "110105 19491231 002x",
        "110105-19491231-002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        " 11010519491231002Ⅹ ",
        "110105\u201319491231\u00a0002x",
    ],
)
def test_spellings_are_one_number(spelling: str):
    assert SCHEME.parse(spelling, today=TODAY).number == "11010519491231002X"


def test_only_one_of_eleven_check_characters_is_right():
    good = "11010519491231002X"
    accepted = []
    for last in "0123456789X":
        try:
            accepted.append(SCHEME.parse(good[:-1] + last, today=TODAY).number)
        except NationalIdNotValid:
            continue
    assert accepted == [good]


def test_every_wrong_digit_and_every_swap_is_found():
    good = number(order="013")
    SCHEME.parse(good, today=TODAY)
    mistakes = {
        good[:at] + digit + good[at + 1 :] for at in range(17) for digit in "0123456789"
    } | {good[:at] + good[at + 1] + good[at] + good[at + 2 :] for at in range(16)}
    mistakes.discard(good)

    assert len(mistakes) > 150
    for wrong in mistakes:
        with pytest.raises(NationalIdNotValid):
            SCHEME.parse(wrong, today=TODAY)


@pytest.mark.parametrize("born", ["19490230", "19491301", "19490001", "19490100", "00000101"])
def test_impossible_dates_are_refused(born: str):
    with pytest.raises(NationalIdNotValid, match=r"birth date"):
        SCHEME.parse(number(born=born), today=TODAY)


def test_born_today_is_fine_and_tomorrow_is_not():
    today, tomorrow = (f"{TODAY + timedelta(days=days):%Y%m%d}" for days in (0, 1))

    assert SCHEME.parse(number(born=today), today=TODAY).birth_date == TODAY
    with pytest.raises(NationalIdNotValid, match="future"):
        SCHEME.parse(number(born=tomorrow), today=TODAY)


def test_nobody_is_older_than_people_get():
    eldest = TODAY.year - MAX_AGE_YEARS

    SCHEME.parse(number(born=f"{eldest}0101"), today=TODAY)
    with pytest.raises(NationalIdNotValid):
        SCHEME.parse(number(born=f"{eldest - 1}1231"), today=TODAY)


def test_a_first_generation_number_becomes_its_successor():
    read = SCHEME.parse("610104 620927 690", today=TODAY)

    assert read.number == "610104196209276908"
    assert read.birth_date == date(1962, 9, 27)
    assert read.number == SCHEME.parse(read.number, today=TODAY).number


@pytest.mark.parametrize(
    "text", ["610104620230690", "110105491231996", "910104620927690", "61010462092769X"]
)
def test_first_generation_numbers_of_nobody_alive_are_refused(text: str):
    with pytest.raises(NationalIdNotValid):
        SCHEME.parse(text, today=TODAY)


@pytest.mark.parametrize(
    ("region", "name"), [("810000", "香港"), ("820000", "澳门"), ("830000", "台湾")]
)
def test_residence_permits_of_hong_kong_macau_and_taiwan(region: str, name: str):
    read = SCHEME.parse(number(region=region), today=TODAY)

    assert read.region is not None
    assert name in read.region
    assert read.warnings == ()


def test_a_permanent_residence_card_of_2023():
    read = SCHEME.parse(number(region="931276", born="19830312", order="017"), today=TODAY)

    assert (read.birth_date, read.sex, read.warnings) == (date(1983, 3, 12), "male", ())


@pytest.mark.parametrize("region", ["999276", "811111", "990000", "110103", "123456", "720000"])
def test_an_unknown_or_abolished_region_is_a_warning(region: str):
    read = SCHEME.parse(number(region=region, born="20150101"), today=TODAY)

    assert read.warnings == ("region-unknown",)


@pytest.mark.parametrize(
    "text",
    [
        "011010519491231002",
        "1101051949123100",
        "11010519491231002XX",
        "X1010519491231002X",
        "1101051949123100X2",
        "٠١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧",
        "11010519491231002Х",  # Cyrillic
    ],
)
def test_other_forms_are_refused(text: str):
    with pytest.raises(NationalIdNotValid) as refusal:
        SCHEME.parse(text, today=TODAY)
    assert not any(char.isdigit() for char in refusal.value.detail.replace("18", ""))

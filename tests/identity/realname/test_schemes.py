"""National numbers; the examples are the published ones of python-stdnum's manual, or computed."""

from datetime import date

import pytest

from identity.adapters.stdnum_schemes import _SCHEMES, chinese_region, standard_schemes
from identity.core.national_id import CountryNotSupported, NationalIdNotValid

TODAY = date(2026, 1, 1)
SCHEMES = standard_schemes()

# country, a valid number, what is read from it
EXAMPLES = [
    ("AD", "F-132950-X", "F132950X", None, None),
    ("AR", "20.123.456", "20123456", None, None),
    ("AT", "1237 010180", "1237010180", None, None),
    ("BA", "0101006500006", "0101006500006", date(2006, 1, 1), "male"),
    ("BE", "85.07.30-033 28", "85073003328", date(1985, 7, 30), "male"),
    ("BG", "801205 603 7", "8012056037", date(1980, 12, 5), "female"),
    ("BR", "390.533.447-05", "39053344705", None, None),
    ("CA", "123-456-782", "123456782", None, None),
    ("CH", "756.9217.0769.85", "7569217076985", None, None),
    ("CL", "CL 12.531.909-2", "125319092", None, None),
    ("CN", "440308199901101512", "440308199901101512", date(1999, 1, 10), "male"),
    ("CR", "3-0455-0175", "0304550175", None, None),
    ("CU", "91021027775", "91021027775", date(1991, 2, 10), "female"),
    ("CZ", "710319/2745", "7103192745", date(1971, 3, 19), "male"),
    ("DE", "36 574 261 809", "36574261809", None, None),
    ("DK", "211062-0629", "2110620629", date(1962, 10, 21), "male"),
    ("DO", "001-1391820-5", "00113918205", None, None),
    ("EC", "171430710-3", "1714307103", None, None),
    ("EE", "36805280109", "36805280109", date(1968, 5, 28), "male"),
    ("ES", "54362315-k", "54362315K", None, None),
    ("ES", "x-2482300w", "X2482300W", None, None),
    ("FI", "131052-308t", "131052-308T", date(1952, 10, 13), "female"),
    ("FR", "2 95 10 99 126 111 93", "295109912611193", None, "female"),
    ("GB", "943-476-5870", "9434765870", None, None),
    ("GH", "P0000803561", "P0000803561", None, None),
    ("GR", "01013099997", "01013099997", date(1930, 1, 1), "male"),
    ("HR", "HR 33392005961", "33392005961", None, None),
    ("ID", "3171011708450001", "3171011708450001", date(1945, 8, 17), "male"),
    ("IE", "6433435F", "6433435F", None, None),
    ("IL", "3933742-3", "039337423", None, None),
    ("IN", "2341 2341 2346", "234123412346", None, None),
    ("IS", "120174-3399", "1201743399", date(1974, 1, 12), None),
    ("IT", "rccmnl83s18d969h", "RCCMNL83S18D969H", date(1983, 11, 18), "male"),
    ("JP", "6214 9832 0257", "621498320257", None, None),
    ("KE", "A004416331M", "A004416331M", None, None),
    ("KR", "880131-1000000", "8801311000000", date(1988, 1, 31), "male"),
    ("LT", "33309240064", "33309240064", date(1933, 9, 24), "male"),
    ("LV", "161175-19997", "16117519997", date(1975, 11, 16), None),
    ("ME", "0101006500006", "0101006500006", date(2006, 1, 1), "male"),
    ("MK", "0101006500006", "0101006500006", date(2006, 1, 1), "male"),
    ("MU", "J2906201304089", "J2906201304089", None, None),
    ("MX", "BOXW810820HNERXN09", "BOXW810820HNERXN09", date(1981, 8, 20), "male"),
    ("MY", "770305-02-1234", "770305021234", date(1977, 3, 5), "female"),
    ("NL", "1112.22.333", "111222333", None, None),
    ("NO", "151086 95088", "15108695088", date(1986, 10, 15), "female"),
    ("PE", "10117410-2", "10117410", None, None),
    ("PK", "34201-0891231-8", "3420108912318", None, "female"),
    ("PL", "44051401359", "44051401359", date(1944, 5, 14), "male"),
    ("PT", "PT 123 456 789", "123456789", None, None),
    ("RO", "1630615123457", "1630615123457", date(1963, 6, 15), "male"),
    ("RS", "0101006500006", "0101006500006", date(2006, 1, 1), "male"),
    ("RU", "123456789047", "123456789047", None, None),
    ("SE", "880320-0016", "198803200016", date(1988, 3, 20), "male"),
    ("SI", "0101006500006", "0101006500006", date(2006, 1, 1), "male"),
    ("SK", "710319/2745", "7103192745", date(1971, 3, 19), "male"),
    ("TH", "3-1006-00445-63-5", "3100600445635", None, None),
    ("TR", "17291716060", "17291716060", None, None),
    ("UA", "1759013776", "1759013776", None, None),
    ("US", "536-90-4399", "536904399", None, None),
    ("US", "912-90-3456", "912903456", None, None),
    ("VE", "V-11470283-4", "V114702834", None, None),
    ("ZA", "7503305044089", "7503305044089", date(1975, 3, 30), "male"),
]


def test_every_country_of_the_table_has_an_example():
    assert {example[0] for example in EXAMPLES} == {*_SCHEMES, "CN"} == {*SCHEMES.countries}
    assert len(SCHEMES.countries) >= 50


@pytest.mark.parametrize(
    ("country", "typed", "number", "born", "sex"), EXAMPLES, ids=lambda v: str(v)
)
def test_an_example_is_read(country, typed, number, born, sex):
    read = SCHEMES.parse(country, typed, today=TODAY)

    assert (read.number, read.birth_date, read.sex) == (number, born, sex)
    assert read.country == country
    assert read.scheme.startswith(country.lower() + ".")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e[0]}-{e[2]}")
def test_spellings_of_one_number_are_one_number(example):
    country, typed, number = example[:3]
    wide = "".join(chr(ord(c) + 0xFEE0) if "0" <= c <= "9" else c for c in typed)

    for spelling in (typed, f" {typed.lower()}\u00a0", wide, typed.replace("-", "\u2013"), number):
        assert SCHEMES.parse(country, spelling, today=TODAY).number == number


# No check digit (or, in Peru, none that everybody writes).
UNCHECKED = {"AD", "AR", "CR", "CU", "DK", "ID", "KE", "MY", "PE", "PK", "US"}


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e[0] not in UNCHECKED])
def test_one_wrong_digit_is_refused_without_repeating_the_number(example):
    country, _, number = example[:3]
    refusals = []
    for at, char in enumerate(number):
        if char.isdigit():
            wrong = number[:at] + str((int(char) + 1) % 10) + number[at + 1 :]
            try:
                SCHEMES.parse(country, wrong, today=TODAY)
            except NationalIdNotValid as refusal:
                refusals.append((wrong, f"{refusal.detail} {refusal.__cause__!r}"))

    assert not [wrong for wrong, told in refusals if wrong in told]
    digits = sum(char.isdigit() for char in number)
    assert len(refusals) >= digits * 0.8  # some check digits of the world miss a few


@pytest.mark.parametrize(
    ("country", "number", "why"),
    [
        ("AD", "L-710000-A", "a company"),
        ("IS", "450401-3150", "an organisation"),
        ("IT", "00743110157", "a company"),
        ("LV", "LV 4000 3521 600", "a company"),
        ("PT", "PT 501 964 843", "a company"),
        ("RU", "1234567894", "a company"),
        ("KE", "P051365947M", "a company"),
        ("GH", "C0000803561", "a company"),
        ("IE", "6433435FW", "somebody's wife, by his number"),
        ("KR", "971013-9019902", "born in 1897"),
        ("DK", "211062-5629", "born in 1862"),
    ],
)
def test_a_number_of_no_living_person_is_refused(country, number, why):
    with pytest.raises(NationalIdNotValid):
        SCHEMES.parse(country, number, today=TODAY)


def test_the_swedish_plus_is_a_century():
    assert SCHEMES.parse("SE", "880320-0016", today=TODAY).number == "198803200016"
    assert SCHEMES.parse("SE", "19880320-0016", today=TODAY).number == "198803200016"
    with pytest.raises(NationalIdNotValid):  # 1888
        SCHEMES.parse("SE", "880320+0016", today=TODAY)


def test_a_guessed_century_is_not_told():
    young = SCHEMES.parse("ID", "3171011708150001", today=TODAY)  # 1915 or 2015

    assert young.birth_date is None


def test_a_country_without_scheme_is_refused():
    with pytest.raises(CountryNotSupported):
        SCHEMES.parse("XX", "1", today=TODAY)


@pytest.mark.parametrize("garbage", ["", "-", " ", "\x00" * 9, "٣" * 18, "1" * 41, "²" * 500, "X"])
@pytest.mark.parametrize("country", SCHEMES.countries)
def test_garbage_is_refused_everywhere(country, garbage):
    with pytest.raises(NationalIdNotValid):
        SCHEMES.parse(country, garbage, today=TODAY)


def test_a_number_does_not_show_in_its_repr():
    assert "44030819" not in repr(SCHEMES.parse("CN", "440308199901101512", today=TODAY))


def test_a_county_is_named_by_the_table_of_its_day():
    assert chinese_region("110103", 2000) == "北京市崇文区"
    assert chinese_region("110103", 2015) is None
    assert chinese_region("999999", 2000) is None

"""Whatever people type: one number stays one number, and garbage is refused by name."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.core.national_id import NationalIdNotValid, NationalNumber
from identity.core.person_name import MAX_NAME_CHARS, NameNotValid, normalised_name, same_name
from tests.identity.realname.parts import PEOPLE, SCHEMES

TODAY = date(2026, 6, 1)
SEPARATORS = ["", "", "", " ", "-", "\u2013", "\u00a0", "\u3000", "\u2011"]


@st.composite
def typed(draw: st.DrawFn) -> tuple[str, str, str]:
    """Country, number, and a way in which somebody types it."""
    found = draw(st.sampled_from([p for p in PEOPLE if p.country not in ("SE", "FI")]))
    text = ""
    for char in found.number:
        wide = draw(st.booleans()) and char.isascii() and char.isalnum()
        shown = chr(ord(char) + 0xFEE0) if wide else draw(st.sampled_from([char, char.lower()]))
        text += shown + draw(st.sampled_from(SEPARATORS))
    return found.country, found.number, text[:40]


@settings(max_examples=300, deadline=None)
@given(typed())
def test_a_spelling_is_the_number_or_refused_for_its_length(case: tuple[str, str, str]):
    country, number, text = case
    try:
        read = SCHEMES.parse(country, text, today=TODAY)
    except NationalIdNotValid:
        assert len(text) == 40  # cut off: so many separators do not fit
    else:
        assert read.number == number


ALPHABET = st.one_of(st.sampled_from("0123456789ABEFKLPTUVWXYZ+-/. "), st.characters())


@pytest.mark.parametrize("country", SCHEMES.countries)
@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(st.text(ALPHABET, max_size=45), st.text("0123456789X", min_size=7, max_size=18))
)
def test_a_scheme_reads_or_refuses_and_nothing_else(country: str, text: str):
    try:
        read = SCHEMES.parse(country, text, today=TODAY)
    except NationalIdNotValid:
        return  # anything else that is raised here is a bug
    assert isinstance(read, NationalNumber)
    assert read.birth_date is None or read.birth_date <= TODAY
    # The normal form is a fixed point: the register is asked with it, and answers for it.
    assert SCHEMES.parse(country, read.number, today=TODAY).number == read.number


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=MAX_NAME_CHARS + 2), st.text(max_size=20))
def test_names_compare_or_are_refused(family: str, given_name: str):
    try:
        normal = normalised_name(family) + normalised_name(given_name)
    except NameNotValid:
        return
    same = same_name(
        family_name=family, given_name=given_name, other_family=given_name, other_given=family
    )
    assert same is bool(normal)
    assert normalised_name(normalised_name(given_name)) == normalised_name(given_name)

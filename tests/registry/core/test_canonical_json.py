"""Canonical JSON by the standard library, where that is allowed, against RFC 8785 done in full."""

import enum

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.encoding import MAX_JSON_DEPTH, canonical_json, parse_json
from registry.core.refusals import Malformed


class Colour(enum.StrEnum):
    RED = "red"


class Loud(int):
    """An integer that writes itself in its own way."""

    def __repr__(self) -> str:
        return "loud"


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) - 3, 2**53 + 3)
    | st.floats()
    | st.text(alphabet=st.characters(codec=None))  # lone surrogates too
    | st.sampled_from(["\x7f", "\u2028", "\ufb33", "\U0001f600", '\\"/\b\f\n\r\t\x00\x1f', "é"])
)
names = st.text(max_size=4) | st.sampled_from(["a", "A", "é", "\ufb33", "\U0001f600", "", '"'])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(names, inner, max_size=5)
    ),
    max_leaves=20,
)


@given(values)
@settings(max_examples=1000)
def test_it_writes_what_the_whole_algorithm_writes_or_refuses_alike(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeError):
        with pytest.raises(Malformed):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


def test_names_are_ordered_by_utf_16_units() -> None:
    # U+1F600 begins with the unit D83D, which comes before FB33; its code point comes after.
    value = {"\ufb33": 1, "\U0001f600": 2}
    assert canonical_json(value) == b'{"\xf0\x9f\x98\x80":2,"\xef\xac\xb3":1}'


@pytest.mark.parametrize("value", [Colour.RED, {"a": Colour.RED}, [Loud(3)]])
def test_a_subclass_is_written_as_by_the_whole_algorithm(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [{1: 2}, {None: 2}, {True: 1}, {"a": {1: 2}}, [{1.5: 0}]])
def test_names_that_are_no_strings_are_refused(value: object) -> None:
    with pytest.raises(Malformed):
        canonical_json(value)


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_the_depth_is_bounded_to_the_step(brackets: str) -> None:
    opening, closing = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    within = opening * (MAX_JSON_DEPTH - 1) + brackets + closing * (MAX_JSON_DEPTH - 1)

    parse_json(within)
    with pytest.raises(Malformed, match="deeper"):
        parse_json(opening + within + closing)
    parse_json('["' + "[" * 100 + '"]')  # strings do not count
    parse_json("[" + ",".join(["[]"] * 100) + "]")  # nor does what stands side by side

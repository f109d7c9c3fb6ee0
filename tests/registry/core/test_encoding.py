"""The strict codecs, against the published JCS files and against each leniency of the library."""

import contextlib
import json

import multiformats.multibase
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.encoding import (
    MAX_BASE58_CHARS,
    base58_decode,
    base58_encode,
    base64_decode,
    base64url_decode,
    base64url_encode,
    canonical_json,
    multibase_decode,
    parse_json,
    parse_json_object,
)
from registry.core.refusals import Malformed
from tests.vectors import vector_files, vectors_dir

JCS = vector_files("jcs/testdata/input/*.json")


def test_the_vectors_are_here():
    assert len(JCS) == 6


@pytest.mark.parametrize("path", JCS, ids=lambda path: path.stem)
def test_published_canonical_json(path):
    folder = vectors_dir() / "jcs/testdata"
    expected = bytes.fromhex((folder / "outhex" / f"{path.stem}.txt").read_text())

    canonical = canonical_json(parse_json(path.read_bytes()))

    assert canonical == expected == (folder / "output" / path.name).read_bytes()


@pytest.mark.parametrize(
    "value", [1 << 53, -(1 << 53), float("nan"), float("inf"), "\ud800", {1: 2}, b"", object()]
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(Malformed):
        canonical_json(value)


def test_a_value_that_nests_without_end_is_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(Malformed):
        canonical_json(value)


@given(st.binary(max_size=200))
def test_base64url_there_and_back(data):
    assert base64url_decode(base64url_encode(data)) == data


@pytest.mark.parametrize(
    "text", ["AA==", "A", "AB", "AAB", "A A", "AA\n", "AA+/", "ÄÄ", "AA.", " ", None, 5, b"AA"]
)
def test_base64url_that_is_not_ours_is_refused(text):
    # "AB" and "AAB" have trailing bits that are not zero: a second spelling of the same bytes.
    with pytest.raises(Malformed):
        base64url_decode(text)


@pytest.mark.parametrize("text", ["AA", "AB==", "AA-_", "A A=", "AA==\n", "AA==AA==", None, "ÄÄ=="])
def test_base64_that_is_not_ours_is_refused(text):
    with pytest.raises(Malformed):
        base64_decode(text)


def test_base64_with_padding_is_read():
    assert base64_decode("AA==") == b"\0"


@given(st.binary(max_size=80))
def test_base58_agrees_with_an_independent_implementation(data):
    encoded = "z" + base58_encode(data)

    assert multiformats.multibase.encode(data, "base58btc") == encoded
    assert multibase_decode(encoded) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 1", "1\n", "é", None, 5])
def test_base58_with_a_foreign_character_is_refused(text):
    with pytest.raises(Malformed):
        base58_decode(text)


def test_base58_is_bounded_because_it_is_quadratic():
    base58_decode("1" * MAX_BASE58_CHARS)

    with pytest.raises(Malformed):
        base58_decode("1" * (MAX_BASE58_CHARS + 1))


@pytest.mark.parametrize("text", ["", "m11", "Zabc", "fab", None, 5])
def test_other_multibase_prefixes_are_refused(text):
    with pytest.raises(Malformed):
        multibase_decode(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": 1, "\\u0061": 2}',
        '{"b": {"a": 1, "a": 1}}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 401,
        '"\\ud800"',
        '{"\\udfff": 1}',
        '["\\ud800x"]',
        "",
        " ",
        "{",
        "[1,]",
        "{'a': 1}",
        "01",
        "+1",
        "1 2",
        "// c\n1",
        '"\x00"',
        "\ufeff1",
        "nul",
    ],
)
def test_json_that_is_not_ours_is_refused(text):
    with pytest.raises(Malformed):
        parse_json(text)


@pytest.mark.parametrize("data", [b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', "\ud800"])
def test_json_that_is_not_utf_8_is_refused(data):
    with pytest.raises(Malformed):
        parse_json(data)


def test_json_is_bounded_in_length():
    parse_json("[" + " " * 98 + "]", max_bytes=100)

    with pytest.raises(Malformed):
        parse_json("[" + " " * 99 + "]", max_bytes=100)


def test_json_is_bounded_in_depth_and_brackets_in_strings_do_not_count():
    parse_json("[" * 32 + "]" * 32)
    parse_json(json.dumps("[" * 100 + '\\"' + "{" * 100))

    with pytest.raises(Malformed):
        parse_json("[" * 33 + "]" * 33)
    with pytest.raises(Malformed):
        parse_json('{"a":' * 100_000)
    with pytest.raises(Malformed):
        parse_json('["\\\\",' + "[" * 40)


def test_a_pair_of_surrogates_is_one_character():
    assert parse_json('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("text", ["[]", "1", "null", '"{}"'])
def test_an_object_is_asked_for_and_nothing_else_is_taken(text):
    parse_json(text)

    with pytest.raises(Malformed):
        parse_json_object(text)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_garbage_is_refused_and_never_escapes_as_another_error(data):
    for decode in (parse_json, base64url_decode, base64_decode, base58_decode, multibase_decode):
        with contextlib.suppress(Malformed):
            decode(data)


# A whole double from 2^53 on is written without a point and read as an integer too large to sign:
# refused, never misread. It has no round trip to test.
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_canonical_json_reads_back_as_what_was_written(value):
    written = canonical_json(value)

    assert canonical_json(parse_json(written)) == written

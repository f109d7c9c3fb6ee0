"""CBOR: what is read, what is refused before the library builds anything, and its bounds."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.core.strict_cbor import CborMalformed, parse_cbor
from registry.core.refusals import Refusal

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**64), max_value=2**64 - 1)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-9, 9) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read(value: object):
    assert parse_cbor(cbor2.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes):
    try:
        parse_cbor(data, tags={0, 1, 4, 18, 24, 30, 258})
    except Refusal:
        return


REFUSED = {
    "nothing": "",
    "two items": "0001",
    "a head that is cut off": "19",
    "text that is cut off": "6361",
    "an array that is cut off": "8201",
    "an array of indefinite length": "9f01ff",
    "a map of indefinite length": "bf6161 01ff",
    "bytes of indefinite length": "5f4101ff",
    "text of indefinite length": "7f6161ff",
    "a lonely break": "ff",
    "a reserved length": "1c",
    "a key twice": "a2 01 02 01 03",
    "a text key twice": "a2 6161 02 6161 03",
    "a key twice, deeper": "81 a2 01 02 01 03",
    "a key twice in two encodings": "a2 01 02 1801 03",
    "text that is no UTF-8": "62 c328",
    "a tag that nobody asked for": "c1 1a5f5e1000",
    "a regular expression": "d823 6128",
    "a bignum": "c2 41ff",
    "a simple value in two bytes": "f801",
    "a million values claimed": "9a000f4240",
    "2^64 pairs claimed": "bbffffffffffffffff",
    "a map as key": "a1 a0 01 00",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str):
    with pytest.raises(CborMalformed):
        parse_cbor(bytes.fromhex(REFUSED[name].replace(" ", "")))


def test_bounds_of_depth_size_and_number():
    assert parse_cbor(b"\x81" * 4 + b"\x00", max_depth=4) == [[[[0]]]]
    with pytest.raises(CborMalformed, match="deep"):
        parse_cbor(b"\x81" * 5 + b"\x00", max_depth=4)
    assert parse_cbor(b"\x83\x00\x00\x00", max_items=4) == [0, 0, 0]
    with pytest.raises(CborMalformed, match="many"):
        parse_cbor(b"\x84\x00\x00\x00\x00", max_items=4)
    with pytest.raises(CborMalformed, match="long"):
        parse_cbor(b"\x43abc", max_bytes=3)
    with pytest.raises(CborMalformed):
        parse_cbor(b"\x81" * 100_000 + b"\x00")


def test_tags_only_where_they_were_asked_for():
    assert parse_cbor(b"\xd2\x80", tags={18}).tag == 18
    with pytest.raises(CborMalformed, match="tag"):
        parse_cbor(b"\xd2\x80", tags={17})

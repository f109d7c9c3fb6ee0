"""Status lists against the examples of the Token Status List draft, and at their edges.

The bit order of the bitstring has no published list of statuses; its example of an empty list and
the two opposite orders are held by hand.
"""

import gzip
import json
import re
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.core.status_list import (
    CLOCK_SKEW_SECONDS,
    MAX_LIST_BYTES,
    BitstringEntry,
    StatusIndexOutOfRange,
    StatusListExpired,
    StatusListMalformed,
    TokenReference,
    bitstring_credential,
    decode_bitstring,
    decode_token_list,
    encode_bitstring,
    encode_token_list,
    pack_bitstring,
    pack_token_list,
    parse_bitstring_credential,
    parse_bitstring_entries,
    parse_status_token,
    parse_token_reference,
    read_bitstring,
    read_token_status,
    status_token_payload,
)
from identity.core.vcdm import check_credential
from registry.core.encoding import base64url_decode, base64url_encode
from tests.identity.core.contexts import bundled
from tests.vectors import vector_files

JSON_EXAMPLES = vector_files("token-status-list/examples/status_list_encoding*_json.md")
CBOR_EXAMPLES = vector_files("token-status-list/examples/status_list_encoding*_cbor.md")
TOKENS = vector_files("token-status-list/examples/status_list_jwt*.md")

URI = "https://issuer.example/status/1"
NOW = 1_750_000_000

# The 16 statuses of the first example, the 12 of the second (draft §4.1), and of the long lists
# every entry that is not 0 (appendix "Test vectors for Status List encoding", 2^20 entries).
SHORT_1 = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
SHORT_2 = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
LONG_2 = {
    0: 1,
    1993: 2,
    25460: 1,
    159495: 3,
    495669: 1,
    554353: 1,
    645645: 2,
    723232: 1,
    854545: 1,
    934534: 2,
    1000345: 3,
}
LONG_1 = dict.fromkeys(LONG_2, 1)
LONG_4 = {
    0: 1,
    1993: 2,
    35460: 3,
    459495: 4,
    595669: 5,
    754353: 6,
    845645: 7,
    923232: 8,
    924445: 9,
    934534: 10,
    1004534: 11,
    1000345: 12,
    1030203: 13,
    1030204: 14,
    1030205: 15,
}


def body(path: Path) -> dict:
    """The JSON of an example; lines may be folded for print."""
    text = path.read_text("utf-8")
    return json.loads(re.sub(r"\n\s*(?=[A-Za-z0-9_-]+\s*[\"\n])", "", text[text.index("{") :]))


def example(name: str) -> dict:
    return body(next(path for path in JSON_EXAMPLES if path.stem == name))


def statuses(data: bytes, bits: int) -> dict[int, int]:
    size = len(data) * 8 // bits
    found = ((index, read_token_status(data, index, bits=bits)) for index in range(size))
    return {index: value for index, value in found if value}


def test_the_vectors_are_here():
    assert (len(JSON_EXAMPLES), len(CBOR_EXAMPLES), len(TOKENS)) == (6, 6, 2)


@pytest.mark.parametrize(
    ("name", "values"),
    [("status_list_encoding_json", SHORT_1), ("status_list_encoding2_json", SHORT_2)],
)
def test_published_short_lists(name, values):
    example_list = example(name)
    data = decode_token_list(example_list["lst"])
    bits = example_list["bits"]

    assert [read_token_status(data, n, bits=bits) for n in range(len(values))] == values
    assert pack_token_list(dict(enumerate(values)), size=len(values), bits=bits) == data


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("status_list_encoding1_long_json", 1),
        ("status_list_encoding2_long_json", 2),
        ("status_list_encoding4_json", 4),
        ("status_list_encoding8_json", 8),
    ],
)
def test_published_long_lists(name, bits):
    example_list = example(name)
    data = decode_token_list(example_list["lst"])
    found = statuses(data, bits)
    expected = {1: LONG_1, 2: LONG_2, 4: LONG_4}.get(bits)

    assert example_list["bits"] == bits
    assert len(data) * 8 // bits == 1 << 20
    if expected is None:  # each of the 256 values once; 0 cannot be seen
        assert sorted(found.values()) == list(range(1, 256))
    else:
        assert found == expected
    assert pack_token_list(found, size=1 << 20, bits=bits) == data
    assert decode_token_list(encode_token_list(data)) == data


@pytest.mark.parametrize("path", CBOR_EXAMPLES, ids=lambda path: path.stem)
def test_the_cbor_examples_hold_the_same_lists(path):
    twin = body(path.with_name(path.name.replace("_cbor", "_json")))
    encoded = re.sub(r"\s", "", path.read_text("utf-8").split("encoded:")[-1])
    data = decode_token_list(twin["lst"])
    stream = bytes.fromhex(encoded)

    start = stream.index(b"\x78\xda")  # zlib at level 9, as the draft makes it
    assert zlib.decompressobj().decompress(stream[start:]) == data


def test_the_published_token():
    raw, plain = TOKENS[1], TOKENS[0]
    first, second, _ = re.sub(r"\s", "", raw.read_text("utf-8")).split(".")
    header, claims = (json.loads(base64url_decode(part)) for part in (first, second))
    shown = [json.loads(part) for part in plain.read_text("utf-8").split("\n.\n")]

    parsed = parse_status_token(claims, uri="https://example.com/statuslists/1", now=1_686_920_171)

    assert header == shown[0]
    assert {name: claims[name] for name in shown[1]} == shown[1]
    assert (parsed.bits, parsed.ttl_seconds, parsed.expires_at) == (1, 43_200, 2_291_720_170)
    assert [read_token_status(parsed.data, n, bits=1) for n in range(16)] == SHORT_1


# Bit order


def test_the_two_standards_count_bits_in_opposite_directions():
    assert pack_bitstring({0: 1}, size=16) == b"\x80\x00"
    assert pack_token_list({0: 1}, size=16, bits=1) == b"\x01\x00"
    assert pack_bitstring({15: 1}, size=16) == b"\x00\x01"
    assert pack_token_list({15: 1}, size=16, bits=1) == b"\x00\x80"
    assert pack_token_list({1: 2}, size=4, bits=2) == b"\x08"


def test_bitstring_entries_may_have_several_bits():
    data = bytes([0b10110011, 0b01000000])

    assert [read_bitstring(data, n, bits=2) for n in range(8)] == [2, 3, 0, 3, 1, 0, 0, 0]
    assert [read_bitstring(data, n, bits=3) for n in range(5)] == [5, 4, 6, 4, 0]
    assert [read_bitstring(data, n, bits=8) for n in range(2)] == [0b10110011, 0b01000000]


@given(st.dictionaries(st.integers(0, 1023), st.integers(0, 1)))
def test_bitstrings_there_and_back(values):
    data = pack_bitstring(values, size=1024)

    assert [read_bitstring(data, n) for n in range(1024)] == [values.get(n, 0) for n in range(1024)]


@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_token_lists_there_and_back(bits, draw):
    values = draw.draw(st.dictionaries(st.integers(0, 63), st.integers(0, 2**bits - 1)))
    data = pack_token_list(values, size=64, bits=bits)

    assert statuses(data, bits) == {index: value for index, value in values.items() if value}


@pytest.mark.parametrize("index", [-1, 16, 1 << 40])
def test_an_index_beyond_the_list_is_an_error_and_not_valid(index):
    data = bytes(2)

    with pytest.raises(StatusIndexOutOfRange):
        read_bitstring(data, index)
    with pytest.raises(StatusIndexOutOfRange):
        read_token_status(data, index, bits=1)
    with pytest.raises(StatusIndexOutOfRange):
        pack_bitstring({index: 1}, size=16)
    with pytest.raises(StatusIndexOutOfRange):
        pack_token_list({index: 1}, size=16, bits=1)


def test_the_last_index_of_wider_entries():
    assert read_token_status(bytes(2), 7, bits=2) == 0
    for bits, index in ((2, 8), (4, 4), (8, 2)):
        with pytest.raises(StatusIndexOutOfRange):
            read_token_status(bytes(2), index, bits=bits)
        with pytest.raises(StatusIndexOutOfRange):
            read_bitstring(bytes(2), index, bits=bits)


@pytest.mark.parametrize("bits", [0, 3, 5, 16, -1])
def test_token_entries_have_1_2_4_or_8_bits(bits):
    with pytest.raises(StatusListMalformed):
        read_token_status(bytes(2), 0, bits=bits)
    with pytest.raises(StatusListMalformed):
        pack_token_list({}, size=8, bits=bits)


@pytest.mark.parametrize(("size", "value"), [(0, 0), (-8, 0), (7, 0), (8, 2), (8, -1)])
def test_lists_that_cannot_be_packed(size, value):
    with pytest.raises(StatusListMalformed):
        pack_bitstring({0: value} if size == 8 else {}, size=size)


# Compression


def test_the_published_empty_bitstring():
    # Bitstring Status List 1.0, example 2: 131,072 entries, none of them set.
    text = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"

    assert decode_bitstring(text) == bytes(16_384)


def test_encoding_is_reproducible_and_without_a_time():
    data = bytes(16_384)

    assert encode_bitstring(data) == encode_bitstring(data)
    assert base64url_decode(encode_bitstring(data)[1:])[4:8] == bytes(4)
    assert decode_bitstring(encode_bitstring(data)) == data


def packed(data: bytes) -> str:
    return "u" + base64url_encode(gzip.compress(data, mtime=0))


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "u",
        "z" + packed(bytes(16_384))[1:],
        packed(bytes(16_384))[1:],
        packed(bytes(16_384)) + "=",
        packed(bytes(16_383)),
        packed(b""),
        packed(bytes(MAX_LIST_BYTES + 1)),
        packed(bytes(100 * MAX_LIST_BYTES)),
        "u" + base64url_encode(zlib.compress(bytes(16_384))),
        "u" + base64url_encode(gzip.compress(bytes(16_384), mtime=0)[:-1]),
        "u" + base64url_encode(gzip.compress(bytes(16_384), mtime=0) + b"\0"),
        "u" + base64url_encode(gzip.compress(bytes(16_384), mtime=0) * 2),
        "u" + base64url_encode(bytes(16_384)),
        "u" + "A" * (2 * MAX_LIST_BYTES + 1),
    ],
)
def test_encoded_bitstrings_that_are_refused(text):
    with pytest.raises(StatusListMalformed):
        decode_bitstring(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        base64url_encode(gzip.compress(bytes(16), mtime=0)),
        base64url_encode(zlib.compress(bytes(16))[:-1]),
        base64url_encode(zlib.compress(bytes(16)) + b"\0"),
        base64url_encode(zlib.compress(bytes(MAX_LIST_BYTES + 1))),
        base64url_encode(zlib.compress(bytes(200 * MAX_LIST_BYTES))),
        "u" + base64url_encode(zlib.compress(bytes(16))),
    ],
)
def test_encoded_token_lists_that_are_refused(text):
    with pytest.raises(StatusListMalformed):
        decode_token_list(text)


def test_the_largest_list_is_read():
    data = bytes(MAX_LIST_BYTES)

    assert decode_token_list(encode_token_list(data)) == data
    assert decode_bitstring(encode_bitstring(data)) == data


# The credential and the token around a list


def list_credential(**changes) -> dict:
    document = bitstring_credential(
        uri=URI,
        issuer="did:example:issuer",
        purpose="revocation",
        data=pack_bitstring({5: 1}, size=131_072),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2026, 1, 2, tzinfo=UTC),
    )
    subject = changes.pop("subject", {})
    document.update(changes)
    if isinstance(document["credentialSubject"], dict):
        document["credentialSubject"].update(subject)
    return document


def test_the_credential_is_one_and_holds_the_list():
    document = list_credential()

    check_credential(document, contexts=bundled())
    data = parse_bitstring_credential(document, uri=URI, purpose="revocation")

    assert [index for index in range(131_072) if read_bitstring(data, index)] == [5]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": URI + "/other"},
        {"id": None},
        {"type": ["VerifiableCredential"]},
        {"type": 5},
        {"credentialSubject": None},
        {"credentialSubject": []},
        {"subject": {"type": "StatusList2021"}},
        {"subject": {"statusPurpose": "suspension"}},
        {"subject": {"statusPurpose": None}},
        {"subject": {"encodedList": None}},
        {"subject": {"encodedList": packed(bytes(1))}},
    ],
)
def test_list_credentials_that_are_refused(changes):
    with pytest.raises(StatusListMalformed):
        parse_bitstring_credential(list_credential(**changes), uri=URI, purpose="revocation")


ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "94567",
    "statusListCredential": URI,
}


def test_entries_of_a_credential():
    other = {"type": "AnotherStatus"}

    assert parse_bitstring_entries({"credentialStatus": [ENTRY, other]}) == (
        BitstringEntry(purpose="revocation", index=94_567, uri=URI, bits=1),
    )
    assert parse_bitstring_entries({"credentialStatus": ENTRY})[0].index == 94_567
    assert parse_bitstring_entries({}) == ()
    messages = [{"status": hex(n), "message": "m"} for n in range(4)]
    wide = {**ENTRY, "statusPurpose": "message", "statusSize": 2, "statusMessage": messages}
    assert parse_bitstring_entries({"credentialStatus": wide})[0].bits == 2
    explained = {**ENTRY, "id": f"{URI}#1", "statusReference": ["https://status.example/why"]}
    assert parse_bitstring_entries({"credentialStatus": explained})[0].uri == URI


@pytest.mark.parametrize(
    "change",
    [
        {"statusPurpose": None},
        {"statusPurpose": ""},
        {"statusPurpose": ["revocation"]},
        {"statusPurpose": "message"},
        {"statusListIndex": 94_567},
        {"statusListIndex": None},
        {"statusListIndex": "-1"},
        {"statusListIndex": "1.0"},
        {"statusListIndex": "007"},
        {"statusListIndex": "0x7"},
        {"statusListIndex": ""},
        {"statusListIndex": "1" * 40},
        {"statusListIndex": "\u0661"},
        {"statusListCredential": None},
        {"statusListCredential": "relative"},
        {"statusListCredential": [URI]},
        {"statusSize": 0},
        {"statusSize": "1"},
        {"statusSize": True},
        {"statusSize": 9},
        {"statusSize": 2},
        {"statusSize": 2, "statusMessage": [{}] * 3},
        {"statusMessage": "x"},
        {"statusMessage": [{"status": "0x0", "message": "no"}, {}]},
        {"statusMessage": [{"status": "0x0", "message": "no"}, "0x1"]},
        {"statusMessage": [{"status": 0, "message": "no"}, {"status": 1, "message": "yes"}]},
        {"statusMessage": [{"status": "0", "message": "no"}, {"status": "1", "message": "yes"}]},
        {"statusMessage": [{"status": "0x0", "message": "no"}, {"status": "0x1"}]},
        {"id": URI},
        {"statusReference": "relative"},
        {"statusReference": ["https://status.example/why", 7]},
    ],
)
def test_entries_that_are_refused(change):
    with pytest.raises(StatusListMalformed):
        parse_bitstring_entries({"credentialStatus": {**ENTRY, **change}})


def token_claims(**changes) -> dict:
    claims = status_token_payload(
        uri=URI,
        data=pack_token_list({3: 2}, size=16, bits=2),
        bits=2,
        issued_at=NOW,
        expires_at=NOW + 600,
        ttl_seconds=60,
    )
    inner = changes.pop("status_list", {})
    claims.update(changes)
    if isinstance(inner, dict):
        claims["status_list"] = {**claims["status_list"], **inner}
    else:
        claims["status_list"] = inner
    return {name: value for name, value in claims.items() if value is not ...}


def test_the_token_holds_the_list():
    parsed = parse_status_token(token_claims(), uri=URI, now=NOW)

    assert statuses(parsed.data, parsed.bits) == {3: 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "https://issuer.example/status/2"},
        {"sub": ...},
        {"sub": [URI]},
        {"iat": ...},
        {"iat": "x"},
        {"iat": True},
        {"exp": "x"},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": "60"},
        {"status_list": None},
        {"status_list": {"bits": 3}},
        {"status_list": {"bits": True}},
        {"status_list": {"bits": "2"}},
        {"status_list": {"lst": None}},
        {"status_list": {"lst": "AAAA"}},
    ],
)
def test_tokens_that_are_refused(changes):
    with pytest.raises(StatusListMalformed):
        parse_status_token(token_claims(**changes), uri=URI, now=NOW)


@pytest.mark.parametrize("now", [NOW + 600, NOW + 10_000, NOW - CLOCK_SKEW_SECONDS - 1])
def test_tokens_have_their_time(now):
    parse_status_token(token_claims(), uri=URI, now=NOW + 599)
    parse_status_token(token_claims(), uri=URI, now=NOW - CLOCK_SKEW_SECONDS)

    with pytest.raises(StatusListExpired):
        parse_status_token(token_claims(), uri=URI, now=now)


def test_the_reference_in_a_credential():
    reference = {"status_list": {"idx": 0, "uri": URI}}

    assert parse_token_reference({"status": reference}) == TokenReference(uri=URI, index=0)
    assert parse_token_reference({}) is None


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        "x",
        {"another_mechanism": {}},
        {"status_list": None},
        {"status_list": {"idx": 0}},
        {"status_list": {"uri": URI}},
        {"status_list": {"idx": -1, "uri": URI}},
        {"status_list": {"idx": "0", "uri": URI}},
        {"status_list": {"idx": True, "uri": URI}},
        {"status_list": {"idx": 0, "uri": "relative"}},
        {"status_list": {"idx": 0, "uri": 5}},
    ],
)
def test_a_status_that_we_cannot_read_is_not_no_status(status):
    with pytest.raises(StatusListMalformed):
        parse_token_reference({"status": status})

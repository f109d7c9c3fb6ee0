"""Members of signed objects: what is let in, and the bound on each."""

from typing import Any

import pytest

from registry.core.fields import MAX_INTEGER, integer, items, members, octets, text, url
from registry.core.identifiers import did_of, network_of, read_did, read_type
from registry.core.refusals import Malformed


@pytest.mark.parametrize(
    "value",
    [
        "https://agency.example",
        "https://agency.example:8443/issuers/a?x=1&y=%20",
        "https://xn--fiqs8s.example/",
        "http://127.0.0.1:8000/issuers/a",
        "http://localhost/x",
        "http://[::1]:8000",
        "https://a",
    ],
)
def test_urls_that_are_let_in(value: str) -> None:
    assert url(value, "URL") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "http://agency.example",
        "http://127.0.0.1.agency.example/",
        "http://localhost.agency.example/",
        "https://",
        "https://-a.example",
        "https://AGENCY.example",
        "https://user@agency.example",
        "https://agency.example#x",
        "https://agency.example/a b",
        "https://agency.example/\n",
        "https://agency.example\n",
        "https://agency.example/\\",
        "https://agency.example:123456/",
        "https://中国.example",
        "ftp://agency.example",
        "javascript:alert(1)",
        " https://agency.example",
        "https://agency.example/" + "x" * 500,
        None,
        b"https://agency.example",
    ],
)
def test_urls_that_are_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        url(value, "URL")


@pytest.mark.parametrize("value", ["Ministry", "最高法院", "Zürich & Söhne, 2nd floor", "👩"])
def test_text_that_is_let_in(value: str) -> None:
    assert text(value, "name", high=100) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        " a",
        "a ",
        "a\u3000",
        "a\tb",
        "a\nb",
        "a\x7f",
        "a\u202eb",
        "a\u200bb",
        "\ufeffa",
        "a\u00adb",
        "a\ufe0f",
        "a\U000e0041",
        "a\u2028b",
        "x" * 101,
        None,
        1,
        ["a"],
    ],
)
def test_text_that_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        text(value, "name", high=100)


@pytest.mark.parametrize("value", [0, 1, MAX_INTEGER])
def test_integers_that_are_let_in(value: int) -> None:
    assert integer(value, "number") == value


@pytest.mark.parametrize("value", [-1, MAX_INTEGER + 1, True, False, 1.0, "1", None])
def test_integers_that_are_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        integer(value, "number")


@pytest.mark.parametrize("value", ["AAA", "AAAAAA", "AAA=", "AA A", "AAAB"[:3] + "/", None, 1])
def test_octets_of_another_length_or_alphabet_are_refused(value: Any) -> None:
    assert octets("AAAA", "bytes", size=3) == bytes(3)
    with pytest.raises(Malformed):
        octets(value, "bytes", size=3)


def test_members_are_exactly_the_named_ones() -> None:
    assert members({"a": 1, "b": 2}, "it", required=("a",), optional=("b",)) == {"a": 1, "b": 2}
    for value in ({}, {"b": 1}, {"a": 1, "c": 1}, [], None, "a"):
        with pytest.raises(Malformed):
            members(value, "it", required=("a",), optional=("b",))


def test_items_are_counted_and_different() -> None:
    read: dict[str, Any] = {"low": 1, "high": 2, "read": str, "unique": lambda item: item}
    assert items([1, 2], "list", **read) == ("1", "2")
    for value in ([], [1, 2, 3], [1, 1], (1,), "1", {"a": 1}, None):
        with pytest.raises(Malformed):
            items(value, "list", **read)


def test_dids_go_there_and_back() -> None:
    for digest in (bytes(20), b"\xff" * 20, bytes(19) + b"\1"):
        did = did_of("cairn-test", digest)
        assert read_did(did, "DID") == did
        assert network_of(did) == "cairn-test"


@pytest.mark.parametrize(
    "value",
    [
        "did:cairn:cairn-test",
        "did:cairn:cairn-test:",
        "did:cairn:Cairn:" + "1" * 20,
        "did:cairn:x:" + "1" * 19,
        "did:cairn:x:" + "1" * 21,
        "did:cairn:x:" + "z" * 28,
        "did:cairn:x:" + "1" * 19 + "0",
        "did:cairn:x:" + "1" * 20 + "\n",
        "did:cairn:x:" + "1" * 20 + "#a",
        "DID:cairn:x:" + "1" * 20,
        "did:cairn:" + "x" * 33 + ":" + "1" * 20,
        None,
    ],
)
def test_what_is_no_did_of_ours_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        read_did(value, "DID")


@pytest.mark.parametrize(
    "value", ["", "a_b", "A", "a--b", "-a", "a-", "1a", "a" * 65, "a\n", None, "学位"]
)
def test_what_names_no_type_is_refused(value: Any) -> None:
    assert read_type("resident-identity", "type") == "resident-identity"
    with pytest.raises(Malformed):
        read_type(value, "type")

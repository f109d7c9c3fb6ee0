"""Strict codecs: one byte string for one value, in both directions.

The standard library is lenient where a signature must not be: `json` keeps the last of two equal
keys and reads NaN, `base64` skips foreign characters and ignores trailing bits. Everything that is
signed, or that decides something, passes through here instead.
"""

import base64
import binascii
import json
import re
from typing import Any, NoReturn

import rfc8785

from registry.core.refusals import Malformed

JsonObject = dict[str, Any]

MAX_JSON_BYTES = 1 << 20  # 1 MiB; the largest document we read is a status list credential
MAX_JSON_DEPTH = 32  # nested arrays and objects; credentials in the field stay below 12
MAX_BASE58_CHARS = 512  # base58 is quadratic; the longest key or proof value we read has 140

_MAX_SAFE_INTEGER = 2**53 - 1  # RFC 8785 §3.2.2.3, I-JSON
# Writes what `_is_plain` lets through as RFC 8785 does, ten times as fast as code in Python.
_PLAIN = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE = {char: value for value, char in enumerate(_BASE58)}
_BASE58_PAIRS = [high + low for high in _BASE58 for low in _BASE58]


def base64url_encode(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 §5, RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """Decode base64url without padding; exactly one text decodes to each byte string.

    Raises:
        Malformed: not a string, a foreign character, padding, an impossible length, or non-zero
            trailing bits (RFC 4648 §3.5).
    """
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed("not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url_encode(data) != text:
        raise Malformed("base64url text has non-zero trailing bits")
    return data


def base64_decode(text: str) -> bytes:
    """Decode standard, padded base64 (RFC 4648 §4), strictly.

    Raises:
        Malformed: anything that `base64.b64encode` would not have written.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Malformed("not base64") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise Malformed("base64 text has non-zero trailing bits")
    return data


def base58_encode(data: bytes) -> str:
    """Encode with the Bitcoin alphabet; leading zero bytes become leading `1`."""
    value = int.from_bytes(data, "big")
    pairs = []  # two digits at a time: half of the divisions
    while value:
        value, rest = divmod(value, 58 * 58)
        pairs.append(_BASE58_PAIRS[rest])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(pairs)).lstrip("1")


def base58_decode(text: str) -> bytes:
    """Decode the Bitcoin alphabet.

    Raises:
        Malformed: not a string, longer than `MAX_BASE58_CHARS`, or a foreign character.
    """
    if not isinstance(text, str) or len(text) > MAX_BASE58_CHARS:
        raise Malformed("not base58, or too long")
    value = 0
    for char in text:
        if char not in _BASE58_VALUE:
            raise Malformed("not base58: foreign character")
        value = value * 58 + _BASE58_VALUE[char]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + value.to_bytes((value.bit_length() + 7) // 8, "big")


def multibase_decode(text: str) -> bytes:
    """Decode a multibase value with prefix `z` (base58-btc) or `u` (base64url, no padding).

    Raises:
        Malformed: empty, another prefix, or a body its alphabet does not allow.
    """
    if not isinstance(text, str) or not text:
        raise Malformed("multibase value is empty or no string")
    if text[0] == "z":
        return base58_decode(text[1:])
    if text[0] == "u":
        return base64url_decode(text[1:])
    raise Malformed("multibase prefix is neither z nor u")


def canonical_json(value: Any) -> bytes:
    """Serialise by the JSON Canonicalization Scheme (RFC 8785).

    Raises:
        Malformed: a number beyond 2^53, NaN, a lone surrogate, or no JSON at all.
    """
    try:
        if _is_plain(value):
            return _PLAIN.encode(value).encode("utf-8")
        return bytes(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, TypeError) as error:
        raise Malformed("cannot be written as canonical JSON") from error


def parse_json(
    data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_JSON_DEPTH
) -> Any:
    """Read one JSON text (RFC 8259, I-JSON names) and nothing else.

    Args:
        data: UTF-8 bytes or text.
        max_bytes: longest text read, in bytes of UTF-8.
        max_depth: deepest nesting of arrays and objects.

    Raises:
        Malformed: too long, too deep, no UTF-8, no JSON, a repeated member name, NaN, an infinity,
            an integer of more than 400 digits, or a lone surrogate.
    """
    if isinstance(data, str):
        try:
            data = data.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Malformed("text has a lone surrogate") from error
    if len(data) > max_bytes:
        raise Malformed(f"JSON text is longer than {max_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("JSON text is not UTF-8") from error
    _check_depth(text, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_members,
            parse_constant=_no_constant,
            parse_int=_bounded_int,
            parse_float=_finite_float,
        )
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    if "\\u" in text:  # only an escape can smuggle a lone surrogate past UTF-8
        _check_surrogates(value)
    return value


def parse_json_object(
    data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_JSON_DEPTH
) -> JsonObject:
    """`parse_json`, and the value is an object.

    Raises:
        Malformed: as `parse_json`, or the value is no object.
    """
    value = parse_json(data, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise Malformed("JSON text is not an object")
    return value


def _is_plain(value: Any) -> bool:
    """Whether the standard library writes `value` just as RFC 8785 does.

    That is so without floats, with integers that I-JSON allows, and with names whose order is the
    same by code point and by UTF-16 unit. Types must be exact: a subclass may write itself anew.
    """
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            if type(name) is not str or not name.isascii():
                return False
            if type(item) is not str and not _is_plain(item):
                return False
        return True
    if kind is list or kind is tuple:
        return all(type(item) is str or _is_plain(item) for item in value)
    if kind is int:
        return bool(-_MAX_SAFE_INTEGER <= value <= _MAX_SAFE_INTEGER)
    return kind is str or kind is bool or value is None


def _check_depth(text: str, max_depth: int) -> None:
    """Bound the nesting before the recursive parser sees the text; strings do not count."""
    if text.count("[") + text.count("{") <= max_depth:
        return  # not even all of them, one in the other, would be too deep
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        char = token.group()[0]
        if char in "[{":
            depth += 1
            if depth > max_depth:
                raise Malformed(f"JSON text nests deeper than {max_depth}")
        elif char in "]}":
            depth -= 1


def _unique_members(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("JSON object names a member twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise Malformed("JSON has no NaN and no infinity")


def _bounded_int(digits: str) -> int:
    if len(digits) > 400:
        raise Malformed("JSON integer has more than 400 digits")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Malformed("JSON number does not fit a double")
    return value


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise Malformed("JSON string has a lone surrogate")
    elif isinstance(value, list):
        for item in value:
            _check_surrogates(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_surrogates(name)
            _check_surrogates(item)

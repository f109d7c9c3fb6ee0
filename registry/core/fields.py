"""Members of signed objects, read strictly: the exact names, the exact types, and a bound on each.

A rule of the ledger must give one answer on every machine. So nothing here asks Python's Unicode
tables, which change between its versions; every range is written out.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from registry.core.encoding import JsonObject, base64url_decode
from registry.core.refusals import Malformed

T = TypeVar("T")

MAX_INTEGER = 2**53 - 1  # the largest integer that canonical JSON carries (RFC 8785 §3.2.2.3)
MAX_URL_CHARS = 512

# Control characters, line separators, and marks that change the direction of text: a name that is
# shown to a citizen must read as it was written.
_UNSAFE_TEXT = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U0010ffff]"
)
_URL = re.compile(
    r"(?:https://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
    r"|http://(?:127\.0\.0\.1|localhost|\[::1\]))"  # in the clear only to the machine itself
    r"(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)


def members(
    value: object, where: str, *, required: Sequence[str], optional: Sequence[str] = ()
) -> JsonObject:
    """The value is an object with every required member and no unknown one.

    Args:
        where: what is read, in the caller's words; it goes into the refusal.

    Raises:
        Malformed: no object, a missing member, or an unknown one.
    """
    if not isinstance(value, dict):
        raise Malformed(f"{where} is not an object")
    for name in required:
        if name not in value:
            raise Malformed(f"{where} lacks the member {name}")
    if len(value) > len(required) and not value.keys() <= {*required, *optional}:
        raise Malformed(f"{where} has an unknown member")
    return value


def items(
    value: object,
    where: str,
    *,
    low: int,
    high: int,
    read: Callable[[Any], T],
    unique: Callable[[T], Hashable] | None = None,
) -> tuple[T, ...]:
    """The value is an array of `low` to `high` items that `read` accepts.

    Args:
        unique: what no two items may have in common; nothing when omitted.

    Raises:
        Malformed: no array, too short or too long, a repeated item, or as `read`.
    """
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise Malformed(f"{where} is not an array of {low} to {high} items")
    result = tuple(read(item) for item in value)
    if unique is not None and len({unique(item) for item in result}) != len(result):
        raise Malformed(f"{where} names something twice")
    return result


def integer(value: object, where: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """The value is an integer from `low` to `high`; `true` is none.

    Raises:
        Malformed: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise Malformed(f"{where} is not an integer from {low} to {high}")
    return value


def integer_or_null(value: object, where: str, *, low: int = 0) -> int | None:
    """As `integer`, or `null`."""
    return None if value is None else integer(value, where, low=low)


def boolean(value: object, where: str) -> bool:
    """The value is `true` or `false`.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, bool):
        raise Malformed(f"{where} is neither true nor false")
    return value


def token(value: object, where: str, pattern: re.Pattern[str]) -> str:
    """The value is a string that the whole pattern matches; the pattern bounds its length.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"{where} is not a string of the form it must have")
    return value


def choice(value: object, where: str, allowed: Sequence[str]) -> str:
    """The value is one of the allowed strings.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, str) or value not in allowed:
        raise Malformed(f"{where} is none of {', '.join(allowed)}")
    return value


def text(value: object, where: str, *, high: int) -> str:
    """The value is a string of 1 to `high` characters for people to read, on one line.

    Raises:
        Malformed: it is not, it has white space at an end, or characters that hide or reorder
            others.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= high:
        raise Malformed(f"{where} is not a string of 1 to {high} characters")
    if _UNSAFE_TEXT.search(value) or value.strip(" \u00a0\u3000") != value:
        raise Malformed(f"{where} has characters that people cannot see")
    return value


def url(value: object, where: str, *, high: int = MAX_URL_CHARS) -> str:
    """The value is an `https` URL in lower-case form, or `http` to the loopback address.

    No user, no fragment; the host in lower case (Punycode for other scripts).

    Raises:
        Malformed: it is not, or is longer than `high` characters.
    """
    if not isinstance(value, str) or len(value) > high or not _URL.fullmatch(value):
        raise Malformed(f"{where} is not an https URL of at most {high} characters")
    return value


def octets(value: object, where: str, *, size: int) -> bytes:
    """The value is base64url, without padding, of exactly `size` bytes.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, str) or len(value) != (size * 8 + 5) // 6:
        raise Malformed(f"{where} is not base64url of {size} bytes")
    return base64url_decode(value)

"""What every proof has in common: hashes of 32 bytes, how JSON carries them, and the "no"."""

from collections.abc import Sequence
from typing import Any

from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.refusals import Malformed, NotPermitted

HASH_BYTES = 32  # SHA-256

MAX_NUMBER = (1 << 53) - 1  # sizes, heights and times; the largest integer every JSON reader keeps


class NotProven(NotPermitted):
    """The proof does not show what it was asked to show; the claim may be true or false."""


def are_hashes(*values: bytes) -> bool:
    """Whether each value is a byte string as long as a hash."""
    return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in values)


def parse_hash(text: Any) -> bytes:
    """Read one hash from its JSON form, base64url without padding.

    Raises:
        Malformed: not a string, not base64url, or not 32 bytes.
    """
    data = base64url_decode(text)
    if len(data) != HASH_BYTES:
        raise Malformed(f"a hash has {HASH_BYTES} bytes, not {len(data)}")
    return data


def parse_hashes(value: Any, *, most: int) -> tuple[bytes, ...]:
    """Read a list of at most `most` hashes from its JSON form.

    Raises:
        Malformed: no list, too long, or an element is no hash.
    """
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"a path is a list of at most {most} hashes")
    return tuple(parse_hash(item) for item in value)


def hashes_json(hashes: Sequence[bytes]) -> list[str]:
    """The JSON form of a list of hashes."""
    return [base64url_encode(item) for item in hashes]


def parse_number(value: Any, *, least: int = 0, most: int = MAX_NUMBER) -> int:
    """Read an integer between `least` and `most` from its JSON form; `true` and `1.0` are none.

    Raises:
        Malformed: not an integer, or out of range.
    """
    if type(value) is not int or not least <= value <= most:
        raise Malformed(f"not an integer from {least} to {most}")
    return value

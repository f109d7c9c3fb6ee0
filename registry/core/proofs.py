"""What every proof has in common: hashes of 32 bytes, how JSON carries a path, and the "no"."""

from collections.abc import Sequence

from registry.core.encoding import base64url_encode
from registry.core.fields import items, octets
from registry.core.refusals import NotPermitted

HASH_BYTES = 32  # SHA-256


class NotProven(NotPermitted):
    """The proof does not show what it was asked to show; the claim may be true or false."""


def are_hashes(*values: bytes) -> bool:
    """Whether each value is a byte string as long as a hash."""
    return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in values)


def parse_path(value: object, *, most: int) -> tuple[bytes, ...]:
    """Read a path of at most `most` hashes from its JSON form.

    Raises:
        Malformed: no array, too long, or an item that is not base64url of 32 bytes.
    """
    return items(
        value, "path", low=0, high=most, read=lambda item: octets(item, "hash", size=HASH_BYTES)
    )


def path_json(path: Sequence[bytes]) -> list[str]:
    """The JSON form of a path; `parse_path` reads it."""
    return [base64url_encode(item) for item in path]

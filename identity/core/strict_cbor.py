"""CBOR (RFC 8949) as far as signatures need it: one item, bounded, without ambiguity.

`scan` walks the bytes before the library builds anything, so a short message that claims a million
entries, nests a thousand deep or hides a tag with a constructor of its own never gets that far.
"""

from collections.abc import Collection
from typing import Any

import cbor2

from registry.core.refusals import Malformed

MAX_CBOR_BYTES = 1 << 20  # as the largest JSON text that we read
MAX_CBOR_DEPTH = 16
MAX_CBOR_ITEMS = 20_000  # values of one message, keys of maps included

_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_INDEFINITE = 31
_TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 3, 4, 5, 6, 7


class CborMalformed(Malformed):
    """The bytes are no single CBOR item of the kind that is read here."""


def parse_cbor(
    data: bytes,
    *,
    max_bytes: int = MAX_CBOR_BYTES,
    max_depth: int = MAX_CBOR_DEPTH,
    max_items: int = MAX_CBOR_ITEMS,
    tags: Collection[int] = (),
) -> Any:
    """Read one CBOR item and nothing else.

    Args:
        data: the encoded item.
        max_bytes: longest message read.
        max_depth: deepest nesting of arrays, maps and tags.
        max_items: how many values it may hold.
        tags: tags that may occur; none by default.

    Returns:
        What `cbor2` makes of it. Tags that it has no meaning for come as `CBORTag`.

    Raises:
        CborMalformed: too long, too deep, too many values, cut off, something after the end, an
            indefinite length, a key twice, another tag, or text that is no UTF-8.
    """
    if not isinstance(data, bytes) or len(data) > max_bytes:
        raise CborMalformed("CBOR is no bytes, or too long")
    _scan(data, max_depth=max_depth, max_items=max_items, tags=frozenset(tags))
    try:
        return cbor2.loads(
            data, max_depth=max_depth + 1, allow_indefinite=False, allow_duplicate_keys=False
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CborMalformed("not CBOR, or a map names a key twice") from error


def _scan(data: bytes, *, max_depth: int, max_items: int, tags: frozenset[int]) -> None:
    """Walk the heads (RFC 8949 §3); `open_items` counts what is still to come on each level."""
    place, items = 0, 0
    open_items = [1]
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        items += 1
        if items > max_items:
            raise CborMalformed("CBOR holds too many values")
        major, argument, place = _head(data, place)
        if major in (2, _TEXT):
            place += argument
        elif major in (_ARRAY, _MAP, _TAG):
            if major == _TAG and argument not in tags:
                raise CborMalformed("CBOR has a tag that is not read here")
            if len(open_items) > max_depth:
                raise CborMalformed("CBOR nests too deep")
            open_items.append(1 if major == _TAG else argument * (2 if major == _MAP else 1))
        if place > len(data):
            raise CborMalformed("CBOR is cut off")
    if place != len(data):
        raise CborMalformed("CBOR has something after its end")


def _head(data: bytes, place: int) -> tuple[int, int, int]:
    """Major type, argument, and the place behind the head."""
    if place >= len(data):
        raise CborMalformed("CBOR is cut off")
    major, info = data[place] >> 5, data[place] & 31
    place += 1
    if info < 24:
        return major, info, place
    width = _WIDTHS.get(info)
    if width is None:
        what = "an indefinite length" if info == _INDEFINITE else "a reserved length"
        raise CborMalformed(f"CBOR has {what}")
    argument = data[place : place + width]
    if len(argument) != width:
        raise CborMalformed("CBOR is cut off")
    if major == _SIMPLE and info == 24 and argument[0] < 32:  # §3.3: not well-formed
        raise CborMalformed("CBOR has a simple value in two bytes that fits one")
    return major, int.from_bytes(argument, "big"), place + width

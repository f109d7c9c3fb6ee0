"""Packing statuses into bytes, and bytes into text, within bounds; shared by both kinds of list."""

import zlib
from collections.abc import Mapping
from typing import Any

from registry.core.encoding import base64url_decode
from registry.core.refusals import Malformed, NotPermitted

MAX_LIST_BYTES = 1 << 20  # unpacked; 64 times the smallest bitstring allowed
CLOCK_SKEW_SECONDS = 60  # how far ahead of ours an issuer's clock may be
GZIP, ZLIB = 31, 15  # `wbits` of zlib


class StatusListMalformed(Malformed):
    """The list, the token or the credential around it, or a reference to it, is not well-formed."""


class StatusIndexOutOfRange(StatusListMalformed):
    """The list has no entry of that index."""


class StatusListTooShort(StatusListMalformed):
    """The list is too short to hide in (Bitstring Status List 1.0 §3.5)."""


class StatusListExpired(NotPermitted):
    """The list is too old, or not valid yet."""


def pack(values: Mapping[int, int], *, size: int, bits: int, most_significant_first: bool) -> bytes:
    if size <= 0 or size * bits % 8 or size * bits // 8 > MAX_LIST_BYTES:
        raise StatusListMalformed("list does not fill whole bytes, or is too large")
    data = bytearray(size * bits // 8)
    for index, value in values.items():
        if not 0 <= index < size:
            raise StatusIndexOutOfRange("status list has no entry of that index")
        if not 0 <= value < 1 << bits:
            raise StatusListMalformed("status does not fit its bits")
        byte, place = divmod(index * bits, 8)
        data[byte] |= value << (8 - bits - place if most_significant_first else place)
    return bytes(data)


def compress(data: bytes, wbits: int) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, wbits)  # no file name, no time: reproducible
    return compressor.compress(data) + compressor.flush()


def decompress(text: object, wbits: int) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * MAX_LIST_BYTES:
        raise StatusListMalformed("status list is no text, or too long")
    try:
        packed = base64url_decode(text)
        decompressor = zlib.decompressobj(wbits)
        data = decompressor.decompress(packed, MAX_LIST_BYTES + 1)
    except (Malformed, zlib.error) as error:
        raise StatusListMalformed("status list is not compressed as it should be") from error
    if len(data) > MAX_LIST_BYTES:
        raise StatusListMalformed(f"status list is longer than {MAX_LIST_BYTES} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise StatusListMalformed("status list is cut off, or has something after its end")
    return data


def strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [entry for entry in values if isinstance(entry, str)]

"""The part of protobuf that light blocks use: varints, 64-bit words, and fields with a length.

Reading is strict in a way of its own: `read_fields` takes a message apart and bounds it, and its
callers write again what they have read and compare. So each value has one encoding, and a message
from outside cannot carry a byte that nothing checks.
"""

from collections.abc import Mapping
from enum import IntEnum
from functools import cache

from registry.core.fields import MAX_INTEGER
from registry.core.refusals import Malformed

MAX_VARINT_BYTES = 10  # 64 bits in groups of seven


class Wire(IntEnum):
    """Wire types (https://protobuf.dev/programming-guides/encoding/)."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2


_SMALL = [bytes([value]) for value in range(0x80)]
_VARINT = int(Wire.VARINT)


def varint(value: int) -> bytes:
    """A number from 0 to 2^64 - 1 as a base-128 varint."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


@cache  # as many as the messages of the chain have fields
def _tag(number: int, wire: Wire) -> bytes:
    return varint(number << 3 | wire)


def varint_field(number: int, value: int) -> bytes:
    """A scalar field; nothing for zero, which proto3 leaves out."""
    return _tag(number, Wire.VARINT) + varint(value) if value else b""


def fixed64_field(number: int, value: int) -> bytes:
    """An `sfixed64` field of a number from 0 to 2^63 - 1; nothing for zero."""
    return _tag(number, Wire.FIXED64) + value.to_bytes(8, "little") if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of bytes or text; nothing when it is empty."""
    return message_field(number, value) if value else b""


def message_field(number: int, value: bytes) -> bytes:
    """A field that holds a message; it is written even when the message is empty."""
    return _tag(number, Wire.BYTES) + varint(len(value)) + value


class Fields:
    """The fields of one message: bounded, and of known numbers only."""

    def __init__(self, data: bytes, known: Mapping[int, Wire], *, most: int) -> None:
        """Take a message apart.

        Args:
            data: the message.
            known: the field numbers it may have, and the wire type of each.
            most: how many fields it may have, repetitions included.

        Raises:
            Malformed: an unknown field, another wire type, a field beyond the end, too many fields,
                or a number above 2^53 - 1.
        """
        self._numbers: dict[int, int] = {}
        self._bytes: dict[int, list[bytes]] = {}
        at = count = 0
        while at < len(data):
            count += 1
            if count > most:
                raise Malformed("protobuf message has too many fields")
            tag, at = _read_varint(data, at)
            number, wire = tag >> 3, tag & 7
            if known.get(number) != wire:
                raise Malformed("protobuf message has a field that does not belong there")
            value, at = _read_varint(data, at)
            if wire == _VARINT:
                self._numbers[number] = value
                continue
            if value > len(data) - at:
                raise Malformed("protobuf field goes beyond the end")
            self._bytes.setdefault(number, []).append(data[at : at + value])
            at += value

    def number(self, number: int) -> int:
        """Value of a scalar field; zero when it is not there."""
        return self._numbers.get(number, 0)

    def octets(self, number: int) -> bytes:
        """Value of a field of bytes or of a message; empty when it is not there."""
        return self._bytes.get(number, [b""])[-1]

    def all(self, number: int) -> list[bytes]:
        """Values of a repeated field."""
        return self._bytes.get(number, [])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset behind it."""
    if at < len(data) and data[at] < 0x80:  # nearly all
        return data[at], at + 1
    value = 0
    for place in range(MAX_VARINT_BYTES):
        if at + place >= len(data):
            raise Malformed("protobuf message ends within a number")
        value |= (data[at + place] & 0x7F) << 7 * place
        if data[at + place] < 0x80:
            if value > MAX_INTEGER:
                raise Malformed("protobuf message has a number above 2^53 - 1")
            return value, at + place + 1
    raise Malformed("protobuf message has a number of more than 64 bits")

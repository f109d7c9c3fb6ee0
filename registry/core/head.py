"""What a head says: six lines, and the note that carries them.

`registry.core.checkpoint` checks who vouches for a head; here it is only read and written.
"""

import re
from dataclasses import dataclass

from registry.core.encoding import base64_decode
from registry.core.fields import integer
from registry.core.network import parse_network_name
from registry.core.proofs import NotProven, are_hashes
from registry.core.refusals import Malformed
from registry.core.signed_note import UnverifiedNote, base64_text, parse_note

_ORIGIN = "cairn/"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class HeadNotTrusted(NotProven):
    """The head is of another network, or too few keys of the trust anchor have signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """State of a network at one height."""

    network: str
    tree_size: int  # entries in the log; at least 1, because genesis is entry 0
    log_root: bytes  # 32 bytes
    height: int
    time: int  # Unix seconds
    state_root: bytes  # 32 bytes, root of the state map

    def __post_init__(self) -> None:
        """Hold every head to its ranges.

        Raises:
            Malformed: a number is out of range, a root has another length than 32 bytes, or the
                network has no such name.
        """
        parse_network_name(self.network)
        integer(self.tree_size, "tree size", low=1)
        integer(self.height, "height")
        integer(self.time, "time")
        if not are_hashes(self.log_root, self.state_root):
            raise Malformed("a root of a head has not 32 bytes")

    @property
    def text(self) -> str:
        """The six lines that are signed."""
        return (
            f"{_ORIGIN}{self.network}\n"
            f"{self.tree_size}\n"
            f"{base64_text(self.log_root)}\n"
            f"height {self.height}\n"
            f"time {self.time}\n"
            f"state {base64_text(self.state_root)}\n"
        )


@dataclass(frozen=True, slots=True)
class UnverifiedHead:
    """What a checkpoint says, and the note that is to be checked before anyone believes it."""

    claimed: Head
    note: UnverifiedNote


def parse_head(unverified: str | bytes) -> UnverifiedHead:
    """Read a signed checkpoint.

    Raises:
        Malformed: no signed note; other lines than the six, or in another order; a number with a
            sign, a leading zero or beyond 2^53; a root that is not base64 of 32 bytes.
    """
    note = parse_note(unverified)
    return UnverifiedHead(parse_head_text(note.text), note)


def parse_head_text(text: str) -> Head:
    """Read the six lines that are signed.

    Raises:
        Malformed: as `parse_head`.
    """
    lines = text.split("\n")
    if len(lines) != 7 or lines[6]:
        raise Malformed("a head has exactly six lines")
    return Head(
        network=_after(_ORIGIN, lines[0]),
        tree_size=_number(lines[1]),
        log_root=base64_decode(lines[2]),
        height=_number(_after("height ", lines[3])),
        time=_number(_after("time ", lines[4])),
        state_root=base64_decode(_after("state ", lines[5])),
    )


def _after(prefix: str, line: str) -> str:
    if not line.startswith(prefix):
        raise Malformed(f"a line of the head does not begin with {prefix.strip()!r}")
    return line.removeprefix(prefix)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("a number of the head is not plain decimal")
    return int(text)

"""The head of a network: a signed checkpoint of its log and of its state.

A head is a C2SP tlog-checkpoint, so that public witnesses and monitors can read it, with three
extension lines: height, time and state root. `docs/proofs.md` has the grammar. Who reads a head
trusts nothing else of the node that sent it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.cosignature import verify_cosignatures
from registry.core.encoding import base64_decode
from registry.core.fields import integer
from registry.core.network import parse_network_name
from registry.core.proofs import NotProven, are_hashes
from registry.core.refusals import Conflict, Malformed
from registry.core.signed_note import (
    NoteSigner,
    UnverifiedNote,
    base64_text,
    parse_note,
    sign_note,
    verify_note,
)
from registry.core.trust_anchor import TrustAnchor

HeadSigner = NoteSigner  # signs heads and nothing else

_ORIGIN = "cairn/"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class HeadNotTrusted(NotProven):
    """The head is of another network, or too few keys of the trust anchor have signed it."""


class HeadWentBack(Conflict):
    """The head is older than one already seen: from a node that lags, or that was restored."""


class HeadForked(Conflict):
    """Two signed heads contradict each other: somebody rewrote history. Keep both as evidence."""


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


def verify_head(unverified: str | bytes, anchor: TrustAnchor) -> Head:
    """Check that enough keys of the trust anchor have signed this head of its network.

    Steps: 1. it parses; 2. its network is the anchor's; 3. `verify_note` with the anchor's keys and
    threshold; 4. when the anchor names witnesses, `verify_cosignatures` with them.

    Raises:
        Malformed: as `parse_head`.
        HeadNotTrusted: another network.
        NoteNotSigned: too few signatures, or a false one.
        HeadNotWitnessed: too few co-signatures, or a false one.
    """
    head = _verify_signed(unverified, anchor)  # 1, 2, 3
    if anchor.witnesses is not None:  # 4
        verify_cosignatures(head.note, anchor.witnesses)
    return head.claimed


def verify_unwitnessed_head(unverified: str | bytes, anchor: TrustAnchor) -> Head:
    """`verify_head` without step 4, for those who look at a head before its witnesses have.

    These are the witnesses, whoever asks them, monitors and audits. A reader who acts on what a
    record says must not use this.

    Raises:
        Malformed, HeadNotTrusted, NoteNotSigned: as `verify_head`.
    """
    return _verify_signed(unverified, anchor).claimed


def _verify_signed(unverified: str | bytes, anchor: TrustAnchor) -> UnverifiedHead:
    """Steps 1 to 3 of `verify_head`; the co-signatures stay unverified."""
    head = parse_head(unverified)  # 1
    if head.claimed.network != anchor.network:  # 2
        raise HeadNotTrusted("head is of another network")
    verify_note(head.note, keys=anchor.head_keys, threshold=anchor.threshold)  # 3
    return head


def sign_head(head: Head, signers: Sequence[HeadSigner]) -> str:
    """Write the checkpoint of `head`, signed by each of `signers` (at least one).

    Raises:
        Malformed: no signer, or one whose name or key is not allowed.
        SignatureNotValid: a signer's signature is not one of its key.
        Unavailable: a signer cannot reach its key.
    """
    return sign_note(head.text, signers)


def verify_head_follows(older: Head, newer: Head) -> None:
    """Check that `newer` may come after `older`, as far as the two heads alone can tell.

    When the log has grown, the caller also checks a consistency proof between the two log roots.
    Steps:

    1. They are heads of one network.
    2. The newer one is not lower.
    3. At equal height they are equal.
    4. The log has not shrunk, and time has not gone back.
    5. A log that has not grown has the same root and has left the same state.

    Raises:
        HeadWentBack: step 2 fails.
        HeadForked: any other step fails.
    """
    if older.network != newer.network:  # 1
        raise HeadForked("heads are of different networks")
    if newer.height < older.height:  # 2
        raise HeadWentBack(f"height {newer.height} comes before {older.height}, already seen")
    if newer.height == older.height and newer != older:  # 3
        raise HeadForked(f"two different heads at height {newer.height}")
    if newer.tree_size < older.tree_size or newer.time < older.time:  # 4
        raise HeadForked(f"log or time went back after height {older.height}")
    if newer.tree_size == older.tree_size and (newer.log_root, newer.state_root) != (
        older.log_root,
        older.state_root,
    ):  # 5
        raise HeadForked(f"two different logs of size {newer.tree_size}")


def _after(prefix: str, line: str) -> str:
    if not line.startswith(prefix):
        raise Malformed(f"a line of the head does not begin with {prefix.strip()!r}")
    return line.removeprefix(prefix)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("a number of the head is not plain decimal")
    return int(text)

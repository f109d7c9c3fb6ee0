"""What a witness is asked, and when it may say yes: the rules of C2SP tlog-witness, without a wire.

A witness remembers one head of each log: the newest that it co-signed. It co-signs another one
only after a proof that the new log begins with every entry of the old one. So two readers who
believe the same witness cannot be shown two histories.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import (
    Head,
    HeadForked,
    parse_head,
    verify_head_follows,
    verify_unwitnessed_head,
)
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.consortium_head import evidence_key_id, evidence_name
from registry.core.encoding import base64_decode
from registry.core.merkle_log import ConsistencyNotProven, verify_consistency
from registry.core.proofs import HASH_BYTES
from registry.core.refusals import Conflict, Malformed
from registry.core.signed_note import MAX_NOTE_BYTES, base64_text

MAX_PROOF_LINES = 63  # the specification's own bound
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 64 * (MAX_PROOF_LINES + 1)

_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})")


class OldSizeStale(Conflict):
    """The request does not begin at the head this witness co-signed last; `size` says where."""

    def __init__(self, size: int) -> None:
        super().__init__(f"this witness has last co-signed a log of {size} entries")
        self.size = size


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """Unverified: a head, and the proof that it continues the log of `old_size` entries."""

    old_size: int  # 0: the witness is believed to know no head yet
    path: tuple[bytes, ...]
    head: str  # checkpoint text


def encode_add_checkpoint(request: AddCheckpoint) -> bytes:
    """The body of the request; `parse_add_checkpoint` reads it."""
    lines = [f"old {request.old_size}", *(base64_text(item) for item in request.path)]
    return ("\n".join(lines) + "\n\n" + request.head).encode()


def parse_add_checkpoint(unverified: bytes) -> AddCheckpoint:
    """Read the body of a request.

    Raises:
        Malformed: too long, not UTF-8, no `old` line, a number not in plain decimal, more than
            `MAX_PROOF_LINES` hashes or one that is not base64 of 32 bytes, or no empty line. What
            stands after the empty line is for `may_cosign` to judge.
    """
    if len(unverified) > MAX_REQUEST_BYTES:
        raise Malformed(f"request is longer than {MAX_REQUEST_BYTES} bytes")
    try:
        above, blank, head = unverified.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise Malformed("request is not UTF-8") from error
    first, *hashes = above.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not blank:
        raise Malformed("request has no line with the old size, or no empty line")
    if len(hashes) > MAX_PROOF_LINES:
        raise Malformed(f"proof has more than {MAX_PROOF_LINES} hashes")
    path = tuple(base64_decode(line) for line in hashes)
    if any(len(item) != HASH_BYTES for item in path):
        raise Malformed("a hash of the proof has not 32 bytes")
    return AddCheckpoint(int(old.group(1)), path, head)


def may_cosign(
    request: AddCheckpoint, *, last: Head | None, anchor: AnyTrustAnchor, now: int
) -> Head:
    """Judge a request against the head that the witness co-signed last.

    Steps:

    1. Enough keys of the log have signed the head, or its validators. Co-signatures do not count:
       they are what the log is asking for.
    2. The old size is not beyond the head's size.
    3. The old size is that of the last head, 0 when there is none. This refuses what was co-signed
       before (a replay), a log that shrank, and the loser of two requests at once.
    4. A head of the old size is the last head itself, text for text.
    5. A longer log continues the old one: by the consistency proof, and its height, time and
       network go on too. From nothing, the proof is empty.

    Args:
        now: Unix seconds, by the witness's clock.

    Returns:
        The head, which the witness must store as its last one before it co-signs.

    Raises:
        Malformed: no head (step 1), or step 2 fails.
        NotProven: step 1 fails.
        OldSizeStale: step 3 fails.
        HeadForked: step 4 fails: the log's keys have signed two heads for one size.
        ConsistencyNotProven: step 5 fails.
    """
    head = verify_unwitnessed_head(request.head, anchor, now=now)  # 1
    if request.old_size > head.tree_size:  # 2
        raise Malformed("the old size is beyond the size of the head")
    known = 0 if last is None else last.tree_size
    if request.old_size != known:  # 3
        raise OldSizeStale(known)
    if last is None:
        if request.path:
            raise ConsistencyNotProven("a proof from an empty log has no hashes")
        return head
    if head.tree_size == last.tree_size:  # 4
        if head != last:
            raise HeadForked(f"two different heads of size {last.tree_size}")
        if request.path:
            raise ConsistencyNotProven("a proof between equal sizes has no hashes")
        return head
    _verify_continues(last, head, request.path)  # 5
    return head


def bare_head(unverified: str, anchor: AnyTrustAnchor) -> str:
    """The head with the lines of its log's keys alone, each key once.

    Anybody may put further lines under a head. What is stored or passed on leaves them out.

    Raises:
        Malformed: no head.
    """
    note = parse_head(unverified).note
    known = (
        {(evidence_name(anchor.network), evidence_key_id(anchor.network))}
        if isinstance(anchor, ConsortiumAnchor)
        else {(key.name, key.id) for key in anchor.head_keys}
    )
    lines = {
        (line.name, line.key_id): line.text
        for line in note.signatures
        if (line.name, line.key_id) in known
    }
    return f"{note.text}\n{''.join(lines.values())}"


def _verify_continues(last: Head, head: Head, path: Sequence[bytes]) -> None:
    verify_consistency(
        first=last.tree_size,
        second=head.tree_size,
        first_root=last.log_root,
        second_root=head.log_root,
        path=path,
    )
    try:
        verify_head_follows(last, head)
    except Conflict as conflict:
        raise ConsistencyNotProven(conflict.detail) from conflict

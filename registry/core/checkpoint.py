"""The head of a network: a signed checkpoint of its log and of its state.

A head is a C2SP tlog-checkpoint, so that public witnesses and monitors can read it, with three
extension lines: height, time and state root. `docs/proofs.md` has the grammar. Who reads a head
trusts nothing else of the node that sent it.
"""

from collections.abc import Sequence

from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.consortium_anchor import ConsortiumAnchor
from registry.core.consortium_head import read_evidence
from registry.core.cosignature import verify_cosignatures
from registry.core.head import (
    Head,
    HeadNotTrusted,
    UnverifiedHead,
    parse_head,
    parse_head_text,
)
from registry.core.light_client.commit import CommittedBlock, verify_commit
from registry.core.light_client.light_block import NANOSECONDS
from registry.core.refusals import Conflict
from registry.core.signed_note import NoteSigner, sign_note, verify_note

__all__ = [
    "Head",
    "HeadForked",
    "HeadNotTrusted",
    "HeadSigner",
    "HeadWentBack",
    "UnverifiedHead",
    "parse_head",
    "parse_head_text",
    "sign_head",
    "verify_head",
    "verify_head_follows",
    "verify_light_head",
    "verify_past_head",
    "verify_unwitnessed_head",
]

HeadSigner = NoteSigner  # signs heads and nothing else


class HeadWentBack(Conflict):
    """The head is older than one already seen: from a node that lags, or that was restored."""


class HeadForked(Conflict):
    """Two signed heads contradict each other: somebody rewrote history. Keep both as evidence."""


def verify_head(unverified: str | bytes, anchor: AnyTrustAnchor, *, now: int) -> Head:
    """Check that those whom the trust anchor names vouch for this head of its network.

    Steps:

    1. It parses.
    2. Its network is the anchor's.
    3. Enough keys of an operator's anchor have signed it (`verify_note`); or, under a consortium's
       anchor, its validators have (`verify_light_head`).
    4. When the anchor names witnesses, enough of them have co-signed it.

    Args:
        unverified: the head as checkpoint text.
        anchor: what the reader trusts.
        now: Unix seconds, by the reader's clock. Only a consortium's anchor ends with time.

    Raises:
        Malformed: as `parse_head`.
        HeadNotTrusted: another network.
        NoteNotSigned: too few signatures, or a false one.
        NotProven, Conflict: as `verify_light_head`.
        HeadNotWitnessed: too few co-signatures, or a false one.
    """
    head = _verify_signed(unverified, anchor, now=now)  # 1, 2, 3
    if anchor.witnesses is not None:  # 4
        verify_cosignatures(head.note, anchor.witnesses)
    return head.claimed


def verify_unwitnessed_head(unverified: str | bytes, anchor: AnyTrustAnchor, *, now: int) -> Head:
    """`verify_head` without step 4, for those who look at a head before its witnesses have.

    These are the witnesses, whoever asks them, monitors and audits. A reader who acts on what a
    record says must not use this.

    Raises:
        Malformed, NotProven, Conflict: as `verify_head`.
    """
    return _verify_signed(unverified, anchor, now=now).claimed


def verify_past_head(unverified: str | bytes, anchor: AnyTrustAnchor) -> Head:
    """`verify_unwitnessed_head` for a replay, which rebuilds every root by itself.

    Under a consortium's anchor, validators of long ago cannot be trusted any more, and need not be:
    the newest head commits to every entry, its height and its time. So a head on the way must be
    signed by more than two thirds of validators that it names itself, and no more is asked. The
    caller has verified the newest head, and compares each with its replay.

    Raises:
        Malformed, NotProven: as `verify_head`.
    """
    if not isinstance(anchor, ConsortiumAnchor):
        return _verify_signed(unverified, anchor, now=0).claimed
    head = _parse_of(unverified, anchor)
    verify_commit(read_evidence(head))
    return head.claimed


def verify_light_head(
    head: UnverifiedHead, anchor: ConsortiumAnchor, *, now: int
) -> CommittedBlock:
    """Check that the validators of a consortium vouch for a head.

    Steps: 1. the one light block under it is of a header whose app hash is that of the head;
    2. the header is of the anchor's chain, by `ConsortiumAnchor.verify`.

    Args:
        now: Unix seconds, by the reader's clock.

    Returns:
        The light block, from which the reader's trust may go on.

    Raises:
        Malformed, HeadNotTrusted: step 1 fails.
        NotProven, ChainForked: step 2 fails; `NotEnoughTrust` when light blocks in between may
            help.
    """
    return anchor.verify(read_evidence(head), now=now * NANOSECONDS)


def _verify_signed(unverified: str | bytes, anchor: AnyTrustAnchor, *, now: int) -> UnverifiedHead:
    """Steps 1 to 3 of `verify_head`; the co-signatures stay unverified."""
    head = _parse_of(unverified, anchor)  # 1, 2
    if isinstance(anchor, ConsortiumAnchor):  # 3
        verify_light_head(head, anchor, now=now)
    else:
        verify_note(head.note, keys=anchor.head_keys, threshold=anchor.threshold)
    return head


def _parse_of(unverified: str | bytes, anchor: AnyTrustAnchor) -> UnverifiedHead:
    """Steps 1 and 2 of `verify_head`."""
    head = parse_head(unverified)  # 1
    if head.claimed.network != anchor.network:  # 2
        raise HeadNotTrusted("head is of another network")
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

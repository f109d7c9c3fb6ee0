"""Heads of a consortium: the same checkpoint, vouched for by the validators of the engine.

The engine's block header binds a head by its `app_hash`, and more than two thirds of the validators
sign the header. So the one signature line under such a head carries no signature over its text but
the light block of that header; `docs/proofs.md` has the bytes. The ledger's height counts blocks
that hold entries; the engine's height is another number, and runs on.
"""

from registry.core.hashing import labelled_hash, sha256
from registry.core.head import Head, HeadNotTrusted, UnverifiedHead
from registry.core.light_client.commit import settled
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import LightBlock
from registry.core.light_client.parsing import parse_light_block
from registry.core.network import parse_network_name
from registry.core.signed_note import NoteSignature, parse_note

# Signature type 0xff of C2SP signed-note: one that has no number, named by the text after it.
_TYPE = b"\xffcairn/light-block/v1"
_KEY_ID_BYTES = 4


def app_hash(head: Head) -> bytes:
    """The `app_hash` that says that `head` is the ledger's newest, 32 bytes.

    The application returns it for the engine's block H, and for every block without entries that
    comes after; the header of block H + 1 is the first to carry it.
    """
    return labelled_hash("cairn/app-hash/v1", head.text.encode("ascii"))


def evidence_name(network: str) -> str:
    """Name in the signature line that carries the evidence."""
    return f"cairn/{parse_network_name(network)}/validators"


def evidence_key_id(network: str) -> bytes:
    """Key id in that line, 4 bytes: no key of one institution, but the name and the type."""
    return sha256(evidence_name(network).encode("ascii") + b"\n" + _TYPE)[:_KEY_ID_BYTES]


def write_consortium_head(head: Head, light_block: bytes) -> str:
    """Write the checkpoint of `head` with the light block that vouches for it.

    What is written is checked like a stranger's: a node never shows a head that its readers would
    refuse for anything but a lack of trust. Votes that prove nothing are left out (`settled`).

    Args:
        head: newest head of the ledger after some block H of the engine.
        light_block: bytes of a light block of a height above H, as `light_block_bytes` writes them.

    Raises:
        Malformed: no light block.
        HeadNotTrusted: its header carries another app hash.
        HeaderNotCommitted, TooFewSigned: its validators have not signed it.
    """
    block = settled(parse_light_block(light_block))
    _verify_app_hash(head, block)
    line = NoteSignature(
        evidence_name(head.network), evidence_key_id(head.network), light_block_bytes(block)
    )
    note = f"{head.text}\n{line.text}"
    parse_note(note)
    return note


def read_evidence(head: UnverifiedHead) -> LightBlock:
    """The light block under a head; unverified, but of a header that carries this head.

    Raises:
        Malformed: the evidence is no light block.
        HeadNotTrusted: there is none, or more than one, or its header carries another app hash.
    """
    network = head.claimed.network
    expected = (evidence_name(network), evidence_key_id(network))
    lines = [line for line in head.note.signatures if (line.name, line.key_id) == expected]
    if len(lines) != 1:
        raise HeadNotTrusted("the head has not one light block under it")
    block = parse_light_block(lines[0].signature)
    _verify_app_hash(head.claimed, block)
    return block


def _verify_app_hash(head: Head, block: LightBlock) -> None:
    if block.header.app_hash != app_hash(head):
        raise HeadNotTrusted("the light block under the head is of another state")

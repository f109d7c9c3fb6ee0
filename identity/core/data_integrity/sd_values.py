"""`proofValue` of proofs with selective disclosure: a header, then a CBOR array.

The same for ecdsa-sd-2023 and bbs-2023; what is in the array is each suite's own.
"""

from collections.abc import Collection, Sequence
from typing import Any

import cbor2

from identity.core.data_integrity.suite import ProofMalformed
from identity.core.strict_cbor import CborMalformed, parse_cbor
from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.refusals import Malformed

HMAC_KEY_BYTES = 32
MAX_PROOF_CHARS = 512 << 10  # one signature of 64 bytes a statement, and two thousand statements
_MAX_INDEX = 1 << 20


def write_components(header: bytes, parts: Sequence[object]) -> str:
    """Header and CBOR array, as multibase base64url."""
    return "u" + base64url_encode(header + cbor2.dumps(list(parts)))


def read_header(value: object, length: int = 3) -> bytes:
    """The first bytes of a `proofValue`, which tell what it is.

    Raises:
        ProofMalformed: no multibase base64url, or too long.
    """
    return _decoded(value)[:length]


def read_components(
    value: object, header: bytes, *, count: int, tags: Collection[int] = ()
) -> list[Any]:
    """The elements of the array behind `header`; `tags` may occur, which is none as a rule.

    Raises:
        ProofMalformed: too long, another encoding or header, or not an array of `count`.
    """
    data = _decoded(value)
    if not data.startswith(header):
        raise ProofMalformed("proofValue has another header")
    try:
        parts = parse_cbor(data[len(header) :], max_bytes=MAX_PROOF_CHARS, tags=tags)
    except CborMalformed as error:
        raise ProofMalformed(f"proofValue: {error.detail}") from error
    if not isinstance(parts, list) or len(parts) != count:
        raise ProofMalformed(f"proofValue is not a CBOR array of {count}")
    return parts


def read_pointers(value: Any) -> tuple[str, ...]:
    """Mandatory pointers, which are texts; whether they lead anywhere is judged later."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ProofMalformed("base proof has no mandatory pointers")
    return tuple(value)


def read_indexes(value: Any) -> tuple[int, ...]:
    """Places of statements, each named once."""
    if not isinstance(value, list) or not all(is_index(index) for index in value):
        raise ProofMalformed("derived proof has no indexes")
    if len(set(value)) != len(value):
        raise ProofMalformed("derived proof counts a statement twice")
    return tuple(value)


def is_bytes(value: Any, length: int) -> bool:
    """A byte string of exactly that length."""
    return isinstance(value, bytes) and len(value) == length


def is_index(value: Any) -> bool:
    """A number that could count statements."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_INDEX


def _decoded(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("u") or len(value) > MAX_PROOF_CHARS:
        raise ProofMalformed("proofValue is not a base64url multibase value, or too long")
    try:
        return base64url_decode(value[1:])
    except Malformed as error:
        raise ProofMalformed(f"proofValue: {error.detail}") from error

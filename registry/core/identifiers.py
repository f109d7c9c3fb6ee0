"""Names on the ledger: DIDs, credential types, codes. None is derived from a person."""

import re

from registry.core.encoding import base58_decode, base58_encode
from registry.core.fields import octets, token
from registry.core.refusals import Malformed

DID_ID_BYTES = 20
ID_BYTES = 16  # accreditations, batches and nonces: chosen at random by their author

FRAGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){0,7}")
VERSION = re.compile(r"[1-9][0-9]{0,5}")
CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")
TRANSACTION = re.compile(r"[0-9a-f]{64}")
GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DID = re.compile(r"did:cairn:([a-z0-9-]{1,32}):([1-9A-HJ-NP-Za-km-z]{20,28})")
MAX_TYPE_NAME_CHARS = 64


def did_of(network: str, digest: bytes) -> str:
    """The DID whose identifier is the first 20 bytes of `digest`."""
    return f"did:cairn:{network}:{base58_encode(digest[:DID_ID_BYTES])}"


def read_did(value: object, where: str) -> str:
    """The value is a DID of this method, with no path, query or fragment.

    Raises:
        Malformed: it is not.
    """
    match = _DID.fullmatch(value) if isinstance(value, str) else None
    if match is None or len(base58_decode(match[2])) != DID_ID_BYTES:
        raise Malformed(f"{where} is not a did:cairn identifier")
    return match[0]


def network_of(did: str) -> str:
    """The network that a DID names.

    Raises:
        Malformed: no DID of this method.
    """
    return read_did(did, "DID").split(":")[2]


def read_type(value: object, where: str) -> str:
    """The value is the name of a credential type, such as `resident-identity`.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, str) or len(value) > MAX_TYPE_NAME_CHARS:
        raise Malformed(f"{where} is not the name of a credential type")
    return token(value, where, TYPE_NAME)


def read_id(value: object, where: str) -> str:
    """The value is base64url of 16 bytes; it stays text.

    Raises:
        Malformed: it is not.
    """
    octets(value, where, size=ID_BYTES)
    return str(value)

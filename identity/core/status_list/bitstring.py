"""W3C Bitstring Status List 1.0 (https://www.w3.org/TR/vc-bitstring-status-list/)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.core.date_time import format_date_time_stamp
from identity.core.rdf_canon import is_absolute_iri
from identity.core.status_list.packing import (
    GZIP,
    StatusIndexOutOfRange,
    StatusListMalformed,
    StatusListTooShort,
    compress,
    decompress,
    pack,
    strings,
)
from registry.core.encoding import JsonObject, base64url_encode

MIN_BITSTRING_BITS = 131_072  # §3.2: the herd to hide in

_CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
_ENTRY = "BitstringStatusListEntry"
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitstringEntry:
    """One `BitstringStatusListEntry` of a credential."""

    purpose: str  # "revocation", "suspension", "message", ...
    index: int
    uri: str  # `statusListCredential`
    bits: int  # `statusSize`


def pack_bitstring(values: Mapping[int, int], *, size: int) -> bytes:
    """A bitstring of `size` entries of one bit; entries that are not in `values` are 0.

    Raises:
        StatusListMalformed: a size that is not a multiple of 8 or too large, a value beyond 1.
        StatusIndexOutOfRange: an index beyond `size`.
    """
    return pack(values, size=size, bits=1, most_significant_first=True)


def encode_bitstring(data: bytes) -> str:
    """`encodedList`: multibase base64url of the gzip form (§3.3)."""
    return "u" + base64url_encode(compress(data, GZIP))


def decode_bitstring(text: object) -> bytes:
    """The uncompressed list.

    Raises:
        StatusListMalformed: not multibase `u`, no single gzip stream, or beyond `MAX_LIST_BYTES`.
        StatusListTooShort: shorter than `MIN_BITSTRING_BITS`.
    """
    if not isinstance(text, str) or not text.startswith("u"):
        raise StatusListMalformed("encodedList is not a base64url multibase value")
    data = decompress(text[1:], GZIP)
    if len(data) * 8 < MIN_BITSTRING_BITS:
        raise StatusListTooShort(f"status list has fewer than {MIN_BITSTRING_BITS} bits")
    return data


def read_bitstring(data: bytes, index: int, *, bits: int = 1) -> int:
    """Entry `index` of an uncompressed bitstring; index 0 begins at the left-most bit (§3.4).

    Raises:
        StatusIndexOutOfRange: negative, or beyond the list.
        StatusListMalformed: an entry size that is not 1 to 8.
    """
    if not 1 <= bits <= 8:
        raise StatusListMalformed("an entry has 1 to 8 bits")
    if not 0 <= index < len(data) * 8 // bits:
        raise StatusIndexOutOfRange("status list has no entry of that index")
    start = index * bits
    window = int.from_bytes(data[start // 8 : start // 8 + 2].ljust(2, b"\0"), "big")
    return window >> (16 - start % 8 - bits) & (1 << bits) - 1


def bitstring_credential(
    *,
    uri: str,
    issuer: str,
    purpose: str,
    data: bytes,
    valid_from: datetime,
    valid_until: datetime,
) -> JsonObject:
    """The credential that publishes a list, without proof.

    Every member as clients in the field expect it: `type` an array, `issuer` and `statusPurpose`
    strings.
    """
    return {
        "@context": [_CREDENTIALS_V2],
        "id": uri,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": format_date_time_stamp(valid_from),
        "validUntil": format_date_time_stamp(valid_until),
        "credentialSubject": {
            "id": f"{uri}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": encode_bitstring(data),
        },
    }


def parse_bitstring_credential(document: JsonObject, *, uri: str, purpose: str) -> bytes:
    """The uncompressed list of a credential whose proof and validity have been checked.

    Args:
        document: the credential.
        uri: where the list was looked for; the credential must be that very one.
        purpose: what the entry says that the list is about.

    Raises:
        StatusListMalformed: another id, type or purpose, or a list as in `decode_bitstring`.
    """
    subject = document.get("credentialSubject")
    if document.get("id") != uri:
        raise StatusListMalformed("status list credential has another id")
    if "BitstringStatusListCredential" not in strings(document.get("type")):
        raise StatusListMalformed("credential is not a status list credential")
    if not isinstance(subject, dict) or "BitstringStatusList" not in strings(subject.get("type")):
        raise StatusListMalformed("credential has no BitstringStatusList")
    if purpose not in strings(subject.get("statusPurpose")):
        raise StatusListMalformed("status list is for another purpose")
    return decode_bitstring(subject.get("encodedList"))


def parse_bitstring_entries(credential: JsonObject) -> tuple[BitstringEntry, ...]:
    """The `BitstringStatusListEntry` members of `credentialStatus`; other types are left out.

    Raises:
        StatusListMalformed: an entry without purpose, with an index that is no decimal string, a
            list that is no URL, the list's `id`, or a `statusSize` without its messages (§2.1).
    """
    status = credential.get("credentialStatus", [])
    entries = status if isinstance(status, list) else [status]
    return tuple(
        _parse_entry(entry)
        for entry in entries
        if isinstance(entry, dict) and _ENTRY in strings(entry.get("type"))
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _check_message(message: object) -> None:
    """One entry of `statusMessage` (§2.1): a hexadecimal `status`, and text."""
    status = message.get("status") if isinstance(message, dict) else None
    text = message.get("message") if isinstance(message, dict) else None
    if not isinstance(status, str) or not _HEXADECIMAL.fullmatch(status):
        raise StatusListMalformed("statusMessage has an entry without a hexadecimal status")
    if not isinstance(text, str):
        raise StatusListMalformed("statusMessage has an entry without a message")


def _parse_entry(entry: JsonObject) -> BitstringEntry:
    purpose, index = entry.get("statusPurpose"), entry.get("statusListIndex")
    uri, bits = entry.get("statusListCredential"), entry.get("statusSize", 1)
    if not isinstance(purpose, str) or not purpose:
        raise StatusListMalformed("status entry has no statusPurpose")
    if not isinstance(index, str) or not _INDEX.fullmatch(index):
        raise StatusListMalformed("statusListIndex is not a decimal string")
    if not is_absolute_iri(uri):
        raise StatusListMalformed("statusListCredential is not a URL")
    if entry.get("id") == uri:
        raise StatusListMalformed("status entry has the id of its list")
    references = entry.get("statusReference", [])
    if not all(is_absolute_iri(one) for one in _listed(references)):
        raise StatusListMalformed("statusReference is not a URL, or an array of URLs")
    if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 8:
        raise StatusListMalformed("statusSize is not a number from 1 to 8")
    messages = entry.get("statusMessage")
    if messages is None and (bits > 1 or purpose == "message"):
        raise StatusListMalformed("status entry has no statusMessage")
    if messages is not None and (not isinstance(messages, list) or len(messages) != 1 << bits):
        raise StatusListMalformed("statusMessage does not have one message for each value")
    for message in messages or ():
        _check_message(message)
    return BitstringEntry(purpose=purpose, index=int(index), uri=str(uri), bits=bits)

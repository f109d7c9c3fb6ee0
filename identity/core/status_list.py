"""Status lists: W3C Bitstring Status List 1.0 and the IETF Token Status List.

The two agree on almost nothing: a bitstring counts from the most significant bit of a byte and is
gzip in multibase; a token list counts from the least significant bit and is zlib in base64url.
Hence two functions for everything, and none that takes the bit order as an argument.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.date_time import format_date_time_stamp
from identity.core.rdf_canon import is_absolute_iri
from registry.core.encoding import JsonObject, base64url_decode, base64url_encode
from registry.core.refusals import Malformed, NotPermitted

MAX_LIST_BYTES = 1 << 20  # unpacked; 64 times the smallest bitstring allowed
MIN_BITSTRING_BITS = 131_072  # Bitstring Status List 1.0 §3.2: the herd to hide in
STATUS_TOKEN_TYP = "statuslist+jwt"  # noqa: S105  # a media type
CLOCK_SKEW_SECONDS = 60  # how far ahead of ours an issuer's clock may be

VALID, INVALID, SUSPENDED = 0, 1, 2  # Token Status List §7.1

_CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
_ENTRY = "BitstringStatusListEntry"
_GZIP, _ZLIB = 31, 15  # `wbits` of zlib
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_TOKEN_BITS = (1, 2, 4, 8)


class StatusListMalformed(Malformed):
    """The list, the token or the credential around it, or a reference to it, is not well-formed."""


class StatusIndexOutOfRange(StatusListMalformed):
    """The list has no entry of that index."""


class StatusListExpired(NotPermitted):
    """The list is too old, or not valid yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BitstringEntry:
    """One `BitstringStatusListEntry` of a credential."""

    purpose: str  # "revocation", "suspension", "message", ...
    index: int
    uri: str  # `statusListCredential`
    bits: int  # `statusSize`


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReference:
    """`status.status_list` of a credential."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatusList:
    """The content of a status list token. Times are unix seconds."""

    data: bytes
    bits: int
    issued_at: int
    expires_at: int | None
    ttl_seconds: int | None


# Bitstring Status List


def pack_bitstring(values: Mapping[int, int], *, size: int) -> bytes:
    """A bitstring of `size` entries of one bit; entries that are not in `values` are 0.

    Raises:
        StatusListMalformed: a size that is not a multiple of 8 or too large, a value beyond 1.
        StatusIndexOutOfRange: an index beyond `size`.
    """
    return _pack(values, size=size, bits=1, most_significant_first=True)


def encode_bitstring(data: bytes) -> str:
    """`encodedList`: multibase base64url of the gzip form (§3.3)."""
    return "u" + base64url_encode(_compress(data, _GZIP))


def decode_bitstring(text: object) -> bytes:
    """The uncompressed list.

    Raises:
        StatusListMalformed: not multibase `u`, no single gzip stream, beyond `MAX_LIST_BYTES`, or
            shorter than `MIN_BITSTRING_BITS`.
    """
    if not isinstance(text, str) or not text.startswith("u"):
        raise StatusListMalformed("encodedList is not a base64url multibase value")
    data = _decompress(text[1:], _GZIP)
    if len(data) * 8 < MIN_BITSTRING_BITS:
        raise StatusListMalformed(f"status list has fewer than {MIN_BITSTRING_BITS} bits")
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
    if "BitstringStatusListCredential" not in _strings(document.get("type")):
        raise StatusListMalformed("credential is not a status list credential")
    if not isinstance(subject, dict) or "BitstringStatusList" not in _strings(subject.get("type")):
        raise StatusListMalformed("credential has no BitstringStatusList")
    if purpose not in _strings(subject.get("statusPurpose")):
        raise StatusListMalformed("status list is for another purpose")
    return decode_bitstring(subject.get("encodedList"))


def parse_bitstring_entries(credential: JsonObject) -> tuple[BitstringEntry, ...]:
    """The `BitstringStatusListEntry` members of `credentialStatus`; other types are left out.

    Raises:
        StatusListMalformed: an entry without purpose, with an index that is no decimal string, a
            list that is no URL, or a `statusSize` without its messages (§2.1).
    """
    status = credential.get("credentialStatus", [])
    entries = status if isinstance(status, list) else [status]
    return tuple(
        _parse_entry(entry)
        for entry in entries
        if isinstance(entry, dict) and _ENTRY in _strings(entry.get("type"))
    )


def _parse_entry(entry: JsonObject) -> BitstringEntry:
    purpose, index = entry.get("statusPurpose"), entry.get("statusListIndex")
    uri, bits = entry.get("statusListCredential"), entry.get("statusSize", 1)
    if not isinstance(purpose, str) or not purpose:
        raise StatusListMalformed("status entry has no statusPurpose")
    if not isinstance(index, str) or not _INDEX.fullmatch(index):
        raise StatusListMalformed("statusListIndex is not a decimal string")
    if not is_absolute_iri(uri):
        raise StatusListMalformed("statusListCredential is not a URL")
    if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 8:
        raise StatusListMalformed("statusSize is not a number from 1 to 8")
    messages = entry.get("statusMessage")
    if messages is None and (bits > 1 or purpose == "message"):
        raise StatusListMalformed("status entry has no statusMessage")
    if messages is not None and (not isinstance(messages, list) or len(messages) != 1 << bits):
        raise StatusListMalformed("statusMessage does not have one message for each value")
    return BitstringEntry(purpose=purpose, index=int(index), uri=str(uri), bits=bits)


# Token Status List


def pack_token_list(values: Mapping[int, int], *, size: int, bits: int) -> bytes:
    """A token list of `size` entries of `bits` bits; entries that are not in `values` are 0.

    Raises:
        StatusListMalformed: bits other than 1, 2, 4 and 8, a size that does not fill whole bytes or
            is too large, or a value beyond the bits.
        StatusIndexOutOfRange: an index beyond `size`.
    """
    if bits not in _TOKEN_BITS:
        raise StatusListMalformed("bits is not 1, 2, 4 or 8")
    return _pack(values, size=size, bits=bits, most_significant_first=False)


def encode_token_list(data: bytes) -> str:
    """`lst`: base64url of the zlib form (§4.2)."""
    return base64url_encode(_compress(data, _ZLIB))


def decode_token_list(text: object) -> bytes:
    """The uncompressed list.

    Raises:
        StatusListMalformed: not base64url, no single zlib stream, or beyond `MAX_LIST_BYTES`.
    """
    return _decompress(text, _ZLIB)


def read_token_status(data: bytes, index: int, *, bits: int) -> int:
    """Entry `index` of an uncompressed list; index 0 is in the least significant bits (§4.1).

    Raises:
        StatusIndexOutOfRange: negative, or beyond the list.
        StatusListMalformed: bits other than 1, 2, 4 and 8.
    """
    if bits not in _TOKEN_BITS:
        raise StatusListMalformed("bits is not 1, 2, 4 or 8")
    if not 0 <= index < len(data) * 8 // bits:
        raise StatusIndexOutOfRange("status list has no entry of that index")
    byte, place = divmod(index * bits, 8)
    return data[byte] >> place & (1 << bits) - 1


def status_token_payload(
    *, uri: str, data: bytes, bits: int, issued_at: int, expires_at: int, ttl_seconds: int
) -> JsonObject:
    """Claims of a status list token (§5.1); sign them under `STATUS_TOKEN_TYP`."""
    return {
        "sub": uri,
        "iat": issued_at,
        "exp": expires_at,
        "ttl": ttl_seconds,
        "status_list": {"bits": bits, "lst": encode_token_list(data)},
    }


def parse_status_token(claims: JsonObject, *, uri: str, now: int) -> TokenStatusList:
    """The list in a token whose signature has been checked (§8.3).

    Args:
        claims: payload of the verified token.
        uri: where the list was looked for; must be its `sub`.
        now: unix seconds.

    Raises:
        StatusListMalformed: another `sub`, or claims that are missing or of the wrong type.
        StatusListExpired: `exp` has passed, or `iat` is in the future.
    """
    content = claims.get("status_list")
    if claims.get("sub") != uri:
        raise StatusListMalformed("status list token has another sub")
    if not isinstance(content, dict):
        raise StatusListMalformed("status list token has no list")
    bits = _whole(content, "bits")
    if bits not in _TOKEN_BITS:
        raise StatusListMalformed("bits is not 1, 2, 4 or 8")
    issued_at = _whole(claims, "iat")
    expires_at, ttl = _whole(claims, "exp"), _whole(claims, "ttl")
    if issued_at is None:
        raise StatusListMalformed("status list token has no iat")
    if ttl is not None and ttl <= 0:
        raise StatusListMalformed("ttl is not positive")
    if issued_at > now + CLOCK_SKEW_SECONDS or (expires_at is not None and expires_at <= now):
        raise StatusListExpired("status list token is too old, or from the future")
    return TokenStatusList(
        data=decode_token_list(content.get("lst")),
        bits=bits,
        issued_at=issued_at,
        expires_at=expires_at,
        ttl_seconds=ttl,
    )


def parse_token_reference(claims: JsonObject) -> TokenReference | None:
    """`status.status_list` of a credential (§6.1); None when it has no `status` at all.

    Raises:
        StatusListMalformed: a `status` without a well-formed `status_list`. A mechanism that we do
            not know is not "no status".
    """
    if "status" not in claims:
        return None
    status = claims["status"]
    reference = status.get("status_list") if isinstance(status, dict) else None
    if not isinstance(reference, dict):
        raise StatusListMalformed("status has no status_list")
    index, uri = reference.get("idx"), reference.get("uri")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise StatusListMalformed("idx is not a number")
    if not is_absolute_iri(uri):
        raise StatusListMalformed("status list uri is not a URI")
    return TokenReference(uri=str(uri), index=index)


# Both


def _pack(
    values: Mapping[int, int], *, size: int, bits: int, most_significant_first: bool
) -> bytes:
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


def _compress(data: bytes, wbits: int) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, wbits)  # no file name, no time: reproducible
    return compressor.compress(data) + compressor.flush()


def _decompress(text: object, wbits: int) -> bytes:
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


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [entry for entry in values if isinstance(entry, str)]


def _whole(claims: JsonObject, name: str) -> int | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise StatusListMalformed(f"{name} is not a whole number")
    return value

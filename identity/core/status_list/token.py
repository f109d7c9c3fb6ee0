"""IETF Token Status List (draft-ietf-oauth-status-list), as a JWT."""

from collections.abc import Mapping
from dataclasses import dataclass

from identity.core.rdf_canon import is_absolute_iri
from identity.core.status_list.packing import (
    CLOCK_SKEW_SECONDS,
    ZLIB,
    StatusIndexOutOfRange,
    StatusListExpired,
    StatusListMalformed,
    compress,
    decompress,
    pack,
)
from registry.core.encoding import JsonObject, base64url_encode

STATUS_TOKEN_TYP = "statuslist+jwt"  # noqa: S105  # a media type
VALID, INVALID, SUSPENDED = 0, 1, 2  # §7.1

_TOKEN_BITS = (1, 2, 4, 8)


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


def pack_token_list(values: Mapping[int, int], *, size: int, bits: int) -> bytes:
    """A token list of `size` entries of `bits` bits; entries that are not in `values` are 0.

    Raises:
        StatusListMalformed: bits other than 1, 2, 4 and 8, a size that does not fill whole bytes or
            is too large, or a value beyond the bits.
        StatusIndexOutOfRange: an index beyond `size`.
    """
    if bits not in _TOKEN_BITS:
        raise StatusListMalformed("bits is not 1, 2, 4 or 8")
    return pack(values, size=size, bits=bits, most_significant_first=False)


def encode_token_list(data: bytes) -> str:
    """`lst`: base64url of the zlib form (§4.2)."""
    return base64url_encode(compress(data, ZLIB))


def decode_token_list(text: object) -> bytes:
    """The uncompressed list.

    Raises:
        StatusListMalformed: not base64url, no single zlib stream, or beyond `MAX_LIST_BYTES`.
    """
    return decompress(text, ZLIB)


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


def _whole(claims: JsonObject, name: str) -> int | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise StatusListMalformed(f"{name} is not a whole number")
    return value

"""Bitstring Status List 1.0 and Token Status List: signatures first; bodies follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from registry.core.encoding import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BitstringEntry:
    purpose: str
    index: int
    uri: str  # statusListCredential


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReference:
    uri: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatusList:
    data: bytes
    bits: int
    issued_at: int
    expires_at: int | None
    ttl_seconds: int | None


def pack_bitstring(values: Mapping[int, int], *, size: int) -> bytes:
    """Bitstring: index 0 is the most significant bit of byte 0; `values` maps index -> 0/1."""
    raise NotImplementedError


def pack_token_list(values: Mapping[int, int], *, size: int, bits: int) -> bytes:
    """Token list: index 0 is in the least significant bits of byte 0."""
    raise NotImplementedError


def encode_bitstring(data: bytes) -> str:
    raise NotImplementedError  # "u" + base64url(gzip)


def decode_bitstring(text: str) -> bytes:
    raise NotImplementedError


def encode_token_list(data: bytes) -> str:
    raise NotImplementedError  # base64url(zlib)


def decode_token_list(text: str) -> bytes:
    raise NotImplementedError


def read_bitstring(data: bytes, index: int) -> int:
    raise NotImplementedError


def read_token_status(data: bytes, index: int, *, bits: int) -> int:
    raise NotImplementedError


def bitstring_credential(
    *,
    uri: str,
    issuer: str,
    purpose: str,
    data: bytes,
    valid_from: datetime,
    valid_until: datetime,
) -> JsonObject:
    """Unsigned; secure it with data_integrity.add_proof."""
    raise NotImplementedError


def parse_bitstring_credential(document: JsonObject, *, uri: str, purpose: str) -> bytes:
    """The uncompressed list of a credential whose proof has been verified."""
    raise NotImplementedError


def parse_bitstring_entries(credential: JsonObject) -> tuple[BitstringEntry, ...]:
    """The BitstringStatusListEntry members of credentialStatus."""
    raise NotImplementedError


def status_token_payload(
    *, uri: str, data: bytes, bits: int, issued_at: int, expires_at: int, ttl_seconds: int
) -> JsonObject:
    """Claims of the statuslist+jwt; sign with jose.sign_compact(header typ STATUS_TOKEN_TYP)."""
    raise NotImplementedError


STATUS_TOKEN_TYP = "statuslist+jwt"


def parse_status_token(claims: JsonObject, *, uri: str, now: int) -> TokenStatusList:
    raise NotImplementedError


def parse_token_reference(claims: JsonObject) -> TokenReference | None:
    """`status.status_list` of a credential; None when the credential has no status."""
    raise NotImplementedError

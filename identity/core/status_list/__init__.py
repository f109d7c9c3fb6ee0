"""Status lists: W3C Bitstring Status List 1.0 and the IETF Token Status List.

The two agree on almost nothing: a bitstring counts from the most significant bit of a byte and is
gzip in multibase; a token list counts from the least significant bit and is zlib in base64url.
Hence two functions for everything, and none that takes the bit order as an argument.
"""

from identity.core.status_list.bitstring import (
    MIN_BITSTRING_BITS,
    BitstringEntry,
    bitstring_credential,
    decode_bitstring,
    encode_bitstring,
    pack_bitstring,
    parse_bitstring_credential,
    parse_bitstring_entries,
    read_bitstring,
)
from identity.core.status_list.packing import (
    CLOCK_SKEW_SECONDS,
    MAX_LIST_BYTES,
    StatusIndexOutOfRange,
    StatusListExpired,
    StatusListMalformed,
)
from identity.core.status_list.token import (
    INVALID,
    STATUS_TOKEN_TYP,
    SUSPENDED,
    VALID,
    TokenReference,
    TokenStatusList,
    decode_token_list,
    encode_token_list,
    pack_token_list,
    parse_status_token,
    parse_token_reference,
    read_token_status,
    status_token_payload,
)

__all__ = [
    "CLOCK_SKEW_SECONDS",
    "INVALID",
    "MAX_LIST_BYTES",
    "MIN_BITSTRING_BITS",
    "STATUS_TOKEN_TYP",
    "SUSPENDED",
    "VALID",
    "BitstringEntry",
    "StatusIndexOutOfRange",
    "StatusListExpired",
    "StatusListMalformed",
    "TokenReference",
    "TokenStatusList",
    "bitstring_credential",
    "decode_bitstring",
    "decode_token_list",
    "encode_bitstring",
    "encode_token_list",
    "pack_bitstring",
    "pack_token_list",
    "parse_bitstring_credential",
    "parse_bitstring_entries",
    "parse_status_token",
    "parse_token_reference",
    "read_bitstring",
    "read_token_status",
    "status_token_payload",
]

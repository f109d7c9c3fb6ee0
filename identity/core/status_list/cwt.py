"""IETF Token Status List as a CWT (draft-ietf-oauth-status-list §5.2, §6.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

import cbor2

from identity.core.cose import KID, TYP, parse_sign1, sign_sign1, verify_sign1
from identity.core.rdf_canon import is_absolute_iri
from identity.core.signing import Signer
from identity.core.status_list.packing import ZLIB, StatusListMalformed, compress, decompress
from identity.core.status_list.token import (
    TokenReference,
    TokenStatusList,
    parse_status_token,
)
from identity.core.strict_cbor import CborMalformed, parse_cbor
from registry.core.encoding import base64url_encode
from registry.core.keys import PublicKey

STATUS_CWT_TYP = "application/statuslist+cwt"

_SUB, _EXP, _IAT = 2, 4, 6  # RFC 8392 §4
_STATUS, _TTL, _STATUS_LIST = 65535, 65534, 65533
_X5CHAIN = 33  # RFC 9360 §2
_MAX_DEPTH, _MAX_VALUES = 6, 256  # claims of a referenced token; a list token has nine values


def sign_status_cwt(
    *,
    uri: str,
    data: bytes,
    bits: int,
    issued_at: int,
    expires_at: int,
    ttl_seconds: int,
    signer: Signer,
    chain: Sequence[bytes] = (),
) -> bytes:
    """A status list token as a tagged COSE_Sign1; times are unix seconds.

    Args:
        signer: its verification method goes into `kid`.
        chain: certificates of its key (DER, the leaf first), for `x5chain`; none leaves it out.
    """
    claims = {
        _SUB: uri,
        _IAT: issued_at,
        _EXP: expires_at,
        _TTL: ttl_seconds,
        _STATUS_LIST: {"bits": bits, "lst": compress(data, ZLIB)},
    }
    protected: dict[Any, Any] = {
        TYP: STATUS_CWT_TYP,
        KID: signer.verification_method.encode("utf-8"),
    }
    if chain:
        protected[_X5CHAIN] = chain[0] if len(chain) == 1 else list(chain)
    return sign_sign1(protected=protected, payload=cbor2.dumps(claims), signer=signer)


def verify_status_cwt(message: bytes, *, key: PublicKey, uri: str, now: int) -> TokenStatusList:
    """Check a status list token in CWT form, and read the list (§8.3).

    Args:
        message: the COSE_Sign1.
        key: the key that the caller trusts for the list.
        uri: where the list was looked for; must be its `sub`.
        now: unix seconds.

    Raises:
        CoseMalformed, CoseNotAccepted, SignatureNotValid: no such token, or not by this key.
        StatusListMalformed, StatusListExpired: as `parse_status_token`.
    """
    payload = verify_sign1(
        parse_sign1(message), key=key, content_type=STATUS_CWT_TYP, typ=STATUS_CWT_TYP
    )
    claims = _claims(payload)
    named = {"sub": _SUB, "iat": _IAT, "exp": _EXP, "ttl": _TTL, "status_list": _STATUS_LIST}
    known: dict[str, Any] = {
        name: claims[label] for name, label in named.items() if label in claims
    }
    return parse_status_token({**known, "status_list": _as_json(claims)}, uri=uri, now=now)


def read_cwt_list(content: Mapping[Any, Any]) -> bytes:
    """The uncompressed list of a `status_list` map (§4.3).

    Raises:
        StatusListMalformed: no bytes, no single zlib stream, or beyond `MAX_LIST_BYTES`.
    """
    packed = content.get("lst")
    if not isinstance(packed, bytes):
        raise StatusListMalformed("lst is no byte string")
    return decompress(base64url_encode(packed), ZLIB)


def parse_cwt_reference(payload: bytes) -> TokenReference | None:
    """Where the status of a referenced token stands (§6.3); None when it has no `status` at all.

    Args:
        payload: claims of a token whose signature has been checked.

    Raises:
        StatusListMalformed: a `status` without a well-formed `status_list`.
    """
    claims = _claims(payload)
    if _STATUS not in claims:
        return None
    status = claims[_STATUS]
    reference = status.get("status_list") if isinstance(status, Mapping) else None
    if not isinstance(reference, Mapping):
        raise StatusListMalformed("status has no status_list")
    index, uri = reference.get("idx"), reference.get("uri")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise StatusListMalformed("idx is not a number")
    if not is_absolute_iri(uri):
        raise StatusListMalformed("status list uri is not a URI")
    return TokenReference(uri=str(uri), index=index)


def _claims(payload: bytes) -> Mapping[Any, Any]:
    try:
        claims = parse_cbor(payload, max_depth=_MAX_DEPTH, max_items=_MAX_VALUES)
    except CborMalformed as error:
        raise StatusListMalformed(f"claims: {error.detail}") from error
    if not isinstance(claims, Mapping):
        raise StatusListMalformed("claims are no map")
    return claims


def _as_json(claims: Mapping[Any, Any]) -> dict[str, Any] | None:
    """The list as the JWT form has it, so that one set of rules reads both."""
    content = claims.get(_STATUS_LIST)
    if not isinstance(content, Mapping):
        return None
    packed = content.get("lst")
    if not isinstance(packed, bytes):
        raise StatusListMalformed("lst is no byte string")
    return {"bits": content.get("bits"), "lst": base64url_encode(packed)}

"""COSE_Sign1 (RFC 9052 §4.2), narrowed to what we sign and read.

As with JWS, the algorithm follows from the key, and every object has a type that its reader asks
for: a content type (label 3) or a `typ` (label 16, RFC 9596), under the signature.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from identity.core.signing import Signer
from identity.core.strict_cbor import CborMalformed, parse_cbor
from registry.core.keys import KeyType, PublicKey, verify_signature
from registry.core.refusals import Malformed, NotPermitted

MAX_COSE_BYTES = 1 << 20
MAX_HEADER_DEPTH = 6  # a COSE key in `cnf` in the claims of a header
MAX_HEADERS = 64  # values in both headers together; certificates in `x5chain` are single values

ALG, CRIT, CONTENT_TYPE, KID, CWT_CLAIMS, TYP = 1, 2, 3, 4, 15, 16

_SIGN1_TAG = 18
# RFC 9053 §2, and the fully-specified ones of RFC 9864; the first of each is what we write.
_ALGORITHMS: dict[KeyType, tuple[int, ...]] = {
    KeyType.ED25519: (-8, -19),
    KeyType.P256: (-7, -9),
    KeyType.P384: (-35, -51),
    KeyType.P521: (-36, -52),
}

Headers = Mapping[Any, Any]


class CoseMalformed(Malformed):
    """The bytes are no COSE_Sign1 that we read."""


class CoseNotAccepted(NotPermitted):
    """The message is of another type, or names an algorithm that its key does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSign1:
    """The parts of a COSE_Sign1. Nothing here is to be believed yet.

    Args:
        protected: the header under the signature.
        unprotected: the header that anybody may have written; only `kid` is ever read from it.
        signed_header: `protected` as bytes, as it was signed.
    """

    protected: Headers
    unprotected: Headers
    signed_header: bytes
    payload: bytes
    signature: bytes

    @property
    def key_id(self) -> str | None:
        """`kid` of either header as text; None when there is none, or it is no UTF-8."""
        value = self.protected.get(KID, self.unprotected.get(KID))
        if not isinstance(value, bytes):
            return None
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None

    @property
    def claims(self) -> Headers:
        """CWT claims in the protected header (RFC 9597), by label; empty when there are none."""
        value = self.protected.get(CWT_CLAIMS, {})
        return value if isinstance(value, Mapping) else {}


def sign_sign1(*, protected: Headers, payload: bytes, signer: Signer) -> bytes:
    """Sign `payload` as a tagged COSE_Sign1.

    Args:
        protected: a content type (3) or a `typ` (16) is required; `alg` is set here.

    Raises:
        CoseMalformed: neither type is there.
    """
    if not any(isinstance(protected.get(label), str) for label in (CONTENT_TYPE, TYP)):
        raise CoseMalformed("a COSE message needs a type")
    header = cbor2.dumps({ALG: _ALGORITHMS[signer.key.type][0], **protected})
    signature = signer.sign(_to_be_signed(header, payload))
    return cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [header, {}, payload, signature]))


def parse_sign1(data: bytes) -> UnverifiedSign1:
    """Take a COSE_Sign1 apart, tagged or not, strictly.

    Raises:
        CoseMalformed: not such a message; a detached payload; a header that is no map, names a
            label twice or in both headers, has no `alg` under the signature, or has `crit` (we know
            no extension); claims that are no map.
    """
    try:
        message = parse_cbor(
            data,
            max_bytes=MAX_COSE_BYTES,
            max_depth=MAX_HEADER_DEPTH,
            max_items=MAX_HEADERS,
            tags={_SIGN1_TAG},
        )
        if isinstance(message, cbor2.CBORTag):
            message = message.value
        # Below a tag the library hands out tuples and frozen maps.
        if not isinstance(message, list | tuple) or len(message) != 4:
            raise CoseMalformed("a COSE_Sign1 is an array of four")
        header, unprotected, payload, signature = message
        if not all(isinstance(part, bytes) for part in (header, payload, signature)):
            raise CoseMalformed("header, payload and signature are byte strings")
        protected = parse_cbor(header, max_depth=MAX_HEADER_DEPTH, max_items=MAX_HEADERS)
    except CborMalformed as error:
        raise CoseMalformed(f"COSE: {error.detail}") from error
    if not isinstance(protected, Mapping) or not isinstance(unprotected, Mapping):
        raise CoseMalformed("a header is a map")
    if set(protected) & set(unprotected):  # RFC 9052 §3
        raise CoseMalformed("a label stands in both headers")
    if ALG not in protected or CRIT in protected or CRIT in unprotected:
        raise CoseMalformed("the header has no alg under the signature, or uses an extension")
    if not isinstance(protected.get(CWT_CLAIMS, {}), Mapping):
        raise CoseMalformed("claims in the header are a map")
    return UnverifiedSign1(
        protected=protected,
        unprotected=unprotected,
        signed_header=header,
        payload=payload,
        signature=signature,
    )


def verify_sign1(
    unverified: UnverifiedSign1, *, key: PublicKey, content_type: str, typ: str
) -> bytes:
    """Check type, algorithm and signature.

    Args:
        key: the key that the caller trusts for this; nothing in a header chooses it.
        content_type, typ: what labels 3 and 16 must say; at least one of them is there, and neither
            says anything else.

    Returns:
        The payload.

    Raises:
        CoseNotAccepted: another type, none at all, or an `alg` that is not that of `key`.
        SignatureNotValid: the signature does not verify.
    """
    protected = unverified.protected
    said = {label: protected[label] for label in (CONTENT_TYPE, TYP) if label in protected}
    wanted = {CONTENT_TYPE: content_type, TYP: typ}
    if not said or any(value != wanted[label] for label, value in said.items()):
        raise CoseNotAccepted(f"COSE type is not {content_type} or {typ}")
    algorithm = protected[ALG]
    if isinstance(algorithm, bool) or algorithm not in _ALGORITHMS.get(key.type, ()):
        raise CoseNotAccepted("COSE alg does not belong to the key")
    verify_signature(
        key,
        message=_to_be_signed(unverified.signed_header, unverified.payload),
        signature=unverified.signature,
    )
    return unverified.payload


def _to_be_signed(header: bytes, payload: bytes) -> bytes:
    """`Sig_structure` without external data (RFC 9052 §4.4)."""
    return cbor2.dumps(["Signature1", header, b"", payload])

"""Mobile documents as they travel (ISO/IEC 18013-5 §8.3.2.1, §9.1.2), taken apart strictly.

Nothing here is to be believed yet. What is signed keeps its bytes: digests and signatures are over
them, never over something encoded anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import cbor2

from identity.core.strict_cbor import CborMalformed, parse_cbor
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.refusals import Malformed

MAX_MDOC_BYTES = 256 << 10  # a portrait of 100 kB, twice over
MAX_DEPTH = 14
MAX_ITEMS = 4096  # CBOR values in one document
MAX_ELEMENTS = 256
MAX_CERTIFICATES = 5
EMBEDDED, DATE_TIME, FULL_DATE = 24, 0, 1004  # CBOR tags
ALG, KID, X5CHAIN = 1, 4, 33  # COSE header labels
_TAGS = frozenset({EMBEDDED, DATE_TIME, FULL_DATE, 18})
_EC2, _P256 = 2, 1  # COSE key type and curve (RFC 9053 §7.1)


class MdocMalformed(Malformed):
    """The bytes are no mobile document that we read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSign1:
    """A COSE_Sign1 without a tag; `payload` is None when it is detached."""

    signed_header: bytes
    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One disclosed element. `digest` is over its bytes as they came."""

    name_space: str
    name: str
    value: Any
    digest_id: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityObject:
    """What the issuer signed: digests of the elements, the device's key, dates, status.

    Args:
        digests: 32 bytes, by name space and digest id.
        content: the whole object as JSON, unknown members included; what is anchored.
        signed_at, valid_from, valid_until: unix seconds.
    """

    doctype: str
    digests: Mapping[tuple[str, int], bytes]
    device_key: PublicKey
    signed_at: int
    valid_from: int
    valid_until: int
    content: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedIssuerSigned:
    """The issuer's part of a document, with the elements that the holder shows."""

    elements: tuple[Element, ...]
    issuer_auth: UnverifiedSign1
    security_object: SecurityObject
    key_id: str
    chain: tuple[bytes, ...]  # DER, leaf first


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedDocument:
    """A document in a device response."""

    doctype: str
    issuer_signed: UnverifiedIssuerSigned
    device_name_spaces: bytes  # what the tag 24 holds
    device_signature: UnverifiedSign1


def parse_issuer_signed(data: bytes) -> UnverifiedIssuerSigned:
    """Take an `IssuerSigned` apart, as an issuer hands it out.

    Raises:
        MdocMalformed: it is none.
    """
    return _issuer_signed(_cbor(data))


def parse_device_response(data: bytes) -> UnverifiedDocument:
    """Take a device response with one document apart.

    Raises:
        MdocMalformed: it is none, says that something went wrong, holds another number of
            documents, or one that the device has not signed (a MAC is not read).
    """
    response = _map(_cbor(data), "device response")
    if response.get("version") != "1.0" or response.get("status") != 0:
        raise MdocMalformed("a device response has version 1.0 and status 0")
    documents = response.get("documents")
    if not isinstance(documents, list | tuple) or len(documents) != 1:
        raise MdocMalformed("a device response holds one document")
    document = _map(documents[0], "document")
    device = _map(document.get("deviceSigned"), "deviceSigned")
    auth = _map(device.get("deviceAuth"), "deviceAuth")
    if set(auth) != {"deviceSignature"}:
        raise MdocMalformed("the device signs with a signature")
    signed = _issuer_signed(document.get("issuerSigned"))
    return UnverifiedDocument(
        doctype=_text(document.get("docType"), "docType"),
        issuer_signed=signed,
        device_name_spaces=_embedded(device.get("nameSpaces")),
        device_signature=_sign1(auth["deviceSignature"], detached=True),
    )


def parse_security_object(data: bytes) -> SecurityObject:
    """Read a mobile security object from the bytes in its tag.

    Raises:
        MdocMalformed: it is none, or of another version, hash or kind of key.
    """
    members = _map(_cbor(data), "mobile security object")
    if members.get("version") != "1.0" or members.get("digestAlgorithm") != "SHA-256":
        raise MdocMalformed("a mobile security object has version 1.0 and SHA-256")
    digests: dict[tuple[str, int], bytes] = {}
    for name_space, entries in _map(members.get("valueDigests"), "valueDigests").items():
        for identifier, digest in _map(entries, "digests").items():
            if type(identifier) is not int or not isinstance(digest, bytes) or len(digest) != 32:
                raise MdocMalformed("a digest is 32 bytes under a number")
            digests[_text(name_space, "name space"), identifier] = digest
    validity = _map(members.get("validityInfo"), "validityInfo")
    key_info = _map(members.get("deviceKeyInfo"), "deviceKeyInfo")
    return SecurityObject(
        doctype=_text(members.get("docType"), "docType"),
        digests=digests,
        device_key=parse_cose_key(key_info.get("deviceKey")),
        signed_at=_seconds(validity.get("signed")),
        valid_from=_seconds(validity.get("validFrom")),
        valid_until=_seconds(validity.get("validUntil")),
        content=_object(members),
    )


def parse_cose_key(value: object) -> PublicKey:
    """A P-256 key in its COSE form.

    Raises:
        MdocMalformed, KeyNotAdmitted: another kind of key, or a point off the curve.
    """
    members = _map(value, "device key")
    x, y = members.get(-2), members.get(-3)
    if members.get(1) != _EC2 or members.get(-1) != _P256:
        raise MdocMalformed("the device key is no P-256 key")
    if not isinstance(x, bytes) or not isinstance(y, bytes) or len(x) != 32 or len(y) != 32:
        raise MdocMalformed("a coordinate of the device key is 32 bytes")
    return public_key(KeyType.P256, bytes([2 + (y[-1] & 1)]) + x)


def to_json(value: Any) -> Any:
    """A value of CBOR as JSON has it: bytes as base64url, times and dates as text.

    Raises:
        MdocMalformed: something that JSON has no form for.
    """
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, bytes):
        return base64url_encode(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, cbor2.CBORTag):
        return to_json(value.value)
    if value is None or isinstance(value, str | int):
        return value
    raise MdocMalformed("an element has a value that is not read here")


def embed(value: Any) -> cbor2.CBORTag:
    """`#6.24(bstr .cbor value)`; bytes are taken as encoded already."""
    return cbor2.CBORTag(EMBEDDED, value if isinstance(value, bytes) else cbor2.dumps(value))


def _issuer_signed(value: object) -> UnverifiedIssuerSigned:
    members = _map(value, "issuerSigned")
    if not set(members) <= {"nameSpaces", "issuerAuth"}:  # a misspelt one would hide what is shown
        raise MdocMalformed("issuerSigned has another member than nameSpaces and issuerAuth")
    auth = _sign1(members.get("issuerAuth"), detached=False)
    assert auth.payload is not None  # `_sign1` refuses a detached one
    elements: list[Element] = []
    for name_space, items in _map(members.get("nameSpaces", {}), "nameSpaces").items():
        if not isinstance(items, list | tuple):
            raise MdocMalformed("a name space holds an array")
        elements += [_element(_text(name_space, "name space"), item) for item in items]
    if len(elements) > MAX_ELEMENTS:
        raise MdocMalformed(f"a document shows at most {MAX_ELEMENTS} elements")
    return UnverifiedIssuerSigned(
        elements=tuple(elements),
        issuer_auth=auth,
        security_object=parse_security_object(_embedded(_cbor(auth.payload))),
        key_id=_key_id(auth),
        chain=_chain(auth.unprotected.get(X5CHAIN)),
    )


def _element(name_space: str, item: object) -> Element:
    encoded = _embedded(item)
    members = _map(_cbor(encoded), "element")
    random, identifier = members.get("random"), members.get("digestID")
    if not isinstance(random, bytes) or len(random) < 16:
        raise MdocMalformed("an element has at least 16 random bytes")
    if type(identifier) is not int or "elementValue" not in members:
        raise MdocMalformed("an element has a digestID and a value")
    return Element(
        name_space=name_space,
        name=_text(members.get("elementIdentifier"), "elementIdentifier"),
        value=to_json(members["elementValue"]),
        digest_id=identifier,
        digest=sha256(cbor2.dumps(embed(encoded))),
    )


def _sign1(value: object, *, detached: bool) -> UnverifiedSign1:
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise MdocMalformed("a COSE_Sign1 is an array of four")
    header, unprotected, payload, signature = value
    if not isinstance(header, bytes) or not isinstance(signature, bytes):
        raise MdocMalformed("header and signature are byte strings")
    if (payload is not None) if detached else not isinstance(payload, bytes):
        raise MdocMalformed("the payload is not where it belongs")
    protected = _map(_cbor(header), "header")
    if 2 in protected or ALG not in protected:  # crit: we know no extension
        raise MdocMalformed("the header has no alg, or an extension")
    return UnverifiedSign1(
        signed_header=header,
        protected=protected,
        unprotected=_map(unprotected, "header"),
        payload=payload,
        signature=signature,
    )


def _key_id(auth: UnverifiedSign1) -> str:
    value = auth.protected.get(KID, auth.unprotected.get(KID, b""))
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else ""
    except UnicodeDecodeError:
        return ""


def _chain(value: object) -> tuple[bytes, ...]:
    items = [value] if isinstance(value, bytes) else value
    if items is None:
        return ()
    if not isinstance(items, list | tuple) or not 1 <= len(items) <= MAX_CERTIFICATES:
        raise MdocMalformed("x5chain holds one to five certificates")
    if not all(isinstance(item, bytes) for item in items):
        raise MdocMalformed("x5chain holds certificates")
    return tuple(items)


def _cbor(data: object) -> Any:
    try:
        return parse_cbor(
            data if isinstance(data, bytes) else b"",
            max_bytes=MAX_MDOC_BYTES,
            max_depth=MAX_DEPTH,
            max_items=MAX_ITEMS,
            tags=_TAGS,
        )
    except CborMalformed as error:
        raise MdocMalformed(f"mdoc: {error.detail}") from error


def _embedded(value: object) -> bytes:
    if (
        not isinstance(value, cbor2.CBORTag)
        or value.tag != EMBEDDED
        or not isinstance(value.value, bytes)
    ):
        raise MdocMalformed("something that is to be embedded CBOR is not")
    return value.value


def _map(value: object, name: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise MdocMalformed(f"{name} is not a map")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise MdocMalformed(f"{name} is no text of 1 to 256 characters")
    return value


def _seconds(value: object) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise MdocMalformed("a date of the mobile security object is no date-time")
    return int(value.timestamp())


def _object(members: Mapping[Any, Any]) -> JsonObject:
    content: JsonObject = to_json(members)
    return content

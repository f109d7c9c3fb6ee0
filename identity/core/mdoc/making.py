"""Makes mobile documents: the issuer's part, and what a holder shows of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cbor2

from identity.core.mdoc.format import ALG, DATE_TIME, KID, X5CHAIN, embed, parse_security_object
from identity.core.mdoc.session import Handover
from identity.core.mdoc.verifying import device_authentication, to_be_signed
from identity.core.signing import Signer
from registry.core.encoding import JsonObject, base64url_decode
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey
from registry.core.refusals import Malformed

RANDOM_BYTES = 32  # salt of an element; ISO/IEC 18013-5 wants 16 at least
_ES256 = -7


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMdoc:
    """A document before its issuer signs: the elements, the security object, and its content.

    `content` is what is anchored, and says the same as `security_object` in JSON.
    """

    name_spaces: Mapping[str, Sequence[bytes]]
    security_object: bytes
    content: JsonObject


def draft_mdoc(
    *,
    doctype: str,
    claims: Mapping[str, Any],
    device_key: PublicKey,
    issued_at: int,
    expires_at: int,
    status: JsonObject,
    anchor: JsonObject,
    random: Callable[[int], bytes],
) -> DraftMdoc:
    """Put a document together; its elements stand in the name space called as the doctype.

    Args:
        device_key: P-256; the holder signs with it.
        status: `{"status_list": {"idx", "uri"}}`.
        anchor: as `AnchorClaim.to_json`; a member of its own in the security object.
        random: source of fresh bytes.

    Raises:
        Malformed: the device key is of another type.
    """
    items = [
        cbor2.dumps(
            {
                "digestID": number,
                "random": random(RANDOM_BYTES),
                "elementIdentifier": name,
                "elementValue": value,
            }
        )
        for number, (name, value) in enumerate(claims.items())
    ]
    digests = {number: sha256(cbor2.dumps(embed(item))) for number, item in enumerate(items)}
    encoded = cbor2.dumps(
        {
            "version": "1.0",
            "digestAlgorithm": "SHA-256",
            "valueDigests": {doctype: digests},
            "deviceKeyInfo": {"deviceKey": cose_key(device_key)},
            "docType": doctype,
            "validityInfo": {
                "signed": _date_time(issued_at),
                "validFrom": _date_time(issued_at),
                "validUntil": _date_time(expires_at),
            },
            "status": status,
            "anchor": anchor,
        }
    )
    return DraftMdoc(
        name_spaces={doctype: items},
        security_object=encoded,
        content=parse_security_object(encoded).content,
    )


def sign_mdoc(draft: DraftMdoc, *, signer: Signer, chain: Sequence[bytes]) -> bytes:
    """The `IssuerSigned`: signed by a P-256 key whose DID URL is `kid` and whose chain is there.

    Args:
        chain: DER, leaf first, the root left out; may be empty.
    """
    header = cbor2.dumps({ALG: _ES256})
    payload = cbor2.dumps(embed(draft.security_object))
    unprotected: dict[int, Any] = {KID: signer.verification_method.encode()}
    if chain:
        unprotected[X5CHAIN] = chain[0] if len(chain) == 1 else list(chain)
    signature = signer.sign(to_be_signed(header, payload))
    return cbor2.dumps(
        {
            "nameSpaces": {
                name: [embed(item) for item in items] for name, items in draft.name_spaces.items()
            },
            "issuerAuth": [header, unprotected, payload, signature],
        }
    )


def present_mdoc(
    issuer_signed: bytes,
    *,
    elements: Collection[str],
    holder: Signer,
    handover: Handover,
) -> bytes:
    """A device response that shows `elements` and nothing else, signed for one request."""
    held = cbor2.loads(issuer_signed)
    (doctype,) = held["nameSpaces"]
    shown = [
        item
        for item in held["nameSpaces"][doctype]
        if cbor2.loads(item.value)["elementIdentifier"] in elements
    ]
    name_spaces = cbor2.dumps({})
    header = cbor2.dumps({ALG: _ES256})
    payload = device_authentication(doctype, name_spaces, handover=handover)
    signature = holder.sign(to_be_signed(header, payload))
    return cbor2.dumps(
        {
            "version": "1.0",
            "documents": [
                {
                    "docType": doctype,
                    "issuerSigned": {**held, "nameSpaces": {doctype: shown} if shown else {}},
                    "deviceSigned": {
                        "nameSpaces": embed(name_spaces),
                        "deviceAuth": {"deviceSignature": [header, {}, None, signature]},
                    },
                }
            ],
            "status": 0,
        }
    )


def cose_key(key: PublicKey) -> dict[int, Any]:
    """A P-256 key in its COSE form (RFC 9053 §7.1).

    Raises:
        Malformed: a key of another type.
    """
    if key.type is not KeyType.P256:
        raise Malformed("devices sign mobile documents with P-256")
    jwk = key.jwk
    return {1: 2, -1: 1, -2: base64url_decode(jwk["x"]), -3: base64url_decode(jwk["y"])}


def _date_time(seconds: int) -> cbor2.CBORTag:
    """Tag 0 without fractions of a second (§9.1.2.4)."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return cbor2.CBORTag(DATE_TIME, text)

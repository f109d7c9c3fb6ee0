"""The checks of a mobile document: the issuer's signature and digests, and the device's signature.

Who the issuer is, and whether the document holds now, is for the checks of the pipeline.
"""

import cbor2

from identity.core.certificate_chains import key_of_leaf
from identity.core.certificates import read_certificate
from identity.core.mdoc.format import (
    ALG,
    UnverifiedDocument,
    UnverifiedIssuerSigned,
    UnverifiedSign1,
    embed,
)
from identity.core.mdoc.session import Handover, session_transcript
from registry.core.keys import KeyType, PublicKey, verify_signature
from registry.core.refusals import NotPermitted

_ES256 = (-7, -9)  # RFC 9053, and its fully-specified name of RFC 9864


class MdocNotAccepted(NotPermitted):
    """The document shows something that its issuer did not sign, or contradicts itself."""


def verify_issuer_signed(unverified: UnverifiedIssuerSigned, *, key: PublicKey) -> None:
    """Check the issuer's signature, and that it covers every element shown (§9.3.1).

    1. `alg` is ES256 and `key` is the leaf's in `x5chain`, when there is a chain.
    2. The signature over the security object verifies under `key`.
    3. Each element's digest is the one under its name space and number; no number twice.

    Raises:
        MdocNotAccepted, ChainNotUsable: with the step that failed.
        SignatureNotValid: the signature does not verify.
    """
    auth = unverified.issuer_auth
    if unverified.chain and key_of_leaf(read_certificate(unverified.chain[0])) != key:  # 1
        raise MdocNotAccepted("the certificate is for another key than the issuer's")
    _verify(auth, key=key, payload=auth.payload or b"")  # 2
    seen = set()
    for element in unverified.elements:  # 3
        place = (element.name_space, element.digest_id)
        if place in seen:
            raise MdocNotAccepted("two elements have one number")
        seen.add(place)
        if unverified.security_object.digests.get(place) != element.digest:
            raise MdocNotAccepted("the issuer signed no such element")


def verify_device_signed(unverified: UnverifiedDocument, *, handover: Handover) -> None:
    """Check the device's signature over this request (§9.1.3.4); the security object names its key.

    Raises:
        MdocNotAccepted: the two parts are of different kinds of document.
        SignatureNotValid: by another key, or for another request.
    """
    signed = unverified.issuer_signed.security_object
    if unverified.doctype != signed.doctype:
        raise MdocNotAccepted("the document is of another kind than the issuer signed")
    payload = device_authentication(
        unverified.doctype, unverified.device_name_spaces, handover=handover
    )
    _verify(unverified.device_signature, key=signed.device_key, payload=payload)


def device_authentication(doctype: str, name_spaces: bytes, *, handover: Handover) -> bytes:
    """`DeviceAuthenticationBytes`: what the device signs, detached."""
    return cbor2.dumps(
        embed(
            [
                "DeviceAuthentication",
                session_transcript(handover),
                doctype,
                embed(name_spaces),
            ]
        )
    )


def to_be_signed(header: bytes, payload: bytes) -> bytes:
    """`Sig_structure` without external data (RFC 9052 §4.4)."""
    return cbor2.dumps(["Signature1", header, b"", payload])


def _verify(message: UnverifiedSign1, *, key: PublicKey, payload: bytes) -> None:
    algorithm = message.protected[ALG]
    if isinstance(algorithm, bool) or algorithm not in _ES256 or key.type is not KeyType.P256:
        raise MdocNotAccepted("mobile documents are signed with ES256")
    verify_signature(
        key, message=to_be_signed(message.signed_header, payload), signature=message.signature
    )

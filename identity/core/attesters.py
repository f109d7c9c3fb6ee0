"""Wallet providers that an agency trusts to attest, and which of their keys signed something."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.core.certificates import read_certificate
from identity.core.jose import UnverifiedJws, verify_compact
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.refusals import NotPermitted, Refusal

MAX_CHAIN = 5
_EC_TYPES = {"secp256r1": KeyType.P256, "secp384r1": KeyType.P384}


class AttesterNotTrusted(NotPermitted):
    """Nobody who is trusted here signed it."""


@dataclass(frozen=True, slots=True)
class Attesters:
    """Keys, and roots of certificates (DER), of those who are trusted."""

    keys: tuple[PublicKey, ...]
    roots: tuple[bytes, ...]


def attester_key(jws: UnverifiedJws, trusted: Attesters, *, typ: str, now: int) -> PublicKey:
    """The trusted key that `jws` has to verify under; the caller verifies.

    With `x5c` it is that of the leaf, if the chain leads to a trusted root and is valid now.

    Raises:
        AttesterNotTrusted: there is none.
        CertificateMalformed: something in the chain is no certificate.
    """
    if "x5c" in jws.header:
        return _certified(jws.header["x5c"], trusted.roots, now=now)
    for key in trusted.keys:
        try:
            verify_compact(jws, key=key, typ=typ)
        except Refusal:
            continue
        return key
    raise AttesterNotTrusted("not signed by a provider that is trusted here")


def _certified(header: object, roots: Sequence[bytes], *, now: int) -> PublicKey:
    """Key of the leaf of a chain that ends under one of `roots`."""
    if not isinstance(header, list) or not 1 <= len(header) <= MAX_CHAIN:
        raise AttesterNotTrusted("x5c is no list of certificates")
    try:
        chain = [read_certificate(b64decode(item, validate=True)) for item in header]
    except (Base64Error, TypeError, ValueError) as error:
        raise AttesterNotTrusted("x5c is not base64") from error
    moment = datetime.fromtimestamp(now, UTC)
    for item in chain:
        if not item.not_valid_before_utc <= moment <= item.not_valid_after_utc:
            raise AttesterNotTrusted("a certificate of x5c is not valid now")
    for lower, upper in pairwise(chain):
        if not _issued(lower, upper):
            raise AttesterNotTrusted("x5c is no chain")
    trusted = [read_certificate(root) for root in roots]
    top = chain[-1]
    if not any(_issued(top, root) for root in trusted):
        raise AttesterNotTrusted("x5c leads to no root that is trusted here")
    return _leaf_key(chain[0])


def _issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        constraints = upper.extensions.get_extension_for_class(x509.BasicConstraints).value
        lower.verify_directly_issued_by(upper)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.ca


def _leaf_key(leaf: x509.Certificate) -> PublicKey:
    key: Any = leaf.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return public_key(KeyType.ED25519, key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _EC_TYPES:
        point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return public_key(_EC_TYPES[key.curve.name], point)
    raise AttesterNotTrusted("the certificate has a key of another kind")

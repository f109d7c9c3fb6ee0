"""Wallet providers that an agency trusts to attest, and which of their keys signed something."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.core.certificates import issued_by, read_certificate
from identity.core.jose import UnverifiedJws, verify_compact
from registry.core.keys import KeyType, PublicKey, public_key
from registry.core.refusals import NotPermitted, Refusal

MAX_CHAIN = 5
E = TypeVar("E", bound=x509.ExtensionType)
_EC_TYPES = {"secp256r1": KeyType.P256, "secp384r1": KeyType.P384}


# RFC 5280 §6.1.4 (o): what is critical and not processed here makes a path invalid. Names and uses
# of a leaf beyond signing say nothing here: the roots are of providers alone.
_PROCESSED = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
)


class AttesterNotTrusted(NotPermitted):
    """Nobody who is trusted here signed it."""


@dataclass(frozen=True, slots=True)
class Attesters:
    """Keys, and roots of certificates (DER), of those who are trusted.

    Whoever holds a certificate under a root counts as a provider: a root that also certifies
    others, such as one of the web or of an institution's services, must not be among them.
    """

    keys: tuple[PublicKey, ...]
    roots: tuple[bytes, ...]


def attester_key(jws: UnverifiedJws, trusted: Attesters, *, typ: str, now: int) -> PublicKey:
    """The trusted key that `jws` has to verify under; the caller verifies.

    One of the trusted keys, wherever a chain beside it leads; otherwise, with `x5c`, that of the
    leaf, if the chain leads to a trusted root and is valid now. The leaf has the key that signed
    in either case (RFC 7515 §4.1.6).

    Raises:
        AttesterNotTrusted: there is none.
        CertificateMalformed: something in the chain is no certificate.
    """
    chain = _chain(jws.header["x5c"]) if "x5c" in jws.header else []
    for key in trusted.keys:
        if chain and _leaf_key(chain[0]) != key:
            continue
        try:
            verify_compact(jws, key=key, typ=typ)
        except Refusal:
            continue
        return key
    if chain:
        return _certified(chain, trusted.roots, now=now)
    raise AttesterNotTrusted("not signed by a provider that is trusted here")


def _chain(header: object) -> list[x509.Certificate]:
    if not isinstance(header, list) or not 1 <= len(header) <= MAX_CHAIN:
        raise AttesterNotTrusted("x5c is no list of certificates")
    try:
        return [read_certificate(b64decode(item, validate=True)) for item in header]
    except (Base64Error, TypeError, ValueError) as error:
        raise AttesterNotTrusted("x5c is not base64") from error


def _certified(chain: list[x509.Certificate], roots: Sequence[bytes], *, now: int) -> PublicKey:
    """Key of the leaf of a chain that ends under one of `roots`.

    The library's own verifier is made for servers of the web: it wants a host name and knows no
    Ed25519. So these are the parts of RFC 5280 §6.1 that apply.
    """
    trusted = [read_certificate(root) for root in roots]
    if len(chain) > 1 and chain[-1] in trusted:
        chain.pop()  # some send the root too
    moment = datetime.fromtimestamp(now, UTC)
    for item in chain:
        _check_now(item, moment)
    _check_leaf(chain[0])
    for depth, (lower, upper) in enumerate(pairwise(chain)):
        if not _issued(lower, upper, between=depth):
            raise AttesterNotTrusted("x5c is no chain")
    root = next((r for r in trusted if _issued(chain[-1], r, between=len(chain) - 1)), None)
    if root is None:
        raise AttesterNotTrusted("x5c leads to no root that is trusted here")
    _check_now(root, moment)
    return _leaf_key(chain[0])


def _check_now(item: x509.Certificate, moment: datetime) -> None:
    if not item.not_valid_before_utc <= moment <= item.not_valid_after_utc:
        raise AttesterNotTrusted("a certificate of x5c is not valid now")
    if any(e.critical and not isinstance(e.value, _PROCESSED) for e in item.extensions):
        raise AttesterNotTrusted("a certificate of x5c has a critical extension of another kind")


def _check_leaf(leaf: x509.Certificate) -> None:
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise AttesterNotTrusted("the first certificate of x5c is one of an authority")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise AttesterNotTrusted("the first certificate of x5c is not for signing")


def _issued(lower: x509.Certificate, upper: x509.Certificate, *, between: int) -> bool:
    """Whether `upper` signed `lower`, and may; `between` it and the leaf are so many others."""
    constraints, usage = _extension(upper, x509.BasicConstraints), _extension(upper, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        return False
    if constraints.path_length is not None and between > constraints.path_length:
        return False
    if usage is not None and not usage.key_cert_sign:
        return False
    return issued_by(lower, upper)


def _extension(item: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return item.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _leaf_key(leaf: x509.Certificate) -> PublicKey:
    key: Any = leaf.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return public_key(KeyType.ED25519, key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _EC_TYPES:
        point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return public_key(_EC_TYPES[key.curve.name], point)
    raise AttesterNotTrusted("the certificate has a key of another kind")

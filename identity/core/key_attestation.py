"""Key attestations of wallets (OpenID4VCI 1.0 appendix D): who says how well keys are kept.

A wallet's provider signs that keys lie in a storage of some strength. We check that only where an
agency demands it for a credential, and then against the providers that this agency trusts.
"""

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
from identity.core.jose import UnverifiedJws, parse_compact, verify_compact
from identity.core.oid4vci_errors import InvalidProof
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType, PublicKey, parse_jwk, public_key
from registry.core.refusals import Refusal

TYP = "key-attestation+jwt"
MAX_ATTESTATION_CHARS = 64 << 10
MAX_ATTESTED_KEYS = 64
MAX_CHAIN = 5
CLOCK_SKEW_SECONDS = 120
_EC_TYPES = {"secp256r1": KeyType.P256, "secp384r1": KeyType.P384}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationDemand:
    """What an agency asks of attestations, and whom it believes.

    `key_storage` and `user_authentication` list accepted values; an empty one asks for nothing.
    """

    trusted_keys: tuple[PublicKey, ...] = ()
    trusted_roots: tuple[bytes, ...] = ()  # DER
    key_storage: tuple[str, ...] = ()
    user_authentication: tuple[str, ...] = ()

    @property
    def metadata(self) -> JsonObject:
        """`key_attestations_required` of a proof type (§12.2.4)."""
        named = {
            "key_storage": list(self.key_storage),
            "user_authentication": list(self.user_authentication),
        }
        return {name: values for name, values in named.items() if values}


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation that a trusted provider signed. The nonce is the caller's to use up."""

    keys: tuple[PublicKey, ...]
    nonce: str


def verify_attestation(
    unverified: str, demand: AttestationDemand, *, now: int, needs_end: bool
) -> Attestation:
    """Check an attestation (§D.1).

    1. A compact JWS of type `key-attestation+jwt`, not larger than any should be.
    2. Signed by a trusted key, or by a certificate under a trusted root that is valid now.
    3. Issued in the past; not expired, and with an end where it comes with a `jwt` proof.
    4. Key storage and user authentication are among those that are accepted.
    5. Attested keys are there, admitted, and all different; the nonce is there.

    Raises:
        InvalidProof: with the step that failed.
    """
    try:
        jws = parse_compact(unverified, max_chars=MAX_ATTESTATION_CHARS)  # 1
        claims = verify_compact(jws, key=_signer(jws, demand, now=now), typ=TYP).claims  # 2
        keys = tuple(parse_jwk(item) for item in _list(claims, "attested_keys"))  # 5
    except InvalidProof:
        raise
    except Refusal as error:
        raise InvalidProof(f"key attestation: {error.detail}") from error
    issued, ends = _seconds(claims, "iat"), _seconds(claims, "exp")  # 3
    if issued is None or issued > now + CLOCK_SKEW_SECONDS:
        raise InvalidProof("key attestation: iat is missing, or lies in the future")
    if ends is None and needs_end:
        raise InvalidProof("key attestation: exp is missing")
    if ends is not None and ends < now - CLOCK_SKEW_SECONDS:
        raise InvalidProof("key attestation: it has expired")
    for name, accepted in (  # 4
        ("key_storage", demand.key_storage),
        ("user_authentication", demand.user_authentication),
    ):
        if accepted and not set(accepted) & {str(item) for item in _list(claims, name)}:
            raise InvalidProof(f"key attestation: {name} is none of {', '.join(accepted)}")
    if len(set(keys)) != len(keys):
        raise InvalidProof("key attestation: a key comes twice")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise InvalidProof("key attestation: nonce is missing")
    return Attestation(keys, nonce)


def _signer(jws: UnverifiedJws, demand: AttestationDemand, *, now: int) -> PublicKey:
    if "x5c" in jws.header:
        return _certified(jws.header["x5c"], demand.trusted_roots, now=now)
    for key in demand.trusted_keys:
        try:
            verify_compact(jws, key=key, typ=TYP)
        except Refusal:
            continue
        return key
    raise InvalidProof("key attestation: not signed by a provider that is trusted here")


def _certified(header: object, roots: Sequence[bytes], *, now: int) -> PublicKey:
    """Key of the leaf of a chain that ends under one of `roots`."""
    if not isinstance(header, list) or not 1 <= len(header) <= MAX_CHAIN:
        raise InvalidProof("key attestation: x5c is no list of certificates")
    try:
        chain = [read_certificate(b64decode(item, validate=True)) for item in header]
    except (Base64Error, TypeError, ValueError) as error:
        raise InvalidProof("key attestation: x5c is not base64") from error
    moment = datetime.fromtimestamp(now, UTC)
    for item in chain:
        if not item.not_valid_before_utc <= moment <= item.not_valid_after_utc:
            raise InvalidProof("key attestation: a certificate of x5c is not valid now")
    for lower, upper in pairwise(chain):
        if not _issued(lower, upper):
            raise InvalidProof("key attestation: x5c is no chain")
    trusted = [read_certificate(root) for root in roots]
    top = chain[-1]
    if not any(_issued(top, root) for root in trusted):
        raise InvalidProof("key attestation: x5c leads to no root that is trusted here")
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
    raise InvalidProof("key attestation: the certificate has a key of another kind")


def _list(claims: JsonObject, name: str) -> list[Any]:
    found = claims.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_ATTESTED_KEYS:
        raise InvalidProof(f"key attestation: {name} is missing, empty or too long")
    return found


def _seconds(claims: JsonObject, name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1 << 53:
        raise InvalidProof(f"key attestation: {name} is no number of seconds")
    return int(value)

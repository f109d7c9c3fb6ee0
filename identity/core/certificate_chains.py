"""Whether a chain of certificates leads to a root that we trust (RFC 5280 §6, narrowed).

Certificates add a name to a key, or say which framework an issuer belongs to (`aki` in DCQL). Who
may issue is the ledger's to say, whatever a chain says.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.core.certificates import MAX_CHAIN, ChainNotUsable, issued_by, read_certificate
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType, PublicKey, public_key


def verify_chain(
    chain: Sequence[bytes], *, roots: Sequence[bytes], now: datetime
) -> tuple[x509.Certificate, ...]:
    """Check a chain as `x5c` or `x5chain` carries it; the certificates, leaf first.

    1. One to `MAX_CHAIN` certificates, each issued by the next; none is its own issuer.
    2. The last one is issued by one of `roots`, which may certify.
    3. Those between are allowed to certify; the leaf is not.
    4. All of them, and the root, are valid now.

    Args:
        chain: DER, the leaf first, the root left out.
        roots: DER of the roots that the caller trusts.
        now: aware.

    Raises:
        CertificateMalformed: something in it is no certificate.
        ChainNotUsable: with the step that failed.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:  # 1
        raise ChainNotUsable(f"a chain has one to {MAX_CHAIN} certificates")
    certificates = tuple(read_certificate(item) for item in chain)
    if any(item.subject == item.issuer for item in certificates):
        raise ChainNotUsable("the chain holds a self-signed certificate")
    for lower, upper in pairwise(certificates):
        if not issued_by(lower, upper):
            raise ChainNotUsable("a certificate of the chain is not issued by the next one")
    trusted = [read_certificate(item) for item in roots]
    root = next((item for item in trusted if issued_by(certificates[-1], item)), None)
    if root is None:  # 2
        raise ChainNotUsable("the chain leads to no root that is trusted here")
    if not all(map(_may_certify, (*certificates[1:], root))) or _may_certify(certificates[0]):  # 3
        raise ChainNotUsable("a certificate of the chain is used for what it is not made for")
    for item in (*certificates, root):  # 4
        if not item.not_valid_before_utc <= now <= item.not_valid_after_utc:
            raise ChainNotUsable("a certificate of the chain is not valid now")
    return certificates


def key_of_leaf(leaf: x509.Certificate) -> PublicKey:
    """The P-256 key that a certificate is for.

    Raises:
        ChainNotUsable: it is for a key of another type.
    """
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ChainNotUsable("the certificate is for no P-256 key")
    return public_key(KeyType.P256, key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def authority_key_ids(chain: Sequence[x509.Certificate]) -> frozenset[str]:
    """Base64url of the key identifiers of whoever issued each certificate (OpenID4VP §6.1.1.1)."""
    found = set()
    for certificate in chain:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        except x509.ExtensionNotFound:
            continue
        if extension.value.key_identifier:
            found.add(base64url_encode(extension.value.key_identifier))
    return frozenset(found)


def _may_certify(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False

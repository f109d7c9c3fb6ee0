"""X.509 certificates of an installation (RFC 5280): one root, and a leaf for each institution.

Wallets and verifiers in the field find an institution's key by `x5c`: the leaf first, the root
left out (SD-JWT VC §3.5, HAIP 1.0 §6.1.1, OpenID4VP 1.0 §5.9.3). A leaf binds the key that the
ledger already names to the address under which the institution is reached; it opens nothing else.
"""

import ipaddress
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from identity.core.signing import PrivateKey
from registry.core.keys import KeyType, PublicKey
from registry.core.refusals import Malformed, NotPermitted

ROOT_LIFETIME = timedelta(days=20 * 365)
# A credential carries the leaf of the day it was signed, and peers judge the leaf by the day it is
# shown. So a leaf is replaced while it still outlives every credential that is signed with it.
LEAF_LIFETIME = timedelta(days=825)
RENEW_BEFORE = timedelta(days=400)
BACKDATE = timedelta(hours=1)  # clocks of verifiers run behind ours
MAX_CHAIN = 5
MAX_NAME_CHARS = 64  # ub-common-name and ub-organization-name
_SERIAL_BYTES = 16


class CertificateMalformed(Malformed):
    """Bytes that are no certificate, or a name that a certificate cannot hold."""


class ChainNotUsable(NotPermitted):
    """The chain does not lead from the institution's key, or is not valid now."""


class CertificateChain(Protocol):
    """Where an institution's certificates come from; they are renewed behind this seam."""

    def current(self) -> tuple[bytes, ...]:
        """DER, the leaf first and the root left out; empty when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class FixedChain:
    """A chain that does not change while the process runs; the empty one says "none"."""

    certificates: tuple[bytes, ...] = ()

    def current(self) -> tuple[bytes, ...]:
        """As `CertificateChain.current`."""
        return self.certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a leaf names: `country` by ISO 3166-1 alpha-2, `url` as published."""

    name: str
    country: str
    url: str
    key: PublicKey  # P-256


def make_root(
    private: PrivateKey,
    *,
    name: str,
    country: str,
    now: datetime,
    random: Callable[[int], bytes],
) -> bytes:
    """The self-signed certificate of an installation, DER. It signs leaves and nothing else."""
    subject = _name(name, country)
    key = _public(private.key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = _begin(subject, subject, key, now=now, lifetime=ROOT_LIFETIME, random=random)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    return _sign(builder, private)


def make_leaf(
    subject: Subject,
    *,
    root: bytes,
    private: PrivateKey,
    now: datetime,
    random: Callable[[int], bytes],
    lifetime: timedelta = LEAF_LIFETIME,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A leaf for the key of an institution, DER.

    Args:
        subject: SAN gets its URL, and the host of it as DNS name.
        root: DER of the root that `private` belongs to.
        private: the root's key.
        now: aware.
        random: source of random bytes.
        lifetime: cut to the end of the root.
        extensions: further ones, each with whether it is critical.
    """
    issuer = read_certificate(root)
    key = _public(subject.key)
    host = urlsplit(subject.url).hostname or ""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(subject.url)]
    if host:
        # Peers compare `x509_san_dns` with DNS names alone, on loopback too.
        names.append(x509.DNSName(host))
        with suppress(ValueError):
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
    builder = _begin(
        _name(subject.name, subject.country),
        issuer.subject,
        key,
        now=now,
        lifetime=min(lifetime, issuer.not_valid_after_utc - now),
        random=random,
    )
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return _sign(builder, private)


def needs_renewal(leaf: bytes, subject: Subject, *, root: bytes, now: datetime) -> bool:
    """Whether a leaf is of another key, address or root, or would end before credentials do."""
    certificate = read_certificate(leaf)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        _spki(certificate.public_key()) != _spki(_public(subject.key))
        or subject.url not in names.get_values_for_type(x509.UniformResourceIdentifier)
        or certificate.issuer != read_certificate(root).subject
        or not issued_by(certificate, read_certificate(root))
        or certificate.not_valid_after_utc - now < RENEW_BEFORE
    )


def check_chain(chain: Sequence[bytes], subject: Subject, *, now: datetime) -> None:
    """Check a chain that an institution brings from elsewhere.

    1. One to `MAX_CHAIN` certificates, the leaf first, each issued by the next; no root among them.
    2. The leaf is for the institution's key, and names its URL or the host of it.
    3. All are valid now.

    Raises:
        CertificateMalformed: something in it is no certificate.
        ChainNotUsable: with the step that failed.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:  # 1
        raise ChainNotUsable(f"a chain has one to {MAX_CHAIN} certificates")
    certificates = [read_certificate(item) for item in chain]
    for lower, upper in pairwise(certificates):
        if not issued_by(lower, upper):
            raise ChainNotUsable("a certificate of the chain is not issued by the next one")
    if any(item.subject == item.issuer for item in certificates):
        raise ChainNotUsable("the chain holds a root; x5c leaves it out")
    leaf = certificates[0]
    if _spki(leaf.public_key()) != _spki(_public(subject.key)):  # 2
        raise ChainNotUsable("the leaf is for another key than the institution signs with")
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ChainNotUsable("the leaf has no subject alternative name") from error
    host = urlsplit(subject.url).hostname
    if subject.url not in names.get_values_for_type(
        x509.UniformResourceIdentifier
    ) and host not in names.get_values_for_type(x509.DNSName):
        raise ChainNotUsable("the leaf names neither the URL of the institution nor its host")
    for item in certificates:  # 3
        if not item.not_valid_before_utc <= now <= item.not_valid_after_utc:
            raise ChainNotUsable("a certificate of the chain is not valid now")


def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate from its DER.

    Raises:
        CertificateMalformed: it is none.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        # The library reads these when they are first asked for; what fails, fails here.
        for part in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
        certificate.public_key()
        list(certificate.extensions)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise CertificateMalformed("not a certificate") from error
    return certificate


def issued_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Whether `upper` names and signed `lower`; not, where its key is none that is read here."""
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def read_pem_chain(text: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM file as DER, in their order.

    Raises:
        CertificateMalformed: there is none.
    """
    try:
        return tuple(
            item.public_bytes(Encoding.DER) for item in x509.load_pem_x509_certificates(text)
        )
    except ValueError as error:
        raise CertificateMalformed("no PEM certificates") from error


def to_pem(der: bytes) -> bytes:
    """PEM of one certificate."""
    return read_certificate(der).public_bytes(Encoding.PEM)


def x5c(chain: Sequence[bytes]) -> list[str]:
    """The `x5c` header (RFC 7515 §4.1.6): base64 with padding, not base64url."""
    return [b64encode(item).decode("ascii") for item in chain]


def with_x5c(header: dict[str, Any], certificates: CertificateChain) -> dict[str, Any]:
    """`header` with the chain of the day, where there is one."""
    chain = certificates.current()
    return {**header, "x5c": x5c(chain)} if chain else header


NO_CERTIFICATES = FixedChain()


class _SeamKey(ec.EllipticCurvePrivateKey):
    """Lets the certificate builder sign with a key that may lie in a hardware token."""

    def __init__(self, private: PrivateKey) -> None:
        self._private = private

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA with SHA-256, DER, from the raw R and S of the seam."""
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise TypeError("the root signs with SHA-256")
        raw = self._private.sign(bytes(data))
        return encode_dss_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        )

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return _public(self._private.key)

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        """In bits."""
        return 256

    def exchange(self, *_: Any, **__: Any) -> NoReturn:
        """Never: this key signs certificates."""
        raise TypeError("a signing key agrees on nothing")

    def private_numbers(self) -> NoReturn:
        """Never: the private key stays behind the seam."""
        raise TypeError("the private key stays where it is")

    def private_bytes(self, *_: Any, **__: Any) -> NoReturn:
        """Never: the private key stays behind the seam."""
        raise TypeError("the private key stays where it is")

    def __copy__(self) -> "_SeamKey":
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "_SeamKey":
        return self


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    lifetime: timedelta,
    random: Callable[[int], bytes],
) -> x509.CertificateBuilder:
    start = now.replace(microsecond=0)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=int.from_bytes(b"\x01" + random(_SERIAL_BYTES), "big"),
        not_valid_before=start - BACKDATE,
        not_valid_after=start + lifetime,
    )


def _sign(builder: x509.CertificateBuilder, private: PrivateKey) -> bytes:
    return builder.sign(_SeamKey(private), hashes.SHA256()).public_bytes(Encoding.DER)


def _name(name: str, country: str) -> x509.Name:
    text = name[:MAX_NAME_CHARS]
    try:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, text),
                x509.NameAttribute(NameOID.COMMON_NAME, text),
            ]
        )
    except ValueError as error:
        raise CertificateMalformed("a certificate cannot hold this name or country") from error


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _public(key: PublicKey) -> ec.EllipticCurvePublicKey:
    if key.type is not KeyType.P256:
        raise CertificateMalformed("only P-256 keys get certificates")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.data)


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded

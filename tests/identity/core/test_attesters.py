"""Whose certificate makes a wallet provider: the path rules of RFC 5280 §6.1, one by one."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from identity.core.attesters import AttesterNotTrusted, Attesters, attester_key
from identity.core.certificates import CertificateMalformed
from identity.core.jose import parse_compact, sign_compact
from identity.core.signing import NamedSigner
from registry.core.keys import PublicKey
from tests.identity.core.test_certificates import key

NOW = datetime(2027, 3, 1, tzinfo=UTC)
TYP = "oauth-client-attestation+jwt"
NAMES = ("root", "upper", "lower", "leaf")
WHOLE = NAMES[::-1]  # as in x5c, with the root
KEYS = {name: ec.derive_private_key(number, ec.SECP256R1()) for number, name in enumerate(NAMES, 7)}
PROVIDER = key("provider")


def usage(*bits: str) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


CA = x509.BasicConstraints(ca=True, path_length=None)
AUTHORITY: dict[str, Any] = {"constraints": CA, "usage": usage("key_cert_sign")}
PLAIN: dict[str, dict[str, Any]] = {
    "root": {"issuer": "root", **AUTHORITY},
    "upper": {"issuer": "root", **AUTHORITY},
    "lower": {"issuer": "upper", **AUTHORITY},
    "leaf": {
        "issuer": "lower",
        "constraints": x509.BasicConstraints(ca=False, path_length=None),
        "usage": usage("digital_signature"),
    },
}


def certificate(name: str, **changes: Any) -> bytes:
    made = {"days": (-1, 10), "more": None, **PLAIN[name], **changes}
    public = PROVIDER.key if name == "leaf" else None
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, made["issuer"])]))
        .public_key(KEYS[name].public_key() if public is None else _public(public))
        .serial_number(5)
        .not_valid_before(NOW + timedelta(days=made["days"][0]))
        .not_valid_after(NOW + timedelta(days=made["days"][1]))
    )
    for extension in (made["constraints"], made["usage"], made["more"]):
        if extension is not None:
            builder = builder.add_extension(extension, critical=True)
    return builder.sign(KEYS[made["issuer"]], hashes.SHA256()).public_bytes(Encoding.DER)


def _public(of: PublicKey) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), of.data)


def believed(
    shown: tuple[str, ...] = WHOLE[:-1], *, keys: tuple[PublicKey, ...] = (), **changes: Any
) -> PublicKey:
    made = {name: certificate(name, **changes.get(name, {})) for name in NAMES}
    chain = [b64encode(made[name]).decode() for name in shown]
    text = sign_compact(
        header={"typ": TYP, "x5c": chain}, payload={}, signer=NamedSigner(PROVIDER, "who")
    )
    trusted = Attesters(keys, (made["root"],))
    return attester_key(parse_compact(text), trusted, typ=TYP, now=int(NOW.timestamp()))


@pytest.mark.parametrize("shown", [WHOLE, WHOLE[:-1]])
def test_a_chain_with_or_without_its_root_leads_to_the_leaf(shown: tuple[str, ...]) -> None:
    assert believed(shown) == PROVIDER.key


def test_what_a_certificate_does_not_say_it_does_not_forbid() -> None:
    for name in ("leaf", "lower", "upper", "root"):
        assert believed(**{name: {"usage": None}}) == PROVIDER.key
    assert believed(leaf={"constraints": None}) == PROVIDER.key
    limited = {
        name: {"constraints": x509.BasicConstraints(ca=True, path_length=length)}
        for name, length in (("root", 2), ("upper", 1), ("lower", 0))
    }
    assert believed(**limited) == PROVIDER.key


@pytest.mark.parametrize(
    "changes",
    [
        {"leaf": {"constraints": CA}},
        {"leaf": {"usage": usage("key_agreement")}},
        {"leaf": {"issuer": "upper"}},
        {"leaf": {"days": (-9, -1)}},
        {"leaf": {"more": x509.OCSPNoCheck()}},
        {"lower": {"constraints": None}},
        {"lower": {"usage": usage("digital_signature")}},
        {"lower": {"days": (1, 9)}},
        {"lower": {"more": x509.NameConstraints([x509.DNSName("p.example")], None)}},
        {"upper": {"constraints": x509.BasicConstraints(ca=True, path_length=0)}},
        {"upper": {"issuer": "upper"}},
        {"root": {"constraints": x509.BasicConstraints(ca=True, path_length=1)}},
        {"root": {"usage": usage("digital_signature")}},
        {"root": {"days": (-9, -1)}},
    ],
)
def test_a_chain_with_one_fault_makes_nobody_a_provider(changes: dict[str, Any]) -> None:
    with pytest.raises(AttesterNotTrusted):
        believed(**changes)


P256_OID = bytes.fromhex("06082a8648ce3d030107")


@pytest.mark.parametrize("keys", [(), (PROVIDER.key,)], ids=["roots", "keys"])
@pytest.mark.parametrize("at", ["leaf", "lower"])
@pytest.mark.parametrize("fault", ["curve", "point", "signature"])
def test_a_certificate_that_no_library_reads_is_refused(
    keys: tuple[PublicKey, ...], at: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = certificate

    def spoilt(name: str, **changes: Any) -> bytes:
        der = whole(name, **changes)
        if name != at:
            return der
        if fault == "curve":  # 1.2.840.10045.3.1.127, which is nobody's
            return der.replace(P256_OID, P256_OID[:-1] + b"\x7f")
        if fault == "point":  # the last bytes of an uncompressed point
            point = (
                x509.load_der_x509_certificate(der)
                .public_key()
                .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            )
            return der.replace(point, point[:-1] + bytes([point[-1] ^ 1]))
        ecdsa_sha256 = bytes.fromhex("06082a8648ce3d040302")
        assert der.count(ecdsa_sha256) == 2
        return der.replace(ecdsa_sha256, ecdsa_sha256[:-1] + b"\x7f")

    monkeypatch.setattr("tests.identity.core.test_attesters.certificate", spoilt)

    if keys and fault == "signature":  # a key trusted by itself; nobody asks who signed its leaf
        assert believed(keys=keys) == PROVIDER.key
    else:
        with pytest.raises((AttesterNotTrusted, CertificateMalformed)):
            believed(keys=keys)


def test_a_trusted_key_with_a_chain_of_another_key_does_not_count() -> None:
    with pytest.raises(AttesterNotTrusted):
        believed(("root",), keys=(PROVIDER.key,))


def test_a_trusted_key_counts_wherever_its_chain_leads() -> None:
    assert believed(keys=(PROVIDER.key,), root={"days": (-9, -1)}) == PROVIDER.key
    with pytest.raises(AttesterNotTrusted):
        believed(keys=(key("other").key,), root={"days": (-9, -1)})

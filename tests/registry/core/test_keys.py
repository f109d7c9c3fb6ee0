"""The gate for keys, against the C2SP edge cases of Ed25519 and against keys made to slip through.

Our rule for Ed25519: OpenSSL's cofactorless check (R is compared as bytes), after a key of low
order or with a second spelling has been refused. Of the 914 cases, 86 verify: those that have none
of `REFUSED`. A small-order component in a large-order key or in R is harmless and accepted.
"""

from collections import Counter

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.did import read_key
from registry.core.encoding import base58_encode, base64url_decode, base64url_encode
from registry.core.keys import (
    KeyNotAdmitted,
    KeyType,
    PublicKey,
    SignatureNotValid,
    parse_did_key,
    parse_jwk,
    parse_multikey,
    public_key,
    verify_signature,
)
from tests.vectors import read_vector, vectors_dir

CASES = read_vector(vectors_dir() / "ed25519-cctv/ed25519/ed25519vectors.json")
REFUSED = {"low_order_A", "non_canonical_A", "non_canonical_R", "low_order_residue"}

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P256_KEY = ec.derive_private_key(12345, ec.SECP256R1())
P384_KEY = ec.derive_private_key(12345, ec.SECP384R1())


def admitted(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> PublicKey:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return public_key(KeyType.ED25519, private.public_key().public_bytes_raw())
    key_type = KeyType.P256 if private.curve.key_size == 256 else KeyType.P384
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return public_key(key_type, point)


def verdict(case: dict) -> str:
    try:
        key = public_key(KeyType.ED25519, bytes.fromhex(case["key"]))
    except KeyNotAdmitted:
        return "key refused"
    try:
        verify_signature(key, message=case["msg"].encode(), signature=bytes.fromhex(case["sig"]))
    except SignatureNotValid:
        return "signature refused"
    return "verified"


def test_the_vectors_are_here():
    assert len(CASES) == 914


def test_which_edge_cases_of_ed25519_verify():
    verdicts = Counter()
    for case in CASES:
        flags = set(case["flags"] or ())
        verdicts[verdict(case)] += 1
        assert (verdict(case) == "verified") == (not flags & REFUSED), case["number"]
        assert (verdict(case) == "key refused") == bool(
            flags & {"low_order_A", "non_canonical_A"}
        ), case["number"]

    assert verdicts == {"key refused": 526, "signature refused": 302, "verified": 86}


@pytest.mark.parametrize("private", [ED25519_KEY, P256_KEY, P384_KEY], ids=["ed", "256", "384"])
def test_a_key_comes_back_from_each_of_its_forms(private):
    key = admitted(private)

    assert parse_multikey(key.multikey) == key
    assert parse_did_key(key.did_key) == key
    assert parse_jwk(key.jwk) == key


def test_prefixes_are_those_of_the_registry():
    prefixes = [admitted(key).multikey[:4] for key in (ED25519_KEY, P256_KEY, P384_KEY)]

    assert [prefix[:3] for prefix in prefixes] == ["z6M", "zDn", "z82"]


def test_the_thumbprint_of_rfc_8037():
    # RFC 8037 appendix A.3
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }

    assert parse_jwk(jwk).jwk_thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "data",
    [
        bytes(32),
        b"\x01" + bytes(31),
        b"\x01" + bytes(30) + b"\x80",  # the identity once more, with the sign bit set
        bytes.fromhex("ec" + "ff" * 30 + "7f"),  # order 2
        bytes.fromhex("ed" + "ff" * 30 + "7f"),  # 0, spelled p
        bytes.fromhex("ee" + "ff" * 30 + "7f"),  # 1, spelled p + 1
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # 8
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),  # 8
        b"\x02" + bytes(31),  # on no curve
        bytes(31),
        bytes(33),
        b"",
    ],
)
def test_weak_and_foreign_ed25519_keys_are_refused(data):
    with pytest.raises(KeyNotAdmitted):
        public_key(KeyType.ED25519, data)
    with pytest.raises(KeyNotAdmitted):
        parse_multikey("z" + base58_encode(b"\xed\x01" + data))
    with pytest.raises(KeyNotAdmitted):
        parse_jwk({"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(data)})


def test_points_off_the_curve_and_in_other_forms_are_refused():
    good = admitted(P256_KEY).data
    uncompressed = P256_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for data in (b"\x05" + good[1:], b"\x00", b"", uncompressed, good[:-1], good + b"\0"):
        with pytest.raises(KeyNotAdmitted):
            public_key(KeyType.P256, data)
    with pytest.raises(KeyNotAdmitted):
        public_key(KeyType.P256, b"\x02" + b"\xff" * 32)  # x is no field element
    with pytest.raises(KeyNotAdmitted):
        public_key(KeyType.P384, good)


def test_an_invalid_curve_attack_is_refused():
    jwk = dict(admitted(P256_KEY).jwk)
    y = bytearray(base64url_decode(jwk["y"]))
    y[-1] ^= 1

    with pytest.raises(KeyNotAdmitted):
        parse_jwk({**jwk, "y": base64url_encode(bytes(y))})


@pytest.mark.parametrize(
    "change",
    [
        {"d": "AA"},
        {"k": "AA"},
        {"kty": "oct"},
        {"kty": "RSA"},
        {"crv": "secp256k1"},
        {"crv": "P-384"},
        {"crv": "Ed25519"},
        {"x": "AA"},
        {"x": 5},
        {"x": None},
        {"y": ""},
        {"kty": None},
        {"kty": ["EC"]},
        {"crv": {"P-256": 1}},
    ],
)
def test_a_jwk_with_one_thing_wrong_is_refused(change):
    jwk = admitted(P256_KEY).jwk
    parse_jwk(jwk)

    with pytest.raises(KeyNotAdmitted):
        parse_jwk({**jwk, **change})


@pytest.mark.parametrize("value", [None, 5, "", [], {}, {"kty": "EC"}])
def test_what_is_no_jwk_is_refused(value):
    with pytest.raises(KeyNotAdmitted):
        parse_jwk(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "z",
        "u" + base64url_encode(b"\xed\x01" + bytes(32)),
        "zzz0",
        "z" + base58_encode(b"\xe7\x01" + b"\x02" * 33),  # secp256k1
        "z" + base58_encode(b"\xec\x01" + b"\x02" * 32),  # X25519
        "z" + "1" * 1000,
        "did:key:z6Mk",
    ],
)
def test_what_is_no_multikey_is_refused(value):
    with pytest.raises(KeyNotAdmitted):
        parse_multikey(value)


@pytest.mark.parametrize("value", [None, "", "did:key:", "did:jwk:abc", "did:key:z6Mk#z6Mk"])
def test_what_is_no_did_key_is_refused(value):
    with pytest.raises(KeyNotAdmitted):
        parse_did_key(value)


def raw_ecdsa(private: ec.EllipticCurvePrivateKey, message: bytes) -> tuple[int, int]:
    return decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))


def test_ecdsa_signatures_are_r_and_s_and_nothing_else():
    key = admitted(P256_KEY)
    r, s = raw_ecdsa(P256_KEY, b"message")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    verify_signature(key, message=b"message", signature=signature)

    der = P256_KEY.sign(b"message", ec.ECDSA(hashes.SHA256()))
    for wrong in (der, b"", bytes(64), signature + b"\0", signature[:-1]):
        with pytest.raises(SignatureNotValid):
            verify_signature(key, message=b"message", signature=wrong)
    for r_wrong, s_wrong in ((0, s), (r, 0), (P256_ORDER, s), (r, P256_ORDER)):
        wrong = r_wrong.to_bytes(32, "big") + s_wrong.to_bytes(32, "big")
        with pytest.raises(SignatureNotValid):
            verify_signature(key, message=b"message", signature=wrong)


def test_the_twin_of_an_ecdsa_signature_verifies_so_nothing_may_be_named_by_it():
    r, s = raw_ecdsa(P256_KEY, b"message")

    twin = r.to_bytes(32, "big") + (P256_ORDER - s).to_bytes(32, "big")

    verify_signature(admitted(P256_KEY), message=b"message", signature=twin)


def test_a_signature_verifies_only_under_its_key_and_over_its_message():
    signature = ED25519_KEY.sign(b"message")
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    verify_signature(admitted(ED25519_KEY), message=b"message", signature=signature)

    with pytest.raises(SignatureNotValid):
        verify_signature(admitted(ED25519_KEY), message=b"Message", signature=signature)
    with pytest.raises(SignatureNotValid):
        verify_signature(admitted(other), message=b"message", signature=signature)
    with pytest.raises(SignatureNotValid):
        verify_signature(admitted(ED25519_KEY), message=b"message", signature=signature + b"\0")


def test_p_521_is_read_but_never_put_on_the_ledger():
    private = ec.derive_private_key(12345, ec.SECP521R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    key = public_key(KeyType.P521, point)
    r, s = decode_dss_signature(private.sign(b"message", ec.ECDSA(hashes.SHA512())))
    signature = r.to_bytes(66, "big") + s.to_bytes(66, "big")

    assert (key.algorithm, key.signature_bytes, key.multikey[:4]) == ("ES512", 132, "z2J9")
    assert parse_multikey(key.multikey) == parse_jwk(key.jwk) == parse_did_key(key.did_key) == key
    assert len(key.jwk["x"]) == len(key.jwk["y"]) == 88
    verify_signature(key, message=b"message", signature=signature)
    with pytest.raises(SignatureNotValid):
        verify_signature(key, message=b"message", signature=signature[2:])
    with pytest.raises(KeyNotAdmitted):
        read_key(key.multikey)
    for admitted_key in (ED25519_KEY, P256_KEY, P384_KEY):
        assert read_key(admitted(admitted_key).multikey) == admitted(admitted_key)

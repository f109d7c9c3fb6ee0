"""Every bad key at every entrance: refused, by our own refusal, and without repeating the key.

A key comes in as a multikey (`did:key`, DID documents, the ledger), as a JWK (`did:jwk`, `cnf`, key
proofs, DPoP, encrypted answers) or as raw bytes (witnesses, validators, the per-credential key of
ecdsa-sd-2023). Behind each entrance stands the same gate; a new entrance belongs into these tables.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from identity.core import certificates
from identity.core.bbs.keys import parse_bbs_did_key, parse_bbs_multikey
from identity.core.data_integrity import ProofMalformed
from identity.core.data_integrity.ecdsa_sd import _public_key as credential_key
from identity.core.dpop import verify_dpop
from identity.core.encrypted_answer import decrypt_answer, new_answer_key
from identity.core.key_proof import parse_holder_did, verify_key_proof
from identity.core.sd_jwt import parse_sd_jwt
from identity.core.sd_jwt_vc import verify_sd_jwt_vc
from identity.core.verification.did_documents import (
    IssuerDocument,
    find_bbs_key,
    find_key,
    key_of,
    self_description,
)
from registry.core.cosignature import parse_witness_key
from registry.core.did import read_key
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.hashing import sha256
from registry.core.key_documents import jwk_document, key_document
from registry.core.keys import (
    KeyNotAdmitted,
    KeyType,
    parse_did_key,
    parse_jwk,
    parse_multikey,
    public_key,
)
from registry.core.refusals import Refusal
from registry.core.signed_note import base64_text, parse_verifier_key
from tests.attacks.bad_keys import KEYS, LOW_ORDER, did_jwk
from tests.identity.core.signers import signer

NOW = 1_750_000_000
ISSUER = signer(KeyType.P256)
DID = "did:web:issuer.example"


def document(member: str, value: Any) -> tuple[IssuerDocument, ...]:
    """A stranger's DID document with that key."""
    method = {"id": f"{DID}#k", "type": "Multikey", "controller": DID, member: value}
    content = {"id": DID, "verificationMethod": [method], "assertionMethod": [method["id"]]}
    return (IssuerDocument(document=content, start=0, end=None),)


def jws(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A compact JWS signed by somebody; the key in its header is what is tried."""
    parts = [base64url_encode(canonical_json(part)) for part in (header, claims)]
    signature = ISSUER.sign(".".join(parts).encode())
    return ".".join([*parts, base64url_encode(signature)])


def key_proof(header: dict[str, Any]) -> Any:
    text = jws(
        {"typ": "openid4vci-proof+jwt", "alg": "ES256", **header},
        {"aud": "https://issuer.example", "iat": NOW, "nonce": "n"},
    )
    return verify_key_proof(text, audience="https://issuer.example", now=NOW)


def dpop(jwk: Any) -> Any:
    text = jws(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk},
        {"htm": "POST", "htu": "https://issuer.example/token", "iat": NOW, "jti": "1"},
    )
    return verify_dpop(
        text, method="POST", url="https://issuer.example/token", access_token=None, now=NOW
    )


def confirmation(jwk: Any) -> Any:
    """`cnf` of an SD-JWT VC, which is where the key of a KB-JWT comes from."""
    text = jws(
        {"typ": "dc+sd-jwt", "alg": "ES256"},
        {"iss": DID, "vct": "https://types.example/1", "iat": NOW, "cnf": {"jwk": jwk}},
    )
    return verify_sd_jwt_vc(parse_sd_jwt(f"{text}~"), key=ISSUER.key)


def answer(jwk: Any) -> Any:
    key = new_answer_key(lambda size: bytes(range(size)))
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": key.jwk["kid"], "epk": jwk}
    parts = [base64url_encode(part) for part in (bytes(12), b"ciphertext", bytes(16))]
    return decrypt_answer(f"{base64url_encode(canonical_json(header))}..{'.'.join(parts)}", key)


def noted(data: bytes) -> str:
    """A named key with the right key id, as notes name their signers."""
    key_id = sha256(b"name\n" + data)[:4].hex()
    return f"name+{key_id}+{base64_text(data)}"


MULTIKEYS: dict[str, Callable[[str], Any]] = {
    "multikey": parse_multikey,
    "did:key": lambda key: parse_did_key(f"did:key:{key}"),
    "did:key, resolved": lambda key: key_document(f"did:key:{key}"),
    "did:key, as verification method": lambda key: key_of(f"did:key:{key}#{key}"),
    "did:key, as issuer": lambda key: self_description(f"did:key:{key}#{key}"),
    "did:key of a holder": lambda key: parse_holder_did(f"did:key:{key}"),
    "key proof, kid did:key": lambda key: key_proof({"kid": f"did:key:{key}#{key}"}),
    "DID registration on the ledger": read_key,
    "DID document": lambda key: find_key(document("publicKeyMultibase", key), f"{DID}#k"),
}
JWKS: dict[str, Callable[[Any], Any]] = {
    "JWK": parse_jwk,
    "did:jwk, resolved": lambda jwk: jwk_document(did_jwk(jwk)),
    "did:jwk, as verification method": lambda jwk: key_of(f"{did_jwk(jwk)}#0"),
    "did:jwk, as issuer": lambda jwk: self_description(f"{did_jwk(jwk)}#0"),
    "did:jwk of a holder": lambda jwk: parse_holder_did(did_jwk(jwk)),
    "key proof, jwk": lambda jwk: key_proof({"jwk": jwk}),
    "key proof, kid did:jwk": lambda jwk: key_proof({"kid": f"{did_jwk(jwk)}#0"}),
    "DID document": lambda jwk: find_key(document("publicKeyJwk", jwk), f"{DID}#k"),
    "DPoP": dpop,
    "cnf and KB-JWT": confirmation,
    "epk of an encrypted answer": answer,
}
RAW: dict[str, Callable[[bytes], Any]] = {
    "raw": lambda data: public_key(KeyType.ED25519, data),
    "witness": lambda data: parse_witness_key(noted(bytes([4]) + data)),
    "signer of heads": lambda data: parse_verifier_key(noted(bytes([1]) + data)),
}
BBS: dict[str, Callable[[str], Any]] = {
    "BBS multikey": parse_bbs_multikey,
    "BBS did:key": lambda key: parse_bbs_did_key(f"did:key:{key}"),
    "BBS key of a DID document": lambda key: find_bbs_key(
        document("publicKeyMultibase", key), f"{DID}#k"
    ),
}


AS_MULTIKEY = [key for key in KEYS if key.multicodec is not None]
AS_JWK = [key for key in KEYS if key.jwks]
AS_RAW = [key for key in KEYS if key.ed25519 is not None]


def test_the_table_is_whole():
    assert len(LOW_ORDER) == len(set(LOW_ORDER)) == 14
    assert (len(AS_MULTIKEY), len(AS_JWK), len(AS_RAW)) == (59, 83, 20)
    assert len({key.name for key in KEYS}) == len(KEYS)


def refused(entrance: Callable[[Any], Any], key: Any, name: str = "") -> None:
    try:
        entrance(key)
    except Refusal as error:
        refusal = error
    else:
        pytest.fail(f"let in: {name}")
    reasons: list[BaseException | None] = [refusal]
    while reasons[-1] is not None:
        reasons.append(reasons[-1].__cause__)
    assert any(isinstance(reason, KeyNotAdmitted | ProofMalformed) for reason in reasons), name
    if isinstance(key, str) and len(key) > 20:
        assert key not in refusal.detail


@pytest.mark.parametrize("entrance", MULTIKEYS)
def test_bad_multikeys(entrance: str):
    for key in AS_MULTIKEY:
        # A BBS key is one that its own entrance takes; as issuer it stands for no other purpose.
        if key.name == "BLS12-381 G2" and entrance == "did:key, as issuer":
            described = self_description(f"did:key:{key.multikey}#{key.multikey}").document
            assert "authentication" not in described
            version = IssuerDocument(document=described, start=0, end=None)
            with pytest.raises(Refusal):
                find_key((version,), described["assertionMethod"][0])
            continue
        if key.name == "BLS12-381 G2" and entrance == "did:key, resolved":
            document = MULTIKEYS[entrance](key.multikey)  # a key that its method describes
            assert document["assertionMethod"] == [f"did:key:{key.multikey}#{key.multikey}"]
            continue
        refused(MULTIKEYS[entrance], key.multikey, key.name)


@pytest.mark.parametrize("entrance", JWKS)
def test_bad_jwks(entrance: str):
    for key in AS_JWK:
        for jwk in key.jwks:
            if isinstance(jwk, dict) or "did:jwk" not in entrance:
                refused(JWKS[entrance], jwk, key.name)
                continue
            with pytest.raises(Refusal):  # what is no object is no JSON that a did:jwk may hold
                JWKS[entrance](jwk)


@pytest.mark.parametrize("entrance", RAW)
def test_bad_raw_keys(entrance: str):
    for key in AS_RAW:
        refused(RAW[entrance], key.ed25519, key.name)


@pytest.mark.parametrize("entrance", BBS)
def test_the_bbs_entrances_take_bbs_keys_alone(entrance: str):
    for key in AS_MULTIKEY:
        if key.name == "BLS12-381 G2":
            assert BBS[entrance](key.multikey).multikey == key.multikey
        else:
            refused(BBS[entrance], key.multikey, key.name)


def test_the_key_inside_an_ecdsa_sd_proof_is_p_256():
    for key in AS_MULTIKEY:
        refused(credential_key, key.multicodec, key.name)


@pytest.mark.parametrize("form", ["base58", "base64url", "base16"])
def test_one_text_for_a_key(form: str):
    key = signer().key
    data = b"\xed\x01" + key.data
    text = {
        "base58": key.multikey[1:],
        "base64url": "u" + base64url_encode(data),
        "base16": "f" + data.hex(),
    }[form]

    for entrance in MULTIKEYS.values():
        refused(entrance, text)


def test_good_keys_pass_the_same_entrances():
    """Otherwise everything above could be refused for another reason."""
    for key_type in (KeyType.ED25519, KeyType.P256, KeyType.P384, KeyType.P521):
        key = signer(key_type).key
        for name, entrance in MULTIKEYS.items():
            if name == "DID registration on the ledger" and key_type is KeyType.P521:
                refused(entrance, key.multikey)
            elif not name.startswith("key proof"):
                assert entrance(key.multikey)
        for name, entrance in JWKS.items():
            if name not in ("DPoP", "epk of an encrypted answer") and "proof" not in name:
                assert entrance(key.jwk)
    own = ISSUER.key
    assert key_proof({"jwk": own.jwk}).key == own
    assert key_proof({"kid": f"{own.did_key}#{own.multikey}"}).key == own
    assert dpop(own.jwk).thumbprint == own.jwk_thumbprint
    with pytest.raises(Refusal, match="decrypt"):  # the key is taken; the text was never encrypted
        answer(own.jwk)


# Certificates: the leaf of `x5c` is for the institution's own key, so a foreign one has no way in.


def certificate(key: Any, algorithm: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    root = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    authority = ec.derive_private_key(7, ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(root)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("issuer.example")]), critical=False
        )
        .sign(authority, algorithm)
    )
    return made.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP224R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ed448.Ed448PrivateKey.generate(),
    ],
    ids=["RSA 1024", "RSA 2048", "secp256k1", "P-224", "P-384", "another P-256", "Ed448"],
)
def test_a_certificate_for_a_foreign_key_is_not_shown(make: Callable[[], Any]):
    subject = certificates.Subject(
        name="Issuer", country="XR", url="https://issuer.example/", key=ISSUER.key
    )
    own = ISSUER.private.public_key()
    now = datetime(2030, 1, 1, tzinfo=UTC)
    certificates.check_chain([certificate(own, hashes.SHA256())], subject, now=now)

    with pytest.raises(Refusal):
        certificates.check_chain(
            [certificate(make().public_key(), hashes.SHA256())], subject, now=now
        )


def test_cose_keys_are_no_way_in():
    """`cnf` with a COSE key is not read as a JWK, whatever it holds."""
    refused(parse_jwk, {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)})
    refused(parse_jwk, cbor2.dumps({1: 2}))


def test_witnesses_and_signers_of_heads_pass_with_a_good_key():
    for entrance in RAW.values():
        assert entrance(signer().key.data)

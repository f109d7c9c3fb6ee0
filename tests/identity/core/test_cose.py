"""COSE_Sign1 by itself: signed and read back, and bound to its key and its type."""

import cbor2
import pytest

from identity.core import cose
from identity.core.cose import CoseMalformed, CoseNotAccepted, parse_sign1, sign_sign1, verify_sign1
from registry.core.keys import KeyType, SignatureNotValid
from registry.core.refusals import Refusal
from tests.identity.core.signers import signer

TYPES = {"content_type": "application/vc", "typ": "application/vc+cose"}


@pytest.mark.parametrize("key_type", KeyType)
def test_signed_and_verified_under_each_kind_of_key(key_type: KeyType):
    one = signer(key_type)
    data = sign_sign1(protected={cose.TYP: TYPES["typ"]}, payload=b"{}", signer=one)

    assert verify_sign1(parse_sign1(data), key=one.key, **TYPES) == b"{}"

    with pytest.raises(SignatureNotValid):
        verify_sign1(parse_sign1(data), key=signer(key_type, 2).key, **TYPES)
    for other in KeyType:
        if other is not key_type:
            with pytest.raises(CoseNotAccepted, match="alg"):
                verify_sign1(parse_sign1(data), key=signer(other).key, **TYPES)


def test_the_signature_covers_header_and_payload_as_rfc_9052_says():
    one = signer(KeyType.ED25519)
    data = sign_sign1(protected={cose.CONTENT_TYPE: "application/vc"}, payload=b"x", signer=one)
    header, _, payload, signature = cbor2.loads(data).value

    structure = cbor2.dumps(["Signature1", header, b"", payload])

    assert one.sign(structure) == signature
    # The example of the RFC's own construction: 0x84, "Signature1", header, no external data.
    assert structure.startswith(b"\x84\x6aSignature1")


def test_a_message_without_a_type_is_neither_signed_nor_read():
    one = signer(KeyType.P256)
    with pytest.raises(CoseMalformed, match="type"):
        sign_sign1(protected={cose.KID: b"x"}, payload=b"{}", signer=one)
    data = sign_sign1(protected={cose.TYP: "x"}, payload=b"{}", signer=one)
    with pytest.raises(CoseNotAccepted, match="type"):
        verify_sign1(parse_sign1(data), key=one.key, **TYPES)


def test_every_single_bit_counts():
    one = signer(KeyType.P256)
    data = sign_sign1(protected={cose.TYP: TYPES["typ"]}, payload=b'{"a":1}', signer=one)
    refused = 0
    for position in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        try:
            verify_sign1(parse_sign1(bytes(flipped)), key=one.key, **TYPES)
        except Refusal:
            refused += 1
    assert refused == len(data) * 8
    assert verify_sign1(parse_sign1(data), key=one.key, **TYPES) == b'{"a":1}'


def test_the_key_id_is_a_text_of_either_header():
    one = signer(KeyType.P256)
    for value, text in ((b"did:x#y", "did:x#y"), (b"\xff", None), ("text", None), (7, None)):
        data = sign_sign1(protected={cose.TYP: "t", cose.KID: value}, payload=b"", signer=one)
        assert parse_sign1(data).key_id == text
    header, _, payload, signature = cbor2.loads(
        sign_sign1(protected={cose.TYP: "t"}, payload=b"", signer=one)
    ).value
    outside = cbor2.dumps([header, {cose.KID: b"k"}, payload, signature])
    assert parse_sign1(outside).key_id == "k"

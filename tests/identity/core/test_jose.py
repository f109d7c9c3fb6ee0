"""Compact JWS: RFC 7515 and RFC 8037 examples, then one test for each thing that is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.core.jose import (
    MAX_HEADER_CHARS,
    MAX_JWS_CHARS,
    JwsMalformed,
    JwsNotAccepted,
    parse_compact,
    sign_compact,
    verify_compact,
)
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.keys import KeyType, SignatureNotValid, parse_jwk
from registry.core.refusals import Malformed, Refusal
from tests.identity.core.signers import signer

KEY_TYPES = [KeyType.ED25519, KeyType.P256, KeyType.P384]


def token(key_type: KeyType = KeyType.P256, **header: object) -> str:
    return sign_compact(
        header={"typ": "test+jwt", **header}, payload={"a": 1}, signer=signer(key_type)
    )


def forged(header: dict, payload: bytes = b"{}", key_type: KeyType = KeyType.P256) -> str:
    """Signed correctly over whatever header is given."""
    return forged_text(canonical_json(header), payload, key_type)


def forged_text(header: bytes, payload: bytes = b"{}", key_type: KeyType = KeyType.P256) -> str:
    signing_input = f"{base64url_encode(header)}.{base64url_encode(payload)}"
    signature = signer(key_type).sign(signing_input.encode())
    return f"{signing_input}.{base64url_encode(signature)}"


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_what_is_signed_verifies(key_type):
    text = token(key_type, kid="did:example:1#k")

    verified = verify_compact(text, key=signer(key_type).key, typ="test+jwt")

    assert verified.claims == {"a": 1}
    assert verified.header["kid"] == "did:example:1#k"
    assert verified.header["alg"] == signer(key_type).key.algorithm


def test_the_example_of_rfc_7515_has_no_typ_and_is_refused_for_that_alone():
    # RFC 7515 appendix A.3; its signature is good
    text = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5dj"
        "xLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    key = parse_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )

    with pytest.raises(JwsNotAccepted, match="typ"):
        verify_compact(text, key=key, typ="JWT")


def test_ed25519_has_two_names():
    text = forged({"alg": "Ed25519", "typ": "t"}, key_type=KeyType.ED25519)

    verify_compact(text, key=signer().key, typ="t")


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "HS256", "RS256", "ES256K", "", None, 5, []]
)
def test_algorithms_that_are_not_ours_are_refused(alg):
    with pytest.raises(JwsMalformed):
        parse_compact(forged({"alg": alg, "typ": "t"}))


def test_a_header_without_algorithm_is_refused():
    with pytest.raises(JwsMalformed):
        parse_compact(forged({"typ": "t"}))


@pytest.mark.parametrize("alg", ["EdDSA", "ES384", "Ed25519"])
def test_an_algorithm_of_another_key_is_refused_even_with_a_good_signature(alg):
    with pytest.raises(JwsNotAccepted, match="alg"):
        verify_compact(forged({"alg": alg, "typ": "t"}), key=signer(KeyType.P256).key, typ="t")


@pytest.mark.parametrize("typ", ["other", "TEST+JWT", "application/test+jwt", "", None, 5])
def test_another_type_is_refused_even_with_a_good_signature(typ):
    text = forged({"alg": "ES256", "typ": typ})

    with pytest.raises(JwsNotAccepted, match="typ"):
        verify_compact(text, key=signer(KeyType.P256).key, typ="test+jwt")


def test_several_types_may_be_accepted():
    verify_compact(token(), key=signer(KeyType.P256).key, typ=("x", "test+jwt"))


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}])
def test_extensions_are_refused(extension):
    with pytest.raises(JwsMalformed):
        parse_compact(forged({"alg": "ES256", "typ": "t", **extension}))
    with pytest.raises(JwsMalformed):
        token(**extension)


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"ES256","typ":"t"}',
        b'{"alg":"ES256","typ":"t","typ":"t"}',
        b'{"alg":"ES256","typ":"t","x":NaN}',
        b'{"alg":"ES256","typ":"t","x":' + b"[" * 6 + b"]" * 6 + b"}",
        b'["ES256"]',
        b'"x"',
        b"",
        b"\xff",
    ],
)
def test_headers_that_are_not_strict_json_objects_are_refused(header):
    with pytest.raises(JwsMalformed):
        parse_compact(forged_text(header))


def test_every_flipped_bit_is_noticed():
    text = token()
    key = signer(KeyType.P256).key
    verify_compact(text, key=key, typ="test+jwt")

    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises(Refusal):
            verify_compact(changed, key=key, typ="test+jwt")


def test_another_key_of_the_same_type_is_refused():
    with pytest.raises(SignatureNotValid):
        verify_compact(token(), key=signer(KeyType.P256, 2).key, typ="test+jwt")


def test_a_der_signature_is_refused():
    first, second, _ = token().split(".")

    with pytest.raises(SignatureNotValid):
        verify_compact(
            f"{first}.{second}.{base64url_encode(b'0' * 70)}",
            key=signer(KeyType.P256).key,
            typ="test+jwt",
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + ".",
        lambda text: text + ".AA",
        lambda text: text.rsplit(".", 1)[0],
        lambda text: text.rsplit(".", 1)[0] + ".",
        lambda text: text.replace(".", "..", 1),
        lambda text: "." + text.split(".", 1)[1],
        lambda text: text.replace(".", "\u2024"),
        lambda _: "",
        lambda _: None,
        lambda text: text.encode(),
        lambda text: {"payload": text},
    ],
)
def test_what_is_no_compact_jws_is_refused(change):
    parse_compact(token())

    with pytest.raises(JwsMalformed):
        parse_compact(change(token()))


def test_the_header_is_bounded():
    token(x="a" * 20_000)

    with pytest.raises(JwsMalformed):
        token(x="a" * MAX_HEADER_CHARS)
    with pytest.raises(JwsMalformed):
        parse_compact(forged({"alg": "ES256", "typ": "t", "x": "a" * MAX_HEADER_CHARS}))


def test_the_whole_is_bounded():
    with pytest.raises(JwsMalformed):
        parse_compact("a.b." + "c" * MAX_JWS_CHARS)
    with pytest.raises(JwsMalformed):
        parse_compact(token(), max_chars=20)


def test_nothing_is_signed_without_a_type():
    for header in ({}, {"typ": ""}, {"typ": None}):
        with pytest.raises(JwsMalformed):
            sign_compact(header=header, payload={}, signer=signer())


def test_the_signer_chooses_the_algorithm():
    text = token(alg="none")

    assert parse_compact(text).header["alg"] == "ES256"


def test_a_payload_that_is_no_object_has_no_claims():
    for payload in (b"[]", b"", b'{"a":1,"a":1}'):
        with pytest.raises(Malformed):
            _ = parse_compact(forged({"alg": "ES256", "typ": "t"}, payload)).claims


@given(
    st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9]*")
)
def test_garbage_is_refused_and_never_escapes_as_another_error(text):
    with contextlib.suppress(Refusal):
        verify_compact(text, key=signer(KeyType.P256).key, typ="t")

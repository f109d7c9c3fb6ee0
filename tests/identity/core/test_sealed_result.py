"""A sealed result opens for the secret it was made for, under its context, unchanged."""

import pytest

from identity.core.sealed_result import (
    SecretNotValid,
    open_sealed,
    parse_secret,
    result_key,
    seal,
    secret_digest,
)
from registry.core.encoding import base64url_encode

SECRET = bytes(range(32))


def box(plaintext: bytes = b"verdict") -> bytes:
    return seal(
        plaintext, public=result_key(SECRET), context=b"r1", random=lambda size: b"\x07" * size
    )


def test_a_result_opens_under_its_secret_and_context():
    assert open_sealed(box(), secret=SECRET, context=b"r1") == b"verdict"
    assert b"verdict" not in box()


def test_another_secret_or_context_opens_nothing():
    for secret, context in ((SECRET[::-1], b"r1"), (SECRET, b"r2")):
        with pytest.raises(SecretNotValid):
            open_sealed(box(), secret=secret, context=context)


def test_no_flipped_bit_and_no_shortening_opens():
    sealed = box()
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(SecretNotValid):
            open_sealed(bytes(changed), secret=SECRET, context=b"r1")
    for length in range(len(sealed)):
        with pytest.raises(SecretNotValid):
            open_sealed(sealed[:length], secret=SECRET, context=b"r1")


def test_what_the_server_keeps_is_not_the_secret():
    assert SECRET not in (result_key(SECRET), secret_digest(SECRET))
    assert result_key(SECRET) != secret_digest(SECRET)


@pytest.mark.parametrize("text", [None, "", "x", "A" * 42, base64url_encode(bytes(31)), "A" * 44])
def test_a_text_that_is_no_secret_is_refused(text):
    with pytest.raises(SecretNotValid):
        parse_secret(text)

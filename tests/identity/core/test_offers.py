"""Offers and their secrets; errors in the protocols' own form."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from identity.core import offers
from identity.core.oid4vci_errors import (
    InvalidGrant,
    InvalidProof,
    InvalidToken,
    ascii_description,
    protocol_error,
)
from registry.core.encoding import parse_json_object
from registry.core.refusals import Conflict, Malformed, Unavailable

REFERENCE = offers.new_secret(lambda size: b"r" * size)


def test_the_code_follows_from_the_reference_and_is_another_value() -> None:
    code = offers.pre_authorized_code(REFERENCE)

    assert code == offers.pre_authorized_code(REFERENCE)
    assert code != REFERENCE
    assert offers.pre_authorized_code(code) != REFERENCE


def test_digests_of_one_secret_differ_by_kind() -> None:
    assert offers.secret_digest("a", REFERENCE) != offers.secret_digest("b", REFERENCE)


@pytest.mark.parametrize("text", ["", "short", REFERENCE + "A", REFERENCE[:-1] + "=", "é" * 43])
def test_what_cannot_be_a_secret_of_ours_is_refused(text: str) -> None:
    with pytest.raises(offers.SecretMalformed):
        offers.secret_digest("a", text)
    with pytest.raises(offers.SecretMalformed):
        offers.pre_authorized_code(text)


@pytest.mark.parametrize("text", ["", "1" * 65, "\ud800"])
def test_an_impossible_transaction_code_is_refused(text: str) -> None:
    with pytest.raises(offers.SecretMalformed):
        offers.tx_code_digest(offers.pre_authorized_code(REFERENCE), text)


def test_a_transaction_code_has_six_digits_and_keeps_its_zeros() -> None:
    assert offers.new_tx_code(lambda size: bytes(size)) == "000000"
    assert offers.new_tx_code(lambda size: (1_000_007).to_bytes(size, "big")) == "000007"


def test_equal_transaction_codes_of_two_offers_have_different_digests() -> None:
    other = offers.new_secret(lambda size: b"s" * size)

    digests = {
        offers.tx_code_digest(offers.pre_authorized_code(item), "123456")
        for item in (REFERENCE, other)
    }

    assert len(digests) == 2


def test_the_link_by_value_survives_decoding_twice() -> None:
    offer = offers.credential_offer(
        issuer_url="https://id.example/issuers/a",
        configuration_ids=["degree-sd-jwt"],
        reference=REFERENCE,
        tx_code=True,
    )

    (text,) = parse_qs(urlsplit(offers.offer_link_by_value(offer)).query)["credential_offer"]

    assert parse_json_object(text) == offer
    assert parse_json_object(unquote(text)) == offer
    tx_code = offer["grants"][offers.PRE_AUTHORIZED]["tx_code"]
    assert tx_code["input_mode"] == "numeric"
    assert len(tx_code["description"]) <= 300


def test_an_offer_with_a_percent_sign_is_not_sent_by_value() -> None:
    with pytest.raises(Malformed):
        offers.offer_link_by_value({"credential_issuer": "https://id.example/%41"})


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (InvalidGrant("x"), 400, "invalid_grant"),
        (InvalidProof("x"), 400, "invalid_proof"),
        (InvalidToken("x"), 401, "invalid_token"),
        (Unavailable("x"), 503, "temporarily_unavailable"),
        (Conflict("x"), 400, "fallback"),
    ],
)
def test_refusals_in_the_protocols_form(refusal: object, status: int, code: str) -> None:
    rendered = protocol_error(refusal, otherwise="fallback")  # type: ignore[arg-type]

    assert (rendered.status, rendered.body["error"]) == (status, code)
    assert rendered.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in rendered.headers) == (status == 401)
    assert ("Retry-After" in rendered.headers) == (status == 503)


def test_a_description_has_the_characters_that_the_protocol_allows() -> None:
    assert ascii_description('a "b" \\ é\n') == "a 'b' ? ??"

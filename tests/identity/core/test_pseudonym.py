"""The statement that makes a pseudonym, and each step that refuses another one.

Every refusal has its untouched twin: the same statement as an honest wallet makes it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from identity.core import jose
from identity.core.pseudonym import (
    TYP,
    PseudonymExpectation,
    PseudonymForAnother,
    PseudonymKeyReused,
    PseudonymMissing,
    PseudonymNotValid,
    Wish,
    make_statement,
    presentations_hash,
    pseudonym_of,
    verify_pseudonym,
)
from identity.core.verification.failure import CheckFailed
from registry.core.keys import KeyType
from tests.identity.core.signers import signer

KEY, COPY = signer(KeyType.P256, 41), signer(KeyType.P256, 42)
NOW = 1_770_000_000
TOKEN = {"resident-identity": ["a~b~"]}
EXPECTED = PseudonymExpectation(
    wish=Wish.REQUIRED,
    party="did:cairn:test:bar",
    audience="x509_hash:bar",
    nonce="nonce-of-this-request",
    vp_token=TOKEN,
    max_age_seconds=300,
    skew_seconds=60,
    now=NOW,
)
HONEST = {
    "aud": EXPECTED.audience,
    "nonce": EXPECTED.nonce,
    "iat": NOW,
    "vp_hash": presentations_hash(TOKEN),
}


def statement(key: Any = KEY, *, header: Any = None, **claims: Any) -> str:
    payload = {name: value for name, value in {**HONEST, **claims}.items() if value is not None}
    named = {"typ": TYP, "jwk": key.key.jwk, **(header or {})}
    return jose.sign_compact(header=named, payload=payload, signer=key)


def verify(unverified: object, **changes: Any) -> str:
    return verify_pseudonym(
        unverified, expected=replace(EXPECTED, **changes), holder_keys=[COPY.key]
    )


def refused(kind: type[CheckFailed], reason: str, unverified: object, **changes: Any) -> None:
    with pytest.raises(kind) as refusal:
        verify(unverified, **changes)
    assert refusal.value.reason == reason


def test_an_honest_statement_names_the_wallet_at_this_party() -> None:
    made = make_statement(
        signer=KEY, audience=EXPECTED.audience, nonce=EXPECTED.nonce, vp_token=TOKEN, issued_at=NOW
    )

    assert verify(made) == verify(statement()) == pseudonym_of(party=EXPECTED.party, key=KEY.key)
    assert verify(made, party="did:cairn:test:bank") != verify(made)


def test_what_is_only_wanted_may_be_missing_and_what_is_required_may_not() -> None:
    assert verify(None, wish=Wish.WANTED) == verify("nonsense", wish=Wish.NONE) == ""
    with pytest.raises(PseudonymMissing):
        verify(None)


def test_what_is_no_compact_jws_is_refused() -> None:
    for other in (7, ["a"], {"a": 1}, b"a", "", "a.b", "A" * 5000):
        refused(PseudonymNotValid, "pseudonym_not_valid", other)


def test_the_header_has_three_members_and_no_others() -> None:
    for more in ({"kid": "did:key:z#z"}, {"nonce": "x"}):
        refused(PseudonymNotValid, "pseudonym_not_valid", statement(header=more))


def test_the_key_is_on_p256() -> None:
    other = signer(KeyType.ED25519, 41)
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(other))


def test_the_key_of_a_copy_is_no_pseudonym() -> None:
    refused(PseudonymKeyReused, "pseudonym_key_reused", statement(COPY))


def test_the_signature_is_by_the_key_in_the_header() -> None:
    refused(
        PseudonymNotValid,
        "pseudonym_not_valid",
        statement(header={"jwk": signer(KeyType.P256, 43).key.jwk}),
    )
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(header={"typ": "kb+jwt"}))


def test_it_claims_four_things_and_nothing_else() -> None:
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(sub="alice"))
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(nonce=None))


OTHERS: dict[str, Callable[[], str]] = {
    "audience": lambda: statement(aud="x509_hash:bank"),
    "nonce": lambda: statement(nonce="nonce-of-another"),
    "answer": lambda: statement(vp_hash=presentations_hash({"degree": ["x"]})),
}


@pytest.mark.parametrize("what", ["audience", "nonce", "answer"])
def test_it_is_for_this_party_this_request_and_these_presentations(what: str) -> None:
    refused(PseudonymForAnother, f"pseudonym_other_{what}", OTHERS[what]())


def test_its_date_is_a_whole_number() -> None:
    for odd in (True, str(NOW), NOW + 0.5):
        refused(PseudonymNotValid, "pseudonym_not_valid", statement(iat=odd))


def test_it_is_not_old() -> None:
    assert verify(statement(iat=NOW - 360))
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(iat=NOW - 361))


def test_it_is_not_of_the_future() -> None:
    assert verify(statement(iat=NOW + 60))
    refused(PseudonymNotValid, "pseudonym_not_valid", statement(iat=NOW + 61))

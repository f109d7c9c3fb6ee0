"""SD-JWT VC: required claims, claims that may not be hidden, and the clock."""

import json

import pytest

from identity.core.date_time import NotValidNow
from identity.core.jose import JwsNotAccepted
from identity.core.sd_jwt import issue_sd_jwt, make_disclosures, parse_sd_jwt, present
from identity.core.sd_jwt_vc import (
    NEVER_DISCLOSED,
    SdJwtVcMalformed,
    check_validity,
    read_unverified,
    vc_payload,
    verify_sd_jwt_vc,
)
from registry.core.encoding import base64url_encode
from registry.core.hashing import sha256
from registry.core.keys import KeyNotAdmitted, KeyType
from tests.identity.core.signers import signer

ISSUER = signer(KeyType.P256, 1)
HOLDER = signer(KeyType.P256, 2)
NOW = 1_750_000_000
STATUS = {"status_list": {"idx": 7, "uri": "https://issuer.example/status/1"}}
ANCHOR = {"salt": "A" * 43, "batch": "A" * 22, "network": "test"}


def content(**more) -> tuple[dict, tuple[str, ...]]:
    sd_payload, disclosures = make_disclosures(
        {"given_name": "Mei", "age_over_18": True}, random=lambda size: bytes(size)
    )
    payload = vc_payload(
        issuer="https://issuer.example",
        vct="https://schemas.example/resident-identity/1",
        holder_key=HOLDER.key,
        issued_at=NOW,
        expires_at=NOW + 1_000,
        sd_payload=sd_payload,
        status=STATUS,
        anchor=ANCHOR,
    )
    return {**payload, **more}, disclosures


def issued(*, typ="dc+sd-jwt", without=(), disclosures=None, **more) -> str:
    payload, made = content(**more)
    return issue_sd_jwt(
        payload={name: value for name, value in payload.items() if name not in without},
        disclosures=made if disclosures is None else disclosures,
        header={"typ": typ, "kid": "did:example:issuer#jose-1"},
        signer=ISSUER,
    )


def verify(text):
    return verify_sd_jwt_vc(parse_sd_jwt(text), key=ISSUER.key)


def test_there_and_back():
    verified = verify(present(issued(), [("age_over_18",)]))

    assert verified.issuer == "https://issuer.example"
    assert verified.vct == "https://schemas.example/resident-identity/1"
    assert verified.claims == {"age_over_18": True}
    assert verified.holder_key == HOLDER.key
    assert verified.status == STATUS
    assert verified.sd_jwt.payload["anchor"] == ANCHOR
    assert (verified.issued_at, verified.not_before, verified.expires_at) == (
        NOW,
        None,
        NOW + 1_000,
    )


def test_what_may_be_read_before_verification():
    unverified = read_unverified(parse_sd_jwt(issued()))

    assert unverified.issuer == "https://issuer.example"
    assert unverified.key_id == "did:example:issuer#jose-1"


def test_the_type_of_old_drafts_is_read_and_others_are_not():
    verify(issued(typ="vc+sd-jwt"))
    with pytest.raises(SdJwtVcMalformed, match="W3C"):
        verify(issued(typ="vc+sd-jwt", **{"@context": ["https://www.w3.org/ns/credentials/v2"]}))

    for typ in ("JWT", "vc+jwt", "kb+jwt", "statuslist+jwt"):
        with pytest.raises(JwsNotAccepted):
            verify(issued(typ=typ))


@pytest.mark.parametrize("name", ["iss", "vct"])
@pytest.mark.parametrize("value", [..., "", None, 5, ["x"], "x" * 5_000])
def test_issuer_and_type_are_required(name, value):
    text = issued(without=[name]) if value is ... else issued(**{name: value})

    with pytest.raises(SdJwtVcMalformed):
        verify(text)
    with pytest.raises(SdJwtVcMalformed):
        read_unverified(parse_sd_jwt(text))


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", ["1750000000", None, True, -1, 1e300, [], {}])
def test_dates_are_numbers(name, value):
    with pytest.raises(SdJwtVcMalformed):
        verify(issued(**{name: value}))


@pytest.mark.parametrize("status", [None, "x", [], 5])
def test_a_status_that_is_no_object_is_refused(status):
    with pytest.raises(SdJwtVcMalformed):
        verify(issued(status=status))


@pytest.mark.parametrize("cnf", [None, "x", {}, {"kid": "x"}, {"jkt": "x"}, []])
def test_a_confirmation_without_key_is_refused(cnf):
    with pytest.raises(SdJwtVcMalformed):
        verify(issued(cnf=cnf))


def test_a_weak_holder_key_is_refused():
    weak = {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(b"\x01" + bytes(31))}

    for jwk in (weak, {**HOLDER.key.jwk, "d": "AA"}, {"kty": "oct", "k": "AA"}, "x"):
        with pytest.raises(KeyNotAdmitted):
            verify(issued(cnf={"jwk": jwk}))


def test_a_credential_without_holder_key_has_none():
    assert verify(issued(without=["cnf"])).holder_key is None


@pytest.mark.parametrize("name", sorted(NEVER_DISCLOSED))
def test_registered_claims_cannot_be_hidden(name):
    payload, _ = content()
    value = payload.get(name, "x")
    text = base64url_encode(json.dumps(["salt", name, value]).encode())
    digest = base64url_encode(sha256(text.encode()))

    with pytest.raises(SdJwtVcMalformed):
        verify(issued(without=[name], _sd=[digest], disclosures=[text]))


def test_nothing_inside_a_registered_claim_can_be_hidden():
    text = base64url_encode(json.dumps(["salt", "idx", 7]).encode())
    digest = base64url_encode(sha256(text.encode()))
    status = {"status_list": {"uri": "https://issuer.example/status/1", "_sd": [digest]}}

    with pytest.raises(SdJwtVcMalformed):
        verify(issued(status=status, _sd=[], disclosures=[text]))


def test_claims_about_the_subject_cannot_take_a_registered_name():
    for name in ("iss", "exp", "cnf", "anchor", "iat"):
        with pytest.raises(SdJwtVcMalformed):
            vc_payload(
                issuer="https://issuer.example",
                vct="x",
                holder_key=HOLDER.key,
                issued_at=NOW,
                expires_at=NOW + 1,
                sd_payload={name: "x"},
            )


@pytest.mark.parametrize(
    ("claims", "now", "valid"),
    [
        ({}, NOW, True),
        ({}, NOW + 999, True),
        ({}, NOW + 1_000, False),
        ({}, NOW - 1, False),
        ({"nbf": NOW + 10}, NOW + 9, False),
        ({"nbf": NOW + 10}, NOW + 10, True),
    ],
)
def test_the_clock(claims, now, valid):
    credential = verify(issued(**claims))

    if valid:
        check_validity(credential, now=now, leeway_seconds=0)
    else:
        with pytest.raises(NotValidNow):
            check_validity(credential, now=now, leeway_seconds=0)
        check_validity(credential, now=now, leeway_seconds=30)

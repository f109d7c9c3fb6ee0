"""Section 8 of the contract, and what section 1 says of media types: the rest of the lines."""

import time
from typing import Any

import pytest

from identity.core.jose import sign_compact
from identity.core.sd_jwt import present
from identity.core.sd_jwt.format import digest_of
from registry.core.encoding import base64url_decode, base64url_encode, canonical_json
from tests.contract.vc_api.suite import BASE, VERIFIERS, Suite, envelope_of

SUBJECT = {
    "id": "did:example:alice",
    "name": "Alice",
    "address": {"street": "Main", "city": {"name": "X", "zip": "1"}},
    "languages": ["en", "zh", "de"],
}


def disclosure(*content: Any) -> str:
    return base64url_encode(canonical_json(["salt", *content]))


def sd_jwt_of(suite: Suite, *disclosures: str, subject: Any, **members: Any) -> Any:
    """An SD-JWT whose digests and disclosures are given as they are."""
    signer = suite.signer("enveloped-sd-jwt")
    payload = suite.credential("enveloped-sd-jwt", credentialSubject=subject, **members)
    header = {"typ": "vc+sd-jwt", "kid": signer.verification_method}
    text = sign_compact(header=header, payload=payload, signer=signer)
    return envelope_of("application/vc+sd-jwt", "~".join((text, *disclosures, "")))


def test_sd_jwt_digests_and_disclosures_over_http(suite: Suite):
    name, other = disclosure("name", "Alice"), disclosure("name", "Eve")
    element = disclosure("en")
    digest, alice = digest_of(name), {"id": "did:example:alice"}

    def answer(*disclosures: str, subject: Any, **members: Any) -> bool:
        return suite.verify(sd_jwt_of(suite, *disclosures, subject=subject, **members)).is_verified

    good = {**alice, "_sd": [digest]}
    assert answer(name, subject=good)
    assert answer(subject=good)
    assert answer(name, subject={**alice, "_sd": [digest, digest_of("a decoy")]})
    assert answer(element, subject={**alice, "languages": [{"...": digest_of(element)}]})
    assert answer(subject={**alice, "languages": ["zh", {"...": digest_of(element)}]})
    # Digests that occur twice, beside each other and in two places.
    assert not answer(name, subject={**alice, "_sd": [digest, digest]})
    assert not answer(name, subject={**good, "inner": {"_sd": [digest]}})
    assert not answer(element, subject={**alice, "x": [{"...": digest_of(element)}] * 2})
    # Disclosures that no digest names, repeated ones.
    assert not answer(other, subject=good)
    assert not answer(name, name, subject=good)
    # Names that are none, claims that exist already.
    for reserved in ("_sd", "..."):
        bad = disclosure(reserved, "x")
        assert not answer(bad, subject={**alice, "_sd": [digest_of(bad)]})
    assert not answer(name, subject={**good, "name": "Somebody"})
    assert not answer(name, other, subject={**alice, "_sd": [digest, digest_of(other)]})
    assert not answer(subject={**alice, "...": "x"})
    # Of the wrong form, in the wrong place, or by a hash that nobody knows.
    assert not answer(element, subject={**alice, "_sd": [digest_of(element)]})
    assert not answer(name, subject={**alice, "languages": [{"...": digest}]})
    assert not answer(subject={**alice, "_sd": "x"})
    assert not answer(subject={**alice, "_sd": [7]})
    assert not answer(subject=good, _sd_alg="sha-1")
    assert answer(subject=good, _sd_alg="sha-256")


PATHS: list[Any] = [
    ("credentialSubject", "address"),
    ("credentialSubject", "address", "city"),
    ("credentialSubject", "address", "city", "zip"),
    ("credentialSubject", "languages", None),
    ("credentialSubject", "name"),
]


@pytest.mark.parametrize("party", VERIFIERS)
def test_sd_jwt_array_elements_and_recursive_disclosures_in_both_directions(
    suite: Suite, party: str
):
    document = suite.credential("enveloped-sd-jwt", credentialSubject=SUBJECT)
    whole = suite.sd_jwt_envelope(document, paths=PATHS)
    assert suite.verify(whole, party).is_verified
    text = whole["id"].partition(",")[2]
    for shown in (
        [],
        [("credentialSubject", "languages", 1)],
        [("credentialSubject", "address", "city", "zip")],
        [("credentialSubject", "address", "street"), ("credentialSubject", "name")],
    ):
        part = present(text, shown)
        assert suite.verify(envelope_of("application/vc+sd-jwt", part), party).is_verified
    # An inner disclosure without the one that holds its digest is named by nothing.
    jwt, *disclosures = text.split("~")[:-1]
    signed = base64url_decode(jwt.split(".")[1]).decode()
    outer = [one for one in disclosures if digest_of(one) in signed]
    assert 0 < len(outer) < len(disclosures)
    for one in disclosures:
        alone = envelope_of("application/vc+sd-jwt", "~".join((jwt, one, "")))
        assert suite.verify(alone, party).is_verified is (one in outer)


def clique(size: int) -> list[dict[str, Any]]:
    """Nodes without names, each of which knows all others: they all look alike."""
    return [
        {
            "id": f"_:n{number}",
            "knows": [{"id": f"_:n{other}"} for other in range(size) if other != number],
        }
        for number in range(size)
    ]


def test_poison_graphs_end_in_an_error_within_a_bound_and_hard_ones_pass(suite: Suite):
    """RDFC-1.0: a clique of nodes that look alike takes factorial time without a bound."""
    for instance in ("eddsa-rdfc-2022", "ecdsa-rdfc-2019-p384", "ecdsa-sd-2023"):
        started = time.monotonic()
        suite.issue(
            suite.credential(instance, credentialSubject={"id": "urn:a:b", "graph": clique(12)}),
            instance,
        ).must_refuse()
        assert time.monotonic() - started < 30
    hard = suite.issued(
        "ecdsa-rdfc-2019-p384", credentialSubject={"id": "urn:a:b", "graph": clique(4)}
    )
    assert hard["proof"]["cryptosuite"] == "ecdsa-rdfc-2019"  # with SHA-384, as its key says
    assert suite.verify(hard).is_verified
    many = suite.issued(
        credentialSubject={"id": "urn:a:b", "list": [{"item": {"x": n}} for n in range(60)]}
    )
    assert suite.verify(many).is_verified


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/vc", "application/vc"),
        ("application/vc+ld+json", "json"),
        ("application/json", "json"),
        ("*/*", "json"),
        ("application/vc, application/json", "json"),
    ],
)
def test_a_plain_vc_media_type_only_for_whoever_asks_for_just_that(
    suite: Suite, accept: str, expected: str
):
    entry = suite.issued("status", id="urn:uuid:11111111-0000-4000-8000-000000000001")
    url = entry["credentialStatus"][0]["statusListCredential"]
    assert url.startswith(BASE)

    answer = suite.get(url, Accept=accept)

    assert answer.status == 200
    assert expected in answer.content_type
    assert ("json" in answer.content_type) is (expected == "json")

"""What went wrong, by the types that the specifications define for it.

VC Data Model 2.0 §7.2, VC Data Integrity 1.0 §4.7, Bitstring Status List 1.0 §3.5. A client that
knows these types has no use for names of ours.
"""

from typing import Any

import pytest

from tests.contract.vc_api.suite import ABSENT, Suite, changed


def test_every_type_begins_as_its_specification_says(suite: Suite):
    vc = suite.issued()
    answers = [
        suite.verify(changed(vc, validFrom="2020-01-01T00:00:00Z")),
        suite.verify(changed(vc, credentialStatus={"id": "urn:x"})),
        suite.verify(changed(vc, undefined="x", **{"@context": vc["@context"][:1]})),
        suite.issue(suite.credential(issuer=7)),
    ]

    for answer in answers:
        answer.must_refuse()
        for problem in answer.body["problemDetails"]:
            assert problem["type"].startswith(
                ("https://www.w3.org/TR/vc-data-model#", "https://w3id.org/security#")
            )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"proofValue": "z5nmMBw2u9TGKd9NxxHJtyZKgjN2Eh"}, "PROOF_VERIFICATION_ERROR"),
        ({"proofValue": ABSENT}, "PROOF_VERIFICATION_ERROR"),
        ({"proofValue": None}, "PROOF_TRANSFORMATION_ERROR"),  # a null, which nothing would cover
        ({"type": ABSENT}, "PROOF_VERIFICATION_ERROR"),
        ({"type": "UnknownProof"}, "PROOF_VERIFICATION_ERROR"),
        ({"cryptosuite": "unknown-2999"}, "PROOF_VERIFICATION_ERROR"),
        ({"verificationMethod": ABSENT}, "PROOF_VERIFICATION_ERROR"),
        ({"proofPurpose": "authentication"}, "PROOF_VERIFICATION_ERROR"),
    ],
    ids=str,
)
def test_a_proof_that_does_not_verify(suite: Suite, change: Any, expected: str):
    vc = suite.issued()
    proof = {k: v for k, v in {**vc["proof"], **change}.items() if v is not ABSENT}

    assert expected in suite.verify(changed(vc, proof=proof)).problem_types()


def test_a_document_that_was_changed(suite: Suite):
    answer = suite.verify(changed(suite.issued(), id="urn:uuid:another"))

    assert answer.problem_types() == {"PROOF_VERIFICATION_ERROR"}


def test_a_value_of_the_wrong_form(suite: Suite):
    vc = suite.issued()

    assert suite.verify(changed(vc, issuer=7)).problem_types() >= {"MALFORMED_VALUE_ERROR"}
    assert suite.issue(suite.credential(issuer=7)).problem_types() == {"MALFORMED_VALUE_ERROR"}
    assert suite.verify("no object").problem_types() >= {"PROOF_VERIFICATION_ERROR"}


def test_terms_that_no_context_defines(suite: Suite):
    vc = changed(suite.issued(), **{"@context": ["https://www.w3.org/ns/credentials/v2"]})

    answer = suite.verify(changed(vc, nobodyDefinesThis="x"))

    assert "PROOF_TRANSFORMATION_ERROR" in answer.problem_types()


def test_what_cannot_be_parsed(suite: Suite):
    for body in (b"{", b"[]", b'{"a": 1, "a": 2}', b'{"verifiableCredential": NaN}', b""):
        for path in (
            "/verifiers/conformance/credentials/verify",
            "/verifiers/conformance/credentials/derive",
            "/issuers/ecdsa-sd-2023/credentials/issue",
            "/issuers/ecdsa-sd-2023/credentials/derive",
        ):
            assert suite.post(path, body).problem_types() == {"PARSING_ERROR"}, (body, path)


@pytest.mark.parametrize("instance", ["ecdsa-sd-2023", "bbs-2023"])
def test_a_pointer_that_leads_nowhere(suite: Suite, instance: str):
    """VC DI ECDSA 1.0 §3.4.12."""
    sent, wrong = suite.credential(instance), ["/credentialSubject/nothing"]
    base = suite.issued(instance)

    issued = suite.issue(sent, instance, options={"mandatoryPointers": wrong})
    for answer in (
        issued,
        suite.derive(base, wrong, f"/issuers/{instance}"),
        suite.derive(base, wrong, "/verifiers/conformance"),
    ):
        assert answer.problem_types() == {"PROOF_GENERATION_ERROR"}


def test_another_domain_and_another_challenge(suite: Suite):
    signed = suite.sign(
        suite.presentation(suite.issued()),
        purpose="authentication",
        domain="one.example",
        challenge="1",
    )

    def types(**options: str) -> set[str]:
        return suite.verify_presentation(signed, options=options).problem_types()

    assert types(domain="two.example", challenge="1") == {"INVALID_DOMAIN_ERROR"}
    assert types(domain="one.example", challenge="2") == {"INVALID_CHALLENGE_ERROR"}


def test_a_period_that_is_over(suite: Suite):
    expired = suite.issued(validFrom="2020-01-01T00:00:00Z", validUntil="2021-01-01T00:00:00Z")

    assert suite.verify(expired).problem_types() == {"RANGE_ERROR"}


def test_a_status_that_cannot_be_had_or_is_none(suite: Suite):
    vc = suite.issued("status")
    (entry, *_) = vc["credentialStatus"]
    beyond = changed(vc, credentialStatus={**entry, "statusListIndex": "999999999"}, proof=ABSENT)
    own = entry["statusListCredential"]

    assert suite.verify(suite.sign(beyond, "status")).problem_types() == {"RANGE_ERROR"}
    for url in (
        "https://nowhere.example/list",
        own.rpartition("/status/")[0] + f"/status/{'A' * 22}/revocation",  # no list of ours
        f"{own}x",  # no name of a list
    ):
        status = {**entry, "statusListCredential": url}
        elsewhere = suite.sign(changed(vc, credentialStatus=status, proof=ABSENT), "status")
        assert suite.verify(elsewhere).problem_types() == {"STATUS_RETRIEVAL_ERROR"}, url

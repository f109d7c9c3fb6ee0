"""The VC API of the verifier: 200 only for a yes, 400 with problems for every no."""

from datetime import UTC, datetime

import pytest

from identity.core import data_integrity
from identity.core.jose import sign_compact
from registry.core.keys import KeyType
from tests.identity.verifier.stage import CLAIMS, CONTEXTS, START, holder_signer
from tests.identity.verifier.workbench import BEARER, Workbench


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def post(bench: Workbench, path: str, body: object):
    return bench.client.post(f"/verifiers/{path}/verify", json=body, headers=BEARER)


def test_a_credential_by_itself_is_verified_and_says_what_was_not_checked(bench: Workbench):
    held = bench.stage.issue_ldp()

    answer = post(bench, "bar/credentials", {"verifiableCredential": held.credential})

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["verified"] is True
    waived = [c["check"] for c in body["checks"] if c["outcome"] == "not_applicable"]
    assert waived == ["holder_binding", "audience"]
    assert body["credentials"][0]["claims"] == CLAIMS


def test_an_sd_jwt_vc_may_be_checked_as_text(bench: Workbench):
    answer = post(
        bench, "bar/credentials", {"verifiableCredential": bench.stage.issue().credential}
    )

    assert answer.status_code == 200, answer.text


def test_a_revoked_credential_is_a_400_that_says_why(bench: Workbench):
    held = bench.stage.issue_ldp()
    bench.stage.agency.set_status(7, 1)

    answer = post(bench, "bar/credentials", {"verifiableCredential": held.credential})

    assert answer.status_code == 400
    assert answer.json()["verified"] is False
    assert [
        (problem["type"], problem["reason"]) for problem in answer.json()["problemDetails"]
    ] == [("https://www.w3.org/ns/credentials/status-list#STATUS_VERIFICATION_ERROR", "revoked")]
    assert answer.json()["credentials"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verifiableCredential": 7},
        {"verifiableCredential": {}},
        {"verifiableCredential": {"proof": []}},
        {"verifiableCredential": "~~"},
        {"verifiableCredential": {"proof": {"verificationMethod": "did:key:z#z"}}, "options": []},
        [],
    ],
)
def test_malformed_input_is_a_400_in_the_same_form(bench: Workbench, body):
    answer = post(bench, "bar/credentials", body)

    assert answer.status_code == 400
    assert answer.json()["verified"] is False
    assert answer.json()["problemDetails"]


def test_a_presentation_is_verified_for_its_domain_and_challenge(bench: Workbench):
    shown = bench.stage.present_ldp(bench.stage.issue_ldp(), audience="shop", nonce="n1")
    options = {"domain": "shop", "challenge": "n1", "checks": ["proof"]}

    good = post(bench, "bar/presentations", {"verifiablePresentation": shown, "options": options})
    bad = post(
        bench,
        "bar/presentations",
        {"verifiablePresentation": shown, "options": {**options, "challenge": "n2"}},
    )
    unbound = post(bench, "bar/presentations", {"verifiablePresentation": shown})

    assert good.status_code == 200, good.text
    assert (bad.status_code, bad.json()["problemDetails"][0]["type"]) == (
        400,
        "https://w3id.org/security#INVALID_CHALLENGE_ERROR",
    )
    assert unbound.json()["problemDetails"][0]["reason"] == "nothing_expected"


def _did_key_credential(**changes):
    signer = holder_signer("instance", KeyType.ED25519)
    document = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": signer.verification_method.partition("#")[0],
        "credentialSubject": {"id": "did:example:subject"},
        **changes,
    }
    return data_integrity.add_proof(
        document,
        signer=signer,
        cryptosuite="eddsa-rdfc-2022",
        created=bench_time(),
        purpose="assertionMethod",
        contexts=CONTEXTS,
    )


def bench_time():
    return datetime.fromtimestamp(START, UTC)


def _enveloped(typ="vc+jwt", media="application/vc+jwt", **changes):
    signer = holder_signer("instance")
    payload = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": signer.verification_method.partition("#")[0],
        "credentialSubject": {"id": "did:example:subject"},
        **changes,
    }
    header = {"typ": typ, "kid": signer.verification_method}
    token = sign_compact(header=header, payload=payload, signer=signer)
    return {
        "@context": "https://www.w3.org/ns/credentials/v2",
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:{media},{token}",
    }


def test_an_enveloped_credential_is_verified(bench: Workbench):
    answer = post(bench, "open/credentials", {"verifiableCredential": _enveloped()})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "changed",
    [
        _enveloped(typ="JWT"),
        _enveloped(typ="dc+sd-jwt"),
        _enveloped(media="application/jwt"),
        _enveloped(vc={}),
        _enveloped(vp={}),
        _enveloped(iss="did:example:somebody"),
        _enveloped(issuer="did:example:somebody"),
        _enveloped(exp=START - 100),
        _enveloped(nbf=START + 100),
        _enveloped(undefinedTerm="lost in JSON-LD"),
        {**_enveloped(), "@context": "https://www.w3.org/2018/credentials/v1"},
        {**_enveloped(), "id": _enveloped()["id"][:-8] + "AAAAAAAA"},
    ],
)
def test_an_envelope_with_a_fault_is_not(bench: Workbench, changed):
    assert post(bench, "open/credentials", {"verifiableCredential": changed}).status_code == 400


def test_a_conformance_instance_takes_did_key_issuers(bench: Workbench):
    answer = post(bench, "open/credentials", {"verifiableCredential": _did_key_credential()})

    assert answer.status_code == 200, answer.text


def test_a_conformance_instance_still_wants_the_issuer_to_control_the_key(bench: Workbench):
    credential = _did_key_credential(issuer="https://vc.example/issuers/5678")

    answer = post(bench, "open/credentials", {"verifiableCredential": credential})

    assert [p["title"] for p in answer.json()["problemDetails"]] == ["issuer failed"]


def test_a_strict_instance_takes_no_did_key_issuer(bench: Workbench):
    answer = post(bench, "bar/credentials", {"verifiableCredential": _did_key_credential()})

    reasons = {c["check"]: c["reason"] for c in answer.json()["checks"] if c["outcome"] == "failed"}
    assert reasons["issuer"] == "issuer_not_trusted"
    assert reasons["accreditation"] != "passed"


def test_a_presentation_by_a_stranger_with_a_broken_proof_fails_even_in_conformance(
    bench: Workbench,
):
    held = bench.stage.issue_ldp()
    held.credential = _did_key_credential()
    shown = bench.stage.present_ldp(held, audience="shop", nonce="n1")
    options = {"domain": "shop", "challenge": "n1"}
    body = {"verifiablePresentation": shown, "options": options}
    assert post(bench, "open/presentations", body).status_code == 200
    value = shown["proof"]["proofValue"]
    shown["proof"]["proofValue"] = value[:-1] + ("1" if value[-1] != "1" else "2")

    assert post(bench, "open/presentations", body).status_code == 400


def test_a_presentation_without_proof_is_judged_on_its_form_in_conformance_only(bench: Workbench):
    whole = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [_did_key_credential()],
    }

    assert post(bench, "open/presentations", {"verifiablePresentation": whole}).status_code == 200
    for broken in (
        {**whole, "type": ["Presentation"]},
        {**whole, "@context": []},
        {**whole, "holder": 7},
        {**whole, "verifiableCredential": ["text"]},
    ):
        answer = post(bench, "open/presentations", {"verifiablePresentation": broken})
        assert answer.status_code == 400, broken
    assert post(bench, "bar/presentations", {"verifiablePresentation": whole}).status_code == 400


def test_a_strict_party_has_no_yes_for_a_presentation_without_credentials(bench: Workbench):
    shown = data_integrity.add_proof(
        {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": [],
        },
        signer=holder_signer(),
        cryptosuite="ecdsa-rdfc-2019",
        created=datetime.fromtimestamp(START, UTC),
        purpose="authentication",
        contexts=CONTEXTS,
    )

    body = {"verifiablePresentation": shown}
    assert post(bench, "open/presentations", body).status_code == 200
    assert post(bench, "bar/presentations", body).status_code == 400


def test_a_strict_party_derives_nothing(bench: Workbench):
    body = {"verifiableCredential": {}, "options": {"selectivePointers": []}}
    for party, status in (("bar", 404), ("open", 400)):
        answer = bench.client.post(
            f"/verifiers/{party}/credentials/derive", json=body, headers=BEARER
        )
        assert answer.status_code == status

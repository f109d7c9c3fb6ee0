"""Bad keys over HTTP: 400 and never 500, wherever a request can bring a key (sections 4, 5, 7)."""

from typing import Any

from identity.core.jose import sign_compact
from tests.attacks.bad_keys import KEYS, did_jwk
from tests.contract.vc_api.suite import VERIFIERS, Suite, changed, with_proof

METHODS = {
    **{
        f"did:key, {key.name}": f"did:key:{key.multikey}"
        for key in KEYS
        if key.multicodec is not None and key.name != "BLS12-381 G2"
    },
    **{
        f"did:jwk, {key.name} {number}": did_jwk(jwk)
        for key in KEYS
        for number, jwk in enumerate(key.jwks)
    },
}


def method_of(did: str) -> str:
    return f"{did}#0" if did.startswith("did:jwk:") else f"{did}#{did.removeprefix('did:key:')}"


def test_how_many_bad_keys_there_are():
    assert len(METHODS) == 58 + 85


def test_as_verification_method_of_a_credential(suite: Suite):
    document = suite.issued()
    for name, did in METHODS.items():
        for party in VERIFIERS:
            bad = with_proof(document, verificationMethod=method_of(did))
            assert not suite.verify(bad, party).is_verified, name
            as_issuer = changed(bad, issuer=did)
            assert not suite.verify(as_issuer, party).is_verified, name


def test_as_verification_method_of_a_presentation(suite: Suite):
    presentation = suite.sign(
        suite.presentation(suite.issued()), purpose="authentication", challenge="c", domain="d"
    )
    options = {"challenge": "c", "domain": "d"}
    assert suite.verify_presentation(presentation, options=options).is_verified
    for name, did in METHODS.items():
        bad = with_proof(presentation, verificationMethod=method_of(did))
        assert not suite.verify_presentation(bad, options=options).is_verified, name


def test_as_kid_of_an_envelope(suite: Suite):
    for name, did in METHODS.items():
        bad = suite.envelope(suite.credential("enveloped"), kid=method_of(did))
        assert not suite.verify(bad).is_verified, name


def test_as_the_holders_key_in_an_sd_jwt(suite: Suite):
    signer = suite.signer("enveloped")

    def bound(jwk: Any) -> Any:
        text = sign_compact(
            header={"typ": "vc+sd-jwt", "kid": signer.verification_method},
            payload={**suite.credential("enveloped"), "cnf": {"jwk": jwk}},
            signer=signer,
        )
        envelope = suite.envelope(suite.credential("enveloped"))
        return {**envelope, "id": f"data:application/vc+sd-jwt,{text}~"}

    assert suite.verify(bound(signer.key.jwk)).is_verified
    for key in KEYS:
        for jwk in key.jwks:
            assert not suite.verify(bound(jwk)).is_verified, key.name


def test_did_resolution_answers_invalid_did(suite: Suite):
    for name, did in METHODS.items():
        answer: Any = suite.get(
            f"https://conformance.example/1.0/identifiers/{did}",
            Accept="application/did-resolution",
        )
        assert answer.status == 400, name
        assert answer.body["didDocument"] is None
        error = answer.body["didResolutionMetadata"]["error"]
        assert error["type"].endswith("#INVALID_DID"), name


def test_a_bbs_key_signs_nothing_but_bbs(suite: Suite):
    method = suite.signer("bbs-2023").verification_method
    for instance in ("eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019-p256"):
        assert not suite.verify(
            with_proof(suite.issued(instance), verificationMethod=method)
        ).is_verified
    derived = suite.derive(suite.issued("ecdsa-sd-2023"), ["/credentialSubject"]).credential
    assert not suite.verify(with_proof(derived, verificationMethod=method)).is_verified
    presentation = suite.sign(suite.presentation(suite.issued()), purpose="authentication")
    bad = with_proof(presentation, verificationMethod=method)
    assert not suite.verify_presentation(bad).is_verified
    unlinkable = suite.derive(suite.issued("bbs-2023"), ["/credentialSubject"]).credential
    shown = {**suite.presentation(suite.issued()), "proof": unlinkable["proof"]}
    shown["proof"] = {**shown["proof"], "proofPurpose": "authentication"}
    assert not suite.verify_presentation(shown).is_verified

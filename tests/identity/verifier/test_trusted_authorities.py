"""DCQL by authority: the key identifier of whoever certified the issuer (`aki`, HAIP 1.0 §5)."""

import json
from base64 import b64encode

import pytest
from cryptography import x509

from identity.core import sd_jwt
from registry.core.encoding import base64url_encode
from tests.identity.verifier.stage import certify, holder_signer
from tests.identity.verifier.test_refused_answers import answer_encrypted
from tests.identity.verifier.workbench import Workbench

ROOT = x509.load_der_x509_certificate(
    certify(holder_signer("x").key, common_name="R", is_root=True)
)
AKI = base64url_encode(
    ROOT.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
)


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def _query(form: str, authority: str) -> dict:
    meta = {"vct_values": ["https://id.example/schemas/resident-identity/1"]}
    path = ["age_over_18"]
    if form == "mso_mdoc":
        meta = {"doctype_value": "cairn.resident-identity.1"}
        path = ["cairn.resident-identity.1", "age_over_18"]
    asked = {
        "id": "who",
        "format": form,
        "meta": meta,
        "claims": [{"path": path}],
        "trusted_authorities": [{"type": "aki", "values": [authority]}],
    }
    return {"credentials": [asked]}


def _with_certificate(bench: Workbench, leaf: bytes):
    """A credential with `x5c`: issued anew, because the header is signed."""
    held = bench.stage.issue()
    issuer, *disclosures = held.credential.split("~")
    from identity.core import jose

    signer = bench.stage.agency.jose
    header = {
        "typ": "dc+sd-jwt",
        "kid": signer.verification_method,
        "x5c": [b64encode(leaf).decode()],
    }
    text = jose.sign_compact(
        header=header, payload=jose.parse_compact(issuer).claims, signer=signer
    )
    assert sd_jwt.parse_sd_jwt("~".join([text, *disclosures]))
    return type(held)("~".join([text, *disclosures]), held.holder, held.receipt)


def test_an_issuer_certified_by_the_named_authority_will_do(bench: Workbench):
    leaf = certify(bench.stage.agency.jose.key, common_name="Civil registry")
    wanted = bench.object(bench.ask(query=_query("dc+sd-jwt", AKI)))
    other = bench.object(bench.ask(query=_query("dc+sd-jwt", "AAAAAAAAAAAAAAAAAAAAAAAAAAA")))

    taken = bench.answer(wanted, bench.form(wanted, _with_certificate(bench, leaf)))
    refused = bench.answer(other, bench.form(other, _with_certificate(bench, leaf)))

    assert taken.status_code == 200, taken.text
    assert "policy: authority_not_named" in refused.json()["error_description"]


def test_a_certificate_for_another_key_or_none_counts_for_nothing(bench: Workbench):
    foreign = certify(holder_signer("mallory").key, common_name="Mallory")
    for held in (_with_certificate(bench, foreign), bench.stage.issue()):
        wanted = bench.object(bench.ask(query=_query("dc+sd-jwt", AKI)))

        refused = bench.answer(wanted, bench.form(wanted, held))

        assert "policy: authority_not_named" in refused.json()["error_description"]


def test_a_mobile_document_has_its_authority_in_x5chain(bench: Workbench):
    wanted = bench.object(bench.ask(query=_query("mso_mdoc", AKI)))

    taken = bench.answer(wanted, bench.form(wanted))

    assert taken.status_code == 200, taken.text


def test_with_the_profile_a_certified_credential_is_taken(bench: Workbench):
    leaf = certify(bench.stage.agency.jose.key, common_name="Civil registry")
    wanted = bench.object(bench.try_ask("haip").json())

    answer = answer_encrypted(bench, wanted, bench.form(wanted, _with_certificate(bench, leaf)))

    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text) == {}

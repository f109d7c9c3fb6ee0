"""What a verifier refuses, each with the error that says which rule was broken.

Every case runs its untouched twin before and after: a case whose twin fails would prove nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from identity.core import sd_jwt
from identity.core.signing import NamedSigner
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from tests.identity.verifier.stage import Held, holder_signer
from tests.identity.verifier.workbench import Workbench

Form = dict[str, str]


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def _shown(form: Form, change: Callable[[str], str]) -> Form:
    token = json.loads(form["vp_token"])
    ((query, (shown,)),) = token.items()
    return {**form, "vp_token": json.dumps({query: [change(shown)]})}


def _foreign_disclosure(bench: Workbench, wanted: JsonObject) -> Form:
    """One more disclosure, bound by the holder herself, that no digest of the issuer names."""
    held = bench.stage.issue()
    text = sd_jwt.present(held.credential, [("age_over_18",)])
    extra = base64url_encode(canonical_json(["c2FsdHNhbHRzYWx0", "age_over_21", True]))
    shown = sd_jwt.add_key_binding(
        f"{text}{extra}~",
        signer=held.holder,
        audience=wanted["client_id"],
        nonce=wanted["nonce"],
        issued_at=bench.stage.ledger.now,
    )
    return _with(bench, wanted, held, shown)


def _with(bench: Workbench, wanted: JsonObject, held: Held, shown: Any) -> Form:
    return {**bench.form(wanted, held), "vp_token": json.dumps({"resident-identity": [shown]})}


def _stripped(bench: Workbench, wanted: JsonObject) -> Form:
    return _shown(bench.form(wanted), lambda text: text.rpartition("~")[0] + "~")


def _by_a_stranger(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, holder=holder_signer("mallory"))


def _old(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, made_at=bench.stage.ledger.now - 361)


def _from_the_future(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, made_at=bench.stage.ledger.now + 120)


def _other_nonce(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, nonce="n-0S6_WzA2Mj-another")


def _other_audience(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, audience="x509_san_dns:shop.example")


def _under_age(bench: Workbench, wanted: JsonObject) -> Form:
    claims = {
        "family_name": "Kestrel",
        "given_name": "Alice",
        "birth_date": "2015-01-01",
        "age_over_18": False,
        "assurance_level": "IAL2",
        "issuing_country": "CN",
    }
    return bench.form(wanted, bench.stage.issue(claims=claims))


def _claim_kept_back(bench: Workbench, wanted: JsonObject) -> Form:
    return bench.form(wanted, paths=())


def _unknown_issuer(bench: Workbench, wanted: JsonObject) -> Form:
    """Signed by a key that is its own DID, which no policy names."""
    stranger = holder_signer("self-made-agency")
    return bench.form(wanted, bench.stage.issue(signer=stranger, changes={"iss": _did(stranger)}))


def _did(signer: NamedSigner) -> str:
    return signer.verification_method.partition("#")[0]


def _revoked(bench: Workbench, wanted: JsonObject) -> Form:
    form = bench.form(wanted)
    bench.stage.agency.set_status(7, 1)
    return form


def _suspended(bench: Workbench, wanted: JsonObject) -> Form:
    form = bench.form(wanted)
    bench.stage.agency.set_status(7, 2)
    return form


def _two(bench: Workbench, wanted: JsonObject) -> Form:
    token = json.loads(bench.form(wanted)["vp_token"])
    token["resident-identity"] *= 2
    return {"state": wanted["state"], "vp_token": json.dumps(token)}


@dataclass(frozen=True)
class Wrong:
    """How an answer is spoilt, and what the refusal names."""

    spoil: Callable[[Workbench, JsonObject], Form]
    told: str


WRONG = {
    "a disclosure that no digest names": Wrong(_foreign_disclosure, "proof: sd_jwt_malformed"),
    "key binding stripped": Wrong(_stripped, "holder_binding: holder_binding_missing"),
    "key binding by a stranger": Wrong(_by_a_stranger, "holder_binding: signature_not_valid"),
    "key binding old": Wrong(_old, "holder_binding: holder_proof_too_old"),
    "key binding of tomorrow": Wrong(_from_the_future, "holder_binding: key_binding_not_valid"),
    "key binding for another nonce": Wrong(_other_nonce, "audience: other_nonce"),
    "key binding for another audience": Wrong(_other_audience, "audience: other_audience"),
    "query not satisfied: another value": Wrong(_under_age, "policy: claim_value"),
    "query not satisfied: nothing shown": Wrong(_claim_kept_back, "policy: claim_missing"),
    "two where one was asked": Wrong(_two, "policy: too_many_presentations"),
    "issuer unknown": Wrong(_unknown_issuer, "issuer: issuer_not_trusted"),
    "revoked": Wrong(_revoked, "status: revoked"),
    "suspended": Wrong(_suspended, "status: suspended"),
}


def test_the_cases_are_here():
    assert len(WRONG) == 13


@pytest.mark.parametrize("name", WRONG)
def test_a_spoilt_answer_is_refused_and_its_twin_is_not(bench: Workbench, name):
    wrong = WRONG[name]
    _twin(bench)
    asked = bench.ask()
    wanted = bench.object(asked)

    answer = bench.answer(wanted, wrong.spoil(bench, wanted))

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] == "invalid_request"
    assert wrong.told in answer.json()["error_description"]
    result = bench.result(asked).json()
    assert result["verdict"]["verified"] is False
    assert result["verdict"]["credentials"] == []  # nothing of hers is kept
    bench.stage.agency.set_status(7, 0)
    _twin(bench)


def _twin(bench: Workbench) -> None:
    wanted = bench.object(bench.ask())
    assert bench.answer(wanted, bench.form(wanted)).status_code == 200


def test_with_the_profile_a_credential_without_a_certificate_is_refused(bench: Workbench):
    asked = bench.try_ask("haip").json()
    wanted = bench.object(asked)
    answer = answer_encrypted(bench, wanted, bench.form(wanted))

    assert answer.status_code == 400
    assert "policy: haip_not_kept" in answer.json()["error_description"]


def answer_encrypted(bench: Workbench, wanted: JsonObject, form: Form) -> Any:
    from identity.core.encrypted_answer import encrypt_answer

    (jwk,) = wanted["client_metadata"]["jwks"]["keys"]
    parameters = {
        name: json.loads(text) if name in ("vp_token", "anchor_receipts") else text
        for name, text in form.items()
    }
    response = encrypt_answer(parameters, jwk, enc="A256GCM", random=bench.stage.random)
    return bench.answer(wanted, {"response": response})


@pytest.mark.parametrize("seconds", [-60, 60], ids=["behind", "ahead"])
def test_a_presentation_by_a_clock_that_is_a_minute_ahead_or_behind_is_taken(
    bench: Workbench, seconds
):
    held = bench.stage.issue()
    wanted = bench.object(bench.ask())

    answer = bench.answer(
        wanted, bench.form(wanted, held, made_at=bench.stage.ledger.now + seconds)
    )

    assert answer.status_code == 200, answer.text


def test_every_refusal_of_the_wallet_endpoints_says_what_was_wrong(bench: Workbench):
    wanted = bench.object(bench.ask())
    path = wanted["response_uri"].removeprefix("https://id.example")
    unknown = "/verifiers/bar/requests/" + "A" * 22
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = [
        bench.client.post(path, data={}),
        bench.client.post(path, data={"vp_token": "{}", "state": wanted["state"]}),
        bench.client.post(path, data={"vp_token": "[", "state": "other"}),
        bench.client.post(path, content=b"%", headers=form),
        bench.client.post(path, content=b"\xff=\xff", headers=form),
        bench.client.post(path, json={"vp_token": {}}),
        bench.client.post(path, data={"response": "a.b.c.d.e"}),
        bench.client.get(f"{unknown}/object"),
        bench.client.post(f"{unknown}/response", data={"error": "access_denied"}),
        bench.client.post(path.replace("response", "object"), data={"wallet_nonce": "x" * 600}),
    ]

    for answer in refused:
        assert answer.status_code in (400, 404)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"] == "invalid_request"
        assert len(answer.json()["error_description"]) > 10
    assert bench.answer(wanted, bench.form(wanted)).status_code == 200

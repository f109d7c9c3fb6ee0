"""Each format over the wire, and every flow with requests going in turn to two instances."""

import json

import pytest

from identity.core.signing import NamedSigner
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType
from tests.identity.verifier.stage import holder_signer
from tests.identity.verifier.test_refused_answers import answer_encrypted
from tests.identity.verifier.workbench import BEARER, Workbench

FORMATS = ("dc+sd-jwt", "ldp_vc", "jwt_vc_json", "mso_mdoc")


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_presented_and_only_what_was_asked_is_kept(bench: Workbench, form):
    asked = bench.ask(format=form)
    wanted = bench.object(asked)

    answer = bench.answer(wanted, bench.form(wanted))

    assert answer.status_code == 200, answer.text
    (credential,) = bench.result(asked).json()["verdict"]["credentials"]
    assert credential["claims"] == {"age_over_18": True}


def test_ldp_vc_is_asked_by_expanded_iris_and_jwt_vc_json_by_plain_names(bench: Workbench):
    linked = bench.object(bench.ask(format="ldp_vc"))["dcql_query"]["credentials"][0]
    plain = bench.object(bench.ask(format="jwt_vc_json"))["dcql_query"]["credentials"][0]

    (iris,) = linked["meta"]["type_values"]
    assert iris[0] == "https://www.w3.org/2018/credentials#VerifiableCredential"
    assert iris[1].startswith("https://")
    assert plain["meta"]["type_values"] == [["VerifiableCredential", "ResidentIdentityCredential"]]
    for query in (linked, plain):
        assert query["claims"][0]["path"] == ["credentialSubject", "age_over_18"]


@pytest.mark.parametrize("form", ["ldp_vc", "jwt_vc_json"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"audience": "x509_san_dns:shop.example"}, "audience: other_audience"),
        ({"nonce": "of another request, long enough"}, "audience: other_nonce"),
    ],
)
def test_domain_or_aud_and_challenge_or_nonce_are_those_of_the_request(
    bench: Workbench, form, options, told
):
    wanted = bench.object(bench.ask(format=form))

    answer = bench.answer(wanted, bench.form(wanted, **options))

    assert answer.status_code == 400
    assert told in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("ldp_vc", {"dated": False}),
        ("jwt_vc_json", {"changes": {"iat": None, "nbf": None, "exp": None}}),  # as Credo has it
    ],
)
def test_a_w3c_presentation_needs_no_date_the_nonce_is_what_makes_it_fresh(
    bench: Workbench, form, options
):
    """OpenID4VP 1.0 B.1.3 asks for nonce and audience alone, and ours is answered once."""
    asked = bench.ask(format=form)
    wanted = bench.object(asked)
    undated = bench.form(wanted, **options)
    other = bench.object(bench.ask(format=form))

    elsewhere = bench.answer(other, {**undated, "state": other["state"]})
    taken = bench.answer(wanted, undated)
    again = bench.answer(wanted, undated)

    assert taken.status_code == 200, taken.text
    assert bench.result(asked).json()["verdict"]["verified"] is True
    assert (elsewhere.status_code, again.status_code) == (400, 400)
    assert "other_nonce" in elsewhere.json()["error_description"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"nbf": 60}, 200), ({"exp": -59}, 200), ({"nbf": 61}, 400), ({"exp": -60}, 400)],
)
def test_the_own_period_of_a_presentation_is_judged_with_room_for_clocks(
    bench: Workbench, changes, status
):
    wanted = bench.object(bench.ask(format="jwt_vc_json"))
    dates = {name: bench.stage.ledger.now + seconds for name, seconds in changes.items()}

    answer = bench.answer(wanted, bench.form(wanted, changes=dates))

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("form", ["ldp_vc", "jwt_vc_json"])
def test_the_holder_of_a_w3c_presentation_is_the_subject(bench: Workbench, form):
    wanted = bench.object(bench.ask(format=form))
    kind = KeyType.ED25519 if form == "ldp_vc" else KeyType.P256

    answer = bench.answer(wanted, bench.form(wanted, holder=holder_signer("mallory", kind)))

    assert answer.status_code == 400
    assert "holder_binding: holder_is_not_subject" in answer.json()["error_description"]


@pytest.mark.parametrize("form", ["ldp_vc", "jwt_vc_json"])
def test_a_holder_is_the_subject_under_another_did_of_the_same_key(bench: Workbench, form):
    wanted = bench.object(bench.ask(format=form))
    held = bench.stage.issue_in(form)
    jwk = held.holder.key.jwk
    spelled = json.dumps({name: jwk[name] for name in reversed(jwk)}, indent=1)  # as nobody does
    did = f"did:jwk:{base64url_encode(spelled.encode())}"

    answer = bench.answer(
        wanted, bench.form(wanted, held, holder=NamedSigner(held.holder, f"{did}#0"))
    )

    assert answer.status_code == 200, answer.text


def test_a_presentation_in_the_wrong_form_for_its_format_is_refused(bench: Workbench):
    for form, entry in (
        ("ldp_vc", "text"),
        ("jwt_vc_json", {}),
        ("dc+sd-jwt", {}),
        ("mso_mdoc", {}),
        ("mso_mdoc", "oWd2ZXJzaW9u"),
    ):
        wanted = bench.object(bench.ask(format=form))
        name = wanted["dcql_query"]["credentials"][0]["id"]

        answer = bench.answer(
            wanted, {"state": wanted["state"], "vp_token": json.dumps({name: [entry]})}
        )

        assert answer.status_code == 400
        assert "proof: " in answer.json()["error_description"]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("form", FORMATS)
def test_two_instances_over_one_database_serve_one_flow_in_turn(
    tmp_path, database_url, form, encrypted
):
    bench = Workbench(tmp_path, database_url=database_url)
    first, second = bench.client, bench.instance()
    asked = first.post(
        "/verifiers/bar/requests",
        json={
            "purpose": "age-check",
            "format": form,
            "client_id_prefix": "x509_hash",
            "encrypted": encrypted,
            "return_to": "https://bar.example/done",
        },
        headers=BEARER,
    ).json()
    bench.client = second
    wanted = bench.object(asked)
    bench.client = first
    assert bench.object(asked) == wanted
    form_body = bench.form(wanted)

    bench.client = second
    if encrypted:
        answer = answer_encrypted(bench, wanted, form_body)
    else:
        answer = bench.answer(wanted, form_body)
    bench.client = first
    replayed = bench.answer(wanted, form_body)

    assert answer.status_code == 200, answer.text
    assert replayed.status_code == 400
    assert bench.result(asked, second).json() == {"state": "returning"}
    code = answer.json()["redirect_uri"].partition("#response_code=")[2]
    assert bench.result(asked, first, response_code=code).json()["verdict"]["verified"] is True
    bench.engine.dispose()

"""The OpenID4VP 1.0 verifier over HTTP, as contracts and wallets expect it."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from jwcrypto import jwe
from jwcrypto.jwk import JWK
from sqlalchemy import text

from identity.core.jose import parse_compact
from tests.identity.verifier.stage import CLAIMS
from tests.identity.verifier.workbench import BEARER, Workbench, link_parameters


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def test_a_wallet_answers_and_the_page_that_asked_learns_one_claim(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)

    answer = bench.answer(wanted, bench.form(wanted))

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"
    result = bench.result(asked).json()
    assert result["state"] == "answered"
    assert result["verdict"]["verified"] is True
    assert [check["outcome"] for check in result["verdict"]["checks"]] == ["passed"] * 10
    (credential,) = result["verdict"]["credentials"]
    assert credential["type"] == "resident-identity"
    assert credential["claims"] == {"age_over_18": True}


def test_a_w3c_presentation_is_an_object_in_an_array(bench: Workbench):
    asked = bench.ask(format="ldp_vc")
    wanted = bench.object(asked)

    answer = bench.answer(wanted, bench.form(wanted, bench.stage.issue_ldp()))

    assert answer.status_code == 200, answer.text
    (credential,) = bench.result(asked).json()["verdict"]["credentials"]
    assert credential["claims"] == {"age_over_18": True}  # though all of it was shown


def test_the_link_names_the_party_and_where_to_post(bench: Workbench):
    asked = bench.ask()

    assert link_parameters(asked["link"]) == {
        "client_id": f"decentralized_identifier:{bench.stage.party.did}",
        "request_uri": asked["request_uri"],
        "request_uri_method": "post",
    }
    assert asked["link"].startswith("openid4vp://?")
    assert asked["expires_in"] == 300


def test_the_request_object_has_what_wallets_need_and_nothing_that_confuses_them(
    bench: Workbench,
):
    asked = bench.ask()
    path = asked["request_uri"].removeprefix("https://id.example")

    got, posted = bench.client.get(path), bench.client.post(path)

    for answer in (got, posted):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
        header = parse_compact(answer.text).header
        assert header["kid"] == f"{bench.stage.party.did}#request-1"
        assert header["typ"] == "oauth-authz-req+jwt"
    wanted = bench.object(asked)
    assert wanted["client_id"] == link_parameters(asked["link"])["client_id"]
    assert wanted["aud"] == "https://self-issued.me/v2"
    assert wanted["response_type"] == "vp_token"
    assert wanted["response_mode"] == "direct_post"
    assert wanted["exp"] - wanted["iat"] == 300
    # Contracts, section 3: no `iss` beside a DID, no parameter of an earlier draft.
    for absent in ("iss", "redirect_uri", "client_id_scheme", "presentation_definition"):
        assert absent not in wanted
    formats = wanted["client_metadata"]["vp_formats_supported"]
    assert set(formats) == {"dc+sd-jwt", "ldp_vc", "jwt_vc_json", "mso_mdoc"}
    assert all(values for described in formats.values() for values in described.values())
    assert wanted["dcql_query"]["credentials"] == [
        {
            "id": "resident-identity",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["https://id.example/schemas/resident-identity/1"]},
            "claims": [{"path": ["age_over_18"], "values": [True]}],
        }
    ]
    (info,) = wanted["verifier_info"]
    assert info["format"] == "cairn-registration/1"
    assert info["data"]["party"] == bench.stage.party.did
    assert info["data"]["purpose"] == "age-check"


def test_a_wallet_nonce_is_echoed_and_unknown_fields_are_ignored(bench: Workbench):
    asked = bench.ask()
    path = asked["request_uri"].removeprefix("https://id.example")

    answer = bench.client.post(path, data={"wallet_nonce": "abc", "wallet_metadata": "{}"})

    assert parse_compact(answer.text).claims["wallet_nonce"] == "abc"


def test_asking_for_more_than_is_registered_is_refused(bench: Workbench):
    answer = bench.client.post("/verifiers/bar/requests", json={"purpose": "names"}, headers=BEARER)

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/asks-too-much"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_asking_needs_the_access_key(bench: Workbench, headers):
    answer = bench.client.post(
        "/verifiers/bar/requests", json={"purpose": "age-check"}, headers=headers
    )

    assert answer.status_code == 403


def test_an_answer_is_taken_once(bench: Workbench):
    wanted = bench.object(bench.ask())
    form = bench.form(wanted)
    assert bench.answer(wanted, form).status_code == 200

    again = bench.answer(wanted, form)

    assert again.status_code == 400
    assert again.json()["error"] == "invalid_request"
    assert "answered" in again.json()["error_description"]


def test_of_rivals_on_two_instances_one_wins(bench: Workbench):
    wanted = bench.object(bench.ask())
    form = bench.form(wanted)
    instances = [bench.client, bench.instance()] * 4

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: bench.answer(wanted, form, client), instances))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


def test_another_instance_serves_object_and_result(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)
    other = bench.instance()

    assert bench.answer(wanted, bench.form(wanted), other).status_code == 200
    assert bench.result(asked, other).json()["state"] == "answered"


def test_an_answer_after_five_minutes_is_refused(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)
    form = bench.form(wanted)
    bench.stage.ledger.now += 300

    late = bench.answer(wanted, form)

    assert late.status_code == 400
    assert bench.result(asked).json() == {"state": "expired"}


def test_an_answer_to_another_request_is_refused(bench: Workbench):
    first, second = bench.object(bench.ask()), bench.object(bench.ask())

    mixed = bench.answer(first, bench.form(second))

    assert mixed.status_code == 400
    assert "state" in mixed.json()["error_description"]


def test_a_presentation_replayed_into_another_request_is_not_verified(bench: Workbench):
    asked = bench.ask()
    first, second = bench.object(bench.ask()), bench.object(asked)
    form = {**bench.form(first), "state": second["state"]}

    answer = bench.answer(second, form)

    assert answer.status_code == 400
    assert "audience: other_nonce" in answer.json()["error_description"]
    verdict = bench.result(asked).json()["verdict"]
    assert verdict["verified"] is False
    assert verdict["credentials"] == []


def test_a_wallet_may_decline(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)

    answer = bench.answer(
        wanted, {"error": "access_denied", "error_description": "no", "state": wanted["state"]}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert bench.result(asked).json() == {
        "state": "declined",
        "reason": {"error": "access_denied"},
    }


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ('{"resident-identity": "abc"}', "array"),
        ('{"resident-identity": []}', "1 to"),
        ('{"resident-identity": [7]}', "string or an object"),
        ('"abc"', "JSON object"),
        ("{}", "1 to"),
        ('{"a": ["x"], "a": ["y"]}', "twice"),
    ],
)
def test_a_vp_token_of_another_form_is_refused_and_does_not_use_the_request_up(
    bench: Workbench, token, told
):
    wanted = bench.object(bench.ask())

    refused = bench.answer(wanted, {"vp_token": token, "state": wanted["state"]})

    assert refused.status_code == 400
    assert told in refused.json()["error_description"]
    assert bench.answer(wanted, bench.form(wanted)).status_code == 200


def test_two_presentations_where_one_was_asked_for_are_not_verified(bench: Workbench):
    wanted = bench.object(bench.ask())
    form = bench.form(wanted)
    (shown,) = json.loads(form["vp_token"])["resident-identity"]
    form = {
        "state": wanted["state"],
        "vp_token": json.dumps({"resident-identity": [shown, shown]}),
    }

    answer = bench.answer(wanted, form)

    assert "policy: too_many_presentations" in answer.json()["error_description"]


def test_an_answer_to_something_that_was_not_asked_is_not_verified(bench: Workbench):
    wanted = bench.object(bench.ask())
    form = bench.form(wanted)
    (shown,) = json.loads(form["vp_token"])["resident-identity"]

    answer = bench.answer(
        wanted, {"state": wanted["state"], "vp_token": json.dumps({"other": [shown]})}
    )

    assert answer.status_code == 400
    assert "not_asked" in answer.json()["error_description"]


def test_only_the_holder_of_the_secret_learns_the_result(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)
    bench.answer(wanted, bench.form(wanted))
    path = f"/verifiers/bar/requests/{asked['request']}/result"

    for headers in ({}, BEARER, {"Authorization": "Bearer " + "A" * 43}):
        assert bench.client.get(path, headers=headers).status_code == 403
    assert bench.client.get("/verifiers/bar/requests/" + "A" * 22 + "/result").status_code == 403


def test_no_claim_lies_in_the_database(bench: Workbench):
    """The server keeps a result that it cannot read itself."""
    asked = bench.ask()
    wanted = bench.object(asked)
    held = bench.stage.issue()
    bench.answer(wanted, bench.form(wanted, held, paths=(("age_over_18",), ("family_name",))))

    with bench.engine.connect() as connection:
        rows = connection.execute(text("select * from verifier_requests")).all()

    stored = repr(rows)
    for secret in (*[str(value) for value in CLAIMS.values() if value is not True], '"verified"'):
        assert secret not in stored
    assert asked["result_secret"] not in stored
    assert bench.result(asked).json()["verdict"]["verified"] is True


def test_a_fetched_result_is_soon_gone(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)
    bench.answer(wanted, bench.form(wanted))
    assert bench.result(asked).status_code == 200
    bench.stage.ledger.now += 31

    bench.ask()  # clears away

    assert bench.result(asked).status_code == 404


def test_when_the_registry_is_away_the_answer_is_no(bench: Workbench):
    asked = bench.ask()
    wanted = bench.object(asked)
    form = bench.form(wanted)
    bench.stage.ledger.down = True

    answer = bench.answer(wanted, form)

    assert answer.status_code == 400
    bench.stage.ledger.down = False
    assert bench.result(asked).json()["verdict"]["verified"] is False


def test_a_form_with_a_field_twice_is_refused(bench: Workbench):
    wanted = bench.object(bench.ask())
    path = wanted["response_uri"].removeprefix("https://id.example")

    answer = bench.client.post(
        path,
        content=f"state={wanted['state']}&state={wanted['state']}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_waiting_wallet_finds_the_request_once(bench: Workbench):
    wait = bench.client.post("/rendezvous").json()
    mine = {"Authorization": f"Bearer {wait['secret']}"}
    path = f"/rendezvous/{wait['reference']}"
    assert bench.client.get(path, params={"wait": 1}, headers=mine).status_code == 204

    asked = bench.ask(reference=wait["reference"])

    assert bench.client.get(path, headers={"Authorization": "Bearer x"}).status_code == 403
    assert bench.client.get(path, headers=mine).json() == {"link": asked["link"]}
    assert bench.client.get(path, headers=mine).status_code == 404


def test_the_page_of_a_party_learns_its_purposes(bench: Workbench):
    answer = bench.client.get("/verifiers/bar", headers=BEARER)

    assert answer.json()["name"] == {"en": "The Bar", "zh": "酒吧"}
    assert answer.json()["purposes"][0]["credentials"] == [
        {"type": "resident-identity", "claims": [["age_over_18"]]}
    ]
    assert bench.client.get("/verifiers/bar").status_code == 403


def _encrypted(wanted, parameters, **header):
    """As a wallet does it; jwcrypto is the independent implementation here."""
    (jwk,) = wanted["client_metadata"]["jwks"]["keys"]
    token = jwe.JWE(
        json.dumps(parameters),
        json.dumps({"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"], **header}),
    )
    token.add_recipient(JWK(**jwk))
    return token.serialize(compact=True)


def _parameters(bench: Workbench, wanted):
    form = bench.form(wanted)
    return {
        "vp_token": json.loads(form["vp_token"]),
        "anchor_receipts": json.loads(form["anchor_receipts"]),
        "state": wanted["state"],
    }


@pytest.mark.parametrize(
    "header",
    [{}, {"enc": "A128GCM"}, {"apu": "YWJj", "apv": "eHl6"}],
)
def test_an_encrypted_answer_is_taken_where_it_was_asked_for(bench: Workbench, header):
    asked = bench.ask(encrypted=True)
    wanted = bench.object(asked)
    assert wanted["response_mode"] == "direct_post.jwt"
    metadata = wanted["client_metadata"]
    assert metadata["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    (jwk,) = metadata["jwks"]["keys"]
    assert (jwk["use"], jwk["alg"], jwk["crv"]) == ("enc", "ECDH-ES", "P-256")

    answer = bench.answer(
        wanted, {"response": _encrypted(wanted, _parameters(bench, wanted), **header)}
    )

    assert answer.status_code == 200, answer.text
    assert bench.result(asked).json()["verdict"]["verified"] is True
    with bench.engine.connect() as connection:
        assert connection.scalar(text("select answer_key from verifier_requests")) is None


def test_a_plain_answer_where_encryption_was_asked_is_refused(bench: Workbench):
    wanted = bench.object(bench.ask(encrypted=True))

    plain = bench.answer(wanted, bench.form(wanted))
    declined = bench.answer(wanted, {"error": "access_denied", "state": wanted["state"]})

    assert plain.status_code == 400
    assert "encrypted" in plain.json()["error_description"]
    assert declined.status_code == 200


def test_an_encrypted_answer_where_none_was_asked_is_refused(bench: Workbench):
    wanted = bench.object(bench.ask())

    assert bench.answer(wanted, {"response": "a.b.c.d.e"}).status_code == 400


def test_an_answer_for_another_requests_key_is_refused(bench: Workbench):
    first, second = (bench.object(bench.ask(encrypted=True)) for _ in range(2))
    assert first["client_metadata"]["jwks"] != second["client_metadata"]["jwks"]

    answer = bench.answer(second, {"response": _encrypted(first, _parameters(bench, second))})

    assert answer.status_code == 400


def test_a_changed_or_odd_encrypted_answer_is_refused(bench: Workbench):
    wanted = bench.object(bench.ask(encrypted=True))
    good = _encrypted(wanted, _parameters(bench, wanted))
    header, key, vector, body, tag = good.split(".")
    odd = [
        ".".join((header, key, vector, body, tag[::-1])),
        ".".join((header, key, vector, body[:-4], tag)),
        ".".join((header, "AAAA", vector, body, tag)),
        ".".join((header[:-2], key, vector, body, tag)),
        _encrypted(wanted, _parameters(bench, wanted), zip="DEF"),
        "",
        "....",
        "x" * 100,
    ]

    for response in odd:
        assert bench.answer(wanted, {"response": response}).status_code == 400
    assert bench.answer(wanted, {"response": good}).status_code == 200


def test_a_form_is_read_as_browsers_and_servers_do(bench: Workbench):
    """As the URL standard parses them: empty sequences are skipped, and text is UTF-8."""
    wanted = bench.object(bench.ask())
    fields = urlencode(bench.form(wanted))
    body = f"&{fields}&&wallet=\u5361\u5305&"

    answer = bench.client.post(
        wanted["response_uri"].removeprefix("https://id.example"),
        content=body.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"},
    )

    assert answer.status_code == 200, answer.text

"""Under which names, and in which ways, a relying party asks (OpenID4VP 1.0 §5, HAIP 1.0)."""

import json
from base64 import b64decode
from hashlib import sha256

import pytest
from cryptography import x509

from identity.core.certificates import NO_CERTIFICATES
from identity.core.jose import parse_compact, verify_compact
from registry.core.encoding import base64url_encode
from registry.core.keys import parse_jwk
from tests.identity.verifier import make_name_vectors
from tests.identity.verifier.stage import BASE
from tests.identity.verifier.workbench import Workbench, link_parameters
from tests.registry.core.heads import NOW

JAR = "oauth-authz-req+jwt"


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def _object(bench: Workbench, asked: dict) -> str:
    return bench.client.get(asked["request_uri"].removeprefix(BASE)).text


def test_an_x509_hash_is_the_digest_of_the_leaf_in_x5c_whose_key_signed(bench: Workbench):
    asked = bench.ask(client_id_prefix="x509_hash")

    signed = parse_compact(_object(bench, asked))

    assert signed.header["typ"] == JAR
    assert "kid" not in signed.header
    (leaf,) = [b64decode(text) for text in signed.header["x5c"]]
    certificate = x509.load_der_x509_certificate(leaf)
    point = bench.stage.party.request.key
    assert certificate.issuer != certificate.subject  # not self-signed, and no trust anchor
    for wanted in (x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier):
        assert certificate.extensions.get_extension_for_class(wanted)
    client_id = f"x509_hash:{base64url_encode(sha256(leaf).digest())}"
    claims = verify_compact(signed, key=point, typ=JAR).claims
    assert asked["client_id"] == claims["client_id"] == client_id
    assert link_parameters(asked["link"])["client_id"] == client_id
    assert "iss" not in claims


def test_an_x509_san_dns_is_the_host_of_response_uri_without_a_port(bench: Workbench):
    asked = bench.ask(client_id_prefix="x509_san_dns")

    claims = parse_compact(_object(bench, asked)).claims

    assert claims["client_id"] == "x509_san_dns:id.example"
    assert claims["response_uri"].startswith("https://id.example/")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://other.example/verifiers/bar", "does not name the host"),
        ("http://127.0.0.1:8000/verifiers/bar", "does not name the host"),
    ],
)
def test_no_x509_san_dns_for_a_host_that_the_certificate_does_not_name(bench: Workbench, url, told):
    object.__setattr__(bench.stage.party, "verifier_url", url)

    answer = bench.try_ask(client_id_prefix="x509_san_dns")

    assert answer.status_code == 403
    assert told in answer.json()["detail"]


def test_a_party_without_a_certificate_asks_under_no_certificate(bench: Workbench):
    object.__setattr__(bench.stage.party, "certificates", NO_CERTIFICATES)

    answer = bench.try_ask(client_id_prefix="x509_hash")

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/client-id-not-available"


@pytest.mark.parametrize("did", ["jwk", "web"])
def test_a_did_that_wallets_resolve_without_the_ledger(bench: Workbench, did):
    asked = bench.ask(did=did)

    signed = parse_compact(_object(bench, asked))

    name = asked["client_id"].removeprefix("decentralized_identifier:")
    assert signed.header["kid"].partition("#")[0] == name
    if did == "web":
        assert signed.header["kid"] == "did:web:id.example:verifiers:bar#request-1"
    else:
        assert signed.header["kid"] == f"{name}#0"
    claims = verify_compact(signed, key=bench.stage.party.request.key, typ=JAR).claims
    assert claims["client_id"] == asked["client_id"]


def test_a_redirect_uri_is_unsigned_and_everything_stands_in_the_query_string(bench: Workbench):
    asked = bench.ask(client_id_prefix="redirect_uri")

    given = link_parameters(asked["link"])

    assert given["client_id"] == f"redirect_uri:{given['response_uri']}" == asked["client_id"]
    assert given["response_type"] == "vp_token"
    assert given["response_mode"] == "direct_post"
    assert json.loads(given["dcql_query"])["credentials"][0]["format"] == "dc+sd-jwt"
    assert "vp_formats_supported" in json.loads(given["client_metadata"])
    assert not {"request", "request_uri", "request_uri_method"} & set(given)
    assert bench.client.get(asked["request_uri"].removeprefix(BASE)).status_code == 404


def test_a_request_by_value_is_the_signed_object_in_the_link(bench: Workbench):
    asked = bench.ask(client_id_prefix="x509_hash", delivery="value")

    given = link_parameters(asked["link"])

    assert set(given) == {"client_id", "request"}
    claims = verify_compact(given["request"], key=bench.stage.party.request.key, typ=JAR).claims
    assert claims["client_id"] == given["client_id"]
    assert bench.answer(claims, bench.form(claims)).status_code == 200


@pytest.mark.parametrize(
    ("prefix", "delivery"),
    [("redirect_uri", "uri"), ("redirect_uri", "value"), ("x509_hash", "query")],
)
def test_what_cannot_be_signed_is_not_and_what_can_be_is(bench: Workbench, prefix, delivery):
    answer = bench.try_ask(client_id_prefix=prefix, delivery=delivery)

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/ask-malformed"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"did": "jwk"},
        {"did": "web"},
        {"client_id_prefix": "x509_hash"},
        {"client_id_prefix": "x509_san_dns"},
        {"client_id_prefix": "redirect_uri"},
    ],
    ids=lambda body: "-".join(body.values()) or "ledger",
)
def test_the_audience_of_a_presentation_is_the_whole_name_and_no_other(bench: Workbench, body):
    asked, again = bench.ask(**body), bench.ask(**body)
    wanted, second = _wanted(bench, asked), _wanted(bench, again)
    bare = wanted["client_id"].partition(":")[2]

    taken = bench.answer(wanted, bench.form(wanted))
    refused = bench.answer(second, bench.form(second, audience=bare))

    assert taken.status_code == 200, taken.text
    assert refused.status_code == 400
    assert "audience: other_audience" in refused.json()["error_description"]
    assert bench.result(asked).json()["verdict"]["verified"] is True


def _wanted(bench: Workbench, asked: dict) -> dict:
    given = link_parameters(asked["link"])
    if "request_uri" in given:
        return bench.object(asked)
    return {
        name: json.loads(text) if text.startswith(("{", "[")) else text
        for name, text in given.items()
    }


def test_no_draft_is_mixed_in_under_any_name(bench: Workbench):
    asked = [
        bench.ask(client_id_prefix=prefix, encrypted=encrypted)
        for prefix in ("decentralized_identifier", "x509_hash", "x509_san_dns", "redirect_uri")
        for encrypted in (False, True)
    ]

    for wanted in (_wanted(bench, one) for one in asked):
        assert ":" in wanted["client_id"]
        for old in ("client_id_scheme", "presentation_definition", "presentation_definition_uri"):
            assert old not in wanted
        assert not any(
            name.startswith("authorization_encrypted_response") or name == "vp_formats"
            for name in wanted["client_metadata"]
        )


def test_every_request_has_an_encryption_key_of_its_own(bench: Workbench):
    wanted = [bench.object(bench.ask(encrypted=True)) for _ in range(3)]

    keys = [one["client_metadata"]["jwks"]["keys"] for one in wanted]

    for (key,) in keys:
        assert (key["use"], key["alg"], key["crv"]) == ("enc", "ECDH-ES", "P-256")
        assert parse_jwk({name: key[name] for name in ("kty", "crv", "x", "y")})
    assert len({key["kid"] for (key,) in keys}) == 3
    for one in wanted:
        assert one["response_mode"] == "direct_post.jwt"
        offered = one["client_metadata"]["encrypted_response_enc_values_supported"]
        assert offered == ["A128GCM", "A256GCM"]


def test_an_empty_form_and_no_body_at_all_fetch_the_same_object_twice(bench: Workbench):
    path = bench.ask()["request_uri"].removeprefix(BASE)
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    answers = [
        bench.client.post(path),
        bench.client.post(path, content=b"", headers=form),
        bench.client.get(path),
    ]

    assert {answer.status_code for answer in answers} == {200}
    claims = [parse_compact(answer.text).claims for answer in answers]
    assert claims[0] == claims[1] == claims[2]
    assert "wallet_nonce" not in claims[0]


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ("no json", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"client_id_prefixes_supported": ["x509_hash"]}', "decentralized_identifier"),
        ('{"vp_formats_supported": {"mso_mdoc": {}}}', "none of the formats"),
    ],
)
def test_a_wallet_that_cannot_answer_is_told_why(bench: Workbench, metadata, told):
    path = bench.ask()["request_uri"].removeprefix(BASE)

    answer = bench.client.post(path, data={"wallet_metadata": metadata})

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert told in answer.json()["error_description"]


def test_a_wallet_that_can_is_served(bench: Workbench):
    path = bench.ask(client_id_prefix="x509_hash")["request_uri"].removeprefix(BASE)
    metadata = {
        "vp_formats_supported": {"dc+sd-jwt": None, "mso_mdoc": {"issuerauth_alg_values": [-7]}},
        "client_id_prefixes_supported": ["x509_hash"],
        "response_types_supported": ["vp_token"],
    }

    answer = bench.client.post(path, data={"wallet_metadata": json.dumps(metadata)})

    assert answer.status_code == 200


def test_the_registration_comes_with_its_proof_and_any_wallet_can_check_it(bench: Workbench):
    from registry.core.checkpoint import verify_head
    from registry.core.encoding import canonical_json
    from registry.core.records import relying_party_key
    from registry.core.sparse_map import parse_map_proof, verify_map_proof

    asked = bench.ask(client_id_prefix="x509_hash")

    (info,) = bench.object(asked)["verifier_info"]

    data = info["data"]
    head = verify_head(data["head"], bench.stage.ledger.trust, now=NOW)
    verify_map_proof(
        parse_map_proof(data["proof"]),
        key=relying_party_key(data["party"]),
        value=canonical_json(data["record"]),
        root=head.state_root,
    )
    assert data["record"]["purposes"][0]["purpose"] == data["purpose"] == "age-check"
    assert data["record"]["party"] == bench.stage.party.did


def test_the_wallet_page_is_tested_with_requests_that_we_really_sign():
    kept = json.loads(make_name_vectors.TARGET.read_text())

    fresh = json.loads(make_name_vectors.make())

    assert kept["key"] == fresh["key"]
    for name, case in fresh["cases"].items():
        before = parse_compact(kept["cases"][name]["request"])
        after = parse_compact(case["request"])
        assert set(before.claims) == set(after.claims)
        assert set(before.header) == set(after.header)
        assert before.claims["client_metadata"].keys() == after.claims["client_metadata"].keys()


# The High Assurance profile


def test_a_party_with_the_profile_asks_by_it_without_being_told(bench: Workbench):
    asked = bench.try_ask("haip").json()

    wanted = bench.object(asked)

    assert wanted["client_id"].startswith("x509_hash:")
    assert wanted["response_mode"] == "direct_post.jwt"
    assert set(wanted["client_metadata"]) == {
        "jwks",
        "encrypted_response_enc_values_supported",
        "vp_formats_supported",
    }
    assert set(wanted["client_metadata"]["vp_formats_supported"]) == {"dc+sd-jwt", "mso_mdoc"}


@pytest.mark.parametrize(
    "body",
    [
        {"client_id_prefix": "decentralized_identifier"},
        {"client_id_prefix": "x509_san_dns"},
        {"client_id_prefix": "redirect_uri"},
        {"delivery": "value"},
        {"encrypted": False},
        {"format": "ldp_vc"},
        {"format": "jwt_vc_json"},
    ],
    ids=lambda body: "-".join(map(str, body.values())),
)
def test_a_party_with_the_profile_asks_in_no_weaker_way(bench: Workbench, body):
    answer = bench.try_ask("haip", **body)

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/profile-demands-more"
    assert answer.json()["detail"].startswith("HAIP: ")


# Queries of one's own, and over-asking


def _query(**changes: object) -> dict:
    credential = {
        "id": "who",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [f"{BASE}/schemas/resident-identity/1"]},
        "claims": [{"path": ["age_over_18"]}],
        **changes,
    }
    return {"credentials": [credential]}


def test_a_query_of_the_partys_own_is_asked_as_it_stands(bench: Workbench):
    query = {**_query(), "credential_sets": [{"options": [["who"]]}]}

    wanted = bench.object(bench.ask(query=query))

    assert wanted["dcql_query"] == query
    assert bench.answer(wanted, bench.form(wanted)).status_code == 200


W3C = {
    "format": "ldp_vc",
    "meta": {
        "type_values": [
            [
                "https://www.w3.org/2018/credentials#VerifiableCredential",
                f"{BASE}/schemas/vocab#ResidentIdentityCredential",
            ]
        ]
    },
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"claims": [{"path": ["family_name"]}]}, "asks-too-much"),
        ({"claims": [{"path": ["age_over_18"]}, {"path": [None]}]}, "asks-too-much"),
        (
            {
                "claims": [
                    {"id": "a", "path": ["age_over_18"]},
                    {"id": "b", "path": ["family_name"]},
                ],
                "claim_sets": [["a"], ["b"]],
            },
            "asks-too-much",
        ),
        (
            {
                "meta": {
                    "vct_values": [
                        f"{BASE}/schemas/resident-identity/1",
                        f"{BASE}/schemas/degree/1",
                    ]
                }
            },
            "asks-too-much",
        ),
        ({"meta": {"vct_values": ["https://else.example/pid"]}}, "unknown-credential-type"),
        (
            {
                "format": "jwt_vc_json",
                "meta": {"type_values": [["VerifiableCredential"]]},
                "claims": [{"path": ["credentialSubject", "age_over_18"]}],
            },
            "query-malformed",
        ),
        (
            {
                "format": "jwt_vc_json",
                "meta": {"type_values": [["ResidentIdentityCredential"]]},
                "claims": [{"path": ["credentialSubject"]}],
            },
            "query-malformed",
        ),
        (
            {
                "format": "mso_mdoc",
                "meta": {"doctype_value": "cairn.resident-identity.1"},
                "claims": [{"path": ["cairn.resident-identity.1", "family_name"]}],
            },
            "asks-too-much",
        ),
        (
            {"trusted_authorities": [{"type": "openid_federation", "values": ["x"]}]},
            "query-malformed",
        ),
        ({"trusted_authorities": [{"type": "etsi_tl", "values": ["x"]}]}, "query-malformed"),
        ({"require_cryptographic_holder_binding": False}, "ask-malformed"),
        ({"claims": []}, "query-malformed"),
        ({"also_give": ["everything"]}, "query-malformed"),
        ({"claims": [{"path": ["age_over_18"], "and_below": True}]}, "query-malformed"),
    ],
)
def test_no_spelling_of_a_query_gets_around_the_registration(bench: Workbench, changes, problem):
    answer = bench.try_ask(query=_query(**changes))

    assert answer.status_code in (400, 403, 404)
    assert answer.json()["type"] == f"/problems/{problem}", answer.text


def test_a_registration_that_shrank_meanwhile_stops_the_request(bench: Workbench):
    from registry.core.transactions import RegisterRelyingParty

    asked = bench.ask()
    bench.stage.ledger.submit(
        RegisterRelyingParty(party=bench.stage.party.did, name="The Bar", purposes=(), version=2),
        bench.stage.ledger.root,
    )

    answer = bench.client.get(asked["request_uri"].removeprefix(BASE))

    assert answer.status_code == 400
    assert "not registered" in answer.json()["error_description"]


# The same device, and across devices


def test_in_the_same_device_the_verdict_needs_the_code_that_came_back(bench: Workbench):
    asked = bench.ask(return_to="https://bar.example/done")
    wanted = bench.object(asked)

    answer = bench.answer(wanted, bench.form(wanted))

    address, _, code = answer.json()["redirect_uri"].partition("#response_code=")
    assert address == "https://bar.example/done"
    assert bench.result(asked).json() == {"state": "returning"}
    assert bench.result(asked, response_code=code).json()["verdict"]["verified"] is True


def test_a_session_swapped_between_two_browsers_is_refused(bench: Workbench):
    """Whoever makes somebody else answer his request gets nothing, and neither does she."""
    attacker = bench.ask(return_to="https://bar.example/done")
    victim = bench.ask(return_to="https://bar.example/done")
    codes = {}
    for name, asked in (("attacker", attacker), ("victim", victim)):
        wanted = bench.object(asked)
        answer = bench.answer(wanted, bench.form(wanted))
        codes[name] = answer.json()["redirect_uri"].partition("#response_code=")[2]

    swapped = bench.result(attacker, response_code=codes["victim"])
    other_secret = bench.result({**attacker, "result_secret": victim["result_secret"]})

    assert swapped.status_code == 403
    assert swapped.json()["type"] == "/problems/other-session"
    assert other_secret.status_code == 403
    assert other_secret.json()["type"] == "/problems/secret-not-valid"
    assert bench.result(attacker, response_code=codes["attacker"]).status_code == 200


def test_in_the_same_device_a_no_reaches_the_page_although_nobody_comes_back(bench: Workbench):
    asked = bench.ask(return_to="https://bar.example/done")
    wanted = bench.object(asked)

    answer = bench.answer(wanted, bench.form(wanted, nonce="of another request, long enough"))

    assert answer.status_code == 400
    verdict = bench.result(asked).json()["verdict"]
    assert (verdict["verified"], verdict["credentials"]) == (False, [])


def test_a_wallet_that_declines_in_the_same_device_comes_back_too(bench: Workbench):
    asked = bench.ask(return_to="https://bar.example/done")
    wanted = bench.object(asked)

    answer = bench.answer(wanted, {"error": "access_denied", "state": wanted["state"]})

    code = answer.json()["redirect_uri"].partition("#response_code=")[2]
    assert bench.result(asked, response_code=code).json()["state"] == "declined"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://bar.example/#x",
        "https://a:b@bar.example/",
        "/done",
        "https://[",
        "https://bar.example/" + "x" * 2048,
    ],
)
def test_the_browser_is_sent_back_to_plain_addresses_only(bench: Workbench, address):
    answer = bench.try_ask(return_to=address)

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/ask-malformed"


def test_across_devices_both_screens_can_show_the_same_four_digits(bench: Workbench):
    from identity.core.presentation_request import matching_code

    asked, other = bench.ask(), bench.ask()

    wanted = bench.object(asked)

    assert asked["matching_code"] == matching_code(wanted["client_id"], wanted["nonce"])
    assert len(asked["matching_code"]) == 4
    assert asked["matching_code"].isdigit()
    assert asked["matching_code"] != other["matching_code"]  # in this run; in one of 10,000 not

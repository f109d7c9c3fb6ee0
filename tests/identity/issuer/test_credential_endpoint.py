"""Credential and notification endpoints: what is refused, and how it is said."""

from typing import Any

import pytest

from identity.adapters.key_files import key_from_seed
from identity.core.jose import sign_compact
from identity.core.key_proof import did_jwk
from identity.core.signing import NamedSigner
from registry.core.keys import KeyType
from tests.identity.issuer.test_flow import token_status
from tests.identity.issuer.workbench import ALICE, BEARER, Workbench, payload_of

CONFIGURATION = "resident-identity-sd-jwt"


def _refused(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error_description"]
    code: str = answer.json()["error"]
    return code


def _ask(bench: Workbench, token: str, *proofs: Any, **members: Any) -> Any:
    return bench.request(
        token,
        {"credential_configuration_id": CONFIGURATION, "proofs": {"jwt": list(proofs)}, **members},
    )


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Bearer short", "Bearer " + "A" * 43],
)
def test_without_a_token_of_ours_nothing_is_issued(
    bench: Workbench, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    for path in ("credential", "notification"):
        answer = bench.http.post(f"{bench.issuer}/{path}", headers=headers, json={})

        assert _refused(answer, 401) == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_expires(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    bench.clock.forward(seconds=901)

    assert _refused(_ask(bench, token, bench.proof(bench.key())), 401) == "invalid_token"


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"credential_configuration_id": None}, "invalid_credential_request"),
        ({"credential_configuration_id": 7}, "invalid_credential_request"),
        ({"credential_configuration_id": "unknown"}, "unknown_credential_configuration"),
        ({"credential_configuration_id": "degree-sd-jwt"}, "unknown_credential_configuration"),
        ({"credential_identifier": CONFIGURATION}, "invalid_credential_request"),
        (
            {"credential_configuration_id": None, "credential_identifier": CONFIGURATION},
            "unknown_credential_identifier",
        ),
        ({"credential_response_encryption": {}}, "invalid_encryption_parameters"),
        ({"proofs": None}, "invalid_proof"),
        ({"proofs": []}, "invalid_proof"),
        ({"proofs": {}}, "invalid_proof"),
        ({"proofs": {"jwt": []}}, "invalid_proof"),
        ({"proofs": {"jwt": "text"}}, "invalid_proof"),
        ({"proofs": {"jwt": [7]}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a.b.c"]}}, "invalid_proof"),
        ({"proofs": {"di_vp": [{}]}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a.b.c"], "attestation": ["x"]}}, "invalid_proof"),
        ({"proof": {"proof_type": "jwt", "jwt": "a.b.c"}}, "invalid_credential_request"),
    ],
)
def test_a_bad_credential_request_is_named(
    bench: Workbench, members: dict[str, Any], error: str
) -> None:
    token = bench.token(bench.offer())
    good = bench.proof(bench.key())
    body = {"credential_configuration_id": CONFIGURATION, "proofs": {"jwt": [good]}, **members}

    answer = bench.request(token, {k: v for k, v in body.items() if v is not None})

    assert _refused(answer) == error
    # The twin: nothing but that member was wrong, and the refusal used nothing up.
    assert _ask(bench, token, good).status_code == 200


@pytest.mark.parametrize(
    "nulls",
    [
        {"credential_identifier": None},
        {"proof": None},
        {"credential_response_encryption": None, "format": None},
        {"proofs": {"attestation": None, "di_vp": None}},
    ],
)
def test_a_member_that_is_null_counts_as_left_out(bench: Workbench, nulls: dict[str, Any]) -> None:
    """As a form's empty parameter (RFC 6749 §3.2): serializers write down what nobody set."""
    token = bench.token(bench.offer())
    proofs = {"jwt": [bench.proof(bench.key())], **nulls.get("proofs", {})}

    answer = bench.request(
        token, {"credential_configuration_id": CONFIGURATION, **nulls, "proofs": proofs}
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(bench: Workbench, body: bytes) -> None:
    token = bench.token(bench.offer())

    answer = bench.http.post(
        f"{bench.issuer}/credential",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        content=body,
    )

    assert _refused(answer) == "invalid_credential_request"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"aud": ["https://id.example/issuers/registrar", "https://elsewhere.example"]},
        {"iat": None},
        {"iat": True},
        {"iat": "now"},
        {"iat": 1e300},
        {"iat": 1},
        {"iat": 4102444800},
        {"exp": 1},
        {"nbf": 4102444800},
        {"nonce": None},
        {"nonce": 7},
    ],
    ids=str,
)
def test_a_key_proof_that_says_something_else_is_refused(
    bench: Workbench, change: dict[str, Any]
) -> None:
    token, key = bench.token(bench.offer()), bench.key()
    nonce = bench.nonce()

    bad = bench.proof(key, **{"nonce": nonce, **change})
    if "nonce" in change:
        bad = _without_nonce(bench, key, change["nonce"])

    assert _refused(_ask(bench, token, bad)) == "invalid_proof"
    assert _ask(bench, token, bench.proof(key, nonce=nonce)).status_code == 200


def _without_nonce(bench: Workbench, key: Any, nonce: Any) -> str:
    payload = {"aud": bench.issuer, "iat": int(bench.clock().timestamp())}
    if nonce is not None:
        payload["nonce"] = nonce
    return sign_compact(
        header={"typ": "openid4vci-proof+jwt", "jwk": key.key.jwk},
        payload=payload,
        signer=NamedSigner(key, "holder"),
    )


def test_a_key_proof_of_another_kind_or_key_is_refused(bench: Workbench) -> None:
    token, key, other = bench.token(bench.offer()), bench.key(), bench.key()
    typ = "openid4vci-proof+jwt"
    did = key.key.did_key
    headers: list[dict[str, Any]] = [
        {"typ": "JWT", "jwk": key.key.jwk},
        {"typ": typ},
        {"typ": typ, "jwk": other.key.jwk},
        {"typ": typ, "jwk": key.key.jwk, "kid": did},
        {"typ": typ, "jwk": {**key.key.jwk, "d": "AA"}},
        {"typ": typ, "jwk": {"kty": "oct", "k": "AA"}},
        {"typ": typ, "jwk": "text"},
        {"typ": typ, "kid": other.key.did_key},
        {"typ": typ, "kid": "did:web:example.com#key"},
        {"typ": typ, "kid": f"{did}#{other.key.multikey}"},
        {"typ": typ, "kid": "did:jwk:" + "A" * 2000},
        {"typ": typ, "kid": 7},
        {"typ": typ, "x5c": ["AA"]},
    ]
    for header in headers:
        proof = bench.proof(key, header=header)
        assert _refused(_ask(bench, token, proof)) == "invalid_proof", header

    assert _ask(bench, token, bench.proof(key)).status_code == 200


@pytest.mark.parametrize("name", ["did_key", "did_key_fragment", "did_jwk", "jwk_with_kid"])
def test_the_ways_in_which_wallets_name_their_key(bench: Workbench, name: str) -> None:
    key = bench.key()
    named: dict[str, dict[str, Any]] = {
        "did_key": {"kid": key.key.did_key},
        "did_key_fragment": {"kid": f"{key.key.did_key}#{key.key.multikey}"},
        "did_jwk": {"kid": f"{did_jwk(key.key)}#0"},
        "jwk_with_kid": {"jwk": {**key.key.jwk, "kid": "my key", "use": "sig"}},
    }
    proof = bench.proof(key, header={"typ": "openid4vci-proof+jwt", **named[name]})

    answer = _ask(bench, bench.token(bench.offer()), proof)

    assert answer.status_code == 200, answer.text
    payload = payload_of(answer.json()["credentials"][0]["credential"])
    assert payload["cnf"] == {"jwk": key.key.jwk}  # nothing of the header is copied blindly


def test_an_ed25519_holder_key_is_taken_too(bench: Workbench) -> None:
    key = key_from_seed(KeyType.ED25519, bench.random(32))

    answer = _ask(bench, bench.token(bench.offer()), bench.proof(key))

    assert answer.status_code == 200


def test_draft_15_asks_with_one_proof(bench: Workbench) -> None:
    answer = bench.request(
        bench.token(bench.offer()),
        {
            "credential_configuration_id": CONFIGURATION,
            "proof": {"proof_type": "jwt", "jwt": bench.proof(bench.key())},
        },
    )

    assert answer.status_code == 200
    assert len(answer.json()["credentials"]) == 1


def test_a_nonce_serves_one_request_and_not_for_ever(bench: Workbench) -> None:
    token, nonce = bench.token(bench.offer()), bench.nonce()
    assert _ask(bench, token, bench.proof(bench.key(), nonce=nonce)).status_code == 200

    again = _ask(bench, token, bench.proof(bench.key(), nonce=nonce))
    foreign = _ask(bench, token, bench.proof(bench.key(), nonce="A" * 43))
    odd = _ask(bench, token, bench.proof(bench.key(), nonce="mine"))
    old_nonce = bench.nonce()
    bench.clock.forward(seconds=301)
    old = _ask(bench, token, bench.proof(bench.key(), nonce=old_nonce))

    assert {_refused(answer) for answer in (again, foreign, odd, old)} == {"invalid_nonce"}


def test_one_bad_nonce_does_not_burn_the_good_one_beside_it(bench: Workbench) -> None:
    token, nonce, key = bench.token(bench.offer()), bench.nonce(), bench.key()
    good = bench.proof(key, nonce=nonce)

    mixed = _ask(bench, token, good, bench.proof(bench.key(), nonce="A" * 43))

    assert _refused(mixed) == "invalid_nonce"
    assert _ask(bench, token, good).status_code == 200


def test_ten_proofs_are_taken_and_eleven_are_not(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    nonce = bench.nonce()
    proofs = [bench.proof(bench.key(), nonce=nonce) for _ in range(11)]

    assert _refused(_ask(bench, token, *proofs)) == "invalid_proof"

    assert len(_ask(bench, token, *proofs[:10]).json()["credentials"]) == 10


def test_one_key_twice_in_a_batch_is_refused(bench: Workbench) -> None:
    token, key, nonce = bench.token(bench.offer()), bench.key(), bench.nonce()
    proofs = [bench.proof(key, nonce=nonce, extra=number) for number in range(2)]

    assert _refused(_ask(bench, token, *proofs)) == "invalid_proof"


def test_the_token_of_one_agency_is_worthless_at_another_address(bench: Workbench) -> None:
    token = bench.token(bench.offer())

    def ask(agency: str) -> Any:
        return bench.http.post(
            f"https://id.example/issuers/{agency}/credential",
            headers={"Authorization": f"Bearer {token}"},
            json={},
        )

    assert ask("university").status_code == 401
    assert ask("university").json()["error"] == "invalid_token"
    assert ask("nobody").status_code == 404
    assert ask("registrar").status_code == 400  # its untouched twin: past the token


def test_a_repeated_request_gets_fresh_copies_and_the_lost_ones_die(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    lost = bench.receive(token, keys=2)

    fresh = bench.receive(token, keys=2)

    bench.worker.run_once(bench.clock())
    assert _statuses(bench, lost) == [1, 1]
    assert _statuses(bench, fresh) == [0, 0]


def test_after_the_wallet_confirmed_the_token_gives_no_more(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    first = bench.receive(token)
    assert bench.accept(token, first).status_code == 204
    assert bench.accept(token, first).status_code == 204  # idempotent

    again = _ask(bench, token, bench.proof(bench.key()))

    assert _refused(again) == "credential_request_denied"
    bench.worker.run_once(bench.clock())
    assert _statuses(bench, first) == [0]


def test_the_same_credential_is_requested_five_times_at_most(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    sets = [bench.receive(token) for _ in range(5)]

    sixth = _ask(bench, token, bench.proof(bench.key()))

    assert _refused(sixth) == "credential_request_denied"
    bench.worker.run_once(bench.clock())
    assert [_statuses(bench, item)[0] for item in sets] == [1, 1, 1, 1, 0]


def test_a_wallet_that_could_not_keep_its_copies_may_ask_again(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    first = bench.receive(token)

    assert bench.accept(token, first, "credential_failure").status_code == 204

    second = bench.receive(token)
    bench.worker.run_once(bench.clock())
    assert _statuses(bench, first) == [1]
    assert _statuses(bench, second) == [0]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"event": "credential_accepted"}, "invalid_notification_request"),
        ({"notification_id": "x"}, "invalid_notification_request"),
        ({"notification_id": 7, "event": "credential_accepted"}, "invalid_notification_request"),
        ({"notification_id": "x", "event": "stolen"}, "invalid_notification_request"),
        ({"notification_id": "x", "event": "credential_accepted"}, "invalid_notification_id"),
    ],
)
def test_a_bad_notification_is_named(bench: Workbench, body: dict[str, Any], error: str) -> None:
    token = bench.token(bench.offer())
    bench.receive(token)

    answer = bench.http.post(
        f"{bench.issuer}/notification", headers={"Authorization": f"Bearer {token}"}, json=body
    )

    assert _refused(answer) == error


def test_a_notification_for_somebody_else_is_refused(bench: Workbench) -> None:
    mine, hers = bench.token(bench.offer()), bench.token(bench.offer())
    delivered = bench.receive(hers)

    assert _refused(bench.accept(mine, delivered)) == "invalid_notification_id"


def test_a_person_without_the_required_facts_gets_no_credential(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    del bench.persons.people[ALICE]["birth_date"]

    answer = _ask(bench, token, bench.proof(bench.key()))

    assert _refused(answer) == "credential_request_denied"


def test_every_reading_of_facts_names_purpose_and_actor(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()))

    purposes = [(purpose, actor) for _, _, purpose, actor in bench.persons.reads]
    assert purposes == [("offer", "issuer:registrar"), ("issue", "issuer:registrar")]
    assert bench.persons.reads[0][1] == ()  # making an offer reads nothing of the person


def test_a_ledger_outage_is_told_as_such(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    bench.registry.down = True

    answer = _ask(bench, token, bench.proof(bench.key()))

    assert _refused(answer, 503) == "temporarily_unavailable"
    assert answer.headers["retry-after"]
    bench.registry.down = False
    assert bench.receive(token)["credentials"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"subject": "prs_nobody"}, 404),
        ({"credential_type": "health-entitlement"}, 403),
        ({"claims": {"family_name": "Other"}}, 400),
        ({"claims": {"age_over_18": True}}, 400),
        ({"claims": {"favourite_colour": "blue"}}, 400),
        ({"credential_type": "degree"}, 400),
        ({"expires_in": 10}, 422),
        ({"surprise": 1}, 422),
    ],
)
def test_a_bad_offer_is_refused_without_repeating_it(
    bench: Workbench, change: dict[str, Any], status: int
) -> None:
    body = {"subject": ALICE, "credential_type": "resident-identity", **change}

    answer = bench.http.post(f"{bench.issuer}/offers", headers=BEARER, json=body)

    assert answer.status_code in (status, 400 if status == 422 else status), answer.text
    assert "Other" not in answer.text
    assert "blue" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "offers"),
        ("GET", "offers/x"),
        ("DELETE", "offers/x"),
        ("GET", "issuances/x"),
        ("POST", "issuances/search"),
        ("POST", "issuances/revoke-all"),
        ("POST", "issuances/x/status"),
        ("POST", "credentials/status"),
        ("POST", "credentials/issue"),
    ],
)
def test_what_agencies_do_needs_their_key(bench: Workbench, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        answer = bench.http.request(method, f"{bench.issuer}/{path}", headers=headers, json={})

        assert answer.status_code == 403


def _statuses(bench: Workbench, answer: Any) -> list[int]:
    return [token_status(bench, payload_of(item["credential"])) for item in answer["credentials"]]

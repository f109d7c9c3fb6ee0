"""Deferred issuing: the agency decides, and the wallet fetches what it asked for."""

from typing import Any

import pytest

from tests.identity.issuer.code_flow import CodeFlow, error_of
from tests.identity.issuer.workbench import ALICE, ALICE_FACTS, BEARER, Workbench, payload_of

CONFIGURATION = "resident-identity-sd-jwt"
DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "awarded_on": "2024-07-01",
    "institution": "Riverland University",
}


def _ask(bench: Workbench, token: str, keys: list[Any], configuration: str = CONFIGURATION) -> Any:
    nonce = bench.nonce()
    proofs = {"jwt": [bench.proof(key, nonce=nonce) for key in keys]}
    return bench.request(token, {"credential_configuration_id": configuration, "proofs": proofs})


def _fetch(bench: Workbench, token: str, transaction: str) -> Any:
    return bench.http.post(
        f"{bench.issuer}/deferred-credential",
        headers={"Authorization": f"Bearer {token}"},
        json={"transaction_id": transaction},
    )


def _decide(bench: Workbench, offer: str, decision: str = "issue", **claims: Any) -> Any:
    return bench.http.post(
        f"{bench.issuer}/deferred/{offer}",
        headers=BEARER,
        json={"decision": decision, "claims": claims},
    )


def _waiting(bench: Workbench) -> list[Any]:
    found: list[Any] = bench.http.get(f"{bench.issuer}/deferred", headers=BEARER).json()["waiting"]
    return found


def test_the_wallet_is_told_to_wait_and_fetches_after_the_decision(bench: Workbench) -> None:
    offer = bench.offer(deferred=True)
    token, keys = bench.token(offer), [bench.key(), bench.key()]

    first = _ask(bench, token, keys)
    transaction = first.json()["transaction_id"]
    waiting = _fetch(bench, token, transaction)
    assert [item["requested"] for item in _waiting(bench)] == [True]
    assert _decide(bench, offer["offer"]).status_code == 204
    got = _fetch(bench, token, transaction)

    assert first.status_code == waiting.status_code == 202
    assert first.json() == waiting.json() == {"transaction_id": transaction, "interval": 5}
    assert got.status_code == 200
    assert set(got.json()) == {"credentials"}  # no notification_id: a client refuses it here
    bound = [payload_of(item["credential"])["cnf"]["jwk"] for item in got.json()["credentials"]]
    assert bound == [key.key.jwk for key in keys]
    assert _waiting(bench) == []


def test_a_transaction_is_fetched_once_and_a_new_request_is_answered_at_once(
    bench: Workbench,
) -> None:
    offer = bench.offer(deferred=True)
    token = bench.token(offer)
    transaction = _ask(bench, token, [bench.key()]).json()["transaction_id"]
    _decide(bench, offer["offer"])

    assert _fetch(bench, token, transaction).status_code == 200
    again = _fetch(bench, token, transaction)

    assert (again.status_code, error_of(again)["error"]) == (400, "invalid_transaction_id")
    assert _ask(bench, token, [bench.key()]).status_code == 200


def test_a_denied_credential_is_denied_for_good(bench: Workbench) -> None:
    offer = bench.offer(deferred=True)
    token = bench.token(offer)
    transaction = _ask(bench, token, [bench.key()]).json()["transaction_id"]

    assert _decide(bench, offer["offer"], "deny").status_code == 204
    answers = [_fetch(bench, token, transaction), _ask(bench, token, [bench.key()])]

    assert [error_of(item)["error"] for item in answers] == ["credential_request_denied"] * 2
    assert _decide(bench, offer["offer"]).status_code == 409


@pytest.mark.parametrize("transaction", ["A" * 43, "short", 7, None])
def test_an_unknown_transaction_is_refused(bench: Workbench, transaction: Any) -> None:
    token = bench.token(bench.offer(deferred=True))

    answer = _fetch(bench, token, transaction)

    assert answer.status_code == 400
    assert error_of(answer)["error"] == (
        "invalid_transaction_id" if isinstance(transaction, str) else "invalid_credential_request"
    )


def test_a_transaction_belongs_to_its_token(bench: Workbench) -> None:
    first, second = (bench.token(bench.offer(deferred=True)) for _ in range(2))
    transaction = _ask(bench, first, [bench.key()]).json()["transaction_id"]

    assert error_of(_fetch(bench, second, transaction))["error"] == "invalid_transaction_id"
    assert _fetch(bench, first, transaction).status_code == 202


def test_the_agency_adds_what_only_it_knows_when_a_citizen_came_by_herself(
    bench: Workbench,
) -> None:
    flow = CodeFlow(bench)
    token = flow.token(flow.code(scope="degree-sd-jwt")).json()
    assert token["expires_in"] > 24 * 3600  # an agency takes its time
    asked = _ask(bench, token["access_token"], [bench.key()], "degree-sd-jwt")
    (item,) = _waiting(bench)

    missing = _decide(bench, item["offer"])
    wrong = _decide(bench, item["offer"], family_name="Mallory", **DEGREE)
    decided = _decide(bench, item["offer"], **DEGREE)
    got = _fetch(bench, token["access_token"], asked.json()["transaction_id"])

    assert (item["subject"], item["credential_type"]) == (ALICE, "degree")
    assert missing.status_code == wrong.status_code == 400
    assert decided.status_code == 204
    assert got.status_code == 200
    assert ALICE_FACTS["family_name"] not in str(
        payload_of(got.json()["credentials"][0]["credential"])
    )


def test_a_wallet_cannot_pile_up_transactions(bench: Workbench) -> None:
    token = bench.token(bench.offer(deferred=True))

    outcomes = [_ask(bench, token, [bench.key()]).status_code for _ in range(6)]

    assert outcomes == [202] * 5 + [400]


def test_a_failing_neighbour_leaves_the_transaction_as_it_was(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.core.refusals import Unavailable

    offer = bench.offer(deferred=True)
    token = bench.token(offer)
    transaction = _ask(bench, token, [bench.key()]).json()["transaction_id"]
    _decide(bench, offer["offer"])

    def down(*_: Any, **__: Any) -> Any:
        raise Unavailable("the vault does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(bench.persons, "claims", down)
        assert _fetch(bench, token, transaction).status_code == 503
    assert _fetch(bench, token, transaction).status_code == 200


def test_only_the_agency_sees_and_decides(bench: Workbench) -> None:
    offer = bench.offer(deferred=True)

    seen = bench.http.get(f"{bench.issuer}/deferred")
    decided = bench.http.post(
        f"{bench.issuer}/deferred/{offer['offer']}", json={"decision": "issue"}
    )

    assert {seen.status_code, decided.status_code} <= {401, 403}
    assert _decide(bench, "nobody").status_code == 404

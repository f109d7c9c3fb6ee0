"""DPoP with server nonces (RFC 9449 §8, §9): offered to all, demanded where an agency says so."""

from pathlib import Path

import pytest

from identity.issuer.parts import AgencyOptions
from tests.identity.issuer.code_flow import CodeFlow, dpop_proof, error_of
from tests.identity.issuer.workbench import Workbench

SCOPE = "resident-identity-sd-jwt"


@pytest.fixture
def strict(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, options=AgencyOptions(dpop_required=True))


def _redeem(bench: Workbench, offer: dict, **headers: str):
    return bench.http.post(f"{bench.issuer}/token", data=bench.token_form(offer), headers=headers)


def test_a_wallet_without_dpop_is_served_and_gets_no_nonce(bench: Workbench) -> None:
    answer = _redeem(bench, bench.offer())

    assert answer.json()["token_type"] == "Bearer"
    assert "dpop-nonce" not in answer.headers


def test_a_proof_without_nonce_is_taken_and_answered_with_one(bench: Workbench) -> None:
    key = bench.key()

    answer = _redeem(bench, bench.offer(), DPoP=dpop_proof(bench, key, "/token"))

    assert answer.json()["token_type"] == "DPoP"
    nonce = answer.headers["dpop-nonce"]
    proof = dpop_proof(bench, key, "/credential", token=answer.json()["access_token"], nonce=nonce)
    got = bench.http.post(
        f"{bench.issuer}/credential",
        headers={"Authorization": f"DPoP {answer.json()['access_token']}", "DPoP": proof},
        json={
            "credential_configuration_id": SCOPE,
            "proofs": {"jwt": [bench.proof(bench.key())]},
        },
    )
    assert got.status_code == 200
    assert got.headers["dpop-nonce"]


@pytest.mark.parametrize("nonce", ["A" * 43, "not one of ours"])
def test_at_the_token_endpoint_a_foreign_nonce_is_400_with_a_fresh_one(
    bench: Workbench, nonce: str
) -> None:
    offer, key = bench.offer(), bench.key()

    answer = _redeem(bench, offer, DPoP=dpop_proof(bench, key, "/token", nonce=nonce))

    assert answer.status_code == 400
    assert error_of(answer)["error"] == "use_dpop_nonce"
    fresh = answer.headers["dpop-nonce"]
    again = _redeem(bench, offer, DPoP=dpop_proof(bench, key, "/token", nonce=fresh))
    assert again.status_code == 200


def test_at_the_credential_endpoint_it_is_401_with_challenge_and_nonce(bench: Workbench) -> None:
    key = bench.key()
    token = _redeem(bench, bench.offer(), DPoP=dpop_proof(bench, key, "/token")).json()[
        "access_token"
    ]

    answer = bench.http.post(
        f"{bench.issuer}/credential",
        headers={
            "Authorization": f"DPoP {token}",
            "DPoP": dpop_proof(bench, key, "/credential", token=token, nonce="A" * 43),
        },
        json={},
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    assert answer.headers["dpop-nonce"]


def test_an_agency_that_demands_dpop_refuses_bearers_and_proofs_without_nonce(
    strict: Workbench,
) -> None:
    offer, key = strict.offer(), strict.key()

    plain = _redeem(strict, offer)
    first = _redeem(strict, offer, DPoP=dpop_proof(strict, key, "/token"))
    second = _redeem(
        strict,
        offer,
        DPoP=dpop_proof(strict, key, "/token", nonce=first.headers["dpop-nonce"]),
    )

    assert error_of(plain)["error"] == "invalid_dpop_proof"
    assert (first.status_code, error_of(first)["error"]) == (400, "use_dpop_nonce")
    assert second.json()["token_type"] == "DPoP"


def test_a_nonce_ages(strict: Workbench) -> None:
    offer, key = strict.offer(), strict.key()
    nonce = strict.http.post(f"{strict.issuer}/nonce").headers["dpop-nonce"]
    strict.clock.forward(seconds=301)

    answer = _redeem(strict, offer, DPoP=dpop_proof(strict, key, "/token", nonce=nonce))

    assert error_of(answer)["error"] == "use_dpop_nonce"


def test_a_proof_is_used_once_also_at_another_instance(bench: Workbench) -> None:
    other = Workbench(
        bench.folder,
        registry=bench.registry,
        clock=bench.clock,
        persons=bench.persons,
        vault=bench.vault,
        seed=b"other",
    )
    first, second = bench.offer(), bench.offer()
    proof = dpop_proof(bench, bench.key(), "/token")

    assert _redeem(bench, first, DPoP=proof).status_code == 200
    replayed = _redeem(other, second, DPoP=proof)

    assert error_of(replayed)["error"] == "invalid_dpop_proof"
    assert "used before" in replayed.json()["error_description"]


def test_a_nonce_of_one_instance_is_good_at_another_and_not_at_another_agency(
    bench: Workbench,
) -> None:
    other = Workbench(bench.folder, registry=bench.registry, clock=bench.clock, seed=b"other")
    nonce = bench.http.post(f"{bench.issuer}/nonce").headers["dpop-nonce"]
    foreign = bench.http.post(f"{bench.other.issuer_url}/nonce").headers["dpop-nonce"]
    flow, key = CodeFlow(other), bench.key()

    good = flow.push({"DPoP": dpop_proof(bench, key, "/par", nonce=nonce)})
    bad = flow.push({"DPoP": dpop_proof(bench, key, "/par", nonce=foreign)})

    assert good.status_code == 201
    assert error_of(bad)["error"] == "use_dpop_nonce"

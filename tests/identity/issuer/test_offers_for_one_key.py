"""An offer that is for one key: its code and its token are good with proofs of that key alone."""

from typing import Any

import pytest

from identity.core.issuance import Format
from identity.issuer.offers import OfferDesk
from tests.identity.issuer.code_flow import dpop_proof
from tests.identity.issuer.workbench import ALICE, Workbench

SCOPE = "resident-identity-sd-jwt"


def offer_for(bench: Workbench, key: Any) -> dict[str, Any]:
    made = OfferDesk(bench.parts).make(
        "registrar",
        subject=ALICE,
        credential_type="resident-identity",
        claims={},
        formats=(Format.SD_JWT_VC,),
        tx_code=True,
        lifetime_seconds=600,
        now=bench.clock(),
        dpop_thumbprint=key.key.jwk_thumbprint,
    )
    return {"credential_offer": made.document, "tx_code": made.tx_code, "offer": made.offer}


def redeem(bench: Workbench, offer: dict[str, Any], key: Any = None) -> Any:
    headers = {} if key is None else {"DPoP": dpop_proof(bench, key, "/token")}
    return bench.http.post(f"{bench.issuer}/token", data=bench.token_form(offer), headers=headers)


def fetch(bench: Workbench, token: str, key: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if key is not None:
        proof = dpop_proof(bench, key, "/credential", token=token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    body = {
        "credential_configuration_id": SCOPE,
        "proofs": {"jwt": [bench.proof(bench.key())]},
    }
    return bench.http.post(f"{bench.issuer}/credential", headers=headers, json=body)


def test_the_key_redeems_it_and_only_the_key_uses_the_token(bench: Workbench) -> None:
    key, thief = bench.key(), bench.key()
    answer = redeem(bench, offer_for(bench, key), key)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
    token = answer.json()["access_token"]

    assert fetch(bench, token).status_code == 401
    assert fetch(bench, token, thief).status_code == 401
    assert fetch(bench, token, key).status_code == 200


@pytest.mark.parametrize("thief", [True, False])
def test_whoever_has_the_code_but_not_the_key_gets_no_token_and_uses_nothing_up(
    bench: Workbench, thief: bool
) -> None:
    key = bench.key()
    offer = offer_for(bench, key)
    for _ in range(12):  # more often than a wrong transaction code is forgiven
        answer = redeem(bench, offer, bench.key() if thief else None)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_dpop_proof"

    assert redeem(bench, offer, key).status_code == 200


def test_the_open_offers_of_a_key_are_found_until_they_are_taken_or_end(bench: Workbench) -> None:
    key, other = bench.key(), bench.key()
    first, second = offer_for(bench, key), offer_for(bench, key)
    offer_for(bench, other)
    bench.offer()
    now = int(bench.clock().timestamp())

    def found(at: int = now, subject: str = ALICE) -> set[str]:
        store = bench.parts.offers
        thumbprint = key.key.jwk_thumbprint
        return {o.offer for o in store.open_offers_for("registrar", subject, thumbprint, now=at)}

    assert found() == {first["offer"], second["offer"]}
    assert found(subject="prs_somebody") == set()
    token = redeem(bench, first, key).json()["access_token"]
    assert found() == {first["offer"], second["offer"]}  # its answer may have got lost
    assert fetch(bench, token, key).status_code == 200
    assert found() == {second["offer"]}
    assert found(at=now + 600) == set()
    OfferDesk(bench.parts).withdraw("registrar", second["offer"])
    assert found() == set()

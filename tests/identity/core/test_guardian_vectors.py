"""The wallet page and these rules sign and read the same orders and approvals.

`wallet_app/tests/vectors/guardians.json` holds what each of them signed once, under `rules` and
under `page`; `wallet_app/tests/guardians.test.ts` holds the page to the same facts.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from identity.core.guardians import (
    DAY,
    Act,
    ApprovalNotAccepted,
    Arrangement,
    Order,
    OrderNotAccepted,
    RecoveryCase,
    key_code,
    recovery_code,
    verify_approval,
    verify_order,
)
from registry.core.keys import parse_jwk
from registry.core.refusals import Refusal

FILE = Path(__file__).parents[3] / "wallet_app" / "tests" / "vectors" / "guardians.json"
FACTS: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
CASE = RecoveryCase(**FACTS["case"])
HOLDER = parse_jwk(FACTS["holder"])
GUARDIANS = tuple(parse_jwk(jwk) for jwk in FACTS["guardians"])
NOW: int = FACTS["now"]


def read(text: str, **changes: Any) -> Order:
    asked = {"holder": HOLDER, "agency": CASE.agency, "now": NOW, **changes}
    return verify_order(text, **asked)


@pytest.mark.parametrize("signer", ["page", "rules"])
def test_orders_say_what_they_were_signed_for(signer: str) -> None:
    signed = FACTS[signer]
    arranged = Arrangement(
        guardians=GUARDIANS, threshold=FACTS["threshold"], wait_seconds=FACTS["wait_seconds"]
    )
    assert read(signed["set"]) == Order(
        act=Act.SET, nonce="nonce-set", arrangement=arranged, recovery=None
    )
    assert read(signed["withdraw"]) == Order(
        act=Act.WITHDRAW, nonce="nonce-withdraw", arrangement=None, recovery=None
    )
    assert read(signed["stop"]) == Order(
        act=Act.STOP, nonce="nonce-stop", arrangement=None, recovery=CASE.recovery
    )
    with pytest.raises(OrderNotAccepted):
        read(signed["stop"], agency="https://id.example/issuers/university")
    with pytest.raises(OrderNotAccepted):
        read(signed["stop"], now=NOW + DAY)
    with pytest.raises(Refusal):
        read(signed["approval"], holder=GUARDIANS[0])


@pytest.mark.parametrize(
    ("signer", "name", "by"),
    [("page", "approval", 0), ("rules", "approval", 0), ("rules", "approval_ed25519", 1)],
)
def test_approvals_are_for_this_recovery_and_this_key(signer: str, name: str, by: int) -> None:
    text = FACTS[signer][name]
    known = {key.jwk_thumbprint: key for key in GUARDIANS}
    given = verify_approval(text, case=CASE, guardians=known, now=NOW)
    assert given == GUARDIANS[by].jwk_thumbprint
    other = RecoveryCase(**{**FACTS["case"], "new_key": "A" * 43})
    with pytest.raises(ApprovalNotAccepted):
        verify_approval(text, case=other, guardians=known, now=NOW)
    with pytest.raises(ApprovalNotAccepted):
        verify_approval(text, case=CASE, guardians=known, now=NOW + DAY)


def test_the_digits_that_people_compare() -> None:
    assert [key_code(key) for key in GUARDIANS] == FACTS["codes"]["keys"]
    assert recovery_code(CASE) == FACTS["codes"]["recovery"]
    for name in FACTS["case"]:
        other = RecoveryCase(**{**FACTS["case"], name: "B" * 22})
        assert recovery_code(other) != FACTS["codes"]["recovery"]

"""The rules of recovery by guardians: each refusal beside a twin that differs in nothing else."""

from typing import Any

import pytest

from identity.core.guardians import (
    APPROVAL_TYP,
    DAY,
    ORDER_TYP,
    Act,
    ApprovalNotAccepted,
    Arrangement,
    ArrangementNotAccepted,
    OrderNotAccepted,
    RecoveryCase,
    enough,
    parse_arrangement,
    sign_approval,
    verify_approval,
    verify_order,
)
from identity.core.jose import JwsNotAccepted, sign_compact
from registry.core.keys import KeyNotAdmitted, KeyType, SignatureNotValid
from registry.core.refusals import Malformed, Refusal
from tests.identity.core.signers import KeySigner, signer

NOW = 1_800_000_000
AGENCY = "https://id.example/issuers/registrar"
HOLDER = signer(KeyType.P256, 1)
NEW = signer(KeyType.P256, 2)
GUARDIANS = [signer(KeyType.P256, 10), signer(KeyType.ED25519, 11), signer(KeyType.P256, 12)]
STRANGER = signer(KeyType.P256, 13)
CASE = RecoveryCase(
    agency=AGENCY, arrangement="arranged", recovery="lost", new_key=NEW.key.jwk_thumbprint
)
CHOSEN = Arrangement(guardians=tuple(g.key for g in GUARDIANS), threshold=2, wait_seconds=DAY)
KNOWN = CHOSEN.by_thumbprint


def chosen(**changes: Any) -> dict[str, Any]:
    return {**CHOSEN.to_object(), **changes}


def jwks(*signers: KeySigner) -> list[Any]:
    return [one.key.jwk for one in signers]


def test_an_arrangement_is_read_as_she_chose_it() -> None:
    assert parse_arrangement(chosen(), holder=HOLDER.key) == CHOSEN
    eight = [signer(KeyType.P256, number) for number in range(20, 28)]
    assert (
        parse_arrangement(
            chosen(guardians=jwks(*eight), threshold=8, wait_seconds=30 * DAY), holder=HOLDER.key
        ).wait_seconds
        == 30 * DAY
    )
    short = parse_arrangement(chosen(wait_seconds=2), holder=HOLDER.key, min_wait_seconds=2)
    assert short.wait_seconds == 2  # a demonstration


@pytest.mark.parametrize(
    "changes",
    [
        {"guardians": jwks(GUARDIANS[0])},
        {"guardians": jwks(*(signer(KeyType.P256, number) for number in range(20, 29)))},
        {"guardians": jwks(GUARDIANS[0], GUARDIANS[1], GUARDIANS[0])},
        {"guardians": jwks(GUARDIANS[0], HOLDER)},
        {"guardians": jwks(GUARDIANS[0], signer(KeyType.P384, 3))},
        {"guardians": "two"},
        {"threshold": 1},
        {"threshold": 4},
        {"wait_seconds": DAY - 1},
        {"wait_seconds": 30 * DAY + 1},
    ],
)
def test_an_arrangement_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ArrangementNotAccepted):
        parse_arrangement(chosen(**changes), holder=HOLDER.key)


def test_a_guardians_key_passes_the_gate_of_all_keys() -> None:
    low_order = {"kty": "OKP", "crv": "Ed25519", "x": "AQ" + "A" * 41}
    with pytest.raises(KeyNotAdmitted):
        parse_arrangement(chosen(guardians=[*jwks(*GUARDIANS[:2]), low_order]), holder=HOLDER.key)


@pytest.mark.parametrize("changes", [{"threshold": True}, {"threshold": "2"}, {"wait_seconds": -1}])
def test_what_is_no_whole_number_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_arrangement(chosen(**changes), holder=HOLDER.key)


def order(key: KeySigner = HOLDER, typ: str = ORDER_TYP, **changes: Any) -> str:
    claims = {"aud": AGENCY, "nonce": "n", "iat": NOW, "act": "set", **chosen(), **changes}
    return sign_compact(header={"typ": typ}, payload=claims, signer=key)


def test_her_order_says_what_she_wants() -> None:
    found = verify_order(order(), holder=HOLDER.key, agency=AGENCY, now=NOW)
    assert (found.act, found.nonce, found.arrangement) == (Act.SET, "n", CHOSEN)
    stop = verify_order(
        order(act="stop", recovery="lost"), holder=HOLDER.key, agency=AGENCY, now=NOW
    )
    assert (stop.act, stop.recovery, stop.arrangement) == (Act.STOP, "lost", None)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (order(key=STRANGER), SignatureNotValid),
        (order(typ="kb+jwt"), JwsNotAccepted),
        (order(typ=APPROVAL_TYP), JwsNotAccepted),
        (order(aud="https://id.example/issuers/other"), OrderNotAccepted),
        (order(iat=NOW - 301), OrderNotAccepted),
        (order(iat=NOW + 121), OrderNotAccepted),
        (order(nonce=None), OrderNotAccepted),
        (order(act="destroy"), OrderNotAccepted),
        (order(act=["set"]), OrderNotAccepted),
        (order(act="stop"), OrderNotAccepted),
        (order(threshold=1), ArrangementNotAccepted),
    ],
)
def test_an_order_that_is_not_hers_or_not_now_is_refused(text: str, refused: type[Refusal]) -> None:
    with pytest.raises(refused):
        verify_order(text, holder=HOLDER.key, agency=AGENCY, now=NOW)


def approval(
    key: KeySigner = GUARDIANS[0],
    typ: str = APPROVAL_TYP,
    kid: object = None,
    **changes: Any,
) -> str:
    claims = {
        "aud": AGENCY,
        "arrangement": "arranged",
        "recovery": "lost",
        "cnf": {"jkt": CASE.new_key},
        "iat": NOW,
        "exp": NOW + DAY,
        **changes,
    }
    header = {"typ": typ, "kid": kid or key.key.jwk_thumbprint, "jwk": key.key.jwk}
    return sign_compact(header=header, payload=claims, signer=key)


def test_each_guardian_approves() -> None:
    for one in GUARDIANS:
        for text in (
            approval(one),
            sign_approval(CASE, signer=one, now=NOW, expires=NOW + DAY),
        ):
            found = verify_approval(text, case=CASE, guardians=KNOWN, now=NOW)
            assert found == one.key.jwk_thumbprint


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (approval(STRANGER), ApprovalNotAccepted),
        (approval(STRANGER, kid=GUARDIANS[0].key.jwk_thumbprint), SignatureNotValid),
        (approval(kid=["x"]), ApprovalNotAccepted),
        (approval(typ=ORDER_TYP), JwsNotAccepted),
        (approval(typ="JWT"), JwsNotAccepted),
        (approval(aud="https://id.example/issuers/other"), ApprovalNotAccepted),
        (approval(arrangement="replaced"), ApprovalNotAccepted),
        (approval(recovery="another"), ApprovalNotAccepted),
        (approval(cnf={"jkt": STRANGER.key.jwk_thumbprint}), ApprovalNotAccepted),
        (approval(cnf=None), ApprovalNotAccepted),
        (approval(iat=NOW + 121, exp=NOW + 200), ApprovalNotAccepted),
        (approval(exp=NOW), ApprovalNotAccepted),
        (approval(exp=NOW + 7 * DAY + 1), ApprovalNotAccepted),
        (approval(exp=None), Malformed),
    ],
)
def test_an_approval_of_something_else_is_refused(text: str, refused: type[Refusal]) -> None:
    with pytest.raises(refused):
        verify_approval(text, case=CASE, guardians=KNOWN, now=NOW)


def test_different_guardians_count_and_one_who_signs_twice_is_one() -> None:
    first, again = (approval(GUARDIANS[0]), NOW), (approval(GUARDIANS[0], iat=NOW - 1), NOW)
    second = (approval(GUARDIANS[1]), NOW)

    assert not enough([], arrangement=CHOSEN, case=CASE)
    assert not enough([first], arrangement=CHOSEN, case=CASE)
    assert not enough([first, again, first], arrangement=CHOSEN, case=CASE)
    assert enough([first, second], arrangement=CHOSEN, case=CASE)
    with pytest.raises(Refusal):  # one false one, and nothing counts
        enough([first, second, (approval(STRANGER), NOW)], arrangement=CHOSEN, case=CASE)

"""Acting for another: the bank sees "X for Y" and the one fact it needs; the power ends at once."""

import json
import time
from dataclasses import dataclass

from identity.cli.offer import EXAMPLE_CLAIMS
from identity.core import sd_jwt
from identity.core.signing import NamedSigner
from identity.demo.holder import HeldCopy
from registry.core.encoding import JsonObject
from tests.scenarios.installation import Held, Installation, Person, person

# Nobody else's in the shared installation: one of them dies here, one loses her capacity.
WHO, OTHER, PRINCIPAL, DYING, FAILING = 17, 18, 19, 20, 24


@dataclass
class Answer:
    """What the bank was told."""

    verified: bool
    failed: dict[str, str]
    claims: dict[str, JsonObject]  # by type


def given(
    here: Installation,
    who: Person,
    *,
    by: int = PRINCIPAL,
    durable: bool = False,
    **changes: object,
) -> Held:
    """A power of attorney in a wallet of its own, given by another person."""
    claims = {**EXAMPLE_CLAIMS["power-of-attorney"], **changes}
    offer = here.offer(
        here.enrol(who),
        kind="power-of-attorney",
        claims=claims,
        principal=here.enrol(person(by)),
        durable=durable,
    )
    wallet = here.wallet()
    copies = wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
    for copy in copies:
        here.anchored(wallet, copy)
    return Held(here, wallet, copies, offer["credential_id"])


def ask(here: Installation, held: dict[str, Held]) -> Answer:
    """The bank asks for mandate and identity together; both are answered, each by its own key."""
    request = here.call(here.post("verifier:bank", "/requests", {"purpose": "act-for-another"}))
    wallet = next(iter(held.values())).wallet
    asked = wallet.read_request(request["link"])
    tokens, receipts, names = {}, {}, {}
    for query in asked.payload["dcql_query"]["credentials"]:
        (vct,) = query["meta"]["vct_values"]
        kind = vct.rsplit("/", 2)[-2]
        copy: HeldCopy = held[kind].copies[0]
        names[query["id"]] = kind
        tokens[query["id"]] = [
            sd_jwt.add_key_binding(
                sd_jwt.present(copy.text, [tuple(claim["path"]) for claim in query["claims"]]),
                signer=NamedSigner(copy.key, "holder"),
                audience=asked.client_id,
                nonce=asked.payload["nonce"],
                issued_at=int(time.time()),
            )
        ]
        receipts[query["id"]] = [held[kind].wallet.receipt(copy)]
    here.http.post(
        asked.payload["response_uri"],
        data={
            "vp_token": json.dumps(tokens),
            "state": asked.payload["state"],
            "anchor_receipts": json.dumps(receipts),
        },
    )
    result = here.call(
        here.http.get(
            f"{here.base}/verifiers/bank/requests/{request['request']}/result",
            headers={"Authorization": f"Bearer {request['result_secret']}"},
        )
    )
    verdict = result["verdict"]
    return Answer(
        verified=verdict["verified"] is True,
        failed={
            item["check"]: item["reason"]
            for item in verdict["checks"]
            if item["outcome"] == "failed"
        },
        claims={names[item["query"]]: item["claims"] for item in verdict["credentials"]},
    )


def test_x_for_y_and_only_the_fact_that_is_needed(shared: Installation) -> None:
    who = person(WHO)
    held = {"power-of-attorney": given(shared, who), "resident-identity": shared.issue(who)}

    answer = ask(shared, held)

    assert answer.failed == {}
    assert answer.verified
    assert answer.claims["power-of-attorney"] == {
        "family_name": who.family_name,
        "given_name": who.given_name,
        "birth_date": who.birth_date,
        "principal_family_name": person(PRINCIPAL).family_name,
        "principal_given_name": person(PRINCIPAL).given_name,
        "may_pay": True,
    }  # not what else she may do, and not until when


def test_somebody_elses_mandate_is_worth_nothing_beside_my_identity(shared: Installation) -> None:
    held = {
        "power-of-attorney": given(shared, person(OTHER)),
        "resident-identity": shared.issue(person(WHO)),
    }

    assert ask(shared, held).failed == {"policy": "mandate_of_other_person"}


def test_a_mandate_without_the_right_that_is_asked_for_is_refused(shared: Installation) -> None:
    who = person(WHO)
    held = {
        "power-of-attorney": given(shared, who, may_pay=False),
        "resident-identity": shared.issue(who),
    }

    assert ask(shared, held).failed == {"policy": "claim_value"}


def test_a_withdrawn_mandate_ends_at_once_and_her_identity_does_not(shared: Installation) -> None:
    who = person(WHO)
    held = {"power-of-attorney": given(shared, who), "resident-identity": shared.issue(who)}
    assert ask(shared, held).verified

    shared.change_status(held["power-of-attorney"].credential, "revocation", on=True)

    assert refused(shared, held) == {"status": "revoked"}


def reported(here: Installation, subject: str, kind: str) -> None:
    here.call(
        here.post("issuer:civil-registry", "/life-events", {"subject": subject, "kind": kind})
    )


def refused(here: Installation, held: dict[str, Held]) -> dict[str, str]:
    """What the bank says once its lists are fresh."""
    since = time.monotonic()
    while (answer := ask(here, held)).verified:
        assert time.monotonic() - since < 60
        time.sleep(0.2)
    return answer.failed


def test_a_mandate_ends_with_the_death_of_the_principal_and_nothing_else_does(
    shared: Installation,
) -> None:
    who, principal = person(WHO), DYING
    held = {
        "power-of-attorney": given(shared, who, by=principal),
        "resident-identity": shared.issue(who),
    }
    subject = shared.enrol(person(principal))
    assert ask(shared, held).verified

    reported(shared, subject, "deceased")

    assert refused(shared, held) == {"status": "revoked"}  # her mandate; her identity is good
    still = {**held, "power-of-attorney": given(shared, who)}
    assert ask(shared, still).verified  # what another principal gave her
    mandate = {"subject": shared.enrol(who), "credential_type": "power-of-attorney"}
    again = shared.post(
        "issuer:civil-registry",
        "/offers",
        {**mandate, "principal": subject, "claims": EXAMPLE_CLAIMS["power-of-attorney"]},
    )
    assert (again.status_code, again.json()["type"]) == (409, "/problems/not-alive")


def test_only_a_durable_power_outlives_the_capacity_of_who_gave_it(shared: Installation) -> None:
    who, principal = person(WHO), FAILING
    subject = shared.enrol(person(principal))
    identity = shared.issue(who)
    plain = {"power-of-attorney": given(shared, who, by=principal), "resident-identity": identity}
    durable = {
        "power-of-attorney": given(shared, who, by=principal, durable=True),
        "resident-identity": identity,
    }

    reported(shared, subject, "incapacitated")

    assert refused(shared, plain) == {"status": "revoked"}
    assert ask(shared, durable).verified
    reported(shared, subject, "capacity-restored")
    assert ask(shared, plain).failed == {"status": "revoked"}  # who gave it may give it anew


def test_a_mandate_that_has_ended_is_not_issued(shared: Installation) -> None:
    claims = {**EXAMPLE_CLAIMS["power-of-attorney"], "valid_until": "2020-01-01"}
    offer = shared.offer(
        shared.enrol(person(WHO)),
        kind="power-of-attorney",
        claims=claims,
        principal=shared.enrol(person(PRINCIPAL)),
    )
    grant = offer["credential_offer"]["grants"]
    assert grant
    try:
        shared.wallet().accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
    except Exception as refusal:
        assert "ended" in str(refusal)
    else:
        raise AssertionError("a mandate was issued that ended in 2020")

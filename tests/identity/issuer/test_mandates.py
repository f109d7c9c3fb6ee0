"""A mandate is offered between two people, and ends when either of them no longer can."""

from threading import Thread
from typing import Any

import pytest
from sqlalchemy import update

from identity.adapters.issuer_tables import OfferRow
from identity.core.life_event import LifeEvent, LifeEventKind
from identity.core.mandate import ENDED
from identity.issuer.records import Review
from tests.identity.issuer.test_deferred import _ask, _decide, _fetch
from tests.identity.issuer.test_life_events import issued, resting, statuses
from tests.identity.issuer.workbench import ALICE, BEARER, Workbench

BOB = "prs_bob"
FACTS = {"family_name": "Wu", "given_name": "Bo", "birth_date": "1950-02-03"}
POWER: dict[str, Any] = {
    "credential_type": "power-of-attorney",
    "claims": {"may_pay": True, "valid_until": "2030-12-31"},
    "principal": BOB,
}
GUARDIANSHIP = {**POWER, "credential_type": "guardianship"}


@pytest.fixture
def both(bench: Workbench) -> Workbench:
    """Alice acts for Bob."""
    bench.persons.people[BOB] = dict(FACTS)
    return bench


def happens(bench: Workbench, kind: LifeEventKind, subject: str, *changed: str) -> None:
    for _ in range(2):  # hooks do not mind repetitions
        resting(bench).on_event(
            LifeEvent(
                kind=kind, subject=subject, agency="registrar", time=0, changed=frozenset(changed)
            )
        )


def offered(bench: Workbench, **body: Any) -> tuple[int, str]:
    answer = bench.http.post(
        f"{bench.issuer}/offers", headers=BEARER, json={"subject": ALICE, "tx_code": False, **body}
    )
    return answer.status_code, answer.json().get("type", "")


def test_the_principal_is_named_by_her_registration_and_sees_the_look(both: Workbench) -> None:
    (copy, _) = issued(both, **POWER)

    assert copy["vct"].endswith("/power-of-attorney/1")
    read = ("family_name", "given_name", "birth_date")
    assert (BOB, read, "mandate", "issuer:registrar") in both.persons.reads
    assert offered(both, **{**POWER, "claims": {"principal_family_name": "Ng"}}) == (
        400,
        "/problems/claims-not-accepted",
    )


@pytest.mark.parametrize("kind", [LifeEventKind.DECEASED, LifeEventKind.WITHDRAWN])
def test_it_ends_with_the_principal_and_the_rest_of_hers_does_not(
    both: Workbench, kind: LifeEventKind
) -> None:
    mandate, identity = issued(both, **POWER), issued(both)
    token, waiting = both.token(both.offer(**POWER)), both.offer(**POWER)

    happens(both, kind, BOB)

    assert statuses(both, mandate) == [1, 1]
    assert statuses(both, identity) == [0, 0]
    assert _ask(both, token, [both.key()], "power-of-attorney-sd-jwt").status_code == 401
    answer = both.http.post(f"{both.issuer}/token", data=both.token_form(waiting))
    assert answer.status_code == 400
    (of_mandate, _) = both.parts.issuances.issuances_of("registrar", ALICE)
    assert of_mandate.reason == ENDED  # not what befell Bob


def test_a_power_that_is_not_durable_ends_with_capacity_and_a_guardianship_begins(
    both: Workbench,
) -> None:
    plain, durable = issued(both, **POWER), issued(both, **POWER, durable=True)
    guardianship = issued(both, **GUARDIANSHIP)

    both.persons.closed[BOB] = True
    happens(both, LifeEventKind.INCAPACITATED, BOB)
    assert statuses(both, plain) == [1, 1]
    assert statuses(both, durable) == [0, 0]
    assert statuses(both, guardianship) == [0, 0]
    assert offered(both, **POWER, durable=True) == (409, "/problems/binding-closed")
    assert statuses(both, issued(both, **GUARDIANSHIP)) == [0, 0]

    del both.persons.closed[BOB]
    happens(both, LifeEventKind.CAPACITY_RESTORED, BOB)
    assert statuses(both, plain) == [1, 1]
    assert statuses(both, guardianship) == [1, 1]


def test_whoever_cannot_act_for_herself_acts_for_nobody_any_more(both: Workbench) -> None:
    mandate, identity = issued(both, **POWER), issued(both)

    happens(both, LifeEventKind.INCAPACITATED, ALICE)
    assert (statuses(both, mandate), statuses(both, identity)) == ([1, 1], [2, 2])
    happens(both, LifeEventKind.CAPACITY_RESTORED, ALICE)
    assert (statuses(both, mandate), statuses(both, identity)) == ([1, 1], [0, 0])


def test_it_ends_when_it_tells_an_old_name(both: Workbench) -> None:
    mandate, identity = issued(both, **POWER), issued(both)
    happens(both, LifeEventKind.NAME_CHANGED, BOB, "family_name", "given_name")
    assert (statuses(both, mandate), statuses(both, identity)) == ([1, 1], [0, 0])


def test_a_lost_phone_of_the_principal_changes_nothing(both: Workbench) -> None:
    mandate = issued(both, **POWER)
    happens(both, LifeEventKind.KEYS_LOST, BOB)
    assert statuses(both, mandate) == [0, 0]


def test_a_principal_who_dies_while_it_is_delivered_ends_it(both: Workbench) -> None:
    """Her registration was read before the event; the dead offer refuses what comes after."""
    token = both.token(both.offer(**POWER))
    store = both.parts.issuances
    record = store.record_delivery

    class Late:
        def __getattr__(self, name: str) -> Any:
            return self.late if name == "record_delivery" else getattr(store, name)

        @staticmethod
        def late(*args: Any, **kwargs: Any) -> None:
            worker = Thread(target=happens, args=(both, LifeEventKind.DECEASED, BOB))
            worker.start()
            worker.join()
            record(*args, **kwargs)

    object.__setattr__(both.parts, "issuances", Late())
    answer = _ask(both, token, [both.key()], "power-of-attorney-sd-jwt")
    assert (answer.status_code, answer.json()["error"]) == (400, "credential_request_denied")


def test_who_is_closed_between_offer_and_delivery_is_not_acted_for(both: Workbench) -> None:
    token = both.token(both.offer(**POWER))
    both.persons.closed[BOB] = True
    answer = _ask(both, token, [both.key()], "power-of-attorney-sd-jwt")
    assert answer.status_code == 400
    assert both.parts.issuances.issuances_of("registrar", ALICE) == []


def test_the_principal_may_be_named_with_the_decision(both: Workbench) -> None:
    later = {name: POWER[name] for name in ("credential_type", "claims")}
    offer = both.offer(**later, deferred=True)
    assert _decide(both, offer["offer"]).status_code == 400  # nobody is named
    body = {"decision": "issue", "principal": BOB}
    url = f"{both.issuer}/deferred/{offer['offer']}"
    assert both.http.post(url, headers=BEARER, json=body).status_code == 204
    token = both.token(offer)
    assert _ask(both, token, [both.key()], "power-of-attorney-sd-jwt").status_code == 200

    happens(both, LifeEventKind.DECEASED, BOB)
    (mandate,) = both.parts.issuances.issuances_of("registrar", ALICE)
    assert mandate.reason == ENDED


def test_a_decision_from_before_principals_is_taken_again(both: Workbench) -> None:
    later = {name: POWER[name] for name in ("credential_type", "claims")}
    first, second = both.offer(**later, deferred=True), both.offer(**later, deferred=True)
    token = both.token(first)
    postponed = _ask(both, token, [both.key()], "power-of-attorney-sd-jwt").json()
    with both.engine.begin() as db:  # as a release did that asked for no principal
        db.execute(update(OfferRow).values(review=Review.READY))

    waiting = _fetch(both, token, postponed["transaction_id"])
    asked = _ask(both, both.token(second), [both.key()], "power-of-attorney-sd-jwt")

    assert (waiting.status_code, asked.status_code) == (202, 202)
    url = f"{both.issuer}/deferred"
    listed = both.http.get(url, headers=BEARER).json()["waiting"]
    assert {item["offer"] for item in listed} == {first["offer"], second["offer"]}
    body = {"decision": "issue", "principal": BOB}
    for offer in (first, second):
        answer = both.http.post(f"{url}/{offer['offer']}", headers=BEARER, json=body)
        assert answer.status_code == 204
    assert _fetch(both, token, postponed["transaction_id"]).status_code == 200


def test_nobody_is_acted_for_who_is_not_known(both: Workbench) -> None:
    assert offered(both, **{**POWER, "principal": "prs_nobody"})[0] == 404
    assert offered(both, **{**POWER, "principal": ALICE})[0] == 409
    assert offered(both, **{**POWER, "principal": None})[0] == 400
    assert offered(both, **GUARDIANSHIP, durable=True)[0] == 400
    assert offered(both, credential_type="resident-identity", principal=BOB)[0] == 400


def test_systems_that_compose_credentials_compose_no_mandates_for_people(both: Workbench) -> None:
    kind = both.parts.catalogue.by_name("power-of-attorney")
    subject = {**FACTS, "principal_family_name": "Wu", "principal_given_name": "Bo"}
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2", kind.context_url],
        "type": ["VerifiableCredential", kind.vc_type],
        "issuer": both.agency.did,
        "credentialSubject": {**subject, "valid_until": "2030-12-31"},
    }
    answer = both.http.post(
        f"{both.issuer}/credentials/issue", headers=BEARER, json={"credential": credential}
    )
    assert answer.status_code in (400, 403)
    assert answer.json()["problemDetails"][0]["title"] == "CredentialNotIssuable"

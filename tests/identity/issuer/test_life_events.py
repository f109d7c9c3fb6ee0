"""What rests on a person's binding ends, pauses or comes back in one action, and nothing else."""

from threading import Thread
from typing import Any

import pytest

from identity.adapters.issuer_issuance_store import SqlIssuanceStore
from identity.core.life_event import EFFECTS, Effect, LifeEvent, LifeEventKind
from identity.issuer.life_events import RestingCredentials
from identity.issuer.records import Status
from identity.issuer.status import StatusDesk
from registry.core.encoding import JsonObject
from tests.identity.issuer.test_flow import token_status
from tests.identity.issuer.workbench import ALICE, Workbench, payload_of


def resting(bench: Workbench) -> RestingCredentials:
    return RestingCredentials(
        bench.parts, StatusDesk(bench.parts, bench.publisher), clock=bench.clock
    )


def issued(bench: Workbench, **offer: Any) -> list[JsonObject]:
    kind = offer.get("credential_type", "resident-identity")
    token = bench.token(bench.offer(**offer))
    answer = bench.receive(token, keys=2, configuration=f"{kind}-sd-jwt")
    return [payload_of(item["credential"]) for item in answer["credentials"]]


def statuses(bench: Workbench, payloads: list[JsonObject]) -> list[int]:
    return [token_status(bench, payload) for payload in payloads]


def event(kind: LifeEventKind, **members: Any) -> LifeEvent:
    return LifeEvent(kind=kind, subject=ALICE, agency="registrar", time=0, **members)


def test_every_kind_has_an_effect() -> None:
    assert EFFECTS.keys() == set(LifeEventKind)


def test_one_action_ends_copies_offers_tokens_and_deliveries_under_way(bench: Workbench) -> None:
    copies = issued(bench)
    pending = bench.offer()
    redeemed = bench.offer()
    token = bench.token(redeemed)
    proof = {"proofs": {"jwt": [bench.proof(bench.key())]}}

    ended = resting(bench).end_all("registrar", ALICE, reason="keys-lost")

    assert [change.published for change in ended] == [True]
    assert statuses(bench, copies) == [1, 1]
    answer = bench.http.post(f"{bench.issuer}/token", data=bench.token_form(pending))
    assert answer.status_code == 400
    body = {"credential_configuration_id": "resident-identity-sd-jwt", **proof}
    assert bench.request(token, body).status_code == 401
    assert statuses(bench, issued(bench)) == [0, 0]  # a new proofing issues at once


def test_a_delivery_whose_offer_ends_meanwhile_is_refused(bench: Workbench) -> None:
    """The token was recognised before the offer died; the record is what refuses."""
    token = bench.token(bench.offer())
    store = bench.parts.issuances
    record = store.record_delivery

    class Late:
        def __getattr__(self, name: str) -> Any:
            return self.late if name == "record_delivery" else getattr(store, name)

        @staticmethod
        def late(*args: Any, **kwargs: Any) -> None:
            worker = Thread(
                target=resting(bench).end_all,
                args=("registrar", ALICE),
                kwargs={"reason": "keys-lost"},
            )
            worker.start()
            worker.join()
            record(*args, **kwargs)

    object.__setattr__(bench.parts, "issuances", Late())
    answer = bench.request(
        token,
        {
            "credential_configuration_id": "resident-identity-sd-jwt",
            "proofs": {"jwt": [bench.proof(bench.key())]},
        },
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "credential_request_denied"


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (kind, 2 if EFFECTS[kind] is Effect.SUSPEND_ALL else 1)
        for kind in LifeEventKind
        if EFFECTS[kind] in (Effect.REVOKE_ALL, Effect.SUSPEND_ALL)
    ],
)
def test_an_event_reaches_every_credential_of_hers_and_of_nobody_else(
    bench: Workbench, kind: LifeEventKind, after: int
) -> None:
    bench.persons.people["prs_bob"] = dict(bench.persons.people[ALICE])
    hers = issued(bench) + issued(bench)
    his = issued(bench, subject="prs_bob")

    resting(bench).on_event(event(kind))
    resting(bench).on_event(event(kind))  # hooks do not mind repetitions

    assert statuses(bench, hers) == [after] * 4
    assert statuses(bench, his) == [0, 0]


def test_capacity_comes_back_with_what_was_suspended_for_it_and_with_nothing_else(
    bench: Workbench,
) -> None:
    first, second, third = issued(bench), issued(bench), issued(bench)
    listed = bench.parts.issuances.issuances_of("registrar", ALICE)
    desk = StatusDesk(bench.parts, bench.publisher)
    named = {token_status(bench, first[0]): None}
    assert named == {0: None}
    by_copy = {}
    for item in listed:
        desk.change(
            "registrar", item.issuance, Status.SUSPENDED, reason="court-order", now=bench.clock()
        )
        changed = [statuses(bench, copies)[0] for copies in (first, second, third)]
        by_copy[changed.index(2)] = item.issuance
        desk.change("registrar", item.issuance, Status.VALID, reason=None, now=bench.clock())
    desk.change("registrar", by_copy[1], Status.SUSPENDED, reason="court-order", now=bench.clock())
    desk.change("registrar", by_copy[2], Status.REVOKED, reason="stolen", now=bench.clock())

    resting(bench).on_event(event(LifeEventKind.INCAPACITATED))
    assert [statuses(bench, copies)[0] for copies in (first, second, third)] == [2, 2, 1]
    resting(bench).on_event(event(LifeEventKind.CAPACITY_RESTORED))

    assert [statuses(bench, copies)[0] for copies in (first, second, third)] == [0, 2, 1]


def test_a_new_name_ends_what_can_tell_the_old_one(bench: Workbench) -> None:
    identity = issued(bench)
    bench.persons.people[ALICE] |= {"street_address": "Lane 1", "resident_since": "2020-01-01"}
    residence = issued(bench, credential_type="residence")
    tells_name = {kind.name for kind in bench.parts.catalogue if "family_name" in kind.claims}
    assert "resident-identity" in tells_name

    resting(bench).on_event(event(LifeEventKind.NAME_CHANGED, changed=frozenset({"family_name"})))

    assert statuses(bench, identity) == [1, 1]
    assert statuses(bench, residence) == ([1, 1] if "residence" in tells_name else [0, 0])


def test_during_an_outage_the_end_is_on_disk_and_published_afterwards(bench: Workbench) -> None:
    copies = issued(bench)
    bench.registry.down = True

    ended = resting(bench).end_all("registrar", ALICE, reason="keys-lost")

    assert [change.published for change in ended] == [False]
    bench.registry.down = False
    bench.worker.run_once(bench.clock())
    assert statuses(bench, copies) == [1, 1]


def test_an_agency_served_elsewhere_is_not_ours_to_tell(bench: Workbench) -> None:
    copies = issued(bench)
    resting(bench).on_event(
        LifeEvent(kind=LifeEventKind.DECEASED, subject=ALICE, agency="elsewhere", time=0)
    )
    assert statuses(bench, copies) == [0, 0]


def test_the_store_is_the_real_one(bench: Workbench) -> None:
    assert isinstance(bench.parts.issuances._inner, SqlIssuanceStore)  # type: ignore[attr-defined]

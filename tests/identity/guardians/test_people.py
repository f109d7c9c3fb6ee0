"""What guardians bring back, at a real issuer: which types, and what is taken back again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import OfferRow
from identity.core.credential_types import Catalogue, CredentialType
from identity.core.mandate import PRINCIPAL, needs_principal
from identity.installation.guardians import IssuersPeople
from identity.issuer.records import Offer, OfferState, Status
from identity.realname.recovery import EndsAll
from tests.identity.issuer.test_life_events import issued
from tests.identity.issuer.workbench import ALICE, CATALOGUE, Workbench


class EndsNothing:
    """Nothing ends in these tests."""

    def end_all(self, agency: str, subject: str, *, reason: str) -> list[object]:
        raise AssertionError((agency, subject, reason))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    made = Workbench(tmp_path)
    yield made
    made.engine.dispose()


def people_of(bench: Workbench, parts: Any = None) -> IssuersPeople:
    ends: EndsAll = EndsNothing()
    return IssuersPeople(bench.engine, parts or bench.parts, ends)


def loose_mandate() -> CredentialType:
    """A catalogue's own mandate, of which the agency need not say anything."""
    kind = CATALOGUE.by_name("power-of-attorney")
    subject = {**kind.claims_schema, "required": [f"{PRINCIPAL}family_name"]}
    properties = {**kind.schema["properties"], "credentialSubject": subject}
    return replace(kind, schema={**kind.schema, "properties": properties})


def test_no_mandate_is_offered_anew_for_nobody_says_for_whom_she_acts(bench: Workbench) -> None:
    bench.persons.people["prs_bob"] = {"family_name": "Wu"}
    loose = loose_mandate()
    assert needs_principal(loose.claims)
    kinds = [loose if kind.name == loose.name else kind for kind in CATALOGUE]
    held = [loose.name, "resident-identity"]
    rows = [SimpleNamespace(credential_type=name, status=Status.VALID) for name in held]
    issuances = SimpleNamespace(issuances_of=lambda *_: rows)
    parts = replace(bench.parts, catalogue=Catalogue(kinds), issuances=issuances)

    people = people_of(bench, parts)

    assert people.offerable("registrar", ALICE) == ["resident-identity"]


def test_offers_that_are_taken_back_open_nothing(bench: Workbench) -> None:
    people, key = people_of(bench), bench.key().key.jwk_thumbprint
    now = int(bench.clock().timestamp())
    made = people.offer("registrar", ALICE, "resident-identity", key=key, now=now)
    for _ in range(2):
        people.take_back("registrar", [made])
    kept = bench.parts.offers.read_offer("registrar", str(made["credential_id"]))
    assert kept is not None
    assert kept.state is OfferState.DEAD
    assert people.offer_again("registrar", ALICE, key=key, now=now) == []


@pytest.fixture
def on_either(tmp_path: Path, database_url: str) -> Iterator[Workbench]:
    made = Workbench(tmp_path, database=database_url)
    yield made
    made.engine.dispose()


def like(offer: Offer) -> Offer:
    """Another one, with secrets of its own."""
    return replace(offer, offer="another", reference_digest=b"r" * 32, code_digest=b"c" * 32)


def living(bench: Workbench) -> list[str]:
    with transaction(bench.engine) as db:
        found = select(OfferRow.offer).where(OfferRow.state != OfferState.DEAD)
        return list(db.scalars(found))


def test_of_two_who_ask_again_at_one_moment_one_has_the_offer(on_either: Workbench) -> None:
    bench, key = on_either, on_either.key().key.jwk_thumbprint
    now = int(bench.clock().timestamp())
    people_of(bench).offer("registrar", ALICE, "resident-identity", key=key, now=now)
    both_have_looked = Barrier(2)

    class Slow:
        """Both see what is open before one of them offers it anew."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bench.parts.offers, name)

        def open_offers_for(self, *who: Any, **when: Any) -> Any:
            found = bench.parts.offers.open_offers_for(*who, **when)
            both_have_looked.wait()
            return found

    rivals = [people_of(bench, replace(bench.parts, offers=Slow())) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        made = list(
            pool.map(lambda rival: rival.offer_again("registrar", ALICE, key=key, now=now), rivals)
        )

    assert sorted(len(offers) for offers in made) == [0, 1]
    (offer,) = made[0] or made[1]
    assert living(bench) == [offer["credential_id"]]


def test_what_was_issued_meanwhile_is_not_offered_again(on_either: Workbench) -> None:
    bench = on_either
    issued(bench)
    (offer,) = living(bench)
    kept = bench.parts.offers.read_offer("registrar", offer)
    assert kept is not None

    assert not bench.parts.offers.replace_offer(offer, like(kept), now=kept.created_at)

    assert living(bench) == [offer]


def test_what_is_past_its_time_dead_or_anothers_is_not_replaced(on_either: Workbench) -> None:
    bench = on_either
    offer = bench.offer()["credential_id"]
    kept = bench.parts.offers.read_offer("registrar", offer)
    assert kept is not None
    new, offers = like(kept), bench.parts.offers

    assert not offers.replace_offer(offer, replace(new, agency="university"), now=kept.created_at)
    assert not offers.replace_offer(offer, new, now=kept.expires_at)
    assert offers.withdraw("registrar", offer)
    assert not offers.replace_offer(offer, new, now=kept.created_at)
    assert not offers.replace_offer("no such offer", new, now=kept.created_at)
    assert living(bench) == []

"""What every population register promises: the embedded one, and one over HTTP."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from identity.adapters.embedded_register import EmbeddedRegister, invented_people
from identity.adapters.http_register import CircuitBreaker, HttpRegister, register_client
from identity.realname.ports import NoMatch, NotAlive, PopulationRegister, RegisterQuery
from tests.identity.realname.register_server import RegisterServer, serving

NOW = 1_790_000_000
PEOPLE = invented_people()
LIVING = [found for found in PEOPLE if found.alive]


def query_for(found) -> RegisterQuery:  # type: ignore[no-untyped-def]
    person = found.person
    return RegisterQuery(
        country=found.country,
        number=found.number,
        family_name=person.family_name,
        given_name=person.given_name,
        birth_date=person.birth_date,
    )


@pytest.fixture(scope="module", params=["embedded", "http"])
def register(request: pytest.FixtureRequest) -> Iterator[PopulationRegister]:
    if request.param == "embedded":
        yield EmbeddedRegister(PEOPLE)
        return
    with serving(RegisterServer(now=lambda: NOW)) as server, register_client() as client:
        yield HttpRegister(
            url=server.url,
            key=server.signer.key,
            client=client,
            breaker=CircuitBreaker(failures=5, pause_seconds=30, clock=lambda: 0.0),
            random=secrets.token_bytes,
            now=lambda: NOW,
        )


@pytest.mark.parametrize("found", LIVING, ids=lambda found: f"{found.country}")
def test_a_living_person_is_found_with_her_attributes(register: PopulationRegister, found):
    assert register.lookup(query_for(found)) == found.person


def test_a_name_is_compared_not_copied(register: PopulationRegister):
    found = next(p for p in LIVING if "·" in p.person.given_name)
    spelled = replace(query_for(found), given_name=found.person.given_name.replace("·", "•") + " ")
    turned = replace(
        query_for(found),
        family_name=found.person.given_name,
        given_name=found.person.family_name,
    )

    assert register.lookup(spelled).given_name == found.person.given_name
    assert register.lookup(turned) == found.person


@pytest.mark.parametrize(
    "change",
    [
        {"number": "110000199102030135"},
        {"country": "TW"},
        {"family_name": "王"},
        {"given_name": "晓"},
        {"family_name": "", "given_name": ""},
        {"given_name": "晓雨\u0007"},
        {"birth_date": date(1991, 2, 4)},
    ],
)
def test_whatever_does_not_agree_is_one_refusal(
    register: PopulationRegister, change: dict[str, object]
):
    query = query_for(LIVING[0])
    register.lookup(query)

    with pytest.raises(NoMatch) as refusal:
        register.lookup(replace(query, **change))  # type: ignore[arg-type]

    assert refusal.value.detail == "number, name and birth date do not belong to one person"
    register.lookup(query)


def test_the_dead_are_told_only_to_those_who_know_them(register: PopulationRegister):
    (dead,) = [found for found in PEOPLE if not found.alive]
    query = query_for(dead)

    with pytest.raises(NotAlive):
        register.lookup(query)
    with pytest.raises(NoMatch):
        register.lookup(replace(query, birth_date=date(1931, 12, 8)))


def test_nothing_of_a_query_shows_in_its_repr():
    query = query_for(LIVING[0])
    for value in (query.number, query.family_name, query.given_name, "1991"):
        assert value not in repr(query)
        assert value not in repr(LIVING[0].person)

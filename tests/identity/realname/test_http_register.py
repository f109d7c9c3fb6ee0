"""The HTTP register believes only a fresh answer, to this question, under the pinned key."""

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from threading import Thread
from time import monotonic

import httpx2
import pytest

from identity.adapters.embedded_register import invented_people
from identity.adapters.http_register import (
    MAX_ANSWER_SECONDS,
    CircuitBreaker,
    HttpRegister,
    register_client,
)
from identity.realname.person_json import person_members
from identity.realname.ports import NotAlive, RegisterQuery, RegisterUnavailable
from registry.core.keys import PublicKey
from tests.identity.realname.register_server import RegisterServer, new_signer, serving

NOW = 1_790_000_000
LIN = invented_people()[0]
QUERY = RegisterQuery(
    country="CN",
    number=LIN.number,
    family_name=LIN.person.family_name,
    given_name=LIN.person.given_name,
    birth_date=LIN.person.birth_date,
)


class Clock:
    """Monotonic seconds that pass when told."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def server() -> Iterator[RegisterServer]:
    with serving(RegisterServer(now=lambda: NOW)) as running:
        yield running


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with register_client(timeout_seconds=1.0) as made:
        yield made


Asking = Callable[..., tuple[HttpRegister, Clock]]


@pytest.fixture
def asking(client: httpx2.Client) -> Asking:
    def ask(
        server: RegisterServer,
        *,
        key: PublicKey | None = None,
        failures: int = 100,
        timer: Callable[[], float] = lambda: 0.0,
    ) -> tuple[HttpRegister, Clock]:
        clock = Clock()
        register = HttpRegister(
            url=server.url,
            key=key or server.signer.key,
            client=client,
            breaker=CircuitBreaker(failures=failures, pause_seconds=30, clock=clock),
            random=secrets.token_bytes,
            now=lambda: NOW,
            access_key="key of this installation",
            retry_wait_seconds=0.01,
            clock=timer,
        )
        return register, clock

    return ask


def refused_then_fine(server: RegisterServer, register: HttpRegister, **change: object) -> None:
    """The twin control: the answer is taken before and after, and not in between."""
    before = {name: getattr(server, name) for name in change}
    assert register.lookup(QUERY) == LIN.person
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(RegisterUnavailable) as refusal:
        register.lookup(QUERY)
    assert refusal.value.__cause__ is None
    assert refusal.value.detail == "the population register does not answer now"
    for name, value in before.items():
        setattr(server, name, value)
    assert register.lookup(QUERY) == LIN.person


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "JWT"},
        {"typ": "cairn-register-answer"},
        {"content_type": "application/json"},
        {"claims": {"iat": NOW - 61}},
        {"claims": {"iat": NOW + 61}},
        {"claims": {"iat": str(NOW)}},
        {"claims": {"iat": True}},
        {"dropped": ("iat",)},
        {"dropped": ("request",)},
        {"dropped": ("result",)},
        {"dropped": ("person",)},
        {"claims": {"request": "A" * 43}},
        {"claims": {"result": "maybe"}},
        {"claims": {"result": "no-match"}},  # with a person in it
        {"claims": {"person": {}}},
        {"claims": {"person": None}},
        {"claims": {"padding": "x" * 40_000}},  # signed, and too long all the same
        {"rewrite": lambda token: token[:-4] + "AAAA"},
        {"rewrite": lambda token: token.rpartition(".")[0] + "."},
        {"rewrite": lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + "."},
        {"rewrite": lambda _token: ""},
        {"rewrite": lambda _token: "x" * 40_000},
        {"rewrite": lambda _token: "\u00e9"},
        {"headers": {"content-encoding": "gzip"}},
        {"statuses": [500]},
        {"statuses": [302]},
        {"statuses": [204]},
        {"statuses": [503] * 3},
    ],
    ids=lambda change: "-".join(change),  # without addresses, so that workers agree
)
def test_an_answer_that_is_not_to_be_believed_is_none(
    asking: Asking, server: RegisterServer, change: dict[str, object]
):
    refused_then_fine(server, asking(server)[0], **change)


def test_another_key_is_not_the_register(asking: Asking, server: RegisterServer):
    refused_then_fine(server, asking(server)[0], signer=new_signer())
    with pytest.raises(RegisterUnavailable):
        asking(server, key=new_signer().key)[0].lookup(QUERY)


def test_an_answer_about_somebody_else_is_not_taken(asking: Asking, server: RegisterServer):
    other = invented_people()[1].person
    server.claims = {"person": person_members(other)}
    with pytest.raises(RegisterUnavailable):
        asking(server)[0].lookup(QUERY)


def test_an_answer_to_an_earlier_question_is_not_taken_again(
    asking: Asking, server: RegisterServer
):
    register, _ = asking(server)
    kept: list[str] = []
    server.rewrite = lambda token: (kept.append(token), token)[1]
    register.lookup(QUERY)

    server.rewrite = lambda _token: kept[0]
    with pytest.raises(RegisterUnavailable):  # same person, another nonce
        register.lookup(QUERY)


def test_a_busy_register_is_asked_again_with_the_same_question(
    asking: Asking, server: RegisterServer
):
    server.statuses = [503, 429]

    assert asking(server)[0].lookup(QUERY) == LIN.person
    assert len(server.bodies) == 3
    assert len(set(server.bodies)) == 1


def test_nothing_personal_is_in_the_url(asking: Asking, server: RegisterServer):
    asking(server)[0].lookup(QUERY)
    assert server.paths == ["/register/lookup"]
    assert LIN.number.encode() in server.bodies[0]


def test_the_breaker_stops_asking_and_tries_once_after_the_pause(
    asking: Asking, server: RegisterServer
):
    register, clock = asking(server, failures=2)
    server.statuses = [500] * 3
    for _ in range(2):
        with pytest.raises(RegisterUnavailable):
            register.lookup(QUERY)
    assert len(server.bodies) == 2

    with pytest.raises(RegisterUnavailable):
        register.lookup(QUERY)
    assert len(server.bodies) == 2  # not asked

    clock.seconds = 31
    with pytest.raises(RegisterUnavailable):
        register.lookup(QUERY)
    assert len(server.bodies) == 3  # asked once, failed again
    with pytest.raises(RegisterUnavailable):
        register.lookup(QUERY)
    assert len(server.bodies) == 3

    clock.seconds = 62
    assert register.lookup(QUERY) == LIN.person
    assert register.lookup(QUERY) == LIN.person


def test_a_no_is_an_answer_and_opens_no_breaker(asking: Asking, server: RegisterServer):
    register, _ = asking(server, failures=1)
    server.claims, server.dropped = {"result": "not-alive"}, ("person",)
    for _ in range(3):
        with pytest.raises(NotAlive):
            register.lookup(QUERY)


def test_a_dripping_answer_is_cut_off(server: RegisterServer, asking: Asking):
    slow = count(0.0, MAX_ANSWER_SECONDS + 1)
    with pytest.raises(RegisterUnavailable):
        asking(server, timer=lambda: next(slow))[0].lookup(QUERY)

    brisk = count(0.0, MAX_ANSWER_SECONDS - 1)
    assert asking(server, timer=lambda: next(brisk))[0].lookup(QUERY) == LIN.person


def test_a_silent_or_absent_register_is_unavailable_in_time(asking: Asking):
    with serving(RegisterServer(now=lambda: NOW)) as gone:
        url_owner = gone
    started = monotonic()
    with pytest.raises(RegisterUnavailable):
        asking(url_owner)[0].lookup(QUERY)
    assert monotonic() - started < 5


def test_several_may_ask_at_once(asking: Asking, server: RegisterServer):
    register, _ = asking(server)
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(register.lookup(QUERY))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [LIN.person] * 6

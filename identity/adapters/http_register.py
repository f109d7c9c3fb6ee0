"""A population register over HTTP that signs its answers.

The query is a POST body, so that nothing personal is in a URL. The answer is a compact JWS under a
key that is pinned here: whoever sits between us and the register, TLS terminators included, can
keep an answer back but not make one. Protocol, version 1:

    POST {url}    application/json
    {"type": "cairn-register-query/1", "country", "number", "family_name", "given_name",
     "birth_date", "nonce"}
    200           application/jwt; typ `cairn-register-answer+jwt`
    {"request": base64url SHA-256 of the body, "iat": unix seconds,
     "result": "match" | "no-match" | "not-alive", "person": {…} with "match" alone}
"""

import time
from collections.abc import Callable
from threading import Lock

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from identity.core.jose import verify_compact
from identity.core.person_name import same_name
from identity.realname.person_json import parse_person
from identity.realname.ports import (
    NoMatch,
    NotAlive,
    RegisteredPerson,
    RegisterQuery,
    RegisterUnavailable,
)
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.hashing import sha256
from registry.core.keys import PublicKey
from registry.core.refusals import Malformed, Refusal

ANSWER_TYPE = "cairn-register-answer+jwt"
QUERY_TYPE = "cairn-register-query/1"
MAX_ANSWER_BYTES = 32 << 10  # one person; ten times the longest answer we know of
MAX_ANSWER_AGE_SECONDS = 60  # an answer is for now; the clocks may differ by as much
MAX_ANSWER_SECONDS = 10.0  # for the whole body; the client's timeout is for each piece of it
ATTEMPTS = 3

_BUSY = frozenset({429, 502, 503, 504})  # the same query again may be answered


class _TryAgain(Exception):
    """The register was not reached, or said that it is busy; asking again may help."""


class CircuitBreaker:
    """Stops asking somebody who does not answer, and tries one question after a pause."""

    def __init__(self, *, failures: int, pause_seconds: float, clock: Callable[[], float]) -> None:
        """Open after `failures` in a row, for `pause_seconds` of the monotonic `clock`."""
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._closed_again_at = 0.0

    def admit(self) -> bool:
        """Whether to ask now. After the pause one caller is let through, the others are not."""
        with self._lock:
            if self._failures < self._limit:
                return True
            if self._clock() < self._closed_again_at:
                return False
            self._closed_again_at = self._clock() + self._pause
            return True

    def report(self, *, answered: bool) -> None:
        """Say how an admitted question ended."""
        with self._lock:
            self._failures = 0 if answered else self._failures + 1
            if self._failures >= self._limit:
                self._closed_again_at = self._clock() + self._pause


class HttpRegister:
    """Keeps the promises of `PopulationRegister` over HTTP; refuses whatever it cannot believe."""

    def __init__(
        self,
        *,
        url: str,
        key: PublicKey,
        client: httpx2.Client,
        breaker: CircuitBreaker,
        random: Callable[[int], bytes],
        now: Callable[[], int],
        access_key: str | None = None,
        retry_wait_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join the parts.

        Args:
            url: where queries are posted.
            key: the register's key; its answers verify under this one or not at all.
            client: as `register_client` makes it.
            breaker: shared by everybody who asks this register.
            random: source of random bytes.
            now: unix seconds.
            access_key: sent as a bearer token.
            retry_wait_seconds: longest pause before another attempt.
            clock: monotonic seconds, to bound an answer that drips.
        """
        self._url = url
        self._key = key
        self._client = client
        self._breaker = breaker
        self._random = random
        self._now = now
        self._clock = clock
        self._headers = {"Accept": "application/jwt", "Accept-Encoding": "identity"}
        if access_key is not None:
            self._headers["Authorization"] = f"Bearer {access_key}"
        self._wait = wait_random_exponential(
            multiplier=retry_wait_seconds / 8, max=retry_wait_seconds
        )

    def lookup(self, query: RegisterQuery) -> RegisteredPerson:
        """As `PopulationRegister.lookup`."""
        if not self._breaker.admit():
            raise RegisterUnavailable("the population register does not answer now")
        answered = False
        try:
            body = canonical_json(
                {
                    "type": QUERY_TYPE,
                    "country": query.country,
                    "number": query.number,
                    "family_name": query.family_name,
                    "given_name": query.given_name,
                    "birth_date": query.birth_date.isoformat(),
                    "nonce": base64url_encode(self._random(16)),
                }
            )
            answer = self._verified(self._asked(body), body)
            answered = True
        except (_TryAgain, httpx2.HTTPError, Refusal):
            # No cause and no text: what went wrong may quote what was sent.
            raise RegisterUnavailable("the population register does not answer now") from None
        finally:
            self._breaker.report(answered=answered)
        return _person(answer, query)

    def _asked(self, body: bytes) -> str:
        for attempt in Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception_type((_TryAgain, httpx2.TransportError)),
            reraise=True,
        ):
            with attempt:
                return self._posted(body)
        raise _TryAgain

    def _posted(self, body: bytes) -> str:
        headers = {**self._headers, "Content-Type": "application/json"}
        with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            if response.status_code in _BUSY:
                raise _TryAgain
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code != 200 or kind != "application/jwt":
                raise Malformed("the register answered something else")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Malformed("the register answered in a coding that was not asked for")
            text, deadline = bytearray(), self._clock() + MAX_ANSWER_SECONDS
            for chunk in response.iter_raw():
                text += chunk
                if len(text) > MAX_ANSWER_BYTES:
                    raise Malformed("the register's answer is too long")
                if self._clock() > deadline:
                    raise Malformed("the register's answer takes too long")
        try:
            return text.decode("ascii")
        except UnicodeDecodeError:
            raise Malformed("the register's answer is no JWS") from None

    def _verified(self, token: str, body: bytes) -> JsonObject:
        """The answer, when it is signed, of the right kind, to this query, and of now."""
        claims = verify_compact(token, key=self._key, typ=ANSWER_TYPE).claims
        if claims.get("request") != base64url_encode(sha256(body)):
            raise Malformed("the answer is to another query")
        issued_at = claims.get("iat")
        if type(issued_at) is not int or abs(self._now() - issued_at) > MAX_ANSWER_AGE_SECONDS:
            raise Malformed("the answer is not of now")
        if claims.get("result") == "match":
            parse_person(claims.get("person"))
        elif claims.get("result") not in ("no-match", "not-alive") or "person" in claims:
            raise Malformed("the answer has no result that we know")
        return claims


def register_client(*, timeout_seconds: float = 5.0) -> httpx2.Client:
    """A client that goes where it is told: no redirects, no proxies or netrc from outside."""
    return httpx2.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False)


def _person(answer: JsonObject, query: RegisterQuery) -> RegisteredPerson:
    if answer["result"] == "not-alive":
        raise NotAlive("the register knows the person as dead")
    if answer["result"] == "no-match":
        raise NoMatch("number, name and birth date do not belong to one person")
    person = parse_person(answer["person"])
    try:
        agrees = person.birth_date == query.birth_date and same_name(
            family_name=person.family_name,
            given_name=person.given_name,
            other_family=query.family_name,
            other_given=query.given_name,
        )
    except Malformed:
        agrees = False
    if not agrees:
        raise RegisterUnavailable("the population register contradicts itself")
    return person

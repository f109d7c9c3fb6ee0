"""An OpenID Connect provider over HTTP: discovery, keys, code exchange, and the ID token's checks.

OpenID Connect Discovery 1.0 §4 and Core 1.0 §3.1.3. Whatever does not verify is
`RegisterUnavailable`, without a word of what was in it.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx2
from jwcrypto.common import JWException
from jwcrypto.jwk import JWKSet
from jwcrypto.jws import JWS
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from identity.adapters.http_register import ATTEMPTS, CircuitBreaker
from identity.core.national_id import MAX_NUMBER_CHARS
from identity.core.person_name import MAX_NAME_CHARS
from identity.realname.oidc_login import LoggedIn
from identity.realname.person_json import parse_date
from identity.realname.ports import RegisterUnavailable
from identity.realname.proofing import TicketNotValid
from registry.core.encoding import JsonObject, base64url_decode, parse_json_object
from registry.core.refusals import Malformed

MAX_ANSWER_BYTES = 256 << 10  # metadata, keys, tokens; the largest key sets known have 50 KiB
MAX_ANSWER_SECONDS = 10.0
METADATA_SECONDS = 3600.0  # how long metadata and keys are believed
REFRESH_SECONDS = 30.0  # an unknown key id fetches the keys again, this often at most
SKEW_SECONDS = 60
MAX_TOKEN_AGE_SECONDS = 600
_T = TypeVar("_T")
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # never `none`, and nothing symmetric


class _TryAgain(Exception):
    """The provider was not reached, or is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderClient:
    """How this installation is known to a provider, and where its claims stand."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str  # of the installation; the same for every agency
    country: str  # ISO 3166-1 alpha-2, of the numbers that the provider tells
    number_claim: str
    scope: str = "openid profile"


class OidcProvider:
    """Keeps the promises of `IdentityProvider`."""

    def __init__(
        self,
        settings: ProviderClient,
        *,
        client: httpx2.Client,
        breaker: CircuitBreaker,
        now: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        retry_wait_seconds: float = 1.0,
    ) -> None:
        """Join the parts; `client` as `register_client` makes it, `now` in unix seconds.

        Raises:
            Malformed: the issuer is no https URL (or http on loopback).
        """
        _check_place(settings.issuer)
        self._settings = settings
        self._client = client
        self._breaker = breaker
        self._now = now
        self._clock = clock
        self._wait = wait_random_exponential(
            multiplier=retry_wait_seconds / 8, max=retry_wait_seconds
        )
        self._lock = Lock()
        self._metadata: tuple[float, JsonObject] | None = None
        self._keys: tuple[float, JWKSet] | None = None

    def authorization_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """As `IdentityProvider.authorization_url`; nothing in it names the agency."""
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_uri,
            "scope": self._settings.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._place('authorization_endpoint')}?{urlencode(query)}"

    def redeem(self, code: str, *, verifier: str, nonce: str) -> LoggedIn:
        """As `IdentityProvider.redeem`. A code is used once, so nothing here is tried again."""
        if not 0 < len(code) <= 2048 or not code.isprintable():
            raise TicketNotValid("the provider gave another code")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_uri,
            "code_verifier": verifier,
        }
        secret = self._settings.client_secret
        if secret is None:
            form["client_id"] = self._settings.client_id
        answer = self._guarded(
            lambda: self._answer(
                "POST",
                self._place("token_endpoint"),
                data=form,
                auth=None if secret is None else (self._settings.client_id, secret),
                refusals=frozenset({400, 401}),
            )
        )
        if answer is None:
            raise TicketNotValid("the provider does not accept the code")
        return self._guarded(lambda: self._verified(answer.get("id_token"), nonce=nonce))

    def _verified(self, token: Any, *, nonce: str) -> LoggedIn:
        """Core 1.0 §3.1.3.7, in its order; then what we need of the claims."""
        if not isinstance(token, str) or len(token) > MAX_ANSWER_BYTES:
            raise Malformed("no ID token")
        claims = self._signed(token)
        client_id = self._settings.client_id
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if claims.get("iss") != self._settings.issuer:  # 2
            raise Malformed("ID token of another issuer")
        if audiences != [client_id]:  # 3: we trust no other audience beside ourselves
            raise Malformed("ID token for another client")
        if claims.get("azp", client_id) != client_id:  # 4, 5
            raise Malformed("ID token for another party")
        now, issued, ends = self._now(), claims.get("iat"), claims.get("exp")
        if type(ends) is not int or ends <= now - SKEW_SECONDS:  # 9
            raise Malformed("ID token has ended")
        if type(issued) is not int or not -SKEW_SECONDS <= now - issued <= MAX_TOKEN_AGE_SECONDS:
            raise Malformed("ID token is not of now")  # 10
        if claims.get("nonce") != nonce:  # 11
            raise Malformed("ID token is of another login")
        born = _text(claims, "birthdate", 10)
        parse_date(born)
        return LoggedIn(
            acr=_text(claims, "acr", 200),  # 12; the desk decides which it accepts
            country=self._settings.country,
            number=_text(claims, self._settings.number_claim, MAX_NUMBER_CHARS),
            family_name=_text(claims, "family_name", MAX_NAME_CHARS),
            given_name=_text(claims, "given_name", MAX_NAME_CHARS),
            birth_date=born,
        )

    def _signed(self, token: str) -> JsonObject:
        """Claims of a token under one of the provider's keys; the header chooses among ours."""
        parts = token.split(".")
        if len(parts) != 3:
            raise Malformed("ID token is no compact JWS")
        header = parse_json_object(base64url_decode(parts[0]), max_bytes=4096)
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or "crit" in header:
            raise Malformed("ID token is signed in a way that is not accepted")
        keys = self._key_set(again=False)
        if isinstance(kid, str) and keys.get_key(kid) is None:
            keys = self._key_set(again=True)
        key = keys.get_key(kid) if isinstance(kid, str) else _only(keys)
        if key is None:
            raise Malformed("ID token is signed with a key that the provider does not publish")
        jws = JWS()
        jws.allowed_algs = ALGORITHMS
        try:
            jws.deserialize(token, key)
        except (JWException, ValueError, TypeError) as error:
            raise Malformed("ID token does not verify") from error
        return parse_json_object(bytes(jws.payload), max_bytes=MAX_ANSWER_BYTES)

    def _place(self, name: str) -> str:
        """An endpoint of the provider, from its metadata."""
        place = self._discovered().get(name)
        if not isinstance(place, str):
            raise RegisterUnavailable("the identity provider does not answer now")
        _check_place(place)
        return place

    def _discovered(self) -> JsonObject:
        with self._lock:
            if self._metadata and self._clock() - self._metadata[0] < METADATA_SECONDS:
                return self._metadata[1]
        url = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._guarded(lambda: self._fetched(url))
        if found.get("issuer") != self._settings.issuer:  # Discovery 1.0 §4.3
            raise RegisterUnavailable("the identity provider does not answer now")
        with self._lock:
            self._metadata = self._clock(), found
        return found

    def _key_set(self, *, again: bool) -> JWKSet:
        with self._lock:
            held = self._keys
        if held and self._clock() - held[0] < (REFRESH_SECONDS if again else METADATA_SECONDS):
            return held[1]
        document = self._fetched(self._place("jwks_uri"))
        public = [
            {name: value for name, value in key.items() if name not in ("d", "k", "p", "q")}
            for key in document.get("keys", [])
            if isinstance(key, dict)
            and key.get("kty") in ("RSA", "EC", "OKP")
            and key.get("use", "sig") == "sig"
        ]
        if not 0 < len(public) <= 64:
            raise Malformed("the provider publishes no keys, or too many")
        keys = JWKSet()
        try:
            keys.import_keyset(json.dumps({"keys": public}))
        except (JWException, ValueError, TypeError) as error:
            raise Malformed("the provider's keys cannot be read") from error
        with self._lock:
            self._keys = self._clock(), keys
        return keys

    def _fetched(self, url: str) -> JsonObject:
        for attempt in Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception_type((_TryAgain, httpx2.TransportError)),
            reraise=True,
        ):
            with attempt:
                found = self._answer("GET", url)
                if found is not None:
                    return found
        raise _TryAgain

    def _answer(
        self, method: str, url: str, *, refusals: frozenset[int] = frozenset(), **more: Any
    ) -> JsonObject | None:
        """A JSON object; None for a status in `refusals`."""
        with self._client.stream(
            method, url, headers={"Accept": "application/json"}, **more
        ) as response:
            if response.status_code in (429, 502, 503, 504):
                raise _TryAgain
            if response.status_code in refusals:
                return None
            if response.status_code != 200:
                raise Malformed("the provider answered something else")
            content, deadline = bytearray(), self._clock() + MAX_ANSWER_SECONDS
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES or self._clock() > deadline:
                    raise Malformed("the provider's answer is too long, or takes too long")
        return parse_json_object(bytes(content), max_bytes=MAX_ANSWER_BYTES)

    def _guarded(self, work: Callable[[], _T]) -> _T:
        """Behind the circuit breaker; what went wrong stays unsaid, since it may quote a person."""
        if not self._breaker.admit():
            raise RegisterUnavailable("the identity provider does not answer now")
        answered = False
        try:
            found = work()
            answered = True
            return found
        except RegisterUnavailable:
            raise
        except (_TryAgain, httpx2.HTTPError, Malformed, JWException):
            raise RegisterUnavailable("the identity provider does not answer now") from None
        finally:
            self._breaker.report(answered=answered)


def _only(keys: JWKSet) -> Any:
    held = list(keys["keys"])
    return held[0] if len(held) == 1 else None


def _text(claims: Mapping[str, Any], name: str, limit: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
        raise Malformed("a claim of the ID token is missing, or no text")
    return value


def _check_place(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise Malformed("an identity provider is reached over https")

"""An identity provider for tests: real HTTP, real keys, and every fault that a test asks for."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from registry.core.encoding import base64url_encode

CLIENT, REDIRECT = "cairn", "https://id.example/return"


@cache
def first_key() -> JWK:
    """Making RSA keys takes its time; one serves all tests."""
    return JWK.generate(kty="RSA", size=2048, kid="first")


@dataclass
class OidcServer:
    """Answers as a provider does, for whoever `person` is; `alter` changes the claims."""

    now: Callable[[], int]
    person: dict[str, Any] = field(default_factory=dict)
    alter: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[["OidcServer", bytes], str] | None = None
    metadata: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document
    status: dict[str, int] = field(default_factory=dict)  # by path, instead of an answer
    secret: str | None = None
    url: str = ""
    key: JWK = field(default_factory=first_key)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # path and query, body

    def log_in(self, url: str) -> tuple[str, str]:
        """What the browser does: the person agrees; state and code come back."""
        query = dict(parse_qsl(urlsplit(url).query))
        assert query["response_type"] == "code"
        assert query["redirect_uri"] == REDIRECT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        self.requests.append((urlsplit(url).query, ""))
        return query["state"], code

    def token(self, nonce: str) -> str:
        """The ID token."""
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "248289761001",
            "iat": self.now(),
            "exp": self.now() + 300,
            "nonce": nonce,
            "acr": "high",
            **self.person,
        }
        payload = json.dumps(self.alter(claims)).encode()
        if self.sign is not None:
            return self.sign(self, payload)
        return signed(payload, self.key, alg="RS256")

    def answer(self, path: str, body: str, authorization: str | None) -> tuple[int, Any]:
        if path in self.status:
            return self.status[path], {"error": "trouble"}
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/jwks",
                }
            )
        if path == "/jwks":
            return 200, {"keys": [json.loads(self.key.export_public())]}
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.codes.pop(form.get("code", ""), None)  # a code is used once
        proven = base64url_encode(sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or proven != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if self.secret is not None and authorization is None:
            return 401, {"error": "invalid_client"}
        return 200, {"id_token": self.token(asked["nonce"]), "access_token": "x"}


def signed(payload: bytes, key: JWK, *, alg: str, kid: str | None = "first", **more: Any) -> str:
    """A compact JWS."""
    jws = JWS(payload)
    header = {"alg": alg, **({} if kid is None else {"kid": kid}), **more}
    jws.add_signature(key, alg, json.dumps(header))
    text: str = jws.serialize(compact=True)
    return text


@contextmanager
def providing(server: OidcServer) -> Iterator[OidcServer]:
    """Serve on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length).decode()
            server.requests.append((self.path, body))
            status, document = server.answer(
                urlsplit(self.path).path, body, self.headers.get("Authorization")
            )
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()

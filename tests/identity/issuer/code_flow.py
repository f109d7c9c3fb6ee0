"""A wallet, and the citizen before its browser, in the authorization code flow."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from identity.core.jose import sign_compact
from identity.core.signing import NamedSigner
from registry.core.encoding import JsonObject, base64url_encode
from tests.identity.issuer.wallet_side import WalletSide

REDIRECT = "org.example.wallet://cb"
CLIENT = "https://wallet.example"
SCOPE = "resident-identity-sd-jwt"
VERIFIER = "v" * 43


def challenge(verifier: str = VERIFIER) -> str:
    """The S256 challenge of a verifier."""
    return base64url_encode(hashlib.sha256(verifier.encode()).digest())


def parameters(**changes: str) -> dict[str, str]:
    """A pushed request in order; `changes` with an empty value leave a parameter out."""
    form = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        "scope": SCOPE,
        **changes,
    }
    return {name: value for name, value in form.items() if value}


def dpop_proof(
    bench: WalletSide, key: Any, path: str, *, token: str | None = None, **claims: Any
) -> str:
    """A DPoP proof for a POST to `path` below the issuer; claims that are None are left out."""
    payload: dict[str, Any] = {
        "htm": "POST",
        "htu": f"{bench.issuer}{path}",
        "iat": int(bench.clock().timestamp()),
        "jti": bench.random(8).hex(),
    }
    if token is not None:
        payload["ath"] = base64url_encode(hashlib.sha256(token.encode()).digest())
    payload |= claims
    return sign_compact(
        header={"typ": "dpop+jwt", "jwk": key.key.jwk},
        payload={name: value for name, value in payload.items() if value is not None},
        signer=NamedSigner(key, "wallet"),
    )


@dataclass
class CodeFlow:
    """One walk through the flow; `https` is the browser with its cookies."""

    bench: WalletSide
    answer: Any = None
    form: dict[str, str] = field(default_factory=dict)
    birth_date: str = "2004-02-29"

    @property
    def issuer(self) -> str:
        """The credential issuer identifier."""
        return self.bench.issuer

    def push(self, headers: Mapping[str, str] | None = None, **changes: str) -> Any:
        """Push a request."""
        return self.bench.http.post(
            f"{self.issuer}/par", data=parameters(**changes), headers=dict(headers or {})
        )

    def open(self, request_uri: str, client_id: str = CLIENT, **more: str) -> Any:
        """Open the page and remember its hidden fields."""
        self.answer = self.bench.http.get(
            f"{self.issuer}/authorize",
            params={"client_id": client_id, "request_uri": request_uri, **more},
            follow_redirects=False,
        )
        self.form = hidden_fields(self.answer.text)
        return self.answer

    def send(self, **typed: str) -> Any:
        """Send the form."""
        self.answer = self.bench.http.post(
            f"{self.issuer}/authorize", data={**self.form, **typed}, follow_redirects=False
        )
        return self.answer

    def identification_code(self, subject: str = "") -> str:
        """A code from the agency's counter."""
        made = self.bench.http.post(
            f"{self.issuer}/identification-codes",
            headers=self.bench.bearer,
            json={"subject": subject or self.bench.subject},
        )
        assert made.status_code == 201, made.text
        code: str = made.json()["code"]
        return code

    def back(self) -> dict[str, str]:
        """Parameters with which the browser went back to the wallet."""
        assert self.answer.status_code == 303, self.answer.text
        location = self.answer.headers["location"]
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def code(self, headers: Mapping[str, str] | None = None, **changes: str) -> str:
        """From the push to the code."""
        pushed = self.push(headers, **changes)
        assert pushed.status_code == 201, pushed.text
        self.open(pushed.json()["request_uri"])
        self.send(
            answer="identify",
            code=self.identification_code(),
            birth_date=self.birth_date,
        )
        return self.back()["code"]

    def token(self, code: str, headers: Mapping[str, str] | None = None, **changes: str) -> Any:
        """Exchange a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": REDIRECT,
            "client_id": CLIENT,
            "resource": self.issuer,
            **changes,
        }
        return self.bench.http.post(
            f"{self.issuer}/token",
            data={name: value for name, value in form.items() if value},
            headers=dict(headers or {}),
        )


def hidden_fields(page: str) -> dict[str, str]:
    """Name and value of the hidden inputs of a page."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def error_of(answer: Any) -> JsonObject:
    """The protocol error of an answer, which must say what was wrong."""
    body: JsonObject = answer.json()
    assert body["error_description"], body
    return body

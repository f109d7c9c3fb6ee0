"""A citizen identifies herself at an identity provider, over a whole installation."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from identity.compose import compose
from identity.config import load_settings
from registry.core.refusals import Malformed
from tests.identity.issuer.code_flow import CLIENT, VERIFIER, parameters
from tests.identity.realname.oidc_server import CLIENT as OIDC_CLIENT
from tests.identity.realname.oidc_server import REDIRECT, OidcServer, providing
from tests.scenarios.installation import DEMO, person

BASE = "https://id.example"
ISSUER = f"{BASE}/issuers/civil-registry"
WHO = person(3)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _settings(folder: Path, **more: Any) -> Any:
    text = DEMO.read_text("utf-8").replace(
        'slug = "civil-registry"', 'slug = "civil-registry"\nidentification = "provider"'
    )
    assert 'identification = "provider"' in text
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return load_settings(
        path, server={"data_dir": folder / "data", "public_base_url": BASE}, **more
    )


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    with providing(OidcServer(now=_now)) as server:
        server.person = {
            "number": WHO.number,
            "family_name": WHO.family_name,
            "given_name": WHO.given_name,
            "birthdate": WHO.birth_date,
        }
        yield server


@pytest.fixture(scope="module")
def http(provider: OidcServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = _settings(
        tmp_path_factory.mktemp("provider"),
        identity_provider={
            "issuer": provider.url,
            "client_id": OIDC_CLIENT,
            "redirect_uri": REDIRECT,
            "country": WHO.country,
            "number_claim": "number",
            "evidence": {"high": ["document", "biometric-match"]},
        },
    )
    composition = compose(settings, random=secrets.token_bytes)
    try:
        yield TestClient(composition.app, base_url=BASE, follow_redirects=False)
    finally:
        composition.close()


def _leave(http: TestClient) -> str:
    http.cookies.clear()
    pushed = http.post(f"{ISSUER}/par", data=parameters(state="mine")).json()
    query = {"client_id": CLIENT, "request_uri": pushed["request_uri"]}
    answer = http.get(f"{ISSUER}/authorize", params=query)
    assert answer.status_code == 303, answer.text
    location: str = answer.headers["location"]
    return location


def _query(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_whoever_logs_in_at_the_provider_gets_a_code_and_a_token(
    http: TestClient, provider: OidcServer
) -> None:
    location = _leave(http)
    assert location.startswith(f"{provider.url}/authorize?")
    state, code = provider.log_in(location)

    back = http.get(f"{BASE}/authorize/return", params={"state": state, "code": code})
    again = http.get(f"{BASE}/authorize/return", params={"state": state, "code": code})

    assert back.status_code == 303, back.text
    answer = _query(back.headers["location"])
    assert (answer["iss"], answer["state"]) == (ISSUER, "mine")
    assert again.status_code == 400
    token = http.post(
        f"{ISSUER}/token",
        data={
            "grant_type": "authorization_code",
            "code": answer["code"],
            "code_verifier": VERIFIER,
            "redirect_uri": "org.example.wallet://cb",
            "client_id": CLIENT,
        },
    )
    assert token.status_code == 200, token.text


def test_another_browser_cannot_bring_the_answer_of_the_provider(
    http: TestClient, provider: OidcServer
) -> None:
    state, code = provider.log_in(_leave(http))
    http.cookies.clear()

    back = http.get(f"{BASE}/authorize/return", params={"state": state, "code": code})

    assert back.status_code in (400, 404)
    assert "location" not in back.headers


def test_an_answer_that_identifies_nobody_is_an_access_denied(
    http: TestClient, provider: OidcServer
) -> None:
    state, _ = provider.log_in(_leave(http))

    back = http.get(f"{BASE}/authorize/return", params={"state": state, "code": "forged"})

    assert _query(back.headers["location"])["error"] == "access_denied"


def test_an_agency_that_names_a_provider_needs_one(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="identity_provider"):
        compose(_settings(tmp_path), random=secrets.token_bytes)

"""Anybody may create a DID, and nobody a thousand: a bound on each client of the HTTP API."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from registry import problems
from registry.api.routes import LIMIT_RETRY_SECONDS, build_router
from registry.core.did_actions import UpdateDid
from tests.registry.api.conftest import Registry, running_registry, with_service
from tests.registry.authors import new_did, trust_anchor

JSON = {"Content-Type": "application/json"}


class CountingLimit:
    """Admits three attempts of each client, and keeps who asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def admit(self, client: str) -> bool:
        self.seen.append(client)
        return self.seen.count(client) <= 3


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_creations_of_one_client_are_counted(registry: Registry) -> None:
    limit = CountingLimit()
    app = FastAPI()
    problems.install(app)
    app.include_router(build_router(registry.ledger, trust_anchor(), new_dids=limit))
    with TestClient(app, client=("192.0.2.7", 1)) as http:
        answers = [
            http.post("/registry/transactions", content=new_did(f"n{n}")[0], headers=JSON)
            for n in range(4)
        ]
        update = UpdateDid(version=3, details=with_service(registry.issuer.private))
        other = http.post(
            "/registry/transactions", content=registry.issuer.transaction(update), headers=JSON
        )

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[3].headers["retry-after"] == str(LIMIT_RETRY_SECONDS)
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert registry.ledger.receipt(answers[0].json()["transaction"]) is not None
    assert other.status_code == 201  # only creations are open to everybody, so only they count
    assert limit.seen == ["192.0.2.7"] * 4


@pytest.mark.parametrize("space", [b" ", b"\n"])
def test_no_other_spelling_gets_past_the_limit(registry: Registry, space: bytes) -> None:
    app = FastAPI()
    problems.install(app)
    app.include_router(build_router(registry.ledger, trust_anchor(), new_dids=CountingLimit()))
    raw, _ = new_did("spelt")
    with TestClient(app) as http:
        answer = http.post("/registry/transactions", content=space + raw, headers=JSON)

    assert answer.status_code == 400

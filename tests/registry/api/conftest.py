"""A ledger with a few records behind the registry's application."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from registry.api.app import create_app
from registry.core.did import DidDetails, Service, VerificationMethod
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.ledger.embedded import EmbeddedLedger
from tests.lent import Lent
from tests.registry.authors import (
    CREATED,
    Author,
    UnsafeHeadSigner,
    UnsafeKey,
    details_of,
    genesis,
    new_did,
    trust_anchor,
)

ENDPOINT = "https://files.example/store/"
_LENT = Lent(lambda parts: create_app(parts["ledger"], trust_anchor()), ("ledger",))

ISSUING = UnsafeKey("issuer key")


def with_key(private: UnsafeKey) -> DidDetails:
    """Details with a key for credentials."""
    method = VerificationMethod(fragment="di-1", key=ISSUING.key, purpose="assertionMethod")
    return details_of(private, method)


def with_service(private: UnsafeKey) -> DidDetails:
    """Details with a key for credentials, another name and a service."""
    return replace(
        with_key(private),
        also_known_as=("https://issuer.example/agency",),
        services=(Service(fragment="files", type="Files", endpoint=ENDPOINT),),
    )


@dataclass
class Registry:
    """The application's client, the engine behind it, and who is on the ledger."""

    http: TestClient
    ledger: EmbeddedLedger
    issuer: Author  # three versions: created at +10, +20 and +30 seconds
    gone: Author  # deactivated


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path) as running:
        yield running


@contextmanager
def running_registry(directory: Path) -> Iterator[Registry]:
    seconds = [CREATED + 10]
    ledger = EmbeddedLedger.open(
        directory / "ledger.db",
        genesis=genesis(),
        signer=UnsafeHeadSigner(),
        now=lambda: seconds[0],
    )
    raw, issuer = new_did("issuer", with_service, others={"di-1": ISSUING})
    ledger.submit(raw)
    for version in (1, 2):
        seconds[0] += 10
        details = with_service(issuer.private) if version == 2 else with_key(issuer.private)
        ledger.submit(issuer.transaction(UpdateDid(version=version, details=details)))
    raw, gone = new_did("gone")
    ledger.submit(raw)
    ledger.submit(gone.transaction(DeactivateDid(version=1)))
    with _LENT.borrow({"ledger": ledger}, follow_redirects=False) as http:
        yield Registry(http, ledger, issuer, gone)
    ledger.close()

"""One conformance installation, composed as `cairn up` composes it, for all tests here."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from identity.compose import compose
from identity.config import load_settings
from tests.contract.vc_api.foreign_schemas import write_schemas
from tests.contract.vc_api.suite import BASE, Suite

CONFIG = Path(__file__).resolve().parents[3] / "deploy" / "conformance.toml"


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Behind a TLS proxy, as its public address says; nothing can be fetched from outside."""
    folder = tmp_path_factory.mktemp("conformance")
    server = {"data_dir": folder, "public_base_url": BASE}
    schemas = {"files": write_schemas(tmp_path_factory.mktemp("schemas"))}
    settings = load_settings(CONFIG, server=server, foreign_schemas=schemas)
    composition = compose(settings, random=secrets.token_bytes)
    composition.start()
    try:
        with TestClient(composition.app, raise_server_exceptions=False) as http:
            yield Suite(composition, http)
    finally:
        composition.close()

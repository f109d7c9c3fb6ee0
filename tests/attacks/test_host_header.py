"""A redirect must not lead to wherever the Host header says."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.publishing import page_routes
from identity.publishing.page_routes import mount_pages

EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    for folder in (tmp_path / "dist" / "wallet", tmp_path / "dist" / "wallet" / "inner"):
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("<p>page</p>", "utf-8")
    monkeypatch.setattr(page_routes, "files", lambda _package: tmp_path)
    app = FastAPI(redirect_slashes=False)
    assert mount_pages(app)
    return TestClient(app, follow_redirects=False)


@pytest.mark.parametrize(
    ("path", "place"),
    [("/", "/wallet/"), ("/wallet", "/wallet/"), ("/wallet/inner", "/wallet/inner/")],
)
def test_a_forged_host_does_not_lead_elsewhere(client: TestClient, path: str, place: str) -> None:
    answer = client.get(path, headers=EVIL)

    assert answer.status_code == 307
    assert answer.headers["Location"] == place
    assert client.get(place).text == "<p>page</p>"

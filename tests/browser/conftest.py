"""A real browser before a real installation: Debian's Chromium, and `cairn up` as a process.

Every page fails its test when the browser complains: a script that throws, or something that the
content policy forbids.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    sync_playwright,
)

from tests.scenarios.installation import Installation

CHROMIUM = Path("/usr/bin/chromium")
PHONE = {"width": 390, "height": 844}
PAGES = Path(__file__).resolve().parents[2] / "wallet_app" / "dist"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The one driver of the session; a second one beside it would not start."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}")
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Headless Chromium, which speaks to this machine only."""
    browser = playwright.chromium.launch(
        executable_path=str(CHROMIUM),
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demonstration, with the built pages; tests share it and take people of their own."""
    if not (PAGES / "wallet" / "index.html").exists():
        pytest.skip("the pages are not built: make pages")
    installation = Installation(tmp_path_factory.mktemp("browser"))
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor on a phone who was never here."""
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty page that must not complain."""
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security" in said.text else None,
    )
    yield page
    assert complaints == []

"""The pages before a real consortium: heads, facts and receipts verify in the browser itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PAGES
from tests.browser.test_explorer import flip, look_up, section, verify
from tests.comet_network import cometbft
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.browser


@dataclass
class OnConsortium(Installation):
    """The demonstration on four members."""

    def command(self) -> list[str]:
        return [*super().command(), "--ledger", "consortium"]


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnConsortium]:
    cometbft()
    if not (PAGES / "wallet" / "index.html").exists():
        pytest.skip("the pages are not built: make pages")
    installation = OnConsortium(tmp_path_factory.mktemp("consortium"))
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="module")
def receipt(consortium: OnConsortium) -> dict[str, Any]:
    held = consortium.issue(person(3))
    found = held.wallet.receipt(held.copies[0])
    assert found is not None
    assert "/validators " in found["head"]
    return dict(found)


@pytest.fixture
def explorer(page: Page, consortium: OnConsortium, receipt: dict[str, Any]) -> Page:
    page.goto(f"{consortium.base}/explorer/")
    expect(page.get_by_test_id("fact").first).to_be_visible()
    return page


def test_the_head_verifies_by_the_validators_that_the_browser_pinned(explorer: Page):
    result = verify(explorer.get_by_test_id("head"), "proven")

    expect(result.get_by_test_id("step-signed")).to_be_visible()
    pinned = json.loads(explorer.evaluate("localStorage.getItem('cairn-explorer-anchor')"))
    assert pinned["type"] == "cairn-consortium-anchor/1"
    assert len(pinned["trusted"][-1]["validators"]) == 4


def test_a_fact_and_a_receipt_verify_and_spoilt_ones_do_not(
    explorer: Page, receipt: dict[str, Any]
):
    verify(section(explorer, "batches"), "proven")
    look_up(explorer, json.dumps(receipt), "proven")

    spoilt = receipt | {"digest": flip(receipt["digest"], bit=3)}

    look_up(explorer, json.dumps(spoilt), "unproven")
    other = receipt["head"].replace("\ntime 1", "\ntime 2")
    look_up(explorer, json.dumps(receipt | {"head": other}), "unproven")
    look_up(explorer, json.dumps(receipt), "proven")


def test_a_head_whose_light_block_was_changed_on_its_way_does_not_verify(explorer: Page):
    def spoil(route: Route) -> None:
        response = route.fetch()
        text = response.text()
        place = len(text) - 400  # within the light block
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        route.fulfill(response=response, body=changed)

    explorer.route("**/registry/head*", spoil)
    verify(explorer.get_by_test_id("head"), "unproven")

    explorer.unroute("**/registry/head*")
    verify(explorer.get_by_test_id("head"), "proven")

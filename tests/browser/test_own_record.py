"""My record in a real page: what was issued, every look, and a credential that nobody asked for."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Playwright, Route, expect

from tests.browser.people import PATIENCE_MS, Phone
from tests.browser.test_wallet_and_scanner import keep, receive_card
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.browser

WHO = 12


@pytest.fixture
def phone(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Phone]]:
    made: list[Phone] = []

    def make(**options: str) -> Phone:
        made.append(Phone(playwright, tmp_path_factory.mktemp("phone"), **options))
        return made[-1]

    try:
        yield make
    finally:
        for device in made:
            device.close()


def open_record(citizen: Phone) -> None:
    citizen.tap("nav-history")
    citizen.tap("open-record")
    citizen.expect("record-agency")


def kinds(citizen: Phone) -> list[str]:
    lines = citizen.at("record-line")
    return [str(lines.nth(n).get_attribute("data-kind")) for n in range(lines.count())]


def until_anchored(citizen: Phone) -> None:
    """Open the record anew until its newest line is on the ledger."""
    deadline = time.monotonic() + 90
    while "not" in (citizen.at("record-proof").first.inner_text()):
        assert time.monotonic() < deadline, "the record does not reach the ledger"
        time.sleep(2)
        open_record(citizen)


def test_the_citizen_sees_what_was_done_in_her_name_and_is_warned(
    installation: Installation, phone: Callable[..., Phone]
) -> None:
    citizen = phone()
    receive_card(citizen, installation, WHO)
    time.sleep(4)  # a round of the keeper
    open_record(citizen)
    until_anchored(citizen)

    assert set(kinds(citizen)) >= {"registered", "issued", "look"}
    expect(citizen.at("record-warning")).to_have_count(0)
    keep(citizen, "wallet-record")

    # Somebody receives a credential in her name, on another phone.
    installation.issue(person(WHO))
    time.sleep(4)
    open_record(citizen)
    expect(citizen.at("record-warning")).to_be_visible(timeout=PATIENCE_MS)
    until_anchored(citizen)
    keep(citizen, "wallet-record-warning")

    citizen.tap("nav-settings")
    citizen.tap("language-zh")
    open_record(citizen)
    expect(citizen.page.get_by_role("heading", level=1)).to_have_text("以您的名义所做的事")
    keep(citizen, "wallet-record-zh")
    assert citizen.errors == []
    width = citizen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_a_record_that_was_altered_is_not_shown(
    installation: Installation, phone: Callable[..., Phone]
) -> None:
    citizen = phone()
    receive_card(citizen, installation, WHO + 1)
    time.sleep(4)
    open_record(citizen)
    until_anchored(citizen)

    def leave_out(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        body["entries"] = [entry for entry in body["entries"] if entry["kind"] != "look"]
        route.fulfill(response=answer, json=body)

    citizen.page.route(re.compile(r"/issuers/[a-z-]+/record$"), leave_out)
    citizen.tap("nav-history")
    citizen.tap("open-record")

    citizen.expect("record-agency")
    expect(citizen.at("problem")).to_be_visible(timeout=PATIENCE_MS)
    expect(citizen.at("record-line")).to_have_count(0)

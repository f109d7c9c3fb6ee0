"""The explorer before a real ledger: facts that verify, absence that is proven, lies that show."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from registry.core.governance_changes import AdmitMember, RemoveMember
from registry.core.signed_note import verifier_key
from tests.registry.core.heads import SIGNER
from tests.registry.governed import governed
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("CAIRN_PICTURES")  # a folder: keep screenshots there
NOBODY = "did:cairn:demo:2NRn9w9A8FUKn4KEvRbiFjkhdydN"


@pytest.fixture(scope="module", autouse=True)
def anchored(installation: Installation) -> str:
    """A person's credentials are anchored; the digest of one."""
    held = installation.issue(person(20))
    receipt = held.wallet.receipt(held.copies[0])
    assert receipt is not None
    digest: str = receipt["digest"]
    return digest


@pytest.fixture
def explorer(page: Page, installation: Installation) -> Page:
    page.goto(f"{installation.base}/explorer/")
    expect(page.get_by_test_id("fact").first).to_be_visible()
    return page


def section(page: Page, name: str) -> Locator:
    """Open a section and give its first fact."""
    page.get_by_test_id(f"section-{name}").click()
    expect(page.get_by_test_id(f"section-{name}")).to_have_attribute("aria-current", "page")
    return page.get_by_test_id("fact").first


def verify(fact: Locator, outcome: str) -> Locator:
    fact.get_by_role("button", name="Verify").click()
    result = fact.get_by_test_id("result")
    expect(result).to_have_attribute("data-outcome", outcome)
    return result


def look_up(page: Page, text: str, outcome: str) -> Locator:
    page.get_by_test_id("search").fill(text)
    page.get_by_test_id("search-button").click()
    result = page.get_by_test_id("search-result").get_by_test_id("result")
    expect(result).to_have_attribute("data-outcome", outcome)
    return result


def spoil(page: Page, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """From now on, answers of the registry at `path` come back changed."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, body=json.dumps(body, ensure_ascii=False))

    page.route(f"**/registry{path}*", answer)


def flip(text: str, *, bit: int) -> str:
    """The base64url text of 32 bytes with one bit of them flipped."""
    data = bytearray(base64.urlsafe_b64decode(text + "="))
    data[bit // 8] ^= 1 << bit % 8
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_the_head_verifies_under_the_pinned_keys(explorer: Page):
    head = explorer.get_by_test_id("head")

    result = verify(head, "proven")

    expect(result.get_by_test_id("step-signed")).to_contain_text("pinned in this browser")
    expect(result.get_by_test_id("step-first")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("entries", None),
        ("batches", "anchor-batch"),
        ("issuers", "accredit"),
        ("schemas", "publish-schema"),
        ("parties", "register-relying-party"),
    ],
)
def test_a_fact_of_each_section_verifies(explorer: Page, name: str, action: str | None):
    fact = section(explorer, name)
    if action:
        expect(fact).to_have_attribute("data-action", action)

    result = verify(fact, "proven")

    expect(result.get_by_test_id("step-present")).to_be_visible()
    expect(result.get_by_test_id("step-entry")).to_be_visible()


def test_an_accreditation_in_force_is_said_to_be(explorer: Page):
    result = verify(section(explorer, "issuers"), "proven")

    expect(result.get_by_test_id("standing")).to_have_text("In force")
    if PICTURES:
        explorer.get_by_test_id("section-issuers").scroll_into_view_if_needed()
        explorer.evaluate("document.querySelector('#section-title').scrollIntoView()")
        explorer.screenshot(path=f"{PICTURES}/explorer.png")


def test_the_members_are_proven_and_votes_may_be_none(explorer: Page):
    verify(section(explorer, "members"), "proven")

    section(explorer, "votes")

    expect(
        explorer.get_by_test_id("empty").or_(explorer.get_by_test_id("fact").first)
    ).to_be_visible()


def test_a_did_that_was_never_made_is_proven_absent(explorer: Page):
    result = look_up(explorer, NOBODY, "absent")

    expect(result.get_by_test_id("step-absent")).to_be_visible()


def test_a_digest_is_found_or_proven_absent_without_telling_anybody(explorer: Page, anchored: str):
    asked: list[str] = []
    explorer.on("request", lambda request: asked.append(request.url + (request.post_data or "")))

    found = look_up(explorer, anchored, "proven")
    expect(found.get_by_test_id("step-whole")).to_be_visible()
    other = flip(anchored, bit=0)
    look_up(explorer, other, "absent")

    assert asked
    assert not [url for url in asked if anchored in url or other in url]


def test_what_is_no_identifier_is_not_looked_for(explorer: Page):
    explorer.get_by_test_id("search").fill("hello")
    explorer.get_by_test_id("search-button").click()

    expect(explorer.get_by_test_id("search-mistake")).to_be_visible()


def flip_root(body: dict[str, Any]) -> None:
    body["record"]["root"] = flip(body["record"]["root"], bit=100)


def flip_sibling(body: dict[str, Any]) -> None:
    body["proof"]["path"][0] = flip(body["proof"]["path"][0], bit=7)


def hide(body: dict[str, Any]) -> None:
    body["record"] = None


def later(body: dict[str, Any]) -> None:
    body["head"] = body["head"].replace("\nheight ", "\nheight 1")


def flip_log_path(body: dict[str, Any]) -> None:
    body["path"][-1] = flip(body["path"][-1], bit=255)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/records", flip_root),
        ("/records", flip_sibling),
        ("/records", hide),
        ("/records", later),
        ("/log/inclusion", flip_log_path),
    ],
)
def test_an_answer_that_was_changed_on_its_way_does_not_verify(
    explorer: Page, path: str, change: Callable[[dict[str, Any]], None]
):
    fact = section(explorer, "batches")
    spoil(explorer, path, change)

    result = verify(fact, "unproven")

    expect(result).to_contain_text("Does not verify")
    explorer.unroute(f"**/registry{path}*")
    verify(fact, "proven")


def test_an_entry_that_was_changed_before_it_was_shown_does_not_verify(
    page: Page, installation: Installation
):
    def more(body: dict[str, Any]) -> None:
        for entry in body["entries"]:
            payload = entry.get("transaction", {}).get("payload", {})
            if payload.get("action") == "anchor-batch":
                payload["body"]["count"] += 1

    spoil(page, "/log/entries", more)
    page.goto(f"{installation.base}/explorer/")

    verify(section(page, "batches"), "unproven")


def test_absence_that_is_only_claimed_does_not_verify(explorer: Page):
    spoil(explorer, "/records", hide)

    look_up(explorer, "network", "unproven")


def test_a_ledger_that_went_back_is_not_shown(explorer: Page):
    stored = explorer.evaluate("localStorage.getItem('cairn-explorer-head')")
    longer = json.loads(stored) | {"size": 10**6, "height": 10**6}

    explorer.evaluate(
        "text => localStorage.setItem('cairn-explorer-head', text)", json.dumps(longer)
    )
    explorer.reload()

    expect(explorer.get_by_test_id("problem")).to_have_attribute("data-code", "proof")
    expect(explorer.get_by_test_id("fact")).to_have_count(0)


def test_a_ledger_with_other_keys_is_shown_only_when_the_visitor_says_so(explorer: Page):
    stored = json.loads(explorer.evaluate("localStorage.getItem('cairn-explorer-anchor')"))
    keys = [verifier_key("cairn/demo", SIGNER.key).text]
    pinned = stored | {"heads": {"keys": keys, "threshold": 1}}

    explorer.evaluate(
        "text => localStorage.setItem('cairn-explorer-anchor', text)", json.dumps(pinned)
    )
    explorer.reload()

    expect(explorer.get_by_test_id("problem")).to_have_attribute("data-code", "anchor-changed")
    expect(explorer.get_by_test_id("fact")).to_have_count(0)
    explorer.get_by_test_id("forget").click()
    expect(explorer.get_by_test_id("fact").first).to_be_visible()


def test_growth_since_the_last_visit_is_proven(explorer: Page, installation: Installation):
    installation.issue(person(21))
    explorer.reload()

    result = verify(explorer.get_by_test_id("head"), "proven")

    expect(result.get_by_test_id("step-grown")).to_contain_text("only grew")


def test_members_and_their_votes_verify(page: Page, installation: Installation, tmp_path: Path):
    with governed(tmp_path, "ministry", "court", "university") as network:
        network.join("auditor")
        joined = AdmitMember(member=network.did("auditor"), name="auditor", validator_key=None)
        network.decide(joined, "ministry", "court", "university")
        network.propose("auditor", RemoveMember(member=network.did("court")))

        def answer(route: Route) -> None:
            found = network.http.get(route.request.url.removeprefix(installation.base))
            route.fulfill(status=found.status, body=found.body)

        page.route("**/registry/**", answer)
        page.goto(f"{installation.base}/explorer/")

        verify(section(page, "members"), "proven")
        expect(page.get_by_test_id("fact")).to_have_count(4)
        section(page, "votes")
        proposals = page.locator('[data-action="propose"]')
        pending = verify(proposals.first, "proven").get_by_test_id("standing")
        expect(pending).to_have_text("State: open. Yes 1, no 0, of 4 members.")
        decided = verify(proposals.nth(1), "proven").get_by_test_id("standing")
        expect(decided).to_have_text("State: accepted. Yes 3, no 0, of 3 members.")
        verify(page.locator('[data-action="vote"]').first, "proven")
        expect(proposals.first).to_contain_text("Remove a member")
        expect(proposals.first).to_contain_text(network.did("court"))


def test_both_languages_and_nothing_wider_than_the_phone(explorer: Page):
    for wanted in ("zh-Hans", "en"):
        explorer.get_by_test_id("language-switch").click()
        expect(explorer.locator("html")).to_have_attribute("lang", wanted)
        for name in ("issuers", "members", "schemas", "batches", "parties", "votes", "entries"):
            explorer.get_by_test_id(f"section-{name}").click()
            assert explorer.evaluate("document.documentElement.scrollWidth") == 390


def test_the_keyboard_reaches_everything_and_hears_the_outcome(explorer: Page):
    fact = section(explorer, "batches")
    button = fact.get_by_role("button", name="Verify")
    assert "Batch anchored" in (button.get_attribute("aria-label") or "")
    button.focus()

    explorer.keyboard.press("Enter")

    expect(fact.locator("[aria-live=polite]")).to_contain_text("Verified")
    expect(button).to_be_focused()

"""Guardians on real phones: chosen, asked, met; the old phone is dead, or says no in time."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.browser.people import PATIENCE_MS, Device, Phone
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("CAIRN_PICTURES")  # a folder: keep the screenshots there
LOST, KEPT, CAREFUL = 15, 16, 17
DIGITS = re.compile(r"^(\d{4} ){4}\d{4}$")


@pytest.fixture
def device(browser: Browser) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(**options: str) -> Device:
        made.append(Device(browser, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def camera(playwright: Playwright, tmp_path: Path) -> Iterator[Phone]:
    phone = Phone(playwright, tmp_path)
    yield phone
    phone.close()


def keep(device: Device, name: str) -> None:
    """It fits a phone in both languages; keep what it looks like when somebody wants to see."""
    for language in ("zh", "en"):
        device.tap("language-switch")
        width = device.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} wide in {language}"
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            path = Path(PICTURES) / f"{name}-{language}.png"
            device.page.screenshot(path=path, full_page=True)


def paste(device: Device, text: str) -> None:
    device.at("scan-paste").fill(text)
    device.tap("scan-submit")


def hub(device: Device, installation: Installation) -> None:
    device.page.goto(f"{installation.base}/wallet/#/guardians")
    device.expect("hub-become")


def receive_card(alice: Device, installation: Installation, number: int) -> None:
    offer = installation.offer(installation.enrol(person(number)))
    alice.page.goto(f"{installation.base}/wallet/#link={quote(offer['offer_uri'], safe='')}")
    alice.at("tx-code").fill(offer["tx_code"])
    alice.tap("offer-accept")
    alice.expect("outcome-done").click()
    alice.expect("card")


def become_guardian(
    guardian: Device, installation: Installation, name: str, *, kept: str = ""
) -> tuple[str, str]:
    """The text of the key, and the digits beside it."""
    hub(guardian, installation)
    guardian.tap("hub-become")
    guardian.at("guard-name").fill(name)
    if kept:
        keep(guardian, f"{kept}-name")
    guardian.tap("guard-make")
    shown = guardian.expect("guardian-key")
    if kept:
        keep(guardian, f"{kept}-key")
    digits = guardian.at("guardian-key-digits").inner_text()
    assert DIGITS.match(digits)
    text = str(shown.get_attribute("data-text"))
    assert name not in text
    guardian.tap("guard-done")
    return text, digits


def choose(alice: Device, keys: dict[str, tuple[str, str]], *, wait: str, kept: str = "") -> str:
    """Choose these guardians, all of whom are needed; the text of the recovery card."""
    alice.tap("nav-settings")
    alice.tap("settings-guardians")
    alice.tap("hub-choose")
    for number, (name, (text, digits)) in enumerate(keys.items()):
        alice.tap("choose-add")
        if kept and number == 0:
            keep(alice, f"{kept}-scan")
        paste(alice, text)
        expect(alice.at("draft-guardian")).to_have_count(number + 1)
        assert alice.at("draft-digits").nth(number).inner_text() == digits
        assert alice.at("choose-sign").count() == 0 or alice.at("choose-sign").is_disabled()
        alice.at("draft-name").nth(number).fill(name)
    alice.at("choose-wait").select_option(wait)
    alice.at("choose-needed").select_option(str(len(keys)))
    if kept:
        keep(alice, f"{kept}-choose")
    alice.tap("choose-sign")
    card = alice.expect("card-code")
    assert alice.at("arranged-name").all_inner_texts() == list(keys)
    text = str(card.get_attribute("data-text"))
    assert not any(name in text for name in keys)
    if kept:
        keep(alice, f"{kept}-arranged")
    return text


def begin(new: Device, card: str, *, kept: str = "") -> str:
    """Begin with the recovery card, which the phone's own camera opened; what guardians scan."""
    new.page.goto(card)
    new.expect("recover-begin")
    if kept:
        keep(new, f"{kept}-card")
    new.tap("recover-begin")
    return str(new.expect("recover-code").get_attribute("data-text"))


def approve(guardian: Device, *, who: str = "") -> Any:
    """Approve what was scanned; the element that says how it went."""
    if who:
        guardian.at("approve-who").select_option(label=who)
    expect(guardian.at("approve-yes")).to_be_disabled()
    guardian.at("approve-met").check()
    guardian.tap("approve-yes")
    return guardian.expect("approve-done")


def test_two_guardians_bring_her_cards_to_a_new_phone_and_the_old_one_is_dead(
    installation: Installation, device: Callable[..., Device], camera: Phone
) -> None:
    alice, carol, new, bob = device(), device(), device(), camera
    receive_card(alice, installation, LOST)
    keys = {
        "Bob": become_guardian(bob, installation, "Alice", kept="guardian"),
        "Carol from work": become_guardian(carol, installation, "Alice"),
    }
    become_guardian(carol, installation, "Dora")  # another person, another key
    card = choose(alice, keys, wait="2", kept="arrange")
    said = alice.at("arranged-sentence").inner_text()
    assert said.startswith("These 2 people, all of them together")
    assert "then waits 2 seconds" in said

    # The phone is lost. The new one has nothing but the card.
    new.page.goto(f"{installation.base}/wallet/")
    new.expect("home-recover")
    keep(new, "recover-home")
    ask = begin(new, card, kept="recover")
    keep(new, "recover-ask")
    digits = new.at("recover-code-digits").inner_text()
    new.page.reload()
    assert new.expect("recover-code").get_attribute("data-text") == ask

    hub(bob, installation)
    bob.see_screen(new.at("recover-code"))
    bob.tap("hub-approve")
    bob.expect("approve-digits")
    assert bob.at("approve-digits").inner_text() == digits
    assert bob.at("approve-name").inner_text() == "Alice"
    keep(bob, "approve")
    said = approve(bob).inner_text()
    assert "1 of 2" in said
    keep(bob, "approved")
    expect(new.at("recover-approvals")).to_have_attribute("data-approvals", "1")

    carol.page.goto(ask)  # scanned by her phone's own camera: the wallet opens with it
    carol.expect("approve-met")
    assert approve(carol, who="Alice").get_attribute("data-state") == "waiting"

    new.expect("recover-complete")
    keep(new, "recover-ready")
    new.tap("recover-complete")
    new.expect("outcome-received")
    new.tap("outcome-done")
    new.expect("card")
    expect(new.at("card-state")).to_have_attribute("data-state", "anchored", timeout=PATIENCE_MS)
    new.tap("card")
    expect(new.at("card-status")).to_have_attribute("data-status", "valid", timeout=PATIENCE_MS)

    # Her guardians stand as before; the old phone holds nothing any more, and says so.
    hub(new, installation)
    new.expect("card-code")
    keep(new, "recovered-hub")
    alice.page.goto(f"{installation.base}/wallet/")
    alice.tap("card")
    expect(alice.at("card-status")).to_have_attribute("data-status", "revoked", timeout=PATIENCE_MS)
    alice.expect("recovery-ended")
    keep(alice, "recovery-ended")
    alice.tap("recovery-ended-known")
    expect(alice.at("recovery-ended")).to_have_count(0)
    for one in (alice, bob, carol, new):
        assert [said for said in one.errors if "40" not in said] == []


def test_the_old_phone_tells_of_it_and_stops_it(
    installation: Installation, device: Callable[..., Device]
) -> None:
    alice, bob, carol, thief = device(), device(), device(), device()
    receive_card(alice, installation, KEPT)
    keys = {
        "Bob": become_guardian(bob, installation, "Alice"),
        "Carol": become_guardian(carol, installation, "Alice"),
    }
    ask = begin(thief, choose(alice, keys, wait="60"))
    for guardian in (bob, carol):
        guardian.page.goto(ask)
        guardian.expect("approve-met")
        approve(guardian)
    thief.expect("recover-waiting")
    keep(thief, "recover-waiting")

    alice.tap("nav-home")
    alice.expect("recovery-stop")
    keep(alice, "notice")
    alice.page.reload()
    alice.expect("recovery-stop").click()
    alice.expect("recovery-stopped")
    keep(alice, "notice-stopped")
    expect(thief.at("recover-over")).to_have_attribute("data-why", "stopped", timeout=PATIENCE_MS)
    keep(thief, "recover-stopped")

    alice.tap("card")
    expect(alice.at("card-status")).to_have_attribute("data-status", "valid", timeout=PATIENCE_MS)
    hub(alice, installation)
    alice.tap("arranged-withdraw")
    alice.tap("arranged-withdraw-confirm")
    alice.expect("hub-choose")
    assert alice.errors == []


def test_what_is_not_what_it_should_be_is_refused_in_plain_words(
    installation: Installation, device: Callable[..., Device]
) -> None:
    alice, bob, carol, new = device(), device(), device(), device()
    receive_card(alice, installation, CAREFUL)
    keys = {
        "Bob": become_guardian(bob, installation, "Alice"),
        "Carol": become_guardian(carol, installation, "Alice"),
    }
    own, _ = become_guardian(alice, installation, "Bob")
    become_guardian(bob, installation, "Erin")

    def problem(who: Device, code: str) -> None:
        found = who.expect("guardian-problem")
        expect(found).to_have_attribute("data-code", code)

    # Choosing: another code, her own key, one twice.
    alice.tap("nav-settings")
    alice.tap("settings-guardians")
    alice.tap("hub-choose")
    alice.tap("choose-add")
    paste(alice, "openid4vp://?client_id=x&request_uri=https://a")
    alice.expect("scan-error")
    keep(alice, "choose-wrong-code")
    paste(alice, own)
    problem(alice, "own-key")
    alice.tap("choose-add")
    paste(alice, keys["Bob"][0])
    alice.expect("draft-guardian")
    alice.tap("choose-add")
    paste(alice, keys["Bob"][0])
    problem(alice, "key-twice")
    alice.tap("draft-remove")
    expect(alice.at("draft-guardian")).to_have_count(0)
    card = choose(alice, keys, wait="60")

    # Approving: the wrong person's name, a code that was changed on its way, a change of mind.
    ask = begin(new, card)
    bob.page.goto(ask)
    bob.at("approve-who").select_option(label="Erin")
    bob.at("approve-met").check()
    bob.tap("approve-yes")
    problem(bob, "approval-not-accepted")
    keep(bob, "approve-wrong")
    carol.page.goto(re.sub(r"new_key=.{43}", "new_key=" + "A" * 43, ask))
    problem(carol, "told-otherwise")
    carol.at("approve-met").check()
    carol.tap("approve-yes")
    problem(carol, "told-otherwise")
    carol.tap("approve-no")
    keep(carol, "approve-declined")
    carol.tap("approve-finish")
    expect(new.at("recover-approvals")).to_have_attribute("data-approvals", "0")
    new.page.goto(f"{installation.base}/wallet/#/approve")
    new.page.reload()
    paste(new, ask)
    new.expect("approve-nobody")

    # She chooses others: the card and what was begun with it are good for nothing.
    hub(alice, installation)
    alice.tap("arranged-replace")
    expect(alice.at("draft-guardian")).to_have_count(2)  # it begins with those who stand
    alice.at("draft-name").first.fill("Robert")
    alice.at("choose-wait").select_option("86400")
    keep(alice, "choose-replace")
    alice.tap("choose-sign")
    expect(alice.at("arranged-name").first).to_have_text("Robert")
    assert "1 day" in alice.at("arranged-sentence").inner_text()
    assert alice.at("card-code").get_attribute("data-text") != card
    new.page.goto(f"{installation.base}/wallet/#/recover")
    expect(new.at("recover-over")).to_have_attribute("data-why", "gone", timeout=PATIENCE_MS)
    new.tap("recover-restart")
    paste(new, card)
    new.tap("recover-begin")
    problem(new, "no-such-arrangement")

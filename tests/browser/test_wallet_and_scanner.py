"""The story in real pages: a citizen's wallet and a bar's scanner, two phones, two cameras."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Playwright, expect

from tests.browser.people import PATIENCE_MS, Phone
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("CAIRN_PICTURES")  # a folder: keep the screenshots there


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


def keep(device: Phone, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        device.picture(Path(PICTURES) / f"{name}.png")


def receive_card(citizen: Phone, installation: Installation, number: int) -> str:
    """Scan an offer, type the code, receive the card; the credential's id."""
    offer = installation.offer(installation.enrol(person(number)))
    citizen.page.goto(f"{installation.base}/wallet/")
    keep(citizen, "wallet-empty")
    citizen.see_text(offer["offer_uri"])
    citizen.tap("home-add")
    citizen.expect("offer-title")
    citizen.expect("offer-issuer")
    citizen.at("tx-code").fill(offer["tx_code"])
    keep(citizen, "wallet-offer")
    citizen.tap("offer-accept")
    citizen.expect("outcome-done").click()
    citizen.expect("card")
    credential: str = offer["credential_id"]
    return credential


def open_counter(counter: Phone, installation: Installation, party: str) -> None:
    key = installation.keys[f"verifier:{party}"]
    counter.page.goto(f"{installation.base}/scan/#party={party}&key={key}")
    counter.expect("party-name")
    assert key not in counter.page.url  # the address bar is what people photograph and share


def assert_says_nothing_of(counter: Phone, number: int) -> None:
    """The page shows neither name, number nor birth date, not even in its markup or its URLs."""
    who = person(number)
    seen = counter.page.content() + " ".join(counter.urls)
    for value in (who.number, who.family_name + who.given_name, who.given_name, who.birth_date):
        assert value not in seen


def test_the_citizen_scans_the_bar_and_the_bar_learns_her_age_alone(
    installation: Installation, phone: Callable[..., Phone]
):
    citizen, counter = phone(), phone()
    credential = receive_card(citizen, installation, 8)
    keep(citizen, "wallet-home")
    wait_for_anchor(citizen)
    open_counter(counter, installation, "bar")

    counter.tap("mode-show")
    code = counter.expect("request-qr")
    keep(counter, "scan-code")
    citizen.see_screen(code)
    citizen.tap("nav-share")
    citizen.expect("consent")
    expect(citizen.at("consent-who")).to_contain_text("Blue Heron")
    expect(citizen.at("consent-why")).to_contain_text("over 18")
    expect(citizen.at("consent-shown")).to_contain_text("18")
    assert citizen.at("consent-field").count() == 1
    digits = citizen.at("consent-matching").inner_text()
    assert digits == counter.at("request-matching").inner_text()
    assert len(digits) == 4
    keep(citizen, "wallet-consent")
    citizen.tap("consent-approve")

    counter.expect("result-yes")
    assert counter.at("result-fact").count() == 1
    keep(counter, "scan-yes")
    counter.at("result-checks").click()
    assert counter.at("check").count() == 10
    assert_says_nothing_of(counter, 8)
    assert citizen.errors == []
    assert counter.errors == []

    # Revoked: the next verdict is no, and says why.
    installation.call(installation.change_status(credential, "revocation", on=True))
    counter.tap("scan-again")
    counter.tap("mode-show")
    citizen.see_screen(counter.expect("request-qr"))
    citizen.tap("nav-home")
    citizen.tap("nav-share")
    citizen.expect("consent")
    citizen.tap("consent-approve")
    counter.expect("result-no")
    keep(counter, "scan-no")
    failed = counter.page.locator("[data-testid=check][data-outcome=failed]")
    assert failed.first.get_attribute("data-check") == "status"


def test_a_minor_is_told_that_no_card_fits_and_the_bar_hears_no_yes(
    installation: Installation, phone: Callable[..., Phone]
):
    citizen, counter = phone(), phone()
    receive_card(citizen, installation, 2)  # born in 2010
    open_counter(counter, installation, "bar")

    counter.tap("mode-show")
    citizen.see_screen(counter.expect("request-qr"))
    citizen.tap("nav-share")
    citizen.expect("outcome-problem")

    counter.page.wait_for_timeout(2000)
    expect(counter.at("result-yes")).to_have_count(0)
    assert_says_nothing_of(counter, 2)


def test_the_bar_scans_the_citizen_who_still_consents(
    installation: Installation, phone: Callable[..., Phone]
):
    citizen, counter = phone(), phone()
    receive_card(citizen, installation, 3)
    wait_for_anchor(citizen)
    open_counter(counter, installation, "bar")

    citizen.tap("nav-show")
    code = citizen.expect("show-qr")
    keep(citizen, "wallet-show")
    counter.see_screen(code)
    counter.tap("mode-scan")
    citizen.expect("consent")
    citizen.tap("consent-approve")

    counter.expect("result-yes")
    assert_says_nothing_of(counter, 3)


def test_the_code_changes_every_30_seconds_and_an_old_one_is_nobody(
    installation: Installation, phone: Callable[..., Phone]
):
    citizen = phone()
    receive_card(citizen, installation, 4)

    citizen.tap("nav-show")
    first = citizen.expect("show-qr").screenshot()
    changed = False
    for _ in range(45):
        citizen.page.wait_for_timeout(1000)
        if citizen.at("show-qr").first.screenshot() != first:
            changed = True
            break

    assert changed


def test_who_declines_shares_nothing(installation: Installation, phone: Callable[..., Phone]):
    citizen, counter = phone(), phone()
    receive_card(citizen, installation, 5)
    open_counter(counter, installation, "bank")

    counter.tap("mode-show")
    citizen.see_screen(counter.expect("request-qr"))
    citizen.tap("nav-share")
    citizen.expect("consent")
    assert citizen.at("consent-field").count() == 2  # family name and given name
    citizen.tap("consent-decline")

    expect(counter.at("result-yes")).to_have_count(0)
    counter.page.wait_for_timeout(3000)
    assert_says_nothing_of(counter, 5)
    citizen.tap("nav-history")
    citizen.expect("history-entry")


def test_keys_cannot_leave_the_browser(installation: Installation, phone: Callable[..., Phone]):
    citizen = phone()
    receive_card(citizen, installation, 6)

    outcome = citizen.page.evaluate(
        """async () => {
          const names = await indexedDB.databases()
          const found = []
          for (const { name } of names) {
            const db = await new Promise((ok, no) => {
              const open = indexedDB.open(name); open.onsuccess = () => ok(open.result)
              open.onerror = () => no(open.error)
            })
            for (const store of db.objectStoreNames) {
              const rows = await new Promise((ok, no) => {
                const all = db.transaction(store).objectStore(store).getAll()
                all.onsuccess = () => ok(all.result); all.onerror = () => no(all.error)
              })
              const visit = (value) => {
                if (value instanceof CryptoKey) found.push(value)
                else if (value && typeof value === 'object') Object.values(value).forEach(visit)
              }
              rows.forEach(visit)
            }
          }
          const outcomes = []
          for (const key of found.filter((key) => key.type === 'private')) {
            try { await crypto.subtle.exportKey('jwk', key); outcomes.push('exported') }
            catch (error) { outcomes.push(error.name) }
          }
          return outcomes
        }"""
    )

    assert len(outcome) >= 1
    assert set(outcome) == {"InvalidAccessError"}


def test_the_whole_wallet_speaks_chinese(installation: Installation, phone: Callable[..., Phone]):
    citizen = phone(language="zh-CN")
    receive_card(citizen, installation, 7)
    keep(citizen, "wallet-home-zh")

    citizen.tap("card")
    citizen.expect("card-detail")
    keep(citizen, "wallet-card-zh")

    assert citizen.page.locator("html").get_attribute("lang") in ("zh", "zh-CN", "zh-Hans")
    assert "居民身份" in citizen.page.content()


def wait_for_anchor(citizen: Phone) -> None:
    """Until the wallet has verified the anchor receipt of its card in the browser."""
    citizen.tap("card")
    citizen.expect("card-detail")
    expect(citizen.at("card-anchor").first).to_have_attribute(
        "data-anchored", "true", timeout=PATIENCE_MS
    )
    keep(citizen, "wallet-card")
    citizen.tap("nav-home")


@pytest.mark.parametrize(
    "body",
    [
        {"client_id_prefix": "x509_hash", "encrypted": True},
        {"client_id_prefix": "x509_san_dns", "delivery": "value"},
        {"did": "jwk", "encrypted": True},
    ],
    ids=lambda body: "-".join(map(str, body.values())),
)
def test_a_request_under_another_name_is_answered_from_a_link(
    installation: Installation, phone: Callable[..., Phone], body: dict[str, object]
):
    citizen = phone()
    receive_card(citizen, installation, 17)
    wait_for_anchor(citizen)
    asked = installation.call(
        installation.post("verifier:bar", "/requests", {"purpose": "age-check", **body})
    )

    citizen.page.goto(f"{installation.base}/wallet/#link={quote(asked['link'], safe='')}")
    citizen.expect("consent")
    expect(citizen.at("consent-who")).to_contain_text("Blue Heron")
    assert citizen.at("consent").get_attribute("data-suspect") == "false"
    assert citizen.at("consent-matching").inner_text() == asked["matching_code"]
    keep(citizen, "wallet-consent-x509")
    citizen.tap("consent-approve")
    citizen.expect("outcome-done")

    result = installation.http.get(
        f"{installation.base}/verifiers/bar/requests/{asked['request']}/result",
        headers={"Authorization": f"Bearer {asked['result_secret']}"},
    )
    assert installation.call(result)["verdict"]["verified"] is True
    assert citizen.errors == []


def test_an_unsigned_request_is_refused_by_the_wallet_page(
    installation: Installation, phone: Callable[..., Phone]
):
    citizen = phone()
    asked = installation.call(
        installation.post(
            "verifier:bar",
            "/requests",
            {"purpose": "age-check", "client_id_prefix": "redirect_uri"},
        )
    )

    citizen.page.goto(f"{installation.base}/wallet/#link={quote(asked['link'], safe='')}")

    citizen.expect("problem")
    assert citizen.at("consent").count() == 0


def test_a_party_knows_the_wallet_again_when_the_citizen_lets_it(
    installation: Installation, phone: Callable[..., Phone]
):
    """The page's statement and the verifier's rule, which share no code."""
    citizen = phone()
    receive_card(citizen, installation, 11)
    wait_for_anchor(citizen)

    def answer(party: str, purpose: str, wish: str, *, agrees: bool = False) -> str | None:
        body = {"purpose": purpose, "pseudonym": wish}
        key = f"verifier:{party}"
        asked = installation.call(installation.post(key, "/requests", body))
        citizen.page.goto(f"{installation.base}/wallet/")
        citizen.see_text(asked["link"])
        citizen.tap("nav-share")
        told = citizen.expect("consent-pseudonym")
        expect(told).to_contain_text("when")
        expect(told).to_contain_text("nobody else can")
        if agrees:
            citizen.tap("consent-recognised")
        citizen.tap("consent-approve")
        citizen.expect("outcome-done")
        result = installation.http.get(
            f"{installation.base}/verifiers/{party}/requests/{asked['request']}/result",
            headers={"Authorization": f"Bearer {asked['result_secret']}"},
        ).json()
        assert result["verdict"]["verified"] is True
        name: str | None = result["verdict"].get("pseudonym")
        return name

    first = answer("bar", "regular-guest", "required")
    assert first is not None
    keep(citizen, "wallet-known-again")
    assert answer("bar", "regular-guest", "wanted") is None
    assert answer("bar", "regular-guest", "wanted", agrees=True) == first
    assert answer("bank", "account-opening", "required") not in (None, first)
    assert citizen.errors == []


def test_the_counter_asks_to_know_a_customer_again_only_where_that_is_registered(
    installation: Installation, phone: Callable[..., Phone]
):
    """The whole way by both pages: the box at the counter, the box on the phone, the same name."""
    citizen, counter = phone(), phone()
    receive_card(citizen, installation, 13)
    wait_for_anchor(citizen)
    key = installation.keys["verifier:bar"]
    counter.page.goto(f"{installation.base}/scan/#party=bar&key={key}")
    counter.expect("party-name")
    assert counter.at("recognise").count() == 0  # the first purpose is not registered for it
    counter.tap("purpose-regular-guest")
    counter.tap("recognise")

    def visit(*, agrees: bool) -> None:
        counter.tap("mode-show")
        counter.expect("request-qr")
        link = counter.page.locator("[data-testid=request-link]").text_content()
        citizen.page.goto(f"{installation.base}/wallet/")
        citizen.see_text(str(link))
        citizen.tap("nav-share")
        citizen.expect("consent-pseudonym")
        assert citizen.at("consent").get_attribute("data-suspect") == "false"
        if agrees:
            citizen.tap("consent-recognised")
        citizen.tap("consent-approve")
        citizen.expect("outcome-done")
        counter.expect("result-yes")

    names = []
    for _ in range(2):
        visit(agrees=True)
        names.append(counter.at("result-pseudonym").inner_text())
        keep(counter, "scan-known-again")
        counter.tap("scan-again")
    visit(agrees=False)

    assert len(names[0]) == 43
    assert names[0] == names[1]
    counter.expect("result-no-pseudonym")
    assert citizen.errors == counter.errors == []

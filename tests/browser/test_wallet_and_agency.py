"""A citizen identifies herself on the agency's page; her wallet uses the public endpoints alone."""

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
AGENCY = "issuer:civil-registry"
DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "awarded_on": "2024-07-01",
    "institution": "Riverland University",
}


@pytest.fixture
def phone(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Phone]]:
    made: list[Phone] = []

    def make(**options: str) -> Phone:
        made.append(Phone(playwright, tmp_path_factory.mktemp("phone"), **options))
        return made[-1]

    yield make
    for device in made:
        device.close()


def keep(device: Phone, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        device.picture(Path(PICTURES) / f"{name}.png")


def open_link(citizen: Phone, installation: Installation, link: str) -> None:
    citizen.page.goto(f"{installation.base}/wallet/#link={quote(link, safe='')}")
    citizen.expect("offer-title")


def identify(citizen: Phone, code: str, birth_date: str) -> None:
    citizen.page.fill("#code", code)
    citizen.page.fill("#birth_date", birth_date)
    citizen.page.click("button[value=identify]")


def test_she_goes_to_the_page_of_the_office_and_comes_back_with_a_card(
    installation: Installation, phone: Callable[..., Phone]
):
    who = person(11)
    subject = installation.enrol(who)
    body = {
        "subject": subject,
        "credential_type": "resident-identity",
        "grants": ["authorization_code"],
    }
    offer = installation.call(installation.post(AGENCY, "/offers", body))
    citizen = phone()
    asked: list[str] = []
    citizen.page.on("request", lambda request: asked.append(request.headers.get("dpop", "")))

    open_link(citizen, installation, offer["offer_uri"])
    keep(citizen, "wallet-identify")
    citizen.tap("offer-accept")
    citizen.page.wait_for_selector("#code")
    keep(citizen, "agency-page")
    identify(citizen, offer["identification_code"], "1901-01-01")
    expect(citizen.page.get_by_role("alert")).to_be_visible(timeout=PATIENCE_MS)
    keep(citizen, "agency-page-wrong")
    identify(citizen, offer["identification_code"], who.birth_date)

    citizen.expect("outcome-received")
    keep(citizen, "wallet-received")
    assert "code=" not in citizen.page.url
    assert any(asked), "the token is bound to a key of this browser"
    citizen.tap("outcome-done")
    citizen.expect("card")
    assert citizen.errors == []


def test_the_office_may_take_its_time_and_the_card_comes_later(
    installation: Installation, phone: Callable[..., Phone]
):
    who = person(12)
    subject = installation.enrol(who, agency="university")
    code = installation.call(
        installation.post("issuer:university", "/identification-codes", {"subject": subject})
    )["code"]
    issuer = f"{installation.base}/issuers/university"
    citizen = phone(language="zh-CN")

    citizen.page.goto(
        f"{installation.base}/wallet/#issuer={quote(issuer, safe='')}&configuration=degree-sd-jwt"
    )
    citizen.expect("offer-title")
    citizen.tap("offer-accept")
    citizen.page.wait_for_selector("#code")
    assert "出生日期" in citizen.page.content()
    keep(citizen, "agency-page-zh")
    identify(citizen, code, who.birth_date)
    citizen.expect("outcome-waiting")
    keep(citizen, "wallet-waiting")
    citizen.tap("outcome-done")
    citizen.expect("home-waiting")

    waiting = installation.http.get(
        f"{issuer}/deferred",
        headers={"Authorization": f"Bearer {installation.keys['issuer:university']}"},
    ).json()["waiting"]
    (mine,) = [item for item in waiting if item["subject"] == subject]
    decided = installation.post(
        "issuer:university", f"/deferred/{mine['offer']}", {"decision": "issue", "claims": DEGREE}
    )
    assert decided.status_code == 204, decided.text
    citizen.tap("home-look-again")
    citizen.expect("card")
    assert citizen.at("home-waiting").count() == 0


def test_who_cancels_gets_nothing_and_may_begin_again(
    installation: Installation, phone: Callable[..., Phone]
):
    body = {
        "subject": installation.enrol(person(13)),
        "credential_type": "resident-identity",
        "grants": ["authorization_code"],
    }
    offer = installation.call(installation.post(AGENCY, "/offers", body))
    citizen = phone()

    open_link(citizen, installation, offer["offer_uri"])
    citizen.tap("offer-accept")
    citizen.page.wait_for_selector("#code")
    citizen.page.click("button[value=cancel]")

    citizen.expect("outcome-problem")
    open_link(citizen, installation, offer["offer_uri"])

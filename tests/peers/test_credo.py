"""Credo as a wallet: it receives our credentials and answers our verifiers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.core.encoding import JsonObject
from tests.peers import Conversation, talk_to_node
from tests.scenarios.installation import DEMO, Installation, person

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("credo"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def credo(here: Installation) -> Iterator[Conversation]:
    """A Credo wallet that trusts our root and holds a resident identity."""
    wallet = talk_to_node("credo_wallet.mjs")
    try:
        root = here.http.get(f"{here.base}/.well-known/cairn-root.pem").text
        wallet.say({"roots": [root]})
        made = here.offer(here.enrol(person(3)))
        received = wallet.say(
            {
                "offer": made["offer_uri"],
                "txCode": made["tx_code"],
                "configuration": "resident-identity-sd-jwt",
            }
        )
        assert (received["format"], received["count"]) == ("SdJwtVcRecord", 1)
        time.sleep(2)  # it staples no receipt; the batch is sealed within half a second
        yield wallet
    finally:
        wallet.close()


def _ask(here: Installation, **body: object) -> JsonObject:
    return here.call(here.post("verifier:bar", "/requests", {"purpose": "age-check", **body}))


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    "name",
    [
        {"client_id_prefix": "x509_hash"},
        {"client_id_prefix": "x509_san_dns"},
        {"did": "jwk"},
        {"client_id_prefix": "redirect_uri"},
        {"client_id_prefix": "x509_hash", "delivery": "value"},
    ],
    ids=lambda name: "-".join(name.values()),
)
def test_credo_presents_under_every_name_both_ways(
    here: Installation, credo: Conversation, name: JsonObject, encrypted: bool
):
    asked = _ask(here, **name, encrypted=encrypted)

    sent = credo.say({"link": asked["link"]})

    assert (sent["ok"], sent["status"], sent["body"]) == (True, 200, {})
    result = here.call(
        here.http.get(
            f"{here.base}/verifiers/bar/requests/{asked['request']}/result",
            headers={"Authorization": f"Bearer {asked['result_secret']}"},
        )
    )
    assert result["verdict"]["verified"] is True
    assert result["verdict"]["credentials"][0]["claims"] == {"age_over_18": True}


def _receive(wallet: Conversation, offer: JsonObject, **more: object) -> JsonObject:
    answer: JsonObject = wallet.say(
        {
            "offer": offer["offer_uri"],
            "txCode": offer.get("tx_code") or None,
            "configuration": "resident-identity-sd-jwt",
            **more,
        }
    )
    return answer


@pytest.fixture
def stranger(here: Installation) -> Iterator[Conversation]:
    """A Credo wallet that holds nothing yet."""
    wallet = talk_to_node("credo_wallet.mjs")
    try:
        root = here.http.get(f"{here.base}/.well-known/cairn-root.pem").text
        wallet.say({"roots": [root]})
        yield wallet
    finally:
        wallet.close()


def test_credo_takes_a_batch_of_ten_with_dpop_and_says_so(
    here: Installation, stranger: Conversation
):
    offer = here.offer(here.enrol(person(5)))

    received = _receive(stranger, offer, copies=10, notify=True)

    assert received["instances"] == 10
    assert received["tokenType"] == "DPoP"
    assert received["notified"] is True


def test_credo_comes_by_a_code_and_waits_for_a_deferred_credential(
    here: Installation, stranger: Conversation
):
    subject = here.enrol(person(6))
    offer = here.offer(subject, grants=["authorization_code"], tx_code=False, deferred=True)
    made = here.call(
        here.post("issuer:civil-registry", "/identification-codes", {"subject": subject})
    )

    received = _receive(
        stranger,
        offer,
        identify={"code": made["code"], "birthDate": person(6).birth_date},
        decide={
            "url": f"{here.base}/issuers/civil-registry/deferred/{offer['offer']}",
            "key": here.keys["issuer:civil-registry"],
        },
    )

    assert received["count"] == 1
    assert received["waited"] >= 1


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_credo_receives_and_presents_a_mobile_document(
    here: Installation, stranger: Conversation, encrypted: bool
):
    offer = here.offer(here.enrol(person(7 + encrypted)), formats=["mso_mdoc"])
    received = _receive(stranger, offer, configuration="resident-identity-mdoc")
    assert received["format"] == "MdocRecord"
    time.sleep(2)
    asked = _ask(here, format="mso_mdoc", client_id_prefix="x509_hash", encrypted=encrypted)

    sent = stranger.say({"link": asked["link"]})

    assert (sent["ok"], sent["status"], sent["body"]) == (True, 200, {})


def test_credo_answers_a_party_that_asks_by_the_high_assurance_profile(
    tmp_path: Path, stranger: Conversation
):
    config = tmp_path / "haip.toml"
    config.write_text(DEMO.read_text().replace('slug = "bar"', 'slug = "bar"\nhaip = true'))
    here = Installation(tmp_path / "haip", config=config)
    try:
        here.start()
        root = here.http.get(f"{here.base}/.well-known/cairn-root.pem").text
        stranger.say({"roots": [root]})
        _receive(stranger, here.offer(here.enrol(person(3))))
        time.sleep(2)
        asked = _ask(here)
        weaker = here.post(
            "verifier:bar", "/requests", {"purpose": "age-check", "encrypted": False}
        )

        sent = stranger.say({"link": asked["link"]})

        assert weaker.status_code == 403
        assert asked["client_id"].startswith("x509_hash:")
        assert (sent["ok"], sent["status"]) == (True, 200), sent
    finally:
        here.close()

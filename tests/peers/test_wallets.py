"""Wallets that we did not write receive credentials of ours and present them to our verifiers."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from identity.adapters.schema_files import load_contexts
from registry.core.encoding import JsonObject
from tests.identity.verifier.stage import CATALOGUE
from tests.peers import run_node
from tests.scenarios.installation import PEOPLE, Installation, person

pytestmark = pytest.mark.slow

W3C = load_contexts(CATALOGUE)
YOUNGEST = 1990  # born before: over 18 for as long as these tests live
# Whoever asks for "over 18" must get a yes, however many people the tests before this one took.
ADULTS = [number for number, found in enumerate(PEOPLE) if found.person.birth_date.year < YOUNGEST]


class Counter:
    """A citizen at the counter, with a wallet of others, and the bar that asks her."""

    def __init__(self, installation: Installation) -> None:
        self.here = installation
        root = installation.http.get(f"{installation.base}/.well-known/cairn-root.pem")
        assert root.status_code == 200
        self.around = {"resolver": installation.base, "rootPem": root.text}
        self.people = 0

    def offer(self, **more: Any) -> JsonObject:
        subject = self.here.enrol(person(ADULTS[self.people]))
        self.people += 1
        return self.here.offer(subject, **more)

    def receive(self, form: str, offer: JsonObject | None = None, **options: Any) -> JsonObject:
        """What the wallet of @openid4vc holds after an offer of a resident identity."""
        made = self.offer(**(offer or {}))
        return run_node(
            "openid4vc_receive.mjs",
            {
                **self.around,
                "offer": made["offer_uri"],
                "txCode": made.get("tx_code"),
                "configuration": f"resident-identity-{form}",
                "copies": 2,
                "binding": "jwk",
                **options,
            },
        )

    def ask(self, **body: Any) -> JsonObject:
        asked = self.here.post("verifier:bar", "/requests", {"purpose": "age-check", **body})
        return self.here.call(asked)

    def present(self, cards: list[JsonObject], asked: JsonObject, **options: Any) -> JsonObject:
        """The wallet of @openid4vc answers a request; its cards are anchored by now."""
        return run_node(
            "openid4vc_wallet.mjs",
            {**self.around, "cards": cards, "link": asked["link"], **options},
        )

    def result(self, asked: JsonObject) -> JsonObject:
        return self.here.call(
            self.here.http.get(
                f"{self.here.base}/verifiers/bar/requests/{asked['request']}/result",
                headers={"Authorization": f"Bearer {asked['result_secret']}"},
            )
        )


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """The demonstration installation, and nobody of ours as a wallet."""
    made = Installation(tmp_path_factory.mktemp("peers"))
    try:
        made.start()
        yield Counter(made)
    finally:
        made.close()


@pytest.fixture(scope="module")
def sd_jwt_cards(counter: Counter) -> list[JsonObject]:
    received = counter.receive("sd-jwt", notify=True)
    assert received["notified"] is True
    assert "originalDraft" not in received or received["originalDraft"] == "V1"
    time.sleep(2)  # the batch is sealed within half a second, and no wallet of others staples
    cards: list[JsonObject] = received["cards"]
    return cards


NAMES: list[dict[str, object]] = [
    {"did": "jwk"},
    {},
    {"client_id_prefix": "x509_hash"},
    {"client_id_prefix": "x509_hash", "delivery": "value"},
    {"client_id_prefix": "x509_san_dns"},
    {"client_id_prefix": "redirect_uri"},
]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    "name", NAMES, ids=lambda name: "-".join(map(str, name.values())) or "cairn"
)
def test_openid4vc_presents_an_sd_jwt_under_every_name_both_ways(
    counter: Counter, sd_jwt_cards: list[JsonObject], name: JsonObject, encrypted: bool
):
    asked = counter.ask(**name, encrypted=encrypted)

    sent = counter.present(sd_jwt_cards[:1], asked, enc="A256GCM" if encrypted else None)

    assert (sent["status"], sent["body"]) == (200, {})
    assert sent["version"] == 100  # it takes us for version 1.0 and for no draft
    assert sent["responseMode"] == ("direct_post.jwt" if encrypted else "direct_post")
    result = counter.result(asked)
    assert result["verdict"]["verified"] is True, result
    assert result["verdict"]["credentials"][0]["claims"] == {"age_over_18": True}


def test_openid4vc_is_sent_back_to_the_page_in_the_same_device(
    counter: Counter, sd_jwt_cards: list[JsonObject]
):
    asked = counter.ask(client_id_prefix="x509_hash", return_to="https://bar.example/done")

    sent = counter.present(sd_jwt_cards[:1], asked)

    assert sent["body"]["redirect_uri"].startswith("https://bar.example/done#response_code=")
    assert counter.result(asked) == {"state": "returning"}


def test_openid4vc_and_digital_bazaar_present_linked_data(counter: Counter):
    received = counter.receive("ldp-vc", binding="did:key", crv="Ed25519", copies=1)
    time.sleep(2)
    (card,) = received["cards"]
    asked = counter.ask(format="ldp_vc", did="jwk")
    (wanted,) = _query(counter, asked)["credentials"]
    (types,) = wanted["meta"]["type_values"]
    card["types"] = types  # what expanding its own types would give

    sent = counter.present([card], asked, contexts=_contexts(counter, card))

    assert sent["status"] == 200, sent
    assert counter.result(asked)["verdict"]["verified"] is True


def test_openid4vc_presents_a_jwt_of_data_model_1(counter: Counter):
    received = counter.receive("jwt-vc", {"formats": ["jwt_vc_json"]}, binding="did:jwk", copies=1)
    time.sleep(2)
    asked = counter.ask(format="jwt_vc_json", client_id_prefix="x509_hash", encrypted=True)

    sent = counter.present(received["cards"], asked)

    assert sent["status"] == 200, sent
    (credential,) = counter.result(asked)["verdict"]["credentials"]
    assert credential["claims"] == {"age_over_18": True}


def test_openid4vc_takes_a_batch_of_ten_with_dpop(counter: Counter):
    received = counter.receive("sd-jwt", copies=10, dpop=True, notify=True)

    assert received["batchSize"] >= 10
    assert received["tokenType"] == "DPoP"
    assert received["notified"] is True
    assert len({card["credential"] for card in received["cards"]}) == 10


def test_openid4vc_takes_an_offer_without_a_transaction_code(counter: Counter):
    received = counter.receive("sd-jwt", {"tx_code": False})

    assert len(received["cards"]) == 2


def test_openid4vc_comes_by_a_code_with_a_pushed_request_and_dpop(counter: Counter):
    subject = counter.here.enrol(person(19))
    offer = counter.here.offer(subject, grants=["authorization_code"], tx_code=False)
    made = counter.here.call(
        counter.here.post("issuer:civil-registry", "/identification-codes", {"subject": subject})
    )

    received = run_node(
        "openid4vc_receive.mjs",
        {
            **counter.around,
            "offer": offer["offer_uri"],
            "configuration": "resident-identity-sd-jwt",
            "copies": 2,
            "binding": "jwk",
            "dpop": True,
            "identify": {"code": made["code"], "birthDate": person(19).birth_date},
        },
    )

    assert received["pushed"] is True
    assert received["tokenType"] == "DPoP"
    assert len(received["cards"]) == 2


def test_openid4vc_waits_for_a_deferred_credential(counter: Counter):
    subject = counter.here.enrol(person(20))
    offer = counter.here.offer(subject, deferred=True)

    received = run_node(
        "openid4vc_receive.mjs",
        {
            **counter.around,
            "offer": offer["offer_uri"],
            "txCode": offer["tx_code"],
            "configuration": "resident-identity-sd-jwt",
            "copies": 1,
            "binding": "jwk",
            "decide": {
                "url": f"{counter.here.base}/issuers/civil-registry/deferred/{offer['offer']}",
                "key": counter.here.keys["issuer:civil-registry"],
            },
        },
    )

    assert received["waited"] >= 1
    assert len(received["cards"]) == 1


def _query(counter: Counter, asked: JsonObject) -> JsonObject:
    from identity.core.jose import parse_compact

    query: JsonObject = parse_compact(counter.here.http.get(asked["request_uri"]).text).claims[
        "dcql_query"
    ]
    return query


def _contexts(counter: Counter, card: JsonObject) -> JsonObject:
    """Those of W3C from our bundle, and our own as it is served."""
    addresses = [url for url in card["credential"]["@context"] if isinstance(url, str)]
    addresses.append("https://w3id.org/security/data-integrity/v2")
    return {
        url: counter.here.http.get(url).json() if url.startswith(counter.here.base) else W3C[url]
        for url in addresses
    }

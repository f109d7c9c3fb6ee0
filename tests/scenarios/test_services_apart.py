"""Registry, issuer and verifiers as processes of their own, behind one door."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from identity.demo.story import Story
from tests.scenarios.front_door import FrontDoor, standing
from tests.scenarios.installation import DEMO, Installation, free_port, person
from tests.scenarios.showing import show

LIMIT_SECONDS = 60.0


@dataclass
class Apart:
    """Four processes on one data folder: the registry's, the issuer's, two of the verifier's."""

    door: FrontDoor
    registry: Installation
    issuer: Installation
    verifiers: tuple[Installation, Installation]

    @property
    def city(self) -> Installation:
        """All of them, as institutions and wallets see them."""
        return self.issuer


def config_of(service: str, base: str, registry: str, data: Path) -> str:
    """The configuration file of one process; what is not said is as in the demonstration."""
    text = DEMO.read_text("utf-8")
    text = text.replace("[server]\n", f"[server]\nservices = {json.dumps([service])}\n")
    ledger = '[ledger]\nnetwork = "demo"\n'
    assert ledger in text
    if service != "registry":
        anchor = json.dumps(str(data / "public" / "trust-anchor.json"))
        text = text.replace(
            ledger, f'{ledger}registry_url = "{registry}"\ntrust_anchor = {anchor}\n'
        )
    if service == "verifier":
        text += f'\n[[places]]\norigin = "{base}"\nnetworks = ["127.0.0.0/8"]\n'
    return text


@pytest.fixture(scope="module")
def apart(
    make_installation: Callable[..., Installation], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Apart]:
    folder, configs = tmp_path_factory.mktemp("apart"), tmp_path_factory.mktemp("configs")
    door = FrontDoor(free_port())
    registry_port = free_port()
    registry_url = f"http://127.0.0.1:{registry_port}"

    def process(service: str, name: str, port: int) -> Installation:
        path = configs / f"{service}.toml"
        path.write_text(config_of(service, door.base, registry_url, folder / "data"), "utf-8")
        log = {"CAIRN_SERVER__LOG_FILE": str(folder / f"{name}.log")}
        return make_installation(
            folder, config=path, port=port, public_base=door.base, environment=log
        )

    with standing(door):
        registry = process("registry", "registry", registry_port)
        issuer = process("issuer", "issuer", free_port())
        first = process("verifier", "verifier-1", free_port())
        second = process("verifier", "verifier-2", free_port())
        door.routes = {
            "/registry": [registry.address],
            "/1.0": [registry.address],
            "/issuers": [issuer.address],
            "/.well-known": [issuer.address],
            "/schemas": [issuer.address],
            "/verifiers": [first.address, second.address],
            "/rendezvous": [first.address, second.address],
        }
        registry.start()
        issuer.start()  # founds, with the root key of the shared folder, over HTTP
        first.start()
        second.start()
        yield Apart(door, registry, issuer, (first, second))


def test_the_story_is_the_same(apart: Apart) -> None:
    apart.door.taken.clear()
    steps = list(Story(apart.city.stage(person(0))).tell())
    assert len(steps) == 8
    report = apart.registry.audit()
    assert report.is_clean, report.fault
    # Both verifiers took part in the same flows: what one asked, the other answered for.
    for verifier in apart.verifiers:
        assert apart.door.taken.get(verifier.address, 0) >= 10, apart.door.taken


def test_a_process_serves_its_own_service_only(apart: Apart) -> None:
    asked = {
        "registry": "/registry/head",
        "issuer": "/.well-known/openid-credential-issuer/issuers/civil-registry",
        "verifier": "/verifiers/bar/requests/AAAAAAAAAAAAAAAAAAAAAA/object",
    }
    serves = {
        "registry": apart.registry,
        "issuer": apart.issuer,
        "verifier": apart.verifiers[0],
    }
    for service, installation in serves.items():
        for other, path in asked.items():
            answer = apart.city.http.get(installation.address + path)
            if other == service == "verifier":
                assert answer.status_code == 404
                assert "error" in answer.json()  # of the protocol: no such request
            elif other == service:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 404
                assert answer.json()["title"] == "Not Found"


def test_one_flow_over_two_verifiers_turn_by_turn(apart: Apart) -> None:
    held = apart.city.issue(person(1))
    first, second = (verifier.address for verifier in apart.verifiers)
    try:
        for asks, answers in ((first, second), (second, first)):
            for step in range(6):  # the door begins with the one or the other
                apart.door.routes["/verifiers"] = [asks, answers] if step % 2 else [answers, asks]
                seen = show(apart.city, held.wallet, held.copies[step % len(held.copies)])
                assert seen.verified, seen.failed
        # One process of two is gone: the other goes on with everything.
        apart.verifiers[1].kill()
        apart.door.routes["/verifiers"] = [first]
        assert show(apart.city, held.wallet, held.copies[0]).verified
    finally:
        apart.door.routes["/verifiers"] = [first, second]
        apart.verifiers[1].start()


def test_both_verifiers_follow_a_revocation(apart: Apart) -> None:
    held = apart.city.issue(person(7))
    addresses = [verifier.address for verifier in apart.verifiers]
    try:
        for address in addresses:  # each has the list in its own cache
            apart.door.routes["/verifiers"] = [address]
            assert show(apart.city, held.wallet, held.copies[0]).verified
        answer = apart.city.change_status(held.credential, "revocation", on=True)
        assert answer.status_code == 200, answer.text
        began = time.monotonic()
        for address in addresses:
            apart.door.routes["/verifiers"] = [address]
            while show(apart.city, held.wallet, held.copies[0]).failed != {"status": "revoked"}:
                assert time.monotonic() - began < LIMIT_SECONDS
                time.sleep(0.2)
    finally:
        apart.door.routes["/verifiers"] = addresses


def test_without_the_registry_nobody_says_yes(apart: Apart) -> None:
    held = apart.city.issue(person(3))
    apart.registry.stop()
    try:
        time.sleep(3.0)  # longer than a proven record is kept
        # The wallet cannot learn who asks, so it is the verifier that is asked directly.
        answer = apart.city.post(
            "verifier:bank", "/credentials/verify", {"verifiableCredential": held.copies[0].text}
        )
        assert answer.status_code in (400, 503), answer.text
        assert not answer.json().get("verified", False)
        assert apart.issuer.restart() < LIMIT_SECONDS  # and the issuer starts all the same
    finally:
        apart.registry.start()
    assert show(apart.city, held.wallet, held.copies[0]).verified

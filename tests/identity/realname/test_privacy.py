"""Z7: no ID number, name or birth date outside the vault, in no form, on no path; errors first."""

import json
import logging
import secrets
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.adapters.embedded_register import EmbeddedRegister, InventedPerson
from identity.adapters.http_register import CircuitBreaker, HttpRegister, register_client
from identity.core.chinese_id import check_character
from identity.realname.ports import (
    Address,
    PopulationRegister,
    RegisteredPerson,
    RegisterUnavailable,
)
from identity.realname.routes import build_router
from identity.realname.service import CLAIM_NAMES
from registry import problems
from registry.core.refusals import Refusal
from tests.canaries import CanaryFound, CanaryScan
from tests.identity.realname.parts import PEOPLE, SCHEMES, enrolment, installation
from tests.identity.realname.register_server import RegisterServer, new_signer, serving
from tests.identity.vault.parts import NOW

_DIGITS = "31000019770613482"
CANARY = InventedPerson(
    country="CN",
    number=_DIGITS + check_character(_DIGITS),
    alive=True,
    person=RegisteredPerson(
        family_name="诸葛",
        given_name="金丝雀",
        birth_date=date(1977, 6, 13),
        sex="female",
        nationality="CN",
        address=Address(street_address="金丝雀弄堂 4711 号", locality="上海市", country="CN"),
    ),
)
DEAD = replace(CANARY, alive=False)
SCAN = CanaryScan(
    [CANARY.number, CANARY.number[:17], "诸葛", "金丝雀", "1977-06-13", "金丝雀弄堂 4711 号"]
)
KEY = {"Authorization": "Bearer key-of-the-registry"}
URL = "/issuers/civil-registry/enrolments"


def test_the_scan_would_see_her():
    with pytest.raises(CanaryFound):
        SCAN.assert_absent(json.dumps({"name": "金丝雀"}), "control")
    with pytest.raises(CanaryFound):
        SCAN.assert_absent(repr(CANARY.person.birth_date.isoformat()), "control")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that any logger said, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "httpx2", "httpcore2", "registry", "identity"):
        caplog.set_level(logging.DEBUG, logger=name)
    # The test client logs the URLs that the test itself typed; that is the caller's log, not ours.
    return lambda: "\n".join(
        f"{record.getMessage()} {record.__dict__}"
        for record in caplog.records
        if "//testserver/" not in record.getMessage()
    )


BAD_BODIES: list[dict[str, object]] = [
    {},
    {"number": CANARY.number[:17] + "0"},
    {"number": CANARY.number + "1"},
    {"number": int(CANARY.number[:17])},
    {"country": CANARY.number},
    {"country": "诸葛金丝雀"},
    {"family_name": CANARY.number * 20},
    {"family_name": "诸葛\u0000"},
    {"given_name": {"金丝雀": "金丝雀"}},
    {"birth_date": "13.06.1977 1977-06-13"},
    {"birth_date": "1977-06-14"},
    {"evidence": [{"type": CANARY.number}]},
    {"evidence": [{"type": "document", "金丝雀": "1977-06-13"}]},
    {"evidence": [{"type": "document"}]},
    {"诸葛金丝雀": True},
    {CANARY.number: CANARY.number},
]


@pytest.mark.parametrize("register", ["knows her", "knows nobody", "says dead", "is silent"])
def test_nothing_of_her_leaves_the_vault(tmp_path: Path, logged: Callable[[], str], register: str):
    class Silent:
        def lookup(self, _query: object) -> RegisteredPerson:
            raise RegisterUnavailable("the population register does not answer now")

    answers: dict[str, PopulationRegister] = {
        "knows her": EmbeddedRegister((CANARY,)),
        "knows nobody": EmbeddedRegister(PEOPLE),
        "says dead": EmbeddedRegister((DEAD,)),
        "is silent": Silent(),
    }
    place = installation(tmp_path, register=answers[register])
    app = FastAPI()
    access = DigestAccessKeys({"issuer:civil-registry": access_key_digest("key-of-the-registry")})
    app.include_router(build_router(real_names=place.real_names, access=access))
    problems.install(app)
    good = {
        "country": "CN",
        "number": CANARY.number,
        "family_name": "诸葛",
        "given_name": "金丝雀",
        "birth_date": "1977-06-13",
        "evidence": [{"type": "document"}, {"type": "biometric-match"}],
    }
    seen = 0
    with TestClient(app, raise_server_exceptions=False) as http:
        for change in BAD_BODIES:
            for headers in (KEY, {}):
                answer = http.post(URL, json={**good, **change}, headers=headers)
                assert answer.status_code < 500 or register == "is silent"
                SCAN.assert_absent(answer.content, f"answer to {change}")
                SCAN.assert_absent(str(answer.headers.raw), f"headers for {change}")
                seen += 1
        for raw in (b"{", json.dumps(good).encode() + b"x", b"\xff" + CANARY.number.encode()):
            answer = http.post(
                URL, content=raw, headers={**KEY, "Content-Type": "application/json"}
            )
            SCAN.assert_absent(answer.content, "answer to no JSON")
            seen += 1
        for wrong in (f"/issuers/{CANARY.number}/enrolments", f"{URL}/{CANARY.number}"):
            SCAN.assert_absent(http.post(wrong, json=good, headers=KEY).content, "wrong URL")
            seen += 1

    if register == "knows her":
        binding = place.real_names.enrol(evidence=enrolment(CANARY), actor="issuer:civil-registry")
        place.real_names.claims(
            binding.subject, names=CLAIM_NAMES, purpose="issue", actor="issuer:civil-registry"
        )
        SCAN.assert_absent(repr(binding), "binding")
        place.vault.forget(binding.person)
    assert seen == 2 * len(BAD_BODIES) + 5
    assert place.vault.find(b"cn|nobody") is None
    log = logged()
    assert "FROM vault_" in log  # SQL was logged
    SCAN.assert_absent(log, "log")
    assert SCAN.scan_paths([tmp_path]) >= 2  # both databases, and the audit when there was one


def told(refusal: BaseException) -> str:
    """Everything that a careless handler could write down about a refusal."""
    lines = traceback.format_exception(refusal)
    return f"{refusal!r} {refusal} {getattr(refusal, 'detail', '')} {refusal.args} {lines}"


def test_no_refusal_tells_anything(tmp_path: Path):
    place = installation(tmp_path, register=EmbeddedRegister((CANARY,)))
    number = CANARY.number
    changes: list[dict[str, object]] = [
        {"number": number[:16] + "0" + number[17:]},
        {"number": number[:6] + "19770230" + number[14:]},
        {"number": number * 3},
        {"number": f"{number}\u0661"},
        {"country": number},
        {"family_name": "诸葛金丝雀" * 40},
        {"family_name": "诸葛\ud800"},
        {"given_name": "金丝鸟"},
        {"birth_date": date(1977, 6, 12)},
        {"evidence": (number,)},
        {"evidence": ("document",)},
        *({"country": country} for country in SCHEMES.countries if country != "CN"),
    ]
    refusals = 0
    for change in changes:
        with pytest.raises(Refusal) as refusal:
            place.real_names.enrol(
                evidence=enrolment(CANARY, **change), actor="issuer:civil-registry"
            )
        refusals += 1
        SCAN.assert_absent(told(refusal.value), f"refusal of {list(change)}")
        SCAN.assert_absent(repr(enrolment(CANARY)), "an enrolment in a log line")
    assert refusals == len(changes) > 50


@pytest.mark.parametrize("fault", ["busy", "forged", "late", "other person", "gone"])
def test_a_failing_register_tells_nothing(tmp_path: Path, logged: Callable[[], str], fault: str):
    server = RegisterServer(now=lambda: NOW, register=EmbeddedRegister((CANARY,)))
    key = server.signer.key
    with serving(server), register_client() as client:
        register = HttpRegister(
            url=server.url if fault != "gone" else "http://127.0.0.1:9/lookup",
            key=key if fault != "forged" else new_signer().key,
            client=client,
            breaker=CircuitBreaker(failures=5, pause_seconds=30, clock=lambda: 0.0),
            random=secrets.token_bytes,
            now=lambda: NOW + (1000 if fault == "late" else 0),
            retry_wait_seconds=0.01,
        )
        server.statuses = [503] * 3 if fault == "busy" else []
        if fault == "other person":
            server.claims = {"person": {"family_name": "诸葛"}}
        place = installation(tmp_path, register=register)
        with pytest.raises(RegisterUnavailable) as refusal:
            place.real_names.enrol(evidence=enrolment(CANARY), actor="issuer:civil-registry")

    SCAN.assert_absent(told(refusal.value), "refusal")
    SCAN.assert_absent(logged(), "log")
    SCAN.assert_absent(" ".join(server.paths), "URL")
    SCAN.scan_paths([tmp_path])

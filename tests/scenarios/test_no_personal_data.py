"""Nothing personal outside the vault's sealed rows, the credential, and the answer to who asked.

The whole story is played with people whose names, numbers and dates are found nowhere else, and
with every mistake that people and programs make; then every byte that was written is searched.
"""

import base64
import hashlib
import json
import secrets
import shutil
import socket
import string
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from sqlalchemy import select

from identity.adapters.audit_sinks import verify_audit_file
from identity.adapters.database import create_database, transaction
from identity.adapters.embedded_register import EmbeddedRegister, InventedPerson
from identity.adapters.vault_store import VaultAudit
from identity.core.chinese_id import check_character
from identity.demo.story import Story
from identity.realname.ports import Address, RegisteredPerson
from tests.canaries import CanaryFound, CanaryScan
from tests.identity.realname.oidc_server import CLIENT, REDIRECT, OidcServer, providing
from tests.identity.realname.register_server import RegisterServer, serving
from tests.scenarios.installation import DEMO, Installation, as_told, enrolment
from tests.scenarios.showing import show

PEOPLE = 3
_RARE = "龘靐齉爩麤灪龗籲虪讟钃鱻麣鸞驫羴"  # nobody's name, and in no file of ours


def invent(number: int) -> InventedPerson:
    """Somebody whose every detail is random."""
    born = date(1950, 1, 1) + timedelta(days=secrets.randbelow(18_000))
    digits = f"110000{born:%Y%m%d}{secrets.randbelow(900) + 100}"
    if number % 2:
        names = ["".join(secrets.choice(_RARE) for _ in range(4)) for _ in range(2)]
    else:
        names = [
            "".join(secrets.choice(string.ascii_lowercase) for _ in range(12)).capitalize()
            for _ in range(2)
        ]
    return InventedPerson(
        country="CN",
        number=digits + check_character(digits),
        alive=True,
        person=RegisteredPerson(
            family_name=names[0],
            given_name=names[1],
            birth_date=born,
            sex="female",
            nationality="CN",
            address=Address(
                street_address=f"Lane {secrets.token_hex(6)} 12",
                locality=f"Town {secrets.token_hex(6)}",
                region="",
                postal_code="",
                country="CN",
                resident_since=None,
            ),
        ),
    )


def twin_of(one: InventedPerson) -> InventedPerson:
    """Somebody of the same name, born on the same day, with another number."""
    digits = f"{one.number[:14]}{(int(one.number[14:17]) + 7) % 1000:03}"
    return replace(one, number=digits + check_character(digits))


def mistyped(number: str) -> str:
    """The number with its last character wrong."""
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def canaries(people: tuple[InventedPerson, ...]) -> list[str]:
    """Everything about them that may be found nowhere."""
    found = []
    for one in people:
        person = one.person
        assert person.address is not None
        found += [
            one.number,
            one.number[:17],
            mistyped(one.number),
            person.family_name,
            person.given_name,
            f"{person.family_name} {person.given_name}",
            f"{person.family_name}{person.given_name}",
            person.birth_date.isoformat(),
            person.address.street_address,
            person.address.locality,
        ]
    return found


@dataclass
class Played:
    """What was played, and everything that came back over HTTP."""

    installation: Installation
    people: tuple[InventedPerson, ...]
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def note(self, response: httpx2.Response) -> None:
        """Keep an answer, unless it is one that carries claims on purpose."""
        path = response.request.url.path
        if path.endswith("/credential") and response.status_code == 200:
            return  # the credential, to its holder
        if "/verifiers/bank/requests/" in path and path.endswith("/result"):
            return  # what the bank asked for, with her consent
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.multi_items())
        where = f"answer {response.status_code} to {response.request.method} {path[:60]}"
        self.answers.append((where, head.encode() + b"\n\n" + response.content))

    def scan(self, *below: Path) -> int:
        """Search all files, or those below some paths; how many there were.

        Raises:
            CanaryFound: with the place and the form.
        """
        return self._for_all().scan_paths(below or [self.installation.folder])

    def scan_answers(self) -> int:
        """Search all answers; how many there were."""
        together = b"\0".join(body for _, body in self.answers)
        try:
            self._for_all().assert_absent(together, "some answer")
        except CanaryFound:
            for where, body in self.answers:  # which one?
                self._for_all().assert_absent(body, where)
            raise
        return len(self.answers)

    def _for_all(self) -> CanaryScan:
        return CanaryScan(canaries(self.people))


@pytest.fixture(scope="module")
def played(
    make_installation: Callable[..., Installation], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    people = tuple(invent(number) for number in range(PEOPLE))
    people = (*people, twin_of(people[1]))
    folder = tmp_path_factory.mktemp("canaries")
    register = RegisterServer(now=lambda: int(time.time()), register=EmbeddedRegister(people))
    provider = OidcServer(now=lambda: int(time.time()))
    with serving(register), providing(provider):
        text = DEMO.read_text("utf-8")
        for agency in ("civil-registry", "university"):
            named = f'slug = "{agency}"\n'
            assert named in text
            text = text.replace(named, f'{named}officers = ["ada", "bob"]\n')
        text += (
            '\n[vault]\nofficers = ["eve", "kim"]\n'
            f'[identity_provider]\nissuer = "{provider.url}"\nclient_id = "{CLIENT}"\n'
            f'redirect_uri = "{REDIRECT}"\ncountry = "CN"\n'
            'evidence = { high = ["chip-document", "biometric-match"] }\n'
        )
        before = '[population_register]\nkind = "embedded"\n'
        assert before in text
        text = text.replace(
            before,
            '[population_register]\nkind = "http"\n'
            f'url = "{register.url}"\npublic_key = "{register.signer.key.multikey}"\n',
        )
        config = tmp_path_factory.mktemp("config") / "canaries.toml"
        config.write_text(text, "utf-8")
        installation = make_installation(folder, config=config)
        told = Played(installation, people)
        installation.on_answer = told.note
        installation.start()
        play(told)
        live(told, provider)
        assert all(path == "/register/lookup" for path in register.paths)  # nothing in a URL
        yield told


def play(told: Played) -> None:
    """The story for two people, then everything that goes wrong."""
    here, people = told.installation, told.people
    for one in people[:2]:
        assert len(list(Story(here.stage(as_told(one))).tell())) == 8
    residence(told, people[2])
    for one in people[:PEOPLE]:
        mistakes_of_officers(told, one)
        mistakes_of_programs(told, one)
        nonsense_on_the_wire(told, one)
    for path in (
        "/metrics",
        "/healthz",
        "/registry/head",
        "/registry/log/entries?start=0&count=50",
    ):
        assert here.http.get(f"{here.base}{path}").is_success


def live(told: Played, provider: OidcServer) -> None:
    """Every other way into the vault and out of it, with an old backup lying about."""
    here, (first, second, third, twin) = told.installation, told.people
    shutil.copytree(here.data.vault, here.folder / "old-backup" / "vault")
    officers_and_provider(told, first, provider)
    # Somebody of the same name and day under another number: two officers decide, and an appeal.
    held = here.post("issuer:university", "/enrolments", enrolment(as_told(twin)))
    assert held.status_code == 409, held.text
    (case,) = officer(told, "eve", "GET", "/review/cases").json()
    for name, verdict in (("eve", "distinct"), ("kim", "distinct")):
        body = {"verdict": verdict, "reason": "seen-both"}
        officer(told, name, "POST", f"/review/cases/{case['id']}/decision", body)
    subject = here.enrol(as_told(twin), agency="university")
    other = here.enrol(as_told(second), agency="university")
    here.post("issuer:university", "/doubles", {"subject": subject, "other": other})
    (double,) = officer(told, "eve", "GET", "/review/cases").json()
    for name in ("eve", "kim"):
        body = {"verdict": "same", "target": double["similar"][0], "reason": "one-woman"}
        officer(told, name, "POST", f"/review/cases/{double['id']}/decision", body)
    # Life goes on, and ends.
    names = {"family_name": third.person.family_name, "given_name": third.person.given_name}
    born = third.person.birth_date.isoformat()
    registered = here.enrol(as_told(third))
    for kind, more, expected in (
        ("name-changed", names, 204),
        ("name-changed", {"family_name": first.person.family_name}, 409),
        ("corrected", {**names, "birth_date": born}, 204),
        ("corrected", names, 400),
        ("incapacitated", {}, 204),
        ("capacity-restored", {}, 204),
        ("married", names, 422),
        ("withdrawn", {}, 204),
    ):
        event = {"subject": registered, "kind": kind, **more}
        answer = here.post("issuer:civil-registry", "/life-events", event)
        assert answer.status_code == expected, (kind, answer.text)
    dead = here.enrol(as_told(second))
    here.post("issuer:civil-registry", "/life-events", {"subject": dead, "kind": "deceased"})
    lost = here.post("issuer:civil-registry", "/recoveries", enrolment(as_told(first)))
    assert lost.status_code == 200, lost.text
    shutil.copytree(here.data.root, here.folder / "old-backup" / "data")


def officers_and_provider(told: Played, one: InventedPerson, provider: OidcServer) -> None:
    """Two officers, at first of different minds; a login, and a login of somebody else."""
    here, who = told.installation, as_told(one)
    seen = [{"type": "document"}, {"type": "visual-match"}]
    stated = enrolment(who, evidence=seen)
    sittings = "/issuers/civil-registry/sittings"
    for second in ({"given_name": one.person.given_name + "x"}, {}):
        made = officer(
            told, "civil-registry/ada", "POST", "/issuers/civil-registry/sittings", stated
        )
        ticket = made.json()["ticket"]
        path = f"{sittings}/{ticket}/confirmation"
        answer = officer(told, "civil-registry/bob", "POST", path, {**stated, **second})
        assert answer.status_code == (409 if second else 200), answer.text
    proofed = enrolment(who, evidence=[], source="in-person", ticket=ticket)
    assert here.post("issuer:civil-registry", "/enrolments", proofed).status_code == 201
    assert here.post("issuer:civil-registry", "/enrolments", proofed).status_code == 403
    provider.person = {
        "national_id": one.number,
        "family_name": one.person.family_name,
        "given_name": one.person.given_name,
        "birthdate": one.person.birth_date.isoformat(),
    }
    for person, expected in ((one, 201), (told.people[1], 409)):
        begun = here.post("issuer:civil-registry", "/logins", {}).json()
        state, code = provider.log_in(begun["url"])
        done = here.post(
            "issuer:civil-registry", "/logins/completion", {"state": state, "code": code}
        )
        message = enrolment(
            as_told(person), evidence=[], source="oidc", ticket=done.json()["ticket"]
        )
        answer = here.post("issuer:civil-registry", "/enrolments", message)
        assert answer.status_code == expected, answer.text
    begun = here.post("issuer:civil-registry", "/logins", {}).json()
    here.post(
        "issuer:civil-registry",
        "/logins/completion",
        {"state": begun["state"], "code": one.number},
    )
    assert "civil-registry" not in repr(provider.requests)


def officer(told: Played, name: str, method: str, path: str, body: Any = None) -> httpx2.Response:
    """What an officer asks with her own key."""
    here = told.installation
    return here.http.request(
        method,
        f"{here.base}{path}",
        headers={"Authorization": f"Bearer {here.keys[f'officer:{name}']}"},
        json=body,
    )


def residence(told: Played, one: InventedPerson) -> None:
    """A credential with an address, and a presentation that discloses too little for the bank."""
    here = told.installation
    subject = here.enrol(as_told(one))
    for kind in ("residence", "resident-identity"):
        offer = here.offer(subject, kind=kind)
        wallet = here.wallet()
        copies = wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
        here.anchored(wallet, copies[0])
    assert show(here, wallet, copies[0]).verified
    assert show(here, wallet, copies[1], party="bank", purpose="account-opening").verified
    # Everything disclosed, and no key binding: the bar must refuse, and forget what it saw.
    seen = show(here, wallet, copies[2], alter=lambda _text: copies[2].text)
    assert not seen.verified
    # A broken presentation that holds everything in clear.
    claims = json.dumps({"family_name": one.person.family_name, "number": one.number})
    seen = show(here, wallet, copies[3], alter=lambda text: text + claims)
    assert not seen.verified


def mistakes_of_officers(told: Played, one: InventedPerson) -> None:
    """Mistyped numbers, wrong names and dates, somebody else's number, missing evidence."""
    here, who = told.installation, as_told(one)
    other = told.people[(told.people.index(one) + 1) % PEOPLE]
    mistakes: tuple[dict[str, Any], ...] = (
        {"number": mistyped(one.number)},
        {"number": one.number[:17]},
        {"number": one.number + "0"},
        {"number": other.number},
        {"family_name": other.person.family_name},
        {"given_name": one.person.given_name * 2},
        {"birth_date": other.person.birth_date.isoformat()},
        {"birth_date": one.person.birth_date.isoformat() + "T00:00"},
        {"country": one.number},
        {"country": "XQ"},
        {"evidence": []},
        {"evidence": [{"type": one.number}]},
        {"evidence": [{"type": "document", "number": one.number}]},
        {one.number: one.person.family_name},
    )
    for changes in mistakes:
        answer = here.post("issuer:civil-registry", "/enrolments", enrolment(who, **changes))
        assert 400 <= answer.status_code < 500, (list(changes), answer.text)
    without_key = here.http.post(
        f"{here.base}/issuers/civil-registry/enrolments",
        headers={"Authorization": f"Bearer {one.number}"},
        json=enrolment(who),
    )
    assert without_key.status_code in (401, 403)


def mistakes_of_programs(told: Played, one: InventedPerson) -> None:
    """The number where a subject, a purpose, a token, a path or a query is expected."""
    here, number, name = told.installation, one.number, one.person.family_name
    issuer, bank = f"{here.base}/issuers/civil-registry", f"{here.base}/verifiers/bank"
    key = {"Authorization": f"Bearer {here.keys['issuer:civil-registry']}"}
    whole = json.dumps(enrolment(as_told(one)), ensure_ascii=False).encode()
    for url in (f"{issuer}/enrolments", f"{issuer}/offers", f"{bank}/requests"):
        for body in (whole[:-1], whole + b"}", b"[" + whole, whole.replace(b'"CN"', b"\xff"), b'"'):
            answer = here.http.post(
                url, headers={**key, "Content-Type": "application/json"}, content=body
            )
            assert 400 <= answer.status_code < 500, answer.text
        plain = here.http.post(url, headers={**key, "Content-Type": "text/plain"}, content=whole)
        assert 400 <= plain.status_code < 500
    for scope, path, message in (
        ("issuer:civil-registry", "/offers", {"subject": number, "credential_type": name}),
        ("issuer:civil-registry", "/credentials/issue", {"credential": {"id": number}}),
        ("issuer:civil-registry", "/credentials/status", {"credentialId": number}),
        ("issuer:civil-registry", "/issuances/search", {"subject": number, "name": name}),
        ("issuer:civil-registry", f"/issuances/{number}/status", {"status": name}),
        ("verifier:bank", "/requests", {"purpose": name}),
        ("verifier:bank", "/credentials/verify", {"verifiableCredential": {"name": name}}),
        ("verifier:bank", "/presentations/verify", {"verifiablePresentation": number}),
    ):
        answer = here.post(scope, path, message)
        assert answer.status_code < 500, (path, answer.text)
    for url in (f"{issuer}/token", f"{issuer}/credential", f"{issuer}/nonce"):
        here.http.post(url, data={"pre-authorized_code": number, name: number, "tx_code": number})
        here.http.post(url, headers={"Authorization": f"Bearer {number}"}, json={"proof": name})
    query = urlencode({"number": number, "name": name, "q": one.person.birth_date.isoformat()})
    for path in ("/healthz", "/metrics", "/registry/head", "/registry/records", "/nowhere"):
        here.http.get(f"{here.base}{path}?{query}")
    for path in ("/enrolments", "/offers", "/credential", "/token", "/receipts/x", "/status/x/y"):
        here.http.get(f"{issuer}{path}?{query}", headers={"User-Agent": f"bot {number}"})
        here.http.put(f"{issuer}{path}?{query}", headers={"Referer": f"https://x/{number}"})


def nonsense_on_the_wire(told: Played, one: InventedPerson) -> None:
    """Paths that hold a number, and bytes that are no HTTP. What they get back is their own."""
    here = told.installation
    key = {"Authorization": f"Bearer {here.keys['issuer:civil-registry']}"}
    with httpx2.Client(timeout=10, trust_env=False) as unnoted:
        for path in (
            f"/issuers/civil-registry/issuances/{one.number}",
            f"/issuers/{one.number}/offers",
            f"/registry/dids/{one.number}",
            f"/1.0/identifiers/did:cairn:demo:{one.number}",
            f"/{quote(one.person.family_name)}/{one.number}",
            f"/verifiers/bank/requests/{one.number}/result",
        ):
            answer = unnoted.get(f"{here.base}{path}", headers=key)
            assert 400 <= answer.status_code < 500
    for line in (
        f"GET /{one.number} HTTP/9.9\r\n\r\n",
        f"{one.number} / HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX {one.number}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", here.port), timeout=5) as raw:
            raw.sendall(line.encode())
            raw.settimeout(2)
            with suppress(OSError):
                while raw.recv(4096):
                    pass


def test_nothing_personal_is_found(played: Played) -> None:
    files, answers = played.scan(), played.scan_answers()
    backups = list((played.installation.folder / "old-backup").rglob("*"))
    assert {path.name for path in backups} >= {"vault.db", "audit.jsonl", "secrets.db"}
    assert files >= 30  # ledger, head, identity, vault, audit, keys, secrets, public, logs
    assert answers >= 200
    log = (played.installation.folder / "cairn.log").read_text("utf-8")
    assert log.count('"event": "request"') >= answers
    assert '"status": 500' not in log


def test_both_audit_sinks_tell_of_every_look_and_of_nobody(played: Played) -> None:
    """The scan above read them; here is that they are full, and that they agree."""
    ids = verify_audit_file(played.installation.data.vault_audit)
    engine = create_database(f"sqlite:///{played.installation.data.vault_database}")
    try:
        with transaction(engine) as session:
            rows = session.scalars(select(VaultAudit)).all()
    finally:
        engine.dispose()
    assert {row.id for row in rows} == set(ids)
    assert {row.action for row in rows} >= {"open", "replace", "merge", "forget"}
    assert {row.purpose for row in rows} >= {"enrolment", "in-person", "oidc-login", "correction"}


def test_nothing_personal_is_found_after_a_restart(played: Played) -> None:
    """Journals are rolled in, pages are moved, and what was in memory is on disk."""
    played.installation.restart()
    played.scan()
    audit = played.installation.audit()
    assert audit.is_clean, audit.fault


def test_the_people_were_really_here(played: Played) -> None:
    """Otherwise the silence would say nothing: she is known, and the vault holds her."""
    here = played.installation
    one = played.people[0]
    again = here.post("issuer:civil-registry", "/enrolments", enrolment(as_told(one)))
    assert again.status_code == 201
    rows = played.installation.data.vault_database.stat().st_size
    assert rows > 8192


def hide_in_file(played: Played, hidden: bytes) -> Path:
    path = played.installation.data.root / "vault" / "left-behind.tmp"
    path.write_bytes(b"\0" * 100 + hidden + b"\0" * 100)
    return path


@pytest.mark.parametrize("form", ["plain", "hex", "base64", "URL", "hash"])
def test_a_planted_canary_is_found_in_a_file(played: Played, form: str) -> None:
    one = played.people[1]
    value = one.number.encode() if form == "hash" else one.person.family_name.encode()
    hidden = {
        "plain": value,
        "hex": value.hex().encode(),
        "base64": base64.b64encode(b"x" + value),
        "URL": quote(value.decode()).encode(),
        "hash": hashlib.sha256(value).digest(),
    }[form]
    path = hide_in_file(played, hidden)
    try:
        with pytest.raises(CanaryFound, match="left-behind"):
            played.scan(path.parent)
    finally:
        path.unlink()


def test_a_planted_canary_is_found_in_the_log_and_in_an_answer(played: Played) -> None:
    one = played.people[2]
    log = played.installation.folder / "cairn.log"
    size = log.stat().st_size
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"detail": one.person.family_name}) + "\n")
    with pytest.raises(CanaryFound, match=r"cairn\.log"):
        played.scan(log)
    with log.open("r+b") as file:
        file.truncate(size)
    played.answers.append(("planted", b"born " + one.person.birth_date.isoformat().encode()))
    with pytest.raises(CanaryFound, match="planted"):
        played.scan_answers()
    played.answers.pop()

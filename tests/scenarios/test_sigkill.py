"""Killed again and again while wallets fetch credentials: nothing that was answered is lost."""

import random
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from identity.adapters.key_files import P256FileKey, key_from_seed
from identity.core import jose
from identity.core.signing import NamedSigner
from identity.core.status_list import parse_status_token, read_token_status
from identity.demo.holder import (
    PRE_AUTHORIZED,
    HeldCopy,
    digest_of,
    issuer_payload,
    well_known,
)
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType, parse_jwk
from tests.lengths import length
from tests.scenarios.installation import DEMO, Installation, enrolment, person
from tests.scenarios.showing import show

SEED = 20260718
ROUNDS = length(6, 11)
CITIZENS = (0, 1, 3)  # adults of the invented people; each has a wallet, all at the same time
COPIES = 2  # of each credential
MOST_ROUNDS = 4 * ROUNDS  # on a busy machine less is done between two kills
LEAST_CREDENTIALS = length(11, 20)  # a server that answers nothing would lose nothing
CONFIGURATION = "resident-identity-sd-jwt"
ISSUER = "issuer:civil-registry"


class Lost(Exception):
    """No answer came: the server was killed before, during or after its work."""


@dataclass
class Errand:
    """One citizen's way to a credential, step by step; it goes on where it was interrupted."""

    subject: str = ""
    offer: JsonObject = field(default_factory=dict)
    token: str = ""
    keys: list[P256FileKey] = field(default_factory=list)
    copies: list[HeldCopy] = field(default_factory=list)
    notification: str = ""
    done: bool = False
    lost: Counter[str] = field(default_factory=Counter)  # steps whose answer never came


def go_on(errand: Errand, here: Installation, number: int, http: httpx2.Client) -> None:
    """The next steps to the end.

    Raises:
        Lost: an answer did not come; `errand` says how far it got.
    """
    issuer = f"{here.base}/issuers/civil-registry"
    agency = {"Authorization": f"Bearer {here.keys[ISSUER]}"}

    def post(step: str, path: str, *statuses: int, **options: object) -> JsonObject | None:
        try:
            answer = http.post(f"{issuer}{path}", **options)  # type: ignore[arg-type]
        except httpx2.HTTPError as error:
            errand.lost[step] += 1
            raise Lost(step) from error
        if answer.status_code == 503:  # on its way down
            errand.lost[step] += 1
            raise Lost(step)
        if answer.status_code in statuses:
            return None
        assert answer.is_success, f"{step}: {answer.status_code} {answer.text}"
        body: JsonObject = answer.json() if answer.content else {}
        return body

    if not errand.subject:
        body = post(
            "enrol", "/enrolments", headers=agency, json=enrolment(person(CITIZENS[number]))
        )
        assert body is not None
        errand.subject = body["subject"]
    if not errand.offer:
        errand.offer = (
            post(
                "offer",
                "/offers",
                headers=agency,
                json={
                    "subject": errand.subject,
                    "credential_type": "resident-identity",
                    "tx_code": True,
                },
            )
            or {}
        )
    if not errand.token:
        grant = errand.offer["credential_offer"]["grants"][PRE_AUTHORIZED]
        form = {
            "grant_type": PRE_AUTHORIZED,
            "pre-authorized_code": grant["pre-authorized_code"],
            "tx_code": errand.offer["tx_code"],
        }
        body = post("token", "/token", 400, data=form)
        if body is None:
            # The code was used, the token never arrived: a code works once, so the citizen asks
            # the agency for another offer.
            assert errand.lost["token"], "a fresh code was refused"
            errand.offer, errand.lost["token"] = {}, 0
            raise Lost("offer")
        errand.token = body["access_token"]
    if not errand.copies:
        nonce = (post("nonce", "/nonce") or {})["c_nonce"]
        errand.keys = errand.keys or [new_key() for _ in range(COPIES)]
        body = post(
            "credential",
            "/credential",
            headers={"Authorization": f"Bearer {errand.token}"},
            json={
                "credential_configuration_id": CONFIGURATION,
                "proofs": {"jwt": [key_proof(key, issuer, nonce) for key in errand.keys]},
            },
        )
        assert body is not None
        by_thumbprint = {key.key.jwk_thumbprint: key for key in errand.keys}
        for entry in body["credentials"]:
            holder = parse_jwk(issuer_payload(entry["credential"])["cnf"]["jwk"]).jwk_thumbprint
            errand.copies.append(
                HeldCopy(CONFIGURATION, issuer, entry["credential"], by_thumbprint.pop(holder))
            )
        errand.notification = body["notification_id"]
    post(
        "notification",
        "/notification",
        headers={"Authorization": f"Bearer {errand.token}"},
        json={"notification_id": errand.notification, "event": "credential_accepted"},
    )
    errand.done = True


def new_key() -> P256FileKey:
    key = key_from_seed(KeyType.P256, secrets.token_bytes(32))
    assert isinstance(key, P256FileKey)
    return key


def key_proof(key: P256FileKey, issuer: str, nonce: str) -> str:
    return jose.sign_compact(
        header={"typ": "openid4vci-proof+jwt", "jwk": key.key.jwk},
        payload={"aud": issuer, "iat": int(time.time()), "nonce": nonce},
        signer=NamedSigner(key, "holder"),
    )


class Crowd:
    """Wallets that fetch credentials one after the other, until the server is gone."""

    def __init__(self, here: Installation) -> None:
        self.here = here
        self.errands: list[list[Errand]] = [[Errand()] for _ in CITIZENS]
        self.faults: list[BaseException] = []

    @property
    def begun(self) -> int:
        """How many errands were begun; in the end each of them is done."""
        return sum(len(errands) for errands in self.errands)

    def run(self, stop: threading.Event) -> list[threading.Thread]:
        """Start a thread for each wallet; `stop` ends them after the errand at hand."""
        threads = [
            threading.Thread(target=self._wallet, args=(number, stop))
            for number in range(len(CITIZENS))
        ]
        for thread in threads:
            thread.start()
        return threads

    def _wallet(self, number: int, stop: threading.Event) -> None:
        mine = self.errands[number]
        try:
            with httpx2.Client(timeout=20, trust_env=False) as http:
                while not stop.is_set():
                    if mine[-1].done:
                        mine.append(Errand())
                    go_on(mine[-1], self.here, number, http)
        except Lost:
            if stop.is_set():
                return
            # A lost answer without a kill can only be the new offer after a used code.
            if not mine[-1].offer and mine[-1].subject:
                self._wallet(number, stop)
        except BaseException as fault:
            self.faults.append(fault)


@pytest.mark.slow
def test_killed_again_and_again_while_issuing(
    make_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    here = make_installation(config=small(tmp_path))
    here.start()
    choose = random.Random(SEED)
    crowd = Crowd(here)
    for kills in range(MOST_ROUNDS):
        if kills >= ROUNDS and crowd.begun >= LEAST_CREDENTIALS:
            break
        stop = threading.Event()
        threads = crowd.run(stop)
        time.sleep(choose.uniform(0.15, 1.3))
        stop.set()  # only so that nobody begins again on the dead server
        here.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not crowd.faults, crowd.faults
        report = here.audit()  # before anybody repairs anything
        assert report.is_clean, report.fault
        here.start()

    # Everybody finishes what she began; whoever lost an answer asks again.
    with httpx2.Client(timeout=20, trust_env=False) as http:
        for number, errands in enumerate(crowd.errands):
            for _ in range(3):
                if not errands[-1].done:
                    try:
                        go_on(errands[-1], here, number, http)
                    except Lost as lost:
                        assert str(lost) == "offer"
    done = [errand for errands in crowd.errands for errand in errands]
    assert all(errand.done for errand in done)
    assert len(done) >= LEAST_CREDENTIALS
    missed = sum((errand.lost for errand in done), Counter[str]())
    print(f"{len(done)} credentials, answers lost: {dict(missed)}")

    wallet = here.wallet()
    for errand in done:
        assert len(errand.copies) == COPIES
        for copy in errand.copies:
            here.anchored(wallet, copy)  # by its own receipt, verified offline
    check_statuses(here, done)
    for errand in done:
        seen = show(here, wallet, errand.copies[0])
        assert seen.verified, seen.failed
    check_records(here, done)
    report = here.audit()
    assert report.is_clean, report.fault


def small(folder: Path) -> Path:
    """The demonstration with one agency and one relying party: starts are what takes time here."""
    text = DEMO.read_text("utf-8")
    parts = text.split("\n[[")
    kept = [
        part
        for part in parts[1:]
        if part.startswith("agencies") and 'slug = "civil-registry"' in part
    ]
    bar = next(at for at, part in enumerate(parts) if 'slug = "bar"' in part)
    kept += [parts[bar], parts[bar + 1]]
    path = folder / "small.toml"
    path.write_text("\n[[".join([parts[0], *kept]), "utf-8")
    return path


def check_statuses(here: Installation, done: list[Errand]) -> None:
    """Every copy has a place of its own in a list that can be read, and is valid there."""
    lists: dict[str, tuple[bytes, int]] = {}
    seen = set()
    for errand in done:
        for copy in errand.copies:
            entry = issuer_payload(copy.text)["status"]["status_list"]
            uri, index = entry["uri"], entry["idx"]
            assert (uri, index) not in seen
            seen.add((uri, index))
            if uri not in lists:
                token = jose.parse_compact(here.http.get(uri).raise_for_status().text)
                parsed = parse_status_token(token.claims, uri=uri, now=int(time.time()))
                lists[uri] = (parsed.data, parsed.bits)
            data, bits = lists[uri]
            assert read_token_status(data, index, bits=bits) == 0


def check_records(here: Installation, done: list[Errand]) -> None:
    """Nothing is half done in the issuer's own records, and they agree with what it published."""
    here.stop()
    with closing(sqlite3.connect(f"file:{here.data.identity_database}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        states = dict(db.execute("SELECT state, count(*) FROM issuer_batches GROUP BY state"))
        assert set(states) == {"anchored"}, states
        wrong = db.execute(
            "SELECT b.batch FROM issuer_batches b WHERE b.count != "
            "(SELECT count(*) FROM issuer_copies c WHERE c.batch = b.batch)"
        ).fetchall()
        assert wrong == []
        lonely = db.execute(
            "SELECT c.digest FROM issuer_copies c "
            "LEFT JOIN issuer_deliveries d ON d.delivery = c.delivery "
            "LEFT JOIN issuer_issuances i ON i.issuance = c.issuance "
            "LEFT JOIN issuer_batches b ON b.batch = c.batch "
            "WHERE d.delivery IS NULL OR i.issuance IS NULL OR b.batch IS NULL "
            "OR d.issuance != c.issuance"
        ).fetchall()
        assert lonely == []
        sizes = db.execute(
            "SELECT d.state, count(c.digest) FROM issuer_deliveries d "
            "LEFT JOIN issuer_copies c ON c.delivery = d.delivery GROUP BY d.delivery"
        ).fetchall()
        assert {count for _, count in sizes} == {COPIES}
        # Sets that nobody received were superseded, and only those are revoked.
        by_state = dict(
            db.execute(
                "SELECT d.state, group_concat(DISTINCT c.status) FROM issuer_deliveries d "
                "JOIN issuer_copies c ON c.delivery = d.delivery GROUP BY d.state"
            )
        )
        assert set(by_state) <= {"accepted", "superseded"}, by_state
        assert by_state["accepted"] == "0"
        assert by_state.get("superseded", "1") == "1"
        behind = db.execute(
            "SELECT group_id FROM issuer_status_groups "
            "WHERE changes != published_changes OR pending_version IS NOT NULL"
        ).fetchall()
        assert behind == []
        held = {digest_of(copy) for errand in done for copy in errand.copies}
        known = {
            row[0]
            for row in db.execute(
                "SELECT c.digest FROM issuer_copies c JOIN issuer_deliveries d "
                "ON d.delivery = c.delivery WHERE d.state = 'accepted'"
            )
        }
        assert held == known
        people = db.execute("SELECT count(DISTINCT subject) FROM issuer_issuances").fetchone()
        assert people == (len(CITIZENS),)
    here.start()


def test_the_configuration_is_the_one_offered(shared: Installation) -> None:
    """What the errands above assume of the issuer's metadata."""
    metadata = shared.call(
        shared.http.get(
            well_known(f"{shared.base}/issuers/civil-registry", "openid-credential-issuer")
        )
    )
    assert CONFIGURATION in metadata["credential_configurations_supported"]
    assert metadata["batch_credential_issuance"]["batch_size"] >= COPIES

"""A real installation in a folder of its own: `cairn up` as a process, spoken to over HTTP."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from identity.adapters.embedded_register import InventedPerson, invented_people
from identity.adapters.secret_files import read_access_keys
from identity.demo.holder import HeldCopy, Holder, digest_of
from identity.demo.story import Person, Stage
from identity.installation.folder import DataFolder
from identity.installation.parties import read_trust_anchor
from registry.audit import AuditReport, audit
from registry.core.encoding import JsonObject
from registry.core.receipt import VerifiedAnchor, parse_receipt, verify_receipt
from registry.core.trust_anchor import TrustAnchor

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo.toml"
START_SECONDS, STOP_SECONDS, PATIENCE_SECONDS = 180.0, 60.0, 60.0
PEOPLE = tuple(found for found in invented_people() if found.alive)


class NotUp(AssertionError):
    """The process ended, or never answered. Says what it wrote."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def person(number: int) -> Person:
    """One of the invented people of the embedded register, as the story knows them."""
    return as_told(PEOPLE[number])


def as_told(found: InventedPerson) -> Person:
    """Somebody of a register, as an officer would type her in."""
    return Person(
        country=found.country,
        number=found.number,
        family_name=found.person.family_name,
        given_name=found.person.given_name,
        birth_date=found.person.birth_date.isoformat(),
    )


@dataclass
class Exit:
    """How a process that was expected to refuse has ended."""

    code: int
    text: str


@dataclass
class Installation:
    """One process and its data folder. `base` is where it is spoken to."""

    folder: Path
    config: Path = DEMO
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    public_base: str = ""  # empty: this process itself, as `--port` has it
    on_answer: Callable[[httpx2.Response], None] | None = None
    _process: subprocess.Popen[bytes] | None = None
    _http: httpx2.Client | None = None

    @property
    def base(self) -> str:
        """What every published URL begins with."""
        return self.public_base or self.address

    @property
    def address(self) -> str:
        """Where the process listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> DataFolder:
        """Its data folder."""
        return DataFolder(self.folder / "data")

    @property
    def http(self) -> httpx2.Client:
        """A client that notes every answer with `on_answer`."""
        if self._http is None:
            hooks = {"response": [self._noted]} if self.on_answer else {}
            self._http = httpx2.Client(timeout=30.0, trust_env=False, event_hooks=hooks)
        return self._http

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def keys(self) -> Mapping[str, str]:
        """Access keys by scope."""
        return read_access_keys(self.data.secrets)

    @property
    def trust(self) -> TrustAnchor:
        """What readers of its ledger pin."""
        return read_trust_anchor(self.data.trust_anchor)

    def start(self) -> float:
        """Start and wait until it answers; seconds that it took."""
        began = time.monotonic()
        self._process = self._spawn()
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began > START_SECONDS:
                self.kill()
                raise NotUp(self.output())
            time.sleep(0.02)
        return time.monotonic() - began

    def cpu_seconds(self) -> float:
        """What the running process has worked so far; a busy machine makes it wait, not work."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def refuses_to_start(self) -> Exit:
        """Start what must end by itself, and how it ended."""
        before = len(self.output())
        process = self._spawn()
        try:
            code = process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotUp("it started, and serves") from None
        finally:
            process.kill()
            process.wait()
        return Exit(code, self.output()[before:])

    def stop(self) -> int | None:
        """SIGTERM, and the exit code; None when nothing ran."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing of the process runs any more when this returns."""
        self._end(signal.SIGKILL)

    def restart(self) -> float:
        """Stop in order, start again; seconds until it answers again."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """End everything, whatever state it is in."""
        self._end(signal.SIGTERM)
        if self._http is not None:
            self._http.close()

    def output(self) -> str:
        """Everything that its processes wrote to their standard output and error."""
        path = self.folder / "output.txt"
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def log_files(self) -> list[Path]:
        """Its log, and what it wrote on the console."""
        return [self.folder / "cairn.log", self.folder / "output.txt"]

    def audit(self) -> AuditReport:
        """Replay its ledger, in use or not."""
        return audit(self.data.ledger, trust=self.trust)

    # -- what institutions and wallets do ---------------------------------------------------------

    def call(self, response: httpx2.Response) -> JsonObject:
        """The answer, which must not be an error."""
        assert response.is_success, f"{response.request.url.path}: {response.text[:500]}"
        body: JsonObject = response.json() if response.content else {}
        return body

    def post(self, scope: str, path: str, body: object) -> httpx2.Response:
        """POST below an institution with its access key; `scope` as `issuer:civil-registry`."""
        kind, _, slug = scope.partition(":")
        return self.http.post(
            f"{self.base}/{kind}s/{slug}{path}",
            headers={"Authorization": f"Bearer {self.keys[scope]}"},
            json=body,
        )

    def enrol(self, who: Person, *, agency: str = "civil-registry", **changes: Any) -> str:
        """Enrol a person; her opaque subject."""
        answer = self.call(self.post(f"issuer:{agency}", "/enrolments", enrolment(who, **changes)))
        subject: str = answer["subject"]
        return subject

    def offer(
        self,
        subject: str,
        *,
        kind: str = "resident-identity",
        agency: str = "civil-registry",
        claims: JsonObject | None = None,
        **more: Any,
    ) -> JsonObject:
        """Offer a credential to a subject."""
        body = {"subject": subject, "credential_type": kind, "tx_code": True, **more}
        if claims is not None:
            body["claims"] = claims
        return self.call(self.post(f"issuer:{agency}", "/offers", body))

    def wallet(self) -> Holder:
        """An empty wallet."""
        return Holder(
            http=self.http,
            resolver=self.base,
            random=secrets.token_bytes,
            now=lambda: int(time.time()),
        )

    def issue(self, who: Person) -> "Held":
        """Enrol, offer, accept, wait for the anchor: a resident identity in a wallet."""
        offer = self.offer(self.enrol(who))
        wallet = self.wallet()
        copies = wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
        for copy in copies:
            self.anchored(wallet, copy)
        return Held(self, wallet, copies, offer["credential_id"])

    def anchored(self, wallet: Holder, copy: HeldCopy) -> VerifiedAnchor:
        """Wait for the receipt of a copy and verify it offline."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (receipt := wallet.receipt(copy)) is None:
            assert time.monotonic() < deadline, "no receipt"
            time.sleep(0.05)
        return verify_receipt(
            parse_receipt(receipt), digest=digest_of(copy), anchor=self.trust, now=int(time.time())
        )

    def change_status(self, credential: str, purpose: str, *, on: bool) -> httpx2.Response:
        """Suspend, reinstate or revoke, as the VC API has it."""
        entry = {
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "status": "1" if on else "0",
        }
        return self.post(
            "issuer:civil-registry",
            "/credentials/status",
            {"credentialId": credential, "credentialStatus": [entry]},
        )

    def stage(self, who: Person) -> Stage:
        """What `identity.demo.story` plays on."""
        return Stage(
            base=self.base,
            http=self.http,
            keys=self.keys,
            person=who,
            trust=self.trust,
            random=secrets.token_bytes,
            now=lambda: int(time.time()),
        )

    # -- the process ------------------------------------------------------------------------------

    def command(self) -> Sequence[str]:
        """How it is started."""
        there = ["--data", str(self.data.root)]
        if not self.public_base:
            there += ["--port", str(self.port)]
        return [sys.executable, "-m", "identity.cli", "up", "--config", str(self.config), *there]

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name[:6] != "CAIRN_"},
            "CAIRN_SERVER__LOG_FILE": str(self.folder / "cairn.log"),
            "CAIRN_SERVER__REQUESTS_PER_MINUTE": "0",
            **self.environment,
        }
        if self.public_base:
            environment["CAIRN_SERVER__PORT"] = str(self.port)
            environment["CAIRN_SERVER__PUBLIC_BASE_URL"] = self.public_base
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                self.command(),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=environment,
            )

    def _answers(self) -> bool:
        # Not with the shared client: a refused connection there is no answer to note.
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.address}/healthz", trust_env=False, timeout=5.0).is_success
        return False

    def _end(self, how: signal.Signals) -> int | None:
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NotUp(f"did not end within {STOP_SECONDS:.0f} s of {how.name}") from None

    def _noted(self, response: httpx2.Response) -> None:
        response.read()
        if self.on_answer is not None:
            self.on_answer(response)


@dataclass
class Held:
    """A credential in a wallet, and the installation that it came from."""

    installation: Installation
    wallet: Holder
    copies: list[HeldCopy]
    credential: str


def enrolment(who: Person, **changes: Any) -> JsonObject:
    """The body of an enrolment."""
    return {
        "country": who.country,
        "number": who.number,
        "family_name": who.family_name,
        "given_name": who.given_name,
        "birth_date": who.birth_date,
        "evidence": [{"type": "document"}, {"type": "biometric-match"}],
        **changes,
    }

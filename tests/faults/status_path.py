"""Publishing a status list: the issuer's database and the ledger, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from identity.adapters.database import transaction
from identity.adapters.issuer_tables import CopyRow, StatusGroupRow
from identity.core import status_list
from identity.core.jose import verify_compact
from identity.issuer.records import Status
from identity.issuer.status import StatusDesk
from registry.audit import audit
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.genesis import Genesis, genesis_member
from registry.core.records import status_list_key
from registry.core.refusals import Refusal, Unavailable
from registry.core.transaction_receipt import TransactionReceipt
from registry.ledger.embedded import EmbeddedLedger
from tests.faults.tracing import Say
from tests.faults.write_paths import ledger_files
from tests.identity.issuer.ledger_in_memory import (
    GOVERNANCE,
    NETWORK,
    HeadKey,
    MemoryRegistry,
    digest_text,
)
from tests.identity.issuer.workbench import START, Workbench

NOW = int(START.timestamp())
STEPS = (Status.SUSPENDED, Status.REVOKED, Status.REVOKED)  # safe to repeat


class LedgerRegistry(MemoryRegistry):
    """The registry of the issuer's tests, on a ledger file in place of its dictionary."""

    def __init__(self, folder: Path) -> None:
        super().__init__(NOW)
        member = genesis_member(network=NETWORK, name="Founding member", keys=[GOVERNANCE.key])
        self.ledger = EmbeddedLedger.open(
            folder / "ledger.db",
            genesis=Genesis(network=NETWORK, members=(member,), created=NOW),
            signer=HeadKey(),
            now=lambda: NOW,
        )

    def get(self, key: str) -> bytes | None:
        return self.ledger.read(key, prove=False).value

    def submit(self, raw: bytes) -> TransactionReceipt:  # type: ignore[override]
        return self.ledger.submit(raw)

    def status_digest(self, uri: str) -> tuple[str, int] | None:
        record = self.get(status_list_key(uri))
        if record is None:
            return None
        value: JsonObject = parse_json_object(record)
        return value["digest"], value["version"]


@dataclass(frozen=True)
class PublishStatusList:
    """Suspend a credential, then revoke it; each change is answered once it is published."""

    name: str = "publish a status list"

    def files(self, folder: Path) -> list[Path]:
        own = folder / "identity.db"
        return [*ledger_files(folder / "ledger.db"), own, Path(f"{own}-journal")]

    def prepare(self, folder: Path) -> None:
        registry, bench = _start(folder)
        offer = bench.offer(credential_type="degree", claims=DEGREE)
        bench.receive(bench.token(offer), configuration="degree-sd-jwt")
        (folder / "credential").write_text(offer["credential_id"])
        bench.http.close()
        _end(registry, bench)

    def work(self, folder: Path, say: Say) -> None:
        try:
            registry, bench = _start(folder)
        except (Unavailable, DBAPIError) as error:  # the tables are made outside of the stores
            say(f"closed {type(error).__name__}")
            return
        say("open")
        desk = StatusDesk(bench.parts, bench.publisher)
        credential = (folder / "credential").read_text()
        for status in STEPS:
            try:
                change = desk.change("registrar", credential, status, reason="test", now=START)
            except Unavailable as error:
                say(f"unknown {int(status)} {type(error).__name__}")
            except Refusal as error:
                say(f"crash {type(error).__name__}")
            else:
                say(f"ack {int(status)} {change.published}")
        _end(registry, bench)

    def check(self, folder: Path, answers: Sequence[str]) -> None:
        noted, shown = 0, 0  # the strictest status that was answered, and that was published
        for line in answers:
            kind, *words = line.split()
            assert kind not in ("crash", "hung"), line
            if kind == "ack":
                noted = _strictest(noted, int(words[0]))
                shown = _strictest(shown, int(words[0])) if words[1] == "True" else shown
        registry, bench = _start(folder)
        try:
            assert _order(self._published(registry, bench)) >= _order(shown), (
                "a published status is lost"
            )
            bench.publisher.publish_due("registrar", now=START)
            assert _order(self._published(registry, bench)) >= _order(noted), (
                "an answered change never reaches the list"
            )
            desk = StatusDesk(bench.parts, bench.publisher)
            credential = (folder / "credential").read_text()
            change = desk.change("registrar", credential, Status.REVOKED, reason="test", now=START)
            assert change.published
            assert self._published(registry, bench) == Status.REVOKED
            with transaction(bench.engine) as db:
                for group in db.scalars(select(StatusGroupRow)).all():
                    assert group.pending_version is None
                    assert group.changes == group.published_changes
        finally:
            _end(registry, bench)
        report = audit(folder / "ledger.db", trust=registry.anchor)
        assert report.is_clean, report.fault

    def _published(self, registry: LedgerRegistry, bench: Workbench) -> int:
        """The status in the list that is served, which must be the one on the ledger."""
        with transaction(bench.engine) as db:
            copy = db.scalars(select(CopyRow)).one()
        # A process that died between ledger and database finds out on its next publication.
        bench.publisher.publish("registrar", copy.group_id, now=START)
        documents = bench.publisher.documents("registrar", copy.group_id, now=START)
        token = verify_compact(documents.token, key=bench.agency.jose.key, typ="statuslist+jwt")
        uri = token.claims["sub"]
        parsed = status_list.parse_status_token(token.claims, uri=uri, now=NOW)
        on_ledger = registry.status_digest(uri)
        assert on_ledger is not None, "a list is served that is not on the ledger"
        assert on_ledger == (digest_text(parsed.data), documents.version)
        return status_list.read_token_status(parsed.data, copy.position, bits=parsed.bits)


DEGREE = {
    "degree_name": "Master of Science",
    "degree_level": "master",
    "awarded_on": "2024-07-01",
    "institution": "Riverland University",
}


def _order(status: int) -> int:
    return [0, Status.SUSPENDED, Status.REVOKED].index(status)


def _strictest(one: int, other: int) -> int:
    return max(one, other, key=_order)


def _start(folder: Path) -> tuple[LedgerRegistry, Workbench]:
    registry = LedgerRegistry(folder)
    try:
        return registry, Workbench(folder, registry=registry)
    except BaseException:
        registry.ledger.close()
        raise


def _end(registry: LedgerRegistry, bench: Workbench) -> None:
    bench.engine.dispose()
    registry.ledger.close()

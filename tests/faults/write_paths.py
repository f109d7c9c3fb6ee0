"""The ways of writing that are broken here: what a child does, and what must hold afterwards.

A child says `ack …` after an answer, `refused …` after a refusal by the rules, `unknown …` when it
was told that the outcome is open. Whoever looks afterwards is a new process as far as the product
can tell: everything is opened again from the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.audit import audit
from registry.core.did_actions import UpdateDid
from registry.core.refusals import Refusal, Unavailable
from registry.core.transactions import parse_transaction
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.port import LedgerDamaged
from registry.ledger.store import database
from tests.faults.tracing import Say
from tests.registry.authors import (
    CREATED,
    UnsafeHeadSigner,
    details_of,
    genesis,
    new_did,
    trust_anchor,
)

SMALL_CHECKPOINT = 25  # pages, so that the log is moved into the file in the middle of the work


class WritePath(Protocol):
    """One way of writing."""

    @property
    def name(self) -> str:
        """What is written."""
        ...

    def files(self, folder: Path) -> list[Path]:
        """Every file and directory that it touches."""
        ...

    def prepare(self, folder: Path) -> None:
        """What was there before, all of it on disk."""
        ...

    def work(self, folder: Path, say: Say) -> None:
        """What the child does."""
        ...

    def check(self, folder: Path, answers: Sequence[str]) -> None:
        """Restart and compare with what was answered; AssertionError when a promise is broken."""
        ...


def ledger_files(path: Path) -> list[Path]:
    suffixes = ("", "-wal", "-shm", "-journal", ".lock", ".head", ".head.next")
    return [path.parent, *(Path(f"{path}{suffix}") for suffix in suffixes)]


def open_ledger(folder: Path) -> EmbeddedLedger:
    return EmbeddedLedger.open(
        folder / "ledger.db",
        genesis=genesis(),
        signer=UnsafeHeadSigner(),
        now=lambda: CREATED + 10,
    )


@dataclass(frozen=True)
class SealBlocks:
    """Open a ledger, seal three blocks, refuse one transaction in between, move the pages."""

    name: str = "seal a block"
    begun: bool = True  # False: there is no ledger yet, the first block is the genesis
    synced: bool = True  # False: a mistake put in on purpose, SQLite no longer syncs

    def files(self, folder: Path) -> list[Path]:
        return ledger_files(folder / "ledger.db")

    def prepare(self, folder: Path) -> None:
        if not self.begun:
            return
        ledger = open_ledger(folder)
        for name in ("one", "two", "three"):
            ledger.submit(new_did(name)[0])
        ledger.close()

    def work(self, folder: Path, say: Say) -> None:
        database.CHECKPOINT_PAGES = SMALL_CHECKPOINT
        try:
            ledger = open_ledger(folder)
        except Unavailable as error:
            say(f"closed {type(error).__name__}")
            return
        if not self.synced:
            ledger._database._writer.pragma("synchronous", 0)
        say("open")
        for name in ("a", "b", "c"):
            _submit(ledger, new_did(name)[0], say)
            _submit(ledger, _refused(name), say)
        _submit(ledger, new_did("c")[0], say)  # once more: after lack of room it gets through
        ledger.close()

    def check(self, folder: Path, answers: Sequence[str]) -> None:
        ledger = open_ledger(folder)  # whatever happened, the ledger opens again
        try:
            for line in answers:
                kind, *words = line.split()
                assert kind not in ("crash", "hung"), line
                if kind == "ack":
                    receipt = ledger.receipt(words[0])
                    assert receipt is not None, "an acknowledged transaction is lost"
                    assert [str(receipt.height), str(receipt.index)] == words[1:], "it moved"
                if kind == "refused":
                    assert ledger.receipt(words[0]) is None, "a refused transaction was applied"
            for name in ("a", "b", "c", "after"):  # unanswered ones may be sent again
                ledger.submit(new_did(name)[0])
            assert ledger.health().size == (4 if self.begun else 1) + 4
        finally:
            ledger.close()
        report = audit(folder / "ledger.db", trust=trust_anchor())
        assert report.is_clean, report.fault


def _refused(name: str) -> bytes:
    """An update of a version that the DID does not have."""
    author = new_did(name)[1]
    update = UpdateDid(version=7, details=details_of(author.private))
    return author.transaction(update, nonce=name.encode() * 16)


def _submit(ledger: EmbeddedLedger, raw: bytes, say: Say) -> None:
    tx_id = parse_transaction(raw).id
    try:
        receipt = ledger.submit(raw)
    except LedgerDamaged:
        raise
    except Unavailable as error:
        say(f"unknown {tx_id} {type(error).__name__}")
    except Refusal:
        say(f"refused {tx_id}")
    else:
        say(f"ack {receipt.tx_id} {receipt.height} {receipt.index}")

"""Ledgers in a directory of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import CREATED, UnsafeHeadSigner, genesis

OpenLedger = Callable[..., EmbeddedLedger]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def open_ledger(path: Path) -> Iterator[OpenLedger]:
    """Opens the ledger of this test, and closes what the test leaves open."""
    opened: list[EmbeddedLedger] = []

    def open_one(**changes: object) -> EmbeddedLedger:
        arguments = {
            "genesis": genesis(),
            "signer": UnsafeHeadSigner(),
            "now": lambda: CREATED + 10,
            **changes,
        }
        ledger = EmbeddedLedger.open(path, **arguments)  # type: ignore[arg-type]
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()

"""The ledger in one SQLite file, for one writing process; nothing to install."""

from registry.ledger.embedded.engine import EmbeddedLedger

__all__ = ["EmbeddedLedger"]

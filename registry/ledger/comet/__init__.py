"""The consortium engine: CometBFT orders, the rules decide, the members sign together."""

from registry.ledger.comet.engine import CometLedger

__all__ = ["CometLedger"]

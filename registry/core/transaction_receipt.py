"""The answer to a submitted transaction, the same from every engine and through the client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReceipt:
    """A transaction is final and on disk."""

    tx_id: str  # hex, from the payload alone; see registry.core.transactions
    height: int  # of the block; several transactions may share one
    index: int  # of the entry in the log
    head: str  # the signed head of that block: a checkpoint text

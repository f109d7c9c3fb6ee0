"""Who signs what a client submits."""

from typing import Protocol


class TransactionSigner(Protocol):
    """A key that may sign ledger transactions of its DID; `identity.core.signing.Signer` is one."""

    @property
    def verification_method(self) -> str:
        """DID URL of the key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A raw signature over `message`."""
        ...

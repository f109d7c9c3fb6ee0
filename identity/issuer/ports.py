"""What the issuer needs from other parts, and the promises it relies on."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from registry.core.encoding import JsonObject


class PersonClaims(Protocol):
    """Verified facts about a person; `identity.realname` keeps this promise.

    Every read is on the audit record, with its purpose and actor, before it is answered.
    """

    def claims(
        self,
        subject: str,
        *,
        names: Sequence[str],
        purpose: str,
        actor: str,
        incapacitated: bool = False,
    ) -> Mapping[str, Any]:
        """The facts called `names` that are known about `subject`; unknown ones are left out.

        With `incapacitated`, also of somebody who cannot act for herself now: others act for her.

        Raises:
            NotFound: no such subject.
            Unavailable: the vault or its audit does not answer.
        """
        ...


class Vault(Protocol):
    """Keeps bytes that may hold personal data; `identity.vault` keeps this promise."""

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """Store `data`; returns an opaque reference."""
        ...

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """The bytes behind `ref`, after the read is on the audit record.

        Raises:
            NotFound: nothing is stored under `ref`, or it was forgotten.
        """
        ...

    def forget(self, ref: str) -> None:
        """Destroy what is behind `ref`. Safe to repeat."""
        ...


class SubmitReceipt(Protocol):
    """A transaction is final and on disk."""

    @property
    def tx_id(self) -> str:
        """Identifier of the transaction, hex."""
        ...

    @property
    def height(self) -> int:
        """Block that holds it."""
        ...


class BatchProof(Protocol):
    """The record of an anchor batch with its proof under a signed head."""

    @property
    def record(self) -> JsonObject:
        """The batch record."""
        ...

    @property
    def proof(self) -> JsonObject:
        """Map proof without its value, as receipts carry it."""
        ...

    @property
    def head(self) -> str:
        """Checkpoint text of the head that the proof leads to."""
        ...


class Registry(Protocol):
    """The ledger as the issuer sees it; `registry.client.RegistryClient` keeps this promise.

    - `submit` returns only when the transaction is final.
    - Submitting the same bytes again gives the same receipt and changes nothing.
    - A refused transaction raises a `Refusal` other than `Unavailable` and changed nothing.
    - `Unavailable` says nothing about the outcome: the transaction may be final.
    """

    def submit(self, raw: bytes) -> SubmitReceipt:
        """Submit a signed transaction.

        Raises:
            Refusal: see above.
        """
        ...

    def batch_proof(self, issuer: str, batch: str) -> BatchProof | None:
        """Proof of the batch record of `issuer`, or None when the ledger proves its absence.

        Raises:
            Unavailable: the registry does not answer, or its answer does not verify.
        """
        ...

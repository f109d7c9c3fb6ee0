"""Accredits any DID, whoever runs the software behind it, and suspends, reinstates, ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.core.signing import NamedSigner
from registry.core.accreditation import Accreditation, accreditation_id
from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.compromise import DeclareCompromise
from registry.core.refusals import Conflict
from registry.core.transaction_receipt import TransactionReceipt
from registry.core.transactions import Action

Change = type[SuspendAccreditation] | type[ReinstateAccreditation] | type[EndAccreditation]


class NoFittingAccreditation(Conflict):
    """The DID has no accreditation that can be changed in this way now."""


class AccreditationRegistry(Protocol):
    """The ledger as an accreditor sees it; `registry.client.RegistryClient` keeps this promise."""

    def submit_transaction(
        self, author: str, signer: NamedSigner, action: Action
    ) -> TransactionReceipt:
        """Sign and submit; final when this returns."""
        ...

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        """Every accreditation of a subject, proven."""
        ...

    def height(self) -> int:
        """Height of the newest verified head."""
        ...


@dataclass(frozen=True, slots=True)
class Accreditor:
    """A root member of the network, or an authority."""

    registry: AccreditationRegistry
    signer: NamedSigner
    random: Callable[[int], bytes]

    def accredit(
        self, subject: str, *, role: str, types: Sequence[str], until_height: int | None
    ) -> tuple[Accreditation, bool]:
        """Give `subject` a role for these types.

        Returns:
            The accreditation, and whether it is new. One that says the same and counts is not
            given twice, so that a command whose answer was lost can be repeated.
        """
        wanted = (role, tuple(sorted(types)), until_height)
        for known in self._open(subject):
            if (known.role, tuple(sorted(known.types)), known.until_height) == wanted:
                return known, False
        identifier = accreditation_id(self.random(16))
        self._submit(
            Accredit(
                accreditation=identifier,
                subject=subject,
                role=role,
                types=wanted[1],
                until_height=until_height,
            )
        )
        return next(a for a in self.registry.accreditations(subject) if a.id == identifier), True

    def change(
        self, subject: str, action: Change, *, reason: str, only: str | None = None
    ) -> list[tuple[Accreditation, int]]:
        """Suspend, reinstate or end what `subject` has.

        Args:
            action: which of the three.
            reason: a code, on record for ever; never a person's name.
            only: one accreditation by its id; all that fit otherwise.

        Returns:
            What was changed, each with the height at which it was.

        Raises:
            NoFittingAccreditation: there is none.
            Refusal: of the rules, after which earlier ones of several stay changed.
        """
        reinstating = action is ReinstateAccreditation
        found = self._open(subject)
        height = self.registry.height()
        fitting = [
            known
            for known in found
            if only in (None, known.id)
            and (action is EndAccreditation or known.is_suspended(height) == reinstating)
        ]
        if not fitting:
            raise NoFittingAccreditation("the DID has no accreditation that fits")
        return [
            (known, self._submit(action(accreditation=known.id, reason=reason)).height)
            for known in fitting
        ]

    def declare_stolen(self, did: str, *, fragment: str, from_height: int, reason: str) -> int:
        """Declare that a key of `did` fell into wrong hands; the height of the declaration.

        Raises:
            Refusal: of the rules; see `registry.core.compromise`.
        """
        return self._submit(
            DeclareCompromise(
                subject=did, fragment=fragment, from_height=from_height, reason=reason
            )
        ).height

    def _open(self, subject: str) -> list[Accreditation]:
        found = self.registry.accreditations(subject)
        height = self.registry.height()
        return [known for known in found if not known.is_over(height)]

    def _submit(self, action: Action) -> TransactionReceipt:
        author, _, _ = self.signer.verification_method.partition("#")
        return self.registry.submit_transaction(author, self.signer, action)

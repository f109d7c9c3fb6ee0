"""A lost phone: the person is proofed anew, and everything that she held is dead in one action."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.core.life_event import LifeEventKind
from identity.core.proofing import EvidenceKind, assurance_level, claimed_evidence
from identity.realname.ports import Binding, BindingStore
from identity.realname.service import Enrolment, RealNames
from registry.core.refusals import NotFound, NotPermitted, Refusal


class ProofingTooWeak(NotPermitted):
    """The evidence is weaker than what her registration rests on: a thief could bring it."""


class EndsAll(Protocol):
    """Ends everything that rests on a binding; `identity.issuer.life_events` does."""

    def end_all(self, agency: str, subject: str, *, reason: str) -> Sequence[object]:
        """Revoke all credentials, kill all offers and tokens; what was revoked. Repeatable."""
        ...


class Arrangements(Protocol):
    """Guardians whom people chose; `identity.guardians.ports.GuardianStore` keeps them."""

    def withdraw(self, agency: str, subject: str, *, now: int) -> bool:
        """Delete hers and stop its recoveries; False when there was none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A person after her recovery: her subject at this agency, and how much was ended where."""

    binding: Binding
    ended: int  # credentials, at all agencies together


class RecoveryDesk:
    """Proofs a person again and ends what her old keys held, at every agency."""

    def __init__(
        self,
        *,
        real_names: RealNames,
        bindings: BindingStore,
        ending: EndsAll,
        arrangements: Arrangements,
        now: Callable[[], int],
    ) -> None:
        self._real_names = real_names
        self._bindings = bindings
        self._ending = ending
        self._arrangements = arrangements
        self._now = now

    def recover(self, evidence: Enrolment, *, actor: str) -> Recovered:
        """Proof anew and end everything that was issued or offered to her before.

        1. It is she: number, names, birth date and register agree.
        2. The evidence is no weaker than what her registrations rest on, at any agency: what ends
           them all must not be easier to get than the best of them.
        3. At every agency that knows her: her guardians, whom a thief may have chosen, are
           withdrawn; credentials, copies, offers and tokens end.

        New credentials are offered afterwards as ever. Safe to repeat: when it raises in the third
        step, some agencies' credentials have ended and the others' end with the next try.

        Raises:
            ProofingTooWeak: weaker evidence than a registration of hers rests on.
            Refusal: as `RealNames.enrol`, and what an agency's lists may raise.
        """
        binding = self._real_names.enrol(evidence=evidence, actor=actor)  # 1
        all_of_hers = self._bindings.of_person(binding.person)
        claimed = (*claimed_evidence(evidence.evidence), EvidenceKind.REGISTER_RECORD)
        if assurance_level(claimed) < max(item.assurance_level for item in all_of_hers):  # 2
            raise ProofingTooWeak("the evidence is weaker than what the registration rests on")
        for item in all_of_hers:  # 3
            self._arrangements.withdraw(item.agency, item.subject, now=self._now())
        ended = end_everywhere(all_of_hers, self._ending)
        return Recovered(binding=binding, ended=ended)


def end_everywhere(bindings: Sequence[Binding], ending: EndsAll) -> int:
    """End what rests on each binding of one person; how many credentials. Safe to repeat.

    Raises:
        Refusal: an agency's lists refused; the other agencies' credentials have ended all the same.
    """
    ended, failed = 0, list[Refusal]()
    for item in bindings:
        try:
            ended += len(
                ending.end_all(item.agency, item.subject, reason=str(LifeEventKind.KEYS_LOST))
            )
        except NotFound:  # an agency that is not served here any more; nothing of it can be shown
            continue
        except Refusal as refusal:
            failed.append(refusal)
    if failed:
        raise failed[0]
    return ended

"""What two officers decided is done, once; and what could not be done is not asked about."""

from identity.realname.life_events import LifeEvents, OneIsDead, RemainsGone
from identity.realname.ports import (
    Binding,
    BindingClosed,
    BindingState,
    BindingStore,
    MergedAlready,
)
from identity.realname.review import (
    Case,
    CaseKind,
    CaseState,
    NotToDecide,
    ReviewDesk,
    Verdict,
)
from identity.vault.ports import IdentityVault, remains_of
from registry.core.refusals import Refusal


class Decisions:
    """Carries out what cases decide, over the review queue and the life events."""

    def __init__(
        self,
        *,
        life: LifeEvents,
        review: ReviewDesk,
        bindings: BindingStore,
        vault: IdentityVault,
    ) -> None:
        """Join the parts."""
        self._life = life
        self._review = review
        self._bindings = bindings
        self._vault = vault

    def carry_out(self, case_id: str) -> Case:
        """Do what was decided: a double is merged or taken apart, a death taken back or restored.

        Somebody who is similar registers when she comes again. It is noted when all is done: a
        decision is repeated after a failure in the middle of it, and never afterwards. A case
        undoes only what it did itself: several agencies may have asked about one person.

        Raises:
            CarriedOut: it is done already.
            NoSuchCase, NotToDecide: there is none, or nobody decided, or it changed meanwhile.
            NotAlive, RemainsGone, RegistrationErased, MergedAlready: as `LifeEvents` has them; it
                is not done.
            Unavailable: call it again.
        """
        case = self._review.to_carry_out(case_id)
        if case.kind is not CaseKind.SIMILAR and case.verdict is Verdict.SAME:
            case = self._in_effect(case)
        elif case.in_effect and case.kind is CaseKind.DOUBLE:
            case = self._separated(case)
        elif case.in_effect and case.kind is CaseKind.FALSE_DEATH:
            self._life.restore_death(case.applicant)
        return self._review.carried_out(case)

    def check_mergeable(self, *subjects: Binding) -> None:
        """Refuse a case about merging who is dead or merged, before people look at it.

        Only by what the agency has of its own subjects: of somebody who withdrew from it, it is not
        told what others reported since, and officers find it out.

        Raises:
            MergedAlready: one of them ended in another registration.
            OneIsDead: one of them was reported dead.
        """
        if any(found.state is BindingState.MERGED for found in subjects):
            raise MergedAlready("one of them was merged before; name the subject that goes on")
        if any(found.deceased for found in subjects):
            raise OneIsDead("one of the two was reported dead; have that decided first")

    def check_appealable(self, case: Case) -> None:
        """Refuse to hear again about a decision when the other answer could not be carried out.

        Raises:
            NotToDecide: another case did what this one decided, or it is undone already.
            RemainsGone: what was merged is kept no more, or who was not merged is not there.
            BindingClosed: one of them withdrew from the agency; whether others know her it is not
                told.
            MergedAlready, OneIsDead: they could not be merged now.
        """
        if case.state is not CaseState.DECIDED:
            return  # and `ReviewDesk.appeal` refuses
        if case.verdict is Verdict.SAME:
            self._check_undoable(case)
        elif case.kind is CaseKind.DOUBLE:
            self._check_mergeable_now(case)

    def _check_undoable(self, case: Case) -> None:
        if case.kind is CaseKind.SIMILAR or not case.carried_out_at:
            return
        if not case.in_effect:
            raise NotToDecide("another decision did this before; appeal against that one")
        if case.kind is CaseKind.DOUBLE:
            applicant = self._bindings.known_as(case.applicant)
            if self._bindings.survivor(applicant) == applicant:
                raise NotToDecide("another decision took them apart already")
            if self._vault.find(remains_of(applicant)) is None:
                raise RemainsGone("what was merged is not kept any more")

    def _check_mergeable_now(self, case: Case) -> None:
        applicant = self._bindings.known_as(case.applicant)
        staying = self._bindings.survivor(case.similar[0])
        if self._bindings.survivor(applicant) == staying:
            raise MergedAlready("they are one registration already")
        if self._bindings.survivor(applicant) != applicant:
            raise MergedAlready("one of them was merged since; ask of the subject that goes on")
        both = [self._bindings.of_person(person) for person in (applicant, staying)]
        if not all(both):
            raise RemainsGone("one of the two registrations is not there any more")
        own = [found for hers in both for found in hers if found.agency == case.agency]
        if any(found.state is BindingState.WITHDRAWN for found in own):
            raise BindingClosed("one of them withdrew; appeal when she came back")
        if any(found.deceased for hers in both for found in hers):
            raise OneIsDead("one of the two was reported dead; have that decided first")

    def _in_effect(self, case: Case) -> Case:
        """Merge, or take a death back; the case notes first that it does.

        What another case did already, this one repeats for the sake of a failure in the middle of
        it, and has no part in.
        """
        before = self._standing(case)
        begins = not case.in_effect and self._is_to_do(case)
        if begins:
            case = self._review.takes_effect(case, begun=True)
        try:
            if case.kind is CaseKind.DOUBLE:
                self._life.merge(case.applicant, into=case.target)
            else:
                self._life.revive(case.applicant, decided_at=case.decided_at)
        except Refusal:
            if begins and self._standing(case) == before:
                self._review.takes_effect(case, begun=False)
            raise
        return case

    def _is_to_do(self, case: Case) -> bool:
        """Whether they are two still, or she is dead."""
        if case.kind is CaseKind.DOUBLE:
            return self._standing(case) != self._bindings.survivor(case.target)
        return any(found.deceased for found in self._bindings.of_person(self._now_hers(case)))

    def _standing(self, case: Case) -> object:
        """What carrying out `SAME` changes first."""
        hers = self._now_hers(case)
        return hers if case.kind is CaseKind.DOUBLE else self._bindings.of_person(hers)

    def _now_hers(self, case: Case) -> str:
        return self._bindings.survivor(case.applicant)

    def _separated(self, case: Case) -> Case:
        """Take apart, and call her in the case as the vault calls her from then on."""

        def known_as(ref: str) -> None:
            nonlocal case
            if ref != case.applicant:
                case = self._review.known_as(case, ref)

        self._life.separate(case.applicant, merged_into=case.similar[0], known_as=known_as)
        return case

"""Life events: what a person's binding becomes, and who is told."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from identity.core.life_event import LifeEvent, LifeEventKind
from identity.core.national_id import SchemeRegistry
from identity.realname.erasure import Erasure
from identity.realname.person_json import parse_person
from identity.realname.ports import (
    Binding,
    BindingClosed,
    BindingState,
    BindingStore,
    IdentitySealing,
    MergedAlready,
    NotAlive,
    PopulationRegister,
    RegisteredPerson,
    RegistrationErased,
    UnknownSubject,
)
from identity.realname.records import (
    check_names,
    encoded,
    identity_of,
    likeness,
    looked_up,
    parse_record,
)
from identity.vault.ports import IdentityVault, NothingSealed, remains_of
from registry.core.refusals import Conflict, Malformed

# What an event makes of a binding, where it is reported without new particulars.
_PLAIN = {
    LifeEventKind.DECEASED: BindingState.DECEASED,
    LifeEventKind.INCAPACITATED: BindingState.INCAPACITATED,
    LifeEventKind.CAPACITY_RESTORED: BindingState.ACTIVE,
}


# What may be untrue afterwards. Not what differs in the row: a report that is repeated, because a
# hook had failed, finds no difference any more and must end the same credentials.
_CHANGED = {
    LifeEventKind.NAME_CHANGED: frozenset({"family_name", "given_name"}),
    LifeEventKind.CORRECTED: frozenset({"family_name", "given_name", "birth_date", "sex"}),
}


class OneIsDead(Conflict):
    """One of two registrations was reported dead; whether that is true is decided first."""


class RemainsGone(Conflict):
    """What was merged is kept no more, so it cannot be taken apart or merged again."""


class LifeEventHook(Protocol):
    """Is told of life events, one subject at a time; an issuer revokes or suspends.

    An event is told after it is recorded, and again when it is reported again, so that a hook
    which failed gets another chance: hooks must not mind repetitions.
    """

    def on_event(self, event: LifeEvent) -> None:
        """Act on `event`; what it raises reaches whoever reported the event."""
        ...


class LifeEvents:
    """Records what happened to a person, and tells everybody whose credentials rest on her."""

    def __init__(
        self,
        *,
        schemes: SchemeRegistry,
        register: PopulationRegister,
        vault: IdentityVault,
        bindings: BindingStore,
        now: Callable[[], int],
        hooks: Sequence[LifeEventHook] = (),
        sealing: IdentitySealing | None = None,
    ) -> None:
        """Join the parts; `now` gives unix seconds, `sealing` renews what an opening would tell."""
        self._schemes = schemes
        self._register = register
        self._vault = vault
        self._bindings = bindings
        self._now = now
        self._hooks = tuple(hooks)
        self._sealing = sealing
        self._erasure = Erasure(
            bindings=bindings,
            vault=vault,
            forget_seals=None if sealing is None else sealing.forget,
        )

    def report(self, kind: LifeEventKind, subject: str) -> None:
        """Record death, loss of capacity or its return, at every agency, and tell the hooks.

        Death is final: neither loss nor return of capacity changes it.

        Raises:
            UnknownSubject: nobody was enrolled under it.
            BindingClosed: she withdrew from this agency, which reports nothing of her any more.
            NotAlive: the person was reported dead, and `kind` is another.
            Malformed: `kind` is an event with a call of its own.
        """
        if kind not in _PLAIN:
            raise Malformed("this event is reported with its particulars")
        binding = self._reporting(subject)
        person = self._bindings.survivor(binding.person)
        hers = self._bindings.of_person(person)
        dead = any(found.deceased for found in (binding, *hers))
        if dead and kind is not LifeEventKind.DECEASED:
            raise NotAlive("the person was reported dead")
        person = self._recorded(person, _PLAIN[kind])
        self.tell(kind, self._bindings.of_person(person))

    def record_death(self, subject: str) -> None:
        """As `report` with `DECEASED`."""
        self.report(LifeEventKind.DECEASED, subject)

    def record_new_name(
        self, subject: str, *, family_name: str, given_name: str, actor: str
    ) -> None:
        """Take over a changed name when the register confirms it, and tell the hooks.

        Raises:
            NoMatch, NotAlive, NameNotValid: the register does not confirm it.
            UnknownSubject: nobody was enrolled under it.
            BindingClosed: she withdrew from this agency, which reports nothing of her any more.
            Unavailable: register, vault or audit does not answer; nothing was changed.
        """
        check_names(family_name, given_name)

        def renamed(known: RegisteredPerson) -> tuple[str, str, date]:
            return family_name, given_name, known.birth_date

        self._taken_over(
            LifeEventKind.NAME_CHANGED, subject, renamed, purpose="name-change", actor=actor
        )

    def record_correction(
        self,
        subject: str,
        *,
        family_name: str,
        given_name: str,
        birth_date: date,
        actor: str,
    ) -> None:
        """Take over what the register says now about a number; errors as `record_new_name`.

        A number that contradicts the corrected birth date is refused: she needs a new number first,
        and that is a case for the review queue.
        """
        check_names(family_name, given_name)

        def corrected(_known: RegisteredPerson) -> tuple[str, str, date]:
            return family_name, given_name, birth_date

        self._taken_over(
            LifeEventKind.CORRECTED, subject, corrected, purpose="correction", actor=actor
        )

    def withdraw(self, subject: str) -> None:
        """End one binding because the person wants it, and erase her when it was the last one.

        Erasing destroys the keys of her row (`Vault.forget`): whoever kept an old backup of the
        vault's database cannot read her in it. Death does not erase: the fact that the number is
        dead must outlive her, for as long as the retention rules say.

        Raises:
            UnknownSubject: nobody was enrolled under it.
            MergedAlready: it ended in a merger; the subject that goes on is the one to withdraw.
            Unavailable: the audit does not answer; the binding is closed. What was not erased is
                when it is called again, or by the retention clock.
        """
        binding = self._binding(subject)
        if binding.state is BindingState.MERGED:
            raise MergedAlready("this subject ended in a merger; withdraw the one that goes on")
        self._bindings.close(subject, BindingState.WITHDRAWN)
        binding = self._binding(subject)
        if binding.state is BindingState.MERGED:
            raise MergedAlready("this subject was merged meanwhile; withdraw the one that goes on")
        self.tell(LifeEventKind.WITHDRAWN, [binding])
        if self._bindings.mark_left(binding.person, now=self._now()):
            self._erasure.forget(binding.person)
            self._bindings.mark_forgotten(binding.person, now=self._now())

    def merge(self, person: str, *, into: str) -> None:
        """Make one registration of two that people decided to be one person's. Repeatable.

        Every number of the one leads to the other; at an agency that knew both, the credentials of
        the one that ends are revoked, and elsewhere its subject goes on. When the other was merged
        herself since people decided, it is whoever she is now.

        Raises:
            OneIsDead: one of them was reported dead; nothing was changed.
            AllWithdrew: everybody of one of them withdrew; nothing was changed.
            MergedAlready: it would go round, or the one was merged into somebody else before.
            RemainsGone: nothing is registered under one of the references any more.
            Unavailable: vault, audit or a hook does not answer; call it again.
        """
        person, into = self._bindings.known_as(person), self._bindings.survivor(into)
        if not self._bindings.of_person(into) or not (
            self._bindings.of_person(person) or person in self._bindings.absorbed_by(into)
        ):
            raise RemainsGone("one of the two registrations is not there any more")
        doubled = {binding.agency for binding in self._bindings.of_person(into)}
        ending = [
            binding for binding in self._bindings.of_person(person) if binding.agency in doubled
        ]
        if not self._bindings.move(person, to=into, now=self._now()):
            raise OneIsDead("one of the two was reported dead; have that decided first")
        self._vault.merge(person, into=into)
        if self._sealing is not None:
            self._sealing.forget(person)
        merged = [
            binding
            for binding in self._bindings.of_person(into)
            if binding.state is BindingState.MERGED
        ]
        self.tell(LifeEventKind.MERGED, {b.subject: b for b in (*ending, *merged)}.values())

    def restore_death(self, person: str) -> None:
        """On appeal two officers found that it was not she who came: she is dead as reported.

        Her credentials that were issued meanwhile end, also those of subjects that a merger ended
        meanwhile: it may have been cut short before it told.

        Raises:
            Unavailable: a hook did not answer; call it again.
        """
        person = self._recorded(person, BindingState.DECEASED)
        everybody = (person, *self._bindings.absorbed_by(person))
        self.tell(
            LifeEventKind.DECEASED,
            [found for one in everybody for found in self._bindings.of_person(one)],
        )

    def revive(self, person: str, *, decided_at: int) -> None:
        """Two officers found that a person who was reported dead lives. Safe to repeat.

        The register must say so as well. Her bindings are as they were before the report; nothing
        that was revoked comes back, and new credentials are offered as ever. A death that was
        reported after `decided_at` (unix seconds) is another one, of which they said nothing.

        Raises:
            NotAlive: the register still has her as dead, or she was reported dead since.
            NoMatch: it does not know her by what is registered here.
            RegistrationErased: her row went with its term; she registers anew.
            Unavailable: register, vault or audit does not answer; nothing was changed.
        """
        person = self._bindings.survivor(person)
        try:
            stored = parse_record(
                self._vault.open(person, purpose="revival", actor="officers:review")
            )
        except NothingSealed as error:
            raise RegistrationErased("the registration was erased; register anew") from error
        number = self._schemes.parse(stored["country"], stored["number"], today=self._today())
        known = parse_person(stored["person"])
        looked_up(self._register, number, known.family_name, known.given_name, known.birth_date)
        if not self._bindings.revive(person, reported_until=decided_at):
            raise RegistrationErased("the registration was erased; register anew")
        if any(found.deceased for found in self._bindings.of_person(person)):
            raise NotAlive("she was reported dead after the decision; ask about that report")

    def separate(
        self, person: str, *, merged_into: str, known_as: Callable[[str], None] = lambda _ref: None
    ) -> None:
        """Undo `merge`: two officers found that they are two people. Safe to repeat.

        Every number that was the one's leads to her again, and her bindings are as they were. What
        was revoked stays revoked. A merger that was cut short before the vault did its part is
        undone, too. Nothing happens where nothing was merged, or all is undone already. When the
        one that went on was merged further since, she is taken from whoever that is now, once the
        mergers in between are complete; what was merged into her before goes with her.

        Args:
            person: the registration that ended.
            merged_into: the one that went on.
            known_as: is told her new reference before what was kept of her under the old one goes.

        Raises:
            RemainsGone: she was merged, and what she held is kept no more.
            RegistrationErased: the other registration's term was over, before the vault did its
                part of the merger.
            Unavailable: vault or audit does not answer; call it again.
        """
        kept = self._vault.find(remains_of(person))
        survivor = self._bindings.holds(person) or self._bindings.survivor(merged_into)
        if kept is None:
            self._bound_again(person, survivor)
            return
        for between in self._between(person, survivor):
            self._vault.merge(between, into=survivor)  # or her numbers lead there still
        ref = self._vault.separate(person, merged_into=survivor)
        self._bindings.separate(person, to=ref, now=self._now())
        if self._sealing is not None:
            stored = parse_record(
                self._vault.open(ref, purpose="separation", actor="officers:review")
            )
            number = self._schemes.parse(stored["country"], stored["number"], today=self._today())
            self._sealing.seal(
                ref, identity_of(number, parse_person(stored["person"])), renew=False
            )
        known_as(ref)
        self._vault.forget(kept)

    def _bound_again(self, person: str, merged_into: str) -> None:
        """Give a person whose row the vault never merged her bindings back."""
        if person not in self._bindings.absorbed_by(merged_into):
            return
        try:
            self._vault.open(person, purpose="separation", actor="officers:review")
        except NothingSealed as error:
            raise RemainsGone("the remains of the merger are gone; it cannot be undone") from error
        self._bindings.separate(person, to=person, now=self._now())

    def _between(self, person: str, survivor: str) -> list[str]:
        """Whom she was merged into on the way to `survivor`."""
        return [
            found
            for found in self._bindings.absorbed_by(survivor)
            if person in self._bindings.absorbed_by(found)
        ]

    def keys_lost(self, person: str, *, agency: str | None = None) -> None:
        """Tell that a person's wallet is lost: at every agency, or at one. The binding stays.

        Raises:
            Unavailable: a hook did not answer; report it again.
        """
        self.tell(
            LifeEventKind.KEYS_LOST,
            [
                binding
                for binding in self._bindings.of_person(self._bindings.survivor(person))
                if agency in (None, binding.agency)
            ],
        )

    def tell(
        self,
        kind: LifeEventKind,
        bindings: Iterable[Binding],
        *,
        changed: frozenset[str] = frozenset(),
    ) -> None:
        """Tell every hook about every binding; all are tried before the first failure is raised."""
        failed: Exception | None = None
        for binding in bindings:
            event = LifeEvent(
                kind=kind,
                subject=binding.subject,
                agency=binding.agency,
                time=self._now(),
                changed=changed,
            )
            for hook in self._hooks:
                try:
                    hook.on_event(event)
                except Exception as error:  # noqa: BLE001 - raised below, after the others
                    failed = failed or error
        if failed is not None:
            raise failed

    def _taken_over(
        self,
        kind: LifeEventKind,
        subject: str,
        particulars: Callable[[RegisteredPerson], tuple[str, str, date]],
        *,
        purpose: str,
        actor: str,
    ) -> None:
        person_now = self._bindings.survivor(self._reporting(subject).person)
        if any(found.deceased for found in self._bindings.of_person(person_now)):
            raise NotAlive("the person was reported dead")
        stored = parse_record(self._vault.open(person_now, purpose=purpose, actor=actor))
        number = self._schemes.parse(stored["country"], stored["number"], today=self._today())
        known = parse_person(stored["person"])
        family_name, given_name, birth_date = particulars(known)
        person = looked_up(self._register, number, family_name, given_name, birth_date)
        self._vault.replace(person_now, data=encoded(number, person), likeness=likeness(person))
        if self._sealing is not None:
            self._sealing.seal(person_now, identity_of(number, person), renew=True)
        self.tell(kind, self._bindings.of_person(person_now), changed=_CHANGED[kind])

    def _recorded(self, person: str, state: BindingState) -> str:
        """Change her bindings, also where a merger moves them in this moment; who she is then."""
        while True:
            person = self._bindings.survivor(person)
            self._bindings.set_state(person, state, now=self._now())
            if self._bindings.survivor(person) == person:
                return person

    def _binding(self, subject: str) -> Binding:
        binding = self._bindings.read(subject)
        if binding is None:
            raise UnknownSubject("nobody is enrolled under this subject")
        return binding

    def _reporting(self, subject: str) -> Binding:
        """Of whom an agency still reports.

        Whatever the answer was otherwise, it would tell whether somebody who withdrew from it is
        known to others, or dead.
        """
        binding = self._binding(subject)
        if binding.state is BindingState.WITHDRAWN:
            raise BindingClosed("she withdrew; nothing is reported of this subject any more")
        return binding

    def _today(self) -> date:
        return (datetime.fromtimestamp(self._now(), UTC) + timedelta(hours=14)).date()

"""Life events reach the credentials that rest on a binding: one action, in one transaction.

`RestingCredentials.end_all` is the service for "everything that rests on this binding is revoked in
one action": copies, pending deliveries, offers and their tokens. It serves recovery (a lost phone,
`LifeEventKind.KEYS_LOST`) as well as death, withdrawal and merger.
"""

from collections.abc import Callable
from datetime import datetime

from identity.core.life_event import EFFECTS, Effect, LifeEvent, LifeEventKind
from identity.core.mandate import ENDED, ends_with_principal, is_mandate
from identity.issuer.parts import IssuerParts
from identity.issuer.records import Status
from identity.issuer.status import StatusChange, StatusDesk


class RestingCredentials:
    """Everything that an agency issued or offered to a person, as one thing.

    Keeps the promise of `identity.realname.life_events.LifeEventHook`.
    """

    def __init__(
        self, parts: IssuerParts, statuses: StatusDesk, *, clock: Callable[[], datetime]
    ) -> None:
        """Join the parts; `clock` is aware and in UTC."""
        self._parts = parts
        self._statuses = statuses
        self._clock = clock

    def end_all(self, agency: str, subject: str, *, reason: str) -> list[StatusChange]:
        """Revoke everything that rests on the binding of `subject`, in one action.

        When this returns, in the database and for good: every credential and every copy is
        revoked, every offer is dead, every access token refused; a delivery that was under way came
        first and is revoked too, or was refused. `published` of a change is False when the ledger
        did not answer; the worker brings it there. What is offered afterwards is not touched, so a
        new proofing can issue at once. Safe to repeat.

        Args:
            agency: slug of the agency.
            subject: the person's subject at that agency; see `BindingStore.of_person` for others.
            reason: a code for the record, as `keys-lost`.

        Raises:
            UnknownAgency: it is not served here.
            PublicationRefused: the ledger refuses a list; the change is on disk all the same.
        """
        return self._statuses.revoke_all_of(agency, subject, reason=reason, now=self._clock())

    def on_event(self, event: LifeEvent) -> None:
        """As `LifeEventHook.on_event`; an agency that is served elsewhere is not ours to tell."""
        if event.agency not in self._parts.agencies:
            return
        effect, now, reason = EFFECTS[event.kind], self._clock(), str(event.kind)
        self._end_mandates_for(event, now=now)
        if effect is Effect.REVOKE_ALL:
            self.end_all(event.agency, event.subject, reason=reason)
        elif effect is Effect.REVOKE_CHANGED:
            self._statuses.end_all_of(
                event.agency,
                event.subject,
                Status.REVOKED,
                types=self._telling(event.changed),
                reason=reason,
                now=now,
            )
        elif effect is Effect.SUSPEND_ALL:
            # Whoever cannot act for herself does not act for others, and may not begin again by
            # getting well: whoever trusted her decides anew.
            self._statuses.end_all_of(
                event.agency,
                event.subject,
                Status.REVOKED,
                types=self._mandates(),
                reason=reason,
                now=now,
            )
            self._statuses.end_all_of(
                event.agency, event.subject, Status.SUSPENDED, types=None, reason=reason, now=now
            )
        else:
            self._statuses.reinstate_all_of(
                event.agency, event.subject, reason=str(LifeEventKind.INCAPACITATED), now=now
            )

    def _end_mandates_for(self, event: LifeEvent, *, now: datetime) -> None:
        """Mandates of others who act for the person, as far as the event ends them."""

        def ends(credential_type: str, durable: bool) -> bool:
            known = {kind.name: kind.claims for kind in self._parts.catalogue}
            return ends_with_principal(
                event.kind,
                credential_type,
                known.get(credential_type, ()),
                durable=durable,
                changed=event.changed,
            )

        self._statuses.end_mandates_of(
            event.agency, event.subject, ends=ends, reason=ENDED, now=now
        )

    def _mandates(self) -> frozenset[str]:
        """Names of the types by which somebody acts for another."""
        return frozenset(
            kind.name for kind in self._parts.catalogue if is_mandate(kind.name, kind.claims)
        )

    def _telling(self, changed: frozenset[str]) -> frozenset[str]:
        """Names of the types with a claim among `changed`."""
        return frozenset(
            kind.name for kind in self._parts.catalogue if changed.intersection(kind.claims)
        )

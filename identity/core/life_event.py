"""What happens to people after their enrolment, and what it means for their credentials. Pure.

| event | credentials that rest on the binding |
| --- | --- |
| `deceased`, `withdrawn`, `merged`, `keys-lost` | all revoked |
| `name-changed`, `corrected` | those revoked whose type can tell a changed claim |
| `incapacitated` | all suspended, mandates revoked; a guardian acts by a mandate of his own |
| `capacity-restored` | those valid again that were suspended for `incapacitated` |
Mandates by which others act for the person end by the table in `identity.core.mandate`.
"""

from dataclasses import dataclass
from enum import StrEnum


class LifeEventKind(StrEnum):
    """Events that change what may be issued, or what was issued."""

    DECEASED = "deceased"
    NAME_CHANGED = "name-changed"
    CORRECTED = "corrected"  # the register had something wrong
    INCAPACITATED = "incapacitated"
    CAPACITY_RESTORED = "capacity-restored"
    MERGED = "merged"  # two registrations were one person; this is the one that ends
    WITHDRAWN = "withdrawn"  # she wants no credentials of this agency any more
    KEYS_LOST = "keys-lost"  # a lost phone: the person stays, everything she held is dead


class Effect(StrEnum):
    """What becomes of the credentials."""

    REVOKE_ALL = "revoke-all"
    REVOKE_CHANGED = "revoke-changed"
    SUSPEND_ALL = "suspend-all"
    REINSTATE = "reinstate"


EFFECTS = {
    LifeEventKind.DECEASED: Effect.REVOKE_ALL,
    LifeEventKind.NAME_CHANGED: Effect.REVOKE_CHANGED,
    LifeEventKind.CORRECTED: Effect.REVOKE_CHANGED,
    LifeEventKind.INCAPACITATED: Effect.SUSPEND_ALL,
    LifeEventKind.CAPACITY_RESTORED: Effect.REINSTATE,
    LifeEventKind.MERGED: Effect.REVOKE_ALL,
    LifeEventKind.WITHDRAWN: Effect.REVOKE_ALL,
    LifeEventKind.KEYS_LOST: Effect.REVOKE_ALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEvent:
    """Something happened to the person behind `subject`; says what, never to whom.

    `changed` names the claims that are no longer true, for `REVOKE_CHANGED`; never their values.
    """

    kind: LifeEventKind
    subject: str
    agency: str
    time: int  # unix seconds
    changed: frozenset[str] = frozenset()

"""The vault's retention clock: what is past its term is destroyed, on record before it happens."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.core.retention import VaultTerms, cutoff
from identity.vault.records import AuditRecord
from identity.vault.service import SealedVault
from registry.core.encoding import base64url_encode

# Kinds of rows that wait for something which has an end of its own. Whoever waited has forgotten
# them by then; what is still there a month later was left by a crash.
LEFTOVERS = ("pending-claims", "in-person", "oidc-login")
MERGED = ("remains-person",)  # what a merged registration held, for who finds that it was wrong
AT_ONCE = 500  # rows in one round; the next round goes on


class RetentionStore(Protocol):
    """What the clock asks of the vault's database."""

    def rows_before(self, time: int, *, kinds: Sequence[str], limit: int) -> list[str]:
        """References of rows of these kinds that were sealed before `time` and hold something."""
        ...

    def looks_before(self, time: int) -> int:
        """How many looks were asked for before `time`."""
        ...

    def delete_looks(self, time: int) -> None:
        """Delete them."""
        ...

    def audit_before(self, time: int) -> int:
        """How many audit records are older than `time`."""
        ...

    def delete_audit(self, time: int, *, but: Collection[str]) -> None:
        """Delete them, but for those with these identifiers."""
        ...


class AuditTrail(Protocol):
    """The other sink, where records lie in a chain."""

    def staying(self, before: int) -> set[str]:
        """Identifiers of records that are older than `before` and that `cut` would not drop."""
        ...

    def cut(self, before: int) -> None:
        """Drop the oldest records, up to the first that is not older than `before`. Repeatable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTerm:
    """How much is past its term."""

    leftovers: int = 0
    merged: int = 0
    looks: int = 0
    audit: int = 0


class VaultRetention:
    """Tells what is past its term, and destroys it."""

    def __init__(
        self,
        *,
        vault: SealedVault,
        store: RetentionStore,
        trail: AuditTrail,
        terms: VaultTerms,
        random: Callable[[int], bytes],
    ) -> None:
        """Join the parts."""
        self._vault = vault
        self._store = store
        self._trail = trail
        self._terms = terms
        self._random = random

    def due(self, *, now: int) -> PastTerm:
        """What `destroy` would destroy now, one round of it; changes nothing."""
        looks, audit = cutoff(self._terms.looks, now=now), cutoff(self._terms.audit, now=now)
        return PastTerm(
            leftovers=len(self._rows(LEFTOVERS, self._terms.leftovers, now)),
            merged=len(self._rows(MERGED, self._terms.merged, now)),
            looks=0 if looks is None else self._store.looks_before(looks),
            audit=0 if audit is None else self._store.audit_before(audit),
        )

    def destroy(self, *, now: int) -> PastTerm:
        """Destroy what is past its term, each on both sinks before; safe to repeat.

        1. Leftovers and what was merged are forgotten as by `Vault.forget`: the secret first.
        2. Looks, then audit records, are deleted after one record that says so. In the trail they
           are cut last: a crash before that is healed by the next round.

        Raises:
            VaultNotAudited: a sink did not take the record; what it would tell of is still there.
        """
        past = self.due(now=now)
        for kinds, term in ((LEFTOVERS, self._terms.leftovers), (MERGED, self._terms.merged)):  # 1
            for ref in self._rows(kinds, term, now):
                self._vault.forget(ref, purpose="retention")
        looks, audit = cutoff(self._terms.looks, now=now), cutoff(self._terms.audit, now=now)
        if looks is not None and past.looks:  # 2
            self._noted("looks", before=looks, count=past.looks, now=now)
            self._store.delete_looks(looks)
        if audit is not None and past.audit:
            self._noted("audit", before=audit, count=past.audit, now=now)
            self._store.delete_audit(audit, but=self._trail.staying(audit))
        if audit is not None:
            self._trail.cut(audit)
        return past

    def _rows(self, kinds: Sequence[str], days: int | None, now: int) -> list[str]:
        before = cutoff(days, now=now)
        if before is None:
            return []
        return self._store.rows_before(before, kinds=kinds, limit=AT_ONCE)

    def _noted(self, what: str, *, before: int, count: int, now: int) -> None:
        """On record: what was older than which second, and how much of it there was."""
        self._vault.note(
            AuditRecord(
                id=base64url_encode(self._random(16)),
                time=now,
                action="retention",
                ref=what,
                actor="vault",
                purpose=f"retention:before-{before}:count-{count}",
            )
        )

"""A look into one row that the rules do not foresee: two officers, one row, one time, on record.

One officer asks with a reason, another one agrees, and the first looks, once and soon. Who an
officer is follows from the access key that she presents and never from what she says.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from identity.vault.service import SealedVault
from registry.core.encoding import base64url_encode
from registry.core.refusals import Conflict, Malformed, NotFound, NotPermitted

APPROVAL_SECONDS = 3600  # how long a question stands
USE_SECONDS = 900  # how soon after the second officer agreed
_REASON = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class NoSuchException(NotFound):
    """Nobody asked for this, or it is over."""


class SameOfficer(NotPermitted):
    """One person asked and agreed; two are needed."""


class NotAgreed(Conflict):
    """No second officer agreed in time, or the look was taken already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRequest:
    """A look that an officer asked for. Times are in unix seconds; 0 for what did not happen."""

    id: str
    ref: str
    reason: str
    asked_by: str
    asked_at: int
    approved_by: str = ""
    approved_at: int = 0


class LookStore(Protocol):
    """Keeps requests. Each change is one conditional update, so it happens once."""

    def add(self, request: LookRequest) -> None:
        """Keep a new request."""
        ...

    def read(self, request_id: str) -> LookRequest | None:
        """The request."""
        ...

    def approve(self, request_id: str, *, officer: str, now: int, asked_after: int) -> bool:
        """Note the second officer, unless it is the first, somebody agreed, or it is too late."""
        ...

    def use(self, request_id: str, *, officer: str, now: int, approved_after: int) -> bool:
        """Note the look of the officer who asked; False when it may not be taken (any more)."""
        ...


class BreakGlass:
    """Asks, agrees, looks."""

    def __init__(
        self,
        *,
        vault: SealedVault,
        store: LookStore,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts; `now` gives unix seconds."""
        self._vault = vault
        self._store = store
        self._random = random
        self._now = now

    def ask(self, ref: str, *, reason: str, officer: str) -> LookRequest:
        """Ask for a look into the row `ref`.

        Raises:
            Malformed: the reason is no code of lower-case letters, digits and hyphens.
            NothingSealed, VaultNotAudited: as `SealedVault.record`.
        """
        if not _REASON.fullmatch(reason):
            raise Malformed("the reason is a code of lower-case letters, digits and hyphens")
        self._vault.record("break-glass-asked", ref, purpose=reason, actor=f"officer:{officer}")
        request = LookRequest(
            id=base64url_encode(self._random(16)),
            ref=ref,
            reason=reason,
            asked_by=officer,
            asked_at=self._now(),
        )
        self._store.add(request)
        return request

    def approve(self, request_id: str, *, officer: str) -> None:
        """Agree, as somebody else than who asked.

        Raises:
            NoSuchException: nobody asked for this.
            SameOfficer: `officer` asked for it herself.
            NotAgreed: it is too late, or somebody agreed already.
        """
        request = self._known(request_id)
        if request.asked_by == officer:
            raise SameOfficer("whoever asked cannot agree: two people are needed")
        now = self._now()
        if not self._store.approve(
            request_id, officer=officer, now=now, asked_after=now - APPROVAL_SECONDS
        ):
            raise NotAgreed("it is too late to agree, or somebody did")

    def look(self, request_id: str, *, officer: str) -> bytes:
        """Open the row, once, for the officer who asked; on the audit record with both names.

        The look is used up before the row is opened: one that fails has to be asked for again.

        Raises:
            NoSuchException: nobody asked for this.
            NotAgreed: no second officer agreed, it is too late, or the look was taken.
            NothingSealed, VaultNotAudited, VaultRowNotOpened: as `Vault.open`.
        """
        request = self._known(request_id)
        now = self._now()
        if not self._store.use(
            request_id, officer=officer, now=now, approved_after=now - USE_SECONDS
        ):
            raise NotAgreed("no second officer agreed, or the look was taken, or it is too late")
        agreed = self._known(request_id)
        _, envelope = self._vault.opened(
            "break-glass",
            request.ref,
            purpose=request.reason,
            actor=f"officer:{agreed.asked_by}/officer:{agreed.approved_by}"[:128],
        )
        return envelope.data

    def _known(self, request_id: str) -> LookRequest:
        request = self._store.read(request_id)
        if request is None:
            raise NoSuchException("nobody asked for this look")
        return request

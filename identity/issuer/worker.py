"""What the issuer does without being asked: seal batches, publish lists, clear away."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog

from identity.issuer.anchoring import Sealer
from identity.issuer.parts import IssuerParts
from identity.issuer.status import StatusPublisher
from registry.core.refusals import NotFound, Refusal

CLEAR_AT_ONCE = 100  # offers whose claims are forgotten in one round
_log = structlog.get_logger()


class IssuerWorker:
    """One round of background work; any number of processes may run rounds at the same time."""

    def __init__(self, parts: IssuerParts, sealer: Sealer, publisher: StatusPublisher) -> None:
        self._parts = parts
        self._sealer = sealer
        self._publisher = publisher

    def run_once(self, now: datetime) -> None:
        """Do what is due. A step that is refused is logged and does not keep the others waiting."""
        self._step("seal", lambda: self._seal(now))
        for slug in self._parts.agencies:
            self._step("publish", partial(self._publisher.publish_due, slug, now=now))
        self._step("clear", lambda: self.clear_expired(now))

    def prepare(self, now: datetime) -> None:
        """Publish a first status list for every agency, so that its first citizen need not wait.

        Raises:
            Refusal: the ledger does not answer, or refuses.
        """
        for slug in self._parts.agencies:
            self._publisher.ensure_open_group(slug, room=1, now=now)

    def clear_expired(self, now: datetime) -> None:
        """Forget pending claims that nobody can redeem any more, then delete expired rows."""
        seconds = int(now.timestamp())
        for offer, ref in self._parts.offers.expired_claims(now=seconds, limit=CLEAR_AT_ONCE):
            with suppress(NotFound):  # forgotten before a crash that left the row as it was
                self._parts.vault.forget(ref)
            self._parts.offers.drop_claims(offer)
        self._parts.offers.delete_expired(now=seconds)
        self._parts.deferred.delete_expired(now=seconds)

    def _seal(self, now: datetime) -> None:
        report = self._sealer.seal_due(now)
        for batch, refusal in report.refusals.items():
            _log.warning("batch_not_sealed", batch=batch, refusal=refusal)

    @staticmethod
    def _step(name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Refusal as error:
            _log.warning("issuer_work_refused", step=name, refusal=type(error).__name__)
